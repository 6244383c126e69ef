//! The calls about resources.

use super::{Service, convert, find, told};
use crate::diagnostic::Diagnostics;
use crate::erased::{ApplyRequest, DynResource, Found, Outcome, PlanRequest};
use crate::protocol::tfplugin6 as wire;
use crate::value::Value;
use wire::{
    DynamicValue, ResourceIdentityData, apply_resource_change, import_resource_state,
    plan_resource_change, read_resource, validate_resource_config,
};

/// What an outcome is on the wire.
struct Written {
    state: Option<DynamicValue>,
    private: Vec<u8>,
    identity: Option<ResourceIdentityData>,
    diagnostics: Result<(), Diagnostics>,
}

fn written(resource: &dyn DynResource, outcome: Outcome) -> Written {
    let Outcome {
        state,
        private,
        identity,
        mut diagnostics,
    } = outcome;
    let state = convert::message(
        "the saved state",
        &state,
        resource.described().ty(),
        &mut diagnostics,
    );
    let identity = identity_message(resource, identity, &mut diagnostics);
    Written {
        state,
        private,
        identity,
        diagnostics: Err(diagnostics),
    }
}

pub(super) fn identity_message(
    resource: &dyn DynResource,
    identity: Option<Value>,
    diagnostics: &mut Diagnostics,
) -> Option<ResourceIdentityData> {
    let (_, ty) = resource.identity()?;
    let identity_data = convert::message("the identity", &identity?, ty, diagnostics);
    Some(ResourceIdentityData { identity_data })
}

fn identity_value(
    resource: &dyn DynResource,
    message: Option<ResourceIdentityData>,
) -> Result<Option<Value>, Diagnostics> {
    let (Some((_, ty)), Some(message)) = (resource.identity(), message) else {
        return Ok(None);
    };
    let value = convert::value("the identity", message.identity_data, ty)?;
    Ok(Some(value).filter(|value| !value.is_null()))
}

impl Service {
    pub(super) fn resource(&self, name: &str) -> Result<&dyn DynResource, Diagnostics> {
        find("resource", &self.catalogue.resources, name)
    }

    pub(super) async fn validate_resource_config(
        &self,
        request: validate_resource_config::Request,
    ) -> validate_resource_config::Response {
        let cx = self.context(request.client_capabilities);
        let ended: Result<(), Diagnostics> = async {
            let resource = self.resource(&request.type_name)?;
            let ty = resource.described().ty();
            let config = convert::value("the configuration", request.config, ty)?;
            resource.validate(config, self.call(&cx)).await
        }
        .await;
        validate_resource_config::Response {
            diagnostics: told(ended, &cx),
        }
    }

    pub(super) async fn read_resource(
        &self,
        request: read_resource::Request,
    ) -> read_resource::Response {
        let cx = self.context(request.client_capabilities);
        let (state, kept_private) = (request.current_state.clone(), request.private.clone());
        let kept_identity = request.current_identity.clone();
        let read: Result<Written, Diagnostics> = async {
            let resource = self.resource(&request.type_name)?;
            let ty = resource.described().ty();
            let state = convert::value("the state", request.current_state, ty)?;
            let identity = identity_value(resource, request.current_identity)?;
            let found = Found {
                state,
                private: request.private,
                identity,
            };
            Ok(written(
                resource,
                resource.read(found, self.call(&cx)).await,
            ))
        }
        .await;
        let Written {
            state,
            private,
            identity,
            diagnostics,
        } = read.unwrap_or_else(|diagnostics| Written {
            state,
            private: kept_private,
            identity: kept_identity,
            diagnostics: Err(diagnostics),
        });
        read_resource::Response {
            new_state: state,
            diagnostics: told(diagnostics, &cx),
            private,
            new_identity: identity,
        }
    }

    pub(super) async fn plan_resource_change(
        &self,
        request: plan_resource_change::Request,
    ) -> plan_resource_change::Response {
        let cx = self.context(request.client_capabilities);
        let mut response = plan_resource_change::Response {
            planned_identity: request.prior_identity,
            ..Default::default()
        };
        let ended: Result<(), Diagnostics> = async {
            let resource = self.resource(&request.type_name)?;
            let ty = resource.described().ty();
            let plan = PlanRequest {
                config: convert::value("the configuration", request.config, ty)?,
                prior: convert::value("the state", request.prior_state, ty)?,
                proposed: convert::value("the plan", request.proposed_new_state, ty)?,
                private: request.prior_private,
            };
            let planned = resource.plan(plan, self.call(&cx)).await?;
            let mut diagnostics = Diagnostics::new();
            response.planned_state =
                convert::message("the plan", &planned.planned, ty, &mut diagnostics);
            response.planned_private = planned.private;
            response.requires_replace = planned.replace.into_iter().map(convert::path).collect();
            diagnostics.into_result()
        }
        .await;
        response.diagnostics = told(ended, &cx);
        response
    }

    pub(super) async fn apply_resource_change(
        &self,
        request: apply_resource_change::Request,
    ) -> apply_resource_change::Response {
        let cx = self.able_context();
        let (prior, private) = (request.prior_state.clone(), request.planned_private.clone());
        let identity = request.planned_identity.clone();
        let applied: Result<Written, Diagnostics> = async {
            let resource = self.resource(&request.type_name)?;
            let ty = resource.described().ty();
            let apply = ApplyRequest {
                prior: convert::value("the state", request.prior_state, ty)?,
                planned: convert::value("the plan", request.planned_state, ty)?,
                config: convert::value("the configuration", request.config, ty)?,
                private: request.planned_private,
                identity: identity_value(resource, request.planned_identity)?,
            };
            Ok(written(
                resource,
                resource.apply(apply, self.call(&cx)).await,
            ))
        }
        .await;
        let applied = applied.unwrap_or_else(|diagnostics| Written {
            state: prior,
            private,
            identity,
            diagnostics: Err(diagnostics),
        });
        apply_resource_change::Response {
            new_state: applied.state,
            private: applied.private,
            diagnostics: told(applied.diagnostics, &cx),
            new_identity: applied.identity,
        }
    }

    pub(super) async fn import_resource_state(
        &self,
        request: import_resource_state::Request,
    ) -> import_resource_state::Response {
        let cx = self.context(request.client_capabilities);
        let imported: Result<Written, Diagnostics> = async {
            let resource = self.resource(&request.type_name)?;
            let identity = identity_value(resource, request.identity)?;
            let id = Some(request.id).filter(|id| !id.is_empty());
            Ok(written(
                resource,
                resource.import(id, identity, self.call(&cx)).await,
            ))
        }
        .await;
        let (resources, ended) = match imported {
            Ok(Written {
                state,
                private,
                identity,
                diagnostics,
            }) => {
                let failed = diagnostics.as_ref().is_err_and(Diagnostics::has_error);
                let type_name = request.type_name;
                let resource = import_resource_state::ImportedResource {
                    type_name,
                    state,
                    private,
                    identity,
                };
                (
                    if failed { Vec::new() } else { vec![resource] },
                    diagnostics,
                )
            }
            Err(error) => (Vec::new(), Err(error)),
        };
        import_resource_state::Response {
            imported_resources: resources,
            diagnostics: told(ended, &cx),
        }
    }
}
