//! Trials: while routes, session routes and delegations change, something happens to the edge. After each round exactly the acknowledged
//! changes are served, by exactly one NGINX, and health says so.
//!
//! `SEED` draws the changes and the order of the happenings, and is printed; `N` is the number of rounds. The happenings are drawn like cards,
//! so that each comes once before any comes again. What happened is counted, and trials of 50 rounds and more in which something never
//! happened have failed.

mod happening;
mod ledger;
mod tally;
mod traffic;

use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use mkys_edge_client::Audience;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::edge::{Edge, Stage, kill, until};
use happening::Happening;
use ledger::{Change, Filler, Ledger, Outcome};
use mkys_acceptance::chance::Chance;
use tally::{Count, Tally};
use traffic::Traffic;

/// MiB of the disk that the edge's state is on.
const DISK: u32 = 64;
/// Bytes that are left on a disk that is nearly full.
const NEARLY_FULL: u64 = 8 * 1024 * 1024;
/// So many rounds see all happenings.
const MANY: u64 = 50;
/// How long changes may take that wait for an edge that was ended.
const UNFINISHED: Duration = Duration::from_millis(300);

fn from_environment(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    from_environment("SEED").unwrap_or_else(|| now.unwrap().as_secs())
}

/// The edge under trial, with what it acknowledged.
struct Trial {
    stage: Stage,
    ledger: Ledger,
    traffic: Traffic,
    tally: Tally,
}

/// What is drawn for a round.
#[derive(Debug)]
struct Round {
    number: u64,
    happening: Happening,
    changes: Vec<Change>,
    /// When it happens after the changes began.
    delay: Duration,
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_changes_survive_all_happenings() {
    let (seed, rounds) = (seed(), from_environment("N").unwrap_or(12));
    println!("SEED={seed}");
    let edge = Edge::on_disk(DISK, json!({ "routes_mib": 1 })).await;
    let stage = Stage::on(edge, &[Audience::Users]).await;
    let ledger = Ledger::new(&stage).await;
    let mut trial = Trial {
        traffic: Traffic::open(&stage.edge).await,
        tally: Tally::default(),
        ledger,
        stage,
    };
    for number in 0..rounds {
        let mut chance = Chance::new(seed, number);
        let round = Round {
            number,
            happening: happening::drawn(seed, number),
            changes: trial.ledger.draw(&mut chance),
            delay: Duration::from_millis(chance.between(0, 40)),
        };
        trial.run(&round).await;
    }
    println!("{rounds} rounds of SEED={seed}:\n{}", trial.tally);
    if rounds >= MANY {
        let missing = trial.tally.missing();
        assert!(missing.is_empty(), "never happened: {missing:?}");
    }
}

#[allow(
    clippy::print_stdout,
    reason = "who makes trials by hand reads how they go"
)]
impl Trial {
    async fn run(&mut self, round: &Round) {
        println!("{round:?}");
        let start = std::time::Instant::now();
        let users = self.stage.edge.users;
        let ending = self.ledger.ended_by(&round.changes);
        let ending = traffic::open_all(users, &ending).await;
        self.happen(round).await;
        self.ledger.note(&round.changes);
        self.tally.add(Count::Change, round.changes.len());
        self.settle().await;
        for connection in ending {
            connection.ends().await;
            self.tally.add(Count::Ended, 1);
        }
        match round.happening.keeps_connections() {
            true => {
                self.traffic.goes_on().await;
                self.tally.add(Count::WentOn, 1);
            }
            false => {
                let edge = &self.stage.edge;
                let before = std::mem::replace(&mut self.traffic, Traffic::open(edge).await);
                before.ends().await;
            }
        }
        self.ledger.check(&self.stage, round.number).await;
        let edge = &self.stage.edge;
        assert_eq!(edge.masters().len(), 1, "{round:?}");
        assert_eq!(edge.health().await, (200, "ok\n".to_owned()), "{round:?}");
        self.tally.add(Count::Happened(round.happening), 1);
        println!("  {} ms", start.elapsed().as_millis());
    }

    /// Waits until one NGINX serves, and health says that all is well.
    async fn settle(&self) {
        let edge = &self.stage.edge;
        until("one healthy NGINX", async || {
            let is_well = edge.health().await.0 == 200;
            (is_well && edge.masters().len() == 1).then_some(())
        })
        .await;
    }

    /// Has all changes acknowledged, while the drawn thing happens.
    async fn happen(&mut self, round: &Round) {
        let Round {
            happening,
            changes,
            delay,
            ..
        } = round;
        match happening {
            Happening::DiskNearlyFull => return self.fill_disk(changes, NEARLY_FULL, false).await,
            Happening::DiskFull => return self.fill_disk(changes, 0, false).await,
            Happening::EdgeKilledOnFullDisk => return self.fill_disk(changes, 0, true).await,
            Happening::MemoryFull => return self.fill_memory(changes, false).await,
            Happening::NginxKilledOnFullMemory => return self.fill_memory(changes, true).await,
            _ => {}
        }
        if !happening.ends_edge() {
            let struck = async {
                tokio::time::sleep(*delay).await;
                strike(&self.stage.edge, *happening).await;
            };
            let (stage, ledger) = (&self.stage, &self.ledger);
            let all = changes
                .iter()
                .map(|change| ledger.acknowledged(stage, change));
            tokio::join!(struck, join_all(all));
        } else {
            // nobody acknowledges anything before it is there again
            {
                let (stage, ledger) = (&self.stage, &self.ledger);
                let all = changes
                    .iter()
                    .map(|change| ledger.acknowledged(stage, change));
                let unfinished = tokio::time::timeout(UNFINISHED, join_all(all));
                let killed = async {
                    tokio::time::sleep(*delay).await;
                    match happening {
                        Happening::EdgeTerminated
                        | Happening::EdgeInterrupted
                        | Happening::BothStopped
                        | Happening::Reconfigured => {}
                        _ => kill(stage.edge.pid()),
                    }
                };
                let _ = tokio::join!(unfinished, killed);
            }
            self.restart(*happening, round.number).await;
            self.all_acknowledged(changes).await;
        }
    }

