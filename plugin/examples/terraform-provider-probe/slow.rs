//! Resources that take until they are told to go on: one hears a cancellation, the other doesn't.

use std::time::Duration;

use mkys_plugin::{
    Attr, Attribute, Context, Create, Delete, Diagnostics, Read, Resource, Schema, Slot,
};
use serde::{Deserialize, Serialize};

use crate::store::Store;

pub(crate) struct Slow(pub(crate) Store);

pub(crate) struct Stubborn(pub(crate) Store);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Model {
    id: Attr<String>,
    done: Attr<bool>,
}

fn schema() -> Schema {
    Schema::new()
        .attribute("id", Attribute::string().computed().use_state_for_unknown())
        .attribute("done", Attribute::bool().computed())
}

/// Makes the first half, and says so by a file; the second half comes when a file `go` is there.
async fn make<R: Resource<Model = Model>>(
    store: &Store,
    id: &str,
    slot: &Slot<R>,
) -> Result<(), Diagnostics> {
    store.write(id, &id)?;
    slot.save_model(Model {
        id: id.into(),
        done: Attr::Unknown,
    });
    while !store.file("go")?.exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    slot.save_model(Model {
        id: id.into(),
        done: true.into(),
    });
    Ok(())
}

fn remove(store: &Store, model: &Model) -> Result<(), Diagnostics> {
    store.remove(model.id.as_str().unwrap_or_default())
}

impl Resource for Slow {
    type Model = Model;
    type Private = ();

    fn name(&self) -> &'static str {
        "slow"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn create(
        &self,
        _: Create<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        tokio::select! {
            made = make(&self.0, "slow", slot) => made,
            () = cx.cancelled() => Err(Diagnostics::error("Stopped halfway", "As you wished.")),
        }
    }

    async fn read(&self, _: Read<Self>, _: &Slot<Self>, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn delete(
        &self,
        request: Delete<Self>,
        _: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        remove(&self.0, &request.prior)
    }
}

impl Resource for Stubborn {
    type Model = Model;
    type Private = ();

    fn name(&self) -> &'static str {
        "stubborn"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn create(
        &self,
        _: Create<Self>,
        slot: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        make(&self.0, "stubborn", slot).await
    }

    async fn read(&self, _: Read<Self>, _: &Slot<Self>, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn delete(
        &self,
        request: Delete<Self>,
        _: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        remove(&self.0, &request.prior)
    }
}
