//! What computations and sessions have in common: the container.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, Placement, Resources, SecretName, SpecError, Variable, duration};

/// A user that images of no distribution have, and that nothing on a host belongs to.
const NOBODY: u32 = 65_532;

/// A run's container. Whatever the image says, it runs as a user that is not root, without privileges and capabilities, on a
/// file system that can't be written except for `/mkys` and `/tmp`, and reaches nothing outside unless `egress` says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, bon::Builder)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// The image.
    pub image: Image,
    /// The command with its arguments; the image's own if it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[builder(default, with = |words: impl IntoIterator<Item = impl Into<String>>| words.into_iter().map(Into::into).collect())]
    pub command: Vec<String>,
    /// Environment variables beside the image's. What must stay secret belongs in `secrets`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[builder(default)]
    pub env: BTreeMap<Variable, String>,
    /// Secrets that the executor keeps: each is a directory `/mkys/secrets/<name>` with a file for each of its keys.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[builder(default)]
    pub secrets: BTreeSet<SecretName>,
    /// What it may take of the machine.
    #[serde(default)]
    #[builder(default)]
    pub resources: Resources,
    /// The number of the user it runs as; 65532 by default, never 0.
    #[serde(default = "nobody")]
    #[builder(default = NOBODY)]
    pub user: u32,
    /// Whether it may reach out into the network.
    #[serde(default)]
    #[builder(default)]
    pub egress: bool,
    /// How long it may wait before it runs, for its image and for a machine that has room, such as `10m`, which is the default.
    #[serde(default = "ten_minutes", with = "duration")]
    #[schemars(with = "String")]
    #[builder(default = ten_minutes())]
    pub starts_within: SignedDuration,
    /// Where on a cluster it is put.
    #[serde(default, skip_serializing_if = "is_default")]
    #[builder(default)]
    pub placement: Placement,
}

fn nobody() -> u32 {
    NOBODY
}

const fn ten_minutes() -> SignedDuration {
    SignedDuration::from_mins(10)
}

fn is_default(placement: &Placement) -> bool {
    *placement == Placement::default()
}

impl Container {
    pub(super) fn check(&self) -> Result<(), SpecError> {
        let Self {
            image: _,
            command,
            env,
            secrets: _,
            resources,
            user,
            egress: _,
            starts_within,
            placement,
        } = self;
        if *user == 0 {
            return Err(SpecError::new("container.user", "a run is never root"));
        }
        if command.first().is_some_and(String::is_empty) {
            return Err(SpecError::new(
                "container.command",
                "its first word, the program, is empty",
            ));
        }
        let texts = command.iter().chain(env.values());
        if texts.into_iter().any(|text| text.contains('\0')) {
            return Err(SpecError::new(
                "container",
                "no argument and no variable can hold a zero byte",
            ));
        }
        super::check_duration("container.starts_within", *starts_within)?;
        placement.check()?;
        resources.check()
    }
}
