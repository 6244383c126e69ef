//! Getting ready for runs: packages, builds, the engine with its registry, the images, the edge with a delegated path.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use jiff::SignedDuration;
use mkys_acceptance::lab::{self, Lab};
use mkys_acceptance::platform::background::Background;
use mkys_acceptance::platform::edge::{Edge, wish};
use mkys_acceptance::platform::engine::ContainerEngine;
use mkys_acceptance::platform::{self, SOURCE, game, programs};
use mkys_acceptance::progress::Progress;
use mkys_edge_client::{EdgeClient, Settings};
use mkys_runner::Image;
use serde_json::Value;

use super::cluster;
use super::{computation, session};
use crate::stage::STATE;

/// Whose runs they are.
pub(super) const OWNER: &str = "demo";
/// Short, so that a demo that is killed leaves little for a little while.
pub(super) const LEASE: SignedDuration = SignedDuration::from_secs(60);
/// How long a route lives without its owner.
pub(super) const TTL: Duration = Duration::from_secs(20);
/// The host of the delegated route, and of the games below it.
pub(super) const HOST: &str = "games.mkys.test";
/// Its path.
pub(super) const PREFIX: &str = "/automathon";
/// Where runs on the engine have their addresses.
const ENGINES: &str = "10.89.0.0/16";

const REGISTRY: u16 = 8089;
const USERS: u16 = 8090;
const DEVOPS: u16 = 8091;
const LOBBY: u16 = 8092;
const API: u16 = 8093;

const LOBBY_PAGE: &str = "<!doctype html><title>Automathon</title><h1>Automathon</h1><p>Games are below this page while they are played.\n";
const NO_GAME: &str =
    "<!doctype html><title>Automathon</title><p>There is no such game here, or not any more.\n";

/// What runs are made of.
#[derive(Clone)]
pub(crate) struct Images {
    pub(super) init: PathBuf,
    pub(super) game: Image,
    pub(super) sampler: Image,
    pub(super) keeper: Image,
}

/// Where runs are shown.
pub(crate) struct Stage<'a> {
    pub(crate) lab: &'a Lab,
    pub(super) engine: ContainerEngine,
    edge: Edge,
    lobby: Background,
    folder: PathBuf,
}

