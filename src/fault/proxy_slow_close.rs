//! `proxy_slow_close`: connections to a proxied dependency close late.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, Reach, ToxicChange};
use crate::proxy::{Direction, SlowClose, Toxic};
use crate::unit::{DurationText, Percent, TargetId};

/// Delays the end of each connection; data passes untouched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxySlowClose {
    /// The dependency, a `proxy` target.
    #[schemars(example = &"card-provider")]
    pub target: TargetId,
    /// How much later the end comes.
    pub delay: DurationText,
    /// Which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The share of connections that it works on; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity: Option<Percent>,
}

impl ProxySlowClose {
    fn reach(&self) -> Reach {
        Reach { direction: self.direction, toxicity: self.toxicity }
    }
}

impl Fault for ProxySlowClose {
    type Change = ToxicChange;
    const ABOUT: About = About {
        effect: "connections to the dependency close late",
        undo: toxic::UNDO,
        blast_radius: toxic::BLAST_RADIUS,
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = toxic::CALLS;

    fn objections(&self) -> Vec<Objection> {
        let mut objections = self.reach().objections();
        if self.delay.is_zero() {
            objections.push(toxic::nothing("delay", "a delay of nothing is no fault"));
        }
        objections
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ToxicChange, FaultError> {
        let toxic = Toxic::SlowClose(SlowClose { delay: self.delay.0 });
        toxic::prepare(environment, &self.target, self.reach(), toxic).await
    }

    fn text(&self) -> ChangeText {
        self.reach().text(format!("delay the end of each connection to `{}` by {}", self.target, self.delay))
    }

    fn settings(&self) -> Vec<String> {
        self.reach().settings("end of its connections")
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
