//! Random kills under changes: exactly the acknowledged changes are served, by one NGINX.
//!
//! `SEED` draws the victims and is printed; `N` is the number of kills.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use mkys_edge_client::{Audience, EdgeError};

use crate::edge::{PREFIX, Stage, kill, path, spec, until};
use crate::service::Service;
use crate::visitor::{is_at, visit};

/// A linear congruential generator (Knuth's MMIX).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        let next = self.0.wrapping_mul(6_364_136_223_846_793_005);
        self.0 = next.wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Adds or deletes a session until that is acknowledged.
async fn change(stage: &Stage, name: &str, target: Option<&Service>) {
    until("an acknowledgement", async || {
        let done = match target {
            Some(service) => {
                let spec = spec(name, service, 600);
                stage.holder.put_session(name, &spec).await.map(drop)
            }
            None => stage.holder.delete_session(name).await,
        };
        match done {
            Ok(()) => Some(()),
            Err(EdgeError::Unreachable { .. } | EdgeError::Unexpected { status: 503, .. }) => None,
            Err(error) => panic!("{error}"),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn random_kills_lose_no_acknowledged_change() {
    let by_time = || {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.map(|now| now.as_secs()).unwrap_or_default()
    };
    let seed = from_environment("SEED").unwrap_or_else(by_time);
    println!("SEED={seed}");
    let mut chance = Chance(seed);
    let mut stage = Stage::new(&[Audience::Users]).await;
    let games = [Service::start("one").await, Service::start("two").await];
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut wanted: BTreeMap<&str, Option<usize>> = names.map(|name| (name, None)).into();
    for round in 0..from_environment("N").unwrap_or(12) {
        // some are changed while something dies
        let changes: Vec<_> = names
            .iter()
            .filter_map(|name| {
                let draw = usize::try_from(chance.below(4)).unwrap();
                let target = (draw < 2).then_some(draw);
                (draw < 3).then_some((*name, target))
            })
            .collect();
        let victim = chance.below(6);
        let delay = Duration::from_millis(chance.below(40));
        let changed = futures_util::future::join_all(changes.iter().map(async |(name, target)| {
            change(&stage, name, target.map(|target| &games[target])).await;
        }));
        let killed = async {
            tokio::time::sleep(delay).await;
            match victim {
                0 => stage.edge.masters().into_iter().for_each(kill),
                1 => stage.edge.kill_workers(),
                2 => stage.edge.kill_nginx(),
                3 => std::fs::remove_file(stage.edge.state("nginx.pid")).unwrap_or_default(),
                _ => kill(stage.edge.pid()),
            }
        };
        let restarted = async {
            killed.await;
            victim
        };
        if victim < 4 {
            tokio::join!(changed, restarted);
        } else {
            // nobody acknowledges anything before it is there again
            let unfinished = tokio::time::timeout(Duration::from_millis(300), changed);
            let _ = tokio::join!(unfinished, restarted);
            stage.edge.kill();
            if victim == 5 {
                stage.edge.masters().into_iter().for_each(kill);
            }
            stage.edge.serve().await;
            for (name, target) in &changes {
                change(&stage, name, target.map(|target| &games[target])).await;
            }
        }
        wanted.extend(changes);
        until("one healthy NGINX", async || {
            let is_well = stage.edge.health().await.0 == 200;
            (is_well && stage.edge.masters().len() == 1).then_some(())
        })
        .await;
        let users = stage.edge.users;
        for (name, target) in &wanted {
            let expected = target.map_or("the lobby", |target| ["one", "two"][target]);
            for _ in 0..10 {
                // a worker that is killed takes the request with it that it has
                let found = visit(users, &path(name)).await;
                assert!(
                    found == (200, expected.to_owned()),
                    "round {round}, victim {victim}, {name}: {found:?} and not {expected}"
                );
            }
        }
        assert_eq!(
            stage.edge.masters().len(),
            1,
            "round {round}, victim {victim}"
        );
        assert!(is_at(users, PREFIX, "the lobby").await);
    }
}
