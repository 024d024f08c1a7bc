//! Lessons: what a game day taught, one Markdown file each, with YAML front matter that says what it is about and which
//! hypothesis tests it again.
//!
//! Owns: the file's form and what is wrong with one, which lessons touch what, the search. Must not know: scenarios, runs, reports;
//! whoever has a verdict tells it to [`retest()`].

mod draft;
mod known;
mod parse;
mod retest;
mod search;

use std::cmp::Reverse;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::draft::Draft;
pub use self::known::Known;
pub use self::parse::{check, load};
pub use self::retest::{Retest, RetestError, Retested, retest};
pub use self::search::{Found, search, similar};
use crate::document::{self, Diagnostic, Filed, SourceFile};
use crate::unit::{ActionId, ComponentId, Date, LessonId, Regression, RunId, Severity};

/// The front matter of a lesson.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FrontMatter {
    /// Its id, which is also the name of its file.
    pub id: LessonId,
    /// What was learnt, in one line.
    pub title: String,
    /// Where it stands; `verified` and `regressed` are set by a run alone.
    #[serde(default)]
    pub status: Status,
    /// How bad it would be not to heed it.
    #[serde(default)]
    pub severity: Severity,
    /// The components that it is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<ComponentId>,
    /// The kinds of faults that showed it: `proxy_latency`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// What contributed to it; several, since nothing has one cause.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<String>,
    /// The Well-Architected questions that it answers: `OPS8`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ops: Vec<String>,
    /// The run that taught it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found_in: Option<RunId>,
    /// What tests it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regression: Option<Regression>,
    /// The run that set `verified` or `regressed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tested_in: Option<RunId>,
    /// The actions that came of it, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionId>,
    /// The team that sees to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// The day on which it was written.
    pub created: Date,
    /// The day by which it must have been tested again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retest_by: Option<Date>,
}

/// Where a lesson stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// What it found was shown again after it had been mended; set by a run.
    Regressed,
    /// Nothing was done about it yet.
    #[default]
    Open,
    /// Something was done, and nothing has shown yet that it helps.
    Mitigated,
    /// A run has shown that it was mended; set by that run.
    Verified,
    /// It holds no more: what it is about is gone.
    Retired,
}

impl Status {
    /// Every status, the most pressing first.
    pub const ALL: [Self; 5] = [Self::Regressed, Self::Open, Self::Mitigated, Self::Verified, Self::Retired];

    /// Its name in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Regressed => "regressed",
            Self::Open => "open",
            Self::Mitigated => "mitigated",
            Self::Verified => "verified",
            Self::Retired => "retired",
        }
    }

    /// Whether only a run sets it.
    #[must_use]
    pub fn is_set_by_runs(self) -> bool {
        matches!(self, Self::Verified | Self::Regressed)
    }

    /// Whether what the lesson found may still be there.
    #[must_use]
    pub fn is_unsettled(self) -> bool {
        matches!(self, Self::Regressed | Self::Open | Self::Mitigated)
    }
}

impl std::str::FromStr for Status {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            format!("`{text}` is no status of a lesson: write one of {all}")
        })
    }
}

/// A lesson that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Lesson {
    /// What it is about.
    pub front: FrontMatter,
    /// Its text, in Markdown.
    pub body: String,
    /// Its file.
    pub path: PathBuf,
    /// What is doubtful.
    pub warnings: Vec<Diagnostic>,
    /// The file's text.
    pub source: Arc<SourceFile>,
}

/// The lessons of a folder.
pub type Shelf = document::Shelf<Lesson>;

impl Filed for Lesson {
    type Id = LessonId;
    const NAME: &'static str = "lesson";
    const DUPLICATE: &'static str = "duplicate-lesson";
    const PREFIX: char = 'L';
    const EXTENSION: &'static str = "md";
    const ID_LINE: usize = 2;

    fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        load(path)
    }

    fn id(&self) -> &LessonId {
        &self.front.id
    }

    fn source(&self) -> &Arc<SourceFile> {
        &self.source
    }

    fn take_warnings(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.warnings)
    }
}

