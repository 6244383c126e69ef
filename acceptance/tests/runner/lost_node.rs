//! Nodes that go away with what they run. They are nodes of the cluster's books alone, behind which no kubelet is: what the API server, the
//! scheduler and the controllers make of them is what they make of a machine that is switched off.

use std::time::Duration;

use mkys_runner::kubernetes::Kubernetes;
use mkys_runner::{Cause, Placement, Run, Runner, Toleration};
use serde_json::json;

use crate::bench::{cause, line, runner, tell};
use crate::cluster_bench::ClusterBench;

/// Who is let onto a node here.
const TAINT: &str = "mkys.test/lost";

/// Makes a node that takes the pods of one story alone, as a kubelet says of its own that it does.
async fn node(bench: &ClusterBench) {
    let name = &bench.owner;
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name, "labels": { TAINT: name } },
        "spec": { "taints": [{ "key": TAINT, "effect": "NoSchedule" }] },
    });
    bench.apply(node.to_string()).await;
    let room = json!({ "cpu": "1", "memory": "1Gi", "pods": "5", "ephemeral-storage": "1Gi" });
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    let ready = json!({
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "",
        "lastHeartbeatTime": now.to_string(),
        "lastTransitionTime": now.to_string(),
    });
    let status = json!({ "capacity": room, "allocatable": room, "conditions": [ready] });
    let patch = json!({ "status": status }).to_string();
    let words = ["patch", "node", name, "--subresource=status", "--patch"];
    bench.kubectl(&[&words[..], &[&patch]].concat()).await;
}

/// A run whose pod was given to that node.
async fn on_it(bench: &ClusterBench, runner: &Runner<Kubernetes>) -> Run {
    let mut computation = line(bench, "true");
    computation.container.placement = Placement::builder()
        .node_selector([(TAINT.to_owned(), bench.owner.clone())].into())
        .tolerations(vec![Toleration::builder().key(TAINT).build()])
        .build();
    let run = runner.compute(computation).await.unwrap();
    loop {
        if let Some(pod) = bench.listed("pods").await.first()
            && bench.read(pod).await["spec"]["nodeName"] == *bench.owner
        {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn without(bench: &ClusterBench) {
    bench.kubectl(&["delete", "node", &bench.owner]).await;
}

#[test]
fn what_a_node_does_not_let_go_is_given_up_on() {
    tell(async {
        let bench = ClusterBench::new().await;
        node(&bench).await;
        let runner = runner(&bench).await;
        let run = on_it(&bench, &runner).await;
        run.end();
        let outcome = run.finish().await.unwrap();
        assert_eq!(cause(&outcome), Some(Cause::Cancelled), "{outcome:?}");
        assert_eq!(bench.listed("jobs,pods").await, Vec::<String>::new());
        without(&bench).await;
    });
}

#[test]
fn a_node_that_is_taken_away_is_told_apart() {
    tell(async {
        let bench = ClusterBench::new().await;
        node(&bench).await;
        let runner = runner(&bench).await;
        let run = on_it(&bench, &runner).await;
        without(&bench).await;
        let outcome = run.finish().await.unwrap();
        assert_eq!(cause(&outcome), Some(Cause::NodeLost), "{outcome:?}");
        assert_eq!(bench.listed("jobs,pods").await, Vec::<String>::new());
    });
}
