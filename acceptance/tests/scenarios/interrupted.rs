//! Creations that somebody interrupts: by SIGKILL, which writes no state, and by Ctrl-C.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use crate::life_cycle::{bare, is_gone, with_servers};
use crate::world::cloud::text;
use crate::world::{Api, Cloud, Stage, wait};

/// Starts an apply in a process group of its own.
pub(crate) fn spawn(stage: &Stage) -> Child {
    let mut command = stage.command(&["apply", "-no-color", "-auto-approve"]);
    let child = command
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    child.spawn().unwrap()
}

/// Starts an apply, and waits until Heat makes the blade's stack.
fn start(stage: &Stage, name: &str) -> (Child, Cloud) {
    let child = spawn(stage);
    let project = wait::until("the project", 60, || stage.cloud.projects(name).pop());
    let inside = wait::until("the way into the project", 30, || {
        // the provider gives the administrator the role, as the story does
        Some(stage.cloud.within(&project))
    });
    wait::until("the stack", 60, || {
        inside.list(Api::Heat, "/stacks", "stacks").pop()
    });
    (child, inside)
}

/// Sends a signal to the group: the CLI and the provider that it started.
pub(crate) fn signal(child: &Child, name: &str) {
    let group = format!("-{}", child.id());
    let status = Command::new("kill").args([name, "--", &group]).status();
    assert!(status.unwrap().success());
}

#[test]
fn after_a_kill_the_next_creation_goes_on_with_what_exists() {
    let mut stage = Stage::new("killed", 1);
    let name = stage.project("a");
    stage.write(&bare(&name));
    let (mut child, inside) = start(&stage, &name);
    signal(&child, "-KILL");
    child.wait().unwrap();
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
    let (mut child, inside) = start(&stage, &name);
    let servers = || inside.list(Api::Compute, "/servers", "servers");
    let server = wait::until("the server", 60, || servers().pop());
    let stack = || inside.list(Api::Heat, "/stacks", "stacks").remove(0);
    let status = text(&stack()["stack_status"]);
    signal(&child, "-KILL");
    child.wait().unwrap();
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
    let (mut child, inside) = start(&stage, &name);
    signal(&child, "-INT");
    let code = wait::until("the CLI's end", 60, || child.try_wait().unwrap());
    assert!(!code.success());
    let state = stage.state("mkys_blade.this");
    assert_eq!(text(&state["project_id"]), inside.project, "{state}");
    let stack = text(&inside.list(Api::Heat, "/stacks", "stacks")[0]["id"]);
    assert_eq!(text(&state["stack_id"]), stack, "{state}");
    stage.destroy();
    is_gone(&stage, &name);
}
