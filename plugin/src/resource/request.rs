//! What the CLI asks of a resource, typed.

use serde::de::DeserializeOwned;

use super::Resource;
use crate::diagnostic::Diagnostics;
use crate::path::Path;
use crate::value::{Value, from_value};

/// A plan to be refined.
#[derive(Clone, Debug)]
pub struct Plan<R: Resource> {
    /// What the person wrote; `None` when it is to be destroyed.
    pub config: Option<R::Model>,
    /// What the state says; `None` when it is to be created.
    pub prior: Option<R::Model>,
    /// What will be; `None` when it is to be destroyed. Changes of computed attributes are taken.
    pub planned: Option<R::Model>,
    /// Private state; what is changed here reaches create, update or delete.
    pub private: R::Private,
    pub(crate) replace: Vec<Path>,
}

impl<R: Resource> Plan<R> {
    /// A plan to be refined; for unit tests of resources.
    pub fn new(
        config: Option<R::Model>,
        prior: Option<R::Model>,
        planned: Option<R::Model>,
        private: R::Private,
    ) -> Self {
        Self {
            config,
            prior,
            planned,
            private,
            replace: Vec::new(),
        }
    }

    /// The change of this attribute cannot be made in place: destroy and create.
    pub fn require_replace(&mut self, path: Path) {
        self.replace.push(path);
    }
}

/// Make it.
#[derive(Clone, Debug)]
pub struct Create<R: Resource> {
    /// What was planned; computed attributes may be unknown.
    pub planned: R::Model,
    /// What the person wrote: the only place where write-only attributes are seen.
    pub config: R::Model,
    /// Private state as planned.
    pub private: R::Private,
}

/// Look at how it is.
#[derive(Clone, Debug)]
pub struct Read<R: Resource> {
    /// What the state says.
    pub state: R::Model,
    /// Private state.
    pub private: R::Private,
    /// Its identity, if one is stored.
    pub identity: Option<Identity>,
}

/// Change it.
#[derive(Clone, Debug)]
pub struct Update<R: Resource> {
    /// What the state says.
    pub prior: R::Model,
    /// What was planned; computed attributes may be unknown.
    pub planned: R::Model,
    /// What the person wrote: the only place where write-only attributes are seen.
    pub config: R::Model,
    /// Private state as planned.
    pub private: R::Private,
}

/// Take it away.
#[derive(Clone, Debug)]
pub struct Delete<R: Resource> {
    /// What the state says.
    pub prior: R::Model,
    /// Private state as planned.
    pub private: R::Private,
}

/// Find one that exists: by an id or, with newer CLIs, by its identity.
#[derive(Clone, Debug)]
pub struct Import {
    /// The id that the person gave.
    pub id: Option<String>,
    /// The identity that the person gave.
    pub identity: Option<Identity>,
}

/// The identity of a resource, to be read into a struct with a field for each of its attributes.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity(pub(crate) Value);

impl Identity {
    /// Reads it into a struct.
    ///
    /// # Errors
    /// If the struct does not fit the identity's schema.
    pub fn get<T: DeserializeOwned>(&self) -> Result<T, Diagnostics> {
        from_value(self.0.clone()).map_err(|error| {
            Diagnostics::error("The identity could not be read", error.to_string())
        })
    }
}
