//! An edge on loopback: `mkys-edge` with its NGINX, until the story ends.

use std::net::{SocketAddr, SocketAddrV4, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mkys_acceptance::platform::authority::Authority;
use mkys_edge_client::{
    AccessState, Audience, Decision, DecisionRequest, DelegationRequest, EdgeClient, EdgeError,
    Route, RouteSpec, SessionSpec, Settings, Wish,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::service::Service;

/// The host of all routes here.
pub(crate) const HOST: &str = "games.mkys.test";
/// The path of the route that is delegated.
pub(crate) const PREFIX: &str = "/play";

pub(crate) struct Edge {
    /// Before the folder that it is mounted in, so that it is unmounted before that is removed.
    disk: Option<Disk>,
    folder: tempfile::TempDir,
    serving: Option<Child>,
    pub(crate) api: SocketAddr,
    pub(crate) users: SocketAddr,
    pub(crate) devops: SocketAddr,
    pub(crate) requester: EdgeClient,
    pub(crate) administrator: EdgeClient,
}

/// A delegated route, with the edge and its holder.
pub(crate) struct Stage {
    pub(crate) edge: Edge,
    pub(crate) route: Route,
    pub(crate) holder: EdgeClient,
    pub(crate) lobby: Service,
}

impl Stage {
    /// An edge with a route that is approved for some audiences and delegated to `runner`.
    pub(crate) async fn new(audiences: &[Audience]) -> Self {
        Self::with(audiences, json!({})).await
    }

    /// The same, with an NGINX that has some settings of its own.
    pub(crate) async fn with(audiences: &[Audience], nginx: Value) -> Self {
        Self::on(Edge::start(nginx, None).await, audiences).await
    }

    /// Leads the place of a session's name to an address.
    pub(crate) async fn lead(&self, name: &str, target: SocketAddrV4) {
        let spec = SessionSpec {
            path: path(name),
            target,
            ttl_s: 600,
        };
        self.holder.put_session(name, &spec).await.unwrap();
    }

    /// The same at an edge that was started.
    pub(crate) async fn on(edge: Edge, audiences: &[Audience]) -> Self {
        let lobby = Service::start("the lobby").await;
        let route = edge.route(HOST, PREFIX, &lobby).await;
        for audience in audiences {
            edge.decide(&route, *audience, Decision::Approve).await;
        }
        let holder = edge.delegate(&route, "runner", 100).await;
        Self {
            edge,
            route,
            holder,
            lobby,
        }
    }
}

/// The place of a session of this name.
pub(crate) fn path(name: &str) -> String {
    format!("{PREFIX}/{name}")
}

/// A session at the place of its name.
pub(crate) fn spec(name: &str, target: &Service, ttl_s: u32) -> SessionSpec {
    SessionSpec {
        path: path(name),
        target: target.address,
        ttl_s,
    }
}

impl Edge {
    /// An edge; with an authority, its listener for users has a certificate of it.
    pub(crate) async fn start(nginx: Value, authority: Option<&Authority>) -> Self {
        Self::with(json!({}), nginx, authority).await
    }

    /// The same with some settings of its own.
    pub(crate) async fn with(settings: Value, nginx: Value, authority: Option<&Authority>) -> Self {
        Self::begin(folder(), None, settings, nginx, authority).await
    }

    /// The same with its state on a disk of its own, of so many MiB.
    pub(crate) async fn on_disk(mib: u32, nginx: Value) -> Self {
        let folder = folder();
        let disk = Disk::mount(folder.path().join("state"), mib);
        Self::begin(folder, Some(disk), json!({}), nginx, None).await
    }

    async fn begin(
        folder: tempfile::TempDir,
        disk: Option<Disk>,
        own: Value,
        nginx: Value,
        authority: Option<&Authority>,
    ) -> Self {
        let [api, users, devops] = ports().map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut all = json!({ "workers": 2, "connections": 1024, "routes_mib": 4 });
        all.as_object_mut()
            .unwrap()
            .extend(nginx.as_object().unwrap().clone());
        let mut settings = json!({
            "state": folder.path().join("state"),
            "api": api,
            "portal_host": "portal.mkys.test",
            "users": { "listen": [users], "tls": authority.map(|one| certified(folder.path(), one)) },
            "devops": { "listen": [devops] },
            "nginx": all,
        });
        settings
            .as_object_mut()
            .unwrap()
            .extend(own.as_object().unwrap().clone());
        std::fs::write(folder.path().join("edge.yaml"), settings.to_string()).unwrap();
        let token = |arguments: &[&str]| {
            let output = command(folder.path())
                .args(["token", "create"])
                .args(arguments)
                .output();
            let output = output.unwrap();
            assert!(output.status.success(), "{output:?}");
            client(api, String::from_utf8(output.stdout).unwrap().trim())
        };
        let requester = token(&[
            "--name=pipeline",
            "--role=requester",
            "--blade=*",
            "--network=127.0.0.0/8",
        ]);
        let administrator = token(&["--name=ada", "--role=administrator"]);
        let mut edge = Self {
            disk,
            folder,
            serving: None,
            api,
            users,
            devops,
            requester,
            administrator,
        };
        edge.serve().await;
        edge
    }

    /// Starts `mkys-edge`, and waits until it answers.
    pub(crate) async fn serve(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("edge.log"));
        let mut command = command(self.folder.path());
        command.arg("serve").stderr(log.unwrap());
        let serving = self.serving.insert(command.spawn().unwrap());
        let requester = self.requester.clone();
        until("the API", async || {
            let ended = serving.try_wait().unwrap();
            assert!(ended.is_none(), "mkys-edge has ended: {ended:?}");
            requester.token().await.ok()
        })
        .await;
    }

    /// Where it tells NGINX its routes.
    pub(crate) fn control(&self) -> PathBuf {
        self.folder.path().join("state/control/routes.sock")
    }

    /// A client of the edge with a token.
    pub(crate) fn client(&self, token: &str) -> EdgeClient {
        client(self.api, token)
    }

    /// A route that nobody has decided on, for both audiences.
    pub(crate) async fn route(&self, host: &str, path: &str, target: &Service) -> Route {
        self.route_to(host, path, target.address).await
    }

    /// The same to an address.
    pub(crate) async fn route_to(&self, host: &str, path: &str, target: SocketAddrV4) -> Route {
        let wish = Wish {
            enabled: true,
            justification: "a test".into(),
            description: String::new(),
        };
        let spec = RouteSpec {
            blade: "games".into(),
            service: "lobby".into(),
            port: target.port(),
            host: host.into(),
            path: path.into(),
            targets: Audience::ALL.map(|one| (one, target)).into(),
            access: Audience::ALL.map(|one| (one, wish.clone())).into(),
        };
        self.requester.create_route(&spec).await.unwrap()
    }

    pub(crate) async fn decide(&self, route: &Route, audience: Audience, decision: Decision) {
        let request = DecisionRequest {
            decision,
            reason: String::new(),
            content: Some(route.spec.content()),
            revision: self.revision(route, audience).await,
        };
        let decided = self
            .administrator
            .decide(route.id, audience, &request)
            .await
            .unwrap();
        let state = decided.decisions[&audience].state;
        assert_eq!(
            state == AccessState::Approved,
            decision == Decision::Approve
        );
    }

    /// The revision of a route's access as it is now.
    pub(crate) async fn revision(&self, route: &Route, audience: Audience) -> Option<u64> {
        let route = self.administrator.route(route.id).await.unwrap();
        Some(route.decisions[&audience].revision)
    }

    /// Delegates a route; gives its holder's client.
    pub(crate) async fn delegate(&self, route: &Route, holder: &str, limit: u32) -> EdgeClient {
        self.try_delegate(route, holder, limit).await.unwrap()
    }

    /// The same, where it may be refused.
    pub(crate) async fn try_delegate(
        &self,
        route: &Route,
        holder: &str,
        limit: u32,
    ) -> Result<EdgeClient, EdgeError> {
        let request = DelegationRequest {
            holder: holder.into(),
            networks: vec!["127.0.0.0/16".parse().unwrap()],
            limit,
        };
        let made = self.administrator.delegate(route.id, &request).await?;
        Ok(self.client(&made.token))
    }

    /// Changes settings that are read when it starts next.
    pub(crate) fn set(&self, pointer: &str, value: Value) {
        let file = self.folder.path().join("edge.yaml");
        let mut settings: Value =
            serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        settings.pointer_mut(parent).unwrap()[key] = value;
        std::fs::write(&file, settings.to_string()).unwrap();
    }

    /// A file or folder of its state.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.folder.path().join("state").join(name)
    }

    /// Runs a command of `mkys-edge` to its end; gives its exit status and what it said.
    pub(crate) fn run(&self, arguments: &[&str]) -> (bool, String) {
        let output = command(self.folder.path())
            .args(arguments)
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    /// What it says of its health.
    pub(crate) async fn health(&self) -> (u16, String) {
        let answer = reqwest::get(format!("http://{}/v1/health", self.api)).await;
        let answer = answer.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// Process id of `mkys-edge`.
    pub(crate) fn pid(&self) -> i32 {
        self.serving.as_ref().unwrap().id().try_into().unwrap()
    }

    /// All masters of NGINX that were started for this edge.
    pub(crate) fn masters(&self) -> Vec<i32> {
        let own = self.state("").display().to_string();
        let all = std::fs::read_dir("/proc").unwrap();
        let pids = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        let titled: Vec<i32> = pids
            .filter(|pid| {
                let title = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                let title = String::from_utf8_lossy(&title);
                title.starts_with("nginx: master") && title.contains(&own)
            })
            .collect();
        // a worker has its master's title at first
        let parent = |pid: &i32| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
            line.trim().parse().ok()
        };
        let is_master = |pid: &i32| parent(pid).is_none_or(|parent| !titled.contains(&parent));
        let mut masters: Vec<i32> = titled.iter().copied().filter(is_master).collect();
        masters.sort_unstable();
        masters
    }

    /// How many temporary files NGINX' workers have open.
    pub(crate) fn temporary_files(&self) -> usize {
        let temp = self.state("temp");
        let workers = self.nginx().1.into_iter();
        let files = workers.flat_map(|pid| std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap());
        let files = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
        files.filter(|file| file.starts_with(&temp)).count()
    }

    /// Kills `mkys-edge` at once.
    pub(crate) fn kill(&mut self) {
        let mut serving = self.serving.take().unwrap();
        serving.kill().unwrap();
        serving.wait().unwrap();
    }

    /// Ends `mkys-edge` by a signal, and waits until it has ended well.
    pub(crate) async fn stop(&mut self, signal: Signal) {
        let mut serving = self.serving.take().unwrap();
        kill_process(Pid::from_child(&serving), signal).unwrap();
        let status = until("the end of mkys-edge", async || serving.try_wait().unwrap()).await;
        assert!(status.success(), "{signal:?}: {status}");
    }

    /// The disk that its state is on.
    pub(crate) fn disk(&self) -> &Disk {
        self.disk.as_ref().unwrap()
    }

    /// All keys of the routes that NGINX has.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let http = reqwest::Client::builder()
            .unix_socket(self.control())
            .build()
            .unwrap();
        let answer = http.get("http://nginx/keys").send().await.unwrap();
        let keys: Value = answer.json().await.unwrap();
        let keys = keys["keys"].as_array().cloned().unwrap_or_default();
        let keys = keys.iter().map(|key| key.as_str().unwrap().to_owned());
        let mut keys: Vec<_> = keys.collect();
        keys.sort_unstable();
        keys
    }

    /// Kills NGINX with its workers at once.
    pub(crate) fn kill_nginx(&self) {
        let (masters, workers) = self.nginx();
        masters.into_iter().chain(workers).for_each(kill);
    }

    /// Kills NGINX' workers at once.
    pub(crate) fn kill_workers(&self) {
        self.nginx().1.into_iter().for_each(kill);
    }

    /// NGINX' masters, one if all is well, and their workers.
    pub(crate) fn nginx(&self) -> (Vec<i32>, Vec<i32>) {
        let masters = self.masters();
        let workers = masters.iter().map(|master| {
            let workers = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children"));
            workers.unwrap_or_default()
        });
        let workers: Vec<_> = workers.collect();
        let workers = workers.iter().flat_map(|pids| pids.split_whitespace());
        let workers = workers.map(|pid| pid.parse().unwrap()).collect();
        (masters, workers)
    }
}

