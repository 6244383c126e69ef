//! The first process in a pid namespace of its own, with the test as its owner.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use mkys_init::{End, Exit, FilePath, Frame, Phase, Settings, ToOwner, ToRun};
use tempfile::TempDir;

/// Nothing here takes this long, however slow the machine.
const LIMIT: Duration = Duration::from_secs(60);

struct Run {
    root: TempDir,
    listener: UnixListener,
    process: Child,
}

/// What the owner hears on one connection.
struct Heard {
    stream: UnixStream,
    received: Vec<u8>,
}

impl Run {
    fn new(command: &[&str]) -> Self {
        Self::with(command, 30, 600)
    }

    fn with(command: &[&str], lease_s: u64, limit_s: u64) -> Self {
        Self::below(tempfile::tempdir().unwrap(), command, lease_s, limit_s)
    }

    fn below(root: TempDir, command: &[&str], lease_s: u64, limit_s: u64) -> Self {
        let listener = UnixListener::bind(root.path().join("owner.sock")).unwrap();
        let settings = Settings {
            run: "one".to_owned(),
            token: "secret".to_owned(),
            socket: root.path().join("owner.sock"),
            files: root.path().join("in"),
            results: root.path().join("out"),
            lease_s,
            limit_s,
            grace_s: 1,
        };
        let process = Command::new("unshare")
            .args([
                "--user",
                "--map-root-user",
                "--pid",
                "--fork",
                "--mount-proc",
                "--kill-child",
            ])
            .arg(env!("CARGO_BIN_EXE_mkys-init"))
            .args(command)
            .env(
                Settings::VARIABLE,
                serde_json::to_string(&settings).unwrap(),
            )
            .current_dir(root.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            root,
            listener,
            process,
        }
    }

    /// Takes its connection, and hears how it greets.
    fn greets(&self) -> (Heard, Phase) {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut heard = Heard {
            stream,
            received: Vec::new(),
        };
        match heard.message() {
            ToOwner::Hello { run, token, phase } => {
                assert_eq!((run.as_str(), token.as_str()), ("one", "secret"));
                (heard, phase)
            }
            other => panic!("no greeting but {other:?}"),
        }
    }

    fn started(&self) -> Heard {
        let (mut heard, phase) = self.greets();
        assert_eq!(phase, Phase::Waiting);
        heard.say(ToRun::Start);
        heard
    }

    fn ends(&mut self) -> ExitStatus {
        let until = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it did not end");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Waits until the command has set its traps.
    fn ready(&mut self) {
        let mut ready = [0; 6];
        self.process
            .stdout
            .as_mut()
            .unwrap()
            .read_exact(&mut ready)
            .unwrap();
    }

    fn output(&mut self) -> String {
        let mut text = String::new();
        self.process
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Heard {
    fn say(&mut self, message: ToRun) {
        self.send(&Frame::Message(message));
    }

    fn send(&mut self, frame: &Frame<ToRun>) {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).unwrap();
        self.stream.write_all(&bytes).unwrap();
    }

    fn frame(&mut self) -> Frame<ToOwner> {
        loop {
            if let Some((frame, taken)) = Frame::decode(&self.received).unwrap() {
                self.received.drain(..taken);
                return frame;
            }
            let mut buffer = [0; 4096];
            let length = self.stream.read(&mut buffer).unwrap();
            assert!(length > 0, "it hung up");
            self.received.extend_from_slice(&buffer[..length]);
        }
    }

    fn message(&mut self) -> ToOwner {
        match self.frame() {
            Frame::Message(message) => message,
            Frame::Data(bytes) => panic!("no message but {} bytes", bytes.len()),
        }
    }

    fn exit(&mut self) -> Exit {
        loop {
            if let ToOwner::Phase {
                phase: Phase::Exited { exit },
            } = self.message()
            {
                return exit;
            }
        }
    }
}

fn path(path: &str) -> FilePath {
    path.parse().unwrap()
}

/// Whether a `sleep` for so many seconds is anywhere on the machine.
fn sleeps(seconds: &str) -> bool {
    let expected = format!("sleep\0{seconds}\0");
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line == expected.as_bytes()
    })
}

