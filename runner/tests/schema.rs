//! The JSON Schemas that are committed are those of the types. `mkys-run schema computation` prints what belongs there.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

use mkys_runner::{Computation, Session};
use schemars::schema_for;

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    let schemas = [
        ("computation", schema_for!(Computation)),
        ("session", schema_for!(Session)),
    ];
    for (name, schema) in schemas {
        let file = format!(
            "{}/../docs/runner/{name}.schema.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        let expected = serde_json::to_string_pretty(&schema).unwrap();
        assert_eq!(committed.trim_end(), expected, "{file} is not up to date");
    }
}
