//! A function that configuration can call: pure, and available before the provider is configured.

use std::future::Future;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;
use crate::schema::Signature;

/// Why a function gave no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionError {
    /// The reason, one sentence or more.
    pub text: String,
    /// Which argument is to blame, counted from 0.
    pub argument: Option<usize>,
}

impl FunctionError {
    /// No argument in particular is to blame.
    pub fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: None,
        }
    }

    /// This argument is to blame, counted from 0.
    pub fn argument(argument: usize, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            argument: Some(argument),
        }
    }
}

impl<E: std::error::Error> From<E> for FunctionError {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// A function that configuration can call: `provider::mkys::render(...)`.
pub trait Function: Send + Sync + Sized + 'static {
    /// The arguments: a tuple with an element for each parameter, and for variadic ones a `Vec` as the last.
    /// One parameter is `(T,)`.
    type Arguments: DeserializeOwned + Send + 'static;
    /// The result.
    type Output: Serialize + Send + 'static;

    /// The name.
    fn name(&self) -> &'static str;

    /// What it takes and gives.
    fn signature(&self) -> Signature;

    /// Computes the result.
    fn call(
        &self,
        arguments: Self::Arguments,
        cx: &Context,
    ) -> impl Future<Output = Result<Self::Output, FunctionError>> + Send;
}
