//! Each fault, and how it was detected and answered.

use serde::{Deserialize, Serialize};

use crate::report::metric::Metric;

/// A fault with its times, and how it was detected and answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// The change's id in the plan.
    pub step: String,
    /// The fault's name.
    pub fault: String,
    /// The kind's key.
    pub kind: String,
    /// The target.
    pub target: String,
    /// The change in one line.
    pub change: String,
    /// The undo in one line.
    pub undo: String,
    /// Where its ledger stands.
    pub state: String,
    /// When the injection was asked for.
    pub requested_ms: u64,
    /// When the change was confirmed.
    pub applied_ms: Option<u64>,
    /// When its effect was proven.
    pub effective_ms: Option<u64>,
    /// What proved it.
    pub proof: Option<String>,
    /// When the undo began.
    pub reverting_ms: Option<u64>,
    /// When the undo ended.
    pub ended_ms: Option<u64>,
    /// `restored`, `as_before`, `not_read_back` or `gone`.
    pub end: Option<String>,
    /// The injection's or the undo's error.
    pub error: Option<String>,
    /// Detection and response.
    pub response: Response,
}

/// Detection of and response to one fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// `alarm`, `human`, `inject` or `nobody`; none where there was nothing to detect or nobody to do so.
    pub detected_by: Option<String>,
    /// The expected alarm that came first.
    pub alarm: Option<String>,
    /// When it came, by AWS's clock on the run's.
    pub alarm_ms: Option<u64>,
    /// From the request to the first proven effect.
    pub injection_lag: Metric,
    /// From the effect to its detection.
    pub time_to_detect: Metric,
    /// From the notice, or from the alarm where there was none, to its acknowledgement.
    pub time_to_acknowledge: Metric,
    /// From the effect to the right diagnosis.
    pub time_to_identify: Metric,
    /// From the effect to the first mitigation.
    pub time_to_mitigate: Metric,
    /// From the effect to the signal back in its bounds.
    pub time_to_recover: Metric,
    /// From the undo to the alarm's `OK`.
    pub clear_lag: Metric,
}
