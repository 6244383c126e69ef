//! Computations that end well.

use std::io::Write;
use std::net::TcpListener;

use futures_util::StreamExt;
use jiff::SignedDuration;
use mkys_runner::{Direct, Input, Keep, LogLine, LogPlace, Record, ResultContent, Runner, Verdict};

use crate::bench::{Bench, line, outcome, runner, until_running};

fn memory(content: &ResultContent) -> &[u8] {
    match content {
        ResultContent::Memory(bytes) => bytes,
        other => panic!("it is not in memory but {other:?}"),
    }
}

pub(crate) async fn its_result_comes_back_and_nothing_is_left(bench: &impl Bench) {
    let mut computation = line(
        bench,
        "mkdir -p /mkys/out/deep && printf 42 >/mkys/out/deep/answer && echo said",
    );
    computation.results = vec!["deep/answer".parse().unwrap()];
    let outcome = outcome(bench, computation).await;
    assert_eq!(outcome.verdict, Verdict::Succeeded);
    let [result] = &outcome.results[..] else {
        panic!("{:?}", outcome.results)
    };
    assert_eq!(memory(&result.content), b"42");
    assert_eq!(
        result.sha256,
        "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049"
    );
    let [
        LogLine {
            text, error: false, ..
        },
    ] = &outcome.log[..]
    else {
        panic!("{:?}", outcome.log)
    };
    assert_eq!(text, "said");
    assert!(!outcome.receipt.gone.is_empty());
}

pub(crate) async fn the_same_again_gives_the_same(bench: &impl Bench) {
    let mut computation = line(
        bench,
        "awk 'BEGIN { srand(42); for (i = 0; i < 100; i++) print rand() }' >/mkys/out/sample",
    );
    computation.results = vec!["sample".parse().unwrap()];
    let first = outcome(bench, computation.clone()).await;
    let second = outcome(bench, computation).await;
    assert_eq!(first.verdict, Verdict::Succeeded);
    assert_eq!(first.results, second.results);
}

pub(crate) async fn inputs_and_secrets_are_files(bench: &impl Bench) {
    bench.secret("token", &[("key", "s3cret")]).await;
    // more than what gives it its inputs takes for itself
    let big = vec![b'x'; 48_000_000];
    let mut computation = line(
        bench,
        "cat /mkys/in/a/text /mkys/secrets/token/key; echo; wc -c </mkys/in/big; env | grep -c s3cret; echo $MKYS_RUN",
    );
    computation.container.secrets = ["token".parse().unwrap()].into();
    computation.inputs = [
        ("a/text".parse().unwrap(), Input::from("text ")),
        ("big".parse().unwrap(), Input::from(big)),
    ]
    .into();
    let outcome = outcome(bench, computation).await;
    let lines: Vec<_> = outcome.log.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(lines, ["text s3cret", "48000000", "0", "one"]);
}

pub(crate) async fn it_has_no_rights_and_no_network(bench: &impl Bench) {
    let knock = knock(bench);
    let outcome = outcome(
        bench,
        line(
            bench,
            &format!(
                "id -u; touch /bin/x 2>&1; touch /tmp/x && echo tmp; \
                 grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; {knock}"
            ),
        ),
    )
    .await;
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
    let lines: Vec<_> = outcome
        .log
        .iter()
        .map(|line| line.text.trim().replace('\t', " "))
        .collect();
    assert_eq!(lines[0], "65532");
    assert!(lines[1].contains("Read-only file system"), "{lines:?}");
    assert_eq!(lines[2], "tmp");
    assert_eq!(
        lines[3..6],
        ["CapEff: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"]
    );
    assert_eq!(lines[6], "apart");
}

/// A line of shell that says whether a run reaches somebody who listens on the machine.
fn knock(bench: &impl Bench) -> String {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let (host, port) = (bench.host(), listener.local_addr().unwrap().port());
    // it ends with the process, as whoever comes is none but the run
    std::thread::spawn(move || {
        for visitor in listener.incoming() {
            let _ = visitor.and_then(|mut visitor| visitor.write_all(b"reached\n"));
        }
    });
    format!("nc -w 3 {host} {port} </dev/null 2>/dev/null | grep reached || echo apart")
}

pub(crate) async fn its_log_is_live_and_can_be_taken_up_again(bench: &impl Bench) {
    let runner = runner(bench).await;
    let run = runner
        .compute(line(
            bench,
            "echo one; echo two >&2; echo three; while ! test -e /mkys/in/never; do sleep 1; done",
        ))
        .await
        .unwrap();
    until_running(&run).await;
    let lines: Vec<LogLine> = run_log(&runner, &run, None, 3).await;
    let texts: Vec<_> = lines
        .iter()
        .map(|line| (line.text.as_str(), line.error))
        .collect();
    // what goes to two places comes in no order
    let two = ("two", bench.tells_errors_apart());
    for expected in [("one", false), two, ("three", false)] {
        assert!(texts.contains(&expected), "{texts:?}");
    }
    let rest: Vec<LogLine> = run_log(&runner, &run, Some(lines[1].place), 1).await;
    assert_eq!(rest[0], lines[2]);
    run.end();
    run.finish().await.unwrap();
}

async fn run_log<E: mkys_runner::Executor>(
    runner: &Runner<E>,
    run: &mkys_runner::Run,
    from: Option<LogPlace>,
    count: usize,
) -> Vec<LogLine> {
    let lines = runner.logs(run, from).take(count);
    lines.map(Result::unwrap).collect().await
}

pub(crate) async fn results_are_on_the_disk_before_it_is_destroyed(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    let keep = Keep::Directory(folder.path().to_owned());
    let executor = bench.executor().await;
    let runner = Runner::start_with(executor, keep, Direct).await.unwrap();
    let mut computation = line(
        bench,
        "dd if=/dev/urandom of=/mkys/out/noise bs=1k count=500 2>/dev/null",
    );
    computation.results = vec!["noise".parse().unwrap()];
    let run = runner.compute(computation).await.unwrap();
    let outcome = run.finish().await.unwrap();
    let record = Record::read(&folder.path().join("one")).await.unwrap();
    let phases: Vec<_> = record
        .phases
        .iter()
        .map(|phase| phase.name.as_str())
        .collect();
    // whether it was seen to run is a matter of how fast it was
    assert!(phases.ends_with(&["results", "destruction"]), "{phases:?}");
    let all: SignedDuration = record.phases.iter().map(|phase| phase.lasted).sum();
    let whole = record
        .times
        .gone
        .unwrap()
        .duration_since(record.times.submitted);
    assert!(
        all > SignedDuration::ZERO && all <= whole,
        "{all:#} of {whole:#}"
    );
    let file = folder.path().join("one/out/noise");
    assert_eq!(
        outcome.results[0].content,
        ResultContent::File(file.clone())
    );
    assert_eq!(std::fs::metadata(file).unwrap().len(), 512_000);
}

pub(crate) async fn it_reaches_out_only_if_it_may(bench: &impl Bench) {
    let knock = knock(bench);
    let mut computation = line(bench, &knock);
    computation.container.egress = true;
    let outcome = outcome(bench, computation).await;
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
    assert_eq!(outcome.log[0].text, "reached");
}
