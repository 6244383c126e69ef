//! A kind of thing that the provider makes, changes and takes away.

mod request;
mod slot;

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use request::{Create, Delete, Identity, Import, Plan, Read, Update};
pub use slot::Slot;

use crate::context::Context;
use crate::diagnostic::Diagnostics;
use crate::schema::{IdentitySchema, Schema};

/// A kind of thing that the provider makes, changes and takes away. Implement the methods as plain `async fn`.
///
/// While one of them runs, the person can press Ctrl-C: then [`Context::cancelled`] resolves. Stop waiting, have what
/// exists in the [`Slot`], and return an error. What is in the slot reaches the state whatever happens: after an error, a
/// cancellation, and a panic.
pub trait Resource: Send + Sync + Sized + 'static {
    /// Configuration, plan and state, which have one shape: a field for each attribute of the schema.
    type Model: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;
    /// What is stored beside the state and never shown: `()` if nothing.
    type Private: Serialize + DeserializeOwned + Default + Clone + Send + Sync + 'static;

    /// The name without the provider's: `"blade"` for `mkys_blade`.
    fn name(&self) -> &'static str;

    /// The attributes.
    fn schema(&self) -> Schema;

    /// What names the resource for good, for CLIs that know identities.
    fn identity(&self) -> Option<IdentitySchema> {
        None
    }

    /// Looks for mistakes in the configuration, after each attribute's own checks. Offline: the provider may not be
    /// configured, and anything may be unknown.
    fn validate(
        &self,
        config: &Self::Model,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send {
        let _ = (config, cx);
        async { Ok(()) }
    }

    /// Refines the plan after the schema's own rules (defaults, unknowns, what stays) were applied.
    /// Only computed attributes that the configuration leaves open may be changed.
    fn plan(
        &self,
        plan: &mut Plan<Self>,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send {
        let _ = (plan, cx);
        async { Ok(()) }
    }

    /// Makes it. Save to the slot as soon as something exists, and again at the end with everything known.
    fn create(
        &self,
        request: Create<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send;

    /// Looks at how it is now. The slot starts with what the state says; [`Slot::remove`] if it is gone.
    fn read(
        &self,
        request: Read<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send;

    /// Changes it. The slot starts with the prior state: what is saved is what is true from then on.
    /// By default refused: for resources of which every attribute requires replacement.
    fn update(
        &self,
        request: Update<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send {
        let _ = (request, slot, cx);
        async {
            Err(Diagnostics::error(
                "This resource cannot be changed in place",
                "",
            ))
        }
    }

    /// Takes it away. `Ok` means gone; after an error the state is what the slot holds, at first the prior state.
    fn delete(
        &self,
        request: Delete<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send;

    /// Finds one that exists and saves it to the slot; a read follows. By default refused.
    fn import(
        &self,
        request: Import,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> impl Future<Output = Result<(), Diagnostics>> + Send {
        let _ = (request, slot, cx);
        async { Err(Diagnostics::error("This resource cannot be imported", "")) }
    }

    /// Turns state that an older version of the schema wrote into this version's shape. Attributes that are missing
    /// afterwards are null, those that the schema doesn't know are dropped.
    fn upgrade(
        &self,
        version: i64,
        raw: serde_json::Value,
    ) -> impl Future<Output = Result<serde_json::Value, Diagnostics>> + Send {
        let _ = raw;
        async move {
            let detail = format!("It was written by version {version} of the schema.");
            Err(Diagnostics::error(
                "The stored state is too old for this provider",
                detail,
            ))
        }
    }
}
