//! `provider::mkys::render`: a blade's template without a cloud.

use mkys_blade::{Definition, Generations, Settings};
use mkys_plugin::{Context, Function, FunctionError, Parameter, Signature, Type};

use crate::blade::Model;

/// The function.
#[derive(Debug)]
pub struct Render;

impl Function for Render {
    type Arguments = (Model,);
    type Output = String;

    fn name(&self) -> &'static str {
        "render"
    }

    fn signature(&self) -> Signature {
        Signature::returning(Type::String)
            .summary("The Heat template of a blade")
            .description(
                "Compiles a blade's definition, written as the arguments of `mkys_blade`, to the \
                 Heat template (YAML) it becomes. Images, flavors and networks are its parameters. \
                 No cloud is asked.\n\nIt refuses an attribute that `mkys_blade` does not have, \
                 such as a misspelt one, also where Terraform and OpenTofu drop it from a resource \
                 and say nothing.",
            )
            .parameter(
                Parameter::new("blade", Type::Dynamic)
                    .description("A blade's definition, or a `mkys_blade`."),
            )
    }

    async fn call(&self, (model,): (Model,), _cx: &Context) -> Result<String, FunctionError> {
        let definition: Definition = model.definition().map_err(|_| {
            FunctionError::argument(0, "a value of the definition is not known yet")
        })?;
        let blade = definition.validate().map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            FunctionError::argument(0, problems.join("\n"))
        })?;
        let compiled = blade.compile(&Settings::default(), &Generations::new());
        Ok(compiled.template.to_yaml()?)
    }
}
