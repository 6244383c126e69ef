//! What there is to look at after the demo, and how to change something oneself.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use anyhow::Context as _;
use mkys_acceptance::place::{OPERATOR, VISITOR};
use mkys_acceptance::platform::cli::Workspace;
use mkys_acceptance::platform::edge::PORTAL;
use serde_json::Value;

use crate::stage::{STATE, Stage};
use crate::story::{ADMIN, SITE};

/// Says it.
pub(crate) fn summary(stage: &Stage<'_>, workspace: &Workspace) -> anyhow::Result<()> {
    let progress = &stage.lab.progress;
    let show = |lines: &[(&str, String)]| {
        for (what, how) in lines {
            progress.line(format!("  {what:<28} {how}"));
        }
    };
    let outputs = workspace.outputs()?;
    let endpoints = &outputs["endpoints"]["value"];
    let address = |service: &str, audience: &str| {
        let address = endpoints[service][audience].as_str();
        address.unwrap_or("-").to_owned()
    };
    let (users, devops) = (stage.edge.users(), stage.edge.devops());
    let visit = |from: &str, host: &str, url: String| {
        format!("ip netns exec {from} curl -s -H 'Host: {host}' http://{url}")
    };
    let clouds = stage.lab.place.clouds_yaml();
    show(&[
        (
            "the site, as a visitor",
            visit(VISITOR, SITE, format!("{users}/")),
        ),
        ("the portal", visit(VISITOR, PORTAL, format!("{users}/"))),
        (
            "the team's pages, as devops",
            visit(OPERATOR, ADMIN, format!("{devops}/")),
        ),
        (
            "the administrators' page",
            visit(OPERATOR, PORTAL, format!("{devops}/admin")),
        ),
        ("  who signs in with", format!("{STATE}/edge/tokens/ada")),
        (
            "the blade's own addresses",
            format!(
                "users {}, devops {}: they let in the edge alone",
                address("site", "users"),
                address("admin", "devops")
            ),
        ),
        (
            "the cloud",
            format!(
                "OS_CLIENT_CONFIG_FILE={} openstack --os-cloud lab stack list",
                clouds.display()
            ),
        ),
        (
            "Prometheus' targets",
            "ip netns exec mkys-monitor curl -s http://127.0.0.1:9090/api/v1/targets".to_owned(),
        ),
    ]);
    let environment = write_environment(workspace, &outputs)?;
    let cli = workspace.cli().program().display();
    progress.line("\nA change of your own, such as another edition or a blade more; the next demo puts the files back:");
    show(&[
        (
            "the demo's copy",
            format!("cd {}", workspace.folder().display()),
        ),
        (
            "cloud, edge, variables",
            format!(". {}", environment.display()),
        ),
        ("edit main.tf, then", format!("{cli} plan; {cli} apply")),
    ]);
    Ok(())
}

/// What the CLI was given, for a shell to read; it has the edge's token.
fn write_environment(workspace: &Workspace, outputs: &Value) -> anyhow::Result<PathBuf> {
    let file = PathBuf::from(STATE).join("env");
    let mut text = String::new();
    let edition = outputs["edition"]["value"].as_str().unwrap_or_default();
    let edition = ("TF_VAR_edition".to_owned(), edition.to_owned());
    for (name, value) in workspace.environment().into_iter().chain([edition]) {
        let value = value.replace('\'', "'\\''");
        text.push_str(&format!("export {name}='{value}'\n"));
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(&file)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(file)
}
