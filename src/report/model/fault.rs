//! Each fault, and how it was detected and answered.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::metric::Metric;

/// A fault with its times, and how it was detected and answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// What the fault proxy tells of it; none of a fault that no proxy does, or has not done.
    #[serde(default)]
    pub proxy: Option<ProxyEvidence>,
    /// When the undo began.
    pub reverting_ms: Option<u64>,
    /// When the undo ended.
    pub ended_ms: Option<u64>,
    /// `restored`, `as_before`, `not_read_back`, `expired` or `gone`.
    pub end: Option<String>,
    /// The injection's or the undo's error.
    pub error: Option<String>,
    /// Detection and response.
    pub response: Response,
}

/// How often a fault proxy has done a fault, and the delays that it added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProxyEvidence {
    /// How many requests, pieces of a stream or connections it was done to.
    pub applied_count: u64,
    /// The delays that it added, as measured; none where it added none.
    pub delay: Option<AddedDelay>,
    /// In words.
    pub text: String,
}

/// The delays that a fault has added, beside the one that it was told to add.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AddedDelay {
    /// What it was told to add, in milliseconds, where that is one delay.
    pub asked_ms: Option<f64>,
    /// How far a delay may lie from it, in milliseconds; none where it has no jitter.
    pub jitter_ms: Option<f64>,
    /// How many delays there were.
    pub count: u64,
    /// Their 50th percentile, in milliseconds.
    pub p50_ms: f64,
    /// Their 99th percentile, in milliseconds.
    pub p99_ms: f64,
    /// The longest, in milliseconds.
    pub max_ms: f64,
    /// Of them those above 120 s, which the percentiles take for 120 s.
    pub over_count: u64,
}

/// Detection of and response to one fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Response {
    /// `alarm`, `human`, `inject` (a message came first), `hint` (one was given, or the fault revealed) or `nobody`; none where there was nothing to detect or nobody to do so.
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
