//! Schemas and signatures as the protocol's messages.

use std::collections::BTreeMap;

use crate::protocol::tfplugin6 as wire;
use crate::schema::{
    Attribute, IdentitySchema, Nesting, Parameter, Schema, Shape, Signature, Type,
};

use wire::schema::object::NestingMode;

fn kind(type_: &Type) -> Vec<u8> {
    type_.to_json().to_string().into_bytes()
}

/// Whose schema it is: the configuration of a provider has no computed attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Provider,
    Thing,
}

pub(super) fn schema(schema: &Schema, owner: Owner) -> wire::Schema {
    wire::Schema {
        version: schema.version,
        block: Some(wire::schema::Block {
            version: schema.version,
            attributes: attributes(&schema.attributes, owner),
            description: schema.description.clone(),
            description_kind: wire::StringKind::Markdown.into(),
            deprecated: schema.deprecated,
        }),
    }
}

fn attributes(
    attributes: &BTreeMap<String, Attribute>,
    owner: Owner,
) -> Vec<wire::schema::Attribute> {
    attributes
        .iter()
        .map(|(name, found)| attribute(name, found, owner))
        .collect()
}

fn attribute(name: &str, attribute: &Attribute, owner: Owner) -> wire::schema::Attribute {
    let Attribute {
        shape,
        description,
        required,
        optional,
        computed,
        sensitive,
        write_only,
        deprecated,
        behaviour: _,
    } = attribute;
    let (r#type, nested_type) = match shape {
        Shape::Plain(ty) => (kind(ty), None),
        Shape::Nested(nesting, nested) => {
            let nesting = match nesting {
                Nesting::Single => NestingMode::Single,
                Nesting::List => NestingMode::List,
                Nesting::Set => NestingMode::Set,
                Nesting::Map => NestingMode::Map,
            };
            let attributes = attributes(&nested.attributes, owner);
            (
                Vec::new(),
                Some(wire::schema::Object {
                    attributes,
                    nesting: nesting.into(),
                }),
            )
        }
    };
    wire::schema::Attribute {
        name: name.to_owned(),
        r#type,
        nested_type,
        description: description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        required: *required,
        optional: *optional,
        computed: *computed && owner == Owner::Thing,
        sensitive: *sensitive,
        write_only: *write_only,
        deprecated: *deprecated,
    }
}

pub(super) fn identity(schema: &IdentitySchema) -> wire::ResourceIdentitySchema {
    let attribute = |(name, attribute): (&String, &crate::schema::IdentityAttribute)| {
        wire::resource_identity_schema::IdentityAttribute {
            name: name.clone(),
            r#type: kind(&attribute.ty),
            required_for_import: attribute.required_for_import,
            optional_for_import: !attribute.required_for_import,
            description: attribute.description.clone(),
        }
    };
    wire::ResourceIdentitySchema {
        version: schema.version,
        identity_attributes: schema.attributes.iter().map(attribute).collect(),
    }
}

fn parameter(parameter: &Parameter) -> wire::function::Parameter {
    wire::function::Parameter {
        name: parameter.name.clone(),
        r#type: kind(&parameter.ty),
        allow_null_value: parameter.allow_null,
        allow_unknown_values: parameter.allow_unknown,
        description: parameter.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
    }
}

pub(super) fn function(signature: &Signature) -> wire::Function {
    wire::Function {
        parameters: signature.parameters.iter().map(parameter).collect(),
        variadic_parameter: signature.variadic.as_ref().map(parameter),
        r#return: Some(wire::function::Return {
            r#type: kind(&signature.returns),
        }),
        summary: signature.summary.clone(),
        description: signature.description.clone(),
        description_kind: wire::StringKind::Markdown.into(),
        deprecation_message: signature.deprecated.clone(),
    }
}
