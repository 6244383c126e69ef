//! What happens to commands, and what is said of it: one table for every executor. A happening has the same verdict, the same cause and the
//! same words on each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use mkys_acceptance::place::Place;
use mkys_runner::{Cause, Computation, Input, Outcome, StartError, Verdict};

use crate::bench::{Bench, engine, line, outcome, runner, shell, until_running};

const KILLED_IT: &str = "the kernel killed it: it took more memory than resources.memory_mib";
const KILLED_A_PROCESS: &str =
    "the kernel killed a process of it: it took more memory than resources.memory_mib";

/// How a happening ends: its verdict, and what is remarked.
#[derive(Debug, PartialEq, Eq)]
enum Ends<'a> {
    Well(&'a [&'a str]),
    Badly(Cause, String),
}

fn ends(outcome: &Outcome) -> (Result<Vec<String>, (Cause, String)>, String) {
    let log: Vec<_> = outcome.log.iter().map(|line| line.text.as_str()).collect();
    let ended = match &outcome.verdict {
        Verdict::Succeeded => Ok(outcome.record.remarks.clone()),
        Verdict::Failed(failure) => Err((failure.cause, failure.words.clone())),
        Verdict::Lost { words } => panic!("lost: {words}; {log:?}"),
    };
    (ended, log.join("\n"))
}

async fn happens(bench: &impl Bench, computation: Computation, expected: Ends<'_>) -> String {
    let told = format!("{:?}", computation.container.command);
    let (ended, log) = ends(&outcome(bench, computation).await);
    let expected = match expected {
        Ends::Well(remarks) => Ok(remarks.iter().map(|one| (*one).to_owned()).collect()),
        Ends::Badly(cause, words) => Err((cause, words)),
    };
    assert_eq!(ended, expected, "{told}: {log}");
    log
}

/// An image with the shell's files and some more, made anew only if it changed.
async fn image(name: &'static str, files: &[(&str, &[u8])], changes: &'static [&str]) -> String {
    let tree = Place::from_environment()
        .state()
        .join(format!("tree-{name}"));
    let files: BTreeMap<PathBuf, Vec<u8>> = files
        .iter()
        .map(|(path, bytes)| (tree.join(path), bytes.to_vec()))
        .collect();
    let made = tokio::task::spawn_blocking(move || {
        let (engine, _) = engine();
        copy(&shell(), &tree);
        for (path, bytes) in files {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let _ = std::fs::remove_file(&path);
            std::fs::write(&path, bytes).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&path, mode).unwrap();
        }
        engine.image(name, &tree, changes).unwrap()
    });
    made.await.unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    let copied = std::process::Command::new("cp")
        .args(["--archive", "--update"])
        .arg(from.join("."))
        .arg(to)
        .status();
    assert!(copied.unwrap().success());
}

fn small(bench: &impl Bench, command: &str, memory_mib: u32) -> Computation {
    let mut computation = line(bench, command);
    computation.container.resources.memory_mib = memory_mib;
    computation.container.resources.files_mib = 300;
    computation
}

pub(crate) async fn memory_that_is_exceeded_is_told_alike(bench: &impl Bench) {
    let out_of_memory = || Ends::Badly(Cause::OutOfMemory, KILLED_IT.to_owned());
    for command in [
        "tail /dev/zero",
        "exec dd if=/dev/zero of=/tmp/x bs=64k count=2000",
        "exec dd if=/dev/zero of=/mkys/out/x bs=64k count=2000",
        "exec dd if=/dev/zero of=/dev/shm/x bs=64k count=2000",
        "for _ in $(seq 50); do sleep 60 & done; exec dd if=/dev/zero of=/tmp/x bs=64k count=2000",
        // as a shell tells of what it waited for
        "tail /dev/zero; exit $?",
    ] {
        happens(bench, small(bench, command, 32), out_of_memory()).await;
    }
}

