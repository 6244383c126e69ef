//! A route until it is served, beside an NGINX that has its routes in its configuration and is told to reload it.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mkys_acceptance::netns::in_namespace;
use mkys_acceptance::place::EDGE;
use mkys_acceptance::platform::edge::{self, Edge};
use mkys_acceptance::platform::remove_tree;
use serde_json::Value;

use crate::report::{Section, quantile};
use crate::{Bench, Stops};

/// How many routes stand while one more is added.
const LIVE: [usize; 2] = [100, 10_000];
const SAMPLES: usize = 200;
const WRITERS: usize = 50;
const RELOADS: usize = 10;
const PORT: u16 = 21_080;
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Section> {
    let progress = &bench.lab.progress;
    let folder = bench.folder.join("routes");
    remove_tree(&folder)?;
    let target = serve(&bench.lab.settings.users.node().to_string())?;
    let edge = Edge::new(&folder.join("edge"), &bench.lab.settings)
        .on_ports(PORT, PORT + 1)
        .with_kept_connections();
    let _stops = Stops(&edge);
    progress.run("edge started", || edge.start())?;
    let ours = Ours {
        listener: format!("{}:{PORT}", edge.users()),
        requester: edge.pipeline()?,
        administrator: edge.administrator()?,
        edge: &edge,
        target: &target,
    };
    let peer = Peer::new(&folder.join("peer"), edge.users(), &target)?;

    let both = |values: &[f64], upper: f64| {
        let milliseconds = |part| quantile(values, part) * 1000.0;
        format!(
            "{:.1} ms / {:.1} ms",
            milliseconds(0.5),
            milliseconds(upper)
        )
    };
    let (mut rows, mut live) = (Vec::new(), 0);
    for wanted in LIVE {
        progress.run(&format!("{wanted} routes"), || ours.fill(live, wanted))?;
        live = wanted;
        let alone = progress.run("one more, and one more", || ours.one_by_one(wanted))?;
        let together = progress.run("by many at once", || ours.by_many(wanted))?;
        let reloads = progress.run("the peer's reloads", || peer.reloads(wanted))?;
        let factor = quantile(&reloads, 0.5) / quantile(&alone, 0.5);
        rows.push(vec![
            wanted.to_string(),
            both(&alone, 0.99),
            both(&together, 0.99),
            both(&reloads, 1.0),
            format!("{factor:.0} × sooner"),
        ]);
    }
    let before = format!(
        "From the call that makes it live (an administrator's approval: durable before it is acknowledged) until a visitor's request on a \
         connection of its own is answered by the service. The peer is the same NGINX with its routes in one `map`: a line more in the file, \
         HUP, and asked until the new name is answered. {SAMPLES} routes one after the other, {SAMPLES} by {WRITERS} writers at once, \
         {RELOADS} reloads; the clients share the cores with both."
    );
    let head = [
        "routes live",
        "MKYS, p50 / p99",
        "50 writers, p50 / p99",
        "reload, p50 / slowest",
        "at the median",
    ];
    Ok(Section::table(
        "A route until it is served",
        &before,
        &head,
        &rows,
    ))
}

/// The edge with its routes.
struct Ours<'a> {
    edge: &'a Edge,
    requester: String,
    administrator: String,
    listener: String,
    target: &'a str,
}

impl Ours<'_> {
    /// Adds routes until `wanted` stand.
    fn fill(&self, live: usize, wanted: usize) -> anyhow::Result<()> {
        let each = |part: usize| -> anyhow::Result<()> {
            for number in (live + part..wanted).step_by(8) {
                let host = format!("live{number}.bench.test");
                self.approve(&self.ask_for(&host)?, &host)?;
            }
            Ok(())
        };
        together(8, each).map(drop)
    }

    fn one_by_one(&self, live: usize) -> anyhow::Result<Vec<f64>> {
        (0..SAMPLES)
            .map(|number| self.until_served(&format!("one{number}of{live}.bench.test")))
            .collect()
    }

    fn by_many(&self, live: usize) -> anyhow::Result<Vec<f64>> {
        let each = |writer: usize| -> anyhow::Result<Vec<f64>> {
            let names = (writer..SAMPLES).step_by(WRITERS);
            names
                .map(|number| self.until_served(&format!("many{number}of{live}.bench.test")))
                .collect()
        };
        Ok(together(WRITERS, each)?.concat())
    }

    /// Seconds from the approval of a new route until it is served; the route goes again.
    fn until_served(&self, host: &str) -> anyhow::Result<f64> {
        let route = self.ask_for(host)?;
        ensure!(
            ask(&self.listener, host) == 404,
            "{host} is served before it is approved"
        );
        let start = Instant::now();
        self.approve(&route, host)?;
        until_answered(&self.listener, host)?;
        let seconds = start.elapsed().as_secs_f64();
        self.edge.call(
            "DELETE",
            &format!("/v1/routes/{route}"),
            &self.requester,
            None,
        )?;
        Ok(seconds)
    }

    fn ask_for(&self, host: &str) -> anyhow::Result<String> {
        Ok(self.edge.ask_for(&self.wish(host), &self.requester)?)
    }

    fn wish(&self, host: &str) -> Value {
        edge::wish("bench", host, self.target, &["users"])
    }

    fn approve(&self, route: &str, host: &str) -> anyhow::Result<Value> {
        let approved =
            self.edge
                .approve_seen(&self.administrator, route, "users", &self.wish(host));
        Ok(approved?)
    }
}

