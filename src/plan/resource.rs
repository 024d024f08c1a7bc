//! What a change works on: two targets may be the same function, and two faults the same setting of it.

use std::collections::BTreeSet;

use super::types::{ChangePlan, Plan, TargetPlan};
use crate::unit::TargetId;

impl Plan {
    /// What a target is in the environment, in words: changes to the same thing are made and undone one at a time.
    #[must_use]
    pub fn resource(&self, target: &TargetId) -> String {
        match self.targets.get(target) {
            Some(TargetPlan::Lambda { function, .. }) => format!("function `{function}`"),
            Some(TargetPlan::Resource(resource)) => resource.to_string(),
            Some(TargetPlan::RemoteProxy { at, .. }) => format!("proxy `{}` at {}", at.name, at.admin),
            Some(TargetPlan::Proxy(_)) | None => format!("proxy `{target}`"),
        }
    }

    /// The targets that loads invoke or send to.
    #[must_use]
    pub fn called_targets(&self) -> BTreeSet<TargetId> {
        let calls = self.loads.values().flat_map(|load| load.calls());
        calls.filter_map(|(_, step)| step.callee().cloned()).collect()
    }

    /// Whether a load or a signal names the target's URL: `${orders.url}`.
    #[must_use]
    pub fn uses_url(&self, target: &TargetId) -> bool {
        let texts = serde_json::to_string(&(&self.loads, &self.signals)).unwrap_or_default();
        texts.contains(&format!("${{{target}.url}}"))
    }
}

impl ChangePlan {
    /// The settings that it changes, in words; none for a kind that cannot be read.
    #[must_use]
    pub fn settings(&self) -> Vec<String> {
        self.spec.kind().map(|kind| kind.settings()).unwrap_or_default()
    }
}
