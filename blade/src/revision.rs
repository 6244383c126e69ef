//! Revisions: which version of a part a resource belongs to.
//!
//! Heat replaces a resource *in place of* the old one and deletes the old one before anybody knows
//! that the new one works. So names carry the revision: what would replace a part makes another
//! name, hence another resource beside the old one.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Digest over what would replace a part, and a generation; 8 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(String);

impl Revision {
    /// Digest over anything with a canonical serialisation (maps sorted by key).
    pub(crate) fn of(content: &serde_json::Value) -> Self {
        Self(hex(content.to_string().as_bytes(), 8))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Revision {
    fn from(digits: String) -> Self {
        Self(digits)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// First `digits` hexadecimal digits of the SHA-256.
pub(crate) fn hex(content: &[u8], digits: usize) -> String {
    let mut text: String = Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    text.truncate(digits);
    text
}
