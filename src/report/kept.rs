//! What a run's folder keeps of the workspace as it was: the workload, lessons, and the figures of the run before. A file that
//! can not be read is told in the report; it keeps nobody from reading the others.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::compare::Figures;
use super::facts::Facts;
use super::folder::ReportError;
use super::redact::Redaction;
use crate::action::{self, Record as ActionRecord};
use crate::debrief::{self, DEBRIEF_FILE, DebriefError, Record};
use crate::document::Severity;
use crate::event::{Event, PREDICTIONS_DIRECTORY, Prediction};
use crate::lesson::{Lesson, Retested, Shelf};
use crate::plan::Plan;
use crate::unit::{FileError, WholeFile, error_chain};
use crate::workspace::{WORKLOAD_FILE, Workload, read_workload};

/// The lessons that a run's folder keeps.
pub(super) const LESSONS_FOLDER: &str = "lessons";
const ACTIONS_FOLDER: &str = "actions";
const RETESTS_FILE: &str = "retests.json";
/// What is blacked out in every report of the run, as somebody asked for.
pub const REDACT_FILE: &str = "redact.json";
const PREVIOUS_FILE: &str = "previous.json";
/// How many predictions are read: a run takes no more.
const PREDICTIONS_READ_MAX: usize = 1_000;

/// What a run's folder keeps of the workspace.
#[derive(Debug, Default)]
pub struct Kept {
    /// The workload; none where there was none, or why it can not be read.
    pub workload: Option<Result<Workload, String>>,
    /// The lessons, by id.
    pub lessons: Vec<Lesson>,
    /// The actions that concern what the run touched, and those that came of it, by id.
    pub actions: Vec<ActionRecord>,
    /// What the run has shown of lessons.
    pub retests: Vec<Retested>,
    /// The figures of the run before.
    pub previous: Option<Figures>,
    /// What people said of the run afterwards; none where nobody did, or why it can not be read.
    pub debrief: Option<Result<Record, String>>,
    /// What was predicted, by the digest that sealed it; empty while no debrief has revealed it.
    pub predictions: BTreeMap<String, Result<Prediction, String>>,
    /// What could not be read, in words.
    pub unread: Vec<String>,
}

impl Kept {
    /// Reads what the folder of a run keeps.
    #[must_use]
    pub(super) fn read(directory: &Path) -> Self {
        let path = directory.join(WORKLOAD_FILE);
        let shelf = Shelf::read(&directory.join(LESSONS_FOLDER));
        let actions = action::Shelf::read(&directory.join(ACTIONS_FOLDER));
        let errors =
            shelf.diagnostics.iter().chain(&actions.diagnostics).filter(|found| found.severity == Severity::Error);
        let mut unread: Vec<String> =
            errors.map(|found| format!("`{}`: {}", found.source.name(), found.message)).collect();
        let retests = read_json(&directory.join(LESSONS_FOLDER).join(RETESTS_FILE), &mut unread).unwrap_or_default();
        let previous = read_json(&directory.join(PREVIOUS_FILE), &mut unread);
        let debrief = read_debrief(directory);
        let is_revealed = matches!(&debrief, Some(Ok(record)) if record.predictions_revealed);
        Self {
            predictions: if is_revealed { read_predictions(directory) } else { BTreeMap::new() },
            workload: path.is_file().then(|| read_workload(&path)),
            lessons: shelf.into_entries(),
            actions: actions.entries().map(|action| action.record.clone()).collect(),
            retests,
            previous,
            debrief,
            unread,
        }
    }
}

/// Opens every prediction that lies in the folder.
fn read_predictions(directory: &Path) -> BTreeMap<String, Result<Prediction, String>> {
    let entries = std::fs::read_dir(directory.join(PREDICTIONS_DIRECTORY)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".json")?.to_owned()));
    let open = |sha256: String| {
        let opened = Prediction::open(directory, &sha256).map_err(|error| error_chain(&error));
        (sha256, opened)
    };
    names.take(PREDICTIONS_READ_MAX).map(open).collect()
}

fn read_debrief(directory: &Path) -> Option<Result<Record, String>> {
    match debrief::read(directory) {
        Ok(read) => read.map(|(record, _)| Ok(record)),
        Err(DebriefError::Wrong { problems, .. }) => {
            let first = problems
                .iter()
                .find(|problem| problem.severity == Severity::Error)
                .map(|problem| problem.message.clone())
                .unwrap_or_default();
            Some(Err(format!("`{DEBRIEF_FILE}`: {first}; `gameday debrief --check` tells where")))
        }
        Err(error) => Some(Err(error_chain(&error))),
    }
}

/// The value of a file; none where it is not there, or where it can not be read, which is told.
fn read_json<T: DeserializeOwned>(path: &Path, unread: &mut Vec<String>) -> Option<T> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            unread.push(error_chain(&FileError::on("read", path)(error)));
            return None;
        }
    };
    let name = path.file_name().unwrap_or_default().display();
    serde_json::from_str(&text).map_err(|error| unread.push(format!("`{name}`: {error}"))).ok()
}

/// Keeps what a run has shown of lessons, so that its report can tell.
///
/// # Errors
/// The file system said no.
pub fn keep_retests(directory: &Path, retests: &[Retested]) -> Result<(), ReportError> {
    if retests.is_empty() {
        return Ok(());
    }
    let folder = directory.join(LESSONS_FOLDER);
    std::fs::create_dir_all(&folder).map_err(FileError::on("create", &folder))?;
    WholeFile::write_text(&folder, RETESTS_FILE, &as_text(&retests))?;
    Ok(())
}

/// Keeps the figures of the run before, where none are kept yet; `find` looks for them.
///
/// # Errors
/// The file system said no.
pub fn keep_previous(
    directory: &Path,
    events: &[Event],
    plan: &Plan,
    find: impl FnOnce(&Event, &Plan) -> Option<Figures>,
) -> Result<(), ReportError> {
    let Some(first) = events.first() else { return Ok(()) };
    if directory.join(PREVIOUS_FILE).exists() || directory.join(super::manifest::MANIFEST_FILE).exists() {
        return Ok(());
    }
    if let Some(figures) = find(first, plan) {
        WholeFile::write_text(directory, PREVIOUS_FILE, &as_text(&figures))?;
    }
    Ok(())
}

/// What is blacked out in every report of the run in a folder, beside what its scenario asks for; nothing where nobody asked.
///
/// # Errors
/// The file is there and can not be read: what it asks for is not known then.
fn kept_redactions(directory: &Path) -> Result<Vec<Redaction>, ReportError> {
    let path = directory.join(REDACT_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|source| ReportError::Redactions { path, source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(FileError::on("read", &path)(error).into()),
    }
}

/// What a report of the run in a folder takes from its plan, blacked out as its scenario asks for and as somebody asked since.
///
/// # Errors
/// What is to be blacked out can not be read.
pub fn facts_of_run(directory: &Path, plan: &Plan) -> Result<Facts, ReportError> {
    let mut facts = Facts::of(plan);
    for redaction in kept_redactions(directory)? {
        if !facts.redactions.contains(&redaction) {
            facts.redactions.push(redaction);
        }
    }
    Ok(facts)
}

/// Keeps that every report of the run in a folder is blacked out from now on, so that none that is made later undoes it.
///
/// # Errors
/// The file system said no.
pub fn keep_redactions(directory: &Path, redactions: &[Redaction]) -> Result<(), ReportError> {
    WholeFile::write_text(directory, REDACT_FILE, &as_text(&redactions))?;
    Ok(())
}

fn as_text(value: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("invariant: our own values serialise to JSON");
    text.push('\n');
    text
}
