//! A typed provider behind an object-safe trait.

use std::sync::Arc;

use super::{Call, Described, model};
use crate::calls::Boxed;
use crate::diagnostic::Diagnostics;
use crate::plan;
use crate::provider::Provider;
use crate::value::Value;

/// A provider whose types are not in the way.
pub(crate) trait DynProvider: Send + Sync {
    fn described(&self) -> &Described;
    fn validate<'a>(&'a self, config: Value, call: Call<'a>) -> Boxed<'a, Result<(), Diagnostics>>;
    fn configure<'a>(&'a self, config: Value, call: Call<'a>)
    -> Boxed<'a, Result<(), Diagnostics>>;
}

pub(crate) struct ErasedProvider<P> {
    provider: Arc<P>,
    described: Described,
}

impl<P: Provider> ErasedProvider<P> {
    pub(crate) fn new(provider: P) -> Self {
        let provider = Arc::new(provider);
        let schema = Arc::clone(&provider);
        Self {
            provider,
            described: Described::new(move || schema.schema()),
        }
    }
}

impl<P: Provider> DynProvider for ErasedProvider<P> {
    fn described(&self) -> &Described {
        &self.described
    }

    fn validate<'a>(&'a self, config: Value, call: Call<'a>) -> Boxed<'a, Result<(), Diagnostics>> {
        Box::pin(async move {
            self.described.check(&config, call.cx).into_result()?;
            let config: P::Config = model::read("the provider's configuration", config)?;
            let (provider, cx) = (Arc::clone(&self.provider), call.cx.clone());
            call.calls
                .run(
                    call.cx,
                    async move { provider.validate(&config, &cx).await },
                )
                .await?
        })
    }

    fn configure<'a>(
        &'a self,
        config: Value,
        call: Call<'a>,
    ) -> Boxed<'a, Result<(), Diagnostics>> {
        Box::pin(async move {
            let attributes = &self.described.schema().attributes;
            let config = plan::with_defaults(attributes, config.clone(), &config);
            let config: P::Config = model::read("the provider's configuration", config)?;
            let (provider, cx) = (Arc::clone(&self.provider), call.cx.clone());
            call.calls
                .run(
                    call.cx,
                    async move { provider.configure(config, &cx).await },
                )
                .await?
        })
    }
}
