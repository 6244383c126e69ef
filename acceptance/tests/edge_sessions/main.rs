//! Session routes on a real NGINX: leases that end by themselves, whatever dies.
//!
//! Each story has an edge of its own on loopback, on ports that were free, with its files in a folder of its own. It
//! needs Debian's NGINX with Lua and a built `mkys-edge` beside the tests (`cargo build -p mkys-edge`), and no lab.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may stop at once"
)]

mod access;
mod access_log;
mod activity;
mod crash;
mod edge;
mod lease;
mod many;
mod memory;
mod over_tls;
mod refusal;
mod repeat;
mod request;
mod script;
mod service;
mod streams;
mod supervisor;
mod trials;
mod upgrade;
mod visitor;
