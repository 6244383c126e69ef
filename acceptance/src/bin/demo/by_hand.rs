//! What there is to look at after the demo, and how to change something oneself.

use std::path::PathBuf;

use mkys_acceptance::place::{OPERATOR, VISITOR};
use mkys_acceptance::platform::cli::Workspace;
use mkys_acceptance::platform::edge::PORTAL;
use mkys_acceptance::platform::write_private;
use mkys_acceptance::progress::Progress;
use serde_json::Value;

use crate::stage::{STATE, Stage};
use crate::story::{ADMIN, SITE, title};

/// Says it.
pub(crate) fn summary(stage: &Stage<'_>, workspace: &Workspace) -> anyhow::Result<()> {
    let outputs = workspace.outputs()?;
    look(stage, &outputs);
    browse(stage);
    let environment = write_environment(workspace, &outputs)?;
    let cli = workspace.cli().program().display();
    let progress = &stage.lab.progress;
    title(
        progress,
        "A change of your own; the next demo puts the files back",
    );
    let folder = workspace.folder().display();
    recipes(
        progress,
        &[
            (
                "once in a shell: the demo's copy, with the cloud, the edge and the variables that stand",
                format!("cd {folder} && . {}", environment.display()),
            ),
            (
                "another edition",
                format!("export TF_VAR_edition='an edition of mine' && {cli} apply"),
            ),
            (
                "anything else, after a change of main.tf",
                format!("{cli} plan && {cli} apply"),
            ),
        ],
    );
    Ok(())
}

/// From this machine.
fn look(stage: &Stage<'_>, outputs: &Value) {
    let progress = &stage.lab.progress;
    let (users, devops) = (stage.edge.users(), stage.edge.devops());
    let visit = |from: &str, host: &str, url: String| {
        format!("ip netns exec {from} curl -s -H 'Host: {host}' http://{url}")
    };
    let targets = "ip netns exec mkys-monitor curl -s http://127.0.0.1:9090/api/v1/targets | python3 -m json.tool";
    let clouds = stage.lab.place.clouds_yaml();
    let clouds = clouds.display();
    recipes(
        progress,
        &[
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
                "the cloud",
                format!("OS_CLIENT_CONFIG_FILE={clouds} openstack --os-cloud lab stack list"),
            ),
            ("Prometheus' targets", targets.to_owned()),
        ],
    );
    let endpoints = &outputs["endpoints"]["value"];
    let address = |service: &str, audience: &str| {
        let address = endpoints[service][audience].as_str();
        address.unwrap_or("-").to_owned()
    };
    progress.line(format!(
        "  The blade's own addresses, {} for users and {} for devops, let in the edge alone.",
        address("site", "users"),
        address("admin", "devops")
    ));
}

/// From one's own machine.
fn browse(stage: &Stage<'_>) {
    let progress = &stage.lab.progress;
    let (users, devops) = (stage.edge.users(), stage.edge.devops());
    title(progress, "The same in a browser on your own machine");
    recipes(
        progress,
        &[
            (
                "there, once: names for its hosts file",
                format!("echo '127.0.0.1 {SITE} {ADMIN} {PORTAL}' | sudo tee -a /etc/hosts"),
            ),
            (
                "there, and leave it open; THIS is this machine",
                format!("ssh -L 8080:{users}:80 -L 8081:{devops}:80 root@THIS"),
            ),
            (
                "here: the token that ada signs in with",
                format!("cat {STATE}/edge/tokens/ada"),
            ),
        ],
    );
    progress.line(format!(
        "  Users find the site at http://{SITE}:8080/ and the portal at http://{PORTAL}:8080/;\n  \
         devops find the team's pages at http://{ADMIN}:8081/, and decide at http://{PORTAL}:8081/admin."
    ));
}

/// Lines for a shell, each below what it is for: whole lines can be copied as they are.
pub(crate) fn recipes(progress: &Progress, lines: &[(&str, String)]) {
    for (what, how) in lines {
        progress.line(format!("  # {what}\n  {how}"));
    }
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
    write_private(&file, &text)?;
    Ok(file)
}
