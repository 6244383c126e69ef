//! The lab (real services on one machine) and the scenarios that run on it.
//!
//! - [`place`]: where the lab is: paths, names and addresses that never change.
//! - [`settings`]: what may be set: the two external networks' ranges.
//! - [`netns`]: running a command where a visitor, an operator or the edge stands.
//! - [`progress`]: stages with the time each took, as `lab` and the demo print them.
//! - [`platform`]: what runs on the lab: CLIs with the provider, the edge, the monitor, visitors.
//! - [`lab`]: `up`, `down`, `status`, `doctor`, `install`.

pub mod chance;
pub mod lab;
pub mod netns;
pub mod place;
pub mod platform;
pub mod progress;
pub mod settings;
