//! What happens to commands, and what is said of it: one table for every executor. A happening has the same verdict, the same cause and the
//! same words on each.

pub(crate) mod table;

use jiff::SignedDuration;
use mkys_runner::{Cause, Computation, Input, Outcome, StartError, Verdict};

use crate::bench::{Bench, engine, line, outcome, runner, until_running};
use crate::images;

use table::{Ends, Image, Kind, TABLE};

fn ends(outcome: &Outcome) -> (Result<Vec<String>, (Cause, String)>, String) {
    let log: Vec<_> = outcome.log.iter().map(|line| line.text.as_str()).collect();
    let ended = match &outcome.verdict {
        Verdict::Succeeded => Ok(outcome.record.remarks.clone()),
        Verdict::Failed(failure) => Err((failure.cause, failure.words.clone())),
        Verdict::Lost { words } => panic!("lost: {words}; {log:?}"),
    };
    (ended, log.join("\n"))
}

async fn happens(bench: &impl Bench, computation: Computation, expected: Ends) -> String {
    let told = format!("{:?}", computation.container.command);
    let (ended, log) = ends(&outcome(bench, computation).await);
    let expected = match expected {
        Ends::Well(remarks) => Ok(remarks.iter().map(|one| (*one).to_owned()).collect()),
        Ends::Badly(cause, words) => Err((cause, words.to_owned())),
    };
    assert_eq!(ended, expected, "{told}: {log}");
    log
}

async fn image(image: Image) -> &'static str {
    let made = tokio::task::spawn_blocking(move || match image {
        Image::Shell => engine().1.as_str(),
        Image::Programs => images::programs(),
        Image::Volumes => images::volumes(),
    });
    made.await.unwrap()
}

fn small(bench: &impl Bench, command: &str, memory_mib: u32) -> Computation {
    let mut computation = line(bench, command);
    computation.container.resources.memory_mib = memory_mib;
    computation.container.resources.files_mib = table::FILES_MIB;
    computation
}

async fn all_of(bench: &impl Bench, kinds: &[Kind]) {
    for happening in TABLE.iter().filter(|one| kinds.contains(&one.kind)) {
        let mut computation = small(bench, "", table::MEMORY_MIB);
        if happening.image != Image::Shell {
            computation.container.image = image(happening.image).await.parse().unwrap();
        }
        computation.container.command = happening.command("");
        happens(bench, computation, happening.ends).await;
    }
}

pub(crate) async fn memory_that_is_exceeded_is_told_alike(bench: &impl Bench) {
    all_of(bench, &[Kind::Heap, Kind::Files, Kind::Child]).await;
}

pub(crate) async fn a_command_goes_on_without_a_process_that_was_killed(bench: &impl Bench) {
    all_of(bench, &[Kind::Process]).await;
}

pub(crate) async fn what_is_too_long_is_refused_before_anything_is_made(bench: &impl Bench) {
    let runner = runner(bench).await;
    let word = |length: usize| "x".repeat(length);
    let mut long = line(bench, "true");
    long.container.command = vec!["echo".to_owned(), word(131_072)];
    let mut variable = line(bench, "true");
    let name = "LONG".parse().unwrap();
    variable.container.env.insert(name, word(150_000));
    let mut many = line(bench, "true");
    many.container.command = vec![word(100_000); 30];
    let mut inputs = small(bench, "true", 24);
    let zeros = Input::from(vec![0; 30 << 20]);
    inputs.inputs = [("zeros".parse().unwrap(), zeros)].into();
    let table = [
        (
            long,
            "container.command[1]: 131072 bytes are more than a program can be given, 131071",
        ),
        (
            variable,
            "container.env.LONG: 150005 bytes are more than a program can be given, 131071",
        ),
        (
            many,
            "container.command and container.env: 3000030 bytes are more than a program can be given, 1048576",
        ),
        (
            inputs,
            "the inputs have 31457280 bytes, which are held in memory; with resources.memory_mib = 24 they may have 16777216",
        ),
    ];
    for (computation, words) in table {
        let error = runner.compute(computation).await.unwrap_err();
        assert!(matches!(error, StartError::Plan(_)), "{error}");
        assert_eq!(error.to_string(), words);
    }
    assert_eq!(bench.left().await, Vec::<String>::new());
    drop(runner);
    // one byte less is taken
    let mut longest = line(bench, "true");
    longest.container.command = vec!["true".to_owned(), word(131_071)];
    happens(bench, longest, Ends::Well(&[])).await;
}

