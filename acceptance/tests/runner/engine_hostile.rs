//! A container engine whose runs, administrators and paths are not as they should be.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use mkys_acceptance::platform::engine::ContainerEngine;
use mkys_runner::engine::{Engine, EngineError, EngineSettings};
use mkys_runner::{Cause, Plan, Runner, Verdict};
use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, EngineBench, cause, fails, line, outcome, runner, tell, until_running};

#[test]
fn a_run_reaches_nothing_of_its_owner_but_the_socket() {
    tell(async {
        let bench = EngineBench::new().await;
        let outcome = outcome(&bench, line(
            &bench,
            "ls /.mkys/owner; test -S /.mkys/owner/owner.sock && echo socket; test -e /.mkys/owner/lock || echo no lock",
        )).await;
        let there: Vec<_> = outcome.log.iter().map(|line| line.text.as_str()).collect();
        assert!(there[0].contains("Permission denied"), "{there:?}");
        assert_eq!(there[1..], ["socket", "no lock"]);
    });
}

#[test]
fn a_session_without_egress_reaches_nothing_of_the_machine() {
    tell(async {
        let bench = EngineBench::new().await;
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // the machine's address in its network is the first
        let tries = format!(
            "own=$(ip -4 -o addr show dev eth0 | awk '{{split($4, a, \"/\"); print a[1]}}'); \
             gate=${{own%.*}}.$(( ${{own##*.}} - ${{own##*.}} % 8 + 1 )); \
             timeout 2 nc $gate {port} </dev/null && echo reached; timeout 2 nc {} {port} </dev/null && echo reached; \
             ip -6 addr | grep -c inet6; echo tried",
            bench.host()
        );
        let mut session = crate::session::page(&bench, "one", &tries);
        session.answers_within = SignedDuration::from_secs(60);
        let runner = runner(&bench).await;
        let run = runner.play(session).unwrap();
        let url = run.answers().await.unwrap();
        assert!(url.starts_with("http://10.89."), "{url}");
        run.end();
        let outcome = run.finish().await.unwrap();
        let said: Vec<_> = outcome.log.iter().map(|line| line.text.as_str()).collect();
        assert!(said.ends_with(&["0", "tried"]), "{outcome:?}");
        assert!(!said.contains(&"reached"), "{outcome:?}");
    });
}

