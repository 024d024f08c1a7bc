//! `proxy_latency`: every answer of a proxied dependency comes late.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{DurationText, TargetId};

/// Delays the dependency's answers by `latency` ± `jitter`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyLatency {
    /// The dependency, a `proxy` target.
    pub target: TargetId,
    /// The delay of each answer.
    pub latency: DurationText,
    /// How far the delay may lie from `latency`, evenly spread; default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter: Option<DurationText>,
}
