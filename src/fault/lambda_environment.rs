//! `lambda_environment`: sets or takes away environment variables of a function.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Variables;
use crate::unit::TargetId;

/// Changes single variables; all others stay as they are, although AWS replaces the whole map
/// (UpdateFunctionConfiguration).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaEnvironment {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// Variables to set, by name.
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub set: Variables,
    /// Variables to take away.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unset: BTreeSet<String>,
}
