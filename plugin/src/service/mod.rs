//! The protocol's provider service: each call finds what it is about, reads the values by its schema, runs it, and writes what
//! came of it. A call never fails as such: whatever goes wrong is a diagnostic.

mod convert;
mod data_source;
mod ephemeral;
mod function;
mod provider;
mod resource;
mod schema;
mod stored;

use std::collections::BTreeMap;
use std::sync::Arc;

use tonic::{Request, Response, Status};

use crate::calls::Calls;
use crate::context::{ClientCapabilities, Context};
use crate::diagnostic::Diagnostics;
use crate::erased::{Call, DynDataSource, DynEphemeral, DynFunction, DynProvider, DynResource};
use crate::protocol::tfplugin6::provider_server::Provider;
use crate::protocol::tfplugin6::*;

/// Everything that a provider has, by the names that configuration uses.
pub(crate) struct Catalogue {
    pub(crate) provider: Box<dyn DynProvider>,
    pub(crate) resources: BTreeMap<String, Box<dyn DynResource>>,
    pub(crate) data_sources: BTreeMap<String, Box<dyn DynDataSource>>,
    pub(crate) ephemerals: BTreeMap<String, Box<dyn DynEphemeral>>,
    pub(crate) functions: BTreeMap<String, Box<dyn DynFunction>>,
}

/// The provider service.
pub(crate) struct Service {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) calls: Arc<Calls>,
}

impl Service {
    fn context(&self, client: Option<self::ClientCapabilitiesMessage>) -> Context {
        self.calls.context(convert::capabilities(client))
    }

    /// For calls in which the CLI does not say what it can do: then it is taken to be able.
    fn able_context(&self) -> Context {
        self.calls.context(ClientCapabilities {
            write_only_attributes_allowed: true,
            ..ClientCapabilities::default()
        })
    }

    fn call<'a>(&'a self, cx: &'a Context) -> Call<'a> {
        Call {
            calls: &self.calls,
            cx,
        }
    }
}

type ClientCapabilitiesMessage = crate::protocol::tfplugin6::ClientCapabilities;

fn find<'a, T: ?Sized>(
    kind: &str,
    things: &'a BTreeMap<String, Box<T>>,
    name: &str,
) -> Result<&'a T, Diagnostics> {
    things
        .get(name)
        .map(|thing| &**thing)
        .ok_or_else(|| Diagnostics::error(format!("This provider has no {kind} {name:?}"), ""))
}

/// What is told at the end of a call: what it failed with, and what was said on the way.
fn told(ended: Result<(), Diagnostics>, cx: &Context) -> Vec<Diagnostic> {
    let mut all = cx.take_warnings();
    all.extend(ended.err().unwrap_or_default());
    convert::diagnostics(all)
}

/// Each method of the service as a method of the same name that cannot fail.
macro_rules! answered {
    ($($method:ident),* $(,)?) => {
        #[tonic::async_trait]
        impl Provider for Service {
            $(async fn $method(
                &self,
                request: Request<$method::Request>,
            ) -> Result<Response<$method::Response>, Status> {
                Ok(Response::new(Service::$method(self, request.into_inner()).await))
            })*
        }
    };
}

answered! {
    get_metadata,
    get_provider_schema,
    get_resource_identity_schemas,
    validate_provider_config,
    configure_provider,
    stop_provider,
    validate_resource_config,
    upgrade_resource_state,
    upgrade_resource_identity,
    read_resource,
    plan_resource_change,
    apply_resource_change,
    import_resource_state,
    move_resource_state,
    validate_data_resource_config,
    read_data_source,
    validate_ephemeral_resource_config,
    open_ephemeral_resource,
    renew_ephemeral_resource,
    close_ephemeral_resource,
    get_functions,
    call_function,
}
