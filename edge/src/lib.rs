//! The web service beside NGINX that gives routes, and the portal.
//!
//! - [`settings`]: what an operator sets.
//! - [`policy`]: who may ask for what, and what a change does to what was decided. Pure.
//! - [`lease`]: who may delegate what, and what its holder may ask for. Pure.
//! - [`store`]: SQLite; durable before anything is acknowledged.
//! - [`nginx`]: its configuration, its processes, and their supervisor.
//! - [`health`]: whether all of it works.
//! - [`clock`]: the clock of leases.
//! - [`own`]: addresses that no route leads to.
//! - [`publish`]: tells NGINX which routes to serve, without a reload.
//! - [`activity`]: who uses the session routes.
//! - [`reap`]: deletes the session routes that have lapsed.
//! - [`cli_error`], [`warning`]: what the command line and the log say of faults.
//! - [`web`]: the API, the portal and the administrators' pages.

pub mod activity;
pub mod cli_error;
pub mod clock;
pub mod health;
pub mod lease;
pub mod nginx;
pub mod own;
pub mod policy;
pub mod publish;
pub mod reap;
pub mod settings;
pub mod store;
pub mod token;
#[cfg(test)]
mod troubleshooting;
pub mod warning;
pub mod web;
