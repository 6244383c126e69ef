#!/bin/sh
# The quick half: formats, lints, unit, golden, property and doc tests. No lab, no CLI, no cloud.
set -eu
cd "$(dirname "$0")/.."
say() { printf '\n-- %s\n' "$*"; }

say "format"
cargo fmt --all --check
say "lints"
cargo clippy --quiet --workspace --all-targets -- -D warnings
say "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps
say "unit, golden and property tests"
# golden files that differ fail; none is written
INSTA_UPDATE=no cargo test --quiet --workspace --lib --bins
INSTA_UPDATE=no cargo test --quiet --workspace --test golden --test problems --test properties --test state --test schema --test troubleshooting --test at_once --test on_record
say "documentation's examples"
cargo test --quiet --workspace --doc
