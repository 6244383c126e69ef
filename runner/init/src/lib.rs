//! What a run's first process and the run's owner say to each other, shared by both so that they cannot drift.
//!
//! The owner listens on a unix socket; each run's first process connects to it, says what run it is ([`ToOwner::Hello`]) and
//! in what phase, and is told what to do ([`ToRun`]). A connection that breaks is made again: the phase of the new greeting says
//! all that a new owner has to know. Anything that the owner says renews the run's lease.

mod command;
pub mod files;
mod frame;
mod message;
mod path;
pub mod results;
mod settings;

pub use command::Unstartable;
pub use frame::{CHUNK, Frame, FrameError, Frames};
pub use message::{End, Exit, Phase, ToOwner, ToRun};
pub use path::{FilePath, FilePathError};
pub use settings::Settings;

/// The exit code of a keeper that found a network open which is to be closed.
pub const OPEN_NETWORK: i32 = 78;

/// What tells `mkys-init` from other programs: it is in the program itself.
pub const IDENTITY: &str =
    "mkys-init is the first process of a run's container, and does nothing elsewhere";
