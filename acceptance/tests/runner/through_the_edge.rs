//! Sessions that players reach through a real NGINX: a route of their own for as long as they are open.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use jiff::SignedDuration;
use mkys_edge_client::{Audience, DelegationRequest, EdgeClient, EdgeError, Settings};
use mkys_runner::engine::Engine;
use mkys_runner::{Cause, EdgeDoor, EdgeSettings, Keep, Runner, Session, State, Verdict};

use crate::bench::{Bench, EngineBench, tell};
use crate::edge::{HOST, Stage, until};
use crate::session::session;
use crate::visitor::Socket;

/// A game whose page is where players ask for it.
pub(crate) fn game(bench: &EngineBench) -> Session {
    let line = "mkdir -p /tmp$MKYS_PATH; echo chess >/tmp$MKYS_PATH/index.html; httpd -p 8080 -h /tmp; while :; do sleep 1; done";
    session(bench, "chess", line)
}

/// How long a route lives that nobody renews.
const TTL: Duration = Duration::from_secs(6);

async fn runner(bench: &EngineBench, stage: &Stage) -> Runner<Engine> {
    let door = EdgeDoor::connect(settings(stage).await).await.unwrap();
    Runner::start_with(bench.executor().await, Keep::Memory, door)
        .await
        .unwrap()
}

/// The way through the edge, for a new holder.
async fn settings(stage: &Stage) -> EdgeSettings {
    EdgeSettings::builder()
        .client(delegated(stage).await)
        .listener(stage.edge.users)
        .ttl(TTL)
        .build()
}

/// A new holder of the route's delegation.
pub(crate) async fn delegated(stage: &Stage) -> EdgeClient {
    stage.edge.client(&token(stage).await)
}

/// The token of a new holder.
pub(crate) async fn token(stage: &Stage) -> String {
    let request = DelegationRequest {
        holder: "games".into(),
        networks: vec!["10.89.0.0/16".parse().unwrap()],
        limit: 10,
    };
    let made = stage
        .edge
        .administrator
        .delegate(stage.route.id, &request)
        .await
        .unwrap();
    made.token
}

/// Where players are sent.
fn place(stage: &Stage) -> String {
    format!("http://{HOST}:{}/play/chess/", stage.edge.users.port())
}

/// What a player gets there.
async fn page(listener: SocketAddr) -> String {
    let asked = tokio::task::spawn_blocking(move || {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(5)))
            .build();
        let answer = ureq::Agent::from(agent)
            .get(format!("http://{listener}/play/chess/"))
            .header("Host", HOST)
            .call();
        answer
            .and_then(|mut answer| answer.body_mut().read_to_string())
            .unwrap_or_else(|error| error.to_string())
    });
    asked.await.unwrap()
}

