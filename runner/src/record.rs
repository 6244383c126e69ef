//! What is written down of a run that is over, so that others can read it, check it, and run it again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use mkys_init::FilePath;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::fs;

use crate::folder;
use crate::plan::{Content, Plan, Work};
use crate::result::{ResultContent, ResultFile};
use crate::verdict::Verdict;
use crate::whole::Whole;

/// The file that a record is in.
pub const RECORD: &str = "record.json";
/// The file that describes it to others, as RO-Crate has it.
const CRATE: &str = "ro-crate-metadata.json";
/// Where inputs and results are, beside the record.
pub(crate) const INPUTS: &str = "in";
const RESULTS: &str = "out";

/// The record of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What was to be done; inputs by their hashes.
    pub plan: Plan,
    /// What did it, as far as the executor could tell.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ran: Option<Ran>,
    /// When.
    pub times: Times,
    /// What its time went into, in order, as far as the owner that saw its end was there.
    #[serde(default)]
    pub phases: Vec<Phase>,
    /// How it ended.
    pub verdict: Verdict,
    /// Its results.
    pub results: Vec<ResultFile>,
    /// What is to be known beside the verdict, such as a process of it that the kernel killed although its command ended well.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub remarks: Vec<String>,
    /// The version of the runner.
    pub runner: String,
}

/// What a run ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// The image's digest in its registry, `sha256:…`; none for one that was never in a registry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub image_digest: Option<String>,
    /// The executor's own id of the image.
    pub image_id: String,
    /// The executor and its version.
    pub executor: String,
}

/// When a run came to its states, as far as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// It was submitted.
    pub submitted: Timestamp,
    /// Its command began.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub began: Option<Timestamp>,
    /// It was known how it ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ended: Option<Timestamp>,
    /// Nothing of it was left. Not known while it is being destroyed: a record is written before that.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gone: Option<Timestamp>,
}

/// A phase of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase {
    /// Which, as [`State::phase`](crate::State::phase) names it.
    pub name: String,
    /// How long it lasted.
    pub lasted: SignedDuration,
}

/// What a second run made otherwise than the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Another verdict.
    Verdict,
    /// Another image than the one that ran first.
    Image,
    /// A result with another content, or one that only one of them has.
    Result(FilePath),
}

impl Record {
    /// The folder's record.
    ///
    /// # Errors
    ///
    /// When there is none that can be read.
    pub async fn read(folder: &Path) -> std::io::Result<Self> {
        let text = fs::read(folder.join(RECORD)).await?;
        serde_json::from_slice(&text).map_err(std::io::Error::other)
    }

    /// How another run of the same work differs in what it made.
    #[must_use]
    pub fn differences(&self, again: &Self) -> Vec<Difference> {
        let image = |record: &Self| record.ran.as_ref().map(|ran| ran.image_digest.clone());
        let mut found = Vec::new();
        if self.verdict != again.verdict {
            found.push(Difference::Verdict);
        }
        if image(self) != image(again) {
            found.push(Difference::Image);
        }
        let hashes = |record: &Self| -> BTreeMap<FilePath, String> {
            let files = record.results.iter();
            files
                .map(|file| (file.path.clone(), file.sha256.clone()))
                .collect()
        };
        let (first, second) = (hashes(self), hashes(again));
        let names = first
            .keys()
            .chain(second.keys().filter(|path| !first.contains_key(*path)));
        let other = names.filter(|path| first.get(*path) != second.get(*path));
        found.extend(other.cloned().map(Difference::Result));
        found
    }

    /// The run as a Process Run Crate: <https://w3id.org/ro/wfrun/process/0.5>.
    #[must_use]
    pub fn ro_crate(&self) -> Value {
        let (inputs, results) = (self.inputs(), &self.results);
        let held = inputs.iter().filter(|(_, content)| content.bytes.is_some());
        let mut files: Vec<Value> = held
            .map(|(path, content)| file(INPUTS, path, content.length, &content.sha256))
            .collect();
        let objects: Vec<Value> = files
            .iter()
            .map(|file| json!({ "@id": file["@id"] }))
            .collect();
        let made: Vec<Value> = results
            .iter()
            .map(|result| file(RESULTS, &result.path, result.length, &result.sha256))
            .collect();
        let made_ids: Vec<Value> = made
            .iter()
            .map(|file| json!({ "@id": file["@id"] }))
            .collect();
        files.extend(made);
        let record = json!({
            "@id": RECORD, "@type": "File", "name": "The runner's record of the run",
            "encodingFormat": "application/json",
        });
        files.push(record);
        let parts: Vec<Value> = files
            .iter()
            .map(|file| json!({ "@id": file["@id"] }))
            .collect();
        let name = &self.plan.name;
        let image = self.image();
        let mut graph = vec![
            json!({
                "@id": CRATE, "@type": "CreativeWork",
                "conformsTo": { "@id": "https://w3id.org/ro/crate/1.1" }, "about": { "@id": "./" },
            }),
            json!({
                "@id": "./", "@type": "Dataset", "name": format!("Computation {name}"),
                "description": format!("What {} made of its inputs, and how it was run.", self.plan.container.image),
                "datePublished": self.ended().to_string(),
                "license": "not stated: that of the code and of its inputs holds",
                "conformsTo": { "@id": "https://w3id.org/ro/wfrun/process/0.5" },
                "hasPart": parts, "mentions": { "@id": "#run" },
            }),
            json!({
                "@id": "https://w3id.org/ro/wfrun/process/0.5", "@type": "CreativeWork",
                "name": "Process Run Crate", "version": "0.5",
            }),
            self.action(&objects, &made_ids),
            json!({
                "@id": "#command", "@type": "SoftwareApplication",
                "name": self.plan.container.command.first().map_or("the image's own command", String::as_str),
                "description": self.plan.container.command.join(" "),
                "softwareVersion": image["sha256"].as_str().unwrap_or("unknown"),
                "url": format!("docker://{}", self.plan.container.image),
            }),
            image,
            json!({
                "@id": "#runner", "@type": "SoftwareApplication", "name": "mkys-runner",
                "description": "Starts containers for applications, and sees to it that nothing of them is left",
                "softwareVersion": self.runner, "url": "https://github.com/mkys/mkys",
            }),
        ];
        graph.extend(files);
        json!({
            "@context": ["https://w3id.org/ro/crate/1.1/context", terms()],
            "@graph": graph,
        })
    }

