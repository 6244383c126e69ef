//! What is asked of a service again, and what is not: a request that it may have begun to work on is its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mkys_edge_client::{Audience, SessionSpec};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket};

use crate::edge::{HOST, Stage, path};
use crate::script::{Script, exchange, status};
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

/// A service that ends each connection: at once, or after it has said something of a head.
async fn breaks(says: &'static str) -> Script {
    Script::start(move |mut stream| async move {
        let _ = stream.write_all(says.as_bytes()).await;
    })
    .await
}

async fn send(stage: &Stage, method: &str, body: &str) -> (u16, String) {
    let (place, length) = (path("work"), body.len());
    let request = format!(
        "{method} {place} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    let answer = exchange(stage.edge.users, &request).await;
    (status(&answer), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn read_requests_are_sent_twice_at_most() {
    let stage = Stage::new(&[Audience::Users]).await;
    for (method, body, times) in [
        ("GET", "", 2),
        ("OPTIONS", "", 2),
        ("PUT", "x", 1),
        ("PUT", "", 1),
        ("DELETE", "", 1),
        ("DELETE", "x", 1),
        ("POST", "x", 1),
        ("PATCH", "x", 1),
    ] {
        let service = breaks("").await;
        stage.lead("work", service.address).await;
        let (status, answer) = send(&stage, method, body).await;
        assert_eq!(status, 502, "{method} {answer}");
        assert!(answer.contains("does not answer"), "{method} {answer}");
        assert_eq!(service.heads().len(), times, "{method} {body:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_are_requested_once() {
    let stage = Stage::new(&[Audience::Users]).await;
    let large = format!("HTTP/1.1 200 OK\r\nX-Big: {}\r\n\r\n", "x".repeat(40_000));
    for says in [
        large.leak(),
        "HTTP/1.1 200 OK\r\nX-Half: a head",
        "HTTP/1.1 200 OK\r\nX-Nul: \0\r\n\r\n",
    ] {
        let service = breaks(says).await;
        stage.lead("work", service.address).await;
        let (status, answer) = send(&stage, "GET", "").await;
        assert_eq!(status, 502, "{answer}");
        assert!(answer.contains("cannot be handed on"), "{answer}");
        assert_eq!(service.heads().len(), 1, "{says:.40}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_wait_for_a_replaced_service() {
    let stage = Stage::new(&[Audience::Users]).await;
    let socket = vacant();
    leads_to(&stage, socket.local_addr().unwrap()).await;
    let sizes = [10, 1_000_000].map(|size| {
        let users = stage.edge.users;
        tokio::spawn(async move {
            let (place, body) = (path("work"), "x".repeat(size));
            let request = format!(
                "POST {place} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n{body}"
            );
            exchange(users, &request).await
        })
    });
    tokio::time::sleep(Duration::from_millis(700)).await;
    let next = Script::start(|mut stream| async move {
        let mut room = vec![0; 65_536];
        let mut come = 0;
        while come != 10 && come != 1_000_000 {
            come += stream.read(&mut room).await.unwrap();
        }
        let said = format!("{come} bytes");
        let length = said.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{said}");
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    leads_to(&stage, next.address.into()).await;
    for (asked, size) in sizes.into_iter().zip(["10", "1000000"]) {
        let answer = asked.await.unwrap();
        assert!(answer.ends_with(&format!("{size} bytes")), "{answer}");
    }
}