#[test]
fn inputs_go_in_and_results_come_out() {
    let mut run = Run::new(&[
        "sh",
        "-c",
        "mkdir out/deep; cat in/a/b in/c > out/deep/sum; printf more > out/more",
    ]);
    let (mut heard, _) = run.greets();
    for (name, text) in [("a/b", "first "), ("c", ""), ("c", "second")] {
        let length = text.len() as u64;
        heard.say(ToRun::File {
            path: path(name),
            length,
        });
        heard.send(&Frame::Data(text.as_bytes().to_vec()));
    }
    heard.say(ToRun::Start);
    assert_eq!(
        heard.exit(),
        Exit {
            code: 0,
            end: End::Itself,
            killed: 0
        }
    );

    heard.say(ToRun::Take {
        paths: vec![path("deep/sum"), path("more")],
        limit: 100,
    });
    assert_eq!(
        heard.message(),
        ToOwner::File {
            path: path("deep/sum"),
            length: 12
        }
    );
    assert_eq!(heard.frame(), Frame::Data(b"first second".to_vec()));
    let ToOwner::FileEnd { sha256 } = heard.message() else {
        panic!("no end")
    };
    assert_eq!(
        sha256,
        "92088ec140fc553e4b1ede202edccb65a807bbf8a38d765a3ad38013c0f13688"
    );
    assert_eq!(
        heard.message(),
        ToOwner::File {
            path: path("more"),
            length: 4
        }
    );
    assert_eq!(heard.frame(), Frame::Data(b"more".to_vec()));
    assert!(matches!(heard.message(), ToOwner::FileEnd { .. }));
    assert_eq!(heard.message(), ToOwner::Taken);

    heard.say(ToRun::Take {
        paths: vec![path("deep/sum"), path("more")],
        limit: 15,
    });
    let said = std::iter::repeat_with(|| heard.frame()).find_map(|frame| match frame {
        Frame::Message(ToOwner::NotTaken { words }) => Some(words),
        _ => None,
    });
    assert_eq!(
        said.unwrap(),
        "with more the results have 16 bytes; they may have 15"
    );

    heard.say(ToRun::Release);
    assert!(run.ends().success());
}

#[test]
fn its_exit_code_is_its_commands() {
    let mut run = Run::new(&["sh", "-c", "exit 7"]);
    let mut heard = run.started();
    assert_eq!(
        heard.exit(),
        Exit {
            code: 7,
            end: End::Itself,
            killed: 0
        }
    );
    heard.say(ToRun::Release);
    assert_eq!(run.ends().code(), Some(7));
}

#[test]
fn what_a_command_leaves_running_is_gone_before_its_end_is_said() {
    let mut run = Run::new(&["sh", "-c", "setsid sleep 86391 & trap '' TERM; exit 0"]);
    let mut heard = run.started();
    heard.exit();
    assert!(!sleeps("86391"));
    heard.say(ToRun::Release);
    run.ends();
}

#[test]
fn a_command_that_ignores_signals_is_ended_all_the_same() {
    let mut run = Run::new(&[
        "sh",
        "-c",
        "trap '' TERM; echo ready; while :; do sleep 86392; done",
    ]);
    let mut heard = run.started();
    run.ready();
    heard.say(ToRun::Stop);
    assert_eq!(
        heard.exit(),
        Exit {
            code: 137,
            end: End::Owner,
            killed: 0
        }
    );
    assert!(!sleeps("86392"));
    heard.say(ToRun::Release);
    run.ends();
}

#[test]
fn a_command_that_obeys_says_how_it_ended() {
    let mut run = Run::new(&[
        "sh",
        "-c",
        "trap 'exit 5' TERM; echo ready; sleep 86393 & wait",
    ]);
    let mut heard = run.started();
    run.ready();
    heard.say(ToRun::Stop);
    assert_eq!(
        heard.exit(),
        Exit {
            code: 5,
            end: End::Owner,
            killed: 0
        }
    );
}

#[test]
fn without_an_owner_it_ends_with_its_lease() {
    let mut run = Run::with(
        &["sh", "-c", "trap '' TERM; while :; do sleep 86394; done"],
        2,
        600,
    );
    let heard = run.started();
    drop(heard);
    // the owner never takes a connection again
    run.ends();
    assert!(!sleeps("86394"));
}

#[test]
fn without_an_owner_it_ends_although_nothing_was_started_or_taken() {
    let mut waiting = Run::with(&["true"], 1, 600);
    waiting.ends();
    let mut exited = Run::with(&["true"], 2, 600);
    let mut heard = exited.started();
    heard.exit();
    exited.ends();
}

#[test]
fn an_owner_that_comes_back_finds_it_as_it_is() {
    let mut run = Run::new(&["sh", "-c", "read line < go; exit 3"]);
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        run.root.path().join("go"),
        rustix::fs::Mode::RWXU,
    )
    .unwrap();
    drop(run.started());
    let (heard, phase) = run.greets();
    assert!(matches!(phase, Phase::Running { .. }), "{phase:?}");
    drop(heard);
    std::fs::write(run.root.path().join("go"), "\n").unwrap();
    // it may greet before it has ended
    let (mut heard, phase) = run.greets();
    let expected = Exit {
        code: 3,
        end: End::Itself,
        killed: 0,
    };
    match phase {
        Phase::Exited { exit } => assert_eq!(exit, expected),
        _ => assert_eq!(heard.exit(), expected),
    }
    heard.say(ToRun::Release);
    assert_eq!(run.ends().code(), Some(3));
}

#[test]
fn it_runs_no_longer_than_it_may_whatever_the_owner_says() {
    let run = Run::with(&["sleep", "86395"], 30, 1);
    let mut heard = run.started();
    assert_eq!(
        heard.exit(),
        Exit {
            code: 143,
            end: End::Limit,
            killed: 0
        }
    );
    assert!(!sleeps("86395"));
}