    /// When it was known how it ended; nobody writes a record before that.
    fn ended(&self) -> Timestamp {
        self.times.ended.unwrap_or(self.times.submitted)
    }

    fn action(&self, objects: &[Value], results: &[Value]) -> Value {
        let mut action = json!({
            "@id": "#run", "@type": "CreateAction", "name": format!("Run of {}", self.plan.name),
            "instrument": { "@id": "#command" }, "agent": { "@id": "#runner" },
            "containerImage": { "@id": "#image" }, "object": objects, "result": results,
            "endTime": self.ended().to_string(),
            "actionStatus": { "@id": match self.verdict {
                Verdict::Succeeded => "http://schema.org/CompletedActionStatus",
                Verdict::Failed(_) | Verdict::Lost { .. } => "http://schema.org/FailedActionStatus",
            } },
        });
        if let Some(began) = self.times.began {
            action["startTime"] = json!(began.to_string());
        }
        match &self.verdict {
            Verdict::Succeeded => {}
            Verdict::Failed(failure) => {
                action["error"] = json!(format!("{}: {}", failure.cause, failure.words))
            }
            Verdict::Lost { words } => action["error"] = json!(words),
        }
        action
    }

    fn image(&self) -> Value {
        let image = &self.plan.container.image;
        let digest = self
            .ran
            .as_ref()
            .and_then(|ran| ran.image_digest.as_deref());
        let (registry, name) = image
            .repository()
            .split_once('/')
            .unwrap_or(("docker.io", image.repository()));
        let mut value = json!({
            "@id": "#image", "@type": "ContainerImage", "name": name, "registry": registry,
            "additionalType": { "@id": "https://w3id.org/ro/terms/workflow-run#DockerImage" },
        });
        if let Some(digest) = digest.or_else(|| image.digest()) {
            value["sha256"] = json!(digest.trim_start_matches("sha256:"));
        }
        value
    }

    pub(crate) fn inputs(&self) -> BTreeMap<FilePath, Content> {
        match &self.plan.work {
            Work::Computation { inputs, .. } => inputs.clone(),
            Work::Session { .. } => BTreeMap::new(),
        }
    }

    /// Writes the inputs, the description and the record into the folder of the run's results. The record is the last: whoever finds it
    /// finds the rest. What an earlier run of that name left there goes.
    pub(crate) async fn write(&mut self, folder: &Path) -> std::io::Result<()> {
        let before = Self::read(folder).await.ok();
        folder::put_inputs(folder, &mut self.plan).await?;
        let about = serde_json::to_vec_pretty(&self.ro_crate()).map_err(std::io::Error::other)?;
        Whole::write(&folder.join(CRATE), &about).await?;
        self.finish(folder).await?;
        folder::leave_only(folder, self, before.as_ref()).await;
        Ok(())
    }

    /// Writes the record alone: the rest is there.
    pub(crate) async fn finish(&self, folder: &Path) -> std::io::Result<()> {
        let record = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        Whole::write(&folder.join(RECORD), &record).await
    }

    /// The record of a run whose owner was killed before it had told its end, with the results beside it. `is_there`: whether something
    /// of the run is there yet. Where nothing is, the same work under the same name is what was not told.
    pub(crate) async fn left(folder: &Path, plan: &Plan, is_there: bool) -> Option<Self> {
        let mut record = Self::read(folder).await.ok()?;
        let is_its = match is_there {
            true => record.plan == *plan,
            false => record.plan.is_same_as(plan),
        };
        if record.times.gone.is_some() || !is_its {
            return None;
        }
        for result in &mut record.results {
            let place = results_of(folder).join(&result.path);
            let there = fs::metadata(&place).await.ok()?;
            // somebody took it away meanwhile: what is on record is of no use without it
            if there.len() != result.length {
                return None;
            }
            result.content = ResultContent::File(place);
        }
        Some(record)
    }
}

/// Where an input of a recorded run is.
#[must_use]
pub fn input_of(folder: &Path, path: &FilePath) -> PathBuf {
    folder.join(INPUTS).join(path)
}

/// Where the results of a run are, below its folder.
pub(crate) fn results_of(folder: &Path) -> PathBuf {
    folder.join(RESULTS)
}

/// The terms of workflow runs that are used here, spelled out: one document less that a reader has to fetch.
fn terms() -> Value {
    let terms = [
        "ContainerImage",
        "DockerImage",
        "containerImage",
        "registry",
        "sha256",
    ];
    let place = |term: &str| json!(format!("https://w3id.org/ro/terms/workflow-run#{term}"));
    terms
        .into_iter()
        .map(|term| (term.to_owned(), place(term)))
        .collect()
}

fn file(folder: &str, path: &FilePath, length: u64, sha256: &str) -> Value {
    json!({
        "@id": format!("{folder}/{path}"), "@type": "File", "name": path.as_str(),
        "contentSize": length.to_string(), "sha256": sha256,
    })
}