#[test]
fn paths_may_be_relative_and_have_colons() {
    tell(async {
        let bench = EngineBench::new().await;
        let file = bench.folder.path().join("one.json");
        std::fs::write(
            &file,
            serde_json::to_string(&line(&bench, "echo on")).unwrap(),
        )
        .unwrap();
        let init = bench.folder.path().join("mkys-init");
        std::fs::copy(bench.settings().init, init).unwrap();
        for directory in ["owners", "./a:b"] {
            let mut command = bench.mkys_run();
            let output = command
                .args([
                    "run",
                    "one.json",
                    "--init",
                    "./mkys-init",
                    "--directory",
                    directory,
                ])
                .current_dir(bench.folder.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
        }
    });
}

#[test]
fn a_refusal_in_unknown_words_is_told_and_ends() {
    tell(async {
        let bench = EngineBench::new().await;
        // a comma is what the engine's own syntax of mounts can't have
        let settings = EngineSettings {
            directory: bench.folder.path().join("a,b"),
            ..bench.settings()
        };
        let engine = Engine::connect(settings).await.unwrap();
        let runner = Runner::start(engine).await.unwrap();
        let asked = Instant::now();
        let run = runner.compute(line(&bench, "true")).await.unwrap();
        let outcome = run.finish().await.unwrap();
        assert_eq!(cause(&outcome), Some(Cause::Executor), "{outcome:?}");
        assert!(
            asked.elapsed() < Duration::from_secs(60),
            "it waits for starts_within"
        );
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

#[test]
fn an_image_that_is_not_had_in_time_tells_why() {
    tell(async {
        let bench = EngineBench::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = listener.local_addr().unwrap();
        // TLS is spoken there by nobody
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = std::io::Write::write_all(&mut stream, b"what?\n");
            }
        });
        let mut computation = line(&bench, "true");
        computation.container.image = format!("{registry}/none:1").parse().unwrap();
        computation.container.starts_within = SignedDuration::from_secs(5);
        let asked = Instant::now();
        let (cause, words) = fails(&bench, computation).await;
        assert_eq!(cause, Cause::Executor, "{words}");
        assert!(words.starts_with("it did not start within 5s: "), "{words}");
        assert!(words.contains(&format!("https://{registry}")), "{words}");
        assert!(
            asked.elapsed() < Duration::from_secs(40),
            "{:?}",
            asked.elapsed()
        );
    });
}

#[test]
fn a_container_that_nobody_lived_to_start_is_removed() {
    tell(async {
        let bench = EngineBench::new().await;
        let gone = format!("{}-gone", bench.owner);
        let computation = line(&bench, "true");
        let plan = Plan::computation(computation, Timestamp::now()).await;
        let plan = serde_json::to_string(&plan.unwrap()).unwrap();
        let at = bench.settings().directory.display().to_string();
        let create = async |name: &str| {
            let labels = [
                format!("mkys.owner={gone}"),
                format!("mkys.plan={plan}"),
                format!("mkys.token-sha256={}", "0".repeat(64)),
                format!("mkys.at={at}"),
                "mkys.lease-s=1".to_owned(),
            ];
            let name = format!("mkys.{gone}.{name}");
            let mut words = vec!["create", "--name", &name];
            words.extend(labels.iter().flat_map(|label| ["--label", label]));
            words.extend([bench.image(), "true"]);
            bench.listed(&words).await;
        };
        create("one").await;
        let mkys_run = |words: &[&str]| {
            let mut command = bench.mkys_run();
            command
                .args(words)
                .args(["--owner", &gone])
                .output()
                .unwrap()
        };
        let listed = mkys_run(&["list"]);
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.to_lowercase().contains("created"), "{listed}");
        let cancelled = mkys_run(&["cancel", "one"]);
        assert!(cancelled.status.success(), "{cancelled:?}");
        assert!(mkys_run(&["audit"]).status.success(), "it is still there");

        create("two").await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        // whoever starts next takes it away
        let _engine = bench.executor().await;
        while !mkys_run(&["audit"]).status.success() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
}

#[test]
fn owners_that_were_made_up_leave_no_directory() {
    tell(async {
        let bench = EngineBench::new().await;
        let directory = bench.settings().directory;
        let file = bench.folder.path().join("one.json");
        let going = line(&bench, "sleep 60");
        std::fs::write(&file, serde_json::to_string(&going).unwrap()).unwrap();
        let mut child = bench
            .mkys_run()
            .args(["run", "one.json", "--lease", "2s"])
            .current_dir(bench.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let made_up = || {
            let entries = std::fs::read_dir(&directory)
                .into_iter()
                .flatten()
                .flatten();
            let names = entries.map(|entry| entry.file_name().into_string().unwrap());
            names.filter(|name| name.starts_with("cli-")).count()
        };
        while made_up() == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let _engine = bench.executor().await;
        while made_up() > 0 {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
}

#[test]
fn any_static_program_is_no_first_process() {
    tell(async {
        let bench = EngineBench::new().await;
        let init = bench.folder.path().join("init");
        std::fs::copy("/bin/busybox", &init).unwrap();
        std::fs::set_permissions(&init, PermissionsExt::from_mode(0o755)).unwrap();
        let settings = EngineSettings {
            init,
            ..bench.settings()
        };
        let error = Engine::connect(settings).await.unwrap_err();
        assert!(matches!(error, EngineError::Init { .. }), "{error}");
    });
}

#[test]
fn the_digest_on_record_is_one_that_the_registry_has() {
    tell(async {
        let bench = EngineBench::new().await;
        let (engine, image): (ContainerEngine, String) =
            (bench.engine.clone(), bench.image().into());
        let tag = format!("{}/{}:1", engine.registry(), bench.owner);
        let pushed = tag.clone();
        let made = tokio::task::spawn_blocking(move || {
            engine.run(&["pull", "--quiet", &image]).unwrap();
            let made = engine.run(&["create", &image, "true"]).unwrap();
            // made here: the registry gives it another digest than the engine
            engine
                .run(&["commit", "--quiet", made.trim(), &pushed])
                .unwrap();
            engine.run(&["rm", made.trim()]).unwrap();
            engine.run(&["push", "--quiet", &pushed]).unwrap();
        });
        made.await.unwrap();
        let mut computation = line(&bench, "true");
        computation.container.image = tag.parse().unwrap();
        let made_here = outcome(&bench, computation.clone())
            .await
            .record
            .ran
            .unwrap();
        bench.listed(&["rmi", "--force", &tag]).await;
        let pulled = outcome(&bench, computation.clone())
            .await
            .record
            .ran
            .unwrap();
        assert!(pulled.image_digest.is_some(), "{pulled:?}");
        for digest in [made_here.image_digest, pulled.image_digest]
            .into_iter()
            .flatten()
        {
            let repository = computation.container.image.repository();
            let reference = format!("{repository}@{digest}");
            bench.listed(&["rmi", "--force", &pulled.image_id]).await;
            let mut again = computation.clone();
            again.container.image = reference.parse().unwrap();
            let again = outcome(&bench, again).await;
            assert_eq!(again.verdict, Verdict::Succeeded, "{digest}: {again:?}");
        }
        // what is asked for by its digest is on record by it, whatever else the engine knows of the image
        let asked = outcome(&bench, line(&bench, "true"))
            .await
            .record
            .ran
            .unwrap();
        let expected = bench.image().split_once('@').unwrap().1;
        assert_eq!(asked.image_digest.as_deref(), Some(expected));
    });
}

#[test]
fn output_that_nobody_reads_holds_up_no_interrupt() {
    tell(async {
        let bench = EngineBench::new().await;
        let file = bench.folder.path().join("one.json");
        let chatty = line(&bench, "trap 'exit 0' TERM; while :; do seq 1000; done");
        std::fs::write(&file, serde_json::to_string(&chatty).unwrap()).unwrap();
        let mut child = bench
            .mkys_run()
            .args(["run", "one.json", "--owner", &bench.owner])
            .current_dir(bench.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while bench.left().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // until the pipe is full
        tokio::time::sleep(Duration::from_secs(3)).await;
        let interrupt = || kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        interrupt();
        while !bench.left().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        interrupt();
        let ended = tokio::task::spawn_blocking(move || child.wait().unwrap());
        assert!(!ended.await.unwrap().success());
    });
}

#[test]
fn an_owner_that_was_held_up_learns_how_its_run_ended() {
    tell(async {
        let bench = EngineBench::new().await;
        let file = bench.folder.path().join("one.json");
        let ends = line(&bench, "echo on; sleep 3; exit 3");
        std::fs::write(&file, serde_json::to_string(&ends).unwrap()).unwrap();
        let child = bench
            .mkys_run()
            .args(["run", "one.json", "--owner", &bench.owner, "--lease", "6s"])
            .current_dir(bench.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let running = async || {
            let label = format!("label=mkys.owner={}", bench.owner);
            let words = ["ps", "--filter", &label, "--format", "{{.Names}}"];
            !bench.listed(&words).await.is_empty()
        };
        while !running().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let signal = |signal| kill_process(Pid::from_child(&child), signal).unwrap();
        signal(Signal::STOP);
        // beyond its command's end and its lease
        while running().await {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        signal(Signal::CONT);
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        let output = output.await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("failed: exit: exit code 3"), "{said}");
    });
}

#[test]
fn strangers_at_its_socket_keep_no_run_from_its_owner() {
    tell(async {
        let bench = EngineBench::new().await;
        let runner = runner(&bench).await;
        let socket = bench
            .settings()
            .directory
            .join(&bench.owner)
            .join("owner.sock");
        // as the processes of a run could
        let strangers: Vec<_> = (0..300)
            .map(|_| std::os::unix::net::UnixStream::connect(&socket).unwrap())
            .collect();
        let asked = Instant::now();
        let run = runner.compute(line(&bench, "sleep 1")).await.unwrap();
        until_running(&run).await;
        assert!(
            asked.elapsed() < Duration::from_secs(8),
            "{:?}",
            asked.elapsed()
        );
        let open = std::fs::read_dir("/proc/self/fd").unwrap().count();
        // the other ends of those are this process's as well
        assert!(open < 300 + 200, "{open} files are open");
        drop(strangers);
        assert_eq!(run.finish().await.unwrap().verdict, Verdict::Succeeded);
    });
}
