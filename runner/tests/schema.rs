//! The JSON Schemas that are committed are those of the types (`mkys-run schema computation` prints what belongs there), and what pages
//! show can be read.

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

/// The blocks of JSON on a page.
fn blocks(page: &str) -> Vec<String> {
    let file = format!("{}/../docs/runner/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).unwrap();
    let blocks = text.split("```json\n").skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

#[test]
fn what_the_pages_show_can_be_read() {
    for page in ["README.md", "computations.md"] {
        let blocks = blocks(page);
        assert!(!blocks.is_empty(), "{page} shows none");
        for block in blocks {
            let computation: Computation = serde_json::from_str(&block).unwrap();
            computation.check().unwrap();
        }
    }
    for block in blocks("sessions.md") {
        let session: Session = serde_json::from_str(&block).unwrap();
        session.check().unwrap();
    }
}
