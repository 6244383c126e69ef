//! A Heat Orchestration Template (HOT) as data, and its YAML.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::revision::Revision;

/// The template version written: Rocky's, the oldest that has all that is used, so that every
/// cloud still maintained takes it.
pub(crate) const VERSION: &str = "2018-08-31";

/// Heat's type of a server.
pub const SERVER_TYPE: &str = "OS::Nova::Server";

/// Heat's type of a volume.
pub const VOLUME_TYPE: &str = "OS::Cinder::Volume";

/// Heat's type of a volume's attachment to a server.
pub const ATTACHMENT_TYPE: &str = "OS::Cinder::VolumeAttachment";

/// The deletion policy under which Heat never deletes the thing itself.
pub const RETAIN: &str = "Retain";

/// Heat's type of a security group.
pub const GROUP_TYPE: &str = "OS::Neutron::SecurityGroup";

/// A template. Maps are sorted, so the same template always has the same text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
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
    /// What Heat does with the thing when the resource is deleted or replaced: `Delete` (Heat's default) or `Retain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<String>,
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

    /// The attachments of volumes: the server and the volume.
    pub fn attachments(&self) -> impl Iterator<Item = (&str, &str)> {
        let attachments = self.resources.iter();
        let attachments = attachments.filter(|(_, one)| one.kind == ATTACHMENT_TYPE);
        attachments.filter_map(|(resource, _)| {
            let (volume, rest) = resource.strip_prefix("attachment-")?.split_once('_')?;
            let (server, _) = rest.rsplit_once("_R")?;
            Some((server, volume))
        })
    }

    /// Whether the template has any resource of this revision of a server.
    pub fn has_server(&self, server: &str, revision: &Revision) -> bool {
        let mut names = self.resources.keys();
        names.any(|name| belongs_to(name, server, revision))
    }

    /// The server revisions of the template: every server resource, whether the outputs name it or not.
    pub fn server_revisions(&self) -> impl Iterator<Item = (&str, Revision)> {
        let servers = self.resources.iter();
        let servers = servers.filter(|(_, one)| one.kind == SERVER_TYPE);
        servers.filter_map(|(name, _)| {
            let (server, revision) = name.strip_prefix("server_")?.rsplit_once("_R")?;
            Some((server, Revision::from(revision.to_owned())))
        })
    }
}

/// Whether a resource or parameter named `<kind>_<server>_R<revision>` belongs to this revision of this server. The revision alone does not
/// tell: servers with equal definitions have equal revisions.
pub(crate) fn belongs_to(name: &str, server: &str, revision: &Revision) -> bool {
    // no name of a part has an underscore or an upper-case letter, so neither mark is ambiguous
    let rest = name.strip_suffix(revision.as_str());
    let rest = rest.and_then(|rest| rest.strip_suffix("_R"));
    let rest = rest.and_then(|rest| rest.strip_suffix(server));
    rest.is_some_and(|kind| kind.ends_with('_'))
}

/// Collects the names of the resources and parameters that a value refers to.
pub(crate) fn references(value: &Value, names: &mut BTreeSet<String>) {
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
            deletion_policy: None,
            properties,
        }
    }

    /// Keeps the thing when Heat deletes or replaces the resource.
    pub(crate) fn retained(mut self) -> Self {
        self.deletion_policy = Some(RETAIN.to_owned());
        self
    }

    pub(crate) fn after(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.depends_on.extend(names);
        self
    }
}