pub(crate) async fn a_command_goes_on_without_a_process_that_was_killed(bench: &impl Bench) {
    let killed = "tail /dev/zero; echo on >/mkys/out/r;";
    let well = small(bench, &format!("{killed} exit 0"), 32);
    happens(bench, well, Ends::Well(&[KILLED_A_PROCESS])).await;
    let badly = small(bench, &format!("{killed} exit 3"), 32);
    let words = format!("exit code 3: {KILLED_A_PROCESS}");
    happens(bench, badly, Ends::Badly(Cause::Exit, words)).await;
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
    let table = [
        ("kill -SEGV $$", 139, "SIGSEGV"),
        ("kill -ABRT $$", 134, "SIGABRT"),
        ("sleep 9 & kill -KILL $!; wait $!", 137, "SIGKILL"),
    ];
    for (command, code, signal) in table {
        // what is a container's first process can't end by a signal of its own
        let command = format!("sh -c '{command}'; exit $?");
        let words = format!("exit code {code}: {signal}");
        let ends = Ends::Badly(Cause::Exit, words);
        happens(bench, line(bench, &command), ends).await;
    }
}

pub(crate) async fn commands_that_can_not_be_started_are_told_alike(bench: &impl Bench) {
    // an ELF file of 64-bit ARM: the kernel looks no further than its head
    let mut arm = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xb7\0\x01\0\0\0".to_vec();
    arm.resize(4096, 0);
    let files: [(&str, &[u8]); 3] = [
        ("opt/arm", &arm),
        ("opt/script", b"#!/bin/nobash\necho a\n"),
        ("opt/plain", b"no script\n"),
    ];
    let image = image("odd", &files, &[]).await;
    let table = [
        ("/opt/none", "No such file or directory"),
        (
            "/opt/arm",
            "Exec format error: it is made for another processor than the machine's, or is a script without a first line such as #!/bin/sh",
        ),
        (
            "/opt/plain",
            "Exec format error: it is made for another processor than the machine's, or is a script without a first line such as #!/bin/sh",
        ),
        (
            "/opt/script",
            "it is there, but the interpreter of its first line, or its loader, is not",
        ),
        ("/etc", "Permission denied"),
    ];
    for (program, reason) in table {
        let mut computation = line(bench, "true");
        computation.container.image = image.parse().unwrap();
        computation.container.command = vec![program.to_owned()];
        let words = format!("{program}: {reason}");
        let ends = Ends::Badly(Cause::CommandMissing, words);
        happens(bench, computation, ends).await;
    }
    let mut none = line(bench, "true");
    none.container.image = image.parse().unwrap();
    none.container.command = Vec::new();
    let words = "the image has no command, and none was given".to_owned();
    happens(bench, none, Ends::Badly(Cause::CommandMissing, words)).await;
}

pub(crate) async fn whoever_stops_it_gives_it_its_grace(bench: &impl Bench) {
    let odd = image("winch", &[], &["STOPSIGNAL SIGWINCH"]).await;
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
    let files: [(&str, &[u8]); 3] = [
        ("data/kept", b"kept\n"),
        ("tmp/of-the-image", b""),
        ("mkys/out/of-the-image", b""),
    ];
    let changes = &[
        "VOLUME /data",
        "VOLUME /tmp",
        "VOLUME /mkys/out",
        "ENV HOME=/root",
        "WORKDIR /mkys/out",
    ];
    let image = image("volumes", &files, changes).await;
    let mut computation = line(
        bench,
        "cat /data/kept; echo $HOME; ls /tmp /mkys/out; test -d /mkys/in && echo in; touch here && echo out; \
         for at in / /data /run /var/tmp /var /etc /mkys; do touch $at/x 2>/dev/null && echo $at can be written; done; \
         dd if=/dev/zero of=/dev/shm/x bs=1M count=100 2>/dev/null && echo shm; \
         dd if=/dev/zero of=/tmp/x bs=1M count=9 2>&1 | grep -o 'No space left on device'",
    );
    computation.container.image = image.parse().unwrap();
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
