//! The calls about data sources.

use super::{Service, convert, find, told};
use crate::diagnostic::Diagnostics;
use crate::protocol::tfplugin6::{DynamicValue, read_data_source, validate_data_resource_config};

impl Service {
    pub(super) async fn validate_data_resource_config(
        &self,
        request: validate_data_resource_config::Request,
    ) -> validate_data_resource_config::Response {
        let cx = self.able_context();
        let ended: Result<(), Diagnostics> = async {
            let source = find(
                "data source",
                &self.catalogue.data_sources,
                &request.type_name,
            )?;
            let ty = source.described().ty();
            let config = convert::value("the configuration", request.config, ty)?;
            source.validate(config, self.call(&cx)).await
        }
        .await;
        validate_data_resource_config::Response {
            diagnostics: told(ended, &cx),
        }
    }

    pub(super) async fn read_data_source(
        &self,
        request: read_data_source::Request,
    ) -> read_data_source::Response {
        let cx = self.context(request.client_capabilities);
        let read: Result<Option<DynamicValue>, Diagnostics> = async {
            let source = find(
                "data source",
                &self.catalogue.data_sources,
                &request.type_name,
            )?;
            let ty = source.described().ty();
            let config = convert::value("the configuration", request.config, ty)?;
            let found = source.read(config, self.call(&cx)).await?;
            let mut diagnostics = Diagnostics::new();
            let message = convert::message("the result", &found, ty, &mut diagnostics);
            diagnostics.into_result().map(|()| message)
        }
        .await;
        let (state, ended) = match read {
            Ok(state) => (state, Ok(())),
            Err(error) => (None, Err(error)),
        };
        read_data_source::Response {
            state,
            diagnostics: told(ended, &cx),
        }
    }
}
