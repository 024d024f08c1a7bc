//! `proxy_reset`: connections to a proxied dependency are reset.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, Reach, ToxicChange};
use crate::proxy::{Direction, ResetPeer, Toxic};
use crate::unit::{DurationText, Percent, TargetId};

/// Answers the next data of each connection with a reset, which both sides see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyReset {
    /// The dependency, a `proxy` target.
    #[schemars(example = &"card-provider")]
    pub target: TargetId,
    /// How long after the data the reset comes; default at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<DurationText>,
    /// Which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The share of connections that it works on; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity: Option<Percent>,
}

impl ProxyReset {
    fn reach(&self) -> Reach {
        Reach { direction: self.direction, toxicity: self.toxicity }
    }
}

impl Fault for ProxyReset {
    type Change = ToxicChange;
    const ABOUT: About = About {
        effect: "connections to the dependency are reset",
        undo: toxic::UNDO,
        blast_radius: toxic::BLAST_RADIUS,
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = toxic::CALLS;

    fn objections(&self) -> Vec<Objection> {
        self.reach().objections()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ToxicChange, FaultError> {
        let timeout = self.after.map_or(Duration::ZERO, |after| after.0);
        let toxic = Toxic::ResetPeer(ResetPeer { timeout });
        toxic::prepare(environment, &self.target, self.reach(), toxic).await
    }

    fn text(&self) -> ChangeText {
        let after = self.after.map(|after| format!(" {after} after its next data")).unwrap_or_default();
        self.reach().text(format!("reset each connection to `{}`{after}", self.target))
    }

    fn settings(&self) -> Vec<String> {
        self.reach().settings("reset of its connections")
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
