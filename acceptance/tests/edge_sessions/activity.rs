//! The holder knows who uses a session, and since when nobody does.

use mkys_edge_client::{Audience, SessionStatus};

use crate::edge::{Stage, path, spec, until};
use crate::service::Service;
use crate::visitor::{Socket, is_at, visit};

async fn status(stage: &Stage, name: &str) -> SessionStatus {
    stage.holder.session(name).await.unwrap()
}

async fn connections(stage: &Stage, name: &str, wanted: u64) {
    until(&format!("{wanted} connections"), async || {
        (status(stage, name).await.connections == wanted).then_some(())
    })
    .await;
}

/// Waits until the session has been idle for two seconds.
async fn idle(stage: &Stage, name: &str) -> u64 {
    until("idleness", async || {
        let idle_s = status(stage, name).await.idle_s;
        (idle_s >= 2).then_some(idle_s)
    })
    .await
}

/// Does something until it is seen as a use: idleness began anew.
async fn used(stage: &Stage, name: &str, mut what: impl AsyncFnMut()) {
    idle(stage, name).await;
    until("the use", async || {
        what().await;
        (status(stage, name).await.idle_s < 2).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_idleness_are_known() {
    let mut stage = Stage::new(&Audience::ALL).await;
    let game = Service::start("a game").await;
    for name in ["g", "quiet"] {
        let put = stage
            .holder
            .put_session(name, &spec(name, &game, 600))
            .await;
        put.unwrap();
    }
    assert_eq!(status(&stage, "g").await.connections, 0);
    let (users, devops) = (stage.edge.users, stage.edge.devops);

    // a plain request counts while it is answered, and is a use when it begins and when it ends
    used(&stage, "g", async || {
        assert!(is_at(users, &path("g"), "a game").await);
    })
    .await;
    connections(&stage, "g", 0).await;
    game.hold(true);
    let waiting = tokio::spawn(async move { visit(users, &path("g")).await });
    connections(&stage, "g", 1).await;
    idle(&stage, "g").await;
    game.hold(false);
    assert_eq!(waiting.await.unwrap().0, 200);
    connections(&stage, "g", 0).await;
    assert!(status(&stage, "g").await.idle_s < status(&stage, "quiet").await.idle_s);

    // a websocket counts while it is open; what passes is a use, whichever way
    let mut one = Socket::open(users, &path("g")).await;
    let two = Socket::open(devops, &path("g")).await;
    connections(&stage, "g", 2).await;
    used(&stage, "g", async || assert!(one.echoes().await)).await;
    used(&stage, "g", async || {
        game.push();
        assert!(one.is_pushed().await);
    })
    .await;
    // one whose machine vanishes says nothing: the kernel asks
    let end = one.at_the_edge();
    assert!(end.contains("timer:(keepalive,"), "{end:?}");
    drop(two);
    connections(&stage, "g", 1).await;

    // another mkys-edge knows the same
    let before = idle(&stage, "g").await;
    stage.edge.kill();
    stage.edge.serve().await;
    let after = status(&stage, "g").await;
    assert_eq!(after.connections, 1);
    assert!(after.idle_s >= before, "{after:?} {before}");

    // all in one question
    let all = stage.holder.sessions().await.unwrap();
    let all: Vec<_> = all
        .iter()
        .map(|one| (&*one.session.name, one.connections))
        .collect();
    assert_eq!(all, [("g", 1), ("quiet", 0)]);
    drop(one);
    connections(&stage, "g", 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_counted_that_was_cut() {
    let stage = Stage::new(&[Audience::Users]).await;
    let users = stage.edge.users;
    let game = Service::start("a game").await;
    let put = stage.holder.put_session("g", &spec("g", &game, 600)).await;
    put.unwrap();
    // whoever goes in the middle of a request, or by a reset
    game.hold(true);
    let waiting = tokio::spawn(async move { visit(users, &path("g")).await });
    let socket = Socket::open(users, &path("g")).await;
    connections(&stage, "g", 2).await;
    waiting.abort();
    drop(socket);
    connections(&stage, "g", 0).await;
    game.hold(false);

    // a worker that is killed can say nothing
    let sockets = [
        Socket::open(users, &path("g")).await,
        Socket::open(users, &path("g")).await,
    ];
    connections(&stage, "g", 2).await;
    stage.edge.kill_workers();
    for socket in sockets {
        socket.ends().await;
    }
    connections(&stage, "g", 0).await;
    assert!(is_at(users, &path("g"), "a game").await);

    // a name that is used again begins with nothing
    let socket = Socket::open(users, &path("g")).await;
    stage.holder.delete_session("g").await.unwrap();
    socket.ends().await;
    let put = stage.holder.put_session("g", &spec("g", &game, 600)).await;
    put.unwrap();
    assert_eq!(status(&stage, "g").await.connections, 0);
}
