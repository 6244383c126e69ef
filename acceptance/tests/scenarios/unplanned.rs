//! Nothing is stopped, replaced or deleted that a plan does not name: equal servers, and statuses at Heat that are not so.

use serde_json::{Value, json};

use crate::world::cloud::text;
use crate::world::{Api, Cloud, Stage, wait};

/// A blade of two servers that differ in their editions alone, each with a volume.
fn blade(name: &str, first: &str, description: &str) -> String {
    format!(
        "resource \"mkys_blade\" \"this\" {{
           name        = \"{name}\"
           description = \"{description}\"
           project     = {{ group = \"{name}-admin\" }}
           networks    = {{ front = {{ cidr = \"10.67.1.0/24\" }} }}
           servers     = {{ for server, edition in {{ db1 = \"{first}\", db2 = \"one\" }} : server => {{
             image     = \"mkys-tiny\"
             flavor    = \"tiny\"
             networks  = [\"front\"]
             volumes   = {{ data = {{ size = 1 }} }}
             user_data = \"#!/bin/sh\\necho ${{edition}}\\n\"
           }} }}
         }}"
    )
}

/// Each server's id and when it was started last, by name.
fn servers(inside: &Cloud) -> Vec<Value> {
    let all = inside.list(Api::Compute, "/servers/detail", "servers");
    let mut all: Vec<_> = all
        .iter()
        .map(|one| {
            json!([
                one["name"],
                one["id"],
                one["status"],
                one["OS-SRV-USG:launched_at"]
            ])
        })
        .collect();
    all.sort_by_key(Value::to_string);
    all
}

/// Each volume's id by its name.
fn volumes(inside: &Cloud) -> Vec<Value> {
    let all = inside.list(Api::Volume, "/volumes", "volumes");
    let mut all: Vec<_> = all
        .iter()
        .map(|one| json!([one["name"], one["id"]]))
        .collect();
    all.sort_by_key(Value::to_string);
    all
}

#[test]
fn unplanned_losses_are_kept_from_happening() {
    let mut stage = Stage::new("keep", 1);
    let name = stage.project("a");
    stage.write(&blade(&name, "one", "first"));
    stage.apply();
    let inside = stage
        .cloud
        .within(&text(&stage.state("mkys_blade.this")["project_id"]));
    let (before, data) = (servers(&inside), volumes(&inside));

    // of two equal servers one is updated
    stage.write(&blade(&name, "two", "first"));
    stage.apply();
    stage.settled();
    let after = servers(&inside);
    assert_eq!(after[1], before[1], "db2 was touched");
    assert_ne!(after[0], before[0], "db1 was not updated");
    assert_eq!(volumes(&inside), data);

    // a check of the stack while a volume and a server are in passing states
    let volume = text(&data[0][1]);
    let server = text(&after[1][1]);
    let state = |status: &str| {
        let body = json!({ "os-reset_status": { "status": status } });
        stage
            .cloud
            .post(Api::Volume, &format!("/volumes/{volume}/action"), &body);
    };
    state("maintenance");
    let act = |action: &str| {
        inside.post(
            Api::Compute,
            &format!("/servers/{server}/action"),
            &json!({ action: null }),
        );
    };
    let status =
        || text(&inside.get(Api::Compute, &format!("/servers/{server}"))["server"]["status"]);
    act("pause");
    wait::until("the server's pause", 30, || {
        (status() == "PAUSED").then_some(())
    });
    let stack = inside.list(Api::Heat, "/stacks", "stacks").remove(0);
    let path = format!("/stacks/{name}/{}", text(&stack["id"]));
    inside.post(
        Api::Heat,
        &format!("{path}/actions"),
        &json!({ "check": null }),
    );
    wait::until("the check's end", 60, || {
        let stack = inside.get(Api::Heat, &path);
        (stack["stack"]["stack_status"] == "CHECK_FAILED").then_some(())
    });
    state("in-use");
    act("unpause");
    wait::until("the server's return", 30, || {
        (status() == "ACTIVE").then_some(())
    });

    let plan = stage.plan_changes();
    for part in [
        "volume \\\"data\\\" of server \\\"db1\\\"",
        "server \\\"db2\\\"",
    ] {
        let said = format!("Heat holds {part} for unhealthy (CHECK_FAILED)");
        assert!(plan.contains(&said), "{said}: {plan}");
    }
    stage.write(&blade(&name, "two", "second"));
    stage.apply();
    stage.settled();
    assert_eq!(servers(&inside), after);
    assert_eq!(volumes(&inside), data);

    // what the definition does not have any more goes, and nothing of the other
    stage.write(&blade(&name, "two", "second").replace(", db2 = \"one\"", ""));
    stage.apply();
    stage.settled();
    assert_eq!(servers(&inside), after[..1]);
    assert_eq!(volumes(&inside), data[..1]);
    stage.destroy();
    crate::life_cycle::is_gone(&stage, &name);
}
