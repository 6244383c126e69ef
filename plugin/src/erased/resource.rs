//! A typed resource behind an object-safe trait.

use std::sync::{Arc, OnceLock};

use super::apply::{ApplyRequest, Outcome};
use super::{Call, Described, model, private};
use crate::calls::Boxed;
use crate::diagnostic::Diagnostics;
use crate::path::Path;
use crate::plan;
use crate::resource::{Identity, Import, Plan, Read, Resource, Slot};
use crate::schema::{IdentitySchema, Type};
use crate::value::{Value, json};

/// A change to be planned.
pub(crate) struct PlanRequest {
    pub(crate) config: Value,
    pub(crate) prior: Value,
    pub(crate) proposed: Value,
    pub(crate) private: Vec<u8>,
}

/// A change that was planned.
pub(crate) struct Planned {
    pub(crate) planned: Value,
    pub(crate) private: Vec<u8>,
    pub(crate) replace: Vec<Path>,
}

/// What a read starts from.
pub(crate) struct Found {
    pub(crate) state: Value,
    pub(crate) private: Vec<u8>,
    pub(crate) identity: Option<Value>,
}

/// A resource whose types are not in the way.
pub(crate) trait DynResource: Send + Sync {
    fn described(&self) -> &Described;
    fn identity(&self) -> Option<&(IdentitySchema, Type)>;
    fn validate<'a>(&'a self, config: Value, call: Call<'a>) -> Boxed<'a, Result<(), Diagnostics>>;
    fn plan<'a>(
        &'a self,
        request: PlanRequest,
        call: Call<'a>,
    ) -> Boxed<'a, Result<Planned, Diagnostics>>;
    fn apply<'a>(&'a self, request: ApplyRequest, call: Call<'a>) -> Boxed<'a, Outcome>;
    fn read<'a>(&'a self, found: Found, call: Call<'a>) -> Boxed<'a, Outcome>;
    fn import<'a>(
        &'a self,
        id: Option<String>,
        identity: Option<Value>,
        call: Call<'a>,
    ) -> Boxed<'a, Outcome>;
    fn upgrade<'a>(
        &'a self,
        version: i64,
        raw: Vec<u8>,
        call: Call<'a>,
    ) -> Boxed<'a, Result<Value, Diagnostics>>;
}

pub(crate) struct ErasedResource<R> {
    pub(super) resource: Arc<R>,
    pub(super) described: Described,
    identity: OnceLock<Option<(IdentitySchema, Type)>>,
}

impl<R: Resource> ErasedResource<R> {
    pub(crate) fn new(resource: R) -> Self {
        let resource = Arc::new(resource);
        let schema = Arc::clone(&resource);
        let described = Described::new(move || schema.schema());
        Self {
            resource,
            described,
            identity: OnceLock::new(),
        }
    }

    async fn plan_typed(
        &self,
        request: PlanRequest,
        call: Call<'_>,
    ) -> Result<Planned, Diagnostics> {
        let PlanRequest {
            config,
            prior,
            proposed,
            private,
        } = request;
        let schema = self.described.schema();
        let planned = if proposed.is_null() {
            Value::Null
        } else {
            plan::propose(schema, self.described.ty(), &config, &prior, proposed)
        };
        let mut typed = Plan::<R> {
            config: model::read_some("the configuration", &config)?,
            prior: model::read_some("the state", &prior)?,
            planned: model::read_some("the plan", &planned)?,
            private: private::read(&private)?,
            replace: Vec::new(),
        };
        let (resource, cx) = (Arc::clone(&self.resource), call.cx.clone());
        let refined = call.calls.run(call.cx, async move {
            resource.plan(&mut typed, &cx).await?;
            Ok::<_, Diagnostics>(typed)
        });
        let refined = refined.await??;
        let planned = match &refined.planned {
            Some(refined) if !planned.is_null() => {
                let mut value = model::write("the plan", refined, &[&planned])?;
                plan::without_write_only(&schema.attributes, &mut value);
                value
            }
            _ => Value::Null,
        };
        let mut replace = plan::replacements(&schema.attributes, &prior, &planned);
        if !prior.is_null() && !planned.is_null() {
            replace.extend(refined.replace);
        }
        Ok(Planned {
            planned,
            private: private::write(refined.private)?,
            replace,
        })
    }

