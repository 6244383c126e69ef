//! A cloud that is lost in the middle of an apply: one error, and nothing made is lost.

use crate::life_cycle::{bare, is_gone};
use crate::world::cloud::text;
use crate::world::stage::flat;
use crate::world::way::Way;
use crate::world::{Api, Stage, wait};

/// From now on the cloud is reached by this way.
fn take(stage: &mut Stage, way: &Way) {
    stage.set("NO_PROXY", "");
    stage.set("HTTP_PROXY", &way.url());
}

/// What the state has is gone on with, straight to the cloud, and nothing is left of it in the end.
fn goes_on(stage: &mut Stage, name: &str) {
    stage.set("NO_PROXY", "127.0.0.1");
    stage.apply();
    stage.settled();
    stage.destroy();
    is_gone(stage, name);
}

#[test]
fn a_lost_cloud_is_one_error_and_the_state_has_what_exists() {
    let mut stage = Stage::new("lost", 0);
    let name = stage.project("a");
    stage.write(&bare(&name));
    let way = Way::open();
    take(&mut stage, &way);
    let mut command = stage.command(&["apply", "-no-color", "-auto-approve"]);
    let (cloud, cut) = (stage.cloud.clone(), name.clone());
    let watcher = std::thread::spawn(move || {
        let project = wait::until("the project", 60, || cloud.projects(&cut).pop());
        let inside = wait::until("the way into the project", 30, || {
            Some(cloud.within(&project))
        });
        // by then Heat has given its answer as well, and is at work
        let path = format!("/networks?project_id={project}");
        wait::until("the network", 60, || {
            inside.list(Api::Network, &path, "networks").pop()
        });
        way.cut();
        inside
    });
    let ended = command.output().unwrap();
    let inside = watcher.join().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout) + String::from_utf8_lossy(&ended.stderr);
    let said = flat(&said);
    assert!(!ended.status.success(), "{said}");
    assert_eq!(said.matches("Error: ").count(), 1, "{said}");
    for word in [
        &*format!("Stopped while creating blade {name}"),
        "cannot be reached: connection refused",
        "What exists is in the state",
    ] {
        assert!(said.contains(word), "{word:?}: {said}");
    }
    let stack = text(&inside.list(Api::Heat, "/stacks", "stacks")[0]["id"]);
    assert_eq!(text(&stage.state("mkys_blade.this")["stack_id"]), stack);

    goes_on(&mut stage, &name);
}

#[test]
fn a_stack_whose_creation_was_not_answered_is_in_the_state() {
    let mut stage = Stage::new("unanswered", 0);
    let name = stage.project("a");
    stage.write(&bare(&name));
    let way = Way::losing("/stacks");
    take(&mut stage, &way);
    let said = stage.apply_fails();
    let project = stage.cloud.projects(&name).pop();
    let inside = stage.cloud.within(&project.expect("its project is there"));
    let stack = text(&inside.list(Api::Heat, "/stacks", "stacks")[0]["id"]);
    assert!(
        said.contains(&format!("Heat has stack {stack} in it")),
        "{said}"
    );
    assert_eq!(text(&stage.state("mkys_blade.this")["stack_id"]), stack);

    goes_on(&mut stage, &name);
}
