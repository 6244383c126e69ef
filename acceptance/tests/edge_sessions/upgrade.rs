//! Connections that a visitor wants to upgrade and a service does not: nothing comes past the route by them.

use std::sync::{Arc, Mutex};

use mkys_edge_client::{Audience, SessionSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::edge::{HOST, Stage, path};
use crate::service::head;
use crate::visitor::PATIENCE;

/// A service that answers any number of requests on a connection, and knows of no websockets. Gives where it is, and what it was asked for.
async fn plain(answer: &'static str) -> (std::net::SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                while let Ok(head) = head(&mut stream).await {
                    let line = head.lines().next().unwrap_or_default().to_owned();
                    log.lock().unwrap().push(line);
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, asked)
}

/// What comes back for a wish to upgrade, with another request behind it on the same connection.
async fn smuggled(stage: &Stage, method: &str) -> String {
    let mut visitor = TcpStream::connect(stage.edge.users).await.unwrap();
    let place = path("page");
    let upgrade = format!(
        "{method} {place} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
    visitor.write_all(upgrade.as_bytes()).await.unwrap();
    let mut answer = timeout(PATIENCE, head(&mut visitor))
        .await
        .unwrap()
        .unwrap();
    // whoever has answered may be asked again
    let behind = format!("GET /secret HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    visitor.write_all(behind.as_bytes()).await.unwrap();
    // the end may be a reset
    let _ = timeout(PATIENCE, visitor.read_to_string(&mut answer))
        .await
        .unwrap();
    answer
}

async fn stage(answer: &'static str) -> (Stage, Arc<Mutex<Vec<String>>>) {
    let stage = Stage::new(&[Audience::Users]).await;
    let (address, asked) = plain(answer).await;
    let spec = SessionSpec {
        path: path("page"),
        target: address.to_string().parse().unwrap(),
        ttl_s: 60,
    };
    stage.holder.put_session("page", &spec).await.unwrap();
    (stage, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_upgrade_is_asked_nothing_behind_its_route() {
    for method in ["GET", "POST"] {
        let (stage, asked) = stage("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage").await;
        let answer = smuggled(&stage, method).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert!(answer.contains("page"), "{answer}");
        // by the edge itself
        assert!(answer.contains("There is no route here."), "{answer}");
        let asked = asked.lock().unwrap().clone();
        let expected = format!("{method} {} HTTP/1.1", path("page"));
        assert_eq!(asked, [expected]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_is_refused_is_told() {
    let refusal =
        "HTTP/1.1 403 Forbidden\r\nContent-Type: text/x-why\r\nContent-Length: 7\r\n\r\nnot you";
    let (stage, _) = stage(refusal).await;
    let answer = smuggled(&stage, "GET").await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("text/x-why"), "{answer}");
    assert!(answer.contains("not you"), "{answer}");
    // one that is not sent on is no reason to ask again
    for status in [502, 504] {
        let refusal =
            format!("HTTP/1.1 {status} Behind\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
        let (stage, asked) = self::stage(refusal.leak()).await;
        let answer = smuggled(&stage, "GET").await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
    let (stage, _) = self::stage("SSH-2.0-OpenSSH_9.2\r\n\r\n").await;
    let answer = smuggled(&stage, "GET").await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(answer.contains("it does not speak HTTP"), "{answer}");
}
