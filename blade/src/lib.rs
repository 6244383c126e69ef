//! Blade definitions, and their compilation to a Heat (HOT) template.
//!
//! A *blade* is everything one application platform needs on an OpenStack cloud, defined once. This
//! crate is the pure half of that: it takes a [`Definition`] as a person typed it, says everything
//! that is wrong with it ([`Definition::validate`]), and turns the [`Blade`] that is left into a
//! template ([`Blade::compile`]) and an update into the steps that keep the old version serving
//! ([`update::steps`]). It does no IO, reads no clock and draws no random number, so the same
//! definition always gives the same template.
//!
//! ```
//! let definition: mkys_blade::Definition = serde_json::from_value(serde_json::json!({
//!     "name": "automathon",
//!     "networks": { "front": { "cidr": "10.20.1.0/24" } },
//!     "servers": { "web": { "image": "debian-12", "flavor": "small", "networks": ["front"] } },
//!     "services": { "site": { "server": "web", "port": 80, "audiences": ["users"] } },
//! }))?;
//! let blade = definition.validate().map_err(|problems| format!("{problems:?}"))?;
//! let compiled = blade.compile(&mkys_blade::Settings::default(), &Default::default());
//! assert!(compiled.template.to_yaml()?.contains("OS::Nova::Server"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod blade;
mod compile;
mod definition;
pub mod effect;
mod name;
mod nearest;
mod needs;
mod problem;
mod revision;
mod template;
pub mod update;
mod user_data;
mod validate;

pub use blade::{Audience, Blade, Network, Probe, Project, Ready, Server, Service, Volume};
pub use compile::output::BACKPLANE_GROUP;
pub use compile::{Compiled, Generations, Settings, parameter, volume_metadata};
pub use definition::{
    Definition, NetworkDefinition, ProjectDefinition, Quota, ReadyDefinition, ServerDefinition,
    ServiceDefinition, VolumeDefinition,
};
pub use name::{BladeName, PartName};
pub use nearest::nearest;
pub use needs::{FlavorSize, Needs};
pub use problem::{Problem, Segment};
pub use revision::Revision;
pub use template::{
    ATTACHMENT_TYPE, GROUP_TYPE, Output, Parameter, RETAIN, Resource, SERVER_TYPE, Template,
    TemplateError, VOLUME_TYPE,
};
pub use user_data::{NOVA_USER_DATA_LIMIT, own_text};
pub use validate::overlap;
