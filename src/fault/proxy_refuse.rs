//! `proxy_refuse`: a proxied dependency refuses new connections; those that are open go on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::proxy_standing::{self, StandingChange};
use super::switch::Cover;
use super::target::TargetNeed;
use crate::proxy::ProxyStanding;
use crate::unit::TargetId;

/// Refuses new connections to the dependency, as a server does whose backlog is full or which restarts behind a balancer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyRefuse {
    /// The dependency, a `proxy` target.
    #[schemars(example = &"card-provider")]
    pub target: TargetId,
}

impl Fault for ProxyRefuse {
    type Change = StandingChange;
    const ABOUT: About = About {
        effect: "new connections to the dependency are refused; open ones go on",
        undo: "the proxy listens again; it does so by itself when the run dies",
        blast_radius: "new connections through the proxy",
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const CALLS: Calls = proxy_standing::CALLS;

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<StandingChange, FaultError> {
        proxy_standing::prepare(environment, &self.target, ProxyStanding::Refusing).await
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("refuse new connections to `{}`", self.target),
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
