//! The client of an OpenStack cloud: who one is, where its services are, and calls to them.
//!
//! A [`Call`] is a value that says service, method, path and body; a [`Session`] sends it within
//! one project. Nothing here knows what a blade is.

mod call;
mod config;
mod error;
mod identity;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
pub(crate) mod mock;
mod reach;
mod retry;
pub mod services;
mod session;
mod settings;
mod sign_in;
mod source;

pub use call::{Call, Service};
pub use config::{ConfigError, Credentials, Environment};
pub use error::CloudError;
pub use identity::{Identity, Reference};
pub(crate) use reach::why;
pub use session::{Cloud, Session};
