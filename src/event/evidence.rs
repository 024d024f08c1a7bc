//! What was read of logs, traces or metrics when a run was over, or could not be.

use serde::{Deserialize, Serialize};

/// Where evidence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceSource {
    /// Logs of functions.
    Logs,
    /// Traces.
    Traces,
    /// Metrics.
    Metrics,
    /// The request with an id that was looked for everywhere.
    Needle,
}

impl EvidenceSource {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Traces => "traces",
            Self::Metrics => "metrics",
            Self::Needle => "needle",
        }
    }
}

/// One piece of evidence, or that it could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceKept {
    /// Where it comes from.
    pub source: EvidenceSource,
    /// What it is about: a function, or several.
    pub about: String,
    /// The file in the run's folder; none where there is nothing to keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The file's SHA-256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What was asked, so that it can be asked again.
    pub what: String,
    /// From when, in milliseconds since the run's start.
    pub from_ms: u64,
    /// Until when, in milliseconds since the run's start.
    pub to_ms: u64,
    /// How many lines, traces or points were read.
    pub row_count: u64,
    /// Whether there is more than was read.
    pub is_cut: bool,
    /// Why nothing is known; none where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}
