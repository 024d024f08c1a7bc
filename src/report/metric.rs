//! A measure of detection or response that says of itself how far it can be trusted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::number::duration;

/// A time between two moments of a run. A missing moment is never a zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Both moments were seen.
    Measured {
        /// The time between them.
        ms: u64,
        /// How far off it may be, either way: the period of what was looked at.
        uncertainty_ms: u64,
        /// What told the second moment: `mark identified by aiko`.
        source: String,
    },
    /// The second moment was not seen before something ended the wait.
    Censored {
        /// How long it was waited for.
        after_ms: u64,
        /// In words: `not detected in 18 min; then the fault was undone`.
        text: String,
    },
    /// There is nothing to measure.
    NotApplicable {
        /// Why.
        why: String,
    },
}

impl Metric {
    /// The metric in few words: `4.2 s ± 1 s`, `> 18 min`, `n/a`.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Measured { ms, uncertainty_ms: 0, .. } => duration(*ms),
            Self::Measured { ms, uncertainty_ms, .. } => format!("{} ± {}", duration(*ms), duration(*uncertainty_ms)),
            Self::Censored { after_ms, .. } => format!("> {}", duration(*after_ms)),
            Self::NotApplicable { .. } => "n/a".to_owned(),
        }
    }

    /// What stands behind it.
    #[must_use]
    pub fn detail(&self) -> &str {
        match self {
            Self::Measured { source, .. } => source,
            Self::Censored { text, .. } => text,
            Self::NotApplicable { why } => why,
        }
    }

    /// `measured`, `censored` or `not_applicable`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Measured { .. } => "measured",
            Self::Censored { .. } => "censored",
            Self::NotApplicable { .. } => "not_applicable",
        }
    }

    /// A metric that does not apply.
    #[must_use]
    pub fn not_applicable(why: impl Into<String>) -> Self {
        Self::NotApplicable { why: why.into() }
    }
}
