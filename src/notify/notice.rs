//! A notice: what, where, since when, by which playbook, and who is on it.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::workspace::NotifyEvent;

/// The version of the JSON that a webhook is sent.
pub const NOTICE_FORMAT: u32 = 1;

/// What people elsewhere are told. Its texts hold no control characters, and none is longer than 300 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// The version of the format: 1.
    pub gameday_notice: u32,
    /// Names it: it may come twice where an answer was lost, and is the same then.
    pub id: String,
    /// What it is about.
    pub event: NotifyEvent,
    /// How bad it is.
    pub severity: NoticeSeverity,
    /// What has happened, in one sentence.
    pub what: String,
    /// What else there is to know, at most 20 lines.
    pub details: Vec<String>,
    /// Where it has happened.
    #[serde(rename = "where")]
    pub place: NoticePlace,
    /// Since when.
    pub since: DateTime<Utc>,
    /// By when it is over, where that is planned.
    pub until: Option<DateTime<Utc>>,
    /// What to do is written here; none where there is no playbook.
    pub playbook: Option<NoticePlaybook>,
    /// Who is on it: roles with those who have them.
    pub who: Vec<String>,
    /// What to type; none where nothing is to be typed.
    pub command: Option<String>,
    /// The run; its moment alone while people take part from whom faults are hidden.
    pub run: String,
    /// When it was written.
    pub at: DateTime<Utc>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeSeverity {
    /// It is good to know.
    Info,
    /// Something is over, and well.
    Good,
    /// Somebody should look.
    Warning,
    /// Somebody must act.
    Critical,
}

/// Where something has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoticePlace {
    /// The environment's name.
    pub environment: String,
    /// Its AWS Region, where it has one.
    pub region: Option<String>,
    /// The target in words, where it is about one.
    pub target: Option<String>,
}

/// A playbook that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NoticePlaybook {
    /// Its id.
    pub id: String,
    /// Its file, below the workspace's folder.
    pub path: String,
    /// Where it is read in a browser, where the workspace says where its files are.
    pub url: Option<String>,
}

/// What the notice of a report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFacts {
    /// How the run ended, in words.
    pub outcome: String,
    /// Whether it ended well.
    pub is_good: bool,
    /// The worst that was found; none where nothing was.
    pub worst: Option<String>,
}
