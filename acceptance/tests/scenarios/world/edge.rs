//! An edge of a story's own, beside others in the same namespace: other ports, another folder.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

use mkys_acceptance::lab::Lab;
use mkys_acceptance::netns::connect_from;
use mkys_acceptance::place::{OPERATOR, VISITOR};
use mkys_acceptance::platform::edge::{self, Edge};
use mkys_acceptance::platform::visitor::{Answer, Place};
use mkys_acceptance::settings::ExternalNetwork;
use serde_json::Value;

use super::service::Upgraded;
use super::stage::Stage;
use super::{leftovers, wait};

/// How many edges this process has had.
static NUMBER: AtomicU16 = AtomicU16::new(0);

/// The first port that Linux gives to who connects (`net.ipv4.ip_local_port_range`): from here on an
/// edge's port may be that of a connection to one of its services, which a listener can't take.
const CONNECTIONS: u16 = 32_768;

/// The first port of this process' edges. Runs beside this one have other process ids.
fn first_port(process: u32) -> u16 {
    let run = u16::try_from(process % 600).unwrap();
    20_000 + run * 20
}

/// An edge; it ends with the story.
pub(crate) struct Beside {
    edge: Edge,
    folder: PathBuf,
    pub(crate) port: u16,
    pub(crate) requester: String,
    pub(crate) administrator: String,
}

impl Beside {
    /// Starts an edge with its files in the stage's folder.
    pub(crate) fn start(stage: &Stage) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let port = first_port(std::process::id()) + number * 2;
        assert!(port + 1 < CONNECTIONS, "{number} edges in one process");
        let settings = Lab::from_environment().unwrap().settings;
        let folder = stage.folder.join("edge");
        let edge = Edge::new(&folder, &settings).on_ports(port, port + 1);
        edge.start().unwrap();
        let (requester, administrator) = (edge.pipeline().unwrap(), edge.administrator().unwrap());
        Self {
            edge,
            folder,
            port,
            requester,
            administrator,
        }
    }

    /// Another token of the edge.
    pub(crate) fn token(&self, name: &str, arguments: &[&str]) -> String {
        self.edge.token(name, arguments).unwrap()
    }

    /// Revokes a token of the edge.
    pub(crate) fn revoke(&self, name: &str) {
        self.edge.revoke(name).unwrap();
    }

    /// Address of its API.
    pub(crate) fn url(&self) -> String {
        self.edge.url()
    }

    /// Starts it again.
    pub(crate) fn start_again(&self) {
        self.edge.start().unwrap();
    }

    /// Process ids of mkys-edge and of NGINX.
    pub(crate) fn pids(&self) -> (i32, i32) {
        (self.edge.pid().unwrap(), self.edge.nginx_pid().unwrap())
    }

    /// Whether mkys-edge does not run.
    pub(crate) fn is_down(&self) -> bool {
        self.edge.pid().is_none()
    }

    /// Kills mkys-edge and NGINX with its workers at once, as a machine that loses its power does.
    pub(crate) fn kill_all(&self) {
        leftovers::kill_in(&self.folder);
        wait::until("the end of all", 10, || self.is_down().then_some(()));
    }

    /// A call by a token; the edge's refusal as an error.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        token: &str,
        body: Option<&Value>,
    ) -> Result<Value, String> {
        let answer = self.edge.call(method, path, token, body);
        answer.map_err(|error| error.to_string())
    }

    /// Asks for a route. Gives its id.
    pub(crate) fn ask_for(&self, wish: &Value) -> String {
        self.edge.ask_for(wish, &self.requester).unwrap()
    }

    /// Changes a route. Gives what is decided now.
    pub(crate) fn change(&self, route: &str, wish: &Value) -> Value {
        let path = format!("/v1/routes/{route}");
        self.call("PUT", &path, &self.requester, Some(wish))
            .unwrap()["decisions"]
            .clone()
    }

    /// Takes a route away.
    pub(crate) fn remove(&self, route: &str) {
        let path = format!("/v1/routes/{route}");
        self.call("DELETE", &path, &self.requester, None).unwrap();
    }

    /// Approves a route for an audience.
    pub(crate) fn approve(&self, route: &str, audience: &str) {
        self.edge.approve(route, audience).unwrap();
    }

    /// What a visitor gets.
    pub(crate) fn visit(&self, host: &str) -> Answer {
        self.visit_at(host, "/")
    }

    /// The same at a path.
    pub(crate) fn visit_at(&self, host: &str, path: &str) -> Answer {
        let place = Place::new(VISITOR, self.edge.users(), host).on_port(self.port);
        let path = path.to_owned();
        Place { path, ..place }.ask()
    }

    /// A websocket of somebody outside the cloud, on an audience's network.
    pub(crate) fn connect(&self, audience: &str, host: &str) -> Upgraded {
        Upgraded::open(self.dial(audience), host)
    }

    /// A connection of somebody outside the cloud, on an audience's network.
    pub(crate) fn dial(&self, audience: &str) -> TcpStream {
        let (namespace, network) = outside(audience);
        let listener = (network.edge(), self.port).into();
        let stream = connect_from(namespace, listener).unwrap();
        // from the node the way to the edge would be another one
        assert_eq!(stream.local_addr().unwrap().ip(), network.outside());
        stream
    }

    /// Where users come in.
    pub(crate) fn listener(&self) -> SocketAddr {
        let settings = Lab::from_environment().unwrap().settings;
        (settings.users.edge(), self.port).into()
    }

    /// Delegates a route's path, with targets in a network, to a holder. Gives the holder's token.
    pub(crate) fn delegate(&self, route: &str, holder: &str, network: &str) -> String {
        self.edge.delegate(route, holder, &[network], 4).unwrap()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.edge.stop();
    }
}

/// Where somebody of an audience stands outside the cloud, and the network there.
pub(crate) fn outside(audience: &str) -> (&'static str, ExternalNetwork) {
    let settings = Lab::from_environment().unwrap().settings;
    match audience {
        "users" => (VISITOR, settings.users),
        _ => (OPERATOR, settings.devops),
    }
}

/// A wish for a route to a target, for both audiences.
pub(crate) fn wish(host: &str, target: &str) -> Value {
    edge::wish("games", host, target, &["users", "devops"])
}
