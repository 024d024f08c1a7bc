//! What a workspace and a scenario may both say of reports.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which reports are made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReportSpec {
    /// The formats; default all.
    pub formats: Vec<ReportFormat>,
    /// The run to compare with; default the previous one.
    pub compare: Option<Compare>,
    /// What is blacked out.
    pub redact: Vec<Redaction>,
}

/// A format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportFormat {
    /// One page with everything in it.
    Html,
    /// GitHub-flavoured Markdown.
    Md,
    /// The report's model.
    Json,
    /// A test case for each hypothesis.
    Junit,
    /// Tables for a spreadsheet.
    Csv,
    /// A Chaos Toolkit journal.
    Journal,
}

/// The run to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// The previous run of the same scenario in the same environment.
    Previous,
}

/// What is blacked out in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Redaction {
    /// Twelve-digit account numbers.
    AccountIds,
    /// E-mail addresses.
    Emails,
}
