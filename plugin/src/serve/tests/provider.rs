//! The provider that is served in these tests: its one resource ends the way that its configuration says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::service::Catalogue;
use crate::value::{Value, msgpack};
use crate::{
    Attr, Attribute, Context, Create, Delete, Diagnostics, Provider, Read, Resource, Schema,
    Server, Slot,
};

struct Test;

#[derive(Clone, Serialize, Deserialize)]
struct Config {}

impl Provider for Test {
    type Config = Config;
    fn name(&self) -> &'static str {
        "test"
    }
    fn schema(&self) -> Schema {
        Schema::new()
    }
    async fn configure(&self, _: Config, _: &Context) -> Result<(), Diagnostics> {
        Ok(())
    }
}

pub(super) struct Thing;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Model {
    id: Attr<String>,
    ends: Attr<String>,
    rest: Attr<String>,
}

impl Resource for Thing {
    type Model = Model;
    type Private = Option<u8>;
    fn name(&self) -> &'static str {
        "thing"
    }
    fn schema(&self) -> Schema {
        Schema::new()
            .attribute("id", Attribute::string().computed())
            .attribute("ends", Attribute::string().required())
            .attribute("rest", Attribute::string().computed())
    }
    async fn create(
        &self,
        request: Create<Self>,
        slot: &Slot<Self>,
        cx: &Context,
    ) -> Result<(), Diagnostics> {
        let model = Model {
            id: "made".into(),
            ..request.planned
        };
        slot.save(model.clone(), Some(7));
        match model.ends.as_str() {
            Some("panic") => panic!("by {}", "design"),
            Some("on cancel") => {
                cx.cancelled().await;
                Err(Diagnostics::error("cancelled", ""))
            }
            Some("never") => std::future::pending().await,
            Some("unknown") => Ok(()),
            _ => {
                slot.save_model(Model {
                    rest: "rest".into(),
                    ..model
                });
                Ok(())
            }
        }
    }
    async fn read(&self, _: Read<Self>, _: &Slot<Self>, _: &Context) -> Result<(), Diagnostics> {
        panic!("while reading")
    }
    async fn delete(
        &self,
        _: Delete<Self>,
        _: &Slot<Self>,
        _: &Context,
    ) -> Result<(), Diagnostics> {
        Err(Diagnostics::error("it stays", ""))
    }
}

pub(super) fn catalogue() -> Catalogue {
    Server::builder(Test).resource(Thing).catalogue
}

/// A thing on the wire.
pub(super) fn thing(id: Value, ends: &str, rest: Value) -> Vec<u8> {
    let attributes = [("id", id), ("ends", ends.into()), ("rest", rest)];
    let object: BTreeMap<_, _> = attributes.map(|(name, v)| (name.to_owned(), v)).into();
    msgpack::encode(&Value::Map(object), &Thing.schema().object_type()).unwrap()
}

pub(super) fn nothing() -> Vec<u8> {
    vec![0xc0]
}
