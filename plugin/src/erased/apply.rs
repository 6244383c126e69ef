//! Create, update and delete of a typed resource, and what becomes of the slot however they end.

use std::sync::Arc;

use super::resource::ErasedResource;
use super::{Call, model, private};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan;
use crate::resource::{Create, Delete, Resource, Slot, Update};
use crate::value::Value;

/// A planned change to be made.
pub(crate) struct ApplyRequest {
    pub(crate) prior: Value,
    pub(crate) planned: Value,
    pub(crate) config: Value,
    pub(crate) private: Vec<u8>,
    pub(crate) identity: Option<Value>,
}

/// What is true after a call, and what there is to say about it.
pub(crate) struct Outcome {
    pub(crate) state: Value,
    pub(crate) private: Vec<u8>,
    pub(crate) identity: Option<Value>,
    pub(crate) diagnostics: Diagnostics,
}

enum Change<R: Resource> {
    Create(Create<R>),
    Update(Update<R>),
    Delete(Delete<R>),
}

impl<R: Resource> Change<R> {
    fn read(request: &ApplyRequest) -> Result<Self, Diagnostics> {
        let prior = model::read_some("the state", &request.prior)?;
        let planned = model::read_some("the plan", &request.planned)?;
        let config = model::read_some("the configuration", &request.config)?;
        let private = private::read(&request.private)?;
        match (prior, planned, config) {
            (None, Some(planned), Some(config)) => Ok(Self::Create(Create {
                planned,
                config,
                private,
            })),
            (Some(prior), Some(planned), Some(config)) => Ok(Self::Update(Update {
                prior,
                planned,
                config,
                private,
            })),
            (Some(prior), None, _) => Ok(Self::Delete(Delete { prior, private })),
            _ => Err(Diagnostics::error(
                "The CLI asked for a change from nothing to nothing",
                "",
            )),
        }
    }

    fn slot(&self) -> Slot<R> {
        match self {
            Self::Create(request) => Slot::new(None, request.private.clone()),
            Self::Update(request) => {
                Slot::new(Some(request.prior.clone()), request.private.clone())
            }
            Self::Delete(request) => {
                Slot::new(Some(request.prior.clone()), request.private.clone())
            }
        }
    }
}

impl<R: Resource> ErasedResource<R> {
    pub(super) async fn apply_typed(&self, request: ApplyRequest, call: Call<'_>) -> Outcome {
        let change = match Change::<R>::read(&request) {
            Ok(change) => change,
            Err(diagnostics) => {
                let ApplyRequest {
                    prior,
                    private,
                    identity,
                    planned: _,
                    config: _,
                } = request;
                return Outcome {
                    state: prior,
                    private,
                    identity,
                    diagnostics,
                };
            }
        };
        let slot = change.slot();
        let (resource, cx) = (Arc::clone(&self.resource), call.cx.clone());
        let changing = {
            let slot = slot.clone();
            async move {
                match change {
                    Change::Create(request) => {
                        resource.create(request, &slot, &cx).await?;
                        must_be_saved(&slot)
                    }
                    Change::Update(request) => {
                        resource.update(request, &slot, &cx).await?;
                        must_be_saved(&slot)
                    }
                    Change::Delete(request) => {
                        resource.delete(request, &slot, &cx).await?;
                        slot.remove();
                        Ok(())
                    }
                }
            }
        };
        let ended = call
            .calls
            .run(call.cx, changing)
            .await
            .and_then(|ended| ended);
        self.outcome(
            &slot,
            ended,
            &[&request.planned, &request.prior],
            request.identity,
        )
    }

    /// What is true after a call: what the slot holds, in a form that the CLI accepts.
    pub(super) fn outcome(
        &self,
        slot: &Slot<R>,
        ended: Result<(), Diagnostics>,
        references: &[&Value],
        identity: Option<Value>,
    ) -> Outcome {
        let saved = slot.saved();
        let well = ended.is_ok();
        let mut diagnostics = ended.err().unwrap_or_default();
        let mut state = match &saved.model {
            None => Value::Null,
            Some(model) => {
                model::write("the saved state", model, references).unwrap_or_else(|error| {
                    diagnostics.extend(error);
                    Value::Null
                })
            }
        };
        plan::without_write_only(&self.described.schema().attributes, &mut state);
        let unknown = model::scrub(&mut state, self.described.ty());
        // After an error the rest may well be unknown: it does not exist.
        if well {
            let summary = "The provider left a value unknown";
            let detail = "This is a mistake in the provider, please report it.";
            diagnostics.extend(
                unknown
                    .into_iter()
                    .map(|path| Diagnostic::error(summary, detail).at(path)),
            );
        }
        let private = private::write(saved.private).unwrap_or_else(|error| {
            diagnostics.extend(error);
            Vec::new()
        });
        let identity = match saved.identity {
            None => identity,
            Some(Ok(identity)) => Some(identity),
            Some(Err(text)) => {
                diagnostics.push(Diagnostic::error("The identity cannot be written", text));
                identity
            }
        };
        Outcome {
            state,
            private,
            identity,
            diagnostics,
        }
    }
}

fn must_be_saved<R: Resource>(slot: &Slot<R>) -> Result<(), Diagnostics> {
    let saved = slot.saved();
    if saved.touched && saved.model.is_some() {
        return Ok(());
    }
    let detail = "This is a mistake in the provider, please report it: it reported success without saying what exists.";
    Err(Diagnostics::error("The provider saved no state", detail))
}
