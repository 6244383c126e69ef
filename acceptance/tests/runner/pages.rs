//! What the runner's pages show in Rust is what happens: their own lines are run, with the stories' executors, image and addresses.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mkys_edge_client::Audience;
use mkys_runner::{Direct, Keep, Runner, Verdict};

use crate::bench::{Bench, EngineBench, engine, line, runner, static_program, tell, until_running};
use crate::cluster_bench::{ClusterBench, shared};
use crate::edge::Stage;
use crate::session::page;
use crate::through_the_edge::delegated;

/// The pages' blocks, each a module with what it shows: made when this is built.
#[allow(
    unused_variables,
    clippy::print_stdout,
    reason = "a page shows what a reader goes on with, and prints"
)]
mod shown {
    include!(concat!(env!("OUT_DIR"), "/pages.rs"));
}

pub(crate) fn init() -> PathBuf {
    static_program("mkys-init")
}

pub(crate) fn socket() -> PathBuf {
    engine().0.socket()
}

pub(crate) fn image() -> &'static str {
    &engine().1
}

pub(crate) fn keeper() -> &'static str {
    &shared().keeper
}

pub(crate) fn kubeconfig() -> &'static Path {
    shared().kubeconfig()
}

/// Where players of the edge's story come in.
static LISTENER: OnceLock<SocketAddr> = OnceLock::new();

pub(crate) fn listener() -> String {
    LISTENER.get().unwrap().to_string()
}

#[test]
fn an_application_counts_words() {
    tell(async {
        let bench = EngineBench::new().await;
        shown::readme_1::example().await.unwrap();
        let label = [
            "ps",
            "--all",
            "--quiet",
            "--filter",
            "label=mkys.owner=wordcount",
        ];
        assert_eq!(bench.listed(&label).await, Vec::<String>::new());
    });
}

#[test]
fn results_are_read() {
    tell(async {
        let bench = EngineBench::new().await;
        let kept = bench.folder.path().join("kept");
        for keep in [Keep::Memory, Keep::Directory(kept.clone())] {
            let runner = Runner::start_with(bench.executor().await, keep, Direct);
            let runner = runner.await.unwrap();
            let mut computation = line(&bench, "echo 42 >/mkys/out/answer");
            computation.results = vec!["answer".parse().unwrap()];
            let run = runner.compute(computation).await.unwrap();
            let outcome = run.finish().await.unwrap();
            assert_eq!(outcome.results.len(), 1, "{outcome:?}");
            shown::readme_2::example(&outcome).unwrap();
            runner.close().await;
            if kept.exists() {
                std::fs::remove_dir_all(&kept).unwrap();
                shown::readme_2::example(&outcome).unwrap_err();
            }
        }
    });
}

#[test]
fn an_application_ends_with_its_runs() {
    tell(async {
        let bench = EngineBench::new().await;
        let runner = runner(&bench).await;
        let run = runner.compute(line(&bench, "while :; do sleep 1; done"));
        until_running(&run.await.unwrap()).await;
        shown::readme_3::example(runner).await;
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

#[test]
fn a_game_is_played() {
    tell(async {
        let bench = EngineBench::new().await;
        let runner = runner(&bench).await;
        let game = page(&bench, "chess", "true");
        let name = game.name.clone();
        let shown = shown::sessions_1::example(runner.clone(), game);
        shown.await.unwrap();
        let run = runner.run(&name).unwrap();
        let outcome = run.finish().await.unwrap();
        assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

#[test]
fn an_edge_is_the_way_in() {
    tell(async {
        let bench = EngineBench::new().await;
        let stage = Stage::new(&[Audience::Users]).await;
        LISTENER.set(stage.edge.users).unwrap();
        let client = delegated(&stage).await;
        let executor = bench.executor().await;
        shown::sessions_2::example(executor, client).await.unwrap();
    });
}

#[test]
fn a_table_is_the_way_in() {
    tell(async {
        let bench = EngineBench::new().await;
        let table = shown::sessions_3::Table::default();
        let runner = Runner::start_with(bench.executor().await, Keep::Memory, table.clone());
        let runner = runner.await.unwrap();
        let run = runner.play(page(&bench, "chess", "true")).unwrap();
        let url = run.answers().await.unwrap();
        assert_eq!(url, "wss://play.example.org/chess");
        assert!(format!("{table:?}").contains("chess"), "{table:?}");
        run.end();
        run.finish().await.unwrap();
        assert!(!format!("{table:?}").contains("chess"), "{table:?}");
    });
}

#[test]
fn a_cluster_is_connected() {
    tell(async {
        let _bench = ClusterBench::new().await;
        shown::kubernetes_1::example().await.unwrap();
    });
}
