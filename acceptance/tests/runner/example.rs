//! `examples/runner`, the web service that embeds the runner, with the sampler of `examples/computations/kdpp`.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mkys_acceptance::platform::built;
use serde_json::{Value, json};

use crate::bench::{EngineBench, LIMIT, static_program, tell};

struct Service {
    process: Child,
    url: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn image(bench: &EngineBench) -> String {
    let program = static_program("kdpp");
    bench.engine.image_of("kdpp", &program).unwrap()
}

fn start(bench: &EngineBench, image: &str) -> Service {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let settings = bench.settings();
    let process = Command::new(built("mkys-example-runner").unwrap())
        .args(["--listen", &address, "--image", image])
        .env("MKYS_ENGINE", bench.engine.socket())
        .env("MKYS_INIT_PROGRAM", settings.init)
        .env("MKYS_RUN_DIRECTORY", settings.directory)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let service = Service {
        process,
        url: format!("http://{address}/samples"),
    };
    let until = Instant::now() + LIMIT;
    while ask(&format!("{}/none", service.url), None).is_err() {
        assert!(Instant::now() < until, "the service does not listen");
        std::thread::park_timeout(Duration::from_millis(50));
    }
    service
}

fn ask(url: &str, body: Option<Value>) -> Result<(u16, Value), String> {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build();
    let agent = ureq::Agent::from(agent);
    let answer = match body {
        Some(body) => agent.post(url).send_json(body),
        None => agent.get(url).call(),
    };
    let mut answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status().as_u16();
    Ok((status, answer.body_mut().read_json().unwrap_or_default()))
}

fn outcome(service: &Service, name: &str) -> Value {
    let until = Instant::now() + LIMIT;
    loop {
        let (status, answer) = ask(&format!("{}/{name}", service.url), None).unwrap();
        assert_eq!(status, 200, "{answer}");
        if answer.get("outcome").is_some() {
            return answer;
        }
        assert!(Instant::now() < until, "{answer}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

#[test]
fn a_web_service_computes_in_containers_and_the_same_seed_gives_the_same() {
    tell(async {
        let bench = EngineBench::new().await;
        let told = tokio::task::spawn_blocking(move || {
            let service = start(&bench, &image(&bench));
            let points: String = (0..6)
                .flat_map(|x| (0..6).map(move |y| format!("{x},{y}\n")))
                .collect();
            let order = |seed: u64| json!({ "k": 5, "seed": seed, "points": points });
            let post =
                |name: &str, order| ask(&format!("{}/{name}", service.url), Some(order)).unwrap();
            for (name, seed) in [("first", 42), ("again", 42), ("other", 43)] {
                let (status, answer) = post(name, order(seed));
                assert_eq!(status, 202, "{answer}");
            }
            let (status, answer) = post("first", order(43));
            assert_eq!(status, 409, "{answer}");
            let [first, again, other] =
                ["first", "again", "other"].map(|name| outcome(&service, name));
            assert_eq!(
                first["outcome"]["verdict"]["verdict"], "succeeded",
                "{first}"
            );
            assert_eq!(first["sample"].as_str().unwrap().lines().count(), 5);
            assert_eq!(first["outcome"]["results"], again["outcome"]["results"]);
            assert_ne!(first["sample"], other["sample"]);

            let (status, _) = post("wrong", json!({ "k": 5, "seed": 1, "points": "0,x\n" }));
            assert_eq!(status, 202);
            let wrong = outcome(&service, "wrong");
            assert_eq!(wrong["outcome"]["verdict"]["cause"], "exit", "{wrong}");
        });
        told.await.unwrap();
    });
}
