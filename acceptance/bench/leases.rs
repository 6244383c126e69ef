//! Session routes: a lease until it is served, and websockets that stay open while thousands of others change; beside
//! configurable-http-proxy, which has its routes in memory.

mod proxy;
mod sockets;

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Instant;

use anyhow::ensure;
use futures_util::future::try_join_all;
use mkys_edge_client::{EdgeClient, SessionSpec};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::Bench;
use crate::delegated::{Delegated, HOST, PREFIX};
use crate::executors;
use crate::report::{Section, memory_kib, quantile};
use proxy::Proxy;
use sockets::Watched;

/// How many session routes stand while one more is added.
const LIVE: usize = 5_000;
const SAMPLES: usize = 200;
const WRITERS: usize = 50;
/// Routes that come or go while websockets are open.
const CHANGES: usize = 5_000;
const SOCKETS: usize = 500;
const TTL_S: u32 = 600;

/// What has routes below a path that can be changed while it serves.
trait Routes: Sync {
    /// Where visitors come in.
    fn listener(&self) -> SocketAddrV4;
    /// Adds a route to the place of a name.
    fn add(&self, name: &str, target: SocketAddrV4) -> impl Future<Output = anyhow::Result<()>>;
    fn remove(&self, name: &str) -> impl Future<Output = anyhow::Result<()>>;
}

/// The edge, by its holder.
struct Ours<'a> {
    holder: EdgeClient,
    edge: &'a Delegated,
}

impl Routes for Ours<'_> {
    fn listener(&self) -> SocketAddrV4 {
        self.edge.listener()
    }

    async fn add(&self, name: &str, target: SocketAddrV4) -> anyhow::Result<()> {
        let spec = SessionSpec {
            path: format!("{PREFIX}/{name}"),
            target,
            ttl_s: TTL_S,
        };
        self.holder.put_session(name, &spec).await?;
        Ok(())
    }

    async fn remove(&self, name: &str) -> anyhow::Result<()> {
        Ok(self.holder.delete_session(name).await?)
    }
}

pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Section> {
    let runtime = executors::runtime()?;
    let progress = &bench.lab.progress;
    let peer = Proxy::start(&bench.folder.join("proxy"))?;
    let edge = Delegated::start(bench, 10_000)?;
    runtime.block_on(async {
        let service = serve().await?;
        let ours = Ours {
            holder: edge.holder()?,
            edge: &edge,
        };
        let mut rows = Vec::new();
        for live in [0, LIVE] {
            fill(&ours, live, service).await?;
            fill(&peer, live, service).await?;
            progress.line(format!("            {live} routes live"));
            let row = |name: &str, alone: &Times, together: &Times| {
                let [live, name] = [live.to_string(), name.to_owned()];
                vec![live, name, alone.to_string(), together.to_string()]
            };
            let (alone, together) = (one_by_one(&ours, service), by_many(&ours, service));
            rows.push(row("MKYS", &alone.await?, &together.await?));
            let (alone, together) = (one_by_one(&peer, service), by_many(&peer, service));
            rows.push(row(
                "configurable-http-proxy",
                &alone.await?,
                &together.await?,
            ));
        }
        let about = format!(
            "From the call that adds it until a visitor's request on a connection of its own is answered by the service; {SAMPLES} one after \
             the other, {SAMPLES} by {WRITERS} writers at once, p50 / p99. MKYS' is durable before it is acknowledged, ends by itself, and \
             may lead only where its holder may; the peer (its version is in `acceptance/bench/proxy`) has its routes in memory. The clients share the cores with both."
        );
        let head = ["session routes live", "", "one by one", "by 50 writers"];
        let section = Section::table("A session route until it is served", &about, &head, &rows);

        let before = Load::of(&edge)?;
        let (ours_cut, took) = changed(&ours, service).await?;
        let after = Load::of(&edge)?;
        let (peer_cut, peer_took) = changed(&peer, service).await?;
        let head = ["", "cut", "slowest echo", "changes a second"];
        let row = |name: &str, seen: &Watched, took: f64| {
            #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
            let rate = CHANGES as f64 / took;
            vec![
                name.to_owned(),
                format!("{} of {SOCKETS}", seen.cut),
                format!("{:.0} ms", seen.slowest * 1000.0),
                format!("{rate:.0}"),
            ]
        };
        let rows = [
            row("MKYS", &ours_cut, took),
            row("configurable-http-proxy", &peer_cut, peer_took),
        ];
        let about = format!(
            "{SOCKETS} websockets, each of which echoes once a second, while {CHANGES} other session routes come and go by {WRITERS} writers as \
             fast as they are acknowledged, {LIVE} standing. NGINX before: {before}; after: {after}."
        );
        let cuts = Section::table("Websockets while session routes change", &about, &head, &rows);
        Ok(section.and(&cuts.text))
    })
}

