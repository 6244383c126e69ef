//! Short texts that can only be valid: checked once, when they are read.

use std::borrow::Cow;

/// Why a text is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: {reason}")]
pub struct TextError {
    /// What it should have been.
    pub what: &'static str,
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

/// Makes a type of a text and of the function that finds fault with it.
macro_rules! text {
    ($(#[$about:meta])* $name:ident, $what:literal, $fault:path) => {
        $(#[$about])*
        #[derive(
            Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
        )]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// As it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::spec::TextError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                match $fault(&text) {
                    None => Ok(Self(text)),
                    Some(reason) => Err($crate::spec::TextError { what: $what, text, reason }),
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::spec::TextError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

pub(crate) use text;
