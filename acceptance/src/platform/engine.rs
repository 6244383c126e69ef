//! A real container engine with a registry beside it, both on this machine: Debian's podman and docker-registry.
//!
//! Its state is one directory. An engine that an earlier run left there goes on if it answers; else what is left of it is taken away first.

mod firewall;

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use super::background::Background;
use super::{cluster, files};
use crate::lab::process::signal;
use crate::lab::procfs::{Process, processes};
use crate::lab::{Error, external, pause};

const PATIENCE: Duration = Duration::from_secs(30);
/// Loopback alone, with a port of the project's own beside its artefacts.
pub(super) const REGISTRY: &str = "127.0.0.1:8089";

/// What podman pushes.
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// How addresses of runs' networks begin: the runner's own default.
const RUNS: &str = "10.89.";

/// The engine.
#[derive(Debug, Clone)]
pub struct ContainerEngine {
    folder: PathBuf,
}

impl ContainerEngine {
    /// An engine with its state in `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { folder }
    }

    /// Where its state is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its API, as Docker has it.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.join("run/podman.sock")
    }

    /// Its registry, host and port.
    #[must_use]
    pub fn registry(&self) -> &'static str {
        REGISTRY
    }

    fn service(&self) -> Background {
        Background::new(&self.folder, "podman")
    }

    fn registry_service(&self) -> Background {
        Background::new(&self.folder, "registry")
    }

    /// Starts it unless it runs.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start(&self) -> Result<(), Error> {
        if !self.answers() {
            self.stop();
            self.take_away()?;
            self.configure()?;
        }
        let registry = self.registry_service();
        let config = self.folder.join("registry.yml");
        let words = ["docker-registry", "serve", &config.display().to_string()].map(str::to_owned);
        registry.start(None, &words)?;
        self.start_service()?;
        registry.until("an answer of the registry", PATIENCE, || {
            TcpStream::connect(REGISTRY).ok()
        })?;
        self.until_it_answers()
    }

    /// Starts its API alone in a place of its own: it pulls from the registry of another one.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn start_beside(&self) -> Result<(), Error> {
        self.configure()?;
        self.start_service()?;
        self.until_it_answers()
    }

    fn until_it_answers(&self) -> Result<(), Error> {
        self.service().until("an answer of podman", PATIENCE, || {
            self.answers().then_some(())
        })
    }

    /// Starts its API alone, as after a restart of it.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start_service(&self) -> Result<(), Error> {
        let address = format!("unix://{}", self.socket().display());
        let mut words = self.podman();
        words.extend(["system", "service", "--time=0", &address].map(str::to_owned));
        self.service().start(None, &words)
    }

    /// Ends its API alone; containers go on.
    pub fn stop_service(&self) {
        self.service().stop();
    }

    /// Ends it with its containers.
    pub fn stop(&self) {
        let mut words = self.podman();
        words.extend(["rm", "--all", "--force", "--time=0"].map(str::to_owned));
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        if self.service().pid().is_some() {
            let _ = external::run(&words);
        }
        self.service().stop();
        self.registry_service().stop();
    }

    /// Ends it, and takes its state away.
    ///
    /// # Errors
    /// When something stays.
    pub fn destroy(&self) -> Result<(), Error> {
        self.stop();
        self.take_away()
    }

    fn answers(&self) -> bool {
        self.service().pid().is_some() && UnixStream::connect(self.socket()).is_ok()
    }

    /// What was left by whoever was killed: shims with their containers, mounts, files.
    fn take_away(&self) -> Result<(), Error> {
        let gone = || {
            let (processes, mounts) = (self.processes(), self.mounts());
            for process in &processes {
                signal(process.pid, Signal::KILL);
            }
            for path in mounts.iter().rev() {
                let _ = external::run(&["umount", "--lazy", path]);
            }
            (processes.is_empty() && mounts.is_empty()).then_some(())
        };
        let cleared = pause::until(PATIENCE, gone);
        networks_away();
        firewall::away();
        cleared.ok_or_else(|| {
            let folder = self.folder.display();
            Error::Unexpected(format!(
                "processes or mounts of {folder} can't be taken away"
            ))
        })?;
        super::remove_tree(&self.folder)
    }

    /// What of it is on the machine, a line for each thing; none after it was destroyed.
    #[must_use]
    pub fn left(&self) -> Vec<String> {
        let processes = self.processes().into_iter().map(|one| {
            let command: String = one.command.chars().take(90).collect();
            format!("process {} ({command})", one.pid)
        });
        let mounts = self
            .mounts()
            .into_iter()
            .map(|path| format!("mount {path}"));
        let links = links().into_iter().map(|link| format!("link {link}"));
        let namespaces = namespaces()
            .into_iter()
            .map(|name| format!("network namespace {name}"));
        let chains = firewall::left().into_iter();
        processes
            .chain(mounts)
            .chain(links)
            .chain(namespaces)
            .chain(chains)
            .collect()
    }

    /// Shims, and the first processes of containers.
    fn processes(&self) -> Vec<Process> {
        let folder = self.folder.display().to_string();
        let of_ours = |one: &Process| {
            let is_shim = one.command.contains("conmon") && one.command.contains(&folder);
            let is_first = one.command.starts_with("/.mkys/init ");
            // runs on the cluster begin the same
            is_shim || (is_first && !cluster::holds(one.pid))
        };
        processes().into_iter().filter(of_ours).collect()
    }

    fn mounts(&self) -> Vec<String> {
        let below = format!("{}/", self.folder.display());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        mounts
            .lines()
            .filter_map(|line| line.split(' ').nth(4))
            .filter(|path| path.starts_with(&below))
            .map(str::to_owned)
            .collect()
    }

    /// The engine's own command line, with its state where this engine's is.
    fn podman(&self) -> Vec<String> {
        let at = |name: &str| self.folder.join(name).display().to_string();
        [
            "env".to_owned(),
            format!("CONTAINERS_CONF={}", at("containers.conf")),
            format!("CONTAINERS_STORAGE_CONF={}", at("storage.conf")),
            format!("CONTAINERS_REGISTRIES_CONF={}", at("registries.conf")),
            format!("HOME={}", self.folder.display()),
            "podman".to_owned(),
        ]
        .into()
    }

    fn configure(&self) -> Result<(), Error> {
        let folder = self.folder.display();
        let files = [
            // crun refuses mixed versions of control groups; limits may not be above the shell's own. What removes a container that
            // ended is another podman, which is told of no static_dir: with one of its own here it would find nothing to remove.
            (
                "containers.conf",
                format!(
                    "[containers]\ndefault_ulimits = [\"nofile=1024:4096\", \"nproc=4096:4096\"]\n\
                     [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
                     tmp_dir = \"{folder}/tmp\"\n\
                     [network]\nnetwork_backend = \"netavark\"\nnetwork_config_dir = \"{folder}/networks\"\n"
                ),
            ),
            (
                "storage.conf",
                format!(
                    "[storage]\ndriver = \"overlay\"\nrunroot = \"{folder}/runroot\"\ngraphroot = \"{folder}/root\"\n"
                ),
            ),
            (
                "registries.conf",
                format!("[[registry]]\nlocation = \"{REGISTRY}\"\ninsecure = true\n"),
            ),
            (
                "registry.yml",
                format!(
                    "version: 0.1\nlog: {{level: warn}}\nstorage:\n  filesystem: {{rootdirectory: {folder}/registry}}\n  \
                     delete: {{enabled: true}}\nhttp: {{addr: \"{REGISTRY}\"}}\n"
                ),
            ),
        ];
        for (name, text) in files {
            files::write(&self.folder.join(name), &text)?;
        }
        files::make(&self.folder.join("run"))
    }

    /// Makes an image of a file tree, pushes it to the registry, and gives its reference by digest. One that was made of the same before
    /// is not made again.
    ///
    /// # Errors
    /// When podman refuses.
    pub fn image(&self, name: &str, tree: &Path, changes: &[&str]) -> Result<String, Error> {
        let archive = self.folder.join(format!("{name}.tar"));
        let (tar, from) = (archive.display().to_string(), tree.display().to_string());
        // the same tree is the same archive
        external::run(&[
            "tar",
            "--create",
            "--sort=name",
            "--mtime=@0",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--file",
            &tar,
            "--directory",
            &from,
            ".",
        ])?;
        let sum = external::run(&["sha256sum", &tar])?;
        let made_of = format!("{sum}{}", changes.join("\n"));
        let known = Known::new(&self.folder, name);
        let reference = match known.reference(&made_of) {
            Some(reference) => reference,
            None => {
                let reference = self.push(name, &tar, changes)?;
                known.write(&made_of, &reference)?;
                reference
            }
        };
        let _ = std::fs::remove_file(archive);
        Ok(reference)
    }

    /// Makes an image of an archive and pushes it; gives its reference by digest.
    fn push(&self, name: &str, tar: &str, changes: &[&str]) -> Result<String, Error> {
        let reference = format!("{REGISTRY}/{name}:1");
        let mut import = vec!["import"];
        for change in changes {
            import.extend(["--change", change]);
        }
        import.extend([tar, &reference]);
        self.run(&import)?;
        let digest = self.folder.join(format!("{name}.digest"));
        let digest = digest.display().to_string();
        self.run(&["push", "--quiet", "--digestfile", &digest, &reference])?;
        let digest =
            std::fs::read_to_string(&digest).map_err(Error::io(format!("read {digest}")))?;
        // what is run is pulled, and not what was made here
        self.run(&["rmi", "--force", &reference])?;
        Ok(format!("{REGISTRY}/{name}@{}", digest.trim()))
    }

    /// Makes an image of one static program, as [`Self::image`] does; it is there as `/NAME`.
    ///
    /// # Errors
    /// When podman refuses.
    pub fn image_of(&self, name: &str, program: &Path) -> Result<String, Error> {
        let tree = self.folder.join("trees").join(name);
        let own = program.file_name().unwrap_or_default();
        files::copy(program, &tree.join(own))?;
        self.image(name, &tree, &[])
    }

    /// A command of podman's, to start and not to wait for.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Command {
        let podman = self.podman();
        let (program, arguments) = podman.split_at(1);
        let mut command = Command::new(&program[0]);
        command.args(arguments).args(words);
        command
    }

    /// Runs a command of podman's; gives what it prints.
    ///
    /// # Errors
    /// When it refuses.
    pub fn run(&self, words: &[&str]) -> Result<String, Error> {
        let podman = self.podman();
        let all: Vec<_> = podman
            .iter()
            .map(String::as_str)
            .chain(words.iter().copied())
            .collect();
        external::run(&all)
    }
}

