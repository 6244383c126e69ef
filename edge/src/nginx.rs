//! NGINX: its configuration, and the one set of processes that serves from the state folder.
//!
//! NGINX outlives this service: a restart of the service finds it and goes on with it, so no connection is cut. A changed configuration is
//! tried aside first, put in place by a rename, and taken back when NGINX does not take it.

mod configuration;
mod processes;
mod supervisor;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::Instant;

use crate::settings::Settings;
use crate::warning::Warning;
use configuration::Configuration;
pub(crate) use processes::is_master;
pub use supervisor::Supervisor;

/// How long NGINX may take to start, or to take a new configuration.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long one answer on the control socket may take.
const ANSWER: Duration = Duration::from_secs(2);

/// A failure of NGINX.
#[derive(Debug, strum::EnumCount, thiserror::Error)]
pub enum NginxError {
    /// A file cannot be written.
    #[error("failed to write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The template is broken.
    #[error("failed to render NGINX' configuration")]
    Render(#[from] minijinja::Error),
    /// The program cannot be run.
    #[error("failed to run {program}")]
    Run {
        /// The program.
        program: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// NGINX refuses the configuration.
    #[error("NGINX refuses its configuration: {0}")]
    Refused(String),
    /// NGINX does not answer.
    #[error("NGINX does not answer on its control socket after {} s; its log: {log}", PATIENCE.as_secs())]
    Silent {
        /// NGINX' own log.
        log: PathBuf,
    },
    /// Another `mkys-edge serve` has the state folder.
    #[error("`mkys-edge serve` runs with this state and would start NGINX again; stop it first")]
    Supervised,
    /// The control socket's client cannot be made.
    #[error("failed to make a client of NGINX' control socket: {0}")]
    Client(String),
}

/// NGINX as this edge runs it.
#[derive(Clone, Debug)]
pub struct NginxProcess {
    settings: Settings,
}

/// The answer of a worker on the control socket.
#[derive(Debug, Deserialize)]
struct Status {
    /// Id of the configuration that it runs by; none in one of an earlier version.
    #[serde(default)]
    configuration: Option<String>,
}

impl NginxProcess {
    /// NGINX by these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The socket that routes are told on.
    pub fn control(&self) -> PathBuf {
        control(&self.settings.state)
    }

    /// The configuration's text.
    ///
    /// # Errors
    ///
    /// [`NginxError::Render`] when the template is broken.
    pub fn render(&self) -> Result<String, NginxError> {
        let configuration = Configuration::render(&self.settings, self.settings.nginx.routes_mib)?;
        Ok(configuration.text)
    }

    /// Makes NGINX run by the present settings: started, or reloaded when they changed, or left
    /// alone. Strays of this state are ended first.
    ///
    /// # Errors
    ///
    /// When NGINX refuses; what ran before still runs, by the configuration before.
    pub async fn ensure(&self) -> Result<(), NginxError> {
        let state = &self.settings.state;
        for folder in ["control", "portal", "temp"] {
            make_folder(&state.join(folder))?;
        }
        // NGINX opens the socket there before it becomes another user, and lets anybody write to it who gets there
        only_for_owner(&state.join("control"))?;
        let running = self.take_over().await;
        let before = self.in_place();
        let wanted = self.wanted(before.as_deref().filter(|_| running.is_some()))?;
        wanted.write_parts(state)?;
        if running.is_some() && before.as_ref() == Some(&wanted.text) {
            return self.answers(&wanted.id).await;
        }
        self.replace(&wanted, running).await?;
        let before = before.as_deref().and_then(configuration::id_of);
        wanted.remove_others(state, before);
        Ok(())
    }

    /// The configuration for the settings. The memory that a running NGINX has its routes in keeps its size: with another size NGINX makes
    /// another memory, and workers that are still relaying would not see the routes of that one, nor be seen.
    fn wanted(&self, running: Option<&str>) -> Result<Configuration, NginxError> {
        let wanted = self.settings.nginx.routes_mib;
        let routes_mib = running.and_then(configuration::routes_mib_of);
        let routes_mib = routes_mib.unwrap_or(wanted);
        if routes_mib != wanted {
            tracing::warn!(wanted, running = routes_mib, "{}", Warning::OtherMemory);
        }
        Configuration::render(&self.settings, routes_mib)
    }

    /// Puts a configuration in place and has NGINX run by it, or the one before in place again.
    async fn replace(
        &self,
        wanted: &Configuration,
        running: Option<i32>,
    ) -> Result<(), NginxError> {
        let state = &self.settings.state;
        let [config, aside, before] =
            ["nginx.conf", "nginx.conf.new", "nginx.conf.before"].map(|name| state.join(name));
        write(&aside, &wanted.text)?;
        if running.is_some() {
            // NGINX tries the listeners of its own master as taken, so only the syntax is tried
            self.run(&["-t", "-q", "-c", path(&aside)]).await?;
        }
        let had = std::fs::copy(&config, &before).is_ok();
        rename(&aside, &config)?;
        let log = self.log_length();
        let told = match running {
            Some(master) => {
                processes::signal(master, Signal::HUP);
                Ok(())
            }
            None => self.start().await,
        };
        let result = match told {
            Ok(()) => self.answers(&wanted.id).await,
            Err(error) => Err(error),
        };
        let Err(error) = result else { return Ok(()) };
        if had && let Some(master) = running {
            // what ran before goes on by what it knows; the next start finds a difference and says so again
            rename(&before, &config)?;
            processes::signal(master, Signal::HUP);
            if let Some(reason) = self.emergency_since(log) {
                return Err(NginxError::Refused(reason));
            }
        }
        Err(error)
    }

    /// Finds the NGINX that serves from this state and ends what else does. Gives its master; `None`: there is none.
    async fn take_over(&self) -> Option<i32> {
        let state = &self.settings.state;
        let found = processes::find(state);
        if !found.strays.is_empty() {
            tracing::warn!(
                pids = ?found.strays,
                "{}",
                Warning::Strays
            );
            processes::end(&found.strays).await;
        }
        let master = found.master?;
        let file = state.join("nginx.pid");
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        if written.trim() != master.to_string()
            && let Err(error) = write(&file, &format!("{master}\n"))
        {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "{}",
                Warning::PidFile
            );
        }
        Some(master)
    }

    /// Ends NGINX at once.
    ///
    /// # Errors
    ///
    /// [`NginxError::Supervised`] while a service would start it again.
    pub async fn stop(&self) -> Result<(), NginxError> {
        let _lock = lock(&self.settings.state)?.ok_or(NginxError::Supervised)?;
        let found = processes::find(&self.settings.state);
        let master: Vec<_> = found.master.into_iter().collect();
        // the master first, or else it would start new workers
        processes::end(&master).await;
        let left = processes::find(&self.settings.state);
        processes::end(&[left.workers, left.strays].concat()).await;
        Ok(())
    }

    async fn start(&self) -> Result<(), NginxError> {
        let state = &self.settings.state;
        // sockets of a killed NGINX are in the way of the next
        let _ = std::fs::remove_file(self.control());
        let config = state.join("nginx.conf");
        self.run(&["-c", path(&config)]).await
    }

    async fn run(&self, arguments: &[&str]) -> Result<(), NginxError> {
        let program = &self.settings.nginx.program;
        let output = Command::new(program)
            .args(arguments)
            // by this NGINX is found again (`processes`)
            .current_dir(&self.settings.state)
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|source| NginxError::Run {
                program: program.clone(),
                source,
            })?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        // the lines repeat themselves; the last one only says that NGINX gives up
        let said: Vec<_> = said
            .lines()
            .filter(|line| line.contains("[emerg]"))
            .collect();
        let reason = said.first().copied().unwrap_or("it does not say why");
        Err(NginxError::Refused(reason.to_owned()))
    }

