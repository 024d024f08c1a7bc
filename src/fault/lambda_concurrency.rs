//! `lambda_concurrency`: sets a function's reserved concurrency, so that Lambda throttles what is above it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::TargetId;

/// Sets reserved concurrency. AWS: 0 stops all invocations (PutFunctionConcurrency); callers see 429.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaConcurrency {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// How many invocations may run at once; 0 throttles all.
    pub reserved: u32,
}