/// Half of them and nearly all.
struct Times(Vec<f64>);

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |part| quantile(&self.0, part) * 1000.0;
        write!(f, "{:.1} ms / {:.1} ms", at(0.5), at(0.99))
    }
}

/// Adds routes until so many stand.
async fn fill(routes: &impl Routes, wanted: usize, service: SocketAddrV4) -> anyhow::Result<()> {
    let writer = async |part: usize| -> anyhow::Result<()> {
        for number in (part..wanted).step_by(WRITERS) {
            routes.add(&format!("live{number}"), service).await?;
        }
        Ok(())
    };
    try_join_all((0..WRITERS).map(writer)).await.map(drop)
}

async fn one_by_one(routes: &impl Routes, service: SocketAddrV4) -> anyhow::Result<Times> {
    let mut times = Vec::new();
    for number in 0..SAMPLES {
        times.push(until_served(routes, &format!("one{number}"), service).await?);
    }
    Ok(Times(times))
}

async fn by_many(routes: &impl Routes, service: SocketAddrV4) -> anyhow::Result<Times> {
    let writer = async |part: usize| -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::new();
        for number in (part..SAMPLES).step_by(WRITERS) {
            times.push(until_served(routes, &format!("many{number}"), service).await?);
        }
        Ok(times)
    };
    let times = try_join_all((0..WRITERS).map(writer)).await?;
    Ok(Times(times.concat()))
}

/// Seconds from the call until the service answers a visitor; the route goes again.
async fn until_served(
    routes: &impl Routes,
    name: &str,
    service: SocketAddrV4,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    routes.add(name, service).await?;
    while ask(routes.listener(), name).await? != 200 {
        let waited = began.elapsed();
        ensure!(
            waited.as_secs() < 60,
            "{name} is not served after {waited:?}"
        );
    }
    let took = began.elapsed();
    routes.remove(name).await?;
    Ok(took.as_secs_f64())
}

/// Routes come and go while websockets are open; gives what became of those, and how many seconds the changes took.
async fn changed(routes: &impl Routes, service: SocketAddrV4) -> anyhow::Result<(Watched, f64)> {
    let target = sockets::serve().await?;
    routes.add("open", target).await?;
    let open = sockets::open(routes.listener(), "open", SOCKETS).await?;
    let began = Instant::now();
    let writer = async |part: usize| -> anyhow::Result<()> {
        for number in (part..CHANGES / 2).step_by(WRITERS) {
            let name = format!("more{number}");
            routes.add(&name, service).await?;
            routes.remove(&name).await?;
        }
        Ok(())
    };
    try_join_all((0..WRITERS).map(writer)).await?;
    let took = began.elapsed().as_secs_f64();
    let seen = open.end().await;
    routes.remove("open").await?;
    Ok((seen, took))
}

/// The status that a visitor gets at the place of a name.
async fn ask(listener: SocketAddrV4, name: &str) -> anyhow::Result<u16> {
    let mut stream = TcpStream::connect(listener).await?;
    let request =
        format!("GET {PREFIX}/{name}/ HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).map(str::parse);
    Ok(status.and_then(Result::ok).unwrap_or_default())
}

/// A service that answers everybody.
async fn serve() -> anyhow::Result<SocketAddrV4> {
    let (listener, address) = listen().await?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await?;
                let answer =
                    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes";
                stream.write_all(answer).await
            });
        }
    });
    Ok(address)
}

async fn listen() -> anyhow::Result<(TcpListener, SocketAddrV4)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    match listener.local_addr()? {
        SocketAddr::V4(address) => Ok((listener, address)),
        SocketAddr::V6(address) => anyhow::bail!("{address} is no address of this family"),
    }
}

/// What NGINX takes.
struct Load {
    workers: usize,
    mib: u64,
}

impl Load {
    fn of(edge: &Delegated) -> anyhow::Result<Self> {
        let master = edge.edge.nginx_pid().unwrap_or_default();
        let children = std::fs::read_to_string(format!("/proc/{master}/task/{master}/children"))?;
        let workers: Vec<&str> = children.split_whitespace().collect();
        let kib: anyhow::Result<Vec<u64>> = workers.iter().map(|pid| memory_kib(pid)).collect();
        Ok(Self {
            workers: workers.len(),
            mib: kib?.iter().sum::<u64>() >> 10,
        })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} workers, {} MiB", self.workers, self.mib)
    }
}
