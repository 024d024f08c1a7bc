//! Whether anything was left behind, and what stood guard.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether anything was left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Safety {
    /// `clean`: every change is undone and, but for commands without a `check`, read back; `dirty`: some is not; `untouched`: nothing was changed.
    pub state: String,
    /// In words.
    pub text: String,
    /// What is left, one line each.
    pub residual: Vec<String>,
    /// Commands that finish it by hand.
    pub by_hand: Vec<String>,
    /// When another process recovered the run.
    pub recovered_at: Option<DateTime<Utc>>,
    /// Who or what aborted the run, in words.
    pub aborted_by: Option<String>,
    /// What would have undone each change in AWS itself.
    #[serde(default)]
    pub switches: Vec<SwitchRow>,
    /// The lock that other machines see, and what became of it; none where there is none.
    #[serde(default)]
    pub lock: Option<String>,
    /// Every state of every change.
    pub ledger: Vec<Ledger>,
}

/// A change's dead man's switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwitchRow {
    /// The change's id in the plan.
    pub step: String,
    /// The fault's name.
    pub fault: String,
    /// `deleted`, `left`, `undeleted`, `set`, `failed` or `none`.
    pub state: String,
    /// In words.
    pub text: String,
}

/// Every state of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ledger {
    /// The change's id in the plan.
    pub step: String,
    /// The fault's name.
    pub fault: String,
    /// The target.
    pub target: String,
    /// The digest of its undo file.
    pub undo_sha256: Option<String>,
    /// Its states, in order.
    pub states: Vec<LedgerState>,
}

/// A state of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerState {
    /// `intent`, `armed`, `applied`, `failed`, `effective`, `reverting`, `restored`, `drift` or `stuck`; of its dead man's
    /// switch `switch intent`, `switch set`, `switch put off`, `switch failed`, `switch deleted` or `switch left`.
    pub state: String,
    /// When.
    pub at_ms: u64,
    /// The moment.
    pub at: DateTime<Utc>,
    /// What is known of it.
    pub detail: Option<String>,
}

/// A guardrail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Guardrail {
    /// Its id.
    pub id: String,
    /// What trips it.
    pub rule: String,
    /// What missing data means to it: `abort`, `warn` or `ignore`.
    pub on_missing: String,
    /// `quiet`, `warned` or `tripped`.
    pub state: String,
    /// When it first tripped or, failing that, warned.
    pub at_ms: Option<u64>,
    /// What it then saw.
    pub observed: Option<String>,
    /// How often it warned.
    pub warning_count: usize,
    /// What it read last; none where it never had anything to read.
    pub last_reading: Option<String>,
}
