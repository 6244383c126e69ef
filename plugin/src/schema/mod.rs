//! What a resource, data source or provider looks like to the person who writes configuration.

mod attribute;
mod behaviour;
mod identity;
mod nested;
mod signature;
mod types;

use std::collections::BTreeMap;

pub use attribute::Attribute;
pub use identity::{IdentityAttribute, IdentitySchema};
pub use nested::{Nested, Nesting};
pub use signature::{Parameter, Signature};
pub use types::{Type, TypeError};

pub(crate) use attribute::Shape;
pub(crate) use behaviour::Behaviour;

/// The attributes of a resource, data source, ephemeral resource or provider.
///
/// ```
/// use mkys_plugin::{Attribute, Nested, Schema};
/// let schema = Schema::new()
///     .description("A website of its own.")
///     .attribute("name", Attribute::string().required().requires_replace())
///     .attribute("url", Attribute::string().computed().use_state_for_unknown())
///     .attribute("servers", Attribute::nested_map(
///         Nested::new()
///             .attribute("image", Attribute::string().required())
///             .attribute("size_gib", Attribute::int64().default(20)),
///     ).required());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub(crate) version: i64,
    pub(crate) description: String,
    pub(crate) deprecated: bool,
    pub(crate) attributes: BTreeMap<String, Attribute>,
}

impl Schema {
    /// No attribute yet; version 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version of the state's shape. Raise it when stored state no longer fits, and give
    /// [`Resource::upgrade`](crate::Resource::upgrade).
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// What it is for, in Markdown.
    #[must_use]
    pub fn description(mut self, markdown: impl Into<String>) -> Self {
        self.description = markdown.into();
        self
    }

    /// The CLI warns whoever uses it.
    #[must_use]
    pub fn deprecated(mut self) -> Self {
        self.deprecated = true;
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, attribute: Attribute) -> Self {
        self.attributes.insert(name.into(), attribute);
        self
    }

    /// The type of the whole: an object of the attributes.
    pub fn object_type(&self) -> Type {
        nested::object_type(&self.attributes)
    }
}
