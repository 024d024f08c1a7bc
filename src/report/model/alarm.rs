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
    /// What its settings say of how soon it can tell of a fault; none where they were not read.
    #[serde(default)]
    pub prediction: Option<AlarmPrediction>,
    /// How soon it has to tell, by the hypotheses.
    #[serde(default)]
    pub bounds: Vec<AlarmBound>,
    /// How long after the first proven effect of its fault it first fired; 0 where it was earlier than the proof.
    #[serde(default)]
    pub after_effect_ms: Option<u64>,
    /// What keeps its actions back, so that nobody is told; none where nothing is known to.
    #[serde(default)]
    pub muted_by: Option<String>,
    /// Whether AWS tells that it acted: told somebody.
    #[serde(default)]
    pub has_acted: bool,
    /// What AWS's own history of it says of the run.
    #[serde(default)]
    pub history: Vec<AlarmEntry>,
    /// Why that history is not known, or not all of it.
    #[serde(default)]
    pub history_unknown: Option<String>,
    /// AWS's reason for the first time that it fired.
    pub reason: Option<String>,
    /// Its states, in order.
    pub stretches: Vec<AlarmStretch>,
}

/// When an alarm can fire, counted from the moment at which a fault takes effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmPrediction {
    /// It can not fire before that; none where it can not be said.
    pub earliest_ms: Option<u64>,
    /// By then it has fired, if every data point from the fault on breaches; none where it can not be said.
    pub latest_ms: Option<u64>,
    /// Both in words with how they come about, or why it can not be said.
    pub text: String,
    /// What may keep it silent all the same.
    pub doubts: Vec<String>,
}

/// How soon an alarm has to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmBound {
    /// The hypothesis that says so.
    pub hypothesis: String,
    /// The most that it may take from the effect on.
    pub bound_ms: u64,
    /// `keeps`: by its settings it is in time; `may`: that depends on when in a period the fault begins; `misses`: it can not be;
    /// `unknown`.
    pub fit: String,
    /// The same in words.
    pub text: String,
}

/// An entry of AWS's own history of an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlarmEntry {
    /// When, by AWS's clock on the run's.
    pub at_ms: u64,
    /// `transition`, `action` or `edit`.
    pub kind: String,
    /// AWS's words.
    pub summary: String,
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
