//! An update that fails leaves the version before serving and the project as it was, and says what to do about a quota.

use mkys_acceptance::place::EDGE;
use mkys_acceptance::platform::visitor::{Asking, Place};
use serde_json::{Value, json};

use crate::bad_input::refuses;
use crate::life_cycle::{is_gone, with_servers};
use crate::world::cloud::text;
use crate::world::{Api, Stage, wait};

#[test]
fn a_project_is_as_before_and_a_quota_that_was_the_cause_is_named() {
    let mut stage = Stage::new("failed", 0);
    let name = stage.project("a");
    let blade = |project: &str, edition: &str| {
        let site = "site = { server = \"web\", port = 80, audiences = [\"users\"] }";
        let text = with_servers(&name, "", site);
        text.replace("-admin\" }", &format!("-admin\", {project} }}"))
            .replace("echo ok", &format!("echo {edition}"))
    };
    stage.write(&blade("quota = { cores = 4 }", "one"));
    stage.apply();
    let before = stage.state("mkys_blade.this");
    let path = format!("/os-quota-sets/{}", text(&before["project_id"]));
    let limit = |limit: &str| stage.cloud.get(Api::Compute, &path)["quota_set"][limit].clone();
    let instances = limit("instances");

    // the service moves to another port together with its server
    let lower = "users = [\"alice\"], quota = { cores = 3, instances = 3 }";
    let never = blade(lower, "two").replace(":80/health", ":80/never");
    let never = never.replace("port = 80", "port = 8080");
    stage.write(&never.replace("\"3m\"", "\"10s\""));
    let endpoint = text(&before["endpoints"]["site"]["users"]);
    let (address, _) = endpoint.rsplit_once(':').unwrap();
    let visitor = Asking::start(Place {
        path: "/health".to_owned(),
        ..Place::new(EDGE, address, "web")
    });
    let said = stage.apply_fails();
    let tally = visitor.stop();
    assert!(tally.asked > 20 && tally.lost == 0, "{tally:?}");
    for words in [
        "the version before still serves",
        "the same server, never stopped",
        "project.quota.cores is 4 again",
        &*format!("project.quota.instances is {instances} again"),
        "project.users are [] again",
        "Next: correct what is named above and apply again.",
    ] {
        assert!(said.contains(words), "{words:?}: {said}");
    }
    assert_eq!(
        (limit("cores"), limit("instances")),
        (json!(4), instances.clone())
    );
    let after = stage.state("mkys_blade.this");
    assert_eq!(after["project"], before["project"]);
    assert_eq!(after["server_ids"], before["server_ids"]);

    // a limit that the definition leaves to the cloud
    let set = |limit: &Value| {
        let body = json!({ "quota_set": { "instances": limit } });
        stage.cloud.put(Api::Compute, &path, Some(&body));
    };
    set(&json!(1));
    stage.write(&blade("quota = { cores = 4 }", "three"));
    let words = [
        "The quota cannot hold the update: instances",
        "the project's limit is 1, as project.quota.instances is not set",
    ];
    refuses(&stage, "a limit of the cloud's own", &words);
    set(&instances);

    // what did not serve before does not serve after it
    let server = format!("/servers/{}", text(&before["server_ids"]["web"]));
    let inside = stage.cloud.within(&text(&before["project_id"]));
    let stop = json!({ "os-stop": null });
    inside.post(Api::Compute, &format!("{server}/action"), &stop);
    wait::until("the server's stop", 60, || {
        let status = inside.get(Api::Compute, &server)["server"]["status"].clone();
        (status == "SHUTOFF").then_some(())
    });

    // a quota that would do, had nobody else's things a part of it
    let project = text(&before["project_id"]);
    let network = text(&before["network_ids"]["front"]);
    let ports = format!("/ports?project_id={project}");
    let there = stage.cloud.list(Api::Network, &ports, "ports").len();
    let body = json!({ "quota": { "port": there + 4 } });
    let quota = format!("/quotas/{project}");
    stage.cloud.put(Api::Network, &quota, Some(&body));
    let port = json!({ "network_id": network, "project_id": project });
    let body = json!({ "ports": vec![port; 4] });
    let made = stage.cloud.post(Api::Network, "/ports", &body);
    let said = stage.apply_fails();
    for words in [
        "Quota exceeded for resources: ['port']",
        "the version before is back, but not all of it serves",
        "(SHUTOFF)",
        "Next: raise `project.quota.ports` and apply again.",
    ] {
        assert!(said.contains(words), "{words:?}: {said}");
    }
    for port in made["ports"].as_array().unwrap() {
        let path = format!("/ports/{}", text(&port["id"]));
        stage.cloud.delete(Api::Network, &path);
    }
    stage.destroy();
    is_gone(&stage, &name);
}
