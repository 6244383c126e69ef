//! The lab's actions and what they share. Each action is a file; the parts below them know nothing of each other's order.

mod address_plan;
mod builtin;
mod cloud;
mod doctor;
mod down;
mod embedded;
mod error;
mod external;
mod fabric;
mod identity;
mod image;
mod install;
mod layout;
mod leftovers;
mod lock;
mod order;
mod pause;
mod ports;
mod prerequisites;
mod probe;
mod process;
mod procfs;
mod resources;
mod schedule;
mod seed;
mod status;
mod takeaway;
mod template;
mod unit;
mod up;

pub use doctor::doctor;
pub use down::down;
pub use error::Error;
pub use install::install;
pub use status::status;
pub use up::up;

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
