//! Sessions behind a listener with a certificate of an authority that no system knows: how universities have it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use mkys_acceptance::platform::authority::Authority;
use mkys_edge_client::{Audience, EdgeClient, EdgeError};
use mkys_runner::{Answers, EdgeDoor, EdgeSettings, Keep, Listener, Runner, Session, Verdict};
use serde_json::json;

use crate::bench::{Bench, EngineBench, tell};
use crate::edge::{Edge, HOST, Stage};
use crate::session::session;
use crate::through_the_edge::{delegated, game, token};

async fn stage() -> (Authority, Stage) {
    let authority = Authority::new("a university").unwrap();
    let stage = Stage::on(
        Edge::start(json!({}), Some(&authority)).await,
        &[Audience::Users],
    )
    .await;
    (authority, stage)
}

async fn connect(
    client: EdgeClient,
    listener: Listener,
    ca_pem: Option<&str>,
) -> Result<EdgeDoor, EdgeError> {
    let settings = EdgeSettings::builder()
        .client(client)
        .listener(listener)
        .maybe_ca_pem(ca_pem.map(|pem| pem.as_bytes().to_vec()))
        .build();
    EdgeDoor::connect(settings).await
}

/// What curl gets for a URL there, as somebody who trusts the authority.
fn ask(stage: &Stage, authority: &Authority, url: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).unwrap();
    let listener = stage.edge.users;
    let resolve = format!("{HOST}:{}:{}", listener.port(), listener.ip());
    let output = Command::new("curl")
        .args(["--silent", "--show-error", "--max-time", "5", "--cacert"])
        .arg(&file)
        .args(["--resolve", &resolve, url])
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap()
}

#[test]
fn players_are_sent_to_a_page_and_a_websocket_over_tls() {
    tell(async {
        let bench = EngineBench::new().await;
        let (authority, stage) = stage().await;
        let listener = Listener::tls(stage.edge.users);
        let client = delegated(&stage).await;
        let door = connect(client, listener, Some(authority.pem())).await;
        let runner = Runner::start_with(bench.executor().await, Keep::Memory, door.unwrap())
            .await
            .unwrap();
        let page = runner.play(game(&bench)).unwrap();
        let socket = runner.play(socket(&bench)).unwrap();
        let port = stage.edge.users.port();
        let url = page.answers().await.unwrap();
        assert_eq!(url, format!("https://{HOST}:{port}/play/chess/"));
        assert_eq!(ask(&stage, &authority, &url).trim(), "chess");
        assert_eq!(
            socket.answers().await.unwrap(),
            format!("wss://{HOST}:{port}/play/draughts/socket")
        );
        for run in [page, socket] {
            run.end();
            let outcome = run.finish().await.unwrap();
            assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
        }
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

/// A game that says yes to a handshake by the sample of RFC 6455 4.2.2: the key comes by the request, so a shell has to work it out.
fn socket(bench: &EngineBench) -> Session {
    let line = r#"cat >/tmp/answer <<'END'
#!/bin/sh
while read -r header value; do
  case "$header" in
    [Ss]ec-[Ww]eb[Ss]ocket-[Kk]ey:) key=$(printf %s "$value" | tr -d '\r') ;;
    "$(printf '\r')" | "") break ;;
  esac
done
sum=$(printf '%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11' "$key" | sha1sum | cut -d' ' -f1 | sed 's/../\\x&/g')
accept=$(printf "$sum" | base64)
printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n' "$accept"
cat >/dev/null
END
chmod +x /tmp/answer; nc -ll -p 8080 -e /tmp/answer; while :; do sleep 1; done"#;
    let mut game = session(bench, "draughts", line);
    game.answers = Answers::Websocket {
        path: "/socket".into(),
    };
    game
}

#[test]
fn a_listener_that_is_not_as_it_is_said_to_be_is_told_when_it_connects() {
    tell(async {
        let (authority, stage) = stage().await;
        let client = delegated(&stage).await;
        let of_others = Authority::new("others").unwrap();
        let own = Some(authority.pem());
        let (users, devops) = (stage.edge.users, stage.edge.devops);
        for (listener, ca_pem, words) in [
            (Listener::tls(users), None, "UnknownIssuer"),
            (
                Listener::tls(users),
                Some(of_others.pem()),
                "invalid peer certificate",
            ),
            (
                Listener::plain(users),
                own,
                "The plain HTTP request was sent to HTTPS port",
            ),
            (Listener::tls(devops), own, "InvalidContentType"),
        ] {
            let refused = connect(client.clone(), listener, ca_pem).await.unwrap_err();
            let said = refused.to_string();
            let start = format!("the edge client cannot use listener: {listener}: ");
            assert!(said.starts_with(&start) && said.contains(words), "{said}");
        }
        let refused = connect(client.clone(), Listener::tls(users), Some("none")).await;
        let said = refused.unwrap_err().to_string();
        assert!(
            said.starts_with("the edge client cannot use ca_pem"),
            "{said}"
        );
        // one that nobody listens at may be there when it is needed
        let nobody = Listener::tls(SocketAddr::from(([127, 0, 0, 1], 9)));
        connect(client, nobody, own).await.unwrap();
    });
}

#[test]
fn a_terminal_names_what_to_set() {
    tell(async {
        let bench = EngineBench::new().await;
        let (authority, stage) = stage().await;
        let file = |name: &str, text: &str| {
            let file = bench.folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            file
        };
        let game = file("game", &serde_json::to_string(&game(&bench)).unwrap());
        let token = file("token", &token(&stage).await);
        let authority = file("ca.pem", authority.pem());
        let start = |listener: String, ca: bool| {
            let mut command = bench.mkys_run();
            command
                .arg("session")
                .arg(&game)
                .args(["--edge-url", &format!("http://{}", stage.edge.api)])
                .args(["--edge-listener", &listener])
                .arg("--edge-token-file")
                .arg(&token)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            if ca {
                command.arg("--edge-ca").arg(&authority);
            }
            command.spawn().unwrap()
        };
        let users = stage.edge.users;
        for (listener, ca) in [
            (users.to_string(), true),
            (format!("https://{users}"), false),
        ] {
            let output = start(listener, ca).wait_with_output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{said}");
            for words in ["--edge-listener says", "--edge-ca names"] {
                assert!(said.contains(words), "{said}");
            }
            let start = "mkys-run: the edge client cannot use listener: ";
            assert!(said.starts_with(start), "{said}");
        }
        let mut child = start(format!("https://{users}"), true);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap();
        assert_eq!(url, format!("https://{HOST}:{}/play/chess/", users.port()));
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        child.wait().unwrap();
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}
