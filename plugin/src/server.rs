//! The provider put together, ready to be served.

use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use crate::data_source::DataSource;
use crate::ephemeral::EphemeralResource;
use crate::erased::{
    ErasedDataSource, ErasedEphemeral, ErasedFunction, ErasedProvider, ErasedResource,
};
use crate::function::Function;
use crate::provider::Provider;
use crate::resource::Resource;
use crate::serve;
use crate::service::Catalogue;

/// How long cancelled code may take to end, unless said otherwise.
const GRACE: Duration = Duration::from_secs(30);

/// The provider put together, ready to be served.
#[derive(Debug)]
pub struct Server;

/// Puts a provider together.
#[must_use]
pub struct ServerBuilder {
    name: &'static str,
    pub(crate) catalogue: Catalogue,
    grace: Duration,
}

impl Server {
    /// Starts with the provider itself.
    pub fn builder<P: Provider>(provider: P) -> ServerBuilder {
        let name = provider.name();
        let catalogue = Catalogue {
            provider: Box::new(ErasedProvider::new(provider)),
            resources: BTreeMap::new(),
            data_sources: BTreeMap::new(),
            ephemerals: BTreeMap::new(),
            functions: BTreeMap::new(),
        };
        ServerBuilder {
            name,
            catalogue,
            grace: GRACE,
        }
    }
}

impl ServerBuilder {
    fn full(&self, name: &str) -> String {
        format!("{}_{name}", self.name)
    }

    /// Adds a resource.
    pub fn resource<R: Resource>(mut self, resource: R) -> Self {
        let name = self.full(resource.name());
        self.catalogue
            .resources
            .insert(name, Box::new(ErasedResource::new(resource)));
        self
    }

    /// Adds a data source.
    pub fn data_source<D: DataSource>(mut self, data_source: D) -> Self {
        let name = self.full(data_source.name());
        self.catalogue
            .data_sources
            .insert(name, Box::new(ErasedDataSource::new(data_source)));
        self
    }

    /// Adds an ephemeral resource.
    pub fn ephemeral_resource<E: EphemeralResource>(mut self, ephemeral: E) -> Self {
        let name = self.full(ephemeral.name());
        self.catalogue
            .ephemerals
            .insert(name, Box::new(ErasedEphemeral::new(ephemeral)));
        self
    }

    /// Adds a function. Its name stands alone: `provider::mkys::render`.
    pub fn function<F: Function>(mut self, function: F) -> Self {
        let name = function.name().to_owned();
        self.catalogue
            .functions
            .insert(name, Box::new(ErasedFunction::new(function)));
        self
    }

    /// How long code may take to end after it was cancelled, before it is dropped where it waits: 30 s if not said.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Serves until the CLI ends it; the whole of a provider's `main`. Whoever starts the binary by hand is told what it
    /// is, and gets exit code 1.
    pub fn run(self) -> ExitCode {
        serve::run(self.catalogue, self.grace)
    }
}

impl fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Catalogue {
            provider: _,
            resources,
            data_sources,
            ephemerals,
            functions,
        } = &self.catalogue;
        f.debug_struct("ServerBuilder")
            .field("name", &self.name)
            .field("resources", &resources.keys())
            .field("data_sources", &data_sources.keys())
            .field("ephemerals", &ephemerals.keys())
            .field("functions", &functions.keys())
            .field("grace", &self.grace)
            .finish()
    }
}
