//! `proxy_timeout`: a proxied dependency goes silent; connections stay open and nothing comes back.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic::{self, ToxicChange};
use crate::proxy::{Timeout, Toxic};
use crate::unit::{DurationText, TargetId};

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
}

impl Fault for ProxyTimeout {
    type Change = ToxicChange;
    const ABOUT: About = About {
        effect: "connections to the dependency stay open, and nothing comes back",
        undo: "the toxic is taken away; the proxy drops it by itself when the run dies",
        blast_radius: "what goes through the proxy, old and new connections",
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = toxic::CALLS;

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ToxicChange, FaultError> {
        let timeout = self.timeout.map_or(Duration::ZERO, |timeout| timeout.0);
        toxic::prepare(environment, &self.target, Toxic::Timeout(Timeout { timeout })).await
    }

    fn text(&self) -> ChangeText {
        let close = self.timeout.map(|timeout| format!(", and close them after {timeout}")).unwrap_or_default();
        ChangeText {
            change: format!("swallow all data of connections to `{}`{close}", self.target),
            undo: "take the toxic away".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec!["whether it answers".to_owned()]
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}
