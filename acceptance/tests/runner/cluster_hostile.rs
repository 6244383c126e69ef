//! A cluster whose network, keeper and administrators are not as they should be.

use std::time::Instant;

use mkys_runner::kubernetes::{Kubernetes, KubernetesError};
use mkys_runner::{Cause, Input, Runner, Verdict};

use crate::bench::{Bench, cause, fails, line, outcome, runner, tell, until_running};
use crate::cluster_bench::ClusterBench;

#[test]
fn a_keeper_that_is_none_is_told_before_the_command_begins() {
    tell(async {
        let bench = ClusterBench::new().await;
        let mut settings = bench.settings();
        settings.keeper = bench.image().parse().unwrap();
        let runner = Runner::start(Kubernetes::connect(settings).await.unwrap())
            .await
            .unwrap();
        let mut computation = line(&bench, "echo 42 >/mkys/out/r");
        computation.results = vec!["r".parse().unwrap()];
        let run = runner.compute(computation).await.unwrap();
        let outcome = run.finish().await.unwrap();
        let Verdict::Failed(failure) = &outcome.verdict else {
            panic!("{outcome:?}")
        };
        assert_eq!(failure.cause, Cause::Executor, "{failure:?}");
        assert!(
            failure.words.contains("not that of mkys-keeper"),
            "{failure:?}"
        );
    });
}

#[test]
fn a_pod_whose_job_is_taken_from_it_ends_and_goes() {
    tell(async {
        let bench = ClusterBench::new().await;
        let runner = runner(&bench).await;
        let run = runner.compute(line(&bench, "sleep 600")).await.unwrap();
        until_running(&run).await;
        let job = bench.listed("jobs").await.remove(0);
        let away = ["delete", &job, "--namespace", "stories", "--cascade=orphan"];
        bench.kubectl(&away).await;
        let outcome = run.finish().await.unwrap();
        assert_eq!(cause(&outcome), Some(Cause::Evicted), "{outcome:?}");
        assert_eq!(bench.listed("pods").await, Vec::<String>::new());
    });
}

#[test]
fn what_is_too_long_for_a_job_is_refused_at_once() {
    tell(async {
        let bench = ClusterBench::new().await;
        let mut computation = line(&bench, "true");
        let inputs =
            (0..3_000).map(|number| (format!("input-{number}").parse().unwrap(), Input::from("")));
        computation.inputs = inputs.collect();
        let asked = Instant::now();
        let (cause, words) = fails(&bench, computation).await;
        assert_eq!(cause, Cause::AdmissionRefused, "{words}");
        assert!(
            words.contains("Kubernetes keeps 261120 with a job"),
            "{words}"
        );
        assert!(asked.elapsed().as_secs() < 20, "{:?}", asked.elapsed());
        // nothing was made
        let mut small = line(&bench, "true");
        small.inputs = [("one".parse().unwrap(), Input::from("1"))].into();
        assert_eq!(outcome(&bench, small).await.verdict, Verdict::Succeeded);
    });
}

#[test]
fn a_credential_that_is_over_is_told() {
    tell(async {
        let bench = ClusterBench::new().await;
        let mut settings = bench.settings();
        let own = std::fs::read_to_string(settings.place.kubeconfig.as_ref().unwrap()).unwrap();
        let mut over: serde_json::Value = serde_json::from_str(&own).unwrap();
        over["users"][0]["user"] = serde_json::json!({ "token": "over" });
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("kubeconfig");
        std::fs::write(&file, over.to_string()).unwrap();
        settings.place.kubeconfig = Some(file);
        let error = Kubernetes::connect(settings).await.unwrap_err();
        assert!(
            matches!(error, KubernetesError::Credential { .. }),
            "{error}"
        );
    });
}
