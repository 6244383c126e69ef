//! Typed resources, data sources, ephemeral resources, functions and providers behind object-safe traits over [`Value`].

mod apply;
mod data_source;
mod ephemeral;
mod function;
mod model;
mod private;
mod provider;
mod resource;

use std::sync::OnceLock;

pub(crate) use data_source::{DynDataSource, ErasedDataSource};
pub(crate) use ephemeral::{DynEphemeral, ErasedEphemeral};
pub(crate) use function::{DynFunction, ErasedFunction};
pub(crate) use model::misfit;
pub(crate) use provider::{DynProvider, ErasedProvider};
pub(crate) use resource::{DynResource, ErasedResource, Found, PlanRequest};

pub(crate) use apply::{ApplyRequest, Outcome};

use crate::calls::Calls;
use crate::context::Context;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::plan;
use crate::schema::{Schema, Type};
use crate::value::Value;

/// A schema with its type, made when first asked for.
pub(crate) struct Described {
    make: Box<dyn Fn() -> Schema + Send + Sync>,
    made: OnceLock<(Schema, Type)>,
}

impl Described {
    fn new(make: impl Fn() -> Schema + Send + Sync + 'static) -> Self {
        Self {
            make: Box::new(make),
            made: OnceLock::new(),
        }
    }

    fn get(&self) -> &(Schema, Type) {
        self.made.get_or_init(|| {
            let schema = (self.make)();
            let ty = schema.object_type();
            (schema, ty)
        })
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.get().0
    }

    pub(crate) fn ty(&self) -> &Type {
        &self.get().1
    }

    /// The attributes' own checks, and whether the CLI can handle what is written.
    fn check(&self, config: &Value, cx: &Context) -> Diagnostics {
        let attributes = &self.schema().attributes;
        let mut found = plan::check(attributes, config);
        if !cx.client_capabilities().write_only_attributes_allowed {
            for path in plan::given_write_only(attributes, config) {
                let detail = "This attribute is never stored, which needs Terraform or OpenTofu 1.11 or later.";
                found.push(
                    Diagnostic::error("The CLI is too old for this attribute", detail).at(path),
                );
            }
        }
        found
    }
}

/// What every call of the provider's code gets.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) calls: &'a Calls,
    pub(crate) cx: &'a Context,
}
