//! Actions: what a team will do after a game day, one YAML file each in `actions/`, with who does it and by when.
//!
//! Owns: the file's form, what is wrong with one, all of a folder, and how one is closed. Must not know: scenarios, runs, reports.

mod file;
mod known;
mod shelf;

use std::cmp::Reverse;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::file::{ActionError, check, close, load, write};
pub use self::known::Known;
pub use self::shelf::Shelf;
use crate::document::{Diagnostic, SourceFile};
use crate::unit::{ActionId, ComponentId, Date, LessonId, Regression, RunId, Severity};

/// What an action's file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// Its id, which is also the name of its file.
    pub id: ActionId,
    /// What is to be done, in one line.
    pub text: String,
    /// What it is good for.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How bad it would be not to do it.
    #[serde(default)]
    pub severity: Severity,
    /// The team or person that does it.
    pub owner: String,
    /// The day by which it is to be done.
    pub due: Date,
    /// Where it stands.
    #[serde(default)]
    pub status: Status,
    /// The day on which it was done or dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Date>,
    /// Why it was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The components that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<ComponentId>,
    /// The run that it came of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_in: Option<RunId>,
    /// The id of the rule that found what it is about: `F-17`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// The lesson that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lesson: Option<LessonId>,
    /// What tests again whether it helped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retest: Option<Regression>,
    /// Where it is followed up: an `https` or `http` address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracker: Option<String>,
}

/// What an action is good for (Google SRE: types of action items).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It does not happen again.
    Prevent,
    /// It is noticed sooner.
    Detect,
    /// It does less harm.
    Mitigate,
    /// People work together better.
    Process,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Prevent, Self::Detect, Self::Mitigate, Self::Process];

    /// Its name in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prevent => "prevent",
            Self::Detect => "detect",
            Self::Mitigate => "mitigate",
            Self::Process => "process",
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| {
            format!("`{text}` is no type of an action: write one of {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// Where an action stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is to be done.
    #[default]
    Open,
    /// It is done.
    Done,
    /// It will not be done; the file says why.
    Dropped,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Open, Self::Done, Self::Dropped];

    /// Its name in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Dropped => "dropped",
        }
    }
}

impl std::str::FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| {
            format!("`{text}` is no status of an action: write one of {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

impl Action {
    /// Whether it is to be done, and its day is over.
    #[must_use]
    pub fn is_overdue(&self, today: Date) -> bool {
        self.status == Status::Open && self.due < today
    }

    /// What actions are sorted by, the most pressing first.
    #[must_use]
    pub fn urgency(&self) -> (Status, Date, Reverse<Severity>, &ActionId) {
        (self.status, self.due, Reverse(self.severity), &self.id)
    }
}

/// An action that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Filed {
    /// What it says.
    pub action: Action,
    /// Its file.
    pub path: PathBuf,
    /// What is doubtful.
    pub warnings: Vec<Diagnostic>,
    /// The file's text.
    pub source: Arc<SourceFile>,
}