impl<'a> Stage<'a> {
    pub(crate) fn find(lab: &'a Lab) -> Self {
        let folder = Path::new(STATE).join("runs");
        Self {
            lab,
            // there is one on a machine: the one that the tests have as well
            engine: ContainerEngine::new(&lab.place.state().join("engine")),
            edge: Edge::on_loopback(&folder.join("edge"), [USERS, DEVOPS, API]),
            lobby: Background::new(&folder, "lobby"),
            folder,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where visitors come in.
    pub(super) fn users(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, USERS)
    }

    /// Says what is in the way; changes nothing.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let listen = [REGISTRY, USERS, DEVOPS, LOBBY, API]
            .map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port));
        lab::check_for_runs(&self.lab.place, &self.folder, &listen)?;
        cluster::check()
    }

    /// Starts what runs stand on while the rest is compiled.
    pub(crate) fn prepare(&self, progress: &Progress) -> anyhow::Result<Images> {
        let (game, folder) = std::thread::scope(|scope| {
            let engine = scope.spawn(|| self.start(progress));
            let built = self.build(progress);
            let game = engine.join();
            let game = game.map_err(|_| anyhow::anyhow!("the engine's start panicked"))?;
            anyhow::Ok((game?, built?))
        })?;
        let of = |name: &str, program: &str| -> anyhow::Result<Image> {
            let image = self.engine.image_of(name, &folder.join(program))?;
            Ok(image.parse()?)
        };
        progress.run("images of our own programs", || {
            Ok(Images {
                init: folder.join("mkys-init"),
                game: game.parse()?,
                sampler: of("kdpp", "kdpp")?,
                keeper: of("keeper", "mkys-keeper")?,
            })
        })
    }

    /// Gives the game's image.
    fn start(&self, progress: &Progress) -> anyhow::Result<String> {
        lab::install_for_runs(progress)?;
        progress.run("container engine and registry", || self.engine.start())?;
        let cache = self.lab.place.cache().join("npm");
        let image = progress.run("image of the game", || game::image(&self.engine, &cache))?;
        Ok(image)
    }

    /// Gives the folder of static programs.
    fn build(&self, progress: &Progress) -> anyhow::Result<PathBuf> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        progress.run("edge and mkys-run built", || {
            let status = Command::new(cargo)
                .args(["build", "--quiet", "--workspace"])
                .args(["--bin", "mkys-edge", "--bin", "mkys-run"])
                .current_dir(SOURCE)
                .status()
                .context("cargo cannot be run")?;
            match status.success() {
                true => Ok(()),
                false => bail!("the edge and mkys-run could not be built"),
            }
        })?;
        let built = progress.run("static programs built", || {
            programs::statics(&["mkys-init", "kdpp"])
        })?;
        Ok(built)
    }

    /// Starts edge and lobby, has the lobby's path approved and delegated; gives the holder's token.
    pub(super) fn open(&self) -> anyhow::Result<String> {
        self.start_lobby()?;
        self.edge.start()?;
        let pipeline = self.edge.pipeline()?;
        let there = self.edge.call("GET", "/v1/routes", &pipeline, None)?;
        let ours = |route: &&Value| route["host"] == HOST && route["path"] == PREFIX;
        let there = there.as_array().and_then(|all| all.iter().find(ours));
        let route = match there.and_then(|route| route["id"].as_str()) {
            Some(id) => id.to_owned(),
            None => {
                let target = format!("{}:{LOBBY}", Ipv4Addr::LOCALHOST);
                let mut wanted = wish("automathon", HOST, &target, &["users"]);
                wanted["path"] = PREFIX.into();
                self.edge.ask_for(&wanted, &pipeline)?
            }
        };
        if there.is_none_or(|route| route["decisions"]["users"]["state"] != "approved") {
            self.edge.approve(&route, "users")?;
        }
        let pods = cluster::pods()?.to_string();
        let token = self.edge.delegate(&route, OWNER, &[ENGINES, &pods], 10)?;
        platform::write_private(&self.token(), &token)?;
        Ok(token)
    }

    /// The file with the delegation's token, for trying by hand.
    fn token(&self) -> PathBuf {
        self.folder.join("delegation.token")
    }

    /// The edge, as `mkys-run session` is told of it.
    pub(super) fn edge_by_hand(&self) -> String {
        format!(
            "--edge-url {} --edge-listener http://{} --edge-token-file {}",
            self.edge.url(),
            self.users(),
            self.token().display()
        )
    }

    /// A player, beside the libraries that it needs.
    pub(super) fn automaton(&self) -> PathBuf {
        self.engine.folder().join("trees/hex/game/automaton.js")
    }

    /// A client of the edge with a delegation's token.
    pub(super) fn holder(&self, token: &str) -> anyhow::Result<EdgeClient> {
        Ok(EdgeClient::new(&Settings::new(self.edge.url(), token))?)
    }

    /// What is at the delegated path itself.
    fn start_lobby(&self) -> anyhow::Result<()> {
        let pages = self.folder.join("lobby");
        let page = pages.join(PREFIX.trim_start_matches('/'));
        std::fs::create_dir_all(&page)?;
        std::fs::write(page.join("index.html"), LOBBY_PAGE)?;
        std::fs::write(pages.join("none.html"), NO_GAME)?;
        let settings = self.folder.join("lobby.conf");
        std::fs::write(
            &settings,
            format!("E404:{}\n", pages.join("none.html").display()),
        )?;
        let address = format!("{}:{LOBBY}", Ipv4Addr::LOCALHOST);
        let (pages, settings) = (pages.display().to_string(), settings.display().to_string());
        let words = [
            "busybox", "httpd", "-f", "-p", &address, "-h", &pages, "-c", &settings,
        ];
        self.lobby.start(None, &words.map(str::to_owned))?;
        let answers = || std::net::TcpStream::connect(&address).ok();
        self.lobby
            .until("an answer of the lobby", Duration::from_secs(10), answers)?;
        Ok(())
    }

    /// Descriptions of runs, for trying by hand.
    pub(super) fn write_files(&self, images: &Images) -> anyhow::Result<[PathBuf; 2]> {
        let points = self.folder.join("points.csv");
        std::fs::write(&points, computation::points())?;
        let mut sample = computation::sample("sample", images.sampler.clone(), 42)?;
        for input in sample.inputs.values_mut() {
            *input = mkys_runner::Input::File(points.clone());
        }
        let game = session::game(images.game.clone())?;
        let files = ["hex.json", "sample.json"].map(|name| self.folder.join(name));
        let texts = [
            serde_json::to_string_pretty(&game)?,
            serde_json::to_string_pretty(&sample)?,
        ];
        for (file, text) in files.iter().zip(texts) {
            std::fs::write(file, text)?;
        }
        Ok(files)
    }

    /// Ends everything, and takes the files away.
    pub(super) fn take_away(&self) -> anyhow::Result<()> {
        self.edge.stop();
        self.lobby.stop();
        self.engine.destroy()?;
        platform::remove_tree(&self.folder)?;
        // only where nothing else is
        for folder in [Path::new(STATE), self.lab.place.state()] {
            let _ = std::fs::remove_dir(folder);
        }
        Ok(())
    }

    /// What is still there.
    pub(super) fn left(&self) -> Vec<String> {
        let mut left = self.engine.left();
        let files = [&self.folder, self.engine.folder()];
        let files = files.into_iter().filter(|file| file.exists());
        left.extend(files.map(|file| format!("file {}", file.display())));
        let ports = [REGISTRY, USERS, DEVOPS, LOBBY, API];
        let ports = ports
            .into_iter()
            .filter(|port| std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok());
        left.extend(ports.map(|port| format!("a listener on port {port}")));
        left
    }
}
