//! A run's log, delivered to its end.

use std::process::Stdio;

use futures_util::StreamExt;
use mkys_runner::{LogLine, Verdict};

use crate::bench::{Bench, line, runner};

/// What a computation wrote, as one has it who follows it from its beginning.
async fn followed(bench: &impl Bench, command: &str) -> Vec<LogLine> {
    let runner = runner(bench).await;
    let run = runner.compute(line(bench, command)).await.unwrap();
    let lines = runner.logs(&run, None);
    let lines: Vec<LogLine> = lines.map(Result::unwrap).collect().await;
    let outcome = run.finish().await.unwrap();
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
    let last = &lines[lines.len().saturating_sub(100)..];
    let texts =
        |lines: &[LogLine]| -> Vec<String> { lines.iter().map(|line| line.text.clone()).collect() };
    assert_eq!(
        texts(&outcome.log),
        texts(last),
        "the outcome's last hundred"
    );
    lines
}

pub(crate) async fn one_short_line_is_delivered(bench: &impl Bench) {
    for _ in 0..5 {
        for command in ["printf word", "echo word"] {
            let lines = followed(bench, command).await;
            let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
            assert_eq!(texts, ["word"], "{command}");
        }
    }
}

pub(crate) async fn a_long_log_is_delivered_to_its_end(bench: &impl Bench) {
    let command = format!("seq 30000 | sed 's/$/ {}/'", "x".repeat(60));
    let lines = followed(bench, &command).await;
    let numbers: Vec<u32> = lines
        .iter()
        .map(|line| line.text.split(' ').next().unwrap().parse().unwrap())
        .collect();
    let whole: Vec<u32> = (1..=30_000).collect();
    let first = whole.iter().zip(&numbers).find(|(one, other)| one != other);
    assert_eq!((numbers.len(), first), (whole.len(), None));
}

/// Longer than what is kept of it, written as fast as it goes.
pub(crate) async fn lines_that_are_missing_are_told(bench: &impl Bench) {
    let runner = runner(bench).await;
    let run = runner.compute(line(bench, "seq 1200000")).await.unwrap();
    let mut lines = runner.logs(&run, None);
    let (mut count, mut is_told) = (0, false);
    while let Some(line) = lines.next().await {
        match line {
            Ok(_) => count += 1,
            // that it was longer than what is kept, or took longer to be read than a run waits
            Err(_) => is_told = true,
        }
    }
    assert!(
        count == 1_200_000 || is_told,
        "{count} lines, and nothing is told"
    );
    run.finish().await.unwrap();
}

pub(crate) async fn what_it_says_last_is_delivered(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spec.json");
    let command = "trap 'echo bye; exit 0' TERM; echo on; while :; do sleep 1; done";
    let spec = serde_json::to_string(&line(bench, command)).unwrap();
    std::fs::write(&file, spec).unwrap();
    let mut child = bench
        .mkys_run()
        .args(["run", file.to_str().unwrap(), "--owner", bench.owner()])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let told = tokio::task::spawn_blocking(move || {
        use std::io::{BufRead, BufReader, Read};
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut told = String::new();
        lines.read_line(&mut told).unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        lines.read_to_string(&mut told).unwrap();
        (told, child.wait_with_output().unwrap())
    });
    let (told, output) = told.await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(told, "on\nbye\n", "{said}");
    assert!(said.contains("failed: cancelled"), "{said}");
}
