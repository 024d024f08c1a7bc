//! What a workspace and a scenario may both say of reports and notices.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::UnitError;

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

/// Who is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Where a Slack webhook's URL is found: `env:NAME`. The URL itself is a secret and never stands in a file.
    pub slack: Option<String>,
    /// What is told; default all.
    pub events: Vec<NotifyEvent>,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotifyEvent {
    /// The run starts.
    Start,
    /// The run was aborted.
    Abort,
    /// Everything is as it was before.
    AllClear,
    /// The report is there.
    Report,
}

impl Notify {
    /// The name of the environment variable that holds the Slack webhook's URL.
    ///
    /// # Errors
    /// A text that is not `env:NAME`.
    pub fn slack_variable(&self) -> Result<Option<&str>, UnitError> {
        let Some(slack) = &self.slack else { return Ok(None) };
        let is_name = |name: &&str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        match slack.strip_prefix("env:").filter(is_name) {
            Some(name) => Ok(Some(name)),
            // The text may be the secret itself, so it is not repeated.
            None => Err(UnitError::new(
                "this does not name an environment variable",
                "write `env:NAME`: a webhook's URL is a secret and must not stand in a file",
            )),
        }
    }
}
