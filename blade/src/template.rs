//! A Heat Orchestration Template (HOT) as data, and its YAML.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The template version written: Rocky's, the oldest that has all that is used, so that every
/// cloud still maintained takes it.
pub(crate) const VERSION: &str = "2018-08-31";

/// Heat's type of a server.
pub const SERVER_TYPE: &str = "OS::Nova::Server";

/// Heat's type of a volume.
pub const VOLUME_TYPE: &str = "OS::Cinder::Volume";

/// Heat's type of a volume's attachment to a server.
pub const ATTACHMENT_TYPE: &str = "OS::Cinder::VolumeAttachment";

/// Heat's type of a security group.
pub const GROUP_TYPE: &str = "OS::Neutron::SecurityGroup";

/// A template. Maps are sorted, so the same template always has the same text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// A date that names the version of the template language.
    pub heat_template_version: String,
    /// What the stack is.
    #[serde(default)]
    pub description: String,
    /// What is resolved by the caller: ids of images, flavors, networks, and the user data.
    #[serde(default)]
    pub parameters: BTreeMap<String, Parameter>,
    /// The resources.
    #[serde(default)]
    pub resources: BTreeMap<String, Resource>,
    /// What the caller reads back.
    #[serde(default)]
    pub outputs: BTreeMap<String, Output>,
}

/// A parameter of a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// `string` or `comma_delimited_list`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is.
    #[serde(default)]
    pub description: String,
    /// Whether Heat hides its value from whoever shows the stack.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// A resource of a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Heat's type, such as `OS::Nova::Server`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Resources that must stand before it, beside those that its properties name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Properties by name.
    #[serde(default)]
    pub properties: BTreeMap<String, Value>,
}

/// An output of a template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// What is computed.
    pub value: Value,
}

/// A template that has no text. It cannot happen for one that was compiled.
#[derive(Debug, thiserror::Error)]
#[error("the template cannot be written as YAML")]
pub struct TemplateError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Template {
    /// The template's text. Every string is quoted: Heat reads YAML 1.1, where `no`, `1e3` or
    /// `12:30` without quotes would not be strings.
    ///
    /// # Errors
    ///
    /// None that a compiled template can cause; a template that was read from elsewhere might hold
    /// a value that YAML cannot express.
    pub fn to_yaml(&self) -> Result<String, TemplateError> {
        let options = serde_saphyr::ser_options! { quote_all: true };
        let mut text = String::new();
        serde_saphyr::to_fmt_writer_with_options(&mut text, self, options)
            .map_err(|error| TemplateError(Box::new(error)))?;
        Ok(text)
    }

    /// Takes over from `other` whatever this template refers to and does not have.
    pub(crate) fn complete_from(&mut self, other: &Self) {
        loop {
            let mut names = BTreeSet::new();
            for resource in self.resources.values() {
                names.extend(resource.depends_on.iter().cloned());
                resource
                    .properties
                    .values()
                    .for_each(|value| references(value, &mut names));
            }
            self.outputs
                .values()
                .for_each(|output| references(&output.value, &mut names));
            let before = self.resources.len();
            for name in names {
                if let Some(parameter) = other.parameters.get(&name) {
                    self.parameters
                        .entry(name.clone())
                        .or_insert_with(|| parameter.clone());
                }
                if let Some(resource) = other.resources.get(&name) {
                    self.resources
                        .entry(name)
                        .or_insert_with(|| resource.clone());
                }
            }
            if self.resources.len() == before {
                return;
            }
        }
    }

    /// The volumes: name of the resource, and the server and the volume that it is for.
    pub fn volumes(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        let volumes = self.resources.iter();
        let volumes = volumes.filter(|(_, one)| one.kind == VOLUME_TYPE);
        volumes.filter_map(|(resource, _)| {
            let (volume, server) = resource.strip_prefix("volume-")?.split_once('_')?;
            Some((&**resource, server, volume))
        })
    }

    /// Names of the resources that belong to revision `revision` of a part.
    pub fn resources_of<'a>(&'a self, revision: &'a str) -> impl Iterator<Item = &'a String> {
        self.resources
            .keys()
            .filter(move |name| has_revision(name, revision))
    }
}

/// Whether `<kind>_<part>_R<revision>` carries this revision.
pub(crate) fn has_revision(name: &str, revision: &str) -> bool {
    // no name of a part has an upper-case letter, so the mark can't be taken for one
    let last = name
        .rsplit_once('_')
        .and_then(|(_, last)| last.strip_prefix('R'));
    last == Some(revision)
}

/// Names of the resources and parameters that a value refers to.
fn references(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let name = match key.as_str() {
                    "get_resource" | "get_param" => Some(value),
                    "get_attr" => value.get(0),
                    _ => None,
                };
                names.extend(name.and_then(Value::as_str).map(str::to_owned));
                references(value, names);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

impl Resource {
    pub(crate) fn new(kind: &str, properties: Value) -> Self {
        let properties = match properties {
            Value::Object(map) => map.into_iter().collect(),
            _ => BTreeMap::new(),
        };
        Self {
            kind: kind.to_owned(),
            depends_on: Vec::new(),
            properties,
        }
    }

    pub(crate) fn after(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.depends_on.extend(names);
        self
    }
}
