//! Whose runs they are: one of a name, taken over by the next process, gone without one.

use std::time::Duration;

use mkys_runner::{Attempts, Cause, Computation, Runner, StartError, Verdict};

use crate::bench::{Bench, line, runner, until_running};

pub(crate) async fn a_name_is_had_once(bench: &impl Bench) {
    let runner = runner(bench).await;
    let computation = line(bench, "while ! test -e /mkys/in/never; do sleep 1; done");
    let run = runner.compute(computation.clone()).await.unwrap();
    until_running(&run).await;
    let same = runner.compute(computation.clone()).await.unwrap();
    assert_eq!(same.plan(), run.plan());
    assert_eq!(bench.left().await.len(), 1);
    let mut other = computation;
    other.container.command.push("other".to_owned());
    let error = runner.compute(other).await.unwrap_err();
    assert!(
        matches!(&error, StartError::Other(name) if name.as_str() == "one"),
        "{error}"
    );
    run.end();
    same.finish().await.unwrap();
    assert_eq!(bench.left().await, Vec::<String>::new());
}

pub(crate) async fn the_same_at_once_is_one_run(bench: &impl Bench) {
    let runner = runner(bench).await;
    let computation = |name: &str, more: &str| -> Computation {
        let words = format!("while ! test -e /mkys/in/never; do sleep 1; done {more}");
        let mut computation = line(bench, &words);
        computation.name = name.parse().unwrap();
        computation
    };
    let first = runner.compute_once(computation("a", "")).await.unwrap();
    let same = runner.compute_once(computation("b", "")).await.unwrap();
    assert_eq!(same.name().as_str(), "a");
    let other = runner.compute_once(computation("c", "#")).await.unwrap();
    assert_eq!(other.name().as_str(), "c");
    for run in [&first, &other] {
        run.end();
        run.finish().await.unwrap();
    }
    // what is over is not under way
    let again = runner.compute_once(computation("d", "")).await.unwrap();
    assert_eq!(again.name().as_str(), "d");
    again.end();
    again.finish().await.unwrap();
    assert_eq!(bench.left().await, Vec::<String>::new());
}

pub(crate) async fn what_somebody_took_away_is_tried_again(bench: &impl Bench) {
    let runner = runner(bench).await;
    let computation = line(bench, "sleep 4");
    let attempts = Attempts::default();
    let attempt = runner.attempt(&computation, &attempts);
    let taken = async {
        let run = loop {
            match runner.run(&computation.name) {
                Some(run) => break run,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
        until_running(&run).await;
        bench.take_away("one").await;
    };
    let (outcomes, ()) = tokio::join!(attempt, taken);
    let verdicts: Vec<_> = outcomes
        .unwrap()
        .iter()
        .map(|one| one.verdict.clone())
        .collect();
    // an engine that is asked in the moment in which it starts a container kills it without a word
    let is_taken = |verdict: &Verdict| match verdict {
        Verdict::Failed(failure) => failure.cause == Cause::Evicted,
        Verdict::Lost { .. } => true,
        Verdict::Succeeded => false,
    };
    assert!(
        matches!(&verdicts[..], [taken, Verdict::Succeeded] if is_taken(taken)),
        "{verdicts:?}"
    );
    assert_eq!(bench.left().await, Vec::<String>::new());
}

pub(crate) async fn a_new_owner_goes_on_where_the_one_before_stopped(bench: &impl Bench) {
    let mut computation = line(bench, "echo begun; sleep 4; printf done >/mkys/out/result");
    computation.results = vec!["result".parse().unwrap()];
    let first = runner(bench).await;
    let run = first.compute(computation.clone()).await.unwrap();
    until_running(&run).await;
    drop(run);
    first.close().await;

    let second: Runner<_> = runner(bench).await;
    let runs = second.runs();
    assert_eq!(runs.len(), 1, "it was not taken over");
    let run = second.compute(computation).await.unwrap();
    let outcome = run.finish().await.unwrap();
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
    assert_eq!(outcome.results[0].length, 4);
    let begun = outcome
        .log
        .iter()
        .filter(|line| line.text == "begun")
        .count();
    assert_eq!(begun, 1, "it was started once");
    assert_eq!(bench.left().await, Vec::<String>::new());
}

pub(crate) async fn without_an_owner_nothing_is_left(bench: &impl Bench) {
    let runner = runner(bench).await;
    let run = runner
        .compute(line(bench, "trap '' TERM; while :; do sleep 1; done"))
        .await
        .unwrap();
    until_running(&run).await;
    assert_eq!(bench.left().await.len(), 1);
    drop(run);
    runner.close().await;
    // its lease, and the grace period of a command that ignores signals
    for _ in 0..60 {
        if bench.left().await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("it outlives its lease of {:?}", bench.lease());
}

pub(crate) async fn runs_of_others_are_left_alone(bench: &impl Bench) {
    const ENDLESS: &str = "trap 'exit 0' TERM; while :; do sleep 1; done";
    let other = bench.other();
    let others = runner(&other).await;
    let theirs = others.compute(line(&other, ENDLESS)).await.unwrap();
    until_running(&theirs).await;
    let (running, there) = (theirs.state(), others.audit().await.unwrap());

    let first = runner(bench).await;
    assert_eq!(first.runs().len(), 0, "it took over a run of another");
    assert_eq!(first.audit().await.unwrap(), []);
    // what they named a run is no matter
    let own = first.compute(line(bench, ENDLESS)).await.unwrap();
    until_running(&own).await;
    let audited = first.audit().await.unwrap();
    assert!(!audited.is_empty());
    assert!(
        !audited.iter().any(|one| there.contains(one)),
        "{audited:?}"
    );
    drop(own);
    first.close().await;

    let second = runner(bench).await;
    // it lives for longer than its lease, since somebody renews it
    tokio::time::sleep(bench.lease() + Duration::from_secs(6)).await;
    let runs = second.runs();
    assert_eq!(runs.len(), 1);
    assert!(runs[0].state().verdict().is_none());
    runs[0].end();
    runs[0].finish().await.unwrap();
    assert_eq!(bench.left().await, Vec::<String>::new());
    second.close().await;

    assert_eq!(others.audit().await.unwrap(), there);
    assert_eq!(theirs.state(), running);
    theirs.end();
    theirs.finish().await.unwrap();
    assert_eq!(other.left().await, Vec::<String>::new());
}
