//! Which fault an event is about.

use serde::{Deserialize, Serialize};

use crate::unit::FaultId;

/// Which fault of the plan an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultIdentity {
    /// The change's id in the plan, unique in a run: `002-slow-provider`. It names the undo file.
    pub step: String,
    /// The fault's name in the scenario, or `route-TARGET` for a route through the proxy.
    pub fault: FaultId,
}

impl FaultIdentity {
    /// Whether it is a route through the proxy.
    #[must_use]
    pub fn is_route(&self) -> bool {
        self.fault.is_route()
    }
}
