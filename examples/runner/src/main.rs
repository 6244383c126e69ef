//! A web service that embeds the runner: each request is computed in a container of its own, which is gone afterwards.
//!
//! `POST /samples/{name}` with `{"k": 2, "seed": 42, "points": "0,0\n1,1\n"}` starts one and answers at once; `GET /samples/{name}` says where it
//! stands, and gives the result once it is there; `DELETE` cancels. Started anew, the service goes on with what it had started.

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use clap::Parser;
use jiff::SignedDuration;
use mkys_runner::engine::{Engine, EngineSettings};
use mkys_runner::{
    Computation, Container, FilePath, Image, Input, ResultContent, Run, RunName, Runner, StartError,
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Parser)]
struct Arguments {
    /// Where it listens
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// The image of the sampler
    #[arg(long)]
    image: Image,
    /// The static mkys-init
    #[arg(long, env = "MKYS_INIT_PROGRAM")]
    init: PathBuf,
    /// The engine's API
    #[arg(long, env = "MKYS_ENGINE")]
    engine: Option<PathBuf>,
    /// Where the socket is that containers connect to
    #[arg(long, env = "MKYS_RUN_DIRECTORY", default_value = "/run/mkys-runner")]
    directory: PathBuf,
}

struct Service {
    runner: Runner<Engine>,
    image: Image,
    points: FilePath,
    sample: FilePath,
}

#[derive(Deserialize)]
struct Sample {
    k: usize,
    seed: u64,
    points: String,
}

type Answer = (StatusCode, Json<Value>);

async fn start(
    State(service): State<Arc<Service>>,
    Path(name): Path<RunName>,
    Json(sample): Json<Sample>,
) -> Answer {
    let (k, seed) = (sample.k.to_string(), sample.seed.to_string());
    let container = Container::builder()
        .image(service.image.clone())
        .command(["/kdpp", "--k", &k, "--seed", &seed])
        .build();
    let computation = Computation::builder()
        .name(name)
        .container(container)
        .inputs([(service.points.clone(), Input::Text(sample.points))].into())
        .results(vec![service.sample.clone()])
        .deadline(SignedDuration::from_mins(5))
        .build();
    match service.runner.compute(computation).await {
        Ok(run) => (StatusCode::ACCEPTED, Json(json!({ "state": run.state() }))),
        Err(error @ StartError::Other(_)) => refuse(StatusCode::CONFLICT, &error.to_string()),
        Err(error) => refuse(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
    }
}

async fn read(State(service): State<Arc<Service>>, Path(name): Path<RunName>) -> Answer {
    let Some(run) = service.runner.run(&name) else {
        return refuse(StatusCode::NOT_FOUND, "there is no such sample");
    };
    let Some(outcome) = run.outcome() else {
        return (StatusCode::OK, Json(json!({ "state": run.state() })));
    };
    let sample = outcome
        .results
        .first()
        .and_then(|result| match &result.content {
            ResultContent::Memory(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            ResultContent::File(_) | ResultContent::Elsewhere => None,
        });
    (
        StatusCode::OK,
        Json(json!({ "outcome": *outcome, "sample": sample })),
    )
}

async fn cancel(State(service): State<Arc<Service>>, Path(name): Path<RunName>) -> StatusCode {
    service.runner.run(&name).iter().for_each(Run::end);
    StatusCode::NO_CONTENT
}

fn refuse(status: StatusCode, error: &str) -> Answer {
    (status, Json(json!({ "error": error })))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let settings = EngineSettings::builder()
        .owner("sampler".parse()?)
        .init(arguments.init)
        .maybe_socket(arguments.engine)
        .directory(arguments.directory)
        .build();
    let runner = Runner::start(Engine::connect(settings).await?).await?;
    let service = Arc::new(Service {
        runner,
        image: arguments.image,
        points: "points.csv".parse()?,
        sample: "sample.csv".parse()?,
    });
    let app = Router::new()
        .route("/samples/{name}", post(start).get(read).delete(cancel))
        .with_state(service);
    let listener = tokio::net::TcpListener::bind(&arguments.listen).await?;
    Ok(axum::serve(listener, app).await?)
}
