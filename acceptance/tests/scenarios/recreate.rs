//! A server with a volume cannot stand twice: it is taken away and added, its data guarded meanwhile.

use mkys_acceptance::place::EDGE;
use mkys_acceptance::platform::visitor::Place;
use serde_json::{Value, json};

use crate::life_cycle::is_gone;
use crate::world::cloud::text;
use crate::world::stage::flat;
use crate::world::{Api, Cloud, Stage, wait};

/// A blade whose server writes an edition down on its volume each time it is built, and shows all.
fn blade(name: &str, edition: &str, ready: &str) -> String {
    blade_that(name, edition, ready, "")
}

/// One whose server does something else beside that.
fn blade_that(name: &str, edition: &str, ready: &str, does: &str) -> String {
    format!(
        "resource \"mkys_blade\" \"this\" {{
           name     = \"{name}\"
           project  = {{ group = \"{name}-admin\" }}
           networks = {{ front = {{ cidr = \"10.66.1.0/24\" }} }}
           servers  = {{
             data = {{
               image     = \"mkys-tiny\"
               flavor    = \"tiny\"
               networks  = [\"front\"]
               volumes   = {{ store = {{ size = 1, mount = \"/srv/data\" }} }}
               user_data = \"#!/bin/sh\\necho {edition} >>/srv/data/index.html\\nsync\\n{does}\\nbusybox httpd -p 80 -h /srv/data\\n\"
               ready     = {{ http = \":80/{ready}\", within = \"10s\" }}
             }}
           }}
           services = {{ site = {{ server = \"data\", port = 80, audiences = [\"users\"] }} }}
         }}"
    )
}

/// What is on the volume, as the server shows it to the edge.
fn shown(endpoint: &str) -> String {
    let (address, _) = endpoint.rsplit_once(':').unwrap();
    let place = Place::new(EDGE, address, "data");
    let answer = wait::until("the server's page", 20, || {
        Some(place.ask()).filter(|answer| answer.status == 200)
    });
    answer.body.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn snapshots(inside: &Cloud) -> Vec<Value> {
    inside.list(Api::Volume, "/snapshots/detail", "snapshots")
}

/// Sets a limit of Cinder's for the blade's project.
fn limit(stage: &Stage, inside: &Cloud, name: &str, value: i64) {
    let path = format!("/os-quota-sets/{}", inside.project);
    let body = json!({ "quota_set": { name: value } });
    stage.cloud.put(Api::Volume, &path, Some(&body));
}

fn says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "{word:?}: {said}");
    }
}

#[test]
fn data_outlives_a_good_update_and_one_that_fails() {
    let mut stage = Stage::new("again", 0);
    let name = stage.project("a");
    stage.write(&blade(&name, "one", "index.html"));
    stage.apply();
    let first = stage.state("mkys_blade.this");
    let endpoint = text(&first["endpoints"]["site"]["users"]);
    let inside = stage.cloud.within(&text(&first["project_id"]));
    assert_eq!(shown(&endpoint), "one");

    stage.write(&blade(&name, "two", "index.html"));
    says(
        &flat(&stage.plan_changes()),
        &["does not serve meanwhile", "snapshotted first"],
    );
    stage.apply();
    stage.settled();
    assert_eq!(shown(&endpoint), "one two");
    assert_eq!(snapshots(&inside), [Value::Null; 0]);
    let second = stage.state("mkys_blade.this");
    assert_ne!(second["server_ids"], first["server_ids"]);

    // once it has told that it failed its guest is stuck as well: it does not let go of its volume
    // (acpid comes after user data has gone over to the wait for readiness: `ps` may miss both of two processes when one takes over from the other)
    let dies = "(until ps | grep -q [a]cpid; do sleep 0.1; done; while ps | grep -q [m]etadata/user-data; do sleep 0.1; done; echo c >/proc/sysrq-trigger) &";
    stage.write(&blade_that(&name, "three", "never", dies));
    // no room for a snapshot: nothing is taken away
    limit(&stage, &inside, "snapshots", 0);
    let ended = stage.run(&["plan", "-no-color"]);
    assert_eq!(ended.code, 1, "{}", ended.said);
    says(
        &flat(&ended.said),
        &["The quota cannot hold the update: snapshots"],
    );
    limit(&stage, &inside, "snapshots", 10);
    limit(&stage, &inside, "gigabytes", 1);
    let said = stage.apply_fails();
    says(
        &said,
        &[
            "cannot be snapshotted",
            "volume \"store\"",
            "Nothing was taken away",
        ],
    );
    let server = format!("/servers/{}", text(&second["server_ids"]["data"]));
    assert_eq!(
        inside.get(Api::Compute, &server)["server"]["status"],
        "ACTIVE"
    );
    limit(&stage, &inside, "gigabytes", 10);

    let said = stage.apply_fails();
    let kept = snapshots(&inside);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let words = [
        "server \"data\" did not become ready",
        "the version before is back",
        "was added again",
        "http://127.0.0.1:80/never",
        &*format!(
            "Kept: snapshot {} of volume \"store\"",
            text(&kept[0]["id"])
        ),
    ];
    says(&said, &words);
    assert_eq!(shown(&endpoint), "one two three two");
    says(&flat(&stage.plan_changes()), &["gets a new revision"]);

    // one of somebody else's stops the destroy, the blade's own does not
    let volume = text(&kept[0]["volume_id"]);
    let theirs = json!({ "snapshot": { "volume_id": volume, "name": "theirs", "force": true } });
    let theirs = inside.post(Api::Volume, "/snapshots", &theirs);
    let theirs = text(&theirs["snapshot"]["id"]);
    let status = |wanted: &'static str| {
        wait::until(wanted, 30, || {
            let all = snapshots(&inside);
            let found = all.iter().find(|one| one["id"] == theirs);
            let status = found.map_or_else(|| "gone".to_owned(), |one| text(&one["status"]));
            (status == wanted).then_some(())
        });
    };
    status("available");
    let ended = stage.run(&["destroy", "-no-color", "-auto-approve"]);
    assert_eq!(ended.code, 1, "{}", ended.said);
    let said = flat(&ended.said);
    says(
        &said,
        &["snapshot \"theirs\"", &theirs, "Nothing was deleted"],
    );
    assert!(!said.contains(&text(&kept[0]["id"])), "{said}");
    inside.delete(Api::Volume, &format!("/snapshots/{theirs}"));
    status("gone");
    stage.destroy();
    is_gone(&stage, &name);
}
