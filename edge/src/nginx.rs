//! NGINX: its configuration, rendered from typed settings alone, and the process.
//!
//! NGINX outlives this service: a restart of the service finds it by its pid file and goes on with
//! it, so no connection is cut. A changed configuration is tried aside first, put in place by a
//! rename, and taken back when NGINX does not take it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use minijinja::Environment;
use minijinja::value::Serde;
use serde_json::json;
use tokio::process::Command;

use crate::settings::Settings;

const LUA: [(&str, &str); 5] = [
    (
        "activity.lua",
        include_str!("../nginx/lua/mkys/activity.lua"),
    ),
    ("routes.lua", include_str!("../nginx/lua/mkys/routes.lua")),
    ("control.lua", include_str!("../nginx/lua/mkys/control.lua")),
    ("access.lua", include_str!("../nginx/lua/mkys/access.lua")),
    (
        "websocket.lua",
        include_str!("../nginx/lua/mkys/websocket.lua"),
    ),
];

/// How long NGINX may take to start, or to take a new configuration.
const PATIENCE: Duration = Duration::from_secs(15);

/// What NGINX said no to.
#[derive(Debug, thiserror::Error)]
pub enum NginxError {
    /// A file cannot be written.
    #[error("{path} cannot be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The template is broken.
    #[error("NGINX' configuration cannot be rendered")]
    Render(#[from] minijinja::Error),
    /// The program cannot be run.
    #[error("{program} cannot be run")]
    Run {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// NGINX refuses the configuration.
    #[error("NGINX refuses its configuration: {0}")]
    Refused(String),
    /// NGINX does not answer.
    #[error("NGINX does not answer on its control socket after {} s; its log: {log}", PATIENCE.as_secs())]
    Silent {
        /// Where it says why.
        log: PathBuf,
    },
}

/// NGINX as this edge runs it.
#[derive(Clone, Debug)]
pub struct NginxProcess {
    settings: Settings,
}

impl NginxProcess {
    /// NGINX by these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }

    /// The socket that routes are told on.
    pub fn control(&self) -> PathBuf {
        self.settings.state.join("control/routes.sock")
    }

    /// The configuration's text.
    ///
    /// # Errors
    ///
    /// [`NginxError::Render`] when the template is broken.
    pub fn render(&self) -> Result<String, NginxError> {
        let settings = &self.settings;
        let mut environment = Environment::new();
        environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
        environment.add_template("nginx.conf", include_str!("../nginx/nginx.conf.j2"))?;
        let nginx = &settings.nginx;
        let workers = match nginx.workers {
            0 => "auto".to_owned(),
            number => number.to_string(),
        };
        let listeners: Vec<_> = settings
            .listeners()
            .into_iter()
            .map(|(audience, listener)| {
                json!({
                    "audience": audience.as_str(),
                    "addresses": listener.listen,
                    "tls": listener.tls,
                })
            })
            .collect();
        let text = environment.get_template("nginx.conf")?.render(Serde(json!({
            "modules": nginx.modules,
            "user": nginx.user,
            "workers": workers,
            "connections": nginx.connections,
            "open_files": open_files(nginx.connections),
            "routes_memory": format!("{}m", nginx.routes_mib),
            "body_limit": if nginx.body_mib == 0 { "0".to_owned() } else { format!("{}m", nginx.body_mib) },
            "answer_s": nginx.answer_s,
            "state": settings.state,
            "lua": settings.state.join("lua"),
            "listeners": listeners,
        })))?;
        Ok(text)
    }

    /// Makes NGINX run by the present settings: started, or reloaded when they changed, or left
    /// alone.
    ///
    /// # Errors
    ///
    /// When NGINX refuses; what ran before still runs, by the configuration before.
    pub async fn ensure(&self) -> Result<(), NginxError> {
        let state = &self.settings.state;
        for folder in ["control", "portal", "temp", "lua/mkys"] {
            make_folder(&state.join(folder))?;
        }
        // NGINX opens the socket there before it becomes another user, and lets anybody write to it who gets there
        only_for_owner(&state.join("control"))?;
        let mut changed = false;
        for (name, text) in LUA {
            changed |= replace(&state.join("lua/mkys").join(name), text)?;
        }
        changed |= replace(
            &state.join("proxy.conf"),
            include_str!("../nginx/proxy.conf"),
        )?;
        let text = self.render()?;
        let (config, aside, before) = (
            state.join("nginx.conf"),
            state.join("nginx.conf.new"),
            state.join("nginx.conf.before"),
        );
        let running = self.is_running();
        if running && !changed && std::fs::read_to_string(&config).is_ok_and(|old| old == text) {
            return self.answers().await;
        }
        write(&aside, &text)?;
        if running {
            // NGINX tries the listeners of its own master as taken, so only the syntax is tried
            self.run(&["-t", "-q", "-c", path(&aside)]).await?;
        }
        let had = std::fs::copy(&config, &before).is_ok();
        std::fs::rename(&aside, &config).map_err(|source| NginxError::Write {
            path: config.clone(),
            source,
        })?;
        let told = match running {
            true => self.run(&["-s", "reload", "-c", path(&config)]).await,
            false => self.start(&config).await,
        };
        let result = match told {
            Ok(()) => self.answers().await,
            Err(error) => Err(error),
        };
        if result.is_err() && running && had && std::fs::rename(&before, &config).is_ok() {
            // what ran before goes on by what it knows
            self.run(&["-s", "reload", "-c", path(&config)]).await?;
        }
        result
    }

    /// Ends NGINX, once its connections have ended or at once.
    ///
    /// # Errors
    ///
    /// When it cannot be told.
    pub async fn stop(&self) -> Result<(), NginxError> {
        if self.is_running() {
            let config = self.settings.state.join("nginx.conf");
            self.run(&["-s", "stop", "-c", path(&config)]).await?;
            let end = tokio::time::Instant::now() + PATIENCE;
            while self.is_running() && tokio::time::Instant::now() < end {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    async fn start(&self, config: &Path) -> Result<(), NginxError> {
        // sockets of a killed NGINX are in the way of the next
        let _ = std::fs::remove_file(self.control());
        self.run(&["-c", path(config)]).await
    }

    async fn run(&self, arguments: &[&str]) -> Result<(), NginxError> {
        let program = &self.settings.nginx.program;
        let output = Command::new(program)
            .args(arguments)
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
        Err(NginxError::Refused(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        ))
    }

    /// Whether the process of the pid file is NGINX, and ours.
    fn is_running(&self) -> bool {
        let pid = std::fs::read_to_string(self.settings.state.join("nginx.pid"));
        let Ok(pid) = pid.unwrap_or_default().trim().parse::<u32>() else {
            return false;
        };
        let command = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.contains("nginx") && command.contains(path(&self.settings.state))
    }

    async fn answers(&self) -> Result<(), NginxError> {
        let socket = self.control();
        let end = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < end {
            if tokio::net::UnixStream::connect(&socket).await.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(NginxError::Silent {
            log: self.settings.state.join("error.log"),
        })
    }
}

/// Files a worker may have open: a relayed connection has two ends. Not more than this process may
/// give: NGINX would say so at each start.
fn open_files(connections: u32) -> u64 {
    let wanted = u64::from(connections) * 2 + 1024;
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    hard.map_or(wanted, |hard: u64| wanted.min(hard))
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

fn write(file: &Path, text: &str) -> Result<(), NginxError> {
    std::fs::write(file, text).map_err(|source| NginxError::Write {
        path: file.to_owned(),
        source,
    })
}

/// Puts a text in place, whole; false when it was there already.
fn replace(file: &Path, text: &str) -> Result<bool, NginxError> {
    if std::fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    let aside = file.with_extension("new");
    write(&aside, text)?;
    std::fs::rename(&aside, file).map_err(|source| NginxError::Write {
        path: file.to_owned(),
        source,
    })?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_as_people_read_it() {
        let settings: Settings = serde_saphyr::from_str(
            "{state: /var/lib/mkys-edge, api: 10.0.0.1:8600, portal_host: portal.example.org, \
             users: {listen: [198.51.100.3:80]}, devops: {listen: [198.51.100.131:443], \
             tls: {certificate: /etc/edge.pem, key: /etc/edge.key}}}",
        )
        .unwrap();
        let text = NginxProcess::new(settings).render().unwrap();
        let text = text.replace(&open_files(16_384).to_string(), "OPEN_FILES");
        insta::assert_snapshot!(text);
    }
}
