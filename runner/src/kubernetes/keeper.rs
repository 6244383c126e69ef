//! Gives a run its inputs and takes its results, through what stands in its pod for that (`mkys-keeper`).

use std::io;
use std::time::Duration;

use bytes::Bytes;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use mkys_init::{CHUNK, Frame, ToOwner, ToRun};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::hub::Hub;
use super::{job, triage};
use crate::executor::Part;
use crate::frames::{Reader, part};
use crate::kept::KeptInputs;
use crate::plan::{Plan, Work};
use crate::state::Observation;
use crate::verdict::Cause;

/// Before inputs that could not be given are given again.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a keeper may take to say anything at all.
const ANSWER: Duration = Duration::from_secs(30);
const BUFFER: usize = 4 * CHUNK;
/// What is kept of what a keeper says that failed.
const WORDS: u64 = 1024;

/// A keeper that was asked to do something.
struct Asked {
    process: AttachedProcess,
    input: Box<dyn AsyncWrite + Send + Unpin>,
    output: Reader<Box<dyn AsyncRead + Send + Unpin>>,
}

async fn ask(
    api: &Api<Pod>,
    pod: &str,
    container: &str,
    action: &str,
) -> Result<Asked, kube::Error> {
    let mut parameters = AttachParams::default()
        .container(container)
        .stdin(true)
        .stdout(true)
        .stderr(true);
    parameters.max_stdin_buf_size = Some(BUFFER);
    parameters.max_stdout_buf_size = Some(BUFFER);
    let mut process = api.exec(pod, [job::KEEPER, action], &parameters).await?;
    let (input, output) = (process.stdin(), process.stdout());
    let input: Box<dyn AsyncWrite + Send + Unpin> = match input {
        Some(input) => Box::new(input),
        None => Box::new(tokio::io::sink()),
    };
    let output: Box<dyn AsyncRead + Send + Unpin> = match output {
        Some(output) => Box::new(output),
        None => Box::new(tokio::io::empty()),
    };
    Ok(Asked {
        process,
        input,
        output: Reader::new(output),
    })
}

impl Asked {
    async fn say(&mut self, frame: &Frame<ToRun>) -> io::Result<()> {
        let mut bytes = Vec::new();
        frame.encode(&mut bytes).map_err(io::Error::other)?;
        self.input.write_all(&bytes).await?;
        self.input.flush().await
    }

    /// Why it ended, in its own words or Kubernetes'.
    async fn words(mut self, error: io::Error) -> String {
        let status = self.process.take_status();
        let mut said = String::new();
        if let Some(errors) = self.process.stderr() {
            let mut errors = errors.take(WORDS);
            // a keeper that is stuck says nothing more
            let _ = tokio::time::timeout(PAUSE, errors.read_to_string(&mut said)).await;
        }
        if !said.trim().is_empty() {
            return said.trim().to_owned();
        }
        let status = match status {
            Some(status) => tokio::time::timeout(PAUSE, status).await.ok().flatten(),
            None => None,
        };
        let message = status.and_then(|status| status.message);
        message.unwrap_or_else(|| error.to_string())
    }
}

/// Gives a run its inputs. What can't be given now is given again, until nobody waits for it any more.
pub(super) async fn feed(api: &Api<Pod>, hub: &Hub, plan: &Plan, pod: &str) {
    let Some(files) = hub.kept().of(plan).await else {
        return hub.see(&plan.name, Observation::Failed(KeptInputs::missing()));
    };
    while let Err(words) = put(api, pod, &files).await {
        tracing::warn!(run = %plan.name, words, "its inputs can't be given; tried again");
        let words = format!("its inputs can't be given: {words}");
        let cause = Cause::Files;
        hub.see(&plan.name, Observation::Waiting { cause, words });
        tokio::time::sleep(PAUSE).await;
        let pod = hub.pod_of(&plan.name);
        if !pod.as_ref().is_some_and(triage::wants_inputs) {
            break;
        }
    }
    hub.not_fed(&plan.name);
}

async fn put(
    api: &Api<Pod>,
    pod: &str,
    files: &[(mkys_init::FilePath, Bytes)],
) -> Result<(), String> {
    let asked = tokio::time::timeout(ANSWER, ask(api, pod, job::INPUTS, "put")).await;
    let mut keeper = asked
        .map_err(|_| "no answer".to_owned())?
        .map_err(|error| error.to_string())?;
    let given: io::Result<()> = async {
        for (path, bytes) in files {
            let length = bytes.len() as u64;
            let path = path.clone();
            keeper
                .say(&Frame::Message(ToRun::File { path, length }))
                .await?;
            for chunk in bytes.chunks(CHUNK) {
                keeper.say(&Frame::Data(chunk.to_vec())).await?;
            }
        }
        keeper.say(&Frame::Message(ToRun::Start)).await?;
        match tokio::time::timeout(ANSWER, keeper.output.frame()).await?? {
            Frame::Message(ToOwner::Taken) => Ok(()),
            _ => Err(io::Error::other("it says something else")),
        }
    }
    .await;
    match given {
        Ok(()) => Ok(()),
        Err(error) => Err(keeper.words(error).await),
    }
}

/// Asks for a run's results, which come part by part.
pub(super) async fn take(
    api: &Api<Pod>,
    plan: &Plan,
    pod: &str,
) -> Result<mpsc::Receiver<Part>, Box<dyn std::error::Error + Send + Sync>> {
    let Work::Computation { results, .. } = &plan.work else {
        return Err("a session has no results".into());
    };
    let asked = tokio::time::timeout(ANSWER, ask(api, pod, job::RESULTS, "give")).await;
    let mut keeper = asked??;
    let paths = results.clone();
    let limit = plan.results_limit();
    keeper
        .say(&Frame::Message(ToRun::Take { paths, limit }))
        .await?;
    let (sender, parts) = mpsc::channel(8);
    let run = plan.name.clone();
    tokio::spawn(async move {
        loop {
            let frame = match tokio::time::timeout(ANSWER, keeper.output.frame()).await {
                Ok(Ok(frame)) => frame,
                Ok(Err(error)) => {
                    let words = keeper.words(error).await;
                    tracing::warn!(%run, words, "its results are interrupted");
                    return;
                }
                Err(_) => {
                    tracing::warn!(%run, "its results are interrupted: no answer");
                    return;
                }
            };
            let Some(part) = part(frame) else { continue };
            let is_last = matches!(part, Part::Taken | Part::NotTaken(_));
            // whoever asked may want it no more
            if sender.send(part).await.is_err() || is_last {
                return;
            }
        }
    });
    Ok(parts)
}
