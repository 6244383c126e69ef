//! A typed ephemeral resource behind an object-safe trait.

use std::sync::Arc;
use std::time::SystemTime;

use super::data_source::wholly_known;
use super::{Call, Described, model, private};
use crate::calls::Boxed;
use crate::diagnostic::Diagnostics;
use crate::ephemeral::EphemeralResource;
use crate::plan;
use crate::value::Value;

/// What opening or renewing gave; after renewing there is no result.
pub(crate) struct EphemeralOutcome {
    pub(crate) result: Value,
    pub(crate) private: Vec<u8>,
    pub(crate) renew_at: Option<SystemTime>,
}

/// An ephemeral resource whose types are not in the way.
pub(crate) trait DynEphemeral: Send + Sync {
    fn described(&self) -> &Described;
    fn validate<'a>(&'a self, config: Value, call: Call<'a>) -> Boxed<'a, Result<(), Diagnostics>>;
    fn open<'a>(
        &'a self,
        config: Value,
        call: Call<'a>,
    ) -> Boxed<'a, Result<EphemeralOutcome, Diagnostics>>;
    fn renew<'a>(
        &'a self,
        private: Vec<u8>,
        call: Call<'a>,
    ) -> Boxed<'a, Result<EphemeralOutcome, Diagnostics>>;
    fn close<'a>(&'a self, private: Vec<u8>, call: Call<'a>) -> Boxed<'a, Result<(), Diagnostics>>;
}

pub(crate) struct ErasedEphemeral<E> {
    ephemeral: Arc<E>,
    described: Described,
}

impl<E: EphemeralResource> ErasedEphemeral<E> {
    pub(crate) fn new(ephemeral: E) -> Self {
        let ephemeral = Arc::new(ephemeral);
        let schema = Arc::clone(&ephemeral);
        Self {
            ephemeral,
            described: Described::new(move || schema.schema()),
        }
    }
}

impl<E: EphemeralResource> DynEphemeral for ErasedEphemeral<E> {
    fn described(&self) -> &Described {
        &self.described
    }

    fn validate<'a>(&'a self, config: Value, call: Call<'a>) -> Boxed<'a, Result<(), Diagnostics>> {
        Box::pin(async move {
            self.described.check(&config, call.cx).into_result()?;
            let config: E::Model = model::read("the configuration", config)?;
            let (ephemeral, cx) = (Arc::clone(&self.ephemeral), call.cx.clone());
            call.calls
                .run(
                    call.cx,
                    async move { ephemeral.validate(&config, &cx).await },
                )
                .await?
        })
    }

    fn open<'a>(
        &'a self,
        config: Value,
        call: Call<'a>,
    ) -> Boxed<'a, Result<EphemeralOutcome, Diagnostics>> {
        Box::pin(async move {
            let attributes = &self.described.schema().attributes;
            let config = plan::with_defaults(attributes, config.clone(), &config);
            let typed: E::Model = model::read("the configuration", config.clone())?;
            let (ephemeral, cx) = (Arc::clone(&self.ephemeral), call.cx.clone());
            let opened = call
                .calls
                .run(call.cx, async move { ephemeral.open(typed, &cx).await });
            let opened = opened.await??;
            Ok(EphemeralOutcome {
                result: wholly_known(
                    model::write("the result", &opened.model, &[&config])?,
                    self.described.ty(),
                )?,
                private: private::write(opened.private)?,
                renew_at: opened.renew_at,
            })
        })
    }

    fn renew<'a>(
        &'a self,
        private: Vec<u8>,
        call: Call<'a>,
    ) -> Boxed<'a, Result<EphemeralOutcome, Diagnostics>> {
        Box::pin(async move {
            let private = private::read(&private)?;
            let (ephemeral, cx) = (Arc::clone(&self.ephemeral), call.cx.clone());
            let renewed = call
                .calls
                .run(call.cx, async move { ephemeral.renew(private, &cx).await });
            let renewed = renewed.await??;
            Ok(EphemeralOutcome {
                result: Value::Null,
                private: private::write(renewed.private)?,
                renew_at: renewed.renew_at,
            })
        })
    }

    fn close<'a>(&'a self, private: Vec<u8>, call: Call<'a>) -> Boxed<'a, Result<(), Diagnostics>> {
        Box::pin(async move {
            let private = private::read(&private)?;
            let (ephemeral, cx) = (Arc::clone(&self.ephemeral), call.cx.clone());
            call.calls
                .run(call.cx, async move { ephemeral.close(private, &cx).await })
                .await?
        })
    }
}
