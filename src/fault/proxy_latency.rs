//! `proxy_latency`: every answer of a proxied dependency comes late.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::toxic::{self, ToxicChange};
use crate::proxy::{Latency, Toxic};
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

impl Fault for ProxyLatency {
    type Change = ToxicChange;
    const CALLS: &'static [&'static str] = toxic::CALLS;

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ToxicChange, FaultError> {
        let jitter = self.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
        toxic::prepare(environment, &self.target, Toxic::Latency(Latency { latency: self.latency.0, jitter })).await
    }

    fn text(&self) -> ChangeText {
        let jitter = self.jitter.map(|jitter| format!(" ± {jitter}")).unwrap_or_default();
        ChangeText {
            change: format!("delay each answer of `{}` by {}{jitter}", self.target, self.latency),
            undo: "take the toxic away".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec!["latency of its answers".to_owned()]
    }
}
