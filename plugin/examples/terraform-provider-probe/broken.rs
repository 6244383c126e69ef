//! Resources with a mistake: what they made before it must not be lost.

use mkys_plugin::{
    Attr, Attribute, Context, Create, Delete, Diagnostics, Read, Resource, Schema, Slot,
};
use serde::{Deserialize, Serialize};

use crate::store::Store;

pub(crate) struct Panics(pub(crate) Store);

pub(crate) struct Halfway(pub(crate) Store);

/// Reports success and saves nothing.
pub(crate) struct Forgetful;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Model {
    id: Attr<String>,
    rest: Attr<String>,
}

fn schema() -> Schema {
    Schema::new()
        .attribute("id", Attribute::string().computed())
        .attribute("rest", Attribute::string().computed())
}

impl Resource for Panics {
    type Model = Model;
    type Private = ();

    fn name(&self) -> &'static str {
        "panics"
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
        self.0.write("panics", &())?;
        slot.save_model(Model {
            id: "panics".into(),
            rest: Attr::Unknown,
        });
        panic!("the sky fell on {}", "everybody");
    }

    async fn read(&self, _: Read<Self>, _: &Slot<Self>, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn delete(
        &self,
        _: Delete<Self>,
        _: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        self.0.remove("panics")
    }
}

impl Resource for Halfway {
    type Model = Model;
    type Private = ();

    fn name(&self) -> &'static str {
        "halfway"
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
        self.0.write("halfway", &())?;
        slot.save_model(Model {
            id: "halfway".into(),
            rest: Attr::Unknown,
        });
        // The cause is told with it.
        Err(std::io::Error::other("the second half is missing"))?
    }

    async fn read(&self, _: Read<Self>, _: &Slot<Self>, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn delete(
        &self,
        _: Delete<Self>,
        _: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        self.0.remove("halfway")
    }
}

impl Resource for Forgetful {
    type Model = Model;
    type Private = ();

    fn name(&self) -> &'static str {
        "forgetful"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    async fn create(
        &self,
        _: Create<Self>,
        _: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn read(&self, _: Read<Self>, _: &Slot<Self>, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn delete(
        &self,
        _: Delete<Self>,
        _: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        Ok(())
    }
}
