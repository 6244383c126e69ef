//! configurable-http-proxy, the NodeJS proxy that JupyterHub sends people through: routes by a call to its API, kept in its memory.

use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use mkys_acceptance::platform::{SOURCE, copy_tree, remove_tree};

use super::Routes;
use crate::delegated::PREFIX;

const PORT: u16 = 21_190;
const API: u16 = 21_191;
const PATIENCE: Duration = Duration::from_secs(30);

/// The proxy; it ends with the measurement.
pub(super) struct Proxy {
    process: Child,
    client: reqwest::Client,
}

impl Proxy {
    /// Installs it as its lock file says, and starts it.
    pub(super) fn start(folder: &Path) -> anyhow::Result<Self> {
        let program = install(folder)?;
        let local = Ipv4Addr::LOCALHOST.to_string();
        let process = Command::new("node")
            .arg(program)
            .args(["--ip", &local, "--port", &PORT.to_string()])
            .args(["--api-ip", &local, "--api-port", &API.to_string()])
            .args(["--log-level", "error"])
            .stdin(Stdio::null())
            .spawn()
            .context("node cannot be run")?;
        let proxy = Self {
            process,
            client: reqwest::Client::new(),
        };
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, API)).is_err() {
            ensure!(
                began.elapsed() < PATIENCE,
                "configurable-http-proxy does not answer after {PATIENCE:?}"
            );
            std::thread::park_timeout(Duration::from_millis(50));
        }
        Ok(proxy)
    }

    async fn call(&self, request: reqwest::RequestBuilder) -> anyhow::Result<()> {
        let answer = request.send().await?;
        match answer.status().is_success() {
            true => Ok(()),
            false => bail!("configurable-http-proxy refuses: {}", answer.status()),
        }
    }
}

fn place(name: &str) -> String {
    let local = Ipv4Addr::LOCALHOST;
    format!("http://{local}:{API}/api/routes{PREFIX}/{name}")
}

fn install(folder: &Path) -> anyhow::Result<PathBuf> {
    remove_tree(folder)?;
    std::fs::create_dir_all(folder)?;
    copy_tree(&Path::new(SOURCE).join("acceptance/bench/proxy"), folder)?;
    let status = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .status()
        .context("npm cannot be run")?;
    ensure!(
        status.success(),
        "configurable-http-proxy could not be installed"
    );
    let program = "node_modules/configurable-http-proxy/bin/configurable-http-proxy";
    Ok(folder.join(program))
}

impl Routes for Proxy {
    fn listener(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, PORT)
    }

    async fn add(&self, name: &str, target: SocketAddrV4) -> anyhow::Result<()> {
        let body = serde_json::json!({ "target": format!("http://{target}") });
        self.call(self.client.post(place(name)).json(&body)).await
    }

    async fn remove(&self, name: &str) -> anyhow::Result<()> {
        self.call(self.client.delete(place(name))).await
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