impl Drop for Edge {
    #[allow(clippy::print_stderr, reason = "shown with the story that failed")]
    fn drop(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            let _ = serving.kill();
            let _ = serving.wait();
        }
        let _ = command(self.folder.path()).arg("stop-nginx").status();
        if std::thread::panicking() {
            for log in ["edge.log", "state/error.log"] {
                let text = std::fs::read_to_string(self.folder.path().join(log));
                eprintln!("-- {log}\n{}", text.unwrap_or_default());
            }
        }
    }
}

/// A small disk in memory. It is unmounted when it is dropped.
pub(crate) struct Disk(PathBuf);

impl Disk {
    fn mount(folder: PathBuf, mib: u32) -> Self {
        std::fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"])
            .arg(&folder)
            .status();
        assert!(mounted.unwrap().success());
        Self(folder)
    }

    /// Fills it until so many bytes are left.
    pub(crate) fn fill(&self, left: u64) {
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.filling()).unwrap();
        let free = || {
            let disk = rustix::fs::statvfs(&self.0).unwrap();
            disk.f_bavail * disk.f_frsize
        };
        while free() > left {
            file.write_all(&[0; 4096]).unwrap();
        }
    }

    /// Frees what was filled.
    pub(crate) fn free(&self) {
        std::fs::remove_file(self.filling()).unwrap();
    }

    fn filling(&self) -> PathBuf {
        self.0.join("filling")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // one that is still used goes away with its last user
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A folder that NGINX' workers get through, which are somebody else.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    folder
}

