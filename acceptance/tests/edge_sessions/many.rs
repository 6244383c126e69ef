//! Many at once: writers share the wait for the disk, and none is acknowledged that is not served.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mkys_edge_client::Audience;

use crate::edge::{Stage, path, spec};
use crate::service::Service;
use crate::visitor::is_at;

fn names(number: usize) -> Vec<String> {
    (0..number).map(|one| format!("g{one}")).collect()
}

/// Half of them and nearly all, in milliseconds.
fn quantiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    format!("p50 {:.1} ms, p99 {:.1} ms", at(50), at(99))
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_added_renewed_and_ended_at_once() {
    let stage = Stage::new(&[Audience::Users]).await;
    let (holder, users) = (&stage.holder, stage.edge.users);
    let game = Service::start("a game").await;
    let names = names(100);
    let put = async |name: &str| {
        let spec = spec(name, &game, 600);
        let start = Instant::now();
        holder.put_session(name, &spec).await.unwrap();
        start.elapsed()
    };
    let mut alone = Vec::new();
    for name in names.iter().take(20) {
        alone.push(put(name).await);
    }
    println!("one after the other: {}", quantiles(alone));

    let start = Instant::now();
    let together = join_all(names.iter().map(async |name| {
        let took = put(name).await;
        assert!(is_at(users, &path(name), "a game").await, "{name}");
        took
    }));
    let together = together.await;
    println!(
        "{} at once: {}, all in {:?}",
        names.len(),
        quantiles(together),
        start.elapsed()
    );

    // the limit is the delegation's, whoever comes first
    let more = holder.put_session("more", &spec("more", &game, 600)).await;
    assert!(more.is_err(), "{more:?}");

    let start = Instant::now();
    let renewed = holder.renew_sessions(&names).await.unwrap();
    println!("renewed in {:?}", start.elapsed());
    assert_eq!(renewed.renewed.len(), names.len());
    assert!(renewed.unknown.is_empty());

    let start = Instant::now();
    assert_eq!(holder.sessions().await.unwrap().len(), names.len());
    println!("listed with their use in {:?}", start.elapsed());

    join_all(names.iter().map(async |name| {
        holder.delete_session(name).await.unwrap();
        assert!(is_at(users, &path(name), "the lobby").await, "{name}");
    }))
    .await;
    assert!(holder.sessions().await.unwrap().is_empty());
}
