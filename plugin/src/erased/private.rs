//! Private state: JSON in a wrapper that says how it is written, so that this can change one day.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostics;

const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Wrapper<P> {
    v: u8,
    data: P,
}

/// Reads private state; there is none at first.
pub(super) fn read<P: DeserializeOwned + Default>(bytes: &[u8]) -> Result<P, Diagnostics> {
    if bytes.is_empty() {
        return Ok(P::default());
    }
    let wrapper: Wrapper<P> = serde_json::from_slice(bytes).map_err(|error| {
        Diagnostics::error("The private state cannot be read", error.to_string())
    })?;
    if wrapper.v == VERSION {
        Ok(wrapper.data)
    } else {
        let detail = format!("Its form is {}, this provider knows {VERSION}.", wrapper.v);
        Err(Diagnostics::error(
            "The private state was written by a newer provider",
            detail,
        ))
    }
}

/// Writes private state.
pub(super) fn write<P: Serialize>(data: P) -> Result<Vec<u8>, Diagnostics> {
    Ok(serde_json::to_vec(&Wrapper { v: VERSION, data })?)
}