    fn in_place(&self) -> Option<String> {
        in_place(&self.settings.state)
    }

    fn log(&self) -> PathBuf {
        self.settings.state.join("error.log")
    }

    fn log_length(&self) -> u64 {
        std::fs::metadata(self.log()).map_or(0, |metadata| metadata.len())
    }

    /// The first emergency that NGINX wrote to its log after so many bytes.
    fn emergency_since(&self, length: u64) -> Option<String> {
        let text = std::fs::read(self.log()).ok()?;
        let text = text.get(usize::try_from(length).ok()?..)?;
        let text = String::from_utf8_lossy(text);
        let line = text.lines().find(|line| line.contains("[emerg]"));
        line.map(str::to_owned)
    }

    /// Waits until a worker of a configuration answers: those of the one before may still do so.
    async fn answers(&self, id: &str) -> Result<(), NginxError> {
        let http = client(self.control())?;
        let log = self.log_length();
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if status(&http)
                .await
                .is_ok_and(|status| status.configuration.as_deref() == Some(id))
            {
                return Ok(());
            }
            if let Some(reason) = self.emergency_since(log) {
                return Err(NginxError::Refused(reason));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(NginxError::Silent { log: self.log() })
    }
}

/// The socket that routes are told on, of the NGINX of a state folder.
pub fn control(state: &Path) -> PathBuf {
    state.join("control/routes.sock")
}

fn in_place(state: &Path) -> Option<String> {
    std::fs::read_to_string(state.join("nginx.conf")).ok()
}

/// The id of the configuration in place in a state folder: what a worker that is told routes must run by.
pub fn configuration(state: &Path) -> String {
    let text = in_place(state).unwrap_or_default();
    configuration::id_of(&text).unwrap_or_default().to_owned()
}

/// The memory for routes by the configuration in place in a state folder, in MiB.
pub fn routes_mib(state: &Path) -> Option<u32> {
    configuration::routes_mib_of(&in_place(state)?)
}

/// A client of the control socket. Each question has a connection of its own: one that is kept stays with its worker, however old.
fn client(socket: PathBuf) -> Result<reqwest::Client, NginxError> {
    let http = reqwest::Client::builder()
        .unix_socket(socket)
        .pool_max_idle_per_host(0)
        .timeout(ANSWER)
        .build();
    http.map_err(|error| NginxError::Client(error.to_string()))
}

async fn status(http: &reqwest::Client) -> Result<Status, reqwest::Error> {
    let answer = http.get("http://nginx/status").send().await?;
    answer.error_for_status()?.json().await
}

/// Takes the state folder for this process alone; `None`: another one has it. Dropped, it is given back, as it is when the process ends.
///
/// # Errors
///
/// When the folder cannot be written.
pub fn lock(state: &Path) -> Result<Option<std::fs::File>, NginxError> {
    make_folder(state)?;
    let path = state.join("lock");
    let failed = |source| NginxError::Write {
        path: path.clone(),
        source,
    };
    let file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&path)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn path(path: &Path) -> &str {
    // settings are checked: paths are ASCII
    path.to_str().unwrap_or_default()
}

fn make_folder(folder: &Path) -> Result<(), NginxError> {
    std::fs::create_dir_all(folder).map_err(|source| NginxError::Write {
        path: folder.to_owned(),
        source,
    })
}

fn only_for_owner(folder: &Path) -> Result<(), NginxError> {
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(folder, mode).map_err(|source| NginxError::Write {
        path: folder.to_owned(),
        source,
    })
}

/// Writes a file whole or not at all: NGINX may be about to read it, and the disk may be full. One that has the text is left alone.
fn write(file: &Path, text: &str) -> Result<(), NginxError> {
    if std::fs::read(file).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    let aside = file.with_added_extension("part");
    std::fs::write(&aside, text).map_err(|source| NginxError::Write {
        path: file.to_owned(),
        source,
    })?;
    rename(&aside, file)
}

fn rename(from: &Path, to: &Path) -> Result<(), NginxError> {
    std::fs::rename(from, to).map_err(|source| NginxError::Write {
        path: to.to_owned(),
        source,
    })
}
