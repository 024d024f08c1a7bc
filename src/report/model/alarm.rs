//! Each alarm: whether it was expected, whether it came, and whether it went.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::metric::Metric;

/// An alarm over the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alarm {
    /// Its name.
    pub alarm: String,
    /// `expected`, `tolerated`, `watched` (named in an expectation alone) or `unnamed`.
    pub role: String,
    /// `fired`: it went to `ALARM` as expected, or as tolerated or watched; `silent`: it was expected and did not; `unexpected`: it
    /// went to `ALARM` and nobody named it; `quiet`: it did not, and need not; `unknown`: the record does not tell.
    pub outcome: String,
    /// Why the record does not tell, or what else is to be known.
    pub why: Option<String>,
    /// When it first went to `ALARM` after the first injection, by AWS's clock on the run's.
    pub fired_ms: Option<u64>,
    /// How often it went to `ALARM`.
    pub fired_count: usize,
    /// Whether it went to `ALARM` three times or more.
    pub is_noisy: bool,
    /// The fault that it belongs to: the latest one that was in when it first fired.
    pub fault: Option<String>,
    /// When it was `OK` again after the last time that it fired.
    pub cleared_ms: Option<u64>,
    /// From the undo of its fault to `OK`.
    pub clear_lag: Metric,
    /// Whether its clear lag is known to be more than five minutes; also where the run ended before it was `OK` again.
    pub is_late_to_clear: bool,
    /// AWS's reason for the first time that it fired.
    pub reason: Option<String>,
    /// Its states, in order.
    pub stretches: Vec<AlarmStretch>,
}

/// A time in which an alarm was in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmStretch {
    /// From when on.
    pub from_ms: u64,
    /// Until when.
    pub to_ms: u64,
    /// `ALARM`, `OK`, `INSUFFICIENT_DATA`, or `unknown`.
    pub state: String,
}
