//! Computations that fail: each cause told apart, in the words of whoever said it, with nothing left.

use jiff::SignedDuration;
use mkys_runner::{Cause, Input, Verdict};

use crate::bench::{Bench, fails, line, outcome, runner, until_running};

pub(crate) async fn its_exit_code_and_its_last_lines_are_told(bench: &impl Bench) {
    let outcome = outcome(
        bench,
        line(bench, "echo the matrix is singular >&2; exit 7"),
    )
    .await;
    let Verdict::Failed(failure) = &outcome.verdict else {
        panic!("{:?}", outcome.verdict)
    };
    assert_eq!(
        (failure.cause, failure.words.as_str()),
        (Cause::Exit, "exit code 7")
    );
    assert_eq!(outcome.log[0].text, "the matrix is singular");
    assert_eq!(outcome.log[0].error, bench.tells_errors_apart());
}

pub(crate) async fn too_much_memory_is_told_apart(bench: &impl Bench) {
    let mut computation = line(bench, "tail /dev/zero");
    computation.container.resources.memory_mib = 32;
    let (cause, words) = fails(bench, computation).await;
    assert_eq!(cause, Cause::OutOfMemory, "{words}");
}

pub(crate) async fn its_deadline_ends_it_although_it_ignores_signals(bench: &impl Bench) {
    let mut computation = line(bench, "trap '' TERM; while :; do sleep 1; done");
    computation.deadline = SignedDuration::from_secs(2);
    let (cause, words) = fails(bench, computation).await;
    assert_eq!((cause, words.as_str()), (Cause::Deadline, "it ran for 2s"));
}

pub(crate) async fn an_image_that_is_not_there_is_told_apart(bench: &impl Bench) {
    let image = bench.image().split_once('@').unwrap().0;
    let none = format!("{image}@sha256:{}", "0".repeat(64));
    for reference in [none, format!("{image}-none:1")] {
        let mut computation = line(bench, "true");
        computation.container.image = reference.parse().unwrap();
        let outcome = outcome(bench, computation).await;
        let Verdict::Failed(failure) = &outcome.verdict else {
            panic!("{:?}", outcome.verdict)
        };
        assert_eq!(failure.cause, Cause::ImageMissing, "{failure:?}");
        let words = ["unknown", "not found"];
        assert!(
            words.iter().any(|word| failure.words.contains(word)),
            "{failure:?}"
        );
        assert_eq!(
            outcome.receipt.gone.is_empty(),
            bench.pulls_first(),
            "what was made"
        );
    }
}

pub(crate) async fn a_registry_that_is_not_there_is_told_apart(bench: &impl Bench) {
    let mut computation = line(bench, "true");
    computation.container.image = "127.0.0.1:9/none:1".parse().unwrap();
    computation.container.starts_within = SignedDuration::from_secs(40);
    let (cause, words) = fails(bench, computation).await;
    assert_eq!(cause, Cause::ImageRefused, "{words}");
    assert!(words.contains("connection refused"), "{words}");
}

pub(crate) async fn a_command_that_is_not_there_is_told_apart(bench: &impl Bench) {
    let mut computation = line(bench, "true");
    computation.container.command = vec!["/bin/kdpp".to_owned(), "--seed".to_owned()];
    let (cause, words) = fails(bench, computation).await;
    assert_eq!(cause, Cause::CommandMissing, "{words}");
    assert!(words.contains("/bin/kdpp"), "{words}");
    assert!(
        words.contains("No such file") || words.contains("no such file"),
        "{words}"
    );
}

pub(crate) async fn a_result_that_is_none_is_told_apart(bench: &impl Bench) {
    let table = [
        ("true", "there is no sample"),
        (
            "ln -s /etc/passwd /mkys/out/sample",
            "sample is a link, or its path leads through one",
        ),
        ("mkdir /mkys/out/sample", "sample is a folder, and no file"),
        ("mkfifo /mkys/out/sample", "sample is no regular file"),
    ];
    for (command, reason) in table {
        let mut computation = line(bench, command);
        computation.results = vec!["sample".parse().unwrap()];
        let (cause, words) = fails(bench, computation).await;
        assert_eq!((cause, words.as_str()), (Cause::Result, reason));
    }
}

pub(crate) async fn a_result_that_is_too_big_is_told_apart(bench: &impl Bench) {
    // a file of holes takes no room, so that nothing but the limit stops it
    let mut computation = line(bench, "truncate -s 10G /mkys/out/sample");
    computation.results = vec!["sample".parse().unwrap()];
    computation.container.resources.files_mib = 8;
    let (cause, words) = fails(bench, computation).await;
    let reason = "with sample the results have 10737418240 bytes; they may have 8388608";
    assert_eq!((cause, words.as_str()), (Cause::Result, reason));
}

pub(crate) async fn a_secret_that_is_not_there_is_told_apart(bench: &impl Bench) {
    let mut computation = line(bench, "true");
    computation.container.secrets = ["nowhere".parse().unwrap()].into();
    let (cause, words) = fails(bench, computation).await;
    assert_eq!(cause, Cause::SecretMissing, "{words}");
    assert!(words.contains("nowhere"), "{words}");
}

pub(crate) async fn files_that_do_not_fit_are_told_apart(bench: &impl Bench) {
    // the limit is for inputs and what the run writes together
    let mut computation = line(bench, "dd if=/dev/zero of=/mkys/out/zeros bs=1k count=600");
    computation.container.resources.files_mib = 1;
    computation.inputs = [("half".parse().unwrap(), Input::from(vec![0; 524_288]))].into();
    let outcome = outcome(bench, computation).await;
    let said: String = outcome.log.iter().map(|line| line.text.as_str()).collect();
    assert!(said.contains("No space left on device"), "{outcome:?}");
    assert!(
        matches!(&outcome.verdict, Verdict::Failed(failure) if failure.cause == Cause::Exit),
        "{outcome:?}"
    );
}

pub(crate) async fn whoever_cancels_it_is_told_so(bench: &impl Bench) {
    let runner = runner(bench).await;
    let run = runner
        .compute(line(bench, "while :; do sleep 1; done"))
        .await
        .unwrap();
    until_running(&run).await;
    run.end();
    let outcome = run.finish().await.unwrap();
    assert!(
        matches!(&outcome.verdict, Verdict::Failed(failure) if failure.cause == Cause::Cancelled),
        "{outcome:?}"
    );
    assert_eq!(bench.left().await, Vec::<String>::new());
}

pub(crate) async fn resources_that_no_machine_has_are_told_apart(bench: &impl Bench) {
    let mut computation = line(bench, "true");
    computation.container.starts_within = SignedDuration::from_secs(5);
    computation.container.resources.gpu = Some(
        mkys_runner::Gpu::builder()
            .resource("example.org/none")
            .build(),
    );
    let (cause, words) = fails(bench, computation).await;
    assert_eq!(cause, Cause::Unschedulable, "{words}");
    assert!(words.contains("example.org/none"), "{words}");
    let much = mkys_runner::Resources::builder;
    for resources in [
        much().memory_mib(4_000_000).build(),
        much().cpu_millis(4_000_000).build(),
    ] {
        let mut computation = line(bench, "true");
        computation.container.starts_within = SignedDuration::from_secs(5);
        computation.container.resources = resources;
        let (cause, words) = fails(bench, computation).await;
        assert_eq!(cause, Cause::Unschedulable, "{words}");
    }
}
