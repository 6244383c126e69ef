//! Sessions: open once they answer, ended by their game, their caller, idleness or their limit, apart from each other.

use std::time::Duration;

use futures_util::StreamExt;
use jiff::SignedDuration;
use mkys_runner::{Answers, Cause, Run, Session, Verdict};

use crate::bench::{Bench, cause, runner, shell_line};

/// A session whose game is a page, served after this line of shell.
pub(crate) fn page(bench: &impl Bench, name: &str, before: &str) -> Session {
    let line = format!(
        "{before}; echo {name} >/tmp/index.html; httpd -p 8080 -h /tmp; while :; do sleep 1; done"
    );
    session(bench, name, &line)
}

/// A session whose game is a line of shell that serves pages.
pub(crate) fn session(bench: &impl Bench, name: &str, line: &str) -> Session {
    Session::builder()
        .name(name.parse().unwrap())
        .container(shell_line(bench, line))
        .port(8080)
        .answers(Answers::Http {
            path: "/".to_owned(),
        })
        .build()
}

async fn get(url: String) -> Result<String, String> {
    let asked = tokio::task::spawn_blocking(move || {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(5)))
            .build();
        let answer = ureq::Agent::from(agent).get(&url).call();
        answer
            .and_then(|mut answer| answer.body_mut().read_to_string())
            .map_err(|error| error.to_string())
    });
    asked.await.unwrap()
}

async fn open(run: &Run) -> String {
    match run.answers().await {
        Some(url) => url,
        None => panic!("it never answered: {:?}", run.finish().await),
    }
}

pub(crate) async fn it_is_open_once_it_answers_and_ends_as_sessions_do(bench: &impl Bench) {
    let runner = runner(bench).await;
    let run = runner.play(page(bench, "chess", "sleep 2")).unwrap();
    let url = open(&run).await;
    assert_eq!(get(url.clone()).await.unwrap().trim(), "chess");
    run.end();
    let outcome = run.finish().await.unwrap();
    assert_eq!(outcome.verdict, Verdict::Succeeded);
    assert!(get(url).await.is_err(), "it is still there");
    assert_eq!(bench.left().await, Vec::<String>::new());
}

pub(crate) async fn its_game_ends_it(bench: &impl Bench) {
    let runner = runner(bench).await;
    let game = session(
        bench,
        "chess",
        "echo x >/tmp/index.html; httpd -p 8080 -h /tmp; sleep 4; echo checkmate",
    );
    let run = runner.play(game).unwrap();
    open(&run).await;
    let outcome = run.finish().await.unwrap();
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
    assert_eq!(outcome.log.last().unwrap().text, "checkmate");
    assert_eq!(bench.left().await, Vec::<String>::new());
}

pub(crate) async fn one_that_never_answers_is_told_apart(bench: &impl Bench) {
    let runner = runner(bench).await;
    let mut game = session(bench, "chess", "while :; do sleep 1; done");
    game.answers_within = SignedDuration::from_secs(3);
    let run = runner.play(game).unwrap();
    assert_eq!(run.answers().await, None);
    let outcome = run.finish().await.unwrap();
    assert_eq!(cause(&outcome), Some(Cause::Unanswering), "{outcome:?}");
    assert_eq!(bench.left().await, Vec::<String>::new());
}

pub(crate) async fn one_that_nobody_uses_ends(bench: &impl Bench) {
    let runner = runner(bench).await;
    let mut game = page(bench, "chess", "true");
    game.idle = SignedDuration::from_secs(2);
    let run = runner.play(game).unwrap();
    open(&run).await;
    let outcome = run.finish().await.unwrap();
    assert_eq!(cause(&outcome), Some(Cause::Idle), "{outcome:?}");
}

pub(crate) async fn one_that_is_used_does_not_end(bench: &impl Bench) {
    let runner = runner(bench).await;
    let mut game = page(bench, "chess", "true");
    game.idle = SignedDuration::from_secs(4);
    let run = runner.play(game).unwrap();
    open(&run).await;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        run.used();
    }
    assert!(run.state().verdict().is_none(), "{:?}", run.state());
    run.end();
    assert_eq!(run.finish().await.unwrap().verdict, Verdict::Succeeded);
}

pub(crate) async fn its_limit_ends_it(bench: &impl Bench) {
    let runner = runner(bench).await;
    let mut game = page(bench, "chess", "true");
    game.limit = SignedDuration::from_secs(5);
    let run = runner.play(game).unwrap();
    open(&run).await;
    let outcome = run.finish().await.unwrap();
    assert_eq!(cause(&outcome), Some(Cause::Deadline), "{outcome:?}");
}

pub(crate) async fn sessions_do_not_reach_each_other(bench: &impl Bench) {
    let runner = runner(bench).await;
    // two that may reach out, since these have a way at all
    let mut first = page(bench, "chess", "true");
    first.container.egress = true;
    let first = runner.play(first).unwrap();
    let url = open(&first).await;
    let address = url
        .trim_start_matches("http://")
        .split(':')
        .next()
        .unwrap()
        .to_owned();
    // in one line with the rest: nobody says in which order the lines of two streams come
    let ask = "ask() { printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 $1 8080 2>&1 | tail -n 1; }";
    let line = format!(
        "{ask}; echo go >/tmp/index.html; httpd -p 8080 -h /tmp; echo itself: $(ask 127.0.0.1); \
         echo the other: $(ask {address}); while :; do sleep 1; done"
    );
    let mut second = session(bench, "go", &line);
    second.container.egress = true;
    let second = runner.play(second).unwrap();
    open(&second).await;
    let said: Vec<String> = runner
        .logs(&second, None)
        .take(2)
        .map(|line| line.unwrap().text)
        .collect()
        .await;
    assert_eq!(said, ["itself: go", "the other: nc: timed out"]);
    assert_eq!(
        get(url).await.unwrap().trim(),
        "chess",
        "it does not answer at all"
    );
    for run in [&first, &second] {
        run.end();
        run.finish().await.unwrap();
    }
}

pub(crate) async fn a_new_owner_finds_it_open(bench: &impl Bench) {
    let first = runner(bench).await;
    let mut game = page(bench, "chess", "true");
    // it has run for longer than that when the next owner comes
    game.answers_within = SignedDuration::from_secs(5);
    let run = first.play(game.clone()).unwrap();
    let url = open(&run).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    drop(run);
    first.close().await;
    assert_eq!(
        get(url.clone()).await.unwrap().trim(),
        "chess",
        "it goes on without an owner"
    );

    let second = runner(bench).await;
    let run = second.play(game).unwrap();
    assert_eq!(open(&run).await, url);
    run.end();
    assert_eq!(run.finish().await.unwrap().verdict, Verdict::Succeeded);
    assert_eq!(bench.left().await, Vec::<String>::new());
}
