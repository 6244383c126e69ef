//! The calls about the provider itself.

use super::schema::{self, Owner};
use super::{Service, convert, told};
use crate::diagnostic::Diagnostics;
use crate::protocol::tfplugin6 as wire;
use wire::{
    ServerCapabilities, configure_provider, get_metadata, get_provider_schema,
    get_resource_identity_schemas, stop_provider, validate_provider_config,
};

/// What this crate can do for every provider.
const CAPABILITIES: ServerCapabilities = ServerCapabilities {
    plan_destroy: true,
    get_provider_schema_optional: true,
    move_resource_state: false,
    generate_resource_config: false,
};

impl Service {
    pub(super) async fn get_metadata(&self, _: get_metadata::Request) -> get_metadata::Response {
        let catalogue = &self.catalogue;
        let data_source = |name: &String| get_metadata::DataSourceMetadata {
            type_name: name.clone(),
        };
        let resource = |name: &String| get_metadata::ResourceMetadata {
            type_name: name.clone(),
        };
        let function = |name: &String| get_metadata::FunctionMetadata { name: name.clone() };
        let ephemeral = |name: &String| get_metadata::EphemeralMetadata {
            type_name: name.clone(),
        };
        get_metadata::Response {
            server_capabilities: Some(CAPABILITIES),
            diagnostics: Vec::new(),
            data_sources: catalogue.data_sources.keys().map(data_source).collect(),
            resources: catalogue.resources.keys().map(resource).collect(),
            functions: catalogue.functions.keys().map(function).collect(),
            ephemeral_resources: catalogue.ephemerals.keys().map(ephemeral).collect(),
        }
    }

    pub(super) async fn get_provider_schema(
        &self,
        _: get_provider_schema::Request,
    ) -> get_provider_schema::Response {
        let catalogue = &self.catalogue;
        let resources = catalogue.resources.iter().map(|(n, r)| (n, r.described()));
        let data_sources = catalogue
            .data_sources
            .iter()
            .map(|(n, d)| (n, d.described()));
        let ephemerals = catalogue.ephemerals.iter().map(|(n, e)| (n, e.described()));
        let functions = catalogue.functions.iter().map(|(n, f)| (n, f.signature()));
        get_provider_schema::Response {
            provider: Some(schema::schema(
                catalogue.provider.described().schema(),
                Owner::Provider,
            )),
            resource_schemas: resources
                .map(|(name, of)| (name.clone(), schema::schema(of.schema(), Owner::Thing)))
                .collect(),
            data_source_schemas: data_sources
                .map(|(name, of)| (name.clone(), schema::schema(of.schema(), Owner::Thing)))
                .collect(),
            ephemeral_resource_schemas: ephemerals
                .map(|(name, of)| (name.clone(), schema::schema(of.schema(), Owner::Thing)))
                .collect(),
            functions: functions
                .map(|(name, of)| (name.clone(), schema::function(&of)))
                .collect(),
            diagnostics: Vec::new(),
            provider_meta: None,
            server_capabilities: Some(CAPABILITIES),
        }
    }

    pub(super) async fn get_resource_identity_schemas(
        &self,
        _: get_resource_identity_schemas::Request,
    ) -> get_resource_identity_schemas::Response {
        let identities = self
            .catalogue
            .resources
            .iter()
            .filter_map(|(name, resource)| {
                resource
                    .identity()
                    .map(|(identity, _)| (name.clone(), schema::identity(identity)))
            });
        get_resource_identity_schemas::Response {
            identity_schemas: identities.collect(),
            diagnostics: Vec::new(),
        }
    }

    pub(super) async fn validate_provider_config(
        &self,
        request: validate_provider_config::Request,
    ) -> validate_provider_config::Response {
        let cx = self.able_context();
        let ended: Result<(), Diagnostics> = async {
            let provider = &self.catalogue.provider;
            let ty = provider.described().ty();
            let config = convert::value("the provider's configuration", request.config, ty)?;
            provider.validate(config, self.call(&cx)).await
        }
        .await;
        validate_provider_config::Response {
            diagnostics: told(ended, &cx),
        }
    }

    pub(super) async fn configure_provider(
        &self,
        request: configure_provider::Request,
    ) -> configure_provider::Response {
        let cx = self.context(request.client_capabilities);
        let ended: Result<(), Diagnostics> = async {
            let provider = &self.catalogue.provider;
            let ty = provider.described().ty();
            let config = convert::value("the provider's configuration", request.config, ty)?;
            provider.configure(config, self.call(&cx)).await
        }
        .await;
        configure_provider::Response {
            diagnostics: told(ended, &cx),
        }
    }

    pub(super) async fn stop_provider(&self, _: stop_provider::Request) -> stop_provider::Response {
        tracing::info!("asked to stop: what runs is cancelled");
        self.calls.stop();
        stop_provider::Response {
            error: String::new(),
        }
    }
}
