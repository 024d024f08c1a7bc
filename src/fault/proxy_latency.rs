//! `proxy_latency`: answers of a proxied dependency come late.

use std::time::Duration;

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::proxy_change::{self, ProxyChange};
use super::rule::{self, rule_fault};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, Reach};
use crate::proxy::http::{self, Action};
use crate::proxy::{Direction, Distribution, Latency, Toxic};
use crate::unit::{DurationText, Percent};

rule_fault! {
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
        /// On whole connections, which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub direction: Option<Direction>,
        /// On whole connections, the share of them that it works on; default all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub toxicity: Option<Percent>,
    }
}

impl ProxyLatency {
    fn is_on_requests(&self) -> bool {
        !self.scope().is_everything()
    }

    fn reach(&self) -> Reach {
        Reach { direction: self.direction, toxicity: self.toxicity }
    }

    fn distribution(&self) -> Distribution {
        self.distribution.unwrap_or_default()
    }

    fn action(&self) -> Action {
        Action::Latency(http::Latency { latency: self.latency, jitter: self.jitter })
    }
}

impl Fault for ProxyLatency {
    type Change = ProxyChange;
    const ABOUT: About = About {
        effect: "answers of the dependency come late",
        undo: proxy_change::UNDO,
        blast_radius: proxy_change::BLAST_RADIUS,
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = proxy_change::CALLS;

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
        if self.is_on_requests() {
            objections.extend(proxy_change::both(self.reach()));
            if self.distribution.is_some() {
                objections.push(proxy_change::of_connections("distribution"));
            }
        }
        if objections.is_empty() && self.is_on_requests() {
            return rule::objections(&self.scope(), self.action());
        }
        objections
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ProxyChange, FaultError> {
        if self.is_on_requests() {
            let prepared = rule::prepare(environment, &self.target, &self.scope(), self.action()).await;
            return prepared.map(|change| ProxyChange::Rule(Box::new(change)));
        }
        let jitter = self.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
        let toxic = Toxic::Latency(Latency { latency: self.latency.0, jitter, distribution: self.distribution() });
        toxic::prepare(environment, &self.target, self.reach(), toxic).await.map(ProxyChange::Toxic)
    }

    fn text(&self) -> ChangeText {
        let jitter = self.jitter.map(|jitter| format!(" ± {jitter}")).unwrap_or_default();
        if self.is_on_requests() {
            let requests = self.scope().text(&self.target);
            let change = format!("delay the answers to {requests} by {}{jitter}", self.latency);
            return ChangeText { change, undo: "take the rule away".to_owned() };
        }
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
        match self.is_on_requests() {
            true => vec![self.scope().setting("latency of its answers")],
            false => self.reach().settings("latency of its answers"),
        }
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
