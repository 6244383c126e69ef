//! A typed function behind an object-safe trait.

use std::sync::Arc;

use super::Call;
use crate::calls::Boxed;
use crate::function::{Function, FunctionError};
use crate::path::Step;
use crate::schema::Signature;
use crate::value::{Value, from_value, to_value};

/// A function whose types are not in the way.
pub(crate) trait DynFunction: Send + Sync {
    fn signature(&self) -> Signature;
    fn call<'a>(
        &'a self,
        arguments: Vec<Value>,
        call: Call<'a>,
    ) -> Boxed<'a, Result<Value, FunctionError>>;
}

pub(crate) struct ErasedFunction<F>(Arc<F>);

impl<F: Function> ErasedFunction<F> {
    pub(crate) fn new(function: F) -> Self {
        Self(Arc::new(function))
    }
}

impl<F: Function> DynFunction for ErasedFunction<F> {
    fn signature(&self) -> Signature {
        self.0.signature()
    }

    fn call<'a>(
        &'a self,
        arguments: Vec<Value>,
        call: Call<'a>,
    ) -> Boxed<'a, Result<Value, FunctionError>> {
        Box::pin(async move {
            let arguments =
                from_value::<F::Arguments>(Value::List(arguments)).map_err(|error| {
                    // The first step is the argument; the rest is a path within it.
                    let path = error.path();
                    let argument = match path.steps().first() {
                        Some(Step::Index(index)) => usize::try_from(*index).ok(),
                        _ => None,
                    };
                    let within = path
                        .steps()
                        .iter()
                        .skip(1)
                        .cloned()
                        .collect::<crate::path::Path>();
                    let text = if within.is_whole() {
                        error.message().to_owned()
                    } else {
                        format!("{within}: {}", error.message())
                    };
                    FunctionError { text, argument }
                })?;
            let (function, cx) = (Arc::clone(&self.0), call.cx.clone());
            let called = call
                .calls
                .run(call.cx, async move { function.call(arguments, &cx).await });
            let output = called
                .await
                .map_err(|panic| FunctionError::new(panic.to_string()))??;
            Ok(to_value(&output)?)
        })
    }
}
