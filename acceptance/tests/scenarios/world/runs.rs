//! Where a story's games and computations are: the lab's Kubernetes, in a namespace of the story's own, reached by the edge.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mkys_acceptance::lab::{Lab, install_for_runs};
use mkys_acceptance::netns::in_namespace;
use mkys_acceptance::place::{EDGE, EDGE_TO_NODE, NODE_TO_EDGE};
use mkys_acceptance::platform::cluster::{self, Cluster};
use mkys_acceptance::platform::engine::ContainerEngine;
use mkys_acceptance::platform::{game, programs};
use mkys_edge_client::{EdgeClient, Settings};
use mkys_runner::kubernetes::{Kubernetes, KubernetesSettings, Place};
use mkys_runner::{EdgeDoor, EdgeSettings, Image, Keep, Runner};

use super::edge::Beside;
use super::leftovers;
use super::stage::Stage;

/// A namespace of a cluster, and images for it.
pub(crate) struct Runs {
    cluster: Cluster,
    namespace: String,
    kubeconfig: PathBuf,
    pub(crate) game: Image,
    pub(crate) sampler: Image,
    keeper: Image,
}

impl Runs {
    /// Brings the cluster up if need be, and makes the story's namespace and images.
    pub(crate) fn start(stage: &Stage) -> Self {
        let lab = Lab::from_environment().unwrap();
        install_for_runs(&lab.progress).unwrap();
        let engine = ContainerEngine::new(&lab.place.state().join("engine"));
        engine.start().unwrap();
        let folder = programs::statics(&["mkys-init", "kdpp"]).unwrap();
        let image = |name: &str, program: &str| -> Image {
            let image = engine.image_of(name, &folder.join(program)).unwrap();
            image.parse().unwrap()
        };
        let hex = game::image(&engine, &lab.place.cache().join("npm")).unwrap();
        let cluster = Cluster::new(Path::new(cluster::STATE), &cluster::binaries().unwrap());
        cluster.start().unwrap();
        sweep(&cluster);
        let namespace = stage.name().to_owned();
        let kubeconfig = stage.folder.join("kubeconfig");
        cluster.namespace(&namespace).unwrap();
        cluster.account(&namespace, &kubeconfig).unwrap();
        // as whoever runs an edge beside a cluster tells it the way to the pods
        let way = ["route", "replace", cluster::PODS, "via", NODE_TO_EDGE];
        let told = in_namespace(EDGE, "ip").args(way).status();
        assert!(told.unwrap().success());
        Self {
            game: hex.parse().unwrap(),
            sampler: image("kdpp", "kdpp"),
            keeper: image("keeper", "mkys-keeper"),
            cluster,
            namespace,
            kubeconfig,
        }
    }

    /// A runner whose players come in through an edge, below the path that was delegated to the token.
    pub(crate) async fn runner(&self, edge: &Beside, token: &str) -> Runner<Kubernetes> {
        let place = Place::builder().kubeconfig(&self.kubeconfig).build();
        let settings = KubernetesSettings::builder()
            .owner("story".parse().unwrap())
            .keeper(self.keeper.clone())
            .place(place)
            .edge(vec![format!("{EDGE_TO_NODE}/32").parse().unwrap()])
            .build();
        let kubernetes = Kubernetes::connect(settings).await.unwrap();
        let settings = EdgeSettings::builder()
            .client(EdgeClient::new(&Settings::new(edge.url(), token)).unwrap())
            .listener(edge.listener())
            .ttl(Duration::from_secs(20))
            .build();
        let door = EdgeDoor::connect(settings).await.unwrap();
        Runner::start_with(kubernetes, Keep::Memory, door)
            .await
            .unwrap()
    }

    /// What there is of runs, whoever made it.
    pub(crate) fn left(&self) -> String {
        let kinds = "jobs,pods,services,secrets,configmaps";
        let label = "mkys.univ-lille.fr/owner";
        let words = [
            "get",
            kinds,
            "--namespace",
            &self.namespace,
            "--selector",
            label,
            "--output",
            "name",
        ];
        self.cluster.kubectl(&words).unwrap()
    }
}

/// Takes away what killed runs left.
fn sweep(cluster: &Cluster) {
    let listed = cluster.kubectl(&["get", "namespaces", "--output", "name"]);
    let listed = listed.unwrap();
    let names = listed
        .lines()
        .filter_map(|line| line.strip_prefix("namespace/"));
    for name in names.filter(|name| leftovers::is_dead(name)) {
        let _ = cluster.kubectl(&["delete", "namespace", name, "--wait=false"]);
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        // a story that failed leaves runs, which end with it
        let words = ["delete", "namespace", &self.namespace, "--wait=false"];
        let _ = self.cluster.kubectl(&words);
    }
}
