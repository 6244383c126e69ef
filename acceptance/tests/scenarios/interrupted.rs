//! Creations that somebody interrupts: by SIGKILL, which writes no state, and by Ctrl-C.

use crate::bad_route::route;
use crate::life_cycle::{bare, is_gone, with_servers};
use crate::world::cloud::text;
use crate::world::edge::Beside;
use crate::world::{Api, Apply, Cloud, Stage};

/// Starts an apply, and waits until Heat makes the blade's stack.
fn start(stage: &Stage, name: &str) -> (Apply, Cloud) {
    let mut apply = Apply::start(stage);
    let project = apply.makes("the project", || stage.cloud.projects(name).pop());
    // the provider gives the administrator the role, as the story does
    let inside = stage.cloud.within(&project);
    apply.makes("the stack", || {
        inside.list(Api::Heat, "/stacks", "stacks").pop()
    });
    (apply, inside)
}

#[test]
fn after_a_kill_the_next_creation_goes_on_with_what_exists() {
    let mut stage = Stage::new("killed", 1);
    let name = stage.project("a");
    stage.write(&bare(&name));
    let (apply, inside) = start(&stage, &name);
    apply.kill();
    stage.forget_state();
    let stack = text(&inside.list(Api::Heat, "/stacks", "stacks")[0]["id"]);

    stage.apply();
    stage.settled();
    let state = stage.state("mkys_blade.this");
    assert_eq!(stage.cloud.projects(&name), [&*inside.project]);
    assert_eq!(text(&state["project_id"]), inside.project);
    let stacks = inside.list(Api::Heat, "/stacks", "stacks");
    assert_eq!(stacks.len(), 1, "{stacks:?}");
    assert_eq!(text(&state["stack_id"]), stack);
    let path = format!("/networks?project_id={}", inside.project);
    assert_eq!(inside.list(Api::Network, &path, "networks").len(), 1);

    // whole now: another creation refuses
    let said = stage.apply_fails_without_state();
    assert!(said.contains("Import it"), "{said}");
    stage.destroy();
    is_gone(&stage, &name);
}

#[test]
fn after_a_kill_the_server_that_is_being_built_is_the_blades() {
    let mut stage = Stage::new("orphan", 0);
    let name = stage.project("a");
    let site = "site = { server = \"web\", port = 80, audiences = [\"users\"] }";
    stage.write(&with_servers(&name, "", site));
    let (mut apply, inside) = start(&stage, &name);
    let servers = || inside.list(Api::Compute, "/servers", "servers");
    let server = apply.makes("the server", || servers().pop());
    let stack = || inside.list(Api::Heat, "/stacks", "stacks").remove(0);
    let status = text(&stack()["stack_status"]);
    apply.kill();
    assert_eq!(status, "CREATE_IN_PROGRESS");
    stage.forget_state();

    stage.apply();
    stage.settled();
    assert_eq!(servers().len(), 1, "{:?}", servers());
    let state = stage.state("mkys_blade.this");
    assert_eq!(state["server_ids"]["web"], server["id"]);
    assert_eq!(state["stack_id"], stack()["id"]);
    stage.destroy();
    is_gone(&stage, &name);
}

#[test]
fn after_ctrl_c_the_state_has_what_exists() {
    let mut stage = Stage::new("ctrlc", 0);
    let name = stage.project("a");
    stage.write(&bare(&name));
    let (apply, inside) = start(&stage, &name);
    apply.signal("-INT");
    assert!(!apply.end().success());
    let state = stage.state("mkys_blade.this");
    assert_eq!(text(&state["project_id"]), inside.project, "{state}");
    let stack = text(&inside.list(Api::Heat, "/stacks", "stacks")[0]["id"]);
    assert_eq!(text(&state["stack_id"]), stack, "{state}");
    stage.destroy();
    is_gone(&stage, &name);
}

#[test]
fn a_route_that_was_asked_for_is_taken_over_with_what_was_decided() {
    let stage = Stage::new("asked", 0);
    let edge = Beside::start(&stage);
    let (url, token) = (edge.url(), &edge.requester);
    let provider = format!("edge = {{ url = \"{url}\", token = \"{token}\" }}");
    stage.write_with(&provider, &route("a.mkys.test", "198.51.100.50:80"));
    stage.apply();
    let asked = text(&stage.state("mkys_route.this")["id"]);
    edge.approve(&asked, "users");
    let routes = || {
        let all = edge.call("GET", "/v1/routes", &edge.requester, None);
        all.unwrap().as_array().unwrap().clone()
    };

    // as after a kill in the moment before the state was written
    stage.forget_state();
    stage.apply();
    stage.settled();
    assert_eq!(text(&stage.state("mkys_route.this")["id"]), asked);
    let [one] = &routes()[..] else {
        panic!("{:?}", routes())
    };
    assert_eq!(one["decisions"]["users"]["state"], "approved", "{one}");
    stage.destroy();
    assert!(routes().is_empty(), "{:?}", routes());
}
