//! `proxy_timeout`: a proxied dependency goes silent; connections stay open and nothing comes back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{DurationText, TargetId};

/// Swallows all data of the dependency's connections: a black hole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyTimeout {
    /// The dependency, a `proxy` target.
    pub target: TargetId,
    /// After this the connection is closed; default never, while the fault lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
}
