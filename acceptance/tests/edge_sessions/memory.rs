//! NGINX' memory for routes: a changed size loses nothing, and a full one refuses before the write.

use mkys_edge_client::{Audience, Decision, EdgeError, SessionSpec};
use serde_json::json;

use crate::edge::{PREFIX, Stage, path, spec, until};
use crate::service::Service;
use crate::visitor::{Socket, is_at, visit};

#[tokio::test(flavor = "multi_thread")]
async fn changed_memory_size_loses_nothing() {
    let mut stage = Stage::new(&[Audience::Users]).await;
    let game = Service::start("a game").await;
    let put = async |stage: &Stage, ttl_s| {
        let put = stage
            .holder
            .put_session("g", &spec("g", &game, ttl_s))
            .await;
        put.unwrap();
    };
    put(&stage, 600).await;
    let users = stage.edge.users;
    let mut socket = Socket::open(users, &path("g")).await;
    for mib in [8, 5, 16] {
        stage.edge.set("/nginx/routes_mib", json!(mib));
        // something else as well, so that NGINX is reloaded
        stage.edge.set("/nginx/answer_s", json!(mib));
        stage.edge.kill();
        stage.edge.serve().await;
        for _ in 0..100 {
            assert!(is_at(users, PREFIX, "the lobby").await, "{mib}");
            assert!(is_at(users, &path("g"), "a game").await, "{mib}");
        }
        assert!(socket.echoes().await, "{mib}");
    }
    // those of before a reload are counted, renewed, and ended
    assert_eq!(stage.holder.session("g").await.unwrap().connections, 1);
    put(&stage, 5).await;
    let before = jiff::Timestamp::now();
    until("two leases", async || {
        stage.holder.renew_sessions(["g"]).await.unwrap();
        (jiff::Timestamp::now().duration_since(before).as_secs() > 10).then_some(())
    })
    .await;
    assert!(socket.echoes().await);
    stage
        .edge
        .decide(&stage.route, Audience::Users, Decision::Withdraw)
        .await;
    socket.ends().await;
    stage
        .edge
        .decide(&stage.route, Audience::Users, Decision::Approve)
        .await;

    // an NGINX that starts anew has the size
    let size = |stage: &Stage| {
        let text = std::fs::read_to_string(stage.edge.state("nginx.conf")).unwrap();
        text.contains("lua_shared_dict mkys_routes 16m;")
    };
    assert!(!size(&stage));
    stage.edge.kill_nginx();
    until("the lobby", async || {
        is_at(users, PREFIX, "the lobby").await.then_some(())
    })
    .await;
    assert!(size(&stage));
}

#[tokio::test(flavor = "multi_thread")]
async fn full_memory_refuses_only_new_sessions() {
    let stage = Stage::with(&[Audience::Users], json!({ "routes_mib": 1 })).await;
    let (edge, users) = (&stage.edge, stage.edge.users);
    let game = Service::start("a game").await;
    // the sum of limits fits, for short paths
    let big = edge.delegate(&stage.route, "big", 1_000).await;
    let refused = edge.try_delegate(&stage.route, "more", 1_000).await;
    let Err(EdgeError::Conflict { refusal }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(refusal.field.as_deref(), Some("limit"));

    let long = "a".repeat(480);
    let at = |number: usize| SessionSpec {
        path: format!("{PREFIX}/{number}/{long}"),
        target: game.address,
        ttl_s: 600,
    };
    let mut held = 0;
    let refused = loop {
        match big.put_session(&format!("g{held}"), &at(held)).await {
            Ok(_) => held += 1,
            Err(error) => break error,
        }
    };
    let EdgeError::Unexpected { status, reason, .. } = refused else {
        panic!("{refused}");
    };
    assert!(
        status == 507 && reason.contains("nginx.routes_mib"),
        "{status} {reason}"
    );
    assert!(held > 300, "{held}");
    assert_eq!(big.sessions().await.unwrap().len(), held);
    // sessions that stand are renewed and replaced
    let again = SessionSpec {
        ttl_s: 300,
        ..at(7)
    };
    big.put_session("g7", &again).await.unwrap();
    let renewed = big.renew_sessions(["g0", "g1"]).await.unwrap();
    assert_eq!(renewed.renewed.len(), 2);

    // everybody else's routes are taken, served, and served again by another NGINX
    let other = edge.route("other.mkys.test", "/", &stage.lobby).await;
    edge.decide(&other, Audience::Users, Decision::Approve)
        .await;
    let all_served = async || {
        for number in [0, held - 1] {
            assert!(is_at(users, &at(number).path, "a game").await, "{number}");
        }
        assert!(is_at(users, PREFIX, "the lobby").await);
    };
    all_served().await;
    edge.kill_nginx();
    until("the routes", async || {
        is_at(users, PREFIX, "the lobby").await.then_some(())
    })
    .await;
    all_served().await;
    until("health", async || {
        (edge.health().await.0 == 200).then_some(())
    })
    .await;
    assert_eq!(visit(users, "/nothing").await.0, 404);
    // freed memory is used again
    big.delete_session("g0").await.unwrap();
    big.put_session("next", &at(held)).await.unwrap();
}
