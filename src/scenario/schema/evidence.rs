//! What is kept of a run beside what it measures itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is read when the run is over, of the functions that are targets and of those of the components that it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvidenceSpec {
    /// Whether their logs are read: counts, ids and kinds of errors are kept, and no message; default true.
    pub logs: bool,
    /// Whether their traces are read; default false.
    pub traces: bool,
    /// Whether CloudWatch's metrics of all targets are read, and those that are signals; default true.
    pub metrics: bool,
}

impl Default for EvidenceSpec {
    fn default() -> Self {
        Self { logs: true, traces: false, metrics: true }
    }
}
