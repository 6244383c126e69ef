//! The lab's actions and what they share. Each action is a file; the parts below them know nothing of each other's order.

mod address_plan;
pub(crate) mod bridge;
mod builtin;
mod cloud;
mod doctor;
mod down;
pub(crate) mod embedded;
mod error;
pub(crate) mod external;
mod fabric;
mod identity;
mod image;
pub(crate) mod install;
mod layout;
pub(crate) mod leftovers;
pub(crate) mod lock;
mod order;
pub(crate) mod pause;
pub(crate) mod ports;
mod prerequisites;
mod probe;
pub(crate) mod process;
pub(crate) mod procfs;
mod resources;
mod schedule;
mod seed;
mod status;
pub(crate) mod takeaway;
pub(crate) mod template;
mod unit;
mod up;

pub use cloud::{Api, Cloud};
pub use doctor::doctor;
pub use down::down;
pub use error::Error;
pub use install::{install, install_for_runs};
pub use status::status;
pub use up::{is_there, up};

use std::net::SocketAddrV4;
use std::path::Path;

use crate::place::Place;
use crate::progress::Progress;
use crate::settings::{Settings, SettingsError};

/// The lab of this machine: where it is, how it is set, where it says what it does.
#[derive(Debug)]
pub struct Lab {
    /// Its directories.
    pub place: Place,
    /// Its settings.
    pub settings: Settings,
    /// Where it prints.
    pub progress: Progress,
}

impl Lab {
    /// The lab as the environment sets it.
    ///
    /// # Errors
    /// When a setting can't be used.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Ok(Self {
            place: Place::from_environment(),
            settings: Settings::from_environment()?,
            progress: Progress::new(),
        })
    }
}

/// Whether this machine can run the lab; changes nothing.
///
/// # Errors
/// One sentence that says why not.
pub fn check(lab: &Lab) -> Result<(), Error> {
    prerequisites::check(lab)
}

/// Whether this machine can run a container engine and an edge that listen there, with their files in a folder; changes nothing.
///
/// # Errors
/// One sentence that says why not.
pub fn check_for_runs(place: &Place, folder: &Path, listen: &[SocketAddrV4]) -> Result<(), Error> {
    prerequisites::check_for_runs(place, folder, listen)
}

/// Whether the lab's cloud answers.
#[must_use]
pub fn is_up(lab: &Lab) -> bool {
    lab.place.state().exists() && Cloud::sign_in().is_ok()
}
