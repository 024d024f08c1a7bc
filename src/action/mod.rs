//! Actions: what is done about what a game day found, one YAML file each, with an owner, a day and, best, what tests that it helped.
//!
//! Owns: the file's form and what is wrong with one, which are overdue, how one is closed. Must not know: lessons, scenarios, runs,
//! trackers; it knows their names alone.

mod draft;
mod edit;
mod known;
mod parse;

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::draft::Draft;
pub use self::edit::{Change, ChangeError, Closing, change};
pub use self::known::Known;
pub use self::parse::{check, load};
use crate::document::{self, Diagnostic, Filed, SourceFile};
use crate::unit::{ActionId, ComponentId, Date, LessonId, Regression, RunId, Severity};

/// What the file of an action says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its id, which is also the name of its file.
    pub id: ActionId,
    /// What is to be done, in one line of at most 250 characters.
    pub text: String,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The team that sees to it.
    pub owner: String,
    /// The day by which it is to be done.
    pub due: Date,
    /// Where it stands.
    #[serde(default)]
    pub status: Status,
    /// How bad it would be not to do it.
    #[serde(default)]
    pub severity: Severity,
    /// The component that it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentId>,
    /// The day on which it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Date>,
    /// The day on which it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_on: Option<Date>,
    /// The run that showed the need of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_in: Option<RunId>,
    /// The kind of finding of that run's report: `refuted`, `unnoticed`, `overdue`; or the rule of an insight: `I-03`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
    /// The lesson that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lesson: Option<LessonId>,
    /// What tests that it helped: a scenario and one of its hypotheses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retest: Option<Regression>,
    /// Where it is tracked: a URL that starts with `https://` or `http://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracker: Option<String>,
    /// Why it was dropped, or what there is to say of its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What an action is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It does not happen again.
    Prevent,
    /// It is seen sooner.
    Detect,
    /// It does less harm.
    Mitigate,
    /// People work together in another way.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is to be done.
    #[default]
    Open,
    /// It was done.
    Done,
    /// It will not be done, and `why` says why.
    Dropped,
}

impl Status {
    /// Every status, the most pressing first.
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

    /// Whether there is nothing more to do.
    #[must_use]
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Done | Self::Dropped)
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

/// An action that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// What its file says.
    pub record: Record,
    /// Its file.
    pub path: PathBuf,
    /// What is doubtful.
    pub warnings: Vec<Diagnostic>,
    /// The file's text.
    pub source: Arc<SourceFile>,
}

/// The actions of a folder.
pub type Shelf = document::Shelf<Action>;

impl Filed for Action {
    type Id = ActionId;
    const NAME: &'static str = "action";
    const DUPLICATE: &'static str = "duplicate-action";
    const PREFIX: char = 'A';
    const EXTENSION: &'static str = "yaml";
    const ID_LINE: usize = 1;

    fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        load(path)
    }

    fn id(&self) -> &ActionId {
        &self.record.id
    }

    fn source(&self) -> &Arc<SourceFile> {
        &self.source
    }

    fn take_warnings(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.warnings)
    }
}

impl Action {
    /// What actions are sorted by, the most pressing first: what is open and overdue, then the most severe, then the day.
    #[must_use]
    pub fn urgency(&self, today: Date) -> (Status, Reverse<bool>, Reverse<Severity>, Date, &ActionId) {
        let record = &self.record;
        (record.status, Reverse(self.is_overdue(today)), Reverse(record.severity), record.due, &record.id)
    }

    /// Whether it is still open after its day.
    #[must_use]
    pub fn is_overdue(&self, today: Date) -> bool {
        self.record.status == Status::Open && self.record.due < today
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(id: &str, keys: &str) -> Action {
        let text = format!("id: {id}\ntext: t\ntype: detect\nowner: shop\nretest: s#H1\n{keys}\n");
        let path = format!("{id}.yaml");
        check(&Arc::new(SourceFile::new(path.as_str(), text)), Path::new(&path)).unwrap()
    }

    #[test]
    fn the_most_pressing_goes_first() {
        let today: Date = "2026-11-28".parse().unwrap();
        let mut actions = [
            action("done", "due: 2026-01-01\nstatus: done"),
            action("far", "due: 2027-05-01\nseverity: high"),
            action("soon", "due: 2026-12-01\nseverity: high"),
            action("today", "due: 2026-11-28\nseverity: low"),
            action("late", "due: 2026-11-27\nseverity: low"),
            action("worse", "due: 2026-11-27\nseverity: critical"),
        ];
        actions.sort_by(|one, other| one.urgency(today).cmp(&other.urgency(today)));
        let order = actions.iter().map(|action| action.record.id.as_str()).collect::<Vec<_>>();
        assert_eq!(order, ["worse", "late", "soon", "far", "today", "done"]);
        let late = actions.iter().filter(|action| action.is_overdue(today)).count();
        assert_eq!(late, 2, "what is due today is not late");
    }

    #[test]
    fn ids_are_given_as_those_of_lessons_are() {
        let folder = tempfile::tempdir().unwrap();
        let text = "id: A-2026-031\ntext: t\ntype: detect\nowner: shop\ndue: 2026-12-01\n";
        std::fs::write(folder.path().join("A-2026-031.yaml"), text).unwrap();
        let shelf = Shelf::read(folder.path());
        assert_eq!(shelf.next_id(folder.path(), 2026).as_str(), "A-2026-032");
        assert_eq!(shelf.next_id(folder.path(), 2027).as_str(), "A-2027-001");
    }
}
