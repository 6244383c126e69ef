//! A delegation is worth no more than the route that it is of.

use mkys_edge_client::{Audience, Decision, EdgeError};

use crate::edge::{PREFIX, Stage, path, spec};
use crate::service::Service;
use crate::visitor::{Socket, is_at, visit};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_withdrawn_from_an_audience_is_withdrawn_below_as_well() {
    let stage = Stage::new(&Audience::ALL).await;
    let (edge, holder) = (&stage.edge, &stage.holder);
    let game = Service::start("a game").await;
    holder
        .put_session("g", &spec("g", &game, 600))
        .await
        .unwrap();
    let goes = Socket::open(edge.users, &path("g")).await;
    let mut stays = Socket::open(edge.devops, &path("g")).await;
    edge.decide(&stage.route, Audience::Users, Decision::Withdraw)
        .await;
    assert_eq!(visit(edge.users, &path("g")).await.0, 404);
    goes.ends().await;
    assert!(stays.echoes().await, "cut with the other audience");
    assert!(is_at(edge.devops, &path("g"), "a game").await);
    assert_eq!(
        holder.delegation().await.unwrap().audiences,
        [Audience::Devops]
    );

    // nothing is added for nobody
    edge.decide(&stage.route, Audience::Devops, Decision::Withdraw)
        .await;
    stays.ends().await;
    let refused = holder.put_session("h", &spec("h", &game, 600)).await;
    assert!(
        matches!(refused, Err(EdgeError::Conflict { .. })),
        "{refused:?}"
    );

    // approved again: what has not lapsed meanwhile is served
    edge.decide(&stage.route, Audience::Users, Decision::Approve)
        .await;
    assert!(is_at(edge.users, &path("g"), "a game").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_ends_by_being_revoked_and_with_its_route() {
    let stage = Stage::new(&[Audience::Users]).await;
    let (edge, holder) = (&stage.edge, &stage.holder);
    let game = Service::start("a game").await;
    let other = edge.delegate(&stage.route, "other", 1).await;
    holder
        .put_session("g", &spec("g", &game, 600))
        .await
        .unwrap();
    other
        .put_session("g", &spec("o", &game, 600))
        .await
        .unwrap();
    let socket = Socket::open(edge.users, &path("g")).await;
    let mut stays = Socket::open(edge.users, &path("o")).await;

    let of = async || {
        let all = edge
            .administrator
            .delegations(stage.route.id)
            .await
            .unwrap();
        all.into_iter().map(|one| one.holder).collect::<Vec<_>>()
    };
    assert_eq!(of().await, ["other", "runner"]);
    let route = stage.route.id;
    edge.administrator
        .revoke_delegation(route, "runner")
        .await
        .unwrap();
    edge.administrator
        .revoke_delegation(route, "runner")
        .await
        .unwrap();
    assert_eq!(of().await, ["other"]);
    assert!(is_at(edge.users, &path("g"), "the lobby").await);
    socket.ends().await;
    assert!(matches!(
        holder.sessions().await,
        Err(EdgeError::Token { .. })
    ));
    assert!(stays.echoes().await, "cut with the other delegation");

    // another address of the service: still what was delegated
    let mut changed = stage.route.spec.clone();
    changed.targets.remove(&Audience::Devops);
    changed.access.remove(&Audience::Devops);
    edge.requester.update_route(route, &changed).await.unwrap();
    assert!(stays.echoes().await && is_at(edge.users, &path("o"), "a game").await);
    // another service: somebody decides anew
    changed.service = "another".into();
    let another = edge.requester.update_route(route, &changed).await.unwrap();
    assert_eq!(visit(edge.users, &path("o")).await.0, 404);
    stays.ends().await;
    assert!(matches!(
        other.delegation().await,
        Err(EdgeError::Token { .. })
    ));

    edge.decide(&another, Audience::Users, Decision::Approve)
        .await;
    let last = edge.delegate(&stage.route, "runner", 1).await;
    last.put_session("g", &spec("g", &game, 600)).await.unwrap();
    let socket = Socket::open(edge.users, &path("g")).await;
    edge.requester.delete_route(route).await.unwrap();
    assert_eq!(visit(edge.users, PREFIX).await.0, 404);
    assert_eq!(visit(edge.users, &path("g")).await.0, 404);
    socket.ends().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_on_the_machine_tells_nginx_its_routes() {
    let stage = Stage::new(&[Audience::Users]).await;
    let told = async |user: u32| {
        let mut command = tokio::process::Command::new("curl");
        command
            .uid(user)
            .args(["--silent", "--show-error", "--unix-socket"])
            .arg(stage.edge.control())
            .arg("http://nginx/status");
        command.output().await.unwrap()
    };
    assert!(told(0).await.status.success());
    let nobody = told(65534).await;
    assert!(!nobody.status.success(), "{nobody:?}");
}
