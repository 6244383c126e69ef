//! Where resource code puts what exists, as soon as it exists. It outlives errors, cancellation and panics of that code.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use super::Resource;
use crate::value::{Value, to_value};

/// What a slot holds.
#[derive(Clone, Debug)]
pub(crate) struct Saved<M, P> {
    pub(crate) model: Option<M>,
    pub(crate) private: P,
    pub(crate) identity: Option<Result<Value, String>>,
    pub(crate) touched: bool,
}

/// Where resource code puts what exists, as soon as it exists: whatever was saved last is what the CLI gets as state,
/// be it after success, an error, a cancellation, or a panic of the resource's code.
#[derive(Debug)]
pub struct Slot<R: Resource>(Arc<Mutex<Saved<R::Model, R::Private>>>);

impl<R: Resource> Clone for Slot<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Resource> Slot<R> {
    /// A slot that starts with this; for unit tests of resources, and for the crate itself.
    pub fn new(model: Option<R::Model>, private: R::Private) -> Self {
        Self(Arc::new(Mutex::new(Saved {
            model,
            private,
            identity: None,
            touched: false,
        })))
    }

    // A panic while the lock is held can't leave half a value: assignments are whole.
    fn lock(&self) -> MutexGuard<'_, Saved<R::Model, R::Private>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This is what exists now.
    pub fn save(&self, model: R::Model, private: R::Private) {
        let mut saved = self.lock();
        (saved.model, saved.private, saved.touched) = (Some(model), private, true);
    }

    /// This is what exists now; private state stays.
    pub fn save_model(&self, model: R::Model) {
        let mut saved = self.lock();
        (saved.model, saved.touched) = (Some(model), true);
    }

    /// Only private state changes.
    pub fn save_private(&self, private: R::Private) {
        self.lock().private = private;
    }

    /// This names it for good: a struct with a field for each attribute of the identity's schema.
    pub fn save_identity(&self, identity: &impl Serialize) {
        self.lock().identity = Some(to_value(identity).map_err(|error| error.to_string()));
    }

    /// It does not exist (any more).
    pub fn remove(&self) {
        let mut saved = self.lock();
        (saved.model, saved.touched) = (None, true);
    }

    /// What was saved last.
    pub fn model(&self) -> Option<R::Model> {
        self.lock().model.clone()
    }

    /// The private state that was saved last.
    pub fn private(&self) -> R::Private {
        self.lock().private.clone()
    }

    pub(crate) fn saved(&self) -> Saved<R::Model, R::Private> {
        self.lock().clone()
    }
}
