//! Tokens: made at random, shown once, kept as a hash.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// What a token starts with, so that scanners of leaked secrets know it.
const PREFIX: &str = "mkys_";

/// A new token.
///
/// # Errors
///
/// When the system gives no random bytes.
pub fn generate() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes)))
}

/// What is kept of it. A token has 256 random bits, so one round of a hash is enough: there is no
/// dictionary to try.
pub fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_their_hash_does_not_show_them() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.len(), PREFIX.len() + 43);
        assert_eq!(hash(&one).len(), 32);
        assert_ne!(hash(&one), hash(&other));
    }
}