#[test]
fn a_command_that_is_not_there_is_told_apart() {
    let run = Run::new(&["no-such-command"]);
    let words = "no-such-command: No such file or directory".to_owned();
    assert_eq!(
        run.started().exit(),
        Exit {
            code: 127,
            end: End::NotStarted { words },
            killed: 0
        }
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text").display().to_string();
    std::fs::write(&file, "text").unwrap();
    let run = Run::new(&[&file]);
    let exit = run.started().exit();
    assert_eq!(exit.code, 126);
    let words = format!("{file}: Permission denied");
    assert_eq!(exit.end, End::NotStarted { words });
}

#[test]
fn an_input_that_does_not_fit_is_told_apart() {
    let run = Run::new(&["true"]);
    let (mut heard, _) = run.greets();
    heard.say(ToRun::File {
        path: path("a"),
        length: 1,
    });
    heard.send(&Frame::Data(b"a".to_vec()));
    heard.say(ToRun::File {
        path: path("a/b"),
        length: 1,
    });
    let exit = heard.exit();
    assert!(
        matches!(&exit.end, End::NoInputs { words } if words.starts_with("a/b: ")),
        "{exit:?}"
    );
}

#[test]
fn the_command_does_not_see_the_token() {
    let mut run = Run::new(&["sh", "-c", "env; tr '\\0' '\\n' < /proc/self/environ"]);
    let mut heard = run.started();
    heard.exit();
    heard.say(ToRun::Release);
    run.ends();
    let output = run.output();
    assert!(output.contains("PATH="), "{output}");
    assert!(!output.contains("secret"), "{output}");
}

#[test]
fn somebody_who_stops_the_container_is_named() {
    let mut run = Run::new(&[
        "sh",
        "-c",
        "trap 'exit 0' TERM; echo ready; sleep 86396 & wait",
    ]);
    let mut heard = run.started();
    run.ready();
    let unshare = run.process.id();
    let children = format!("/proc/{unshare}/task/{unshare}/children");
    let init = std::fs::read_to_string(children).unwrap();
    let status = Command::new("kill")
        .args(["-TERM", init.trim()])
        .status()
        .unwrap();
    assert!(status.success());
    let signal = "SIGTERM".to_owned();
    assert_eq!(heard.exit().end, End::Outside { signal });
}

#[test]
fn a_script_without_its_interpreter_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let table = [
        (
            "#!/bin/nobash\necho a\n",
            "it is there, but the interpreter",
        ),
        (
            "\x7fELF of another kind",
            "Exec format error: it is made for another processor",
        ),
    ];
    for (text, reason) in table {
        let file = folder.path().join("script");
        std::fs::write(&file, text).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        let file = file.display().to_string();
        let exit = Run::new(&[&file]).started().exit();
        assert_eq!(exit.code, 126, "{exit:?}");
        let said = format!("{file}: {reason}");
        assert!(
            matches!(&exit.end, End::NotStarted { words } if words.starts_with(&said)),
            "{exit:?}"
        );
    }
}

#[test]
fn a_signal_from_within_ends_nothing() {
    let run = Run::new(&["sh", "-c", "kill -TERM 1; kill -INT 1; sleep 1; exit 4"]);
    let exit = run.started().exit();
    assert_eq!((exit.code, exit.end), (4, End::Itself));
}

#[test]
fn the_command_is_killed_first_when_memory_is_over() {
    let mut run = Run::new(&[
        "sh",
        "-c",
        "sleep 1; cat /proc/self/oom_score_adj /proc/1/oom_score_adj",
    ]);
    let mut heard = run.started();
    heard.exit();
    let output = run.output();
    let lines: Vec<_> = output.lines().collect();
    assert_eq!(lines[0], "1000");
    assert_ne!(lines[1], "1000");
}

#[test]
fn its_output_ends_before_its_end_is_said() {
    let mut run = Run::new(&["printf", "no newline"]);
    let mut heard = run.started();
    heard.exit();
    let unshare = run.process.id();
    let children = format!("/proc/{unshare}/task/{unshare}/children");
    let init = std::fs::read_to_string(children).unwrap();
    for stream in ["1", "2"] {
        let file = format!("/proc/{}/fd/{stream}", init.trim());
        let now = std::fs::read_link(file).unwrap();
        assert_eq!(now.to_str(), Some("/dev/null"));
    }
    heard.say(ToRun::Release);
    run.ends();
    assert_eq!(run.output(), "no newline");
}

#[test]
fn inputs_have_their_directory_although_there_are_none() {
    let run = Run::new(&["test", "-d", "in/in"]);
    assert_eq!(run.started().exit().code, 0);
}

#[test]
fn directories_that_can_not_be_made_are_told() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("in"), "").unwrap();
    let run = Run::below(root, &["true"], 30, 600);
    let (_heard, phase) = run.greets();
    let Phase::Exited { exit } = phase else {
        panic!("{phase:?}")
    };
    assert!(
        matches!(&exit.end, End::NoInputs { words } if words.contains("/in: ")),
        "{exit:?}"
    );
}

#[test]
fn elsewhere_than_in_a_container_it_does_nothing() {
    let output = Command::new(env!("CARGO_BIN_EXE_mkys-init"))
        .arg("true")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(125));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("does nothing elsewhere"), "{said}");
}