pub(crate) async fn signals_are_told_alike(bench: &impl Bench) {
    all_of(bench, &[Kind::Signal]).await;
}

pub(crate) async fn commands_that_can_not_be_started_are_told_alike(bench: &impl Bench) {
    all_of(bench, &[Kind::Program, Kind::Processor, Kind::NoCommand]).await;
}

pub(crate) async fn whoever_stops_it_gives_it_its_grace(bench: &impl Bench) {
    let odd = || images::image("winch", &[], &["STOPSIGNAL SIGWINCH"]);
    let odd = tokio::task::spawn_blocking(odd).await.unwrap();
    for image in [bench.image().to_owned(), odd] {
        let runner = runner(bench).await;
        let line_ = "trap 'echo bye >&2; exit 0' TERM; echo on; while :; do sleep 1; done";
        let mut computation = line(bench, line_);
        computation.container.image = image.parse().unwrap();
        let run = runner.compute(computation).await.unwrap();
        until_running(&run).await;
        // it may not have set its trap
        until_it_says(&runner, &run, "on").await;
        bench.take_away("one").await;
        let outcome = run.finish().await.unwrap();
        let (ended, log) = ends(&outcome);
        assert_eq!(ended.unwrap_err().0, Cause::Evicted, "{outcome:?}");
        if bench.pulls_first() {
            assert!(log.ends_with("bye"), "{log}");
        }
        assert_eq!(bench.left().await, Vec::<String>::new());
    }
}

async fn until_it_says<E: mkys_runner::Executor>(
    runner: &mkys_runner::Runner<E>,
    run: &mkys_runner::Run,
    expected: &str,
) {
    use futures_util::StreamExt;
    let mut lines = runner.logs(run, None);
    while let Some(line) = lines.next().await {
        if line.unwrap().text == expected {
            return;
        }
    }
    panic!("it does not say {expected}");
}

pub(crate) async fn what_an_image_says_changes_no_limit(bench: &impl Bench) {
    all_of(bench, &[Kind::Volumes]).await;
    let mut computation = line(
        bench,
        "cat /data/kept; echo $HOME; ls /tmp /mkys/out; test -d /mkys/in && echo in; touch here && echo out; \
         for at in / /data /run /var/tmp /var /etc /mkys; do touch $at/x 2>/dev/null && echo $at can be written; done; \
         dd if=/dev/zero of=/dev/shm/x bs=1M count=100 2>/dev/null && echo shm; \
         dd if=/dev/zero of=/tmp/x bs=1M count=9 2>&1 | grep -o 'No space left on device'",
    );
    computation.container.image = image(Image::Volumes).await.parse().unwrap();
    computation.container.resources.files_mib = 8;
    let log = happens(bench, computation, Ends::Well(&[])).await;
    // on an engine /mkys itself is in memory, and bounded
    let log = log.replace("/mkys can be written\n", "");
    let expected = "kept\n/tmp\n/mkys/out:\n\n/tmp:\nin\nout\nshm\nNo space left on device";
    assert_eq!(log, expected);
}

pub(crate) async fn a_moving_tag_is_asked_for_again(bench: &impl Bench) {
    let name = format!("moving-{}", bench.owner());
    for tag in ["", ":latest", ":1"] {
        let mut said = Vec::new();
        for number in ["1", "2"] {
            let (moved, number) = (format!("{name}{tag}"), number.to_owned());
            let reference = tokio::task::spawn_blocking(move || {
                let (engine, shell) = engine();
                let reference = format!("{}/{moved}", engine.registry());
                let make = format!("ENV=NUMBER={number}");
                engine.run(&["pull", "--quiet", shell]).unwrap();
                let made = engine.run(&["create", shell, "true"]).unwrap();
                let change = [
                    "commit",
                    "--quiet",
                    "--change",
                    &make,
                    made.trim(),
                    "localhost/moved",
                ];
                engine.run(&change).unwrap();
                engine.run(&["rm", made.trim()]).unwrap();
                engine
                    .run(&["push", "--quiet", "localhost/moved", &reference])
                    .unwrap();
                engine.run(&["rmi", "localhost/moved"]).unwrap();
                reference
            });
            let reference = reference.await.unwrap();
            let mut computation = line(bench, "echo $NUMBER");
            computation.container.image = reference.parse().unwrap();
            computation.deadline = SignedDuration::from_secs(60);
            said.push(happens(bench, computation, Ends::Well(&[])).await);
        }
        let expected = if tag == ":1" { ["1", "1"] } else { ["1", "2"] };
        assert_eq!(said, expected, "{tag}");
    }
}
