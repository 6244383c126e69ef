//! The calls about functions.

use super::{Service, convert, schema};
use crate::diagnostic::Diagnostics;
use crate::function::FunctionError;
use crate::protocol::tfplugin6 as wire;
use wire::{DynamicValue, call_function, get_functions};

impl Service {
    pub(super) async fn get_functions(&self, _: get_functions::Request) -> get_functions::Response {
        let functions = self.catalogue.functions.iter();
        let functions =
            functions.map(|(name, found)| (name.clone(), schema::function(&found.signature())));
        get_functions::Response {
            functions: functions.collect(),
            diagnostics: Vec::new(),
        }
    }

    pub(super) async fn call_function(
        &self,
        request: call_function::Request,
    ) -> call_function::Response {
        match self.called(request).await {
            Ok(result) => call_function::Response {
                result,
                error: None,
            },
            Err(FunctionError { text, argument }) => {
                let function_argument = argument.and_then(|index| i64::try_from(index).ok());
                let error = Some(wire::FunctionError {
                    text,
                    function_argument,
                });
                call_function::Response {
                    result: None,
                    error,
                }
            }
        }
    }

    async fn called(
        &self,
        request: call_function::Request,
    ) -> Result<Option<DynamicValue>, FunctionError> {
        let Some(function) = self.catalogue.functions.get(&request.name) else {
            let text = format!("This provider has no function {:?}", request.name);
            return Err(FunctionError::new(text));
        };
        let signature = function.signature();
        let fixed = signature.parameters.len();
        let mut arguments = Vec::new();
        let mut further = Vec::new();
        for (index, argument) in request.arguments.into_iter().enumerate() {
            let parameter = signature
                .parameters
                .get(index)
                .or(signature.variadic.as_ref());
            let parameter = parameter.ok_or_else(|| FunctionError::new("too many arguments"))?;
            let value = convert::value("the argument", Some(argument), &parameter.ty)
                .map_err(|error| FunctionError::argument(index, error.to_string()))?;
            if index < fixed {
                &mut arguments
            } else {
                &mut further
            }
            .push(value);
        }
        if signature.variadic.is_some() {
            arguments.push(crate::value::Value::List(further));
        }
        let cx = self.able_context();
        let output = function.call(arguments, self.call(&cx)).await?;
        let mut diagnostics = Diagnostics::new();
        let message = convert::message("the result", &output, &signature.returns, &mut diagnostics);
        diagnostics
            .into_result()
            .map(|()| message)
            .map_err(|error| FunctionError::new(error.to_string()))
    }
}
