//! A real Kubernetes cluster of one node on this machine, beside the lab's cloud and the container engine, and without them.
//!
//! Its components are plain processes, found again by pid and start; its state is one directory. What an earlier run left, whatever
//! ended it, is taken away before another starts.

mod api;
mod binaries;
mod certificates;
mod component;
mod configuration;
mod image;
mod layout;
mod leftovers;
mod node;
mod policies;
mod probe;
mod start;
mod status;
mod takeaway;
mod tenant;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

pub use binaries::binaries;
pub use layout::{BRIDGE, GPU, GPUS, NODE, NODE_ADDRESS, PODS, SERVICES, STATE};
pub use policies::enforce;

pub(super) use leftovers::holds;

use super::background::Background;
use super::built;
use crate::lab::lock::Lock;
use crate::lab::{Error, external, takeaway as lab_files};
use crate::place::Place;
use crate::progress::Progress;
use component::{Component, Table};
use configuration::Configuration;
use layout::Layout;
use leftovers::Leftovers;

/// How long a component has to answer: seconds on a machine with nothing else to do.
const PATIENCE: Duration = Duration::from_secs(180);

/// The cluster.
#[derive(Debug, Clone)]
pub struct Cluster {
    layout: Layout,
    binaries: PathBuf,
    progress: Arc<Progress>,
}

impl Cluster {
    /// A cluster with its state in `folder` ([`STATE`], unless there is a reason) and its components in another ([`binaries`]).
    #[must_use]
    pub fn new(folder: &Path, binaries: &Path) -> Self {
        Self {
            layout: Layout::new(folder),
            binaries: binaries.to_owned(),
            progress: Arc::new(Progress::silent()),
        }
    }

    /// The cluster that was started with its state in `folder`: to look at, or to take away.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        let binaries = std::fs::read_link(Layout::new(folder).bin()).unwrap_or_default();
        Self::new(folder, &binaries)
    }

    /// The same, telling a person what it does.
    #[must_use]
    pub fn telling(self, progress: Progress) -> Self {
        let progress = Arc::new(progress);
        Self { progress, ..self }
    }

    /// The file with which its administrator reaches the API.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig()
    }

    /// Ends it, with everything that runs in it; its logs stay.
    ///
    /// # Errors
    /// When something stays that should not.
    pub fn stop(&self) -> Result<(), Error> {
        takeaway::everything(&self.layout)
    }

    /// Ends it, takes its state away, and looks whether anything of it is left.
    ///
    /// # Errors
    /// When something is.
    pub fn destroy(&self) -> Result<(), Error> {
        if self.layout.state().exists() {
            let place = Place::at(self.layout.state().to_owned());
            let _lock = Lock::take(&place, &self.progress)?;
            self.stop()?;
            lab_files::files(&place)?;
        } else {
            self.stop()?;
        }
        let left = Leftovers::look(&self.layout).lines();
        if !left.is_empty() {
            return Err(Error::LeftBehind(left));
        }
        let state = self.layout.state().display();
        let text = format!("down; looked for what is left: nothing; {state} is gone");
        self.progress.note(text);
        Ok(())
    }

    /// Starts one component, as after its death, and waits until it answers: `kube-apiserver`, `kubelet`, `containerd`, …
    ///
    /// # Errors
    /// When there is none of that name, or it does not answer.
    pub fn start_component(&self, name: &str) -> Result<(), Error> {
        let table = self.table()?;
        let component = table.get(name)?;
        self.background(component).start(None, &component.run)?;
        self.wait(component)?;
        for follower in table.followers(name) {
            self.background(follower).kill();
            self.background(follower).start(None, &follower.run)?;
            self.wait(follower)?;
        }
        Ok(())
    }

    /// Kills one component, as its death would end it, and leaves what it has started.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn stop_component(&self, name: &str) -> Result<(), Error> {
        let table = self.table()?;
        self.background(table.get(name)?).kill();
        for follower in table.followers(name) {
            self.background(follower).kill();
        }
        Ok(())
    }

    /// The process id of a component, if it runs.
    #[must_use]
    pub fn pid(&self, component: &str) -> Option<i32> {
        self.of_name(component).pid()
    }

    /// Where a component says what it does.
    #[must_use]
    pub fn log(&self, component: &str) -> PathBuf {
        self.of_name(component).log()
    }

    /// Runs a command of kubectl's as the administrator; gives what it prints.
    ///
    /// # Errors
    /// When it refuses, with its own words.
    pub fn kubectl(&self, words: &[&str]) -> Result<String, Error> {
        let mut command = Command::new(self.binaries.join("kubectl"));
        command
            .arg("--kubeconfig")
            .arg(self.kubeconfig())
            .args(words)
            // what it remembers of the API is this cluster's
            .env("HOME", self.layout.state());
        external::finish(&mut command)
    }

    /// Makes an image of a file tree and gives it to containerd, without a registry.
    ///
    /// # Errors
    /// When containerd refuses.
    pub fn import(&self, reference: &str, tree: &Path, entrypoint: &[&str]) -> Result<(), Error> {
        image::import(&self.layout, reference, tree, entrypoint)
    }

    fn table(&self) -> Result<Table, Error> {
        Configuration::new(&self.layout, &built("lab")?).table()
    }

    fn of_name(&self, name: &str) -> Background {
        Background::new(self.layout.state(), name).of_cluster()
    }

    fn background(&self, component: &Component) -> Background {
        self.of_name(&component.name)
    }

    fn is_well(&self, component: &Component) -> bool {
        self.background(component).pid().is_some() && self.answers(component)
    }

    fn answers(&self, component: &Component) -> bool {
        let kubeconfig = self.kubeconfig();
        component
            .ready
            .iter()
            .all(|probe| probe::answers(&kubeconfig, probe))
    }

    fn wait(&self, component: &Component) -> Result<(), Error> {
        let look = || self.answers(component).then_some(());
        self.background(component)
            .until("an answer", PATIENCE, look)
    }
}
