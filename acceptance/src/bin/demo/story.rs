//! What the demo shows, in order: each step is checked, and a step that is not as it should be ends the demo.

use std::time::Instant;

use anyhow::{Context, bail, ensure};
use mkys_acceptance::lab::{self};
use mkys_acceptance::place::{OPERATOR, VISITOR};
use mkys_acceptance::platform::cli::{Cli, Ended, Workspace};
use mkys_acceptance::platform::edge::PORTAL;
use mkys_acceptance::platform::visitor::{Asking, Place, Tally};
use mkys_acceptance::progress::Progress;
use serde_json::Value;

use crate::stage::Stage;

const BLADE: &str = "games";
pub(crate) const SITE: &str = "games.mkys.test";
pub(crate) const ADMIN: &str = "games-admin.mkys.test";
const PREVIEW: &str = "preview.mkys.test";

/// Builds what the story needs and brings the lab up.
pub(crate) fn prepare(stage: &Stage<'_>) -> anyhow::Result<Cli> {
    let progress = &stage.lab.progress;
    title(progress, "The lab and the builds");
    let cli = stage.prepare()?;
    progress.run("edge started beside NGINX", || stage.edge.start())?;
    Ok(cli)
}

/// Shows a blade and leaves it up.
pub(crate) fn tell(stage: &Stage<'_>, cli: &Cli) -> anyhow::Result<Workspace> {
    let progress = &stage.lab.progress;
    let workspace = stage.workspace(cli)?;

    title(
        progress,
        &format!("A blade on a real OpenStack, by {}", cli.name()),
    );
    progress.run("init, from a filesystem mirror", || workspace.init())?;
    let edition = edition(&workspace);
    let now = variable(edition);
    timed(progress, "plan", || Ok(workspace.is_settled(&[&now])?))?;
    let applied = timed(progress, "apply", || Ok(workspace.apply(&[&now])?))?;
    done(progress, &applied)?;
    let settled = timed(progress, "second plan", || {
        Ok(workspace.is_settled(&[&now])?)
    })?;
    ensure!(settled, "a second plan would change something");
    progress.line("            the second plan is empty");

    visits(stage, &workspace)?;
    backplane(stage, &workspace, edition)?;
    updates(stage, &workspace, edition)?;
    Ok(workspace)
}

/// Who gets what, before and after the edge's administrator decided.
fn visits(stage: &Stage<'_>, workspace: &Workspace) -> anyhow::Result<()> {
    let progress = &stage.lab.progress;
    title(progress, "Visitors, through the edge");
    let (users, devops) = (
        stage.edge.users().to_owned(),
        stage.edge.devops().to_owned(),
    );
    let routes = workspace.outputs()?["routes"]["value"].clone();
    let is_approved =
        |name: &str, audience: &str| routes[name]["decisions"][audience] == "approved";
    if !is_approved("site", "users") {
        expect(
            progress,
            "the site before anybody approved",
            &Place::new(VISITOR, &users, SITE),
            404,
        )?;
    }
    for (name, audience) in [("site", "users"), ("admin", "devops")] {
        if is_approved(name, audience) {
            continue;
        }
        let id = routes[name]["id"].as_str().context("a route has no id")?;
        stage.edge.approve(id, audience)?;
        progress.line(format!("            ada approves {name} for {audience}"));
    }
    let page = expect(
        progress,
        "the site, for a visitor",
        &Place::new(VISITOR, &users, SITE),
        200,
    )?;
    ensure!(
        page.contains("Games, "),
        "that is not what the blade's server serves: {page}"
    );
    let page = expect(
        progress,
        "the team's pages, for devops",
        &Place::new(OPERATOR, &devops, ADMIN),
        200,
    )?;
    ensure!(
        page.contains("Games devops, "),
        "that is not what the blade's server serves: {page}"
    );
    expect(
        progress,
        "the team's pages, on the users' listener",
        &Place::new(VISITOR, &users, ADMIN),
        404,
    )?;
    if is_approved("preview", "users") {
        // whoever tried the administrators' page may have, and it is no fault
        progress.line(
            "            preview: somebody approved it meanwhile; before that it gives nothing",
        );
    } else {
        let preview = Place::new(VISITOR, &users, PREVIEW);
        expect(progress, "the route that nobody approved", &preview, 404)?;
    }
    let portal = expect(
        progress,
        "the portal",
        &Place::new(VISITOR, &users, PORTAL),
        200,
    )?;
    ensure!(portal.contains(SITE), "the portal does not list the site");
    Ok(())
}

