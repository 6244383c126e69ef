//! The page `docs/guides/troubleshooting.md`: every text of an error or a warning that the code has, with what it means.
//!
//! The texts are read from the source, so that none can be forgotten: a new one fails the test until `meanings.rs` explains it.
//! `MKYS_DOCS=write cargo test --workspace --test troubleshooting` writes the page; `scripts/docs.sh` copies it to `docs/`.

#![allow(clippy::unwrap_used, reason = "a test may stop at once")]

mod meanings;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;

use meanings::{MEANINGS, Part};

const BEGIN: &str = "<!-- begin: generated from the code -->\n";
const END: &str = "<!-- end: generated from the code -->\n";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All texts of the code.
fn texts() -> BTreeSet<String> {
    let folders = ["provider/src", "blade/src", "edge/client/src"];
    let all = folders
        .iter()
        .flat_map(|folder| source::texts(&root().join(folder)));
    all.collect()
}

/// The tables of the page.
fn rendered() -> String {
    let mut text = String::new();
    for part in Part::ALL {
        let rows: BTreeMap<_, _> = MEANINGS
            .iter()
            .filter(|meaning| meaning.part == part)
            .map(|meaning| (meaning.text, meaning))
            .collect();
        writeln!(text, "\n## {}\n", part.heading()).unwrap();
        text.push_str("| text | meaning | what to do |\n|---|---|---|\n");
        for (said, meaning) in rows {
            let said = said.replace('|', "\\|");
            writeln!(
                text,
                "| {said} | {} | {} |",
                meaning.meaning, meaning.remedy
            )
            .unwrap();
        }
    }
    text.push('\n');
    text
}

#[test]
fn every_text_of_the_code_is_explained() {
    let explained: BTreeSet<_> = MEANINGS.iter().map(|one| one.text.to_owned()).collect();
    assert_eq!(explained.len(), MEANINGS.len(), "a text is explained twice");
    let texts = texts();
    let missing: Vec<_> = texts.difference(&explained).collect();
    assert!(missing.is_empty(), "explain in meanings.rs: {missing:#?}");
    let stale: Vec<_> = explained.difference(&texts).collect();
    assert!(stale.is_empty(), "no code says any more: {stale:#?}");
}

#[test]
fn the_page_has_the_generated_tables() {
    let file = root().join("templates/guides/troubleshooting.md");
    let page = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{BEGIN}{}{END}{after}", rendered());
    if std::env::var("MKYS_DOCS").as_deref() == Ok("write") {
        std::fs::write(&file, &expected).unwrap();
    }
    let page = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        page, expected,
        "`MKYS_DOCS=write cargo test --workspace --test troubleshooting` writes it"
    );
}
