//! What an attribute does while a plan is made, and the checks of its value: closures over typed values, erased.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::value::{Value, from_value};

type Check = Arc<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;
type Judge = Arc<dyn Fn(&Value, &Value) -> bool + Send + Sync>;

/// What an attribute does while a plan is made, and the checks of its value.
#[derive(Clone, Default)]
pub(crate) struct Behaviour {
    pub(crate) default: Option<Value>,
    pub(crate) use_state_for_unknown: bool,
    pub(crate) replace: Option<Judge>,
    pub(crate) checks: Vec<Check>,
}

impl Behaviour {
    pub(crate) fn replace_always(&mut self) {
        self.replace = Some(Arc::new(|_, _| true));
    }

    pub(crate) fn replace_if<T: DeserializeOwned>(
        &mut self,
        judge: impl Fn(&T, &T) -> bool + Send + Sync + 'static,
    ) {
        self.replace = Some(Arc::new(move |prior, planned| {
            match (from_value(prior.clone()), from_value(planned.clone())) {
                (Ok(prior), Ok(planned)) => judge(&prior, &planned),
                // What the closure can't see (null or unknown for a plain type) has at least changed.
                _ => true,
            }
        }));
    }

    pub(crate) fn check<T: DeserializeOwned>(
        &mut self,
        check: impl Fn(&T) -> Result<(), String> + Send + Sync + 'static,
    ) {
        self.checks.push(Arc::new(move |value| {
            match from_value::<T>(value.clone()) {
                Ok(value) => check(&value),
                // Something in it is not known yet; once it is, the check runs again.
                Err(_) if !value.is_wholly_known() => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        }));
    }
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour")
            .field("default", &self.default)
            .field("use_state_for_unknown", &self.use_state_for_unknown)
            .field("replace", &self.replace.is_some())
            .field("checks", &self.checks.len())
            .finish()
    }
}
