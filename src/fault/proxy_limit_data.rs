//! `proxy_limit_data`: connections to a proxied dependency close after a number of bytes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, Reach, ToxicChange};
use crate::proxy::{Direction, LimitData, Toxic};
use crate::unit::{Percent, TargetId};

/// Lets `bytes` pass in each connection, then closes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyLimitData {
    /// The dependency, a `proxy` target.
    #[schemars(example = &"card-provider")]
    pub target: TargetId,
    /// How many bytes pass.
    pub bytes: u64,
    /// Which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The share of connections that it works on; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity: Option<Percent>,
}

impl ProxyLimitData {
    fn reach(&self) -> Reach {
        Reach { direction: self.direction, toxicity: self.toxicity }
    }
}

impl Fault for ProxyLimitData {
    type Change = ToxicChange;
    const ABOUT: About = About {
        effect: "connections to the dependency close after a number of bytes",
        undo: toxic::UNDO,
        blast_radius: toxic::BLAST_RADIUS,
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = toxic::CALLS;

    fn objections(&self) -> Vec<Objection> {
        self.reach().objections()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ToxicChange, FaultError> {
        let toxic = Toxic::LimitData(LimitData { bytes: self.bytes });
        toxic::prepare(environment, &self.target, self.reach(), toxic).await
    }

    fn text(&self) -> ChangeText {
        self.reach().text(format!("close each connection to `{}` after {} bytes", self.target, self.bytes))
    }

    fn settings(&self) -> Vec<String> {
        self.reach().settings("limit of its bytes")
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