/// An NGINX that reloads its configuration for each route.
struct Peer<'a> {
    file: PathBuf,
    listener: String,
    target: &'a str,
    nginx: Child,
}

impl<'a> Peer<'a> {
    fn new(folder: &Path, address: &str, target: &'a str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join("nginx.conf");
        let listener = format!("{address}:{}", PORT + 2);
        std::fs::write(&file, text(folder, &listener, target, 0, ""))?;
        let nginx = in_namespace(EDGE, "nginx")
            .arg("-c")
            .arg(&file)
            .spawn()
            .context("nginx cannot be run")?;
        Ok(Self {
            file,
            listener,
            target,
            nginx,
        })
    }

    /// Seconds of each of some reloads with `live` routes, the way that they take when a route is added.
    fn reloads(&self, live: usize) -> anyhow::Result<Vec<f64>> {
        let folder = self
            .file
            .parent()
            .context("the configuration has no folder")?;
        let reload = |host: &str| {
            let start = Instant::now();
            let text = text(folder, &self.listener, self.target, live, host);
            std::fs::write(&self.file, text)?;
            let hup = Command::new("kill")
                .args(["-HUP", &self.nginx.id().to_string()])
                .status()?;
            ensure!(hup.success(), "the peer does not run");
            until_answered(&self.listener, host)?;
            anyhow::Ok(start.elapsed().as_secs_f64())
        };
        reload(&format!("first{live}.bench.test"))?;
        (0..RELOADS)
            .map(|number| reload(&format!("more{number}of{live}.bench.test")))
            .collect()
    }
}

impl Drop for Peer<'_> {
    fn drop(&mut self) {
        // TERM, so that its workers end with it
        let _ = Command::new("kill")
            .arg(self.nginx.id().to_string())
            .status();
        let _ = self.nginx.wait();
    }
}

/// The peer's configuration.
fn text(folder: &Path, listener: &str, target: &str, live: usize, one_more: &str) -> String {
    let folder = folder.display();
    let mut map = String::new();
    for number in 0..live {
        let _ = writeln!(map, "    live{number}.bench.test {target};");
    }
    if !one_more.is_empty() {
        let _ = writeln!(map, "    {one_more} {target};");
    }
    format!(
        "daemon off;\nworker_processes 2;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n\
         events {{ worker_connections 4096; }}\nhttp {{\n  access_log off;\n  client_body_temp_path {folder}/body;\n  \
         proxy_temp_path {folder}/proxy;\n  fastcgi_temp_path {folder}/fastcgi;\n  uwsgi_temp_path {folder}/uwsgi;\n  \
         scgi_temp_path {folder}/scgi;\n  map_hash_bucket_size 128;\n  map_hash_max_size 65536;\n  map $host $target {{\n    default \"\";\n{map}  }}\n  \
         server {{\n    listen {listener};\n    location / {{\n      if ($target = \"\") {{ return 404; }}\n      \
         proxy_pass http://$target;\n    }}\n  }}\n}}\n"
    )
}

/// A service that answers everybody; gives its address.
fn serve(address: &str) -> anyhow::Result<String> {
    let listener = TcpListener::bind((address, 0))
        .with_context(|| format!("{address} cannot be listened on"))?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 4096];
    let _ = stream.read(&mut request)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes")
}

/// Asks once, on a connection of its own; gives the status, 0 when there is none.
fn ask(listener: &str, host: &str) -> u16 {
    let answer = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(listener)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(
            format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = answer().unwrap_or_default();
    answer
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_default()
}

fn until_answered(listener: &str, host: &str) -> anyhow::Result<()> {
    let start = Instant::now();
    while ask(listener, host) != 200 {
        ensure!(
            start.elapsed() < PATIENCE,
            "{host} is not served after {PATIENCE:?}"
        );
    }
    Ok(())
}

/// Does the same in some threads, which are told their number.
fn together<T: Send>(
    threads: usize,
    each: impl Fn(usize) -> anyhow::Result<T> + Sync,
) -> anyhow::Result<Vec<T>> {
    std::thread::scope(|scope| {
        let each = &each;
        let started: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || each(number)))
            .collect();
        let ended = started.into_iter().map(|thread| thread.join());
        ended
            .map(|result| result.unwrap_or_else(|_| anyhow::bail!("a thread panicked")))
            .collect()
    })
}
