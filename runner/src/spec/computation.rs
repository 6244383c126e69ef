//! A computation: one run of a published code on given inputs, whose result is given back.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use mkys_init::FilePath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Container, Input, RunName, SpecError, duration};

/// A computation. Its command reads its inputs from `/mkys/in` and leaves its results in `/mkys/out`.
///
/// ```
/// use jiff::SignedDuration;
/// use mkys_runner::{Computation, Container, Input};
///
/// let computation = Computation::builder()
///     .name("sample-42".parse()?)
///     .container(
///         Container::builder()
///             .image("registry.example.org/kdpp:1.0".parse()?)
///             .command(["kdpp", "--seed", "42", "/mkys/in/points.csv", "/mkys/out/sample.json"])
///             .build(),
///     )
///     .inputs([("points.csv".parse()?, Input::from("0,0\n1,1\n"))].into())
///     .results(vec!["sample.json".parse()?])
///     .deadline(SignedDuration::from_mins(10))
///     .build();
/// computation.check()?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, bon::Builder)]
#[serde(deny_unknown_fields)]
#[schemars(
    description = "A computation: one run of a published code on given inputs, whose result is given back."
)]
pub struct Computation {
    /// Its name.
    pub name: RunName,
    /// Its container.
    pub container: Container,
    /// Its inputs, by their paths below `/mkys/in`.
    #[serde(
        default,
        skip_serializing_if = "BTreeMap::is_empty",
        deserialize_with = "super::unique::deserialize"
    )]
    #[schemars(with = "BTreeMap<FilePath, Input>")]
    #[builder(default)]
    pub inputs: BTreeMap<FilePath, Input>,
    /// The paths of its results below `/mkys/out`. It is a success only if all of them are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[builder(default)]
    pub results: Vec<FilePath>,
    /// How long it may run, such as `10m`; one hour by default.
    #[serde(default = "hour", with = "duration")]
    #[schemars(with = "String")]
    #[builder(default = hour())]
    pub deadline: SignedDuration,
}

/// The most bytes of the names of all results.
const LONGEST_NAMES: usize = 256 * 1024;

fn hour() -> SignedDuration {
    SignedDuration::from_hours(1)
}

impl Computation {
    /// Finds fault with it, before anything is started.
    ///
    /// # Errors
    ///
    /// [`SpecError`] with the field and what is wrong with it.
    pub fn check(&self) -> Result<(), SpecError> {
        let Self {
            name: _,
            container,
            inputs,
            results,
            deadline,
        } = self;
        container.check()?;
        super::check_duration("deadline", *deadline)?;
        super::check_tree("inputs", inputs.keys())?;
        // they are asked for in one message
        let names: usize = results.iter().map(|path| path.as_str().len()).sum();
        if names > LONGEST_NAMES {
            let reason =
                format!("their names have {names} bytes; together they may have {LONGEST_NAMES}");
            return Err(SpecError::new("results", reason));
        }
        super::check_tree("results", results)
    }
}
