//! The conformance suite: the probe provider driven by every CLI there is, as a person would. `TF_CLIS` names the CLIs, separated by
//! colons; without it they are `terraform` and `tofu` on the `PATH`. With none the suite fails: it never passes untried.
//! `cargo test -p mkys-plugin` builds the probe too; with `--test conformance` alone cargo does not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod cli;
mod errors;
mod extras;
mod interrupted;
mod lifecycle;
mod values;
