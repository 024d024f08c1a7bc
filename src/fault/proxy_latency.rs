//! `proxy_latency`: answers of a proxied dependency come late.

use std::time::Duration;

use super::about::Objection;
use super::change::{ChangeText, Fault};
use super::proxy_change::{Aim as _, Either, as_either, either_fault};
use super::toxic;
use crate::proxy::http::{self, Action};
use crate::proxy::{Direction, Distribution, Latency, Toxic};
use crate::unit::DurationText;

either_fault! {
    /// Delays the dependency's answers by `latency` ± `jitter`. With `match`, `percentage`, `when` or `max_affected` it works on
    /// single requests, for which the proxy must speak `http`.
    pub struct ProxyLatency {
        /// The delay of each answer.
        #[schemars(example = &"800ms")]
        pub latency: DurationText,
        /// How far the delay may lie from `latency`, as `distribution` says; default none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(example = &"200ms")]
        pub jitter: Option<DurationText>,
        /// On whole connections, how the delays are spread; default `uniform`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub distribution: Option<Distribution>,
    }
}

impl ProxyLatency {
    fn distribution(&self) -> Distribution {
        self.distribution.unwrap_or_default()
    }

    fn delay(&self) -> String {
        let jitter = self.jitter.map(|jitter| format!(" ± {jitter}")).unwrap_or_default();
        format!("{}{jitter}", self.latency)
    }
}

impl Either for ProxyLatency {
    fn said_of_connections(&self) -> Vec<&'static str> {
        self.distribution.map(|_| "distribution").into_iter().collect()
    }

    fn own_objections(&self) -> Vec<Objection> {
        let mut objections = Vec::new();
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

    fn toxic(&self) -> Toxic {
        let jitter = self.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
        Toxic::Latency(Latency { latency: self.latency.0, jitter, distribution: self.distribution() })
    }

    fn action(&self) -> Action {
        Action::Latency(http::Latency { latency: self.latency, jitter: self.jitter })
    }

    fn toxic_words(&self) -> ChangeText {
        let (target, delay) = (&self.target, self.delay());
        let spread = match self.distribution() {
            Distribution::Uniform => "",
            Distribution::Normal => ", normally spread",
            Distribution::Pareto => ", with a long tail",
        };
        self.reach().share_text(match self.direction.unwrap_or_default() {
            Direction::Downstream => format!("delay each answer of `{target}` by {delay}{spread}"),
            Direction::Upstream => format!("delay each request to `{target}` by {delay}{spread}"),
        })
    }

    fn rule_words(&self, requests: &str) -> String {
        format!("delay the answers to {requests} by {}", self.delay())
    }
}

impl Fault for ProxyLatency {
    as_either!("answers of the dependency come late", "latency of its answers");
}
