//! `lambda_timeout`: shortens the time after which Lambda kills an invocation, for real timeouts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{DurationText, TargetId};

/// Sets a function's timeout. AWS: whole seconds, 1 to 900 (UpdateFunctionConfiguration).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaTimeout {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// The timeout while the fault lasts, in whole seconds.
    pub timeout: DurationText,
}