/// What an image was made of, written down beside the engine's own state.
struct Known {
    file: PathBuf,
}

impl Known {
    fn new(folder: &Path, name: &str) -> Self {
        let file = folder.join("images").join(name);
        Self { file }
    }

    /// The image's reference, if it was made of this and the registry has it.
    fn reference(&self, made_of: &str) -> Option<String> {
        let text = std::fs::read_to_string(&self.file).ok()?;
        let (reference, known) = text.split_once('\n')?;
        let (place, digest) = reference.split_once('@')?;
        let name = place.rsplit('/').next()?;
        let manifest = format!("http://{REGISTRY}/v2/{name}/manifests/{digest}");
        let asked = ureq::head(&manifest).header("accept", MANIFEST).call();
        (known == made_of && asked.is_ok()).then(|| reference.to_owned())
    }

    fn write(&self, made_of: &str, reference: &str) -> Result<(), Error> {
        files::write(&self.file, &format!("{reference}\n{made_of}"))
    }
}

/// Takes away what containers that were killed leave of their networks.
fn networks_away() {
    for link in links() {
        let _ = external::run(&["ip", "link", "del", &link]);
    }
    for name in namespaces() {
        let _ = external::run(&["ip", "netns", "del", &name]);
    }
}

/// Bridges with addresses of runs' networks.
fn links() -> Vec<String> {
    let addresses = external::run(&["ip", "-brief", "-4", "address"]).unwrap_or_default();
    let bridge = |line: &str| {
        let mut fields = line.split_whitespace();
        let link = fields.next().unwrap_or_default();
        let of_runs = fields.skip(1).any(|address| address.starts_with(RUNS));
        (link.starts_with("podman") && of_runs).then(|| link.to_owned())
    };
    addresses.lines().filter_map(bridge).collect()
}

/// Containers' network namespaces that nothing is in.
fn namespaces() -> Vec<String> {
    let namespaces = external::run(&["ip", "netns", "list"]).unwrap_or_default();
    let names = namespaces
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| name.starts_with("netns-"));
    let is_empty = |name: &&str| {
        external::run(&["ip", "netns", "pids", name]).is_ok_and(|pids| pids.trim().is_empty())
    };
    names.filter(is_empty).map(str::to_owned).collect()
}
