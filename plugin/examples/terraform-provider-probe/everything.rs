//! A resource with an attribute of every type, and of every way to be planned.

use std::collections::BTreeMap;

use mkys_plugin::{
    Attr, Attribute, Context, Create, Delete, Diagnostic, Diagnostics, IdentityAttribute,
    IdentitySchema, Import, Nested, Number, Path, Plan, Read, Resource, Schema, Slot, Type, Update,
    Value,
};
use serde::{Deserialize, Serialize};

use crate::store::Store;

pub(crate) struct Everything(pub(crate) Store);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Model {
    id: Attr<String>,
    name: Attr<String>,
    text: Attr<String>,
    flag: Attr<bool>,
    whole: Attr<i64>,
    fraction: Attr<f64>,
    exact: Attr<Number>,
    words: Attr<Vec<Attr<String>>>,
    tags: Attr<Vec<Attr<String>>>,
    labels: Attr<BTreeMap<String, Attr<String>>>,
    point: Attr<Point>,
    anything: Attr<Value>,
    colour: Attr<String>,
    secret: Attr<String>,
    region: Attr<String>,
    serial: Attr<i64>,
    settings: Attr<Settings>,
    servers: Attr<BTreeMap<String, Server>>,
    steps: Attr<Vec<Step>>,
    rules: Attr<Vec<Rule>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Point {
    x: Attr<i64>,
    y: Attr<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Settings {
    mode: Attr<String>,
    token: Attr<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Server {
    image: Attr<String>,
    size: Attr<i64>,
    address: Attr<String>,
    zone: Attr<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Step {
    run: Attr<String>,
    number: Attr<i64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Rule {
    port: Attr<i64>,
    id: Attr<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Private {
    writes: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Named {
    name: Attr<String>,
}

impl Everything {
    /// What a service would do: gives everything that is computed.
    fn finish(model: &mut Model) {
        let name = model.name.clone().unwrap_or_default();
        model.id = format!("everything-{name}").into();
        if model.region.is_unknown() {
            model.region = "somewhere".into();
        }
        if let Some(settings) = model.settings.known_mut()
            && settings.token.is_unknown()
        {
            settings.token = format!("token-of-{name}").into();
        }
        for (key, server) in model.servers.known_mut().into_iter().flatten() {
            if server.address.is_unknown() {
                server.address = format!("{key}.{name}.example").into();
            }
            if server.zone.is_unknown() {
                server.zone = "zone-a".into();
            }
        }
        for (index, step) in (1..).zip(model.steps.known_mut().into_iter().flatten()) {
            step.number = index.into();
        }
        for rule in model.rules.known_mut().into_iter().flatten() {
            rule.id = format!("rule-{}", rule.port.clone().unwrap_or_default()).into();
        }
    }

    fn write(
        &self,
        mut model: Model,
        mut private: Private,
        slot: &Slot<Self>,
    ) -> Result<(), Diagnostics> {
        Self::finish(&mut model);
        private.writes += 1;
        model.serial = i64::from(private.writes).into();
        self.0
            .write(model.id.as_str().unwrap_or_default(), &model)?;
        slot.save_identity(&Named {
            name: model.name.clone(),
        });
        slot.save(model, private);
        Ok(())
    }
}

impl Resource for Everything {
    type Model = Model;
    type Private = Private;

    fn name(&self) -> &'static str {
        "everything"
    }

    fn schema(&self) -> Schema {
        let server = Nested::new()
            .attribute("image", Attribute::string().required())
            .attribute(
                "size",
                Attribute::int64().default(20).validate(|size: &i64| {
                    if *size > 0 {
                        Ok(())
                    } else {
                        Err(format!("{size} is too small"))
                    }
                }),
            )
            .attribute(
                "address",
                Attribute::string().computed().use_state_for_unknown(),
            )
            .attribute(
                "zone",
                Attribute::string().optional().computed().requires_replace(),
            );
        let step = Nested::new()
            .attribute("run", Attribute::string().required())
            .attribute("number", Attribute::int64().computed());
        let rule = Nested::new()
            .attribute("port", Attribute::int64().required())
            .attribute("id", Attribute::string().computed());
        let settings = Nested::new()
            .attribute("mode", Attribute::string().default("fast"))
            .attribute(
                "token",
                Attribute::string()
                    .computed()
                    .sensitive()
                    .use_state_for_unknown(),
            );
        Schema::new()
            .description("Has **everything**.")
            .attribute("id", Attribute::string().computed().use_state_for_unknown())
            .attribute("name", Attribute::string().required().requires_replace())
            .attribute("text", Attribute::string().optional())
            .attribute("flag", Attribute::bool().default(true))
            .attribute("whole", Attribute::int64().optional())
            .attribute("fraction", Attribute::number().optional())
            .attribute("exact", Attribute::number().optional())
            .attribute("words", Attribute::list(Type::String).optional())
            .attribute("tags", Attribute::set(Type::String).optional())
            .attribute("labels", Attribute::map(Type::String).optional())
            .attribute(
                "point",
                Attribute::object([("x", Type::Number), ("y", Type::Number)]).optional(),
            )
            .attribute("anything", Attribute::dynamic().optional())
            .attribute(
                "colour",
                Attribute::string().optional().requires_replace_if(
                    |prior: &Attr<String>, planned: &Attr<String>| {
                        prior.is_known() && planned.as_str() == Some("red")
                    },
                ),
            )
            .attribute("secret", Attribute::string().optional().sensitive())
            .attribute(
                "region",
                Attribute::string()
                    .optional()
                    .computed()
                    .use_state_for_unknown(),
            )
            .attribute(
                "serial",
                Attribute::int64()
                    .computed()
                    .description("How often it was written."),
            )
            .attribute("settings", Attribute::nested(settings).optional())
            .attribute("servers", Attribute::nested_map(server).optional())
            .attribute("steps", Attribute::nested_list(step).optional())
            .attribute("rules", Attribute::nested_set(rule).optional())
    }

    fn identity(&self) -> Option<IdentitySchema> {
        Some(IdentitySchema::new().attribute("name", IdentityAttribute::string()))
    }

    async fn validate(&self, config: &Model, cx: &Context) -> Result<(), Diagnostics> {
        if config.text.as_str() == Some("warn") {
            cx.warn(Diagnostic::warning("A text to be warned of", "").at(Path::root("text")));
        }
        let mut found = Diagnostics::new();
        for (key, server) in config.servers.known().into_iter().flatten() {
            if server.image.as_str() == Some("broken") {
                let path = Path::root("servers").key(key).attribute("image");
                found.push(Diagnostic::error("That image is broken", "Take another.").at(path));
            }
        }
        found.into_result()
    }

    async fn plan(&self, plan: &mut Plan<Self>, _cx: &Context) -> Result<(), Diagnostics> {
        let Some(planned) = &plan.planned else {
            return Ok(());
        };
        if planned.text.as_str() == Some("unplannable") {
            return Err(Diagnostic::error("That can't be planned", "")
                .at(Path::root("text"))
                .into());
        }
        if plan.prior.is_some() && planned.text.as_str() == Some("replace") {
            plan.require_replace(Path::root("text"));
        }
        Ok(())
    }

    async fn create(
        &self,
        request: Create<Self>,
        slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        self.write(request.planned, request.private, slot)
    }

    async fn read(
        &self,
        request: Read<Self>,
        slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        match self
            .0
            .read::<Model>(request.state.id.as_str().unwrap_or_default())?
        {
            Some(model) => {
                slot.save_identity(&Named {
                    name: model.name.clone(),
                });
                slot.save_model(model);
            }
            None => slot.remove(),
        }
        Ok(())
    }

    async fn update(
        &self,
        request: Update<Self>,
        slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        if request.planned.text.as_str() == Some("fail") {
            return Err(Diagnostic::error("It would not change", "It is stuck.")
                .at(Path::root("text"))
                .into());
        }
        self.write(request.planned, request.private, slot)
    }

    async fn delete(
        &self,
        request: Delete<Self>,
        _slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        self.0.remove(request.prior.id.as_str().unwrap_or_default())
    }

    async fn import(
        &self,
        request: Import,
        slot: &Slot<Self>,
        _cx: &Context,
    ) -> Result<(), Diagnostics> {
        let id = match (request.id, request.identity) {
            (Some(id), _) => id,
            (None, Some(identity)) => {
                format!(
                    "everything-{}",
                    identity.get::<Named>()?.name.unwrap_or_default()
                )
            }
            (None, None) => return Err(Diagnostics::error("Import needs an id", "")),
        };
        if let Some(model) = self.0.read::<Model>(&id)? {
            let writes = model
                .serial
                .known()
                .and_then(|serial| u32::try_from(*serial).ok());
            slot.save(
                model,
                Private {
                    writes: writes.unwrap_or_default(),
                },
            );
        }
        Ok(())
    }
}
