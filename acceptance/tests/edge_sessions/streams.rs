//! Answers and bodies stream without temporary files, and end with their route.

use std::sync::Arc;
use std::time::Duration;

use mkys_edge_client::{Audience, Decision};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::edge::{HOST, Stage, path, until};
use crate::script::{Script, Visitor, exchange, get, status};
use crate::visitor::PATIENCE;

/// A service that sends a head and a first event, and the rest when it is told to.
async fn drips(head: &'static str, go_on: Arc<Notify>) -> Script {
    Script::start(move |mut stream| {
        let go_on = Arc::clone(&go_on);
        async move {
            let first = format!("{head}\r\n\r\nfirst\n");
            stream.write_all(first.as_bytes()).await.unwrap();
            go_on.notified().await;
            let _ = stream.write_all(b"second").await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_stream_in_each_framing() {
    let stage = Stage::new(&[Audience::Users]).await;
    for (name, head) in [
        (
            "closed",
            "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream",
        ),
        ("close11", "HTTP/1.1 200 OK\r\nConnection: close"),
        ("length", "HTTP/1.1 200 OK\r\nContent-Length: 12"),
    ] {
        let go_on = Arc::new(Notify::new());
        let service = drips(head, Arc::clone(&go_on)).await;
        stage.lead(name, service.address).await;
        let mut visitor = Visitor::get(stage.edge.users, &path(name)).await;
        visitor.hears("first").await;
        go_on.notify_one();
        visitor.hears("second").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_to_the_service() {
    let stage = Stage::new(&[Audience::Users]).await;
    let service = Script::start(|mut stream| async move {
        let mut part = vec![0; 30_000];
        stream.read_exact(&mut part).await.unwrap();
        let seen =
            b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nseen";
        stream.write_all(seen).await.unwrap();
    })
    .await;
    stage.lead("up", service.address).await;
    for framing in [
        "Content-Length: 60000\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nea60\r\n",
    ] {
        let place = path("up");
        let head = format!("POST {place} HTTP/1.1\r\nHost: {HOST}\r\n{framing}");
        let mut visitor = Visitor::send(stage.edge.users, &head).await;
        // half of it, and no more
        visitor.0.write_all(&[b'x'; 30_000]).await.unwrap();
        visitor.hears("413").await;
        visitor.hears("seen").await;
    }
    assert_eq!(stage.edge.temporary_files(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_arrive_whole_in_each_framing() {
    let stage = Stage::new(&[Audience::Users]).await;
    let service = Script::start(|mut stream| async move {
        // a small one has a length; a large one in chunks comes in chunks
        let mut body = Vec::new();
        let mut room = vec![0; 65_536];
        while body.iter().filter(|byte| **byte == b'x').count() < 10 || !body.contains(&b'z') {
            let length = stream.read(&mut room).await.unwrap();
            assert_ne!(length, 0, "the body ends early");
            body.extend_from_slice(&room[..length]);
        }
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nwhole";
        stream.write_all(whole).await.unwrap();
    })
    .await;
    stage.lead("up", service.address).await;
    for size in [100, 16_384, 200_000] {
        let body = format!("{}z", "x".repeat(size - 1));
        for framing in [
            format!("Content-Length: {size}\r\nConnection: close\r\n\r\n{body}"),
            format!(
                "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{size:x}\r\n{body}\r\n0\r\n\r\n"
            ),
        ] {
            let place = path("up");
            let request = format!("PUT {place} HTTP/1.1\r\nHost: {HOST}\r\n{framing}");
            let answer = exchange(stage.edge.users, &request).await;
            assert!(answer.ends_with("whole"), "{size} {answer}");
        }
    }
    assert_eq!(stage.edge.temporary_files(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_heads_pass_both_ways() {
    let stage = Stage::new(&[Audience::Users]).await;
    for size in [4_200, 20_000] {
        let long = "x".repeat(size);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nX-Big: {long}\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine"
        );
        let service = Script::says(answer).await;
        stage.lead("big", service.address).await;
        let answer = get(
            stage.edge.users,
            &path("big"),
            &format!("Cookie: {long}\r\n"),
        )
        .await;
        assert_eq!(status(&answer), 200, "{size}");
        assert!(answer.contains(&long) && answer.ends_with("fine"), "{size}");
        assert!(service.only_head().contains(&long), "{size}");
    }
}

/// A service that sends without end.
async fn floods() -> Script {
    Script::start(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nbegun").await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn withdrawal_ends_open_streams() {
    let stage = Stage::new(&Audience::ALL).await;
    let (edge, users) = (&stage.edge, stage.edge.users);
    let download = floods().await;
    let silent = drips(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream",
        Arc::default(),
    )
    .await;
    // reads what comes, and never answers
    let upload = Script::start(|mut stream| async move {
        let mut room = vec![0; 65_536];
        while let Ok(1..) = stream.read(&mut room).await {}
    })
    .await;
    for (name, service) in [("down", &download), ("silent", &silent), ("up", &upload)] {
        stage.lead(name, service.address).await;
    }
    let mut down = Visitor::get(users, &path("down")).await;
    down.hears("begun").await;
    let mut quiet = Visitor::get(users, &path("silent")).await;
    quiet.hears("first").await;
    let place = path("up");
    let request =
        format!("PUT {place} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 500000000\r\n\r\n");
    let up = Visitor::send(users, &request).await;
    let (mut hears, mut says) = up.0.into_split();
    let sending = tokio::spawn(async move {
        while says.write_all(&[b'x'; 65_536]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    // those of the other audience go on
    let mut stays = Visitor::get(edge.devops, &path("down")).await;
    stays.hears("begun").await;
    assert_eq!(edge.temporary_files(), 0);
    // workers of before a reload end their connections as well
    let (masters, before) = edge.nginx();
    kill_process(Pid::from_raw(masters[0]).unwrap(), Signal::HUP).unwrap();
    until("new workers", async || {
        let workers = edge.nginx().1;
        (before.iter().filter(|pid| workers.contains(pid)).count() < workers.len()).then_some(())
    })
    .await;

    edge.decide(&stage.route, Audience::Users, Decision::Withdraw)
        .await;
    down.ends().await;
    quiet.ends().await;
    let mut room = Vec::new();
    let _ = timeout(PATIENCE, hears.read_to_end(&mut room))
        .await
        .expect("the upload stays open");
    timeout(PATIENCE, sending)
        .await
        .expect("the upload goes on")
        .unwrap();
    stays.hears(&"x".repeat(1_000)).await;

    // the same where a session route ends, or is not renewed
    edge.decide(&stage.route, Audience::Users, Decision::Approve)
        .await;
    let mut quiet = Visitor::get(users, &path("silent")).await;
    quiet.hears("first").await;
    stage.holder.delete_session("silent").await.unwrap();
    quiet.ends().await;
}
