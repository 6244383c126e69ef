//! A blade from its creation to its end: create, plan again, update in place, import, destroy.

use serde_json::Value;

use crate::world::cloud::text;
use crate::world::{Api, Stage};

/// Nothing of a blade is left: project, group, and with the project its stack.
pub(crate) fn is_gone(stage: &Stage, name: &str) {
    assert_eq!(stage.cloud.projects(name), [""; 0]);
    let group = format!("{name}-admin");
    assert_eq!(stage.cloud.named("groups", &group), [""; 0]);
    let stacks = stage.cloud.list(Api::Heat, "/stacks", "stacks");
    assert!(
        stacks.iter().all(|stack| stack["stack_name"] != name),
        "{stacks:?}"
    );
}

/// A blade without servers.
pub(crate) fn bare(name: &str) -> String {
    format!(
        "resource \"mkys_blade\" \"this\" {{
           name     = \"{name}\"
           project  = {{ group = \"{name}-admin\", users = [\"alice\"], quota = {{ cores = 7 }} }}
           networks = {{ front = {{ cidr = \"10.61.1.0/24\" }} }}
         }}"
    )
}

/// A blade with a web server, and with what else is given.
pub(crate) fn with_servers(name: &str, more: &str, services: &str) -> String {
    format!(
        "resource \"mkys_blade\" \"this\" {{
           name     = \"{name}\"
           project  = {{ group = \"{name}-admin\" }}
           networks = {{ front = {{ cidr = \"10.62.1.0/24\" }} }}
           servers  = {{
             web = {{
               image     = \"mkys-tiny\"
               flavor    = \"tiny\"
               networks  = [\"front\"]
               user_data = \"#!/bin/sh\\nmkdir -p /srv/site\\necho ok >/srv/site/health\\nbusybox httpd -p 80 -h /srv/site\\n\"
               ready     = {{ http = \":80/health\", within = \"3m\" }}
             }}
             {more}
           }}
           services = {{ {services} }}
         }}"
    )
}

/// Forgets the state, and takes the blade over again by its name.
fn import(stage: &Stage, name: &str) {
    stage.forget_state();
    let ended = stage.run(&["import", "-no-color", "mkys_blade.this", name]);
    assert_eq!(ended.code, 0, "{}", ended.said);
}

fn ids(state: &Value) -> (String, String, Value) {
    let id = |name: &str| text(&state[name]);
    (
        id("project_id"),
        id("stack_id"),
        state["server_ids"].clone(),
    )
}

#[test]
fn a_blade_without_servers() {
    let mut stage = Stage::new("bare", 0);
    let name = stage.project("a");
    stage.write(&bare(&name));
    stage.apply();
    stage.settled();
    let made = ids(&stage.state("mkys_blade.this"));
    assert_eq!(stage.cloud.projects(&name), [&*made.0]);

    let again = stage.apply_fails_without_state();
    assert!(
        again.contains("exists") && again.contains("Import it"),
        "{again}"
    );

    // an update in place: the same project and stack, one network more
    let more = "front = { cidr = \"10.61.1.0/24\" }, data = { cidr = \"10.61.2.0/24\" }";
    let wider = bare(&name).replace("front = { cidr = \"10.61.1.0/24\" }", more);
    let purpose = format!("name = \"{name}\"\ndescription = \"Contests\"");
    let wider = wider.replace(&format!("name     = \"{name}\""), &purpose);
    stage.write(&wider.replace("cores = 7", "cores = 5"));
    let said = stage.apply();
    assert!(said.contains("1 changed"), "{said}");
    stage.settled();
    let now = stage.state("mkys_blade.this");
    assert_eq!(ids(&now), made);
    assert!(now["network_ids"]["data"].is_string(), "{now}");
    let project = stage
        .cloud
        .get(Api::Identity, &format!("/projects/{}", made.0));
    assert_eq!(project["project"]["description"], "Contests");

    import(&stage, &name);
    stage.settled();
    assert_eq!(ids(&stage.state("mkys_blade.this")), made);

    stage.destroy();
    is_gone(&stage, &name);
    // Neutron makes a default group for each project that somebody asks it about, this one not to be asked therefore
    let groups = "/security-groups?fields=project_id";
    let mut left = stage.cloud.list(Api::Network, groups, "security_groups");
    left.retain(|group| group["project_id"] == made.0);
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_blade_with_web_and_data() {
    let mut stage = Stage::new("served", 1);
    let name = stage.project("a");
    let data = "data = {
      image    = \"mkys-tiny\"
      flavor   = \"tiny\"
      networks = [\"front\"]
      volumes  = { store = { size = 1, mount = \"/srv/data\" } }
    }";
    let site = "site = { server = \"web\", port = 80, audiences = [\"users\"] }";
    stage.write(&with_servers(&name, data, site));
    stage.apply();
    stage.settled();
    let before = stage.state("mkys_blade.this");
    let endpoint = text(&before["endpoints"]["site"]["users"]);
    assert!(endpoint.ends_with(":80"), "{before}");
    let inside = stage.cloud.within(&text(&before["project_id"]));
    let volumes = inside.list(Api::Volume, "/volumes/detail", "volumes");
    assert_eq!(volumes.len(), 1, "{volumes:?}");
    let holder = &volumes[0]["attachments"][0]["server_id"];
    assert_eq!(holder, &before["server_ids"]["data"]);

    // one service more is one rule more: the servers stay what they are
    let more =
        format!("{site}, api = {{ server = \"web\", port = 8080, audiences = [\"users\"] }}");
    stage.write(&with_servers(&name, data, &more));
    let plan = stage.plan_changes();
    assert!(!plan.contains("gets a new revision"), "{plan}");
    stage.apply();
    stage.settled();
    let after = stage.state("mkys_blade.this");
    assert_eq!(ids(&after), ids(&before));
    assert_eq!(
        text(&after["endpoints"]["api"]["users"]),
        endpoint.replace(":80", ":8080")
    );

    import(&stage, &name);
    stage.settled();
    assert_eq!(ids(&stage.state("mkys_blade.this")), ids(&before));

    stage.destroy();
    is_gone(&stage, &name);
}