/// The monitor on the Devops blade's network, with the link and without.
fn backplane(stage: &Stage<'_>, workspace: &Workspace, edition: u32) -> anyhow::Result<()> {
    let now = variable(edition);
    let progress = &stage.lab.progress;
    title(progress, "The backplane");
    let outputs = workspace.outputs()?;
    let text = |name: &str| {
        outputs[name]["value"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let (project, network) = (text("devops_project_id"), text("devops_network_id"));
    progress.run("Prometheus on the Devops blade's network", || {
        stage.monitor.start(&project, &network)
    })?;
    let targets = progress.run("it finds the blade's server: up", || {
        stage.monitor.until(BLADE, "up")
    })?;
    let names: Vec<_> = targets.into_iter().map(|(instance, _)| instance).collect();
    let memory = stage
        .monitor
        .value("node_memory_MemTotal_bytes{blade=\"games\"}")?;
    let memory = memory.context("nothing was scraped from the blade's node exporter")?;
    progress.line(format!(
        "            {} has {memory} bytes of memory",
        names.join(", ")
    ));
    let unlinked = [&now, "-var=linked=false"];
    let ended = timed(progress, "apply without the link", || {
        Ok(workspace.apply(&unlinked)?)
    })?;
    done(progress, &ended)?;
    progress.run("the target is down", || stage.monitor.until(BLADE, "down"))?;
    let ended = timed(progress, "apply with the link", || {
        Ok(workspace.apply(&[&now])?)
    })?;
    done(progress, &ended)?;
    progress.run("the target is up again", || {
        stage.monitor.until(BLADE, "up")
    })?;
    Ok(())
}

/// An update that fails and one that works, while a visitor keeps asking.
fn updates(stage: &Stage<'_>, workspace: &Workspace, edition: u32) -> anyhow::Result<()> {
    let next = variable(edition + 1);
    let progress = &stage.lab.progress;
    let place = Place::new(VISITOR, stage.edge.users(), SITE);

    title(
        progress,
        "N-1 without a gap: an update that never becomes ready",
    );
    let before = server(workspace)?;
    let asking = Asking::start(place.clone());
    let bad = [&next, "-var=healthy=false", "-var=ready_within=10s"];
    let ended = timed(progress, "apply of the broken version", || {
        Ok(workspace.apply(&bad)?)
    })?;
    let tally = asking.stop();
    ensure!(
        ended.code != 0,
        "the broken version was taken for a good one"
    );
    for line in ended
        .said
        .lines()
        .skip_while(|line| !line.starts_with("Error:"))
    {
        progress.line(format!("            | {line}"));
    }
    ensure!(
        ended.said.contains("the version before still serves"),
        "the error does not say what serves"
    );
    let after = server(workspace)?;
    progress.line(format!("            server before  {before}"));
    progress.line(format!("            server after   {after}"));
    ensure!(before == after, "it is another server");
    report(progress, &tally)?;

    title(progress, "and a good update");
    let asking = Asking::start(place.clone());
    let ended = timed(progress, "apply of the next edition", || {
        Ok(workspace.apply(&[&next])?)
    });
    let page = place.ask().body;
    let tally = asking.stop();
    done(progress, &ended?)?;
    progress.line(format!("            server now     {}", server(workspace)?));
    ensure!(
        page.contains(&format!("edition {}", edition + 1)),
        "the visitor still gets: {page}"
    );
    report(progress, &tally)?;
    ensure!(
        tally.bodies.len() == 2,
        "the visitor saw {:?}",
        tally.bodies
    );
    ensure!(
        workspace.is_settled(&[&next])?,
        "a plan afterwards would change something"
    );
    Ok(())
}

/// Destroys everything through the provider and stops the lab.
pub(crate) fn down(stage: &Stage<'_>) -> anyhow::Result<()> {
    let progress = &stage.lab.progress;
    if !lab::is_up(stage.lab) {
        // a lab that sleeps or is damaged still holds the blade, and the state is the way to it
        ensure!(
            stage.has_started_the_lab() || !lab::is_there(stage.lab)?,
            "the lab is there and does not answer, so the demo's blade can't be destroyed in order: `lab up` repairs it, `make lab-down` \
             takes it away with the blade; then `make demo-down` again"
        );
        progress.line(
            "The lab is gone, and the demo's blade with it: what the demo wrote down of it goes as well.",
        );
    } else if let Some(workspace) = stage.left()? {
        progress.run("edge", || stage.edge.start())?;
        let _ = progress.run("monitor away", || stage.monitor.stop());
        workspace.init()?;
        let ended = timed(progress, "destroy", || {
            Ok(workspace.run(&["destroy", "-no-color", "-auto-approve"])?)
        })?;
        done(progress, &ended).context(
            "the lab is left up, with what is in the way: look at it with `openstack --os-cloud lab`, or take all away by `make lab-down`",
        )?;
    }
    stage.edge.stop();
    if stage.has_started_the_lab() {
        lab::down(stage.lab, false)?;
    } else if stage.lab.place.state().exists() {
        let _ = stage.monitor.stop();
        progress.note("the lab stays, as the demo did not start it: `make lab-down` takes it away");
    }
    stage.clear()?;
    ensure!(stage.is_clear(), "the demo's own folder is still there");
    Ok(())
}

/// The edition that stands, by the state; each run of the demo rolls out the next.
fn edition(workspace: &Workspace) -> u32 {
    let outputs = workspace.outputs().unwrap_or_default();
    let text = outputs["edition"]["value"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    text.strip_prefix("edition ")
        .and_then(|number| number.parse().ok())
        .unwrap_or(1)
}

fn variable(edition: u32) -> String {
    format!("-var=edition=edition {edition}")
}

pub(crate) fn title(progress: &Progress, text: &str) {
    progress.line(format!("\n== {text}"));
}

fn timed<T>(
    progress: &Progress,
    name: &str,
    work: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let start = Instant::now();
    let result = work()?;
    progress.stage(name, start.elapsed());
    Ok(result)
}

/// Shows what was made, or ends with what went wrong.
fn done(progress: &Progress, ended: &Ended) -> anyhow::Result<()> {
    let words = ["complete after", "Apply complete", "Destroy complete"];
    for line in ended
        .said
        .lines()
        .filter(|line| words.iter().any(|word| line.contains(word)))
    {
        progress.line(format!("            {line}"));
    }
    if ended.code != 0 {
        let error = ended
            .said
            .lines()
            .skip_while(|line| !line.starts_with("Error"))
            .collect::<Vec<_>>();
        bail!("the CLI ended with {}:\n{}", ended.code, error.join("\n"));
    }
    Ok(())
}

fn expect(progress: &Progress, what: &str, place: &Place, status: u16) -> anyhow::Result<String> {
    let answer = place.ask();
    let body: String = answer
        .body
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(70)
        .collect();
    progress.line(format!("            {what:<44} {} {body}", answer.status));
    ensure!(
        answer.status == status,
        "{what}: {} instead of {status}",
        answer.status
    );
    Ok(answer.body)
}

fn server(workspace: &Workspace) -> anyhow::Result<String> {
    let outputs: Value = workspace.outputs()?;
    let id = outputs["server_ids"]["value"]["web"].as_str();
    Ok(id.context("the blade has no server web")?.to_owned())
}

fn report(progress: &Progress, tally: &Tally) -> anyhow::Result<()> {
    progress.line(format!(
        "            requests asked {}, lost {}, slowest {:.2} s",
        tally.asked, tally.lost, tally.slowest
    ));
    for (body, times) in &tally.bodies {
        progress.line(format!("            {times:>6} × {body}"));
    }
    ensure!(tally.lost == 0, "requests were lost: {:?}", tally.failures);
    Ok(())
}
