//! `proxy_latency`: every answer of a proxied dependency comes late.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, ToxicChange};
use crate::proxy::{Latency, Toxic};
use crate::unit::{DurationText, TargetId};

/// Delays the dependency's answers by `latency` ± `jitter`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyLatency {
    /// The dependency, a `proxy` target.
    #[schemars(example = &"card-provider")]
    pub target: TargetId,
    /// The delay of each answer.
    #[schemars(example = &"800ms")]
    pub latency: DurationText,
    /// How far the delay may lie from `latency`, evenly spread; default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"200ms")]
    pub jitter: Option<DurationText>,
}

impl Fault for ProxyLatency {
    type Change = ToxicChange;
    const ABOUT: About = About {
        effect: "answers of the dependency come late",
        undo: "the toxic is taken away; the proxy drops it by itself when the run dies",
        blast_radius: "what goes through the proxy, old and new connections",
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = toxic::CALLS;

    fn objections(&self) -> Vec<Objection> {
        let value = |key, message: &str, help: Option<&str>| Objection {
            help: help.map(str::to_owned),
            ..Objection::value(key, "out-of-range", message.to_owned(), "")
        };
        let mut objections = Vec::new();
        if self.latency.is_zero() && self.jitter.is_none_or(|jitter| jitter.is_zero()) {
            objections.push(value("latency", "a delay of nothing is no fault", None));
        }
        if self.jitter.is_some_and(|jitter| jitter.0 > self.latency.0) {
            let help = "an answer can not come before it is there: raise `latency` or lower `jitter`";
            objections.push(value("jitter", "the jitter is larger than the latency", Some(help)));
        }
        objections
    }

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

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
