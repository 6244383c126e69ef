//! A creation that fails names what failed, and leaves nothing.

use std::time::{Duration, Instant};

use crate::life_cycle::{is_gone, with_servers};
use crate::world::Stage;

#[test]
fn a_server_that_never_becomes_ready_leaves_nothing() {
    let mut stage = Stage::new("silent", 1);
    let name = stage.project("a");
    let text = with_servers(&name, "", "");
    let text = text.replace(":80/health", ":80/never").replace("3m", "10s");
    stage.write(&text);
    let said = stage.apply_fails();
    for word in [
        &*format!("Blade {name} could not be created"),
        "server \"web\" did not become ready",
        "http://127.0.0.1:80/never",
        "Undone: the stack",
    ] {
        assert!(said.contains(word), "{word:?}: {said}");
    }
    is_gone(&stage, &name);
    assert!(stage.state("mkys_blade.this").is_null());
}

#[test]
fn a_creation_whose_time_is_up_is_in_the_state_and_can_be_made_anew() {
    let mut stage = Stage::new("late", 0);
    let name = stage.project("a");
    let whole = with_servers(&name, "", "");
    let late = whole.replacen(
        "servers ",
        "timeouts = { create = \"20s\" }\n           servers ",
        1,
    );
    stage.write(&late.replace(":80/health", ":80/never"));
    let begun = Instant::now();
    let said = stage.apply_fails();
    let took = begun.elapsed();
    for word in [
        &*format!("Time is up while creating blade {name}"),
        "Heat still says CREATE_IN_PROGRESS",
        "What exists is in the state",
    ] {
        assert!(said.contains(word), "{word:?}: {said}");
    }
    // without the limit it would be that of the server's readiness, 3 minutes
    assert!(took < Duration::from_secs(120), "{took:?}: {said}");
    let state = stage.state("mkys_blade.this");
    assert!(state["stack_id"].is_string(), "{state}");

    stage.write(&whole);
    stage.apply();
    stage.settled();
    stage.destroy();
    is_gone(&stage, &name);
}
