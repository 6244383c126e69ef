//! `mkys-run` on a container engine, as a person uses it; what is the same on any executor is in `terminal.rs`.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use mkys_acceptance::platform::built;
use serde_json::Value;

use crate::bench::{Bench, EngineBench, line, tell};

fn mkys_run(bench: &EngineBench, words: &[&str]) -> Command {
    let mut command = without_owner(bench, words);
    command.args(["--owner", &bench.owner, "--lease", "4s"]);
    command
}

fn without_owner(bench: &EngineBench, words: &[&str]) -> Command {
    let mut command = bench.mkys_run();
    command.args(words).current_dir(bench.folder.path());
    command
}

fn spec(bench: &EngineBench, line: &str, more: &str) -> String {
    let file = bench.folder.path().join("spec.json");
    let command = serde_json::json!(["/bin/sh", "-c", line]);
    let image = bench.image();
    let text = format!(
        r#"{{"name": "one", "container": {{"image": "{image}", "command": {command}}} {more}}}"#
    );
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Starts a run that goes on for good, and waits until it has said so.
fn going_on(bench: &EngineBench) -> Child {
    let file = spec(
        bench,
        "trap '' TERM; echo goes on; while :; do sleep 1; done",
        "",
    );
    let mut command = mkys_run(bench, &["run", &file]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "goes on");
    child
}

async fn gone(bench: &EngineBench) {
    for _ in 0..60 {
        if bench.left().await.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("{:?} is left", bench.left().await);
}

#[test]
fn a_computation_leaves_its_results_and_nothing_else() {
    tell(async {
        let bench = EngineBench::new().await;
        let file = spec(
            &bench,
            "echo said; cat /mkys/in/a >/mkys/out/b",
            r#", "inputs": {"a": {"text": "42"}}, "results": ["b"]"#,
        );
        let results = bench.folder.path().join("results");
        let output = mkys_run(
            &bench,
            &["run", &file, "--results", results.to_str().unwrap()],
        )
        .output()
        .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "said\n");
        assert_eq!(
            std::fs::read_to_string(results.join("one/out/b")).unwrap(),
            "42"
        );
        let audit = mkys_run(&bench, &["audit"]).output().unwrap();
        assert!(audit.status.success(), "{}", said(&audit));
    });
}

#[test]
fn an_owner_who_was_made_up_leaves_nothing() {
    tell(async {
        let bench = EngineBench::new().await;
        let file = spec(&bench, "echo said", "");
        // one that reaches out has a network
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace(r#""image":"#, r#""egress": true, "image":"#);
        std::fs::write(&file, text).unwrap();
        let directory = bench.settings().directory;
        let made_up = || {
            let all = std::fs::read_dir(&directory).unwrap();
            let names = all.map(|one| one.unwrap().file_name().into_string().unwrap());
            names.filter(|name| name.starts_with("cli-")).count()
        };
        let mut command = without_owner(&bench, &["run", &file]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(made_up(), 0);
        let label = format!("label=mkys.room-at={}", directory.display());
        let words = ["network", "ls", "--filter", &label, "--format", "{{.Name}}"];
        assert_eq!(bench.listed(&words).await, Vec::<String>::new());
    });
}

#[test]
fn an_owner_who_is_named_keeps_the_directory_and_is_one_process() {
    tell(async {
        let bench = EngineBench::new().await;
        let mut first = going_on(&bench);
        let file = spec(&bench, "echo said", "");
        let second = mkys_run(&bench, &["run", &file, "--name", "two"])
            .output()
            .unwrap();
        first.kill().unwrap();
        first.wait().unwrap();
        assert!(!second.status.success(), "two processes were one owner");
        assert!(said(&second).contains(&bench.owner), "{}", said(&second));
        gone(&bench).await;
        let directory = bench.settings().directory;
        let kept = directory.join(&bench.owner);
        assert!(kept.is_dir(), "{} is gone", kept.display());
        let lock = directory.join(format!("{}.lock", bench.owner));
        assert!(lock.is_file(), "{} is gone", lock.display());
    });
}

#[test]
fn a_failure_is_told_in_one_line_with_its_cause() {
    tell(async {
        let bench = EngineBench::new().await;
        let wrong = spec(&bench, "true", r#", "deadlin": "1m""#);
        let output = mkys_run(&bench, &["run", &wrong]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(
            said(&output).contains("unknown field `deadlin`"),
            "{}",
            said(&output)
        );
        let folder = bench.folder.path().join("one");
        assert!(!folder.exists(), "a directory was made for nothing");
        let output = mkys_run(&bench, &["run", &spec(&bench, "exit 3", "")])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said(&output).contains("failed: exit: exit code 3"),
            "{}",
            said(&output)
        );
        assert!(
            folder.join("record.json").is_file(),
            "a failure is on record"
        );
    });
}

#[test]
fn an_interrupt_ends_it_in_order() {
    tell(async {
        let bench = EngineBench::new().await;
        let child = going_on(&bench);
        let listed = mkys_run(&bench, &["list"]).output().unwrap();
        assert!(
            String::from_utf8_lossy(&listed.stdout).contains("computation"),
            "{listed:?}"
        );
        assert_eq!(
            mkys_run(&bench, &["audit"]).output().unwrap().status.code(),
            Some(1)
        );
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(
            said(&output).contains("failed: cancelled"),
            "{}",
            said(&output)
        );
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

#[test]
fn a_killed_owner_leaves_nothing() {
    tell(async {
        let bench = EngineBench::new().await;
        let mut child = going_on(&bench);
        assert_eq!(bench.left().await.len(), 1);
        child.kill().unwrap();
        child.wait().unwrap();
        gone(&bench).await;
    });
}

#[test]
fn a_run_can_be_looked_at_and_stopped_by_others() {
    tell(async {
        let bench = EngineBench::new().await;
        let child = going_on(&bench);
        let log = mkys_run(&bench, &["logs", "one"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&log.stdout), "goes on\n");
        let none = mkys_run(&bench, &["logs", "two"]).output().unwrap();
        assert!(
            said(&none).contains("no run named two is there"),
            "{}",
            said(&none)
        );
        assert!(
            mkys_run(&bench, &["cancel", "one"])
                .output()
                .unwrap()
                .status
                .success()
        );
        let output = child.wait_with_output().unwrap();
        assert!(
            said(&output).contains("failed: cancelled: somebody cancelled it"),
            "{}",
            said(&output)
        );
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

#[test]
fn an_audit_tells_a_container_that_nobody_can_read() {
    tell(async {
        let bench = EngineBench::new().await;
        let (label, name) = (format!("mkys.owner={}", bench.owner), &bench.owner);
        let make = ["create", "--label", &label, "--name", name, bench.image()];
        bench.engine.run(&make).unwrap();
        let listed = mkys_run(&bench, &["list"]).output().unwrap();
        let audit = mkys_run(&bench, &["audit", "--json"]).output().unwrap();
        bench.engine.run(&["rm", "--force", name]).unwrap();
        assert_eq!(said(&listed), "no runs are there\n");
        assert_eq!(audit.status.code(), Some(1), "{audit:?}");
        let found: Value = serde_json::from_slice(&audit.stdout).unwrap();
        assert_eq!(found[0]["name"], **name, "{found}");
        let audit = mkys_run(&bench, &["audit"]).output().unwrap();
        assert!(audit.status.success(), "{audit:?}");
    });
}

#[test]
fn a_doctor_names_what_is_not_there() {
    tell(async {
        let bench = EngineBench::new().await;
        let mut command = mkys_run(&bench, &["doctor"]);
        command.args(["--engine", "/nowhere.sock", "--init", "/nowhere"]);
        command.args(["--directory", "/proc/nowhere"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let told = String::from_utf8_lossy(&output.stdout);
        for words in [
            "no container engine answers at /nowhere.sock",
            "/nowhere is not the static mkys-init",
            "/proc/nowhere: No such file or directory",
        ] {
            let fault = told.lines().find(|line| line.contains(words));
            assert!(fault.is_some_and(|line| line.starts_with("FAIL")), "{told}");
        }
    });
}

#[test]
fn what_is_not_there_is_told_with_the_option_that_names_it() {
    tell(async {
        let bench = EngineBench::new().await;
        let file = bench.folder.path().join("one.json");
        std::fs::write(&file, serde_json::to_string(&line(&bench, "true")).unwrap()).unwrap();
        for (option, words) in [
            ("--init", "/nowhere is not the static mkys-init"),
            ("--engine", "no container engine answers at /nowhere"),
        ] {
            let mut command = mkys_run(&bench, &["run", file.to_str().unwrap()]);
            let output = command.args([option, "/nowhere"]).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{output:?}");
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(
                told.contains(words) && told.contains(&format!("with {option} or MKYS_")),
                "{told}"
            );
        }
    });
}

#[test]
fn it_prints_the_schemas_that_are_committed() {
    for kind in ["computation", "session"] {
        let mut command = Command::new(built("mkys-run").unwrap());
        let output = command.args(["schema", kind]).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let file = format!(
            "{}/../docs/runner/{kind}.schema.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let committed = std::fs::read_to_string(file).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            committed.trim()
        );
    }
}

#[test]
fn a_shell_completes_its_words() {
    let mut command = Command::new(built("mkys-run").unwrap());
    let script = command.args(["completions", "bash"]).output().unwrap();
    assert!(script.status.success(), "{}", said(&script));
    let mut script = String::from_utf8(script.stdout).unwrap();
    // as bash does when somebody has typed the first letters
    script += "\ncompleted=$(complete -p mkys-run | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n\
               COMP_WORDS=(mkys-run com); COMP_CWORD=1; $completed mkys-run com mkys-run\n\
               echo \"${COMPREPLY[@]}\"\n";
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim(),
        "completions",
        "{output:?}"
    );
}

/// A crate that others can read, by the validator of those who made the profile.
fn validate(folder: &Path) {
    let Some(validator) = std::env::var_os("MKYS_ROC_VALIDATOR") else {
        panic!("MKYS_ROC_VALIDATOR names the RO-Crate validator");
    };
    let output = Command::new(validator).arg(folder).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn a_record_can_be_validated_and_run_again() {
    tell(async {
        let bench = EngineBench::new().await;
        let line =
            "cat /mkys/in/a >/mkys/out/same; cat /proc/sys/kernel/random/uuid >/mkys/out/other";
        let file = spec(
            &bench,
            line,
            r#", "inputs": {"a": {"text": "42"}}, "results": ["same", "other"]"#,
        );
        let first = bench.folder.path().join("first");
        let output = mkys_run(
            &bench,
            &["run", &file, "--results", first.to_str().unwrap()],
        )
        .output()
        .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let folder = first.join("one");
        validate(&folder);

        let second = bench.folder.path().join("second");
        let words = [
            "replay",
            folder.to_str().unwrap(),
            "--results",
            second.to_str().unwrap(),
        ];
        let output = mkys_run(&bench, &words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let differs: Vec<_> = said(&output)
            .lines()
            .filter(|line| line.starts_with("differs"))
            .map(str::to_owned)
            .collect();
        assert_eq!(differs, ["differs: other"]);

        let failed = mkys_run(
            &bench,
            &[
                "run",
                &spec(&bench, "exit 3", ""),
                "--results",
                first.to_str().unwrap(),
            ],
        );
        let status = { failed }.output().unwrap().status;
        assert_eq!(status.code(), Some(1));
        validate(&first.join("one"));
    });
}
