//! A data source, an ephemeral resource and functions.

use std::time::{Duration, SystemTime};

use mkys_plugin::{
    Attr, Attribute, Context, DataSource, Diagnostic, Diagnostics, EphemeralResource, Function,
    FunctionError, Opened, Parameter, Path, Renewed, Schema, Signature, Type,
};
use serde::{Deserialize, Serialize};

use crate::store::Store;

pub(crate) struct Lookup(pub(crate) Store);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    id: Attr<String>,
    missing_ok: Attr<bool>,
    content: Attr<String>,
}

impl DataSource for Lookup {
    type Model = Found;

    fn name(&self) -> &'static str {
        "lookup"
    }

    fn schema(&self) -> Schema {
        Schema::new()
            .attribute("id", Attribute::string().required())
            .attribute("missing_ok", Attribute::bool().default(false))
            .attribute("content", Attribute::string().computed())
    }

    async fn read(&self, mut config: Found, _cx: &Context) -> Result<Found, Diagnostics> {
        let id = config.id.clone().unwrap_or_default();
        match std::fs::read_to_string(self.0.file(&id)?) {
            Ok(content) => config.content = content.into(),
            Err(_) if config.missing_ok == Attr::Known(true) => config.content = Attr::Null,
            Err(error) => {
                let error = Diagnostic::error(format!("{id} is not there"), error.to_string());
                return Err(error.at(Path::root("id")).into());
            }
        }
        Ok(config)
    }
}

/// Leaves a file while it is open, and another one that says how often it was renewed.
pub(crate) struct Token(pub(crate) Store);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TokenModel {
    name: Attr<String>,
    short_lived: Attr<bool>,
    value: Attr<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Held {
    name: String,
    renewals: u32,
}

fn soon() -> SystemTime {
    SystemTime::now() + Duration::from_millis(100)
}

impl EphemeralResource for Token {
    type Model = TokenModel;
    type Private = Held;

    fn name(&self) -> &'static str {
        "token"
    }

    fn schema(&self) -> Schema {
        Schema::new()
            .attribute("name", Attribute::string().required())
            .attribute("short_lived", Attribute::bool().default(false))
            .attribute("value", Attribute::string().computed().sensitive())
    }

    async fn open(
        &self,
        config: TokenModel,
        _cx: &Context,
    ) -> Result<Opened<TokenModel, Held>, Diagnostics> {
        let name = config.name.clone().unwrap_or_default();
        self.0.write(&name, &"open")?;
        self.0.write(&format!("{name}-was-open"), &"yes")?;
        let model = TokenModel {
            value: format!("token-{name}").into(),
            ..config
        };
        let renew_at = (model.short_lived == Attr::Known(true)).then(soon);
        Ok(Opened {
            model,
            private: Held { name, renewals: 0 },
            renew_at,
        })
    }

    async fn renew(&self, private: Held, _cx: &Context) -> Result<Renewed<Held>, Diagnostics> {
        let renewals = private.renewals + 1;
        let name = format!("{}-was-renewed-{renewals}", private.name);
        self.0.write(&name, &renewals)?;
        Ok(Renewed {
            private: Held {
                renewals,
                ..private
            },
            renew_at: Some(soon()),
        })
    }

    async fn close(&self, private: Held, _cx: &Context) -> Result<(), Diagnostics> {
        self.0.remove(&private.name)
    }
}

pub(crate) struct Join;

impl Function for Join {
    type Arguments = (String, Vec<String>);
    type Output = String;

    fn name(&self) -> &'static str {
        "join"
    }

    fn signature(&self) -> Signature {
        Signature::returning(Type::String)
            .summary("Puts texts together.")
            .parameter(Parameter::new("between", Type::String))
            .variadic(Parameter::new("parts", Type::String))
    }

    async fn call(
        &self,
        (between, parts): Self::Arguments,
        _: &Context,
    ) -> Result<String, FunctionError> {
        Ok(parts.join(&between))
    }
}

/// Takes an object of any type, of which some attributes may be missing.
pub(crate) struct Describe;

#[derive(Debug, Deserialize)]
pub(crate) struct Thing {
    name: String,
    size: Attr<i64>,
}

impl Function for Describe {
    type Arguments = (Thing,);
    type Output = serde_json::Value;

    fn name(&self) -> &'static str {
        "describe"
    }

    fn signature(&self) -> Signature {
        Signature::returning(Type::Dynamic).parameter(Parameter::new("thing", Type::Dynamic))
    }

    async fn call(
        &self,
        (thing,): Self::Arguments,
        _: &Context,
    ) -> Result<serde_json::Value, FunctionError> {
        let size = thing
            .size
            .known()
            .map_or("of no size".to_owned(), ToString::to_string);
        Ok(serde_json::json!({ "title": thing.name, "sizes": [size, 0.1, true] }))
    }
}

/// Fails by its second argument.
pub(crate) struct Faulty;

impl Function for Faulty {
    type Arguments = (String, i64);
    type Output = bool;

    fn name(&self) -> &'static str {
        "faulty"
    }

    fn signature(&self) -> Signature {
        Signature::returning(Type::Bool)
            .parameter(Parameter::new("good", Type::String))
            .parameter(Parameter::new("bad", Type::Number))
    }

    async fn call(&self, (_, bad): Self::Arguments, _: &Context) -> Result<bool, FunctionError> {
        match bad {
            0 => panic!("zero is too much"),
            1 => Ok(true),
            _ => Err(FunctionError::argument(1, format!("{bad} is not one"))),
        }
    }
}
