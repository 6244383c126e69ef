//! What a delegation does not allow is refused, with the field that is to blame.

use mkys_edge_client::{Audience, Decision, DelegationRequest, EdgeError, Refusal, SessionSpec};

use crate::edge::{HOST, Stage, path, spec};
use crate::service::Service;
use crate::visitor::is_at;

/// The kind of a refusal and its field.
fn refusal<T: std::fmt::Debug>(result: Result<T, EdgeError>) -> (&'static str, String) {
    let (kind, Refusal { field, error }) = match result {
        Err(EdgeError::Forbidden { refusal }) => ("forbidden", refusal),
        Err(EdgeError::Invalid { refusal }) => ("invalid", refusal),
        Err(EdgeError::Conflict { refusal }) => ("conflict", refusal),
        other => panic!("{other:?}"),
    };
    assert!(!error.is_empty());
    (kind, field.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_reaches_no_further_than_was_delegated() {
    let stage = Stage::new(&[Audience::Users]).await;
    let (edge, holder) = (&stage.edge, &stage.holder);
    let game = Service::start("a game").await;
    let good = || spec("g", &game, 60);
    let outside = SessionSpec {
        target: "127.1.0.1:80".parse().unwrap(),
        ..good()
    };
    let at = |path: &str| SessionSpec {
        path: path.into(),
        ..good()
    };
    let cases = [
        ("G", good(), "invalid", "name"),
        ("g", at("/play"), "forbidden", "path"),
        ("g", at("/player/g"), "forbidden", "path"),
        ("g", at("/play/../g"), "invalid", "path"),
        ("g", outside, "forbidden", "target"),
        ("g", SessionSpec { ttl_s: 4, ..good() }, "invalid", "ttl_s"),
    ];
    for (name, spec, kind, field) in cases {
        let refused = refusal(holder.put_session(name, &spec).await);
        assert_eq!(refused, (kind, field.to_owned()), "{name} {spec:?}");
    }
    assert!(is_at(edge.users, &path("g"), "the lobby").await);
    assert!(holder.sessions().await.unwrap().is_empty());

    // neither is a token for routes one for sessions, nor the other way round
    let refused = edge.requester.put_session("g", &good()).await;
    assert!(
        matches!(refused, Err(EdgeError::Token { .. })),
        "{refused:?}"
    );
    let refused = holder.routes().await;
    assert!(
        matches!(refused, Err(EdgeError::Token { .. })),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_what_is_somebody_elses() {
    let stage = Stage::new(&[Audience::Users]).await;
    let (edge, holder) = (&stage.edge, &stage.holder);
    let (game, own) = (Service::start("a game").await, Service::start("own").await);
    // a lasting route below the prefix, and another holder
    let lasting = edge.route(HOST, "/play/rules", &own).await;
    edge.decide(&lasting, Audience::Users, Decision::Approve)
        .await;
    let other = edge.delegate(&stage.route, "other", 2).await;
    other
        .put_session("o", &spec("theirs", &own, 60))
        .await
        .unwrap();

    holder
        .put_session("mine", &spec("mine", &game, 60))
        .await
        .unwrap();
    for taken in ["rules", "rules/more", "theirs", "theirs/more", "mine"] {
        let refused = refusal(holder.put_session("g", &spec(taken, &game, 60)).await);
        assert_eq!(refused, ("conflict", "path".to_owned()), "{taken}");
    }
    assert!(is_at(edge.users, &path("rules/more"), "own").await);
    assert!(is_at(edge.users, &path("theirs/more"), "own").await);
    // beside it by name, below its own
    for free in ["rulesandmore", "mine/more"] {
        let put = holder.put_session("g", &spec(free, &game, 60)).await;
        put.unwrap();
        assert!(is_at(edge.users, &path(free), "a game").await);
    }
    // names are each holder's own, and a lasting route cannot take a session's place
    other
        .put_session("mine", &spec("second", &own, 60))
        .await
        .unwrap();
    let mut wish = lasting.spec.clone();
    wish.path = path("mine");
    let refused = refusal(edge.requester.create_route(&wish).await);
    assert_eq!(refused, ("conflict", "path".to_owned()));

    // as many as the limit, and replacing one of them is not one more
    let refused = refusal(other.put_session("third", &spec("third", &own, 60)).await);
    assert_eq!(refused, ("conflict", "limit".to_owned()));
    other
        .put_session("mine", &spec("third", &own, 60))
        .await
        .unwrap();
    other.delete_session("o").await.unwrap();
    other
        .put_session("fourth", &spec("fourth", &own, 60))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn only_somebody_else_delegates_and_only_what_is_approved() {
    let stage = Stage::new(&[Audience::Users]).await;
    let edge = &stage.edge;
    let request = DelegationRequest {
        holder: "second".into(),
        networks: vec!["127.0.0.0/16".parse().unwrap()],
        limit: 1,
    };
    let refused = edge.requester.delegate(stage.route.id, &request).await;
    assert_eq!(refusal(refused).0, "forbidden");
    let refused = edge
        .requester
        .revoke_delegation(stage.route.id, "runner")
        .await;
    assert_eq!(refusal(refused).0, "forbidden");
    let pending = edge.route(HOST, "/pending", &stage.lobby).await;
    let refused = edge.administrator.delegate(pending.id, &request).await;
    assert_eq!(refusal(refused).0, "conflict");
    let again = DelegationRequest {
        holder: "runner".into(),
        ..request
    };
    let refused = edge.administrator.delegate(stage.route.id, &again).await;
    assert_eq!(refusal(refused), ("conflict", "holder".to_owned()));
}
