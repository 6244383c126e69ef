//! The supervisor keeps exactly one NGINX, after any kill and any lost file.

use std::time::{Duration, Instant};

use mkys_edge_client::{Audience, Decision};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::edge::{Edge, HOST, PREFIX, Stage, kill, path, spec, until};
use crate::service::Service;
use crate::visitor::{is_at, visit};

/// Waits until exactly one NGINX serves the lobby, by its own pid file.
async fn one(stage: &Stage) -> i32 {
    until("one NGINX", async || {
        let [master] = stage.edge.masters()[..] else {
            return None;
        };
        let written = std::fs::read_to_string(stage.edge.state("nginx.pid")).ok()?;
        let serves = is_at(stage.edge.users, PREFIX, "the lobby").await;
        (written.trim() == master.to_string() && serves).then_some(master)
    })
    .await
}

/// Withdraws the lobby and asks for it often: every listener of every process has to have heard of it.
async fn withdrawn_everywhere(stage: &Stage) {
    let edge = &stage.edge;
    edge.decide(&stage.route, Audience::Users, Decision::Withdraw)
        .await;
    for _ in 0..100 {
        assert_eq!(visit(edge.users, PREFIX).await.0, 404);
    }
    edge.decide(&stage.route, Audience::Users, Decision::Approve)
        .await;
    for _ in 0..100 {
        assert!(is_at(edge.users, PREFIX, "the lobby").await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_with_lost_pid_file_is_found() {
    let mut stage = Stage::new(&[Audience::Users]).await;
    let master = one(&stage).await;
    let file = stage.edge.state("nginx.pid");
    std::fs::remove_file(&file).unwrap();
    stage.edge.kill();
    stage.edge.serve().await;
    assert_eq!(one(&stage).await, master);
    withdrawn_everywhere(&stage).await;
    // while mkys-edge runs
    std::fs::write(&file, "1\n").unwrap();
    assert_eq!(one(&stage).await, master);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_master_leaves_no_server() {
    let mut stage = Stage::new(&[Audience::Users]).await;
    // while mkys-edge runs, and while it does not
    for is_running in [true, false] {
        let master = one(&stage).await;
        if !is_running {
            stage.edge.kill();
        }
        kill(master);
        if !is_running {
            std::fs::remove_file(stage.edge.state("nginx.pid")).unwrap();
            stage.edge.serve().await;
        }
        until("another NGINX", async || {
            let masters = stage.edge.masters();
            (masters.len() == 1 && !masters.contains(&master)).then_some(())
        })
        .await;
        one(&stage).await;
        withdrawn_everywhere(&stage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_nginx_is_restarted() {
    let stage = Stage::new(&[Audience::Users]).await;
    let game = Service::start("a game").await;
    stage
        .holder
        .put_session("g", &spec("g", &game, 600))
        .await
        .unwrap();
    for _ in 0..5 {
        let master = one(&stage).await;
        let start = Instant::now();
        stage.edge.kill_nginx();
        until("its routes", async || {
            is_at(stage.edge.users, &path("g"), "a game")
                .await
                .then_some(())
        })
        .await;
        println!("served again after {:?}", start.elapsed());
        assert_ne!(one(&stage).await, master);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_names_a_dead_nginx() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("nginx");
    std::os::unix::fs::symlink("/usr/sbin/nginx", &program).unwrap();
    let stage = Stage::with(&[Audience::Users], json!({ "program": program })).await;
    let healthy = async || {
        until("health", async || {
            (stage.edge.health().await == (200, "ok\n".to_owned())).then_some(())
        })
        .await;
    };
    healthy().await;
    std::fs::remove_file(&program).unwrap();
    stage.edge.kill_nginx();
    let said = until("an illness", async || {
        let (status, said) = stage.edge.health().await;
        (status == 503 && said.contains("failed to run")).then_some(said)
    })
    .await;
    assert!(said.contains("nginx: "), "{said}");
    // its API goes on
    stage.edge.requester.token().await.unwrap();
    std::os::unix::fs::symlink("/usr/sbin/nginx", &program).unwrap();
    healthy().await;
    one(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_control_socket_restarts_nginx() {
    let stage = Stage::new(&[Audience::Users]).await;
    let master = one(&stage).await;
    std::fs::remove_file(stage.edge.control()).unwrap();
    until("another NGINX", async || {
        (stage.edge.masters() != [master]).then_some(())
    })
    .await;
    one(&stage).await;
    withdrawn_everywhere(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn second_serve_on_a_state_is_refused() {
    let stage = Stage::new(&[Audience::Users]).await;
    let api = stage.edge.api;
    stage.edge.set("/api", json!("127.0.0.1:1"));
    let (is_well, said) = stage.edge.run(&["serve"]);
    assert!(
        !is_well && said.contains("another `mkys-edge serve` runs"),
        "{said}"
    );
    let (is_well, said) = stage.edge.run(&["stop-nginx"]);
    assert!(!is_well && said.contains("stop it first"), "{said}");
    stage.edge.set("/api", json!(api));
    // SIGHUP does not end it
    kill_process(Pid::from_raw(stage.edge.pid()).unwrap(), Signal::HUP).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    stage.edge.requester.token().await.unwrap();
    withdrawn_everywhere(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_port_is_reported_and_nginx_stays() {
    let mut stage = Stage::new(&[Audience::Users]).await;
    let master = one(&stage).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (before, other) = (stage.edge.users, taken.local_addr().unwrap());
    stage.edge.kill();
    stage.edge.set("/users/listen", json!([other]));
    // each time, not only the first
    for _ in 0..2 {
        let (is_well, said) = stage.edge.run(&["serve"]);
        let expected = format!("bind() to {other} failed (98: Address already in use)");
        assert!(!is_well && said.contains(&expected), "{said}");
        assert!(is_at(before, PREFIX, "the lobby").await);
        assert_eq!(stage.edge.masters(), [master]);
    }
    drop(taken);
    stage.edge.users = other;
    stage.edge.serve().await;
    assert_eq!(one(&stage).await, master);
}

#[tokio::test(flavor = "multi_thread")]
async fn portal_socket_refuses_other_users() {
    let edge = Edge::start(json!({}), None).await;
    let asked = async |user: u32| {
        let mut command = tokio::process::Command::new("curl");
        command
            .uid(user)
            .gid(user)
            .args([
                "--silent",
                "--show-error",
                "--header",
                "X-Mkys-Audience: devops",
                "--unix-socket",
            ])
            .arg(edge.state("portal/portal.sock"))
            .arg(format!("http://{HOST}/admin"));
        command.output().await.unwrap()
    };
    assert!(asked(0).await.status.success());
    let nobody = asked(65534).await;
    assert!(!nobody.status.success(), "{nobody:?}");
}
