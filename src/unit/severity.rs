//! How bad something is, in scenarios, findings and lessons.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How bad something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth mending.
    #[default]
    Medium,
    /// Worth mending now.
    High,
    /// Worth stopping for.
    Critical,
}

impl Severity {
    /// Its name in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
