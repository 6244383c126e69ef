//! The messages and services of the protocol, generated from `proto/`.

// Each message stands for a call only by what it contains, and the clients are for tests.
#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    clippy::pedantic
)]

/// The provider's own service.
pub(crate) mod tfplugin6 {
    tonic::include_proto!("tfplugin6");
}

/// What every plugin serves beside its own service.
pub(crate) mod plugin {
    tonic::include_proto!("plugin");
}
