//! Getting everything ready: the lab, the builds, the edge, the CLI with the provider.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};
use mkys_acceptance::lab::{self, Lab};
use mkys_acceptance::place::{ARTEFACTS_PORT, CLOUD};
use mkys_acceptance::platform::cli::{Cli, Workspace};
use mkys_acceptance::platform::edge::Edge;
use mkys_acceptance::platform::monitor::Monitor;
use mkys_acceptance::platform::{self, SOURCE, copy_tree};

/// Where the demo keeps its state: one a machine, like the lab.
pub(crate) const STATE: &str = "/var/lib/mkys-demo";

/// Written down before anything is started: whether the lab was up before the demo, so that it stays.
const FOUND: &str = "lab-was-up";

/// Everything that the story plays with.
pub(crate) struct Stage<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) edge: Edge,
    pub(crate) monitor: Monitor,
    folder: PathBuf,
}

impl<'a> Stage<'a> {
    pub(crate) fn find(lab: &'a Lab) -> Self {
        let folder = PathBuf::from(STATE);
        let edge = Edge::new(&folder.join("edge"), &lab.settings);
        let monitor = Monitor::new(&folder.join("monitor"), &lab.settings);
        Self {
            lab,
            edge,
            monitor,
            folder,
        }
    }

    /// Starts the lab while the rest is compiled.
    pub(crate) fn prepare(&self) -> anyhow::Result<Cli> {
        self.look_at_the_lab()?;
        let progress = &self.lab.progress;
        progress.note("meanwhile the provider and the edge are built: a minute the first time");
        let cli = std::thread::scope(|scope| {
            let lab = scope.spawn(|| lab::up(self.lab));
            let built = self.build();
            let up = lab
                .join()
                .map_err(|_| anyhow::anyhow!("the lab's start panicked"))?;
            up.context("the lab did not come up")?;
            built
        })?;
        Ok(cli)
    }

    fn look_at_the_lab(&self) -> anyhow::Result<()> {
        let found = self.folder.join(FOUND);
        if found.exists() {
            return Ok(());
        }
        // a demo before this one has started it
        let was_up = !self.folder.join("edge").exists() && lab::is_there(self.lab)?;
        std::fs::create_dir_all(&self.folder)?;
        let written = std::fs::write(&found, was_up.to_string());
        written.with_context(|| format!("{} cannot be written", found.display()))
    }

    /// Whether the lab is the demo's, so that it goes with it.
    pub(crate) fn has_started_the_lab(&self) -> bool {
        let found = std::fs::read_to_string(self.folder.join(FOUND));
        found.is_ok_and(|was_up| was_up == "false")
    }

    fn build(&self) -> anyhow::Result<Cli> {
        let start = Instant::now();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--workspace",
                "--bin",
                "terraform-provider-mkys",
                "--bin",
                "mkys-edge",
            ])
            .current_dir(SOURCE)
            .status()
            .context("cargo cannot be run")?;
        if !status.success() {
            bail!("the provider and the edge could not be built");
        }
        self.lab
            .progress
            .stage("provider and edge built", start.elapsed());
        let start = Instant::now();
        let cli = Cli::chosen(&Path::new(SOURCE).join("acceptance/cli"))?;
        self.lab
            .progress
            .stage(&format!("{} found", cli.name()), start.elapsed());
        Ok(cli)
    }

    /// The workspace of the example, with the provider installed.
    pub(crate) fn workspace(&self, cli: &Cli) -> anyhow::Result<Workspace> {
        let work = self.folder.join("work");
        for tree in ["modules", "examples/quickstart"] {
            copy_tree(&Path::new(SOURCE).join(tree), &work.join(tree))?;
        }
        let provider = platform::built("terraform-provider-mkys")?;
        self.open(cli, &provider)
    }

    fn open(&self, cli: &Cli, provider: &Path) -> anyhow::Result<Workspace> {
        let folder = self.folder.join("work/examples/quickstart");
        let workspace = Workspace::install(cli, provider, &self.folder, &folder)?;
        let settings = &self.lab.settings;
        let list = |address: &str| format!("[\"{address}\"]");
        let probe = format!(
            "http://{}:{ARTEFACTS_PORT}/node-exporter",
            settings.users.node()
        );
        let clouds = self.lab.place.clouds_yaml();
        Ok(workspace
            .with("OS_CLIENT_CONFIG_FILE", clouds.display().to_string())
            .with("MKYS_EDGE_TOKEN", self.edge.pipeline()?)
            .with("TF_VAR_cloud", CLOUD)
            .with("TF_VAR_edge_url", self.edge.url())
            .with("TF_VAR_edge_users_cidrs", list(self.edge.users()))
            .with("TF_VAR_edge_devops_cidrs", list(self.edge.devops()))
            .with("TF_VAR_probe_source", probe))
    }

    /// The workspace that an earlier run left, if it left one.
    pub(crate) fn left(&self) -> anyhow::Result<Option<Workspace>> {
        let folder = self.folder.join("work/examples/quickstart");
        if !folder.join("terraform.tfstate").is_file() {
            return Ok(None);
        }
        let cli = self.build()?;
        let provider = platform::built("terraform-provider-mkys")?;
        self.open(&cli, &provider).map(Some)
    }

    /// Takes the demo's own files away, but for what another part has there.
    pub(crate) fn clear(&self) -> anyhow::Result<()> {
        Ok(platform::remove_tree(&self.folder)?)
    }

    pub(crate) fn is_clear(&self) -> bool {
        !self.folder.exists()
    }
}