    /// Ends `mkys-edge`, with NGINX or parts of it, and starts it again.
    async fn restart(&mut self, happening: Happening, round: u64) {
        let edge = &mut self.stage.edge;
        match happening {
            Happening::EdgeTerminated => edge.stop(Signal::TERM).await,
            Happening::EdgeInterrupted => edge.stop(Signal::INT).await,
            Happening::BothStopped => {
                edge.stop(Signal::TERM).await;
                let (is_well, said) = edge.run(&["stop-nginx"]);
                assert!(is_well && edge.masters().is_empty(), "{said}");
            }
            Happening::Reconfigured => {
                edge.set("/nginx/answer_s", json!(300 + round));
                edge.stop(Signal::TERM).await;
            }
            _ => edge.kill(),
        }
        match happening {
            Happening::EdgeAndMasterKilled => edge.masters().into_iter().for_each(kill),
            Happening::EdgeAndNginxKilled => edge.kill_nginx(),
            _ => {}
        }
        edge.serve().await;
    }

    async fn all_acknowledged(&self, changes: &[Change]) {
        let (stage, ledger) = (&self.stage, &self.ledger);
        join_all(
            changes
                .iter()
                .map(|change| ledger.acknowledged(stage, change)),
        )
        .await;
    }

    /// Changes while the disk is full: what is new is refused, all else is acknowledged.
    async fn fill_disk(&mut self, changes: &[Change], left: u64, kills: bool) {
        self.stage.edge.disk().fill(left);
        let refused = self.changed_without_room(changes).await;
        until("a full disk in health", async || {
            let (status, said) = self.stage.edge.health().await;
            (status == 503 && said.contains("database: the disk")).then_some(())
        })
        .await;
        if kills {
            self.stage.edge.kill();
            self.stage.edge.serve().await;
        }
        self.ledger.renew(&self.stage).await;
        self.stage.edge.disk().free();
        self.all_acknowledged(&refused).await;
    }

    /// The same while NGINX' memory for session routes is full.
    async fn fill_memory(&mut self, changes: &[Change], kills: bool) {
        let filler = Filler::fill(&self.stage).await;
        let refused = self.changed_without_room(changes).await;
        if kills {
            self.stage.edge.kill_nginx();
        }
        self.settle().await;
        filler.check(&self.stage).await;
        filler.end(&self.stage).await;
        self.all_acknowledged(&refused).await;
    }

    /// Has those changes acknowledged that need no room, and those refused that do. Gives the latter.
    async fn changed_without_room(&mut self, changes: &[Change]) -> Vec<Change> {
        let (stage, ledger) = (&self.stage, &self.ledger);
        let mut refused = Vec::new();
        // what is new first: what ends makes room
        let (new, others): (Vec<_>, Vec<_>) = changes.iter().partition(|one| ledger.is_new(one));
        for change in new.into_iter().chain(others) {
            let needs_room = ledger.is_new(change);
            match ledger.attempt(stage, change).await {
                Outcome::NoRoom if needs_room => refused.push(change.clone()),
                Outcome::Done if !needs_room => {}
                outcome => panic!("{change:?} without room: {outcome:?}"),
            }
        }
        ledger.renew(stage).await;
        self.tally.add(Count::Refused, refused.len());
        refused
    }
}

/// Does to NGINX, or to an edge that goes on, what is to happen.
async fn strike(edge: &Edge, happening: Happening) {
    match happening {
        Happening::MasterKilled => edge.masters().into_iter().for_each(kill),
        Happening::WorkersKilled => edge.kill_workers(),
        Happening::NginxKilled => {
            edge.kill_nginx();
            let (status, said) = edge.health().await;
            // unless it is there again already
            assert!(status == 503 || !edge.masters().is_empty(), "{said}");
        }
        Happening::PidFileLost => std::fs::remove_file(edge.state("nginx.pid")).unwrap(),
        Happening::ControlSocketLost => {
            let before = edge.masters();
            std::fs::remove_file(edge.control()).unwrap();
            until("another NGINX", async || {
                (edge.masters() != before).then_some(())
            })
            .await;
        }
        Happening::NginxReloaded => {
            let signal = |pid| kill_process(Pid::from_raw(pid).unwrap(), Signal::HUP).unwrap();
            edge.masters().into_iter().for_each(signal);
        }
        Happening::EdgeHungUp => {
            kill_process(Pid::from_raw(edge.pid()).unwrap(), Signal::HUP).unwrap();
        }
        Happening::SecondServe => {
            let (is_well, said) = edge.run(&["serve"]);
            assert!(
                !is_well && said.contains("another `mkys-edge serve`"),
                "{said}"
            );
        }
        _ => unreachable!("{happening:?} is done elsewhere"),
    }
}
