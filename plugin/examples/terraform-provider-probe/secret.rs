//! A resource with a write-only attribute.

use mkys_plugin::{
    Attr, Attribute, Context, Create, Delete, Diagnostics, Read, Resource, Schema, Slot, Update,
};
use serde::{Deserialize, Serialize};

use crate::store::Store;

pub(crate) struct Secret(pub(crate) Store);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Model {
    name: Attr<String>,
    password: Attr<String>,
    password_version: Attr<i64>,
    length: Attr<i64>,
}

impl Secret {
    fn write(
        &self,
        mut model: Model,
        config: &Model,
        slot: &Slot<Self>,
    ) -> Result<(), Diagnostics> {
        let length = config.password.as_str().unwrap_or_default().len();
        model.length = i64::try_from(length)?.into();
        self.0
            .write(model.name.as_str().unwrap_or_default(), &model)?;
        // Even what the resource forgets to take out does not reach the state.
        model.password = config.password.clone();
        slot.save_model(model);
        Ok(())
    }
}

impl Resource for Secret {
    type Model = Model;
    type Private = ();

    fn name(&self) -> &'static str {
        "secret"
    }

    fn schema(&self) -> Schema {
        Schema::new()
            .attribute("name", Attribute::string().required().requires_replace())
            .attribute(
                "password",
                Attribute::string().optional().write_only().sensitive(),
            )
            .attribute("password_version", Attribute::int64().optional())
            .attribute("length", Attribute::int64().computed())
    }

    async fn create(
        &self,
        request: Create<Self>,
        slot: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        self.write(request.planned, &request.config, slot)
    }

    async fn read(
        &self,
        request: Read<Self>,
        slot: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        match self
            .0
            .read(request.state.name.as_str().unwrap_or_default())?
        {
            Some(model) => slot.save_model(model),
            None => slot.remove(),
        }
        Ok(())
    }

    async fn update(
        &self,
        request: Update<Self>,
        slot: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        self.write(request.planned, &request.config, slot)
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
}
