//! `mkys-run` on any executor: what a person sees and does who is not the owner of a run.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::Bench;

fn mkys_run(bench: &impl Bench, folder: &TempDir, words: &[&str]) -> Command {
    let mut command = bench.mkys_run();
    command
        .args(words)
        .args(["--owner", bench.owner()])
        .args(["--lease", &format!("{}s", bench.lease().as_secs())])
        .current_dir(folder.path());
    command
}

fn ask(bench: &impl Bench, folder: &TempDir, words: &[&str]) -> Output {
    mkys_run(bench, folder, words).output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn read(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A computation named `one` that is a line of shell, in a file.
fn spec(bench: &impl Bench, folder: &Path, line: &str, inputs: Value, results: Value) -> String {
    let file = folder.join("spec.json");
    let spec = json!({
        "name": "one",
        "container": {
            "image": bench.image(), "command": ["/bin/sh", "-c", line],
            "resources": { "cpu_millis": 200, "memory_mib": 256 },
        },
        "inputs": inputs, "results": results,
    });
    std::fs::write(&file, spec.to_string()).unwrap();
    file.display().to_string()
}

pub(crate) async fn others_list_it_read_its_log_and_stop_it(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    let line = "trap 'exit 0' TERM; echo goes on; while :; do sleep 1; done";
    let file = spec(bench, folder.path(), line, json!({}), json!([]));
    let mut child = mkys_run(bench, &folder, &["run", &file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "goes on");
    let ask = |words: &[&str]| ask(bench, &folder, words);

    let listed = printed(&ask(&["list"]));
    let row = listed.lines().nth(1).unwrap_or_default();
    for word in ["one", bench.owner(), "computation", bench.image()] {
        assert!(row.contains(word), "{listed}");
    }
    let listed = read(&ask(&["list", "--json"]));
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["owner"], *bench.owner());
    assert_eq!(listed[0]["plan"]["name"], "one");

    assert_eq!(printed(&ask(&["logs", "one"])), "goes on\n");
    let none = said(&ask(&["logs", "two"]));
    assert!(none.contains("no run named two is there"), "{none}");

    let audited = ask(&["audit", "--json"]);
    assert_eq!(audited.status.code(), Some(1), "{audited:?}");
    let (audited, table) = (read(&audited), printed(&ask(&["audit"])));
    assert!(!audited.as_array().unwrap().is_empty());
    for trace in audited.as_array().unwrap() {
        assert_eq!(trace["owner"], *bench.owner(), "{audited}");
        assert!(table.contains(trace["name"].as_str().unwrap()), "{table}");
    }

    let stopped = ask(&["cancel", "one"]);
    assert!(stopped.status.success(), "{}", said(&stopped));
    let output = child.wait_with_output().unwrap();
    assert!(
        said(&output).contains("failed: cancelled: somebody cancelled it"),
        "{}",
        said(&output)
    );
    let audited = ask(&["audit"]);
    assert!(audited.status.success(), "{}", printed(&audited));
    assert_eq!(said(&audited), "nothing of any run is there\n");
    assert_eq!(read(&ask(&["audit", "--json"])), json!([]));
    assert_eq!(said(&ask(&["list"])), "no runs are there\n");
}

pub(crate) async fn a_closed_terminal_loses_no_result(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    let line = "echo on; sleep 4; echo 42 >/mkys/out/r";
    let file = spec(bench, folder.path(), line, json!({}), json!(["r"]));
    let mut child = mkys_run(bench, &folder, &["run", &file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "on");
    signal(&child, Signal::HUP);
    // nobody reads what it says any more either
    drop(lines);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let kept = std::fs::read_to_string(folder.path().join("one/out/r"));
    assert_eq!(kept.unwrap(), "42\n");
}

pub(crate) async fn a_start_that_is_refused_again_and_again_can_be_ended(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    // a registry that speaks in tongues
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = std::io::Write::write_all(&mut stream, b"what?\n");
        }
    });
    let file = folder.path().join("spec.json");
    let mut computation = crate::bench::line(bench, "true");
    computation.container.image = format!("{registry}/none:1").parse().unwrap();
    std::fs::write(&file, serde_json::to_string(&computation).unwrap()).unwrap();
    let words = ["run", file.to_str().unwrap(), "--json"];
    let mut child = mkys_run(bench, &folder, &words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = |event: &Value| {
        let words = event["state"]["words"].as_str().unwrap_or_default();
        words.contains(&registry.to_string()) && !words.ends_with("is made ready")
    };
    let reason = lines
        .by_ref()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap());
    assert!(
        reason.take(50).any(|event| told(&event)),
        "nothing tells why it waits"
    );
    let asked = std::time::Instant::now();
    signal(&child, Signal::INT);
    let last = lines.map(Result::unwrap).last().unwrap();
    let outcome: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(
        outcome["outcome"]["verdict"]["cause"], "cancelled",
        "{outcome}"
    );
    assert!(
        asked.elapsed() < std::time::Duration::from_secs(30),
        "{:?}",
        asked.elapsed()
    );
    child.wait().unwrap();
    assert_eq!(bench.left().await, Vec::<String>::new());
}

