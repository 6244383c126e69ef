//! What holds for Kubernetes alone.

use std::process::Output;
use std::time::Duration;

use futures_util::StreamExt;
use jiff::SignedDuration;
use mkys_runner::kubernetes::{Kubernetes, KubernetesError, Reach};
use mkys_runner::{
    Answers, Cause, Direct, Gpu, Keep, Placement, Runner, Session, State, Toleration, Verdict,
};
use serde_json::{Value, json};

use crate::bench::{
    Bench, LIMIT, fails, line, outcome, runner, shell_line, tell, until_running, with_input,
};
use crate::cluster_bench::ClusterBench;

const ENDLESS: &str = "while :; do sleep 1; done";

#[test]
fn a_quota_that_does_not_hold_it_is_told_apart() {
    tell(async {
        let bench = ClusterBench::with(
            "{apiVersion: v1, kind: ResourceQuota, metadata: {name: small}, spec: {hard: {pods: 0}}}",
        )
        .await;
        let mut computation = line(&bench, "true");
        computation.container.starts_within = SignedDuration::from_secs(5);
        let (cause, words) = fails(&bench, computation).await;
        assert_eq!(cause, Cause::Quota, "{words}");
        assert!(words.contains("exceeded quota: small"), "{words}");
        bench.gone().await;
    });
}

#[test]
fn what_admission_does_not_let_in_is_told_apart() {
    tell(async {
        let bench = ClusterBench::with(
            "{apiVersion: v1, kind: LimitRange, metadata: {name: small}, \
             spec: {limits: [{type: Container, max: {memory: 64Mi}}]}}",
        )
        .await;
        let (cause, words) = fails(&bench, line(&bench, "true")).await;
        assert_eq!(cause, Cause::AdmissionRefused, "{words}");
        assert!(
            words.contains("maximum memory usage per Container is 64Mi"),
            "{words}"
        );
        bench.gone().await;
    });
}

#[test]
fn rights_that_are_missing_are_named_before_anything_is_made() {
    tell(async {
        let bench = ClusterBench::with(
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: runner}, \
             rules: [{apiGroups: [batch], resources: [jobs], verbs: [get, list, create]}]}",
        )
        .await;
        let error = Kubernetes::connect(bench.settings()).await.unwrap_err();
        let KubernetesError::Rights { missing, .. } = &error else {
            panic!("{error}")
        };
        for right in [
            "patch jobs",
            "delete jobs",
            "watch pods",
            "create pods/exec",
        ] {
            assert!(missing.iter().any(|one| one == right), "{right}: {error}");
        }
        assert!(!missing.iter().any(|one| one == "create jobs"), "{error}");
        bench.gone().await;
    });
}

#[test]
fn a_cluster_that_is_not_there_is_said_so() {
    tell(async {
        let bench = ClusterBench::new().await;
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("config");
        let mut settings = bench.settings();
        let own = settings.place.kubeconfig.replace(nowhere.clone()).unwrap();
        let error = Kubernetes::connect(settings.clone()).await.unwrap_err();
        assert!(matches!(error, KubernetesError::Config(_)), "{error}");

        let mut config: Value = serde_json::from_slice(&std::fs::read(own).unwrap()).unwrap();
        config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9".into();
        std::fs::write(&nowhere, config.to_string()).unwrap();
        let error = Kubernetes::connect(settings).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "no Kubernetes answers at https://127.0.0.1:9/"
        );
    });
}

