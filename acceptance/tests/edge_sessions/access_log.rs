//! The access log: a line for each request to a syslog server, and none without one.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use mkys_edge_client::Audience;
use serde_json::json;
use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::edge::{HOST, PREFIX, Stage};
use crate::visitor::{PATIENCE, is_at, visit};

#[tokio::test(flavor = "multi_thread")]
async fn syslog_server_is_told_each_request() {
    let mut stage = Stage::new(&[Audience::Users]).await;
    let folder = stage.edge.state("");
    let place = folder.parent().unwrap().join("log");
    let server = UnixDatagram::bind(&place).unwrap();
    // NGINX' workers are somebody else
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o666)).unwrap();
    let users = stage.edge.users;
    let hears = async |limit| {
        let mut room = [0; 4_096];
        let length = timeout(limit, server.recv(&mut room)).await.ok()?.unwrap();
        Some(String::from_utf8_lossy(&room[..length]).into_owned())
    };
    assert!(is_at(users, PREFIX, "the lobby").await);
    assert_eq!(hears(Duration::from_millis(200)).await, None);

    stage.edge.kill();
    stage.edge.set("/nginx/access_log", json!(place));
    stage.edge.serve().await;
    let secret = format!("{PREFIX}?token=secret");
    assert!(is_at(users, &secret, "the lobby").await);
    let line = hears(PATIENCE).await.unwrap();
    let expected = format!("mkys_edge: 127.0.0.1 users {HOST} \"GET {PREFIX}\" 200 ");
    assert!(line.contains(&expected), "{line}");
    let target = format!("\"{}\"", stage.lobby.address);
    assert!(line.contains(&target) && !line.contains("secret"), "{line}");
    assert_eq!(visit(users, "/nowhere").await.0, 404);
    let line = hears(PATIENCE).await.unwrap();
    assert!(line.contains("\"GET /nowhere\" 404 "), "{line}");

    // a server that is away holds up nobody
    drop(server);
    std::fs::remove_file(&place).unwrap();
    for _ in 0..20 {
        assert!(is_at(users, PREFIX, "the lobby").await);
    }
}