/// A registry that takes connections and never answers.
fn silent_registry() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    registry
}

pub(crate) async fn a_run_is_cancelled_while_its_image_is_pulled(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spec.json");
    let mut computation = crate::bench::line(bench, "true");
    let image = format!("{}/none:1", silent_registry());
    computation.container.image = image.parse().unwrap();
    std::fs::write(&file, serde_json::to_string(&computation).unwrap()).unwrap();
    for by_others in [true, false] {
        let words = ["run", file.to_str().unwrap(), "--json"];
        let mut child = mkys_run(bench, &folder, &words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let listed = || read(&ask(bench, &folder, &["list", "--json"]));
        let until = Instant::now() + Duration::from_secs(20);
        while listed().as_array().unwrap().is_empty() {
            assert!(Instant::now() < until, "nobody sees it");
        }
        let asked = Instant::now();
        if by_others {
            let cancelled = ask(bench, &folder, &["cancel", "one"]);
            assert!(cancelled.status.success(), "{}", said(&cancelled));
        } else {
            signal(&child, Signal::INT);
        }
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let last = lines.map(Result::unwrap).last().unwrap();
        let outcome: Value = serde_json::from_str(&last).unwrap();
        let verdict = &outcome["outcome"]["verdict"];
        assert_eq!(verdict["cause"], "cancelled", "{outcome}");
        let who = if by_others { "somebody" } else { "the caller" };
        let words = verdict["words"].as_str().unwrap();
        assert!(words.starts_with(who), "{outcome}");
        let took = asked.elapsed();
        assert!(took < Duration::from_secs(20), "{took:?}");
        child.wait().unwrap();
        assert_eq!(bench.left().await, Vec::<String>::new());
        assert_eq!(listed(), json!([]));
    }
}

fn signal(child: &std::process::Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

pub(crate) async fn what_was_recorded_is_run_again(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    let (inputs, results) = (json!({ "a": { "text": "42" } }), json!(["b"]));
    let line = "cat /mkys/in/a >/mkys/out/b";
    let file = spec(bench, folder.path(), line, inputs, results);
    let ask = |words: &[&str]| ask(bench, &folder, words);
    let first = ask(&["run", &file, "--results", "first"]);
    assert!(first.status.success(), "{}", said(&first));
    let second = ask(&["replay", "first/one", "--results", "second"]);
    assert!(second.status.success(), "{}", said(&second));
    assert!(
        said(&second).ends_with("the same as recorded\n"),
        "{}",
        said(&second)
    );
    let again = std::fs::read_to_string(folder.path().join("second/one/out/b"));
    assert_eq!(again.unwrap(), "42");
}

pub(crate) async fn a_session_without_an_edge_is_not_called_idle(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    let mut session = crate::session::page(bench, "one", "true");
    session.idle = SignedDuration::from_secs(2);
    session.limit = SignedDuration::from_secs(8);
    let file = folder.path().join("session.json");
    std::fs::write(&file, serde_json::to_string(&session).unwrap()).unwrap();
    let output = ask(bench, &folder, &["session", file.to_str().unwrap()]);
    assert!(printed(&output).starts_with("http://"), "{output:?}");
    let said = said(&output);
    assert!(said.contains("without an edge nobody can tell"), "{said}");
    assert!(said.contains("failed: deadline"), "{said}");
}

pub(crate) async fn a_doctor_finds_nothing_wrong(bench: &impl Bench) {
    let folder = tempfile::tempdir().unwrap();
    let output = ask(bench, &folder, &["doctor"]);
    assert!(output.status.success(), "{}", printed(&output));
    let told = printed(&output);
    assert!(!told.is_empty());
    assert!(told.lines().all(|line| line.starts_with("ok ")), "{told}");
}
