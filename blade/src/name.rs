//! Names that can only be valid: of a blade, and of a blade's parts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest name of a blade, in characters. Heat takes 255 for a stack; a server's host name is
/// `<blade>-<server>` and has to stay a DNS label (63).
const BLADE_MAX: usize = 32;
/// Longest name of a part.
const PART_MAX: usize = 24;

/// Name of a blade: also the name of its project and of its Heat stack.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BladeName(String);

/// Name of a network, server, service or volume inside a blade. It has no underscore and no
/// upper-case letter, so that `<kind>_<name>_R<revision>` in a template can be taken apart again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PartName(String);

fn check(name: &str, max: usize) -> Result<(), String> {
    let rule = || {
        format!(
            "use lower-case letters, digits and hyphens, a letter first, no hyphen last, \
             at most {max} characters"
        )
    };
    let first = name.chars().next().is_some_and(|c| c.is_ascii_lowercase());
    let rest = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if first && rest && name.len() <= max && !name.ends_with('-') {
        Ok(())
    } else {
        Err(format!(
            "{name:?} is not a name that Heat and DNS both take: {}",
            rule()
        ))
    }
}

macro_rules! name {
    ($type:ident, $max:expr) => {
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(name: String) -> Result<Self, String> {
                check(&name, $max).map(|()| Self(name))
            }
        }

        impl TryFrom<&str> for $type {
            type Error = String;

            fn try_from(name: &str) -> Result<Self, String> {
                Self::try_from(name.to_owned())
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(BladeName, BLADE_MAX);
name!(PartName, PART_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_heat_or_dns_refuse_are_refused() {
        for bad in [
            "", "1web", "Web", "web_1", "web.1", "-web", "web-", "wéb", "a/b", "a b",
        ] {
            assert!(PartName::try_from(bad).is_err(), "{bad:?}");
            assert!(BladeName::try_from(bad).is_err(), "{bad:?}");
        }
        assert!(PartName::try_from("a".repeat(25)).is_err());
        assert!(BladeName::try_from("a".repeat(33)).is_err());
    }

    #[test]
    fn ordinary_names_pass() {
        for good in ["a", "web", "web-1", "automathon"] {
            assert!(PartName::try_from(good).is_ok(), "{good:?}");
            assert!(BladeName::try_from(good).is_ok(), "{good:?}");
        }
    }
}
