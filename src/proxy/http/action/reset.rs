//! `reset`: the connection is reset (RST).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;

/// Resets the client's connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// When.
    pub after: ResetAfter,
    /// With `after: bytes`, how many bytes of the answer's body still come; a body that is shorter comes whole, and is not
    /// counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// When a connection is reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResetAfter {
    /// The request was passed on whole: the upstream may have done its work, and the client does not know.
    #[default]
    Request,
    /// The head of the answer was passed on.
    Headers,
    /// Some bytes of the answer's body were passed on.
    Bytes,
}

impl Reset {
    /// All that is wrong with its settings.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        match (self.after, self.bytes) {
            (ResetAfter::Bytes, None) => {
                vec![Problem::new("after", "`after: bytes` needs to be told how many by `bytes`")]
            }
            (ResetAfter::Request | ResetAfter::Headers, Some(_)) => {
                vec![Problem::new("bytes", "`bytes` goes with `after: bytes` only")]
            }
            (ResetAfter::Bytes, Some(_)) | (ResetAfter::Request | ResetAfter::Headers, None) => Vec::new(),
        }
    }
}
