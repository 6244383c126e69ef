//! A story's own place: names, a folder with configuration, a CLI with the provider installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use mkys_acceptance::lab::Lab;
use mkys_acceptance::platform::built;
use mkys_acceptance::platform::cli::{Cli, Ended, Workspace};
use serde_json::{Value, json};

use super::cloud::Cloud;
use super::leftovers;

/// The provider's configuration of most stories.
pub(crate) const PROVIDER: &str = r#"
  cloud = "lab"
  edge  = { users_cidrs = ["198.51.100.3"], devops_cidrs = ["198.51.100.131"] }
"#;

/// A story's own place. It is taken away with all that was made in its projects, also when the
/// story fails.
pub(crate) struct Stage {
    pub(crate) cloud: Cloud,
    pub(crate) folder: PathBuf,
    workspace: Workspace,
    prefix: String,
    projects: Vec<String>,
}

/// The CLIs to test with.
pub(crate) fn clis() -> Vec<PathBuf> {
    if let Some(given) = std::env::var_os("MKYS_CLIS").filter(|given| !given.is_empty()) {
        return std::env::split_paths(&given).collect();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut terraform = std::env::split_paths(&path).map(|folder| folder.join("terraform"));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/build-tofu.sh");
    let tofu = Command::new(script).output().unwrap();
    assert!(tofu.status.success(), "OpenTofu cannot be built");
    let tofu = String::from_utf8(tofu.stdout).unwrap().trim().into();
    let terraform = terraform.find(|file: &PathBuf| file.is_file());
    terraform.into_iter().chain([tofu]).collect()
}

/// Plays a story with each CLI.
pub(crate) fn each_cli(story: &str, play: impl Fn(&mut Stage)) {
    for (index, cli) in clis().into_iter().enumerate() {
        play(&mut Stage::open(&format!("{story}{index}"), cli));
    }
}

impl Stage {
    /// A place for a story; `turn` says whose turn it is among the CLIs.
    pub(crate) fn new(story: &str, turn: usize) -> Self {
        let clis = clis();
        Self::open(story, clis[turn % clis.len()].clone())
    }

    fn open(story: &str, cli: PathBuf) -> Self {
        let lab = Lab::from_environment().unwrap();
        let ready = lab.place.ready().is_file();
        assert!(ready, "the lab is not up: `lab up` first");
        let cloud = Cloud::administrator();
        leftovers::sweep(&cloud);
        let prefix = format!("{}{story}", leftovers::prefix());
        let folder = Path::new(leftovers::FOLDER).join(&prefix);
        leftovers::remove_folder(&folder);
        let work = folder.join("work");
        std::fs::create_dir_all(&work).unwrap();
        let provider = built("terraform-provider-mkys").unwrap();
        let clouds = lab.place.clouds_yaml().display().to_string();
        let workspace = Workspace::install(&Cli::of(cli), &provider, &folder, &work).unwrap();
        let workspace = workspace.with("OS_CLIENT_CONFIG_FILE", clouds);
        let stage = Self {
            cloud,
            folder,
            workspace,
            prefix,
            projects: Vec::new(),
        };
        stage.write("");
        stage.workspace.init().unwrap();
        stage
    }

    /// A name of the story's own.
    pub(crate) fn name(&self) -> &str {
        &self.prefix
    }

    /// A project's name of the story's own, which is taken away in the end. A blade's group has the
    /// same with `-admin`.
    pub(crate) fn project(&mut self, name: &str) -> String {
        let name = format!("{}{name}", self.prefix);
        if !self.projects.contains(&name) {
            self.projects.push(name.clone());
        }
        name
    }

    /// Sets an environment variable of the CLI.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.workspace = self.workspace.clone().with(name, value);
    }

    /// Writes the configuration.
    pub(crate) fn write(&self, text: &str) {
        self.write_with(PROVIDER, text);
    }

    /// Writes the configuration, with the provider's own.
    pub(crate) fn write_with(&self, provider: &str, text: &str) {
        let required =
            "terraform {\n  required_providers {\n    mkys = { source = \"mkys/mkys\" }\n  }\n}";
        let text = format!("{required}\nprovider \"mkys\" {{\n{provider}\n}}\n{text}\n");
        std::fs::write(self.folder.join("work/main.tf"), text).unwrap();
    }

    /// Writes a file beside the configuration.
    pub(crate) fn write_file(&self, name: &str, text: &str) -> PathBuf {
        let file = self.folder.join("work").join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Has the CLI find these settings of the cloud `lab`.
    pub(crate) fn clouds(&mut self, lab: &Value) {
        let text = json!({ "clouds": { "lab": lab } }).to_string();
        let file = self.write_file("other.yaml", &text);
        self.set("OS_CLIENT_CONFIG_FILE", &file.display().to_string());
    }

    /// Forgets all that the CLI knows of what exists.
    pub(crate) fn forget_state(&self) {
        for name in ["terraform.tfstate", "terraform.tfstate.backup"] {
            let _ = std::fs::remove_file(self.folder.join("work").join(name));
        }
        let _ = std::fs::remove_file(self.folder.join("work/.terraform.tfstate.lock.info"));
    }

    /// A command of the CLI, to start and not to wait for.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.workspace.command(arguments)
    }

    /// Runs a command of the CLI to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.workspace.run(arguments).unwrap()
    }

    /// Applies; it must work.
    pub(crate) fn apply(&self) -> String {
        let ended = self.workspace.apply(&[]).unwrap();
        assert_eq!(ended.code, 0, "{}", ended.said);
        ended.said
    }

    /// Applies; it must fail. Gives what was said, on one line.
    pub(crate) fn apply_fails(&self) -> String {
        let ended = self.workspace.apply(&[]).unwrap();
        assert_eq!(ended.code, 1, "{}", ended.said);
        flat(&ended.said)
    }

    /// Applies as if nothing were known of what exists; it must fail. The state stays what it was.
    pub(crate) fn apply_fails_without_state(&self) -> String {
        let state = self.folder.join("work/none.tfstate");
        let state = format!("-state={}", state.display());
        let ended = self.run(&["apply", "-no-color", "-auto-approve", &state]);
        assert_eq!(ended.code, 1, "{}", ended.said);
        flat(&ended.said)
    }

    /// Plans; it must find something to do. Gives what was said.
    pub(crate) fn plan_changes(&self) -> String {
        let ended = self.run(&["plan", "-no-color", "-detailed-exitcode"]);
        assert_eq!(ended.code, 2, "{}", ended.said);
        ended.said
    }

    /// A plan must have nothing to do.
    pub(crate) fn settled(&self) {
        let ended = self.run(&["plan", "-no-color", "-detailed-exitcode"]);
        assert_eq!(ended.code, 0, "{}", ended.said);
    }

    /// Destroys; it must work.
    pub(crate) fn destroy(&self) {
        let ended = self.run(&["destroy", "-no-color", "-auto-approve"]);
        assert_eq!(ended.code, 0, "{}", ended.said);
    }

    /// Attributes of a resource in the state; null when it is not there.
    pub(crate) fn state(&self, address: &str) -> Value {
        let output = self.command(&["show", "-json"]).output().unwrap();
        let state: Value = serde_json::from_slice(&output.stdout).unwrap();
        let resources = state["values"]["root_module"]["resources"].as_array();
        let found = resources
            .into_iter()
            .flatten()
            .find(|one| one["address"] == address);
        found.map(|one| one["values"].clone()).unwrap_or_default()
    }
}

#[expect(clippy::print_stdout, reason = "the harness shows it with the failure")]
fn show(text: &str) {
    let from = text.len().saturating_sub(6_000);
    println!("… {}", text.get(from..).unwrap_or(text));
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // the folder goes, and with it what the CLI said
            let log = std::fs::read_dir(self.folder.join("log"));
            for file in log.into_iter().flatten().flatten() {
                let text = std::fs::read_to_string(file.path()).unwrap_or_default();
                show(&text);
            }
            // a service that hangs is named beside the story that it made fail
            if let Ok(lab) = Lab::from_environment() {
                let _ = mkys_acceptance::lab::doctor(&lab);
            }
        }
        for project in &self.projects {
            leftovers::remove_project(&self.cloud, project);
        }
        leftovers::remove_folder(&self.folder);
    }
}

/// A CLI's text without the frames and line breaks that it puts around an error.
pub(crate) fn flat(said: &str) -> String {
    let words = said.split_whitespace();
    let words = words.filter(|word| !matches!(*word, "│" | "╷" | "╵" | "|"));
    words.collect::<Vec<_>>().join(" ")
}
