//! What names a resource for good: the identity that newer CLIs store beside its state and can import by.

use std::collections::BTreeMap;

use super::Type;

/// One attribute of an identity: a primitive or a list of primitives.
#[derive(Clone, Debug)]
pub struct IdentityAttribute {
    pub(crate) ty: Type,
    pub(crate) required_for_import: bool,
    pub(crate) description: String,
}

impl IdentityAttribute {
    /// Text that an import by identity must give.
    pub fn string() -> Self {
        Self {
            ty: Type::String,
            required_for_import: true,
            description: String::new(),
        }
    }

    /// A number that an import by identity must give.
    pub fn number() -> Self {
        Self {
            ty: Type::Number,
            ..Self::string()
        }
    }

    /// An import by identity may leave it out.
    #[must_use]
    pub fn optional_for_import(mut self) -> Self {
        self.required_for_import = false;
        self
    }

    /// What it is.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = text.into();
        self
    }
}

/// What names a resource for good.
#[derive(Clone, Debug, Default)]
pub struct IdentitySchema {
    pub(crate) version: i64,
    pub(crate) attributes: BTreeMap<String, IdentityAttribute>,
}

impl IdentitySchema {
    /// No attribute yet; version 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// The version of the identity's shape.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.version = version;
        self
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, attribute: IdentityAttribute) -> Self {
        self.attributes.insert(name.into(), attribute);
        self
    }

    /// The type of the whole.
    pub fn object_type(&self) -> Type {
        Type::object(
            self.attributes
                .iter()
                .map(|(name, a)| (name.clone(), a.ty.clone())),
        )
    }
}
