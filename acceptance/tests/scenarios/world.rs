//! What a story stands on: the cloud by its own API, a place with a CLI, an edge, and patience.

pub(crate) mod apply;
pub(crate) mod browser;
pub(crate) mod cloud;
pub(crate) mod edge;
pub(crate) mod leftovers;
pub(crate) mod runs;
pub(crate) mod service;
pub(crate) mod stage;
pub(crate) mod tls;
pub(crate) mod wait;
pub(crate) mod way;

pub(crate) use apply::Apply;
pub(crate) use cloud::{Api, Cloud};
pub(crate) use stage::{Stage, each_cli};
