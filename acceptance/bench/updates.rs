//! Requests lost while a server is updated: a version that never becomes ready, and a good one; ours beside the same
//! change by a plain Heat update, each asked straight at the floating IP and through the edge.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use mkys_acceptance::place::VISITOR;
use mkys_acceptance::platform::edge::{self, Edge};
use mkys_acceptance::platform::visitor::{Asking, Place, Tally};
use mkys_acceptance::platform::{SOURCE, remove_tree};

use crate::apply::{configuration, script, workspace};
use crate::openstack::OpenStack;
use crate::report::Section;
use crate::{Bench, Stops};

const OURS: &str = "bench-update";
const PEER: &str = "bench-plain";
const PORT: u16 = 21_084;
/// How long the visitors go on after the command has ended.
const AFTERWARDS: Duration = Duration::from_secs(15);

pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Section> {
    let folder = bench.folder.join("updates");
    remove_tree(&folder)?;
    let edge = Edge::new(&folder, &bench.lab.settings).on_ports(PORT, PORT + 1);
    let _stops = Stops(&edge);
    edge.start()?;
    let rows = [ours(bench, &edge)?, plain(bench, &edge)?].concat();
    let head = [
        "",
        "it says",
        "seconds",
        "lost / asked, through the edge",
        "slowest",
        "lost / asked, at the floating IP",
        "served afterwards",
    ];
    let before = format!(
        "A visitor asks about ten times a second from before the update until {} s after it, never asks the same again, and counts a time-out \
         of 10 s as lost. The version that fails comes up but never answers its health check. The plain update is \
         `openstack stack update --wait --rollback enabled` of a template as a person writes it (`acceptance/bench/plain.yaml`): a server on a \
         port with a floating IP, and a wait condition.",
        AFTERWARDS.as_secs()
    );
    let note = "At the floating IP itself nobody bridges the moment in which the address changes over from the old server to the new; the edge \
                does, which is why a blade's services are reached through it.";
    Ok(Section::table("Requests lost in an update", &before, &head, &rows).and(note))
}

fn ours(bench: &Bench, edge: &Edge) -> anyhow::Result<Vec<Vec<String>>> {
    let progress = &bench.lab.progress;
    let workspace = workspace(bench, OURS)?;
    let file = bench.folder.join(OURS).join("work/main.tf");
    let write = |edition, healthy| {
        std::fs::write(&file, configuration(bench, OURS, &script(edition, healthy)))
    };
    write("one", true)?;
    workspace.init()?;
    progress.run("a blade", || {
        workspace.done(&["apply", "-no-color", "-auto-approve"])
    })?;
    let outputs = workspace.outputs()?;
    let site = outputs["site"]["value"]
        .as_str()
        .context("the blade has no address")?;
    let visitors = Visitors::new(bench, edge, "ours", site)?;
    let mut rows = Vec::new();
    for (what, edition, healthy) in [("MKYS, fails", "bad", false), ("MKYS, good", "two", true)] {
        write(edition, healthy)?;
        let row = progress.run(what, || {
            visitors.during(what, || {
                let ended = workspace.apply(&[])?;
                ensure!((ended.code == 0) == healthy, "{}", ended.said);
                Ok(if ended.code == 0 {
                    "applied"
                } else {
                    "failed; the version before serves"
                }
                .to_owned())
            })
        })?;
        rows.push(row);
    }
    workspace.done(&["destroy", "-no-color", "-auto-approve"])?;
    Ok(rows)
}

fn plain(bench: &Bench, edge: &Edge) -> anyhow::Result<Vec<Vec<String>>> {
    let progress = &bench.lab.progress;
    let openstack = OpenStack::new(bench);
    let template = Path::new(SOURCE).join("acceptance/bench/plain.yaml");
    let visitors = format!("visitors={}", bench.lab.settings.users.range());
    openstack.remove(PEER)?;
    let data = |edition, healthy| format!("user_data={}", script(edition, healthy));
    progress.run("a plain stack", || {
        let more = ["--parameter", &visitors, "--parameter", &data("one", true)];
        openstack.create(PEER, &template, &more)
    })?;
    let site = format!("{}:80", openstack.output(PEER, "address")?);
    let visitors = Visitors::new(bench, edge, "plain", &site)?;
    let mut rows = Vec::new();
    let file = template.display().to_string();
    for (what, edition, healthy) in [
        ("plain Heat, fails", "bad", false),
        ("plain Heat, good", "two", true),
    ] {
        let data = data(edition, healthy);
        let row = progress.run(what, || {
            visitors.during(what, || {
                let arguments = [
                    "stack",
                    "update",
                    "--wait",
                    "--rollback",
                    "enabled",
                    "--existing",
                    "-t",
                    &file,
                    "--parameter",
                    &data,
                    PEER,
                ];
                let (_, said) = openstack.run(&arguments)?;
                let states = [
                    "ROLLBACK_COMPLETE",
                    "ROLLBACK_FAILED",
                    "UPDATE_FAILED",
                    "UPDATE_COMPLETE",
                ];
                let found = states.into_iter().find(|state| said.contains(state));
                Ok(found.context(said.clone())?.to_owned())
            })
        })?;
        rows.push(row);
    }
    openstack.remove(PEER)?;
    Ok(rows)
}

/// Two who ask for the same site: through the edge, and straight.
struct Visitors {
    through: Place,
    straight: Place,
}

impl Visitors {
    /// Makes the site's route, and waits until both are answered.
    fn new(bench: &Bench, edge: &Edge, name: &str, site: &str) -> anyhow::Result<Self> {
        let host = format!("{name}.bench.test");
        let wish = edge::wish(name, &host, site, &["users"]);
        let route = edge.ask_for(&wish, &edge.pipeline()?)?;
        edge.approve(&route, "users")?;
        let address = site.split(':').next().unwrap_or_default();
        let through = Place::new(VISITOR, edge.users(), &host).on_port(PORT);
        let both = Self {
            through,
            straight: Place::new(VISITOR, address, &host),
        };
        for place in [&both.through, &both.straight] {
            let answer = place.ask();
            ensure!(
                answer.status == 200,
                "{} gives {}",
                place.address,
                answer.status
            );
        }
        bench
            .lab
            .progress
            .line(format!("            {site} answers"));
        Ok(both)
    }

    /// A row: what both saw while something was done.
    fn during(
        &self,
        what: &str,
        work: impl FnOnce() -> anyhow::Result<String>,
    ) -> anyhow::Result<Vec<String>> {
        let (through, straight) = (
            Asking::start(self.through.clone()),
            Asking::start(self.straight.clone()),
        );
        let start = Instant::now();
        let said = work();
        let seconds = start.elapsed().as_secs_f64();
        std::thread::park_timeout(AFTERWARDS);
        let (through, straight) = (through.stop(), straight.stop());
        let lost = |tally: &Tally| format!("{} / {}", tally.lost, tally.asked);
        let afterwards = self.through.ask();
        let served = match afterwards.status {
            200 => afterwards.body,
            status => format!("nothing ({status})"),
        };
        Ok(vec![
            what.to_owned(),
            said?,
            format!("{seconds:.0}"),
            lost(&through),
            format!("{:.2} s", through.slowest),
            lost(&straight),
            served,
        ])
    }
}