pub(crate) fn kill(pid: i32) {
    // one that is gone is what was wanted
    let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
}

fn client(api: SocketAddr, token: &str) -> EdgeClient {
    EdgeClient::new(&Settings::new(format!("http://{api}"), token)).unwrap()
}

/// A certificate for the host of all routes, as the edge's settings name it.
fn certified(folder: &Path, authority: &Authority) -> Value {
    let (certificate, key) = authority.certify(&[HOST]).unwrap();
    let files = ["users.pem", "users.key"].map(|file| folder.join(file));
    std::fs::write(&files[0], certificate.pem()).unwrap();
    std::fs::write(&files[1], key.serialize_pem()).unwrap();
    json!({ "certificate": files[0], "key": files[1] })
}

/// `mkys-edge` as it was built with these tests.
fn command(folder: &Path) -> Command {
    let own = std::env::current_exe().unwrap();
    let program: PathBuf = own.ancestors().nth(2).unwrap().join("mkys-edge");
    assert!(
        program.is_file(),
        "{} is not built: `cargo build -p mkys-edge`",
        program.display()
    );
    let mut command = Command::new(program);
    command
        .arg("--settings")
        .arg(folder.join("edge.yaml"))
        .stdin(Stdio::null());
    command
}

/// Ports that are free now. All are held until all are known, so that they differ.
fn ports() -> [u16; 3] {
    let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    held.each_ref()
        .map(|listener| listener.local_addr().unwrap().port())
}

/// Looks until there is something, and fails when there is nothing in a minute.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < end, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