impl Lesson {
    /// What lessons are sorted by, the most pressing first.
    #[must_use]
    pub fn urgency(&self) -> (Status, Reverse<Severity>, &LessonId) {
        (self.front.status, Reverse(self.front.severity), &self.front.id)
    }

    /// Whether the day by which it must have been tested again is over, and no run has tested it since.
    #[must_use]
    pub fn is_overdue(&self, today: Date) -> bool {
        let Some(by) = self.front.retest_by.filter(|by| *by < today) else { return false };
        self.front.status != Status::Retired && self.tested_on().is_none_or(|day| day < by)
    }

    /// The day of the run that set where it stands: a run's id begins with it.
    #[must_use]
    pub fn tested_on(&self) -> Option<Date> {
        self.front.tested_in.as_ref()?.as_str().get(..10)?.parse().ok()
    }

    /// Whether it is about one of these components, or, where it names none, about one of these kinds of faults.
    pub fn touches<'a>(
        &self,
        components: impl IntoIterator<Item = &'a str>,
        faults: impl IntoIterator<Item = &'a str>,
    ) -> bool {
        if self.front.components.is_empty() {
            return faults.into_iter().any(|fault| self.front.faults.iter().any(|own| own == fault));
        }
        components.into_iter().any(|component| self.front.components.iter().any(|own| own.as_str() == component))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(keys: &str) -> Lesson {
        let text = format!("---\nid: a\ntitle: t\ncreated: 2026-01-01\n{keys}\n---\nText.\n");
        check(&Arc::new(SourceFile::new("a.md", text)), Path::new("a.md")).unwrap()
    }

    #[test]
    fn a_lesson_touches_its_components_or_else_its_faults() {
        let of = lesson("components: [payments]\nfaults: [proxy_latency]");
        assert!(of.touches(["checkout", "payments"], []));
        assert!(!of.touches(["checkout"], ["proxy_latency"]), "the same fault elsewhere");
        let general = lesson("faults: [proxy_latency]");
        assert!(general.touches([], ["proxy_latency"]) && !general.touches(["payments"], ["lambda_timeout"]));
    }

    #[test]
    fn a_lesson_is_overdue_until_a_run_has_tested_it_since() {
        let today: Date = "2026-11-28".parse().unwrap();
        let is_overdue = |keys: &str| lesson(&format!("{keys}\nregression: s#H1")).is_overdue(today);
        assert!(is_overdue("retest_by: 2026-11-27"));
        assert!(!is_overdue("retest_by: 2026-11-28") && !is_overdue("status: open"));
        assert!(is_overdue("retest_by: 2026-06-01\nstatus: verified\ntested_in: 2026-05-31-100000-s"));
        assert!(!is_overdue("retest_by: 2026-06-01\nstatus: regressed\ntested_in: 2026-06-01-100000-s"));
        assert!(!is_overdue("retest_by: 2026-06-01\nstatus: retired"));
    }

    #[test]
    fn a_bad_file_keeps_no_other_from_being_read_and_an_id_is_given_once() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, id: &str| {
            let text = format!("---\nid: {id}\ntitle: t\nregression: a#H1\ncreated: 2026-03-10\n---\nText.\n");
            std::fs::write(folder.path().join(name), text).unwrap();
        };
        write("L-2026-001.md", "L-2026-001");
        write("copy.md", "L-2026-001");
        write("L-2026-007.md", "L-2026-007");
        std::fs::write(folder.path().join("broken.md"), "no front matter\n").unwrap();
        std::fs::write(folder.path().join("README.md"), "About lessons.\n").unwrap();
        std::fs::write(folder.path().join("L-2026-008.md"), "no front matter\n").unwrap();
        let shelf = Shelf::read(folder.path());
        let codes: Vec<&str> = shelf.diagnostics.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, ["no-front-matter", "no-front-matter", "lesson-file", "duplicate-lesson"]);
        assert_eq!((shelf.files.len(), shelf.entries().count()), (5, 2));
        assert_eq!(shelf.next_id(folder.path(), 2026).as_str(), "L-2026-009", "no file is written over");
        assert_eq!(shelf.next_id(folder.path(), 2027).as_str(), "L-2027-001");
        assert_eq!(Shelf::read(Path::new("nowhere")).files.len(), 0);
    }
}
