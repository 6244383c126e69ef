//! A creation that fails names what failed, and leaves nothing.

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
