//! A resource whose state changed its shape: version 0 had `title`, version 1 has `name` and `size`.

use mkys_plugin::{
    Attr, Attribute, Context, Create, Delete, Diagnostics, Read, Resource, Schema, Slot, Update,
};
use serde::{Deserialize, Serialize};

use crate::store::Store;

pub(crate) struct Upgraded(pub(crate) Store);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Model {
    name: Attr<String>,
    size: Attr<i64>,
}

impl Upgraded {
    fn write(&self, model: Model, slot: &Slot<Self>) -> Result<(), Diagnostics> {
        self.0
            .write(model.name.as_str().unwrap_or_default(), &model)?;
        slot.save_model(model);
        Ok(())
    }
}

impl Resource for Upgraded {
    type Model = Model;
    type Private = ();

    fn name(&self) -> &'static str {
        "upgraded"
    }

    fn schema(&self) -> Schema {
        Schema::new()
            .version(1)
            .attribute("name", Attribute::string().required().requires_replace())
            .attribute("size", Attribute::int64().default(1))
    }

    async fn create(
        &self,
        request: Create<Self>,
        slot: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        self.write(request.planned, slot)
    }

    async fn read(&self, _: Read<Self>, _: &Slot<Self>, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }

    async fn update(
        &self,
        request: Update<Self>,
        slot: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        self.write(request.planned, slot)
    }

    async fn delete(
        &self,
        request: Delete<Self>,
        _: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        self.0
            .remove(request.prior.name.as_str().unwrap_or_default())
    }

    async fn upgrade(
        &self,
        _: i64,
        mut raw: serde_json::Value,
    ) -> Result<serde_json::Value, Diagnostics> {
        let title = raw["title"].take();
        Ok(serde_json::json!({ "name": title, "size": 1 }))
    }
}
