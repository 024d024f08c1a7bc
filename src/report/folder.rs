//! A run's folder: what a report is made of, and where its files go.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::model::{EvidenceFile, Report};
use super::{csv, drawing, html, json, junit, markdown};
use crate::event::{Event, LogError, read_log};
use crate::plan::Plan;
use crate::unit::sha256_hex;

/// The chart by itself, beside the Markdown.
pub(super) const CHART_FILE: &str = "timeline.svg";

const PLAN_FILE: &str = "plan.json";

/// What a report is made of, in the order in which it is listed; `undo/` is private and `report.*` is made from the rest.
const EVIDENCE_FILES: [&str; 4] = ["scenario.yaml", PLAN_FILE, "workload.yaml", "run.ndjson"];
const EVIDENCE_FOLDERS: [&str; 2] = ["evidence", "lessons"];
/// How many files a report lists; a folder with more is not one that this program made.
const EVIDENCE_FILES_MAX: usize = 10_000;

/// A format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// One page with everything in it: `report.html`.
    Html,
    /// GitHub-flavoured Markdown: `report.md`, with `timeline.svg`.
    Markdown,
    /// The model: `report.json`.
    Json,
    /// A test case for each hypothesis, gate and guardrail: `junit.xml`.
    Junit,
    /// Tables: `events.csv` and `load.csv`.
    Csv,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 5] = [Self::Html, Self::Markdown, Self::Json, Self::Junit, Self::Csv];

    /// As files and arguments name it: `html`, `md`, `json`, `junit`, `csv`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Markdown => "md",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Csv => "csv",
        }
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format; there is html, md, json, junit and csv")]
pub struct FormatError(String);

impl std::str::FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let found = Self::ALL.into_iter().find(|format| format.key() == text);
        found.ok_or_else(|| FormatError(text.to_owned()))
    }
}

/// Why a report cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file system said no.
    #[error("failed to {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The log cannot be read.
    #[error("failed to read the run's log")]
    Log(#[source] LogError),
    /// The plan is none.
    #[error("failed to read the plan `{}`", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A template cannot be used.
    #[error(transparent)]
    Template(#[from] super::TemplateError),
    /// The JUnit file cannot be written.
    #[error("failed to write JUnit XML")]
    Junit(#[source] quick_junit::SerializeError),
    /// The folder holds more files than a run makes.
    #[error("`{}` holds more than {EVIDENCE_FILES_MAX} files", .0.display())]
    TooManyFiles(PathBuf),
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ReportError {
    let path = path.to_owned();
    move |source| ReportError::Io { action, path, source }
}

/// Writes the report's files into `directory`, each whole or not at all, and returns their paths.
///
/// Templates of the user's own are looked for in `templates`, by the names of the embedded ones.
///
/// # Errors
/// A template cannot be used, or the file system said no.
pub fn write(
    directory: &Path,
    report: &Report,
    formats: &[Format],
    templates: Option<&Path>,
) -> Result<Vec<PathBuf>, ReportError> {
    let mut files: Vec<(&str, String)> = Vec::new();
    for format in formats {
        match format {
            Format::Html => files.push(("report.html", html::html(report, templates)?)),
            Format::Markdown => {
                files.push(("report.md", markdown::markdown(report, templates)?));
                files.push((CHART_FILE, chart_file(report)));
            }
            Format::Json => files.push(("report.json", json::json(report))),
            Format::Junit => files.push(("junit.xml", junit::junit(report).map_err(ReportError::Junit)?)),
            Format::Csv => {
                files.push(("events.csv", csv::timeline_csv(report)));
                files.push(("load.csv", csv::load_csv(report)));
            }
        }
    }
    // Everything is made before anything is written: a template's mistake leaves the old files alone.
    files.into_iter().map(|(name, text)| write_whole(directory, name, &text)).collect()
}

fn chart_file(report: &Report) -> String {
    drawing::chart_of(report).draw_file()
}

/// Writes a hidden file beside the wanted one, then gives it its name: a reader sees the old or the new, never a half.
fn write_whole(directory: &Path, name: &str, text: &str) -> Result<PathBuf, ReportError> {
    let path = directory.join(name);
    let partial = directory.join(format!(".{name}.partial"));
    let mut file = File::create(&partial).map_err(io_error("create", &partial))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(io_error("write", &partial))?;
    std::fs::rename(&partial, &path).map_err(io_error("rename", &partial))?;
    Ok(path)
}

/// What a run's folder holds: its events, its plan, and the list of the files that the report rests on.
///
/// # Errors
/// The log or the plan is missing, broken, or of another format.
pub fn read_run(directory: &Path) -> Result<(Vec<Event>, Plan, Vec<EvidenceFile>), ReportError> {
    let events = read_log(directory).map_err(ReportError::Log)?.events;
    let path = directory.join(PLAN_FILE);
    let text = std::fs::read_to_string(&path).map_err(io_error("read", &path))?;
    let plan = serde_json::from_str(&text).map_err(|source| ReportError::Plan { path, source })?;
    Ok((events, plan, evidence(directory)?))
}

/// The files that a report rests on, with their digests, by path.
///
/// # Errors
/// A file cannot be read.
pub fn evidence(directory: &Path) -> Result<Vec<EvidenceFile>, ReportError> {
    let mut names: Vec<String> =
        EVIDENCE_FILES.iter().filter(|name| directory.join(name).is_file()).map(ToString::to_string).collect();
    for folder in EVIDENCE_FOLDERS {
        let mut found = Vec::new();
        list(directory, folder, &mut found)?;
        found.sort();
        names.extend(found);
    }
    names.into_iter().map(|name| digest(directory, name)).collect()
}

fn list(directory: &Path, folder: &str, names: &mut Vec<String>) -> Result<(), ReportError> {
    let path = directory.join(folder);
    if !path.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(&path).map_err(io_error("list", &path))? {
        let entry = entry.map_err(io_error("list", &path))?;
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        // A link could lead out of the folder, or round in a circle.
        let kind = entry.file_type().map_err(io_error("look at", &entry.path()))?;
        if kind.is_dir() {
            list(directory, &name, names)?;
        } else if kind.is_file() {
            names.push(name);
        }
        if names.len() > EVIDENCE_FILES_MAX {
            return Err(ReportError::TooManyFiles(path));
        }
    }
    Ok(())
}

fn digest(directory: &Path, file: String) -> Result<EvidenceFile, ReportError> {
    let path = directory.join(&file);
    let content = std::fs::read(&path).map_err(io_error("read", &path))?;
    Ok(EvidenceFile { file, bytes: u64::try_from(content.len()).unwrap_or(u64::MAX), sha256: sha256_hex(&content) })
}
