//! Connections that a visitor wants to upgrade and a service does not: nothing comes past the route by them.

use std::sync::{Arc, Mutex};

use mkys_edge_client::{Audience, SessionSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::edge::{HOST, Stage, path, spec};
use crate::script::{Script, get, status, values};
use crate::service::{Service, head};
use crate::visitor::{PATIENCE, Socket};

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

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn refused_handshakes_pass_whole() {
    let stage = Stage::new(&[Audience::Users]).await;
    let long = "y".repeat(70_000);
    for (name, framing, body, comes) in [
        ("length", "Content-Length: 70000\r\n", long.clone(), 70_000),
        (
            "chunked",
            "Transfer-Encoding: chunked\r\n",
            format!("11170\r\n{long}\r\n3;x=1\r\nyyy\r\n0\r\n\r\n"),
            70_003,
        ),
        ("closed", "", long.clone(), 70_000),
        ("empty", "Content-Length: 0\r\n", String::new(), 0),
    ] {
        let service = Script::says(format!(
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\
             WWW-Authenticate: Bearer\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nAccess-Control-Allow-Origin: *\r\n\
             Content-Encoding: gzip\r\nSec-WebSocket-Version: 13\r\nX-Own: own\r\n{framing}\r\n{body}"
        ))
        .await;
        stage.lead("no", service.address).await;
        let answer = get(stage.edge.users, &path("no"), UPGRADE).await;
        assert_eq!(status(&answer), 401, "{name} {answer:.300}");
        for (field, expected) in [
            ("WWW-Authenticate", &["Basic, Bearer"][..]),
            ("Set-Cookie", &["a=1", "b=2"][..]),
            ("Access-Control-Allow-Origin", &["*"]),
            ("Content-Encoding", &["gzip"]),
            ("Sec-WebSocket-Version", &["13"]),
            ("X-Own", &["own"]),
        ] {
            assert_eq!(values(&answer, field), expected, "{name} {answer:.600}");
        }
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body.matches('y').count(), comes, "{name}");
        assert_eq!(service.heads().len(), 1, "{name}");
    }
    // one that is cut does not look whole
    let service = Script::says("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nhalf").await;
    stage.lead("cut", service.address).await;
    let answer = get(stage.edge.users, &path("cut"), UPGRADE).await;
    assert_eq!(values(&answer, "Content-Length"), ["10"], "{answer}");
    let service =
        Script::says("HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\na\r\nhalf").await;
    stage.lead("cut", service.address).await;
    let answer = get(stage.edge.users, &path("cut"), UPGRADE).await;
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn service_sockets_have_tcp_keepalive() {
    let stage = Stage::new(&[Audience::Users]).await;
    let game = Service::start("a game").await;
    let put = stage.holder.put_session("g", &spec("g", &game, 600)).await;
    put.unwrap();
    let mut socket = Socket::open(stage.edge.users, &path("g")).await;
    assert!(socket.echoes().await);
    let output = std::process::Command::new("ss")
        .args(["-Htno", "state", "established"])
        .arg(format!("dport = :{}", game.address.port()))
        .output()
        .unwrap();
    let ends = String::from_utf8(output.stdout).unwrap();
    // `ss` shows the time that is left until the first probe
    let timer = ends.split("timer:(keepalive,").nth(1);
    let timer = timer.unwrap_or_else(|| panic!("{ends:?}"));
    let left = timer.split(',').next().unwrap();
    let seconds = left
        .strip_suffix("sec")
        .unwrap_or_else(|| panic!("{ends:?}"));
    assert!(seconds.parse::<f64>().unwrap() <= 30.0, "{ends:?}");
}
