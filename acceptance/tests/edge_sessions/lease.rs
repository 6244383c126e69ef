//! A lease is served once it is acknowledged, and ends with its time, alone.

use std::time::Duration;

use jiff::Timestamp;
use mkys_edge_client::{Audience, EdgeError};

use crate::edge::{Stage, path, spec, until};
use crate::service::Service;
use crate::visitor::{Socket, is_at, visit};

/// NGINX looks at its clock once a turn: so much earlier may look right to it.
const EARLY: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn it_is_served_when_it_is_acknowledged_and_replaced_in_place() {
    let stage = Stage::new(&[Audience::Users]).await;
    let (edge, holder) = (&stage.edge, &stage.holder);
    let (one, two) = (Service::start("one").await, Service::start("two").await);
    let put = holder.put_session("g", &spec("g", &one, 60)).await.unwrap();
    assert!(is_at(edge.users, &path("g"), "one").await);
    assert!(is_at(edge.users, "/play/g/and/below", "one").await);
    // whole segments only, and the rest is the route's own
    assert!(is_at(edge.users, "/play/gg", "the lobby").await);
    // nobody approved the route for devops
    assert_eq!(visit(edge.devops, &path("g")).await.0, 404);

    let mut socket = Socket::open(edge.users, &path("g")).await;
    let again = holder.put_session("g", &spec("g", &one, 60)).await.unwrap();
    assert_eq!((again.id, again.created_at), (put.id, put.created_at));
    assert!(again.expires_at > put.expires_at);
    holder.put_session("g", &spec("g", &two, 60)).await.unwrap();
    assert!(is_at(edge.users, &path("g"), "two").await);
    assert!(socket.echoes().await, "cut by another target");

    // another path: what was there is the route's again
    let moved = spec("moved", &two, 60);
    holder.put_session("g", &moved).await.unwrap();
    assert!(is_at(edge.users, &path("moved"), "two").await);
    assert!(is_at(edge.users, &path("g"), "the lobby").await);
    socket.ends().await;
    let found = holder.session("g").await.unwrap().session;
    assert_eq!((found.id, found.path), (put.id, path("moved")));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_not_renewed_ends_with_its_websockets_and_no_other() {
    let stage = Stage::new(&[Audience::Users]).await;
    let (edge, holder) = (&stage.edge, &stage.holder);
    let game = Service::start("a game").await;
    let kept = holder.put_session("kept", &spec("kept", &game, 8)).await;
    let kept = kept.unwrap();
    let mut stays = Socket::open(edge.users, &path("kept")).await;
    let lost = holder.put_session("lost", &spec("lost", &game, 5)).await;
    let lost = lost.unwrap();
    let goes = Socket::open(edge.users, &path("lost")).await;

    let outlived = kept.expires_at + Duration::from_secs(2);
    let ended = until("the end of the one", async || {
        let renewed = holder.renew_sessions(["kept"]).await.unwrap();
        assert!(renewed.unknown.is_empty(), "{renewed:?}");
        let is_there = is_at(edge.users, &path("lost"), "a game").await;
        (!is_there).then(Timestamp::now)
    })
    .await;
    assert!(ended >= lost.expires_at - EARLY, "{ended} {lost:?}");
    let late = ended.duration_since(lost.expires_at);
    println!("not served {late:#} after its time");
    goes.ends().await;
    println!(
        "cut {:#} after its time",
        Timestamp::now().duration_since(lost.expires_at)
    );
    assert!(is_at(edge.users, &path("lost"), "the lobby").await);
    assert!(matches!(
        holder.session("lost").await,
        Err(EdgeError::NotFound { .. })
    ));
    until("a time that only renewals reach", async || {
        let renewed = holder.renew_sessions(["kept", "lost"]).await.unwrap();
        assert_eq!(renewed.renewed, ["kept"]);
        assert_eq!(renewed.unknown, ["lost"]);
        assert!(stays.echoes().await, "cut by the other's end");
        (Timestamp::now() > outlived).then_some(())
    })
    .await;
    assert!(is_at(edge.users, &path("kept"), "a game").await);

    // its name again: another session
    let again = holder.put_session("lost", &spec("lost", &game, 60)).await;
    assert_ne!(again.unwrap().id, lost.id);
    assert!(is_at(edge.users, &path("lost"), "a game").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_one_cuts_its_own_websockets_only() {
    let stage = Stage::new(&[Audience::Users]).await;
    let (edge, holder) = (&stage.edge, &stage.holder);
    let game = Service::start("a game").await;
    for name in ["a", "b"] {
        let put = holder.put_session(name, &spec(name, &game, 600)).await;
        put.unwrap();
    }
    let goes = Socket::open(edge.users, &path("a")).await;
    let mut stays = Socket::open(edge.users, &path("b")).await;
    let mut lobby = Socket::open(edge.users, "/play").await;
    // one that is added where the lobby's websocket goes cuts nobody
    let put = holder.put_session("c", &spec("socket", &game, 600)).await;
    put.unwrap();
    assert!(is_at(edge.users, &path("socket"), "a game").await);
    holder.delete_session("a").await.unwrap();
    assert!(is_at(edge.users, &path("a"), "the lobby").await);
    goes.ends().await;
    assert!(stays.echoes().await && lobby.echoes().await);
    // one that is not there is no error
    holder.delete_session("a").await.unwrap();
    let left = holder.sessions().await.unwrap();
    let left: Vec<_> = left.iter().map(|one| &*one.session.name).collect();
    assert_eq!(left, ["b", "c"]);
}