    async fn read_typed(&self, found: Found, call: Call<'_>) -> Result<Outcome, Diagnostics> {
        let private: R::Private = private::read(&found.private)?;
        let state: R::Model = model::read("the state", found.state.clone())?;
        let slot = Slot::new(Some(state.clone()), private.clone());
        let identity = found.identity.map(Identity);
        let request = Read {
            state,
            private,
            identity: identity.clone(),
        };
        let (resource, cx) = (Arc::clone(&self.resource), call.cx.clone());
        let reading = {
            let slot = slot.clone();
            async move { resource.read(request, &slot, &cx).await }
        };
        let ended = call
            .calls
            .run(call.cx, reading)
            .await
            .and_then(|ended| ended);
        let known = identity.map(|identity| identity.0);
        Ok(self.outcome(&slot, ended, &[&found.state], known))
    }

    async fn import_typed(&self, request: Import, call: Call<'_>) -> Outcome {
        let slot = Slot::new(None, R::Private::default());
        let identity = request.identity.clone().map(|identity| identity.0);
        let (resource, cx) = (Arc::clone(&self.resource), call.cx.clone());
        let importing = {
            let slot = slot.clone();
            async move {
                resource.import(request, &slot, &cx).await?;
                match slot.model() {
                    Some(_) => Ok(()),
                    None => Err(Diagnostics::error(
                        "There is nothing to import by that id",
                        "",
                    )),
                }
            }
        };
        let ended = call
            .calls
            .run(call.cx, importing)
            .await
            .and_then(|ended| ended);
        self.outcome(&slot, ended, &[], identity)
    }

    async fn upgrade_typed(
        &self,
        version: i64,
        raw: Vec<u8>,
        call: Call<'_>,
    ) -> Result<Value, Diagnostics> {
        let current = self.described.schema().version;
        if version > current {
            let detail = format!(
                "The state was written by version {version} of the schema, this provider knows {current}. Use a \
                 provider that is at least as new as the one that wrote it."
            );
            return Err(Diagnostics::error(
                "The stored state is too new for this provider",
                detail,
            ));
        }
        let raw = if version == current {
            raw
        } else {
            let raw: serde_json::Value = serde_json::from_slice(&raw)?;
            let resource = Arc::clone(&self.resource);
            let upgraded = call
                .calls
                .run(call.cx, async move { resource.upgrade(version, raw).await });
            serde_json::to_vec(&upgraded.await??)?
        };
        json::decode(&raw, self.described.ty())
            .map_err(|error| super::misfit("the stored state", &error))
    }
}

impl<R: Resource> DynResource for ErasedResource<R> {
    fn described(&self) -> &Described {
        &self.described
    }

    fn identity(&self) -> Option<&(IdentitySchema, Type)> {
        let make = || {
            self.resource.identity().map(|schema| {
                let ty = schema.object_type();
                (schema, ty)
            })
        };
        self.identity.get_or_init(make).as_ref()
    }

    fn validate<'a>(&'a self, config: Value, call: Call<'a>) -> Boxed<'a, Result<(), Diagnostics>> {
        Box::pin(async move {
            self.described.check(&config, call.cx).into_result()?;
            let config: R::Model = model::read("the configuration", config)?;
            let (resource, cx) = (Arc::clone(&self.resource), call.cx.clone());
            call.calls
                .run(
                    call.cx,
                    async move { resource.validate(&config, &cx).await },
                )
                .await?
        })
    }

    fn plan<'a>(
        &'a self,
        request: PlanRequest,
        call: Call<'a>,
    ) -> Boxed<'a, Result<Planned, Diagnostics>> {
        Box::pin(self.plan_typed(request, call))
    }

    fn apply<'a>(&'a self, request: ApplyRequest, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(self.apply_typed(request, call))
    }

    fn read<'a>(&'a self, found: Found, call: Call<'a>) -> Boxed<'a, Outcome> {
        Box::pin(async move {
            let before = (
                found.state.clone(),
                found.private.clone(),
                found.identity.clone(),
            );
            self.read_typed(found, call)
                .await
                .unwrap_or_else(|diagnostics| {
                    let (state, private, identity) = before;
                    Outcome {
                        state,
                        private,
                        identity,
                        diagnostics,
                    }
                })
        })
    }

    fn import<'a>(
        &'a self,
        id: Option<String>,
        identity: Option<Value>,
        call: Call<'a>,
    ) -> Boxed<'a, Outcome> {
        Box::pin(self.import_typed(
            Import {
                id,
                identity: identity.map(Identity),
            },
            call,
        ))
    }

    fn upgrade<'a>(
        &'a self,
        version: i64,
        raw: Vec<u8>,
        call: Call<'a>,
    ) -> Boxed<'a, Result<Value, Diagnostics>> {
        Box::pin(self.upgrade_typed(version, raw, call))
    }
}
