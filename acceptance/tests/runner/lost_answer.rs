//! An engine whose answer is lost on its way: what it did stands, and is nobody else's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mkys_runner::engine::{Engine, EngineSettings};
use mkys_runner::{Direct, Keep, Runner, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, watch};

use crate::bench::{Bench, EngineBench, line, tell, until_running, with_input};

/// A way to the engine on which the answer to a container's creation is lost once; asked again, it is held until that is to be.
struct Way {
    container: String,
    is_lost: AtomicBool,
    lost: Notify,
    again: watch::Sender<bool>,
}

impl Way {
    fn start(socket: &Path, engine: PathBuf, container: String) -> Arc<Self> {
        let way = Arc::new(Self {
            container,
            is_lost: AtomicBool::new(false),
            lost: Notify::new(),
            again: watch::Sender::new(false),
        });
        let listener = UnixListener::bind(socket).unwrap();
        let of_all = Arc::clone(&way);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&engine).await.unwrap();
                let way = Arc::clone(&of_all);
                tokio::spawn(async move { way.pass(client, server).await });
            }
        });
        way
    }

    /// An end is one for both sides.
    async fn pass(&self, mut client: UnixStream, mut server: UnixStream) -> std::io::Result<()> {
        let (mut asked, mut answered) = ([0; 1 << 16], [0; 1 << 16]);
        let creates = format!("/containers/create?name={}", self.container);
        loop {
            tokio::select! {
                read = client.read(&mut asked) => {
                    let asked = &asked[..read?];
                    if asked.is_empty() {
                        return Ok(());
                    }
                    let creates = String::from_utf8_lossy(asked).contains(&creates);
                    let loses = creates && !self.is_lost.swap(true, Ordering::SeqCst);
                    if creates && !loses {
                        let _ = self.again.subscribe().wait_for(|again| *again).await;
                    }
                    server.write_all(asked).await?;
                    if loses {
                        let length = server.read(&mut answered).await?;
                        assert!(answered[..length].starts_with(b"HTTP/1.1 201"));
                        self.lost.notify_one();
                        return Ok(());
                    }
                }
                read = server.read(&mut answered) => {
                    let answered = &answered[..read?];
                    if answered.is_empty() {
                        return Ok(());
                    }
                    client.write_all(answered).await?;
                }
            }
        }
    }
}

/// An engine whose answer to the creation of a container is lost.
async fn engine(bench: &EngineBench, run: &str) -> (Arc<Way>, Engine) {
    let socket = bench.folder.path().join("engine.sock");
    let container = format!("mkys.{}.{run}", bench.owner());
    let way = Way::start(&socket, bench.engine.socket(), container);
    let settings = EngineSettings {
        socket: Some(socket),
        ..bench.settings()
    };
    (way, Engine::connect(settings).await.unwrap())
}

#[test]
fn a_new_owner_gives_it_the_inputs_that_were_kept() {
    tell(async {
        let bench = EngineBench::new().await;
        let directory = bench.folder.path().join("results");
        let keep = || Keep::Directory(directory.clone());
        let (way, engine) = engine(&bench, "one").await;
        let first = Runner::start_with(engine, keep(), Direct).await.unwrap();
        // it is created, and not started before somebody has the answer
        let run = first.compute(with_input(&bench)).await.unwrap();
        way.lost.notified().await;
        drop(run);
        first.close().await;
        let second = Runner::start_with(bench.executor().await, keep(), Direct).await;
        let second = second.unwrap();
        let run = second.run(&"one".parse().unwrap()).unwrap();
        let outcome = run.finish().await.unwrap();
        assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
        let answer = std::fs::read_to_string(directory.join("one/out/answer"));
        assert_eq!(answer.unwrap(), "42");
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

#[test]
fn the_network_of_a_run_whose_creation_was_not_answered_is_nobody_elses() {
    tell(async {
        let bench = EngineBench::new().await;
        let container = |run: &str| format!("mkys.{}.{run}", bench.owner());
        let (way, engine) = engine(&bench, "one").await;
        let runner = Runner::start(engine).await.unwrap();
        let reaches_out = |name: &str| {
            let mut computation = line(&bench, "while :; do sleep 1; done");
            computation.name = name.parse().unwrap();
            computation.container.egress = true;
            computation
        };
        let one = runner.compute(reaches_out("one")).await.unwrap();
        way.lost.notified().await;
        let two = runner.compute(reaches_out("two")).await.unwrap();
        until_running(&two).await;
        way.again.send_replace(true);
        until_running(&one).await;
        let network = async |run: &str| {
            let names = "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}";
            bench
                .listed(&["inspect", "--format", names, &container(run)])
                .await
        };
        assert_ne!(network("one").await, network("two").await);
        for run in [one, two] {
            run.end();
            run.finish().await.unwrap();
        }
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}
