//! `proxy_down`: a proxied dependency is down: nobody listens, and what was open is closed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::proxy_standing::{self, StandingChange};
use super::switch::Cover;
use super::target::TargetNeed;
use crate::proxy::ProxyStanding;
use crate::unit::TargetId;

/// Takes the dependency away: its connections are closed, and new ones are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyDown {
    /// The dependency, a `proxy` target.
    #[schemars(example = &"card-provider")]
    pub target: TargetId,
}

impl Fault for ProxyDown {
    type Change = StandingChange;
    const ABOUT: About = About {
        effect: "connections to the dependency are closed, and new ones refused",
        undo: "the proxy listens again; it does so by itself when the run dies",
        blast_radius: "what goes through the proxy, old and new connections",
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = proxy_standing::CALLS;

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<StandingChange, FaultError> {
        proxy_standing::prepare(environment, &self.target, ProxyStanding::Down).await
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("close every connection to `{}`, and refuse new ones", self.target),
            undo: "let the proxy listen again".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec!["whether it can be reached".to_owned()]
    }

    fn cover(&self) -> Cover {
        proxy_standing::COVER
    }
}
