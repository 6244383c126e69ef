//! The calls about ephemeral resources.

use std::time::SystemTime;

use prost_types::Timestamp;

use super::{Service, convert, find, told};
use crate::context::Context;
use crate::diagnostic::Diagnostics;
use crate::erased::DynEphemeral;
use crate::protocol::tfplugin6::{
    close_ephemeral_resource, open_ephemeral_resource, renew_ephemeral_resource,
    validate_ephemeral_resource_config,
};

fn timestamp(time: Option<SystemTime>) -> Option<Timestamp> {
    time.map(Timestamp::from)
}

impl Service {
    fn ephemeral(&self, name: &str) -> Result<&dyn DynEphemeral, Diagnostics> {
        find("ephemeral resource", &self.catalogue.ephemerals, name)
    }

    pub(super) async fn validate_ephemeral_resource_config(
        &self,
        request: validate_ephemeral_resource_config::Request,
    ) -> validate_ephemeral_resource_config::Response {
        let cx = self.able_context();
        let ended: Result<(), Diagnostics> = async {
            let ephemeral = self.ephemeral(&request.type_name)?;
            let ty = ephemeral.described().ty();
            let config = convert::value("the configuration", request.config, ty)?;
            ephemeral.validate(config, self.call(&cx)).await
        }
        .await;
        validate_ephemeral_resource_config::Response {
            diagnostics: told(ended, &cx),
        }
    }

    pub(super) async fn open_ephemeral_resource(
        &self,
        request: open_ephemeral_resource::Request,
    ) -> open_ephemeral_resource::Response {
        let cx = self.context(request.client_capabilities);
        let mut response = open_ephemeral_resource::Response::default();
        let ended: Result<(), Diagnostics> = async {
            let ephemeral = self.ephemeral(&request.type_name)?;
            let ty = ephemeral.described().ty();
            let config = convert::value("the configuration", request.config, ty)?;
            let opened = ephemeral.open(config, self.call(&cx)).await?;
            let mut diagnostics = Diagnostics::new();
            response.result = convert::message("the result", &opened.result, ty, &mut diagnostics);
            response.private = Some(opened.private);
            response.renew_at = timestamp(opened.renew_at);
            diagnostics.into_result()
        }
        .await;
        response.diagnostics = told(ended, &cx);
        response
    }

    pub(super) async fn renew_ephemeral_resource(
        &self,
        request: renew_ephemeral_resource::Request,
    ) -> renew_ephemeral_resource::Response {
        let cx = self.able_context();
        let mut response = renew_ephemeral_resource::Response::default();
        let ended: Result<(), Diagnostics> = async {
            let ephemeral = self.ephemeral(&request.type_name)?;
            let private = request.private.unwrap_or_default();
            let renewed = ephemeral.renew(private, self.call(&cx)).await?;
            response.private = Some(renewed.private);
            response.renew_at = timestamp(renewed.renew_at);
            Ok(())
        }
        .await;
        response.diagnostics = told(ended, &cx);
        response
    }

    pub(super) async fn close_ephemeral_resource(
        &self,
        request: close_ephemeral_resource::Request,
    ) -> close_ephemeral_resource::Response {
        // Closing is what has to be done after a cancellation: it isn't cancelled itself.
        let cx = Context::detached();
        let ended: Result<(), Diagnostics> = async {
            let ephemeral = self.ephemeral(&request.type_name)?;
            ephemeral
                .close(request.private.unwrap_or_default(), self.call(&cx))
                .await
        }
        .await;
        close_ephemeral_resource::Response {
            diagnostics: told(ended, &cx),
        }
    }
}
