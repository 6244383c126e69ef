//! A typed data source behind an object-safe trait.

use std::sync::Arc;

use super::{Call, Described, model};
use crate::calls::Boxed;
use crate::data_source::DataSource;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan;
use crate::schema::Type;
use crate::value::Value;

/// A data source whose types are not in the way.
pub(crate) trait DynDataSource: Send + Sync {
    fn described(&self) -> &Described;
    fn validate<'a>(&'a self, config: Value, call: Call<'a>) -> Boxed<'a, Result<(), Diagnostics>>;
    fn read<'a>(&'a self, config: Value, call: Call<'a>) -> Boxed<'a, Result<Value, Diagnostics>>;
}

pub(crate) struct ErasedDataSource<D> {
    data_source: Arc<D>,
    described: Described,
}

impl<D: DataSource> ErasedDataSource<D> {
    pub(crate) fn new(data_source: D) -> Self {
        let data_source = Arc::new(data_source);
        let schema = Arc::clone(&data_source);
        Self {
            data_source,
            described: Described::new(move || schema.schema()),
        }
    }
}

/// Refuses a result in which something is unknown.
pub(super) fn wholly_known(mut value: Value, ty: &Type) -> Result<Value, Diagnostics> {
    let detail = "This is a mistake in the provider, please report it.";
    let unknown: Diagnostics = model::scrub(&mut value, ty)
        .into_iter()
        .map(|path| Diagnostic::error("The provider left a value unknown", detail).at(path))
        .collect();
    unknown.into_result().map(|()| value)
}

impl<D: DataSource> DynDataSource for ErasedDataSource<D> {
    fn described(&self) -> &Described {
        &self.described
    }

    fn validate<'a>(&'a self, config: Value, call: Call<'a>) -> Boxed<'a, Result<(), Diagnostics>> {
        Box::pin(async move {
            self.described.check(&config, call.cx).into_result()?;
            let config: D::Model = model::read("the configuration", config)?;
            let (data_source, cx) = (Arc::clone(&self.data_source), call.cx.clone());
            call.calls
                .run(
                    call.cx,
                    async move { data_source.validate(&config, &cx).await },
                )
                .await?
        })
    }

    fn read<'a>(&'a self, config: Value, call: Call<'a>) -> Boxed<'a, Result<Value, Diagnostics>> {
        Box::pin(async move {
            let attributes = &self.described.schema().attributes;
            let config = plan::with_defaults(attributes, config.clone(), &config);
            let typed: D::Model = model::read("the configuration", config.clone())?;
            let (data_source, cx) = (Arc::clone(&self.data_source), call.cx.clone());
            let found = call
                .calls
                .run(call.cx, async move { data_source.read(typed, &cx).await });
            wholly_known(
                model::write("the result", &found.await??, &[&config])?,
                self.described.ty(),
            )
        })
    }
}
