//! `proxy_timeout`: a proxied dependency goes silent; connections stay open and nothing comes back.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, Reach, ToxicChange};
use crate::proxy::{Direction, Timeout, Toxic};
use crate::unit::{DurationText, Percent, TargetId};

/// Swallows all data of the dependency's connections: a black hole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyTimeout {
    /// The dependency, a `proxy` target.
    #[schemars(example = &"card-provider")]
    pub target: TargetId,
    /// After this the connection is closed; default never, while the fault lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"30s")]
    pub timeout: Option<DurationText>,
    /// Which way it works: `downstream`, from the dependency, is the default; `upstream` is towards it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// The share of connections that it works on; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub toxicity: Option<Percent>,
}

impl ProxyTimeout {
    fn reach(&self) -> Reach {
        Reach { direction: self.direction, toxicity: self.toxicity }
    }
}

impl Fault for ProxyTimeout {
    type Change = ToxicChange;
    const ABOUT: About = About {
        effect: "connections to the dependency stay open, and nothing comes back",
        undo: toxic::UNDO,
        blast_radius: toxic::BLAST_RADIUS,
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = toxic::CALLS;

    fn objections(&self) -> Vec<Objection> {
        self.reach().objections()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ToxicChange, FaultError> {
        let timeout = self.timeout.map_or(Duration::ZERO, |timeout| timeout.0);
        toxic::prepare(environment, &self.target, self.reach(), Toxic::Timeout(Timeout { timeout })).await
    }

    fn text(&self) -> ChangeText {
        let close = self.timeout.map(|timeout| format!(", and close them after {timeout}")).unwrap_or_default();
        self.reach().text(format!("swallow all data of connections to `{}`{close}", self.target))
    }

    fn settings(&self) -> Vec<String> {
        self.reach().settings("whether it answers")
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
