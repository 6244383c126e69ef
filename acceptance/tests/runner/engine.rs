//! What holds for a container engine alone.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use futures_util::StreamExt;
use jiff::Timestamp;
use mkys_runner::engine::{Engine, EngineError, EngineSettings};
use mkys_runner::{Cause, Plan, Runner, Verdict};

use crate::bench::{
    Bench, EngineBench, LIMIT, line, outcome, runner, tell, tell_alone, until_running,
};

#[test]
fn an_engine_that_is_started_anew_takes_no_run_with_it() {
    tell_alone(async {
        let bench = EngineBench::new().await;
        let runner = runner(&bench).await;
        let mut computation = line(&bench, "sleep 5; printf done >/mkys/out/result");
        computation.results = vec!["result".parse().unwrap()];
        let run = runner.compute(computation).await.unwrap();
        until_running(&run).await;
        let engine = bench.engine.clone();
        tokio::task::spawn_blocking(move || {
            engine.stop_service();
            engine.start_service().unwrap();
        })
        .await
        .unwrap();
        let outcome = run.finish().await.unwrap();
        assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

#[test]
fn a_container_that_somebody_kills_is_lost_and_no_failure() {
    tell(async {
        let bench = EngineBench::new().await;
        let runner = runner(&bench).await;
        let run = runner
            .compute(line(&bench, "while :; do sleep 1; done"))
            .await
            .unwrap();
        until_running(&run).await;
        let name = bench.left().await.remove(0);
        bench.listed(&["kill", "--signal", "KILL", &name]).await;
        let outcome = run.finish().await.unwrap();
        assert!(
            matches!(&outcome.verdict, Verdict::Lost { words } if words.contains("137")),
            "{outcome:?}"
        );
    });
}

#[test]
fn an_owner_is_one_process() {
    tell(async {
        let bench = EngineBench::new().await;
        let first = bench.executor().await;
        let error = Engine::connect(bench.settings()).await.unwrap_err();
        assert!(matches!(error, EngineError::Owned { .. }), "{error}");
        drop(first);
        Engine::connect(bench.settings()).await.unwrap();
    });
}

#[test]
fn what_can_not_work_is_said_when_it_connects() {
    tell(async {
        let bench = EngineBench::new().await;
        let mut settings = bench.settings();
        settings.socket = Some("/nowhere/podman.sock".into());
        let error = Engine::connect(settings).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no container engine answers at /nowhere/podman.sock"
        );
        let mut settings = bench.settings();
        let folder = tempfile::tempdir().unwrap();
        settings.init = folder.path().join("init");
        // a program that wants an interpreter, which a container may not have
        std::fs::copy("/bin/ls", &settings.init).unwrap();
        std::fs::set_permissions(&settings.init, PermissionsExt::from_mode(0o755)).unwrap();
        let error = Engine::connect(settings).await.unwrap_err();
        assert!(matches!(error, EngineError::Init { .. }), "{error}");
    });
}

#[test]
fn its_first_process_is_out_of_reach() {
    tell(async {
        let bench = EngineBench::new().await;
        let line = "kill -9 1; cat /proc/1/environ 2>&1; ls /sys/class/net";
        let outcome = outcome(&bench, crate::bench::line(&bench, line)).await;
        assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
        let lines: Vec<_> = outcome.log.iter().map(|line| line.text.trim()).collect();
        assert!(lines[0].contains("Permission denied"), "{lines:?}");
        assert_eq!(lines[1], "lo");
    });
}

#[test]
fn it_takes_no_more_than_it_may() {
    tell(async {
        let bench = EngineBench::new().await;
        let mut computation = line(
            &bench,
            "for _ in $(seq 40); do sleep 5 & done; echo all of them",
        );
        computation.container.resources.processes = 16;
        let outcome = outcome(&bench, computation).await;
        let said: String = outcome.log.iter().map(|line| line.text.as_str()).collect();
        assert!(said.contains("can't fork"), "{outcome:?}");
        assert!(!said.contains("all of them"), "{outcome:?}");

        let runner = runner(&bench).await;
        let run = runner
            .compute(line(&bench, "while :; do sleep 1; done"))
            .await
            .unwrap();
        until_running(&run).await;
        let name = bench.left().await.remove(0);
        let limits = "{{.HostConfig.CpuQuota}} {{.HostConfig.CpuPeriod}} {{.HostConfig.Memory}} \
                      {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}}";
        let told = bench.listed(&["inspect", "--format", limits, &name]).await;
        // thousandths of a processor are given as so many of 100,000 microseconds
        let memory = 256 << 20;
        assert_eq!(told, [format!("20000 100000 {memory} {memory} 260")]);
        run.end();
        run.finish().await.unwrap();
    });
}

#[test]
fn a_log_has_a_limit_and_is_followed_across_it() {
    tell(async {
        let bench = EngineBench::new().await;
        let settings = EngineSettings {
            log_mib: 1,
            ..bench.settings()
        };
        let engine = Engine::connect(settings).await.unwrap();
        let runner = Runner::start(engine).await.unwrap();
        let line = "yes 0123456789012345678901234567890123456789012345678901234567890123456789 \
                    | head -c 2000000; sleep 5; echo; echo the end; sleep 2";
        let run = runner
            .compute(crate::bench::line(&bench, line))
            .await
            .unwrap();
        until_running(&run).await;
        let name = bench.left().await.remove(0);
        let limit = "{{.HostConfig.LogConfig.Type}} {{.HostConfig.LogConfig.Size}}";
        let told = bench.listed(&["inspect", "--format", limit, &name]).await;
        assert_eq!(told, ["json-file 1.049MB"]);
        let mut lines = runner.logs(&run, None);
        let mut last = String::new();
        while let Some(Ok(line)) = lines.next().await {
            last = line.text;
        }
        assert_eq!(last, "the end");
        assert_eq!(run.finish().await.unwrap().verdict, Verdict::Succeeded);
    });
}

#[test]
fn one_that_can_not_be_started_holds_no_others_back() {
    tell(async {
        let bench = EngineBench::new().await;
        // whoever created it did not live to start it, and what it mounts is not there any more
        let computation = line(&bench, "true");
        let plan = Plan::computation(computation, Timestamp::now()).await;
        let plan = serde_json::to_string(&plan.unwrap()).unwrap();
        let mounted = tempfile::tempdir().unwrap();
        let mount = format!("{}:/mounted", mounted.path().display());
        let labels = [
            format!("mkys.owner={}", bench.owner),
            format!("mkys.plan={plan}"),
            format!("mkys.token-sha256={}", "0".repeat(64)),
        ];
        let name = format!("mkys.{}.one", bench.owner);
        let [owner, plan, token] = labels.each_ref().map(String::as_str);
        let create = ["create", "--name", &name, "--volume", &mount];
        let create = create
            .into_iter()
            .chain(["--label", owner, "--label", plan]);
        let create = create.chain(["--label", token, bench.image(), "true"]);
        bench.listed(&create.collect::<Vec<_>>()).await;
        drop(mounted);

        let runner = runner(&bench).await;
        let run = runner.run(&"one".parse().unwrap()).unwrap();
        let outcome = run.finish().await.unwrap();
        assert!(
            !matches!(outcome.verdict, Verdict::Succeeded),
            "{outcome:?}"
        );
        assert_eq!(bench.left().await, Vec::<String>::new());
        let mut other = line(&bench, "true");
        other.name = "other".parse().unwrap();
        let other = runner.compute(other).await.unwrap();
        assert_eq!(other.finish().await.unwrap().verdict, Verdict::Succeeded);
    });
}

#[test]
fn a_network_is_used_again() {
    tell(async {
        let bench = EngineBench::new().await;
        for _ in 0..3 {
            let runner = runner(&bench).await;
            let mut computation = line(&bench, "true");
            computation.container.egress = true;
            let run = runner.compute(computation).await.unwrap();
            assert_eq!(run.finish().await.unwrap().verdict, Verdict::Succeeded);
            runner.close().await;
        }
        assert_eq!(bench.networks().await.len(), 1);
    });
}

#[test]
fn networks_of_owners_that_are_gone_are_taken_away() {
    tell(async {
        let bench = EngineBench::new().await;
        let of = |owner: &str| EngineSettings {
            owner: owner.parse().unwrap(),
            ..bench.settings()
        };
        let owners = ["gone", "there", "next"].map(|name| format!("{}-{name}", bench.owner));
        let [gone, there, next] = owners.each_ref().map(String::as_str);
        let reaches_out = async |runner: &Runner<Engine>| {
            let mut computation = line(&bench, "true");
            computation.container.egress = true;
            let run = runner.compute(computation).await.unwrap();
            assert_eq!(run.finish().await.unwrap().verdict, Verdict::Succeeded);
        };
        let start = async |owner: &str| {
            let engine = Engine::connect(of(owner)).await.unwrap();
            Runner::start(engine).await.unwrap()
        };
        let first = start(gone).await;
        reaches_out(&first).await;
        let second = start(there).await;
        reaches_out(&second).await;
        first.close().await;
        let networks = async |owner: &str| {
            let label = format!("label=mkys.room-of={owner}");
            let words = ["network", "ls", "--filter", &label, "--format", "{{.Name}}"];
            bench.listed(&words).await
        };
        assert_eq!(networks(gone).await.len(), 1);
        let theirs = networks(there).await;
        assert_eq!(theirs.len(), 1);

        let third = start(next).await;
        while !networks(gone).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(networks(there).await, theirs, "its owner is there");
        // one that was taken away is made again
        let again = start(gone).await;
        reaches_out(&again).await;
        assert_eq!(networks(gone).await.len(), 1);
        for runner in [second, third, again] {
            runner.close().await;
        }
        for name in [networks(gone).await, theirs].concat() {
            bench.listed(&["network", "rm", &name]).await;
        }
    });
}

#[test]
fn a_container_that_has_its_name_is_left_alone_and_told() {
    tell(async {
        let bench = EngineBench::new().await;
        let name = format!("mkys.{}.one", bench.owner);
        let create = ["create", "--name", &name, bench.image(), "true"];
        bench.listed(&create).await;
        let runner = runner(&bench).await;
        let run = runner.compute(line(&bench, "true")).await.unwrap();
        let outcome = tokio::time::timeout(LIMIT / 4, run.finish()).await;
        let there = ["container", "exists", &name];
        bench.listed(&there).await;
        bench.listed(&["rm", &name]).await;
        let outcome = outcome.unwrap().unwrap();
        let Verdict::Failed(failure) = &outcome.verdict else {
            panic!("{outcome:?}")
        };
        assert_eq!(failure.cause, Cause::NameTaken, "{failure:?}");
    });
}
