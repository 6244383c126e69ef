//! Scenarios on the lab: a real OpenStack, real CLIs, a real NGINX. One file a story.
//!
//! They need the lab up (`lab up`) and the programs built (`cargo build --workspace --bins`); each
//! has projects, an edge and a folder of its own, and takes them away again. `MKYS_CLIS`, paths with
//! colons between, says which CLIs: without it terraform on PATH and the built OpenTofu.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may stop at once"
)]

mod any_version;
mod bad_input;
mod bad_route;
mod destroy;
mod drift;
mod edge;
mod failed_create;
mod failed_update;
mod interrupted;
mod life_cycle;
mod link;
mod lost_cloud;
mod members;
mod one_owner;
mod own_project;
mod pages;
mod recreate;
mod templates;
mod tls;
mod trials;
mod unplanned;
mod whole_story;
mod world;
