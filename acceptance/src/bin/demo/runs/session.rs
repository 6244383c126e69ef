//! A game, played to its end by two players who come in through NGINX, and watched by a third.

use std::net::{SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use mkys_acceptance::platform::game::{Board, Player, draw, refusal};
use mkys_acceptance::progress::Progress;
use mkys_runner::{Answers, Container, Executor, Image, Resources, Runner, Session, Verdict};
use ureq::http::Uri;

use super::prove_nothing_is_left;
use super::stage::Stage;

/// Moves in a line.
const A_LINE: usize = 8;
/// No answer takes this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The game's session.
pub(super) fn game(image: Image) -> anyhow::Result<Session> {
    let container = Container::builder()
        .image(image)
        .resources(Resources::builder().cpu_millis(500).memory_mib(256).build())
        .build();
    Ok(Session::builder()
        .name("hex".parse()?)
        .container(container)
        .port(8080)
        .answers(Answers::Websocket {
            path: "/play".to_owned(),
        })
        .build())
}

pub(super) async fn show<E: Executor>(
    stage: &Stage<'_>,
    runner: &Runner<E>,
    token: &str,
    image: &Image,
) -> anyhow::Result<()> {
    let progress = &stage.lab.progress;
    let listener = stage.users();
    progress.line(format!("            image {image}"));
    let mut game = game(image.clone())?;
    // somebody waits for the end
    game.container
        .env
        .insert("HEX_LINGER_S".parse()?, "1".to_owned());
    let start = Instant::now();
    let run = runner.play(game)?;
    let Some(url) = run.answers().await else {
        let outcome = run.finish().await.context("the runner ended")?;
        bail!("the game never answered: {:?}", outcome.verdict);
    };
    progress.stage("open: a handshake through NGINX", start.elapsed());
    progress.line(format!("            {url}"));
    let page = url
        .strip_suffix("play")
        .unwrap_or(&url)
        .replacen("ws", "http", 1);
    let there = ask(listener, &page).await?;
    ensure!(
        there.0 == 200 && there.1.contains("<title>Hex</title>"),
        "the page is {there:?}"
    );
    let sessions = stage.holder(token)?.sessions().await?;
    let target = sessions.first().map(|one| one.session.target);
    let target = target.context("the edge shows no session")?;
    progress.line(format!(
        "            its page: 200; the edge leads to {target}"
    ));

    let start = Instant::now();
    let board = play(progress, listener, &url).await?;
    let outcome = tokio::time::timeout(PATIENCE, run.finish()).await;
    let outcome = outcome
        .context("the game is over and goes on")?
        .context("the runner ended")?;
    progress.stage("played to the end", start.elapsed());
    ensure!(
        outcome.verdict == Verdict::Succeeded,
        "it ended as {:?}",
        outcome.verdict
    );
    if let Some(last) = outcome.log.last() {
        progress.line(format!("            | {}", last.text));
    }
    ensure!(board.winner.is_some(), "nobody has won");
    for one in &outcome.receipt.gone {
        progress.line(format!("            {} {} is gone", one.kind, one.name));
    }
    let sessions = stage.holder(token)?.sessions().await?;
    ensure!(sessions.is_empty(), "the edge still has {sessions:?}");
    let there = ask(listener, &page).await?;
    progress.line("            session routes at the edge: none");
    progress.line(format!(
        "            its page: {}, the lobby's: {}",
        there.0,
        sentence(&there.1)
    ));
    ensure!(there.0 == 404, "something is still at {page}");
    prove_nothing_is_left(progress, runner).await
}

/// Both play until somebody has won; gives the board then.
async fn play(progress: &Progress, listener: SocketAddrV4, url: &str) -> anyhow::Result<Board> {
    let dial = || TcpStream::connect(listener);
    let mut ada = Player::sit(dial()?, url, "Ada").await?;
    let mut blaise = Player::sit(dial()?, url, "Blaise").await?;
    progress.line("            Ada is red (●), top to bottom; Blaise is blue (○), left to right");
    let refused = refusal(dial()?, url, "Carl").await?;
    progress.line(format!(
        "            Carl would like to play too: {refused}"
    ));
    let mut shown = 0;
    let mut show = |board: &Board| {
        let is_over = board.winner.is_some();
        while board.moves.len() >= shown + A_LINE || (is_over && board.moves.len() > shown) {
            let line = board.moves.iter().enumerate().skip(shown).take(A_LINE);
            let line: Vec<_> = line
                .map(|(number, one)| format!("{:>3} {one}", number + 1))
                .collect();
            progress.line(format!("           {}", line.join("  ")));
            shown += line.len();
        }
    };
    let (over, others) = tokio::try_join!(ada.play(&mut show), blaise.play(|_| ()))?;
    ensure!(
        over.winner == others.winner,
        "they do not agree who has won"
    );
    draw(&over)
        .iter()
        .for_each(|line| progress.line(format!("            {line}")));
    Ok(over)
}

/// What a visitor gets at an address: the status and the page.
async fn ask(listener: SocketAddrV4, url: &str) -> anyhow::Result<(u16, String)> {
    let url: Uri = url.parse()?;
    let asked = tokio::task::spawn_blocking(move || {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build();
        let asked = ureq::Agent::from(agent)
            .get(format!("http://{listener}{}", url.path()))
            .header("Host", url.authority().map_or("", |host| host.as_str()))
            .call();
        let mut answer = asked?;
        anyhow::Ok((
            answer.status().as_u16(),
            answer.body_mut().read_to_string()?,
        ))
    });
    asked.await?
}

/// A page without its tags.
fn sentence(page: &str) -> String {
    let text = page.rsplit('>').next().unwrap_or_default();
    text.trim().to_owned()
}