#[test]
fn a_pod_that_somebody_deletes_is_no_failure_of_its_command() {
    tell(async {
        let bench = ClusterBench::new().await;
        let runner = runner(&bench).await;
        // it ends well when it is asked to
        let run = runner
            .compute(line(
                &bench,
                "trap 'exit 0' TERM; while :; do sleep 1; done",
            ))
            .await
            .unwrap();
        until_running(&run).await;
        let pod = bench.listed("pods").await.remove(0);
        bench
            .kubectl(&["delete", &pod, "--namespace", "stories", "--wait=false"])
            .await;
        let outcome = run.finish().await.unwrap();
        assert!(
            matches!(&outcome.verdict, Verdict::Failed(failure) if failure.cause == Cause::Evicted),
            "{outcome:?}"
        );
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

/// A runner whose sessions are reached on ports of nodes.
async fn on_node_ports(bench: &ClusterBench) -> Runner<Kubernetes> {
    let mut settings = bench.settings();
    settings.reach = Reach::NodePort;
    let executor = Kubernetes::connect(settings).await.unwrap();
    Runner::start(executor).await.unwrap()
}

#[test]
fn a_session_is_reached_on_a_port_of_its_node() {
    tell(async {
        let bench = ClusterBench::new().await;
        let runner = on_node_ports(&bench).await;
        let line = format!("echo chess >/tmp/index.html; httpd -p 8080 -h /tmp; {ENDLESS}");
        let game = Session::builder()
            .name("chess".parse().unwrap())
            .container(shell_line(&bench, &line))
            .port(8080)
            .answers(Answers::Http {
                path: "/".to_owned(),
            })
            .build();
        let run = runner.play(game).unwrap();
        let url = run.answers().await.unwrap();
        assert!(
            url.starts_with(&format!("http://{}:3", bench.host())),
            "{url}"
        );
        assert_eq!(bench.listed("services").await.len(), 1);
        run.end();
        let outcome = run.finish().await.unwrap();
        assert_eq!(outcome.verdict, Verdict::Succeeded);
        assert!(
            outcome.receipt.gone.iter().any(|one| one.kind == "service"),
            "{outcome:?}"
        );
        assert_eq!(
            bench.listed("jobs,pods,services").await,
            Vec::<String>::new()
        );
    });
}

#[test]
fn whoever_has_no_owner_loses_what_it_owns_as_well() {
    tell(async {
        let bench = ClusterBench::new().await;
        let runner = on_node_ports(&bench).await;
        let game = Session::builder()
            .name("chess".parse().unwrap())
            .container(shell_line(&bench, ENDLESS))
            .port(8080)
            .build();
        let run = runner.play(game).unwrap();
        until_running(&run).await;
        assert_eq!(bench.listed("services").await.len(), 1);
        runner.close().await;
        for _ in 0..60 {
            if bench.listed("jobs,pods,services").await.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        panic!("{:?}", bench.listed("jobs,pods,services").await);
    });
}

#[test]
fn gpus_are_given_and_waited_for() {
    tell(async {
        let bench = ClusterBench::new().await;
        let gpus = |count| Gpu::builder().count(count).build();
        let mut computation = line(
            &bench,
            "echo $NVIDIA_VISIBLE_DEVICES | tr , '\\n' | grep -c simulated",
        );
        computation.container.resources.gpu = Some(gpus(2));
        let ran = outcome(&bench, computation).await;
        assert_eq!(ran.verdict, Verdict::Succeeded, "{ran:?}");
        assert_eq!(ran.log[0].text, "2");

        let mut computation = line(&bench, "true");
        computation.container.resources.gpu = Some(gpus(3));
        computation.container.starts_within = SignedDuration::from_secs(5);
        let (cause, words) = fails(&bench, computation).await;
        assert_eq!(cause, Cause::Unschedulable, "{words}");
        assert!(words.contains("Insufficient nvidia.com/gpu"), "{words}");
    });
}

#[test]
fn where_it_is_put_is_passed_on() {
    tell(async {
        let bench = ClusterBench::new().await;
        let name = bench.owner.clone();
        let classes = format!(
            "{{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {{name: {name}}}, value: 7}}\n---\n\
             {{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {{name: {name}}}, handler: runc}}\n"
        );
        bench.apply(classes).await;
        let mut computation = line(&bench, ENDLESS);
        let toleration = |key: &str| Toleration::builder().key(key);
        computation.container.placement = Placement::builder()
            .queue("gpu")
            .priority_class(&name)
            .runtime_class(&name)
            .node_selector([("kubernetes.io/os".to_owned(), "linux".to_owned())].into())
            .tolerations(vec![
                toleration("games").value("chess").build(),
                toleration("gpu").build(),
            ])
            .build();
        let runner = runner(&bench).await;
        let run = runner.compute(computation).await.unwrap();
        until_running(&run).await;
        let job = bench.listed("jobs").await.remove(0);
        let label = &bench.read(&job).await["metadata"]["labels"]["kueue.x-k8s.io/queue-name"];
        assert_eq!(label, "gpu");
        // what Kubernetes has made of it, and not only what it was told
        let pod = bench.listed("pods").await.remove(0);
        let pod = &bench.read(&pod).await["spec"];
        assert_eq!(pod["nodeSelector"]["kubernetes.io/os"], "linux");
        assert_eq!(pod["priorityClassName"], *name);
        assert_eq!(pod["priority"], 7);
        assert_eq!(pod["runtimeClassName"], *name);
        let tolerations = pod["tolerations"].as_array().unwrap();
        for toleration in [
            json!({ "key": "games", "operator": "Equal", "value": "chess" }),
            json!({ "key": "gpu", "operator": "Exists" }),
        ] {
            assert!(tolerations.contains(&toleration), "{tolerations:?}");
        }
        run.end();
        run.finish().await.unwrap();
        let classes = ["priorityclass", "runtimeclass"].map(|kind| format!("{kind}/{name}"));
        bench.kubectl(&["delete", &classes[0], &classes[1]]).await;
    });
}

/// A bench where no pod begins until there is room: a job can be held before it has one.
async fn without_room() -> ClusterBench {
    let quota =
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {pods: 0}}}";
    ClusterBench::with(quota).await
}

async fn make_room(bench: &ClusterBench) {
    let quota = ["delete", "resourcequota/none", "--namespace", &bench.owner];
    bench.kubectl(&quota).await;
}

/// Holds the job of a run, or lets it go, as Kueue does.
async fn hold(bench: &ClusterBench, held: bool) {
    let mut jobs = bench.listed("jobs").await;
    while jobs.is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        jobs = bench.listed("jobs").await;
    }
    let patch = json!({ "spec": { "suspend": held } }).to_string();
    let namespace = &bench.owner;
    let words = [
        "patch",
        &jobs[0],
        "--namespace",
        namespace,
        "--patch",
        &patch,
    ];
    bench.kubectl(&words).await;
}

#[test]
fn one_that_its_queue_holds_has_no_lease_until_it_starts() {
    tell(async {
        // it has no pod before it is held, as if it had been held from the first
        let bench = without_room().await;
        let runner = runner(&bench).await;
        let run = runner.compute(line(&bench, "true")).await.unwrap();
        hold(&bench, true).await;
        run.end();
        let outcome = run.finish().await.unwrap();
        assert!(
            matches!(&outcome.verdict, Verdict::Failed(failure) if failure.cause == Cause::Cancelled),
            "{outcome:?}"
        );
        assert_eq!(bench.left().await, Vec::<String>::new());

        let run = runner.compute(line(&bench, "true")).await.unwrap();
        hold(&bench, true).await;
        make_room(&bench).await;
        tokio::time::sleep(2 * bench.lease()).await;
        assert!(matches!(run.state(), State::Starting { .. }), "{run:?}");
        assert_eq!(bench.listed("jobs,pods").await.len(), 1);
        // a new owner knows as well that it waits, and does not take it for lost
        drop(run);
        let name = "one".parse().unwrap();
        runner.close().await;
        let runner = self::runner(&bench).await;
        let run = runner.run(&name).unwrap();
        let waits = |state| std::future::ready(matches!(state, State::Starting { .. }));
        let known = tokio::time::timeout(Duration::from_secs(10), run.states().any(waits));
        assert!(known.await.unwrap(), "{run:?}");
        hold(&bench, false).await;
        let outcome = run.finish().await.unwrap();
        assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
        assert_eq!(bench.left().await, Vec::<String>::new());
        runner.close().await;
        bench.gone().await;
    });
}

#[test]
fn one_that_its_queue_holds_is_given_its_inputs_by_a_new_owner() {
    tell(async {
        let bench = without_room().await;
        let folder = tempfile::tempdir().unwrap();
        let start = async || {
            let keep = Keep::Directory(folder.path().to_owned());
            Runner::start_with(bench.executor().await, keep, Direct)
                .await
                .unwrap()
        };
        let first = start().await;
        let run = first.compute(with_input(&bench)).await.unwrap();
        hold(&bench, true).await;
        drop(run);
        first.close().await;
        make_room(&bench).await;
        // it waits for them before its owner is back
        hold(&bench, false).await;
        let waits = async || {
            let pods = bench.listed("pods").await;
            let pod = bench.read(pods.first()?).await;
            let first = &pod["status"]["initContainerStatuses"][0]["state"];
            first["running"].is_object().then_some(())
        };
        while waits().await.is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let second = start().await;
        let run = second.run(&"one".parse().unwrap()).unwrap();
        let outcome = run.finish().await.unwrap();
        assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
        let answer = std::fs::read_to_string(folder.path().join("one/out/answer"));
        assert_eq!(answer.unwrap(), "42");
        assert_eq!(bench.left().await, Vec::<String>::new());
        second.close().await;
        bench.gone().await;
    });
}

/// Kills the first process of what gives a pod's results, as its node may.
async fn kill_giver(pod: &str) {
    let hostname = format!("HOSTNAME={pod}");
    let is_giver = |process: &std::path::Path| {
        let read = |file: &str| std::fs::read(process.join(file)).unwrap_or_default();
        let variables = read("environ");
        let mut variables = variables.split(|byte| *byte == 0);
        read("cmdline") == b"/mkys-keeper\0wait\0"
            && variables.any(|variable| variable == hostname.as_bytes())
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut givers = processes.filter(|process| is_giver(&process.path()));
    let giver = givers.next().unwrap().file_name().into_string().unwrap();
    assert!(givers.next().is_none(), "{pod}");
    let killed = tokio::process::Command::new("kill")
        .args(["-9", &giver])
        .status();
    assert!(killed.await.unwrap().success());
}

#[test]
fn what_ended_well_is_lost_once_nothing_gives_its_results() {
    tell(async {
        let bench = ClusterBench::new().await;
        let runner = runner(&bench).await;
        let command = "echo 42 >/mkys/out/answer; until [ -e /mkys/out/go ]; do sleep 0.1; done";
        let mut computation = line(&bench, command);
        computation.results = vec!["answer".parse().unwrap()];
        let run = runner.compute(computation).await.unwrap();
        until_running(&run).await;
        let pod = bench.listed("pods").await.remove(0);
        kill_giver(pod.trim_start_matches("pod/")).await;
        let go = ["--container", "run", "--", "touch", "/mkys/out/go"];
        let words = ["exec", &pod, "--namespace", "stories"];
        bench.kubectl(&[&words[..], &go].concat()).await;
        // and not after the minutes for which a result is asked for again
        let outcome = tokio::time::timeout(LIMIT, run.finish()).await.unwrap();
        let outcome = outcome.unwrap();
        let Verdict::Lost { words } = &outcome.verdict else {
            panic!("{outcome:?}")
        };
        assert_eq!(words, "what would give its results ended: Error");
        assert_eq!(bench.left().await, Vec::<String>::new());
        runner.close().await;
    });
}

/// What `mkys-run` says of the runs of a story.
async fn mkys_run(bench: &ClusterBench, words: &[&str]) -> Output {
    let mut command = bench.mkys_run();
    command.args(words).args(["--owner", &bench.owner]);
    let asked = tokio::task::spawn_blocking(move || command.output().unwrap());
    asked.await.unwrap()
}

#[test]
fn an_audit_tells_what_is_no_run_any_more() {
    tell(async {
        let bench = ClusterBench::new().await;
        let mut settings = bench.settings();
        settings.reach = Reach::NodePort;
        // nothing ends it meanwhile
        settings.lease = SignedDuration::from_mins(5);
        let executor = Kubernetes::connect(settings).await.unwrap();
        let runner = Runner::start(executor).await.unwrap();
        let game = Session::builder()
            .name("chess".parse().unwrap())
            .container(shell_line(&bench, ENDLESS))
            .port(8080)
            .build();
        let run = runner.play(game).unwrap();
        until_running(&run).await;
        runner.close().await;
        let job = bench.listed("jobs").await.remove(0);
        let away = ["delete", &job, "--namespace", "stories", "--cascade=orphan"];
        bench.kubectl(&away).await;

        let listed = mkys_run(&bench, &["list", "--json"]).await;
        let audit = mkys_run(&bench, &["audit", "--json"]).await;
        let label = format!("mkys.univ-lille.fr/owner={}", bench.owner);
        let words = ["delete", "pods,services", "--namespace", "stories"];
        let words = [&words[..], &["--now", "--selector", &label]].concat();
        bench.kubectl(&words).await;
        assert_eq!(listed.stdout, b"[]\n");
        assert_eq!(audit.status.code(), Some(1), "{audit:?}");
        let found: Value = serde_json::from_slice(&audit.stdout).unwrap();
        let kinds: Vec<_> = found
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["kind"])
            .collect();
        assert_eq!(kinds, ["pod", "service"], "{found}");
        let audit = mkys_run(&bench, &["audit"]).await;
        assert!(audit.status.success(), "{audit:?}");
    });
}

#[test]
fn a_doctor_says_which_rights_are_missing() {
    tell(async {
        let bench = ClusterBench::with(
            "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: runner}, rules: []}",
        )
        .await;
        let output = mkys_run(&bench, &["doctor"]).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.starts_with("FAIL"), "{told}");
        assert!(told.contains("create jobs"), "{told}");
        bench.gone().await;
    });
}

#[test]
fn what_its_job_says_is_what_holds() {
    tell(async {
        let bench = ClusterBench::new().await;
        // Kubernetes would put a variable in, and make one dollar of two
        let outcome = outcome(&bench, line(&bench, "echo '$(MKYS_RUN)' '$$' $((6 * 7))")).await;
        assert_eq!(outcome.log[0].text, "$(MKYS_RUN) $$ 42");
        let ran = outcome.record.ran.unwrap();
        assert!(ran.executor.starts_with("Kubernetes, v1."), "{ran:?}");
        assert_eq!(
            ran.image_digest.as_deref(),
            bench.image().split_once('@').map(|(_, digest)| digest)
        );
    });
}
