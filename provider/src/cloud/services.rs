//! The calls made, service by service: each answers typed values and knows nothing of blades.

pub mod catalogue;
pub mod compute;
pub mod heat;
pub mod keystone;
pub mod network;
pub mod quota;
pub mod volume;
