//! `proxy_latency`: every answer of a proxied dependency comes late.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, Reach, ToxicChange};
use crate::proxy::{Direction, Distribution, Latency, Toxic};
use crate::unit::{DurationText, Percent, TargetId};

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
    /// How far the delay may lie from `latency`, as `distribution` says; default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"200ms")]
    pub jitter: Option<DurationText>,
    /// How the delays are spread; default `uniform`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
    /// Which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The share of connections that it works on; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity: Option<Percent>,
}

impl ProxyLatency {
    fn reach(&self) -> Reach {
        Reach { direction: self.direction, toxicity: self.toxicity }
    }

    fn distribution(&self) -> Distribution {
        self.distribution.unwrap_or_default()
    }
}

impl Fault for ProxyLatency {
    type Change = ToxicChange;
    const ABOUT: About =
        About { effect: "answers of the dependency come late", undo: toxic::UNDO, blast_radius: toxic::BLAST_RADIUS };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = toxic::CALLS;

    fn objections(&self) -> Vec<Objection> {
        let mut objections = self.reach().objections();
        if self.latency.is_zero() && self.jitter.is_none_or(|jitter| jitter.is_zero()) {
            objections.push(toxic::nothing("latency", "a delay of nothing is no fault"));
        }
        let is_cut_off = match self.distribution() {
            Distribution::Uniform => self.jitter.is_some_and(|jitter| jitter.0 > self.latency.0),
            // A bell's tail below zero is cut off by design, and the other has none.
            Distribution::Normal | Distribution::Pareto => false,
        };
        if is_cut_off {
            let help = "an answer can not come before it is there: raise `latency` or lower `jitter`";
            objections.push(toxic::out_of_range("jitter", "the jitter is larger than the latency", help));
        }
        if self.distribution.is_some() && self.jitter.is_none() {
            let help = "give it a `jitter`, or leave `distribution` out";
            objections.push(toxic::out_of_range("distribution", "without a jitter nothing is spread", help));
        }
        objections
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ToxicChange, FaultError> {
        let jitter = self.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
        let latency = Latency { latency: self.latency.0, jitter, distribution: self.distribution() };
        toxic::prepare(environment, &self.target, self.reach(), Toxic::Latency(latency)).await
    }

    fn text(&self) -> ChangeText {
        let jitter = self.jitter.map(|jitter| format!(" ± {jitter}")).unwrap_or_default();
        let spread = match self.distribution() {
            Distribution::Uniform => "",
            Distribution::Normal => ", normally spread",
            Distribution::Pareto => ", with a long tail",
        };
        let change = match self.direction.unwrap_or_default() {
            Direction::Downstream => {
                format!("delay each answer of `{}` by {}{jitter}{spread}", self.target, self.latency)
            }
            Direction::Upstream => {
                format!("delay each request to `{}` by {}{jitter}{spread}", self.target, self.latency)
            }
        };
        self.reach().share_text(change)
    }

    fn settings(&self) -> Vec<String> {
        self.reach().settings("latency of its answers")
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
