//! `truncate`: the answer's body breaks off.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Closes the connection after so many bytes of the answer's body; its head still promises all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Truncate {
    /// Bytes of the body, as they go over the wire, that still come; a shorter body comes whole, and is not counted.
    pub bytes: u64,
}
