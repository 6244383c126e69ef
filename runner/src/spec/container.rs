//! What computations and sessions have in common: the container.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Image, Placement, Resources, SecretName, SpecError, Variable, duration};

/// A user that images of no distribution have, and that nothing on a host belongs to.
const NOBODY: u32 = 65_532;

/// A run's container. Whatever the image says, it runs as a user that is not root, without privileges and capabilities, on a
/// file system that can't be written except for `/mkys/out`, `/tmp` and `/dev/shm`, and reaches nothing outside unless `egress` says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, bon::Builder)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// The image.
    pub image: Image,
    /// The command with its arguments, in place of the image's ENTRYPOINT and CMD; these if it is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[builder(default, with = |words: impl IntoIterator<Item = impl Into<String>>| words.into_iter().map(Into::into).collect())]
    pub command: Vec<String>,
    /// Environment variables beside the image's. `HOME` is `/tmp` unless it is given here. What must stay secret belongs in `secrets`.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "super::unique::deserialize"
    )]
    #[schemars(with = "BTreeMap<Variable, String>")]
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

/// The most bytes of an argument, or of a variable with its name, that Linux gives a program (`MAX_ARG_STRLEN`, with the zero at the end:
/// execve(2)).
const LONGEST_WORD: usize = 131_071;
/// The most bytes of all of them together. Linux allows a quarter of the stack's limit, mostly 2 MiB, and the image has variables as well.
const LONGEST_WORDS: usize = 1024 * 1024;
/// The last number of a user that container engines know.
const LAST_USER: u32 = i32::MAX.unsigned_abs();

fn check_lengths(command: &[String], env: &BTreeMap<Variable, String>) -> Result<(), SpecError> {
    let too_long = |field: String, length: usize, most: usize| {
        SpecError::new(
            field,
            format!("{length} bytes are more than a program can be given, {most}"),
        )
    };
    let mut sum = 0;
    for (number, word) in command.iter().enumerate() {
        if word.len() > LONGEST_WORD {
            let field = format!("container.command[{number}]");
            return Err(too_long(field, word.len(), LONGEST_WORD));
        }
        sum += word.len() + 1;
    }
    for (name, value) in env {
        let length = name.as_str().len() + 1 + value.len();
        if length > LONGEST_WORD {
            let field = format!("container.env.{name}");
            return Err(too_long(field, length, LONGEST_WORD));
        }
        sum += length + 1;
    }
    if sum > LONGEST_WORDS {
        let field = "container.command and container.env".to_owned();
        return Err(too_long(field, sum, LONGEST_WORDS));
    }
    Ok(())
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
        if *user > LAST_USER {
            return Err(SpecError::new(
                "container.user",
                format!("{user} is more than the most, {LAST_USER}"),
            ));
        }
        if command.first().is_some_and(String::is_empty) {
            return Err(SpecError::new(
                "container.command",
                "its first word, the program, is empty",
            ));
        }
        check_lengths(command, env)?;
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
