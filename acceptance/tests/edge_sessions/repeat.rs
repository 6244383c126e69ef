//! What is asked of a service again, and what is not: a request that it may have begun to work on is its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mkys_edge_client::{Audience, SessionSpec};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};

use crate::edge::{Stage, path};
use crate::service::{Service, head};
use crate::visitor::ask;

/// Takes requests at a listener and answers none: keeps them, or closes the connection. Gives how many there were.
fn takes(listener: TcpListener, keeps: bool) -> Arc<AtomicUsize> {
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if head(&mut stream).await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
            if keeps {
                kept.push(stream);
            }
        }
    });
    taken
}

async fn leads_to(stage: &Stage, target: SocketAddr) {
    let spec = SessionSpec {
        path: path("work"),
        target: target.to_string().parse().unwrap(),
        ttl_s: 60,
    };
    stage.holder.put_session("work", &spec).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_works_for_too_long_is_asked_once() {
    let stage = Stage::with(&[Audience::Users], json!({ "answer_s": 1 })).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    leads_to(&stage, listener.local_addr().unwrap()).await;
    let taken = takes(listener, true);
    for (asked, method) in ["GET", "PUT", "POST"].into_iter().enumerate() {
        let (status, text) = ask(stage.edge.users, method, &path("work")).await;
        assert_eq!(status, 504, "{method}: {text}");
        assert!(text.contains("did not answer in time"), "{text}");
        assert_eq!(taken.load(Ordering::SeqCst), asked + 1, "{method}");
    }
}

/// A place where nobody listens and nobody else can.
fn vacant() -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_while_a_service_is_replaced_waits_for_the_next() {
    let stage = Stage::new(&[Audience::Users]).await;
    let socket = vacant();
    leads_to(&stage, socket.local_addr().unwrap()).await;
    let asking = ["GET", "POST"].map(|method| {
        let users = stage.edge.users;
        tokio::spawn(async move { ask(users, method, &path("work")).await })
    });
    tokio::time::sleep(Duration::from_millis(700)).await;
    let next = Service::start("the next").await;
    leads_to(&stage, next.address.into()).await;
    for asked in asking {
        assert_eq!(asked.await.unwrap(), (200, "the next".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_ever_comes_that_is_said() {
    let stage = Stage::new(&[Audience::Users]).await;
    let socket = vacant();
    leads_to(&stage, socket.local_addr().unwrap()).await;
    let (status, text) = ask(stage.edge.users, "GET", &path("work")).await;
    assert_eq!(status, 502);
    assert!(text.contains("does not answer"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_that_a_service_has_seen_is_not_sent_again() {
    let stage = Stage::new(&[Audience::Users]).await;
    let socket = vacant();
    leads_to(&stage, socket.local_addr().unwrap()).await;
    let asking = tokio::spawn({
        let users = stage.edge.users;
        async move { ask(users, "POST", &path("work")).await }
    });
    // meanwhile it is tried in vain; then somebody listens, takes it and goes away
    tokio::time::sleep(Duration::from_millis(300)).await;
    let taken = takes(socket.listen(16).unwrap(), false);
    let (status, text) = asking.await.unwrap();
    assert_eq!((status, taken.load(Ordering::SeqCst)), (502, 1), "{text}");
}