#[test]
fn players_get_there_while_it_is_open_and_not_afterwards() {
    tell(async {
        let bench = EngineBench::new().await;
        let stage = Stage::new(&[Audience::Users]).await;
        let runner = runner(&bench, &stage).await;
        assert!(!page(stage.edge.users).await.contains("chess"));
        let run = runner.play(game(&bench)).unwrap();
        assert_eq!(run.answers().await.unwrap(), place(&stage));
        assert_eq!(page(stage.edge.users).await.trim(), "chess");
        run.end();
        let outcome = run.finish().await.unwrap();
        assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
        assert!(!page(stage.edge.users).await.contains("chess"));
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

#[test]
fn players_keep_it_open_and_it_ends_without_them() {
    tell(async {
        let bench = EngineBench::new().await;
        let stage = Stage::new(&[Audience::Users]).await;
        let runner = runner(&bench, &stage).await;
        let mut game = game(&bench);
        game.idle = SignedDuration::from_secs(5);
        let run = runner.play(game).unwrap();
        run.answers().await.unwrap();
        for _ in 0..10 {
            assert_eq!(page(stage.edge.users).await.trim(), "chess");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(run.state().verdict().is_none(), "{:?}", run.state());
        let outcome = run.finish().await.unwrap();
        assert!(
            matches!(&outcome.verdict, Verdict::Failed(failure) if failure.cause == Cause::Idle),
            "{outcome:?}"
        );
    });
}

#[test]
fn whoever_is_connected_keeps_it_open_also_without_a_word() {
    tell(async {
        let bench = EngineBench::new().await;
        let stage = Stage::new(&[Audience::Users]).await;
        let runner = runner(&bench, &stage).await;
        // a page, and a websocket on which nobody says anything
        let line = r#"cat >/tmp/answer <<'END'
#!/bin/sh
upgrades=
while read -r header; do
  case "$header" in
    [Uu]pgrade:*) upgrades=1 ;;
    "$(printf '\r')" | "") break ;;
  esac
done
if [ -n "$upgrades" ]; then
  printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'
  cat >/dev/null
else
  printf 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nchess'
fi
END
chmod +x /tmp/answer; nc -ll -p 8080 -e /tmp/answer; while :; do sleep 1; done"#;
        let mut game = session(&bench, "chess", line);
        game.idle = SignedDuration::from_secs(5);
        let run = runner.play(game).unwrap();
        run.answers().await.unwrap();
        let player = Socket::open(stage.edge.users, "/play/chess").await;
        tokio::time::sleep(Duration::from_secs(12)).await;
        assert!(run.state().verdict().is_none(), "{:?}", run.state());
        drop(player);
        let outcome = run.finish().await.unwrap();
        assert!(
            matches!(&outcome.verdict, Verdict::Failed(failure) if failure.cause == Cause::Idle),
            "{outcome:?}"
        );
    });
}

#[test]
fn players_keep_a_session_from_a_terminal_open_and_it_ends_without_them() {
    tell(async {
        let bench = EngineBench::new().await;
        let stage = Stage::new(&[Audience::Users]).await;
        let mut game = game(&bench);
        game.idle = SignedDuration::from_secs(5);
        let (file, token_file) = (
            bench.folder.path().join("game"),
            bench.folder.path().join("token"),
        );
        std::fs::write(&file, serde_json::to_string(&game).unwrap()).unwrap();
        std::fs::write(&token_file, token(&stage).await + "\n").unwrap();
        let mut child = bench
            .mkys_run()
            .arg("session")
            .arg(&file)
            .args(["--edge-url", &format!("http://{}", stage.edge.api)])
            .args(["--edge-listener", &stage.edge.users.to_string()])
            .arg("--edge-token-file")
            .arg(&token_file)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap();
        assert_eq!(url, place(&stage));
        for _ in 0..10 {
            assert_eq!(page(stage.edge.users).await.trim(), "chess");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        let output = tokio::task::spawn_blocking(|| child.wait_with_output());
        let said = String::from_utf8(output.await.unwrap().unwrap().stderr).unwrap();
        assert!(said.contains("failed: idle"), "{said}");
        let more: Vec<_> = lines.map(Result::unwrap).collect();
        assert_eq!(more, Vec::<String>::new(), "where it is is said once");
    });
}

#[test]
fn without_an_owner_neither_route_nor_container_is_left() {
    tell(async {
        let bench = EngineBench::new().await;
        let stage = Stage::new(&[Audience::Users]).await;
        let runner = runner(&bench, &stage).await;
        let run = runner.play(game(&bench)).unwrap();
        run.answers().await.unwrap();
        drop(run);
        runner.close().await;
        assert_eq!(
            page(stage.edge.users).await.trim(),
            "chess",
            "both go on for a while"
        );
        until("the end of the route", async || {
            (!page(stage.edge.users).await.contains("chess")).then_some(())
        })
        .await;
        until("the end of the container", async || {
            bench.left().await.is_empty().then_some(())
        })
        .await;
    });
}

#[test]
fn a_new_owner_keeps_it_open_for_players() {
    tell(async {
        let bench = EngineBench::new().await;
        let stage = Stage::new(&[Audience::Users]).await;
        let settings = settings(&stage).await;
        let start = async || {
            let door = EdgeDoor::connect(settings.clone()).await.unwrap();
            Runner::start_with(bench.executor().await, Keep::Memory, door)
                .await
                .unwrap()
        };
        let first = start().await;
        first.play(game(&bench)).unwrap().answers().await.unwrap();
        first.close().await;
        let second = start().await;
        let run = second.run(&"chess".parse().unwrap()).unwrap();
        assert_eq!(run.answers().await.unwrap(), place(&stage));
        // the first one's lease is over twice
        let until = tokio::time::Instant::now() + TTL * 2;
        while tokio::time::Instant::now() < until {
            assert_eq!(page(stage.edge.users).await.trim(), "chess");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        run.end();
        assert_eq!(run.finish().await.unwrap().verdict, Verdict::Succeeded);
        assert!(!page(stage.edge.users).await.contains("chess"));
    });
}

#[test]
fn an_edge_that_can_not_be_reached_is_told_when_it_connects() {
    tell(async {
        let stage = Stage::new(&[Audience::Users]).await;
        let mut settings = settings(&stage).await;
        settings.client = stage.edge.client("of-nobody");
        let refused = EdgeDoor::connect(settings.clone()).await.unwrap_err();
        assert!(matches!(refused, EdgeError::Token { .. }), "{refused}");
        let nowhere = Settings::new("http://127.0.0.1:9", "any");
        settings.client = EdgeClient::new(&nowhere).unwrap();
        let unreachable = EdgeDoor::connect(settings).await.unwrap_err();
        let words = "the edge at http://127.0.0.1:9 cannot be reached";
        assert!(unreachable.to_string().starts_with(words), "{unreachable}");
    });
}

#[test]
fn an_edge_that_went_away_is_told_by_what_was_to_be_opened() {
    tell(async {
        let bench = EngineBench::new().await;
        let mut stage = Stage::new(&[Audience::Users]).await;
        let runner = runner(&bench, &stage).await;
        stage.edge.kill();
        let mut game = game(&bench);
        game.answers_within = SignedDuration::from_secs(4);
        let run = runner.play(game).unwrap();
        let outcome = run.finish().await.unwrap();
        let Verdict::Failed(failure) = &outcome.verdict else {
            panic!("{outcome:?}")
        };
        assert_eq!(failure.cause, Cause::Unanswering, "{failure:?}");
        for words in [HOST, "cannot be reached", "Connection refused"] {
            assert!(failure.words.contains(words), "{failure:?}");
        }
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}

#[test]
fn an_edge_that_goes_away_ends_nothing_and_keeps_nothing() {
    tell(async {
        let bench = EngineBench::new().await;
        let mut stage = Stage::new(&[Audience::Users]).await;
        let runner = runner(&bench, &stage).await;
        let mut game = game(&bench);
        game.idle = SignedDuration::from_secs(4);
        let run = runner.play(game).unwrap();
        run.answers().await.unwrap();
        stage.edge.kill();
        tokio::time::sleep(TTL * 2).await;
        assert!(
            matches!(run.state(), State::Serving { .. }),
            "nobody can tell whether it is idle: {:?}",
            run.state()
        );
        run.end();
        let outcome = run.finish().await.unwrap();
        assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
        assert_eq!(bench.left().await, Vec::<String>::new());
        assert!(!page(stage.edge.users).await.contains("chess"));
    });
}

#[test]
fn one_whose_delegation_was_taken_back_ends_as_nobody_uses_it() {
    tell(async {
        let bench = EngineBench::new().await;
        let stage = Stage::new(&[Audience::Users]).await;
        let runner = runner(&bench, &stage).await;
        let mut game = game(&bench);
        game.idle = SignedDuration::from_secs(4);
        let run = runner.play(game).unwrap();
        run.answers().await.unwrap();
        let administrator = &stage.edge.administrator;
        let revoked = administrator.revoke_delegation(stage.route.id, "games");
        revoked.await.unwrap();
        let outcome = run.finish().await.unwrap();
        assert!(
            matches!(&outcome.verdict, Verdict::Failed(failure) if failure.cause == Cause::Idle),
            "{outcome:?}"
        );
        assert_eq!(bench.left().await, Vec::<String>::new());
    });
}
