//! A blade's apply over Heat's own time for the very same template and parameters.

use std::time::Instant;

use anyhow::Context as _;
use mkys_acceptance::platform::cli::Workspace;
use mkys_acceptance::platform::{built, remove_tree};
use serde_json::{Value, json};

use crate::Bench;
use crate::openstack::OpenStack;
use crate::report::{Section, median};

const ROUNDS: usize = 3;
const NAME: &str = "bench-apply";

/// The blade: a network of its own, a server that says when it is ready, a floating IP.
pub(crate) fn configuration(bench: &Bench, name: &str, script: &str) -> String {
    let visitors = bench.lab.settings.users.range();
    let script = json!(script);
    format!(
        r#"terraform {{
  required_providers {{
    mkys = {{ source = "mkys/mkys" }}
  }}
}}
provider "mkys" {{
  cloud = "lab"
  edge  = {{ users_cidrs = ["{visitors}"], devops_cidrs = [] }}
}}
resource "mkys_blade" "this" {{
  name     = "{name}"
  networks = {{ front = {{ cidr = "10.63.1.0/24" }} }}
  servers  = {{
    web = {{
      image     = "mkys-tiny"
      flavor    = "tiny"
      networks  = ["front"]
      user_data = {script}
      ready     = {{ http = ":80/health", within = "1m" }}
    }}
  }}
  services = {{ site = {{ server = "web", port = 80, audiences = ["users"] }} }}
}}
output "site" {{ value = mkys_blade.this.endpoints["site"]["users"] }}
"#
    )
}

/// What the server does: a page with an edition, and its health.
pub(crate) fn script(edition: &str, healthy: bool) -> String {
    let health = if healthy {
        "echo ok >/srv/site/health"
    } else {
        ":"
    };
    format!(
        "#!/bin/sh\nmkdir -p /srv/site\necho {edition} >/srv/site/index.html\n{health}\nbusybox httpd -p 80 -h /srv/site\n"
    )
}

/// A workspace with the release build of the provider, and nothing left of an earlier one.
pub(crate) fn workspace(bench: &Bench, name: &str) -> anyhow::Result<Workspace> {
    let home = bench.folder.join(name);
    remove_tree(&home)?;
    let work = home.join("work");
    std::fs::create_dir_all(&work)?;
    let provider = built("terraform-provider-mkys")?;
    let workspace = Workspace::install(&bench.cli, &provider, &home, &work)?;
    let clouds = bench.lab.place.clouds_yaml().display().to_string();
    OpenStack::new(bench).remove(name)?;
    Ok(workspace.with("OS_CLIENT_CONFIG_FILE", clouds))
}

pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Section> {
    let progress = &bench.lab.progress;
    let openstack = OpenStack::new(bench);
    let workspace = workspace(bench, NAME)?;
    let work = bench.folder.join(NAME).join("work");
    std::fs::write(
        work.join("main.tf"),
        configuration(bench, NAME, &script("one", true)),
    )?;
    workspace.init()?;
    let apply = || {
        let start = Instant::now();
        workspace.done(&["apply", "-no-color", "-auto-approve"])?;
        anyhow::Ok(start.elapsed().as_secs_f64())
    };
    let destroy = || workspace.done(&["destroy", "-no-color", "-auto-approve"]);

    // a first one, not counted: caches fill, and the template with its parameters is taken from it
    progress.run("a blade, for its template", apply)?;
    let template = work.join("template.json");
    let shown = openstack.done(&["stack", "template", "show", NAME, "-f", "json"])?;
    std::fs::write(&template, &shown)?;
    let parameters = parameters(&openstack)?;
    let environment = work.join("environment.json");
    std::fs::write(
        &environment,
        json!({ "parameters": parameters }).to_string(),
    )?;
    let environment = environment.display().to_string();
    destroy()?;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        ours.push(progress.run(&format!("apply, {round} of {ROUNDS}"), apply)?);
        destroy()?;
        let seconds = progress.run(&format!("stack create --wait, {round} of {ROUNDS}"), || {
            let start = Instant::now();
            openstack.create(NAME, &template, &["-e", &environment])?;
            anyhow::Ok(start.elapsed().as_secs_f64())
        })?;
        theirs.push(seconds);
        openstack.remove(NAME)?;
    }
    let (own, peer) = (median(&ours), median(&theirs));
    let seconds = |values: &[f64]| {
        let texts: Vec<_> = values.iter().map(|value| format!("{value:.1}")).collect();
        texts.join(", ")
    };
    let head = ["", "median", "all, in turn"];
    let rows = [
        vec![
            format!("`{} apply`", bench.cli.name()),
            format!("{own:.1} s"),
            seconds(&ours),
        ],
        vec![
            "`openstack stack create --wait`".to_owned(),
            format!("{peer:.1} s"),
            seconds(&theirs),
        ],
        vec![
            "ratio".to_owned(),
            format!("{:.2}", own / peer),
            String::new(),
        ],
    ];
    let before = "A network, a router, a server that says when it is ready, a floating IP; the peer gets the template and the parameters that \
                  Heat had of ours, and asks every second. Both are whole commands, from their start to their end. To reach: 1.05.";
    Ok(Section::table("A blade's apply", before, &head, &rows))
}

/// The parameters that the stack of ours was given. Heat tells nobody the hidden one, which is the server's script.
fn parameters(openstack: &OpenStack<'_>) -> anyhow::Result<Value> {
    let shown = openstack.done(&["stack", "environment", "show", NAME, "-f", "json"])?;
    let environment: Value = serde_json::from_str(&shown).context("the environment is not JSON")?;
    let mut parameters = environment["parameters"].clone();
    let all = parameters
        .as_object_mut()
        .context("the stack has no parameters")?;
    for (name, value) in all {
        if name.starts_with("user-data_") {
            *value = script("one", true).into();
        }
    }
    Ok(parameters)
}
