//! The calls about state and identities that an older provider, or another kind of resource, wrote.

use super::resource::identity_message;
use super::{Service, convert, told};
use crate::diagnostic::Diagnostics;
use crate::protocol::tfplugin6 as wire;
use crate::value::json;
use wire::{
    DynamicValue, ResourceIdentityData, move_resource_state, upgrade_resource_identity,
    upgrade_resource_state,
};

impl Service {
    pub(super) async fn upgrade_resource_state(
        &self,
        request: upgrade_resource_state::Request,
    ) -> upgrade_resource_state::Response {
        let cx = self.able_context();
        let upgraded: Result<Option<DynamicValue>, Diagnostics> = async {
            let resource = self.resource(&request.type_name)?;
            let raw = request.raw_state.unwrap_or_default();
            if raw.json.is_empty() {
                let detail = "It has the form of Terraform 0.11 and older.";
                return Err(Diagnostics::error("The stored state is too old", detail));
            }
            let state = resource
                .upgrade(request.version, raw.json, self.call(&cx))
                .await?;
            let mut diagnostics = Diagnostics::new();
            let ty = resource.described().ty();
            let message = convert::message("the stored state", &state, ty, &mut diagnostics);
            diagnostics.into_result().map(|()| message)
        }
        .await;
        let (upgraded_state, ended) = match upgraded {
            Ok(state) => (state, Ok(())),
            Err(error) => (None, Err(error)),
        };
        upgrade_resource_state::Response {
            upgraded_state,
            diagnostics: told(ended, &cx),
        }
    }

    pub(super) async fn upgrade_resource_identity(
        &self,
        request: upgrade_resource_identity::Request,
    ) -> upgrade_resource_identity::Response {
        let cx = self.able_context();
        let upgraded: Result<Option<ResourceIdentityData>, Diagnostics> = (|| {
            let resource = self.resource(&request.type_name)?;
            let Some((schema, ty)) = resource.identity() else {
                return Ok(None);
            };
            if request.version > schema.version {
                let detail = "Use a provider that is at least as new as the one that wrote it.";
                return Err(Diagnostics::error("The stored identity is too new", detail));
            }
            let raw = request.raw_identity.unwrap_or_default();
            let identity = json::decode(&raw.json, ty)
                .map_err(|error| crate::erased::misfit("the stored identity", &error))?;
            let mut diagnostics = Diagnostics::new();
            let message = identity_message(resource, Some(identity), &mut diagnostics);
            diagnostics.into_result().map(|()| message)
        })();
        let (upgraded_identity, ended) = match upgraded {
            Ok(identity) => (identity, Ok(())),
            Err(error) => (None, Err(error)),
        };
        upgrade_resource_identity::Response {
            upgraded_identity,
            diagnostics: told(ended, &cx),
        }
    }

    pub(super) async fn move_resource_state(
        &self,
        request: move_resource_state::Request,
    ) -> move_resource_state::Response {
        let summary = format!(
            "{} cannot be made from {}",
            request.target_type_name, request.source_type_name
        );
        let detail = "This provider moves no state between kinds of resources. Remove the one from state and import \
                      it as the other.";
        let diagnostics = convert::diagnostics(Diagnostics::error(summary, detail));
        move_resource_state::Response {
            diagnostics,
            ..Default::default()
        }
    }
}
