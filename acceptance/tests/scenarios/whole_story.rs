//! The whole story: a blade with its link and its route, a game inside the route's prefix, a computation, an update of the blade while
//! somebody sits at a game, and the end of it all.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mkys_acceptance::platform::cluster;
use mkys_acceptance::platform::game::Player;
use mkys_runner::kubernetes::Kubernetes;
use mkys_runner::{
    Answers, Computation, Container, Input, Resources, Run, Runner, Session, Verdict,
};

use crate::life_cycle::is_gone;
use crate::world::cloud::text;
use crate::world::edge::Beside;
use crate::world::runs::Runs;
use crate::world::{Stage, wait};

const PREFIX: &str = "/automathon";
/// No apply of the story takes this long.
const LONGEST: Duration = Duration::from_secs(1_800);

/// The Automathon blade with its lobby, the Devops blade, the link between them, and a route for users.
fn platform(blade: &str, devops: &str, host: &str, edition: &str) -> String {
    format!(
        "resource \"mkys_blade\" \"automathon\" {{
           name     = \"{blade}\"
           project  = {{ group = \"{blade}-admin\" }}
           networks = {{ front = {{ cidr = \"10.66.1.0/24\" }} }}
           servers  = {{
             web = {{
               image     = \"mkys-tiny\"
               flavor    = \"tiny\"
               networks  = [\"front\"]
               user_data = \"#!/bin/sh\\nmkdir -p /srv/site{PREFIX}\\necho 'the lobby, {edition}' >/srv/site{PREFIX}/index.html\\nbusybox httpd -p 80 -h /srv/site\\n\"
               ready     = {{ http = \":80{PREFIX}/\", within = \"3m\" }}
             }}
           }}
           services = {{ lobby = {{ server = \"web\", port = 80, audiences = [\"users\"] }} }}
         }}
         resource \"mkys_blade\" \"devops\" {{
           name     = \"{devops}\"
           project  = {{ group = \"{devops}-admin\" }}
           networks = {{ core = {{ cidr = \"10.67.0.0/24\" }} }}
         }}
         resource \"mkys_backplane_link\" \"this\" {{
           blade     = mkys_blade.automathon
           backplane = mkys_blade.devops
           network   = \"core\"
         }}
         resource \"mkys_route\" \"games\" {{
           blade   = mkys_blade.automathon
           service = \"lobby\"
           host    = \"{host}\"
           path    = \"{PREFIX}\"
           access  = {{ users = {{ justification = \"Students play automata against each other\" }} }}
         }}"
    )
}

fn game(runs: &Runs, name: &str) -> Session {
    let container = Container::builder()
        .image(runs.game.clone())
        .env([("HEX_LINGER_S".parse().unwrap(), "1".to_owned())].into())
        .resources(Resources::builder().cpu_millis(200).memory_mib(256).build())
        .build();
    let path = "/play".to_owned();
    Session::builder()
        .name(name.parse().unwrap())
        .container(container)
        .port(8080)
        .answers(Answers::Websocket { path })
        .build()
}

/// The address of a session that is open.
async fn open(run: &Run) -> String {
    match run.answers().await {
        Some(url) => url,
        None => panic!("it never answers: {:?}", run.finish().await),
    }
}

/// Two who sit at a game play it to its end, and it ends with them.
async fn play(run: &Run, mut ada: Player, mut blaise: Player) {
    let (one, other) = tokio::try_join!(ada.play(|_| ()), blaise.play(|_| ())).unwrap();
    assert!(one.winner.is_some() && one.winner == other.winner);
    let outcome = run.finish().await.unwrap();
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
}

/// A sample of some points; gives its hash.
async fn sample(runs: &Runs, runner: &Runner<Kubernetes>, name: &str) -> String {
    let points = (0..9).flat_map(|x| (0..9).map(move |y| format!("{x},{y}\n")));
    let points = Input::Text(points.collect());
    let container = Container::builder()
        .image(runs.sampler.clone())
        .command(["/kdpp", "--k", "5", "--width", "3", "--seed", "7"])
        .resources(Resources::builder().cpu_millis(200).memory_mib(256).build())
        .build();
    let computation = Computation::builder()
        .name(name.parse().unwrap())
        .container(container)
        .inputs([("points.csv".parse().unwrap(), points)].into())
        .results(vec!["sample.csv".parse().unwrap()])
        .build();
    let run = runner.compute(computation).await.unwrap();
    let outcome = run.finish().await.unwrap();
    assert_eq!(outcome.verdict, Verdict::Succeeded, "{outcome:?}");
    outcome.results[0].sha256.to_string()
}

/// Does something while a visitor asks on and on, and never twice for the same; gives what was answered to each request.
fn while_visited<T>(
    visit: impl Fn() -> String + Sync,
    doing: impl FnOnce() -> T,
) -> (T, Vec<String>) {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let visitor = scope.spawn(|| {
            let mut answers = Vec::new();
            wait::look(LONGEST, || {
                answers.push(visit());
                is_over.load(Ordering::Relaxed).then_some(())
            });
            answers
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(doing));
        is_over.store(true, Ordering::Relaxed);
        let answers = visitor.join().unwrap();
        (done.unwrap(), answers)
    })
}

#[test]
fn a_blade_with_its_games_and_computations() {
    let mut stage = Stage::new("whole", 1);
    let (blade, devops) = (stage.project("a"), stage.project("b"));
    let host = "automathon.mkys.test";
    let edge = Beside::start(&stage);
    let runs = Runs::start(&stage);
    let provider = format!(
        "cloud = \"lab\"
         edge  = {{
           url          = \"{}\"
           token        = \"{}\"
           users_cidrs  = [\"198.51.100.3\"]
           devops_cidrs = [\"198.51.100.131\"]
         }}",
        edge.url(),
        edge.requester
    );
    let write =
        |edition: &str| stage.write_with(&provider, &platform(&blade, &devops, host, edition));
    let visit = || edge.visit_at(host, &format!("{PREFIX}/")).body;

    write("first edition");
    stage.apply();
    stage.settled();
    let route = text(&stage.state("mkys_route.games")["id"]);
    edge.approve(&route, "users");
    assert_eq!(visit(), "the lobby, first edition");

    let token = edge.delegate(&route, "automathon", cluster::PODS);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build();
    runtime.unwrap().block_on(async {
        let sit = async |url: &str, name: &str| {
            let seat = Player::sit(edge.dial("users"), url, name).await;
            seat.unwrap()
        };
        let runner = runs.runner(&edge, &token).await;
        let run = runner.play(game(&runs, "short")).unwrap();
        let url = open(&run).await;
        assert_eq!(url, format!("ws://{host}:{}{PREFIX}/short/play", edge.port));
        let page = edge.visit_at(host, &format!("{PREFIX}/short/"));
        assert!(page.body.contains("<title>Hex</title>"), "{page:?}");
        play(&run, sit(&url, "Ada").await, sit(&url, "Blaise").await).await;
        // below the prefix it is the lobby's server again that answers
        assert_eq!(edge.visit_at(host, &format!("{PREFIX}/short/")).status, 404);

        let hash = sample(&runs, &runner, "one").await;
        assert_eq!(hash, sample(&runs, &runner, "two").await);

        let server = || text(&stage.state("mkys_blade.automathon")["server_ids"]["web"]);
        let before = server();
        // an edition that is never ready: no visitor notices
        let ready = format!(":80{PREFIX}/\", within = \"3m\"");
        let never = ":80/never\", within = \"10s\"";
        let failing = platform(&blade, &devops, host, "lost edition").replace(&ready, never);
        stage.write_with(&provider, &failing);
        tokio::task::block_in_place(|| {
            let (said, visits) = while_visited(visit, || stage.apply_fails());
            assert!(said.contains("the same server, never stopped"), "{said}");
            assert!(visits.len() > 10, "{visits:?}");
            let lost = visits
                .iter()
                .filter(|body| *body != "the lobby, first edition");
            assert_eq!(lost.collect::<Vec<_>>(), Vec::<&String>::new());
        });
        assert_eq!(server(), before);

        // Ada sits down, the blade gets a new server, and she plays on
        let run = runner.play(game(&runs, "long")).unwrap();
        let url = open(&run).await;
        let mut ada = sit(&url, "Ada").await;
        write("second edition");
        std::thread::scope(|scope| {
            let (done, applied) = tokio::sync::oneshot::channel();
            scope.spawn(|| done.send(stage.apply()));
            tokio::task::block_in_place(|| {
                let sat = tokio::runtime::Handle::current().block_on(ada.sit_through(applied));
                sat.expect("Ada's connection is cut").expect("apply");
            });
        });
        stage.settled();
        assert_ne!(server(), before);
        // Neutron does not tell when its agent has moved a floating IP to another server, which takes seconds on a busy machine
        let lobby = "the lobby, second edition";
        wait::until(lobby, 60, || (visit() == lobby).then_some(()));
        play(&run, ada, sit(&url, "Blaise").await).await;

        assert_eq!(runner.audit().await.unwrap(), []);
        runner.close().await;
    });
    assert_eq!(runs.left(), "");
    let sessions = edge.call("GET", "/v1/sessions", &token, None).unwrap();
    assert_eq!(sessions, serde_json::json!([]));

    stage.destroy();
    is_gone(&stage, &blade);
    is_gone(&stage, &devops);
    assert_eq!(edge.visit_at(host, &format!("{PREFIX}/")).status, 404);
}
