//! The path of an input or of a result: relative, and never out of its directory.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const LONGEST: usize = 1024;
const LONGEST_PART: usize = 255;

/// A file's path below a run's inputs or results, such as `samples/first.json`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(with = "String")
)]
pub struct FilePath(String);

/// Why something is no such path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is no path of a file of a run: {reason}")]
pub struct FilePathError {
    /// What was given.
    pub path: String,
    /// What is wrong with it.
    pub reason: Cow<'static, str>,
}

impl FilePath {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<Path> for FilePath {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}

impl FromStr for FilePath {
    type Err = FilePathError;

    fn from_str(path: &str) -> Result<Self, FilePathError> {
        Self::try_from(path.to_owned())
    }
}

impl TryFrom<String> for FilePath {
    type Error = FilePathError;

    fn try_from(path: String) -> Result<Self, FilePathError> {
        let refuse = |reason: Cow<'static, str>| FilePathError {
            path: path.clone(),
            reason,
        };
        if path.is_empty() {
            return Err(refuse("it is empty".into()));
        }
        if path.len() > LONGEST {
            return Err(refuse(format!("it is longer than {LONGEST} bytes").into()));
        }
        if path.starts_with('/') {
            return Err(refuse("it is absolute".into()));
        }
        if path.chars().any(char::is_control) {
            return Err(refuse("it has a control character".into()));
        }
        for part in path.split('/') {
            match part {
                "" => return Err(refuse("it has an empty part".into())),
                "." | ".." => return Err(refuse(format!("it has the part {part:?}").into())),
                _ if part.len() > LONGEST_PART => {
                    return Err(refuse(
                        format!("a part of it is longer than {LONGEST_PART} bytes").into(),
                    ));
                }
                _ => {}
            }
        }
        Ok(Self(path))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may stop at once")]
mod tests {
    use super::*;

    #[test]
    fn what_could_leave_its_directory_is_no_path() {
        let table = [
            ("", "it is empty"),
            ("/etc/passwd", "it is absolute"),
            ("../secret", "it has the part \"..\""),
            ("a/../../b", "it has the part \"..\""),
            ("./a", "it has the part \".\""),
            ("a//b", "it has an empty part"),
            ("a/", "it has an empty part"),
            ("a\nb", "it has a control character"),
        ];
        for (path, reason) in table {
            let error = path.parse::<FilePath>().unwrap_err();
            assert_eq!(error.reason, reason, "{path:?}");
        }
        assert!("x".repeat(256).parse::<FilePath>().is_err());
        for good in ["a", "a/b.json", "..a", "résultat final.csv"] {
            assert_eq!(good.parse::<FilePath>().unwrap().as_str(), good);
        }
    }
}
