//! What the evidence of a run says by itself: insights, by component.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the evidence says by rules, and which rules it was not enough for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Insights {
    /// What was found, by component; the worst first.
    pub groups: Vec<InsightGroup>,
    /// Rules that could not look, and why. None of them has passed.
    pub unknown: Vec<InsightGap>,
}

/// What was found about one component.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InsightGroup {
    /// The component of `workload.yaml`; where there is none the function, the queue or the load; `account` of what is about all.
    pub component: String,
    /// Who owns it, by `workload.yaml`; none where that is not known.
    pub owner: Option<String>,
    /// What was found, the worst first.
    pub insights: Vec<Insight>,
}

/// One thing that the evidence says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Insight {
    /// The id of the rule that found it, which stays the same from version to version: `I-03`.
    pub rule: String,
    /// The rule's name: `cold_starts`.
    pub kind: String,
    /// How bad it is.
    pub severity: InsightSeverity,
    /// What it is about.
    pub level: InsightLevel,
    /// The component of `workload.yaml`; none where the function is of none.
    pub component: Option<String>,
    /// The function, queue or load; none where it is about the account.
    pub about: Option<String>,
    /// In one sentence, with the numbers.
    pub text: String,
    /// The file with the data behind it.
    pub evidence: String,
    /// The questions of the Well-Architected Framework that it is about.
    pub questions: Vec<String>,
    /// What could be done.
    pub suggestion: String,
    /// Who owns what it is about, by `workload.yaml`; none where that is not known.
    pub owner: Option<String>,
    /// The invocations or traces that it is about, at most five.
    pub executions: Vec<InsightExecution>,
}

/// How bad an insight is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InsightSeverity {
    /// Good to know; nothing is wrong.
    Info,
    /// Worth knowing.
    Low,
    /// Worth mending.
    Medium,
    /// Worth mending now.
    High,
}

impl InsightSeverity {
    /// Its name, as `report.json` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What an insight is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InsightLevel {
    /// All that was looked at.
    Account,
    /// One function, queue or load.
    Resource,
    /// Single invocations or traces.
    Execution,
}

/// One invocation or trace.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InsightExecution {
    /// The id of its request; none of a trace.
    pub request_id: Option<String>,
    /// The id of its trace.
    pub trace_id: Option<String>,
    /// When it ended; of a trace, when it began.
    pub at: Option<DateTime<Utc>>,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<f64>,
    /// Whether it waited for a start; none where that is not known.
    pub is_cold: Option<bool>,
    /// How much memory its environment had used at the most, in MB.
    pub max_memory_mb: Option<f64>,
    /// How it ended, where that is told.
    pub status: Option<String>,
    /// How often its request was tried; none of a trace.
    pub attempts: Option<u64>,
    /// The kind of its error, or the services and the cause.
    pub error: Option<String>,
}

/// Rules that could not look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InsightGap {
    /// The rules, by id and name: `I-03 cold starts`.
    pub rules: Vec<String>,
    /// The functions, queues or loads; empty where it is about all.
    pub about: Vec<String>,
    /// Why not, in words.
    pub why: String,
}
