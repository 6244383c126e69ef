//! What goes wrong between a value and a model, with the attribute where it does.

use std::fmt;

use crate::path::{Path, Step};

/// A model and a value that do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelError {
    reversed: Vec<Step>,
    message: String,
}

impl ModelError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            reversed: Vec::new(),
            message: message.into(),
        }
    }

    /// On the way out of nested values: adds where this one was.
    pub(crate) fn within(mut self, step: Step) -> Self {
        self.reversed.push(step);
        self
    }

    /// The attribute where it is.
    pub fn path(&self) -> Path {
        self.reversed.iter().rev().cloned().collect()
    }

    /// What is wrong there.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.reversed.is_empty() {
            write!(f, "{}: ", self.path())?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ModelError {}

impl serde::de::Error for ModelError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

impl serde::ser::Error for ModelError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}
