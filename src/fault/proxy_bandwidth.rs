//! `proxy_bandwidth`: a proxied dependency's bytes come slowly.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, Reach, ToxicChange};
use crate::proxy::{Bandwidth, Direction, Toxic};
use crate::unit::{ByteRate, Percent, TargetId};

/// Lets no more than `rate` pass in each connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyBandwidth {
    /// The dependency, a `proxy` target.
    #[schemars(example = &"card-provider")]
    pub target: TargetId,
    /// How much passes in a second: `100KB/s`. Nothing at all is `proxy_timeout`.
    pub rate: ByteRate,
    /// Which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The share of connections that it works on; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity: Option<Percent>,
}

impl ProxyBandwidth {
    fn reach(&self) -> Reach {
        Reach { direction: self.direction, toxicity: self.toxicity }
    }
}

impl Fault for ProxyBandwidth {
    type Change = ToxicChange;
    const ABOUT: About = About {
        effect: "bytes of the dependency come no faster than a rate",
        undo: toxic::UNDO,
        blast_radius: toxic::BLAST_RADIUS,
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = toxic::CALLS;

    fn objections(&self) -> Vec<Objection> {
        self.reach().objections()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ToxicChange, FaultError> {
        let toxic = Toxic::Bandwidth(Bandwidth { rate: self.rate.kilobytes() });
        toxic::prepare(environment, &self.target, self.reach(), toxic).await
    }

    fn text(&self) -> ChangeText {
        self.reach().text(format!("let {} of `{}` pass in each connection", self.rate, self.target))
    }

    fn settings(&self) -> Vec<String> {
        self.reach().settings("bandwidth")
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
