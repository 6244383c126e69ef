//! Whatever dies: what was acknowledged and has not lapsed is served, and nothing else.

use mkys_edge_client::Audience;

use crate::edge::{Stage, path, spec, until};
use crate::service::Service;
use crate::visitor::{Socket, is_at, visit};

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_although_the_edge_is_dead() {
    let mut stage = Stage::new(&[Audience::Users]).await;
    let game = Service::start("a game").await;
    let (short, long) = (spec("short", &game, 8), spec("long", &game, 600));
    stage.holder.put_session("long", &long).await.unwrap();
    stage.holder.put_session("short", &short).await.unwrap();
    let users = stage.edge.users;
    let goes = Socket::open(users, &path("short")).await;
    let mut stays = Socket::open(users, &path("long")).await;
    stage.edge.kill();
    until("its end", async || {
        let is_there = is_at(users, &path("short"), "a game").await;
        (!is_there).then_some(())
    })
    .await;
    goes.ends().await;
    assert!(stays.echoes().await);
    assert!(is_at(users, &path("long"), "a game").await);

    stage.edge.serve().await;
    let left = stage.holder.sessions().await.unwrap();
    let left: Vec<_> = left.iter().map(|one| &*one.session.name).collect();
    assert_eq!(left, ["long"]);
    // the use of what goes on is known although it was another mkys-edge that began it
    let status = stage.holder.session("long").await.unwrap();
    assert_eq!(status.connections, 1);
    assert!(stays.echoes().await);
    assert!(is_at(users, &path("short"), "the lobby").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_what_was_acknowledged_is_served_after_both_were_killed() {
    let mut stage = Stage::new(&[Audience::Users]).await;
    let game = Service::start("a game").await;
    for name in ["stays", "deleted"] {
        let put = spec(name, &game, 600);
        stage.holder.put_session(name, &put).await.unwrap();
    }
    let short = spec("short", &game, 5);
    let short = stage.holder.put_session("short", &short).await.unwrap();
    stage.holder.delete_session("deleted").await.unwrap();
    let last = spec("last", &game, 600);
    stage.holder.put_session("last", &last).await.unwrap();
    stage.edge.kill();
    stage.edge.kill_nginx();
    let users = stage.edge.users;
    until("silence", async || {
        (visit(users, "/play").await.0 == 0).then_some(())
    })
    .await;
    until("the end of the short one", async || {
        (jiff::Timestamp::now() > short.expires_at).then_some(())
    })
    .await;

    stage.edge.serve().await;
    // until they are known: not yet, which is not the same as not there
    until("the routes", async || {
        match visit(users, &path("stays")).await {
            (503 | 0, _) => None,
            answer => {
                assert_eq!(answer, (200, "a game".to_owned()));
                Some(())
            }
        }
    })
    .await;
    assert!(is_at(users, &path("last"), "a game").await);
    for gone in ["deleted", "short"] {
        assert!(is_at(users, &path(gone), "the lobby").await, "{gone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_that_comes_back_alone_is_told_again() {
    let stage = Stage::new(&[Audience::Users]).await;
    let game = Service::start("a game").await;
    let put = stage.holder.put_session("g", &spec("g", &game, 600)).await;
    put.unwrap();
    // its workers only: the memory is the master's
    stage.edge.kill_workers();
    let users = stage.edge.users;
    until("new workers", async || {
        is_at(users, &path("g"), "a game").await.then_some(())
    })
    .await;
}
