//! A run's folder: what a report is made of, and where its files go.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::model::{EvidenceFile, Report};
use super::window::{LoadSum, Window, windows};
use super::{csv, drawing, html, json, junit, markdown};
use crate::event::{Event, LogError, read_log};
use crate::load::{FrameFileError, Frames, export_frames};
use crate::plan::Plan;
use crate::unit::{FileError, LoadId, WholeFile, error_chain, sha256_hex};

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
    /// Tables: `events.csv`, `load.csv` and `load-windows.csv`.
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
    #[error(transparent)]
    File(#[from] FileError),
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
    /// What is made of a load's frames cannot be written.
    #[error("failed to make the evidence of a load")]
    Export(#[source] FrameFileError),
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
                files.push(("load-windows.csv", csv::windows_csv(report)));
            }
        }
    }
    // Everything is made before anything is written: a template's mistake leaves the old files alone.
    files.into_iter().map(|(name, text)| write_whole(directory, name, &text)).collect()
}

fn chart_file(report: &Report) -> String {
    drawing::chart_of(report).draw_file()
}

fn write_whole(directory: &Path, name: &str, text: &str) -> Result<PathBuf, ReportError> {
    let mut file = WholeFile::begin(directory, name)?;
    file.write_all(text.as_bytes()).map_err(|error| file.failed(error))?;
    Ok(file.finish()?)
}

/// What a run's folder holds beside its events and its plan.
#[derive(Debug, Default)]
pub struct Evidence {
    /// The files that the report rests on.
    pub files: Vec<EvidenceFile>,
    /// What the frames of each load come to, or why they can not be read; a load without frames is none.
    pub loads: BTreeMap<LoadId, Result<LoadSum, String>>,
}

/// What a run's folder holds: its events and its plan.
///
/// # Errors
/// The log or the plan is missing, broken, or of another format.
pub fn read_run(directory: &Path) -> Result<(Vec<Event>, Plan), ReportError> {
    let events = read_log(directory).map_err(ReportError::Log)?.events;
    let path = directory.join(PLAN_FILE);
    let text = std::fs::read_to_string(&path).map_err(FileError::on("read", &path))?;
    let plan: Plan = serde_json::from_str(&text).map_err(|source| ReportError::Plan { path, source })?;
    Ok((events, plan))
}

impl Evidence {
    /// Reads what the folder of a run holds beside its events and its plan.
    ///
    /// # Errors
    /// A file cannot be read. Frames that cannot be are told in the report.
    pub fn read(directory: &Path, events: &[Event], plan: &Plan) -> Result<Self, ReportError> {
        let windows = windows(events);
        let sum = |load: &LoadId| {
            let sum = sum_up(directory, load, &windows).map_err(|error| error_chain(&error)).transpose()?;
            Some((load.clone(), sum))
        };
        let loads = plan.loads.keys().filter_map(sum).collect();
        Ok(Self { files: evidence(directory)?, loads })
    }
}

/// Makes the files of evidence that other tools read: of each load an interval log and a table. Those that are there stay.
///
/// # Errors
/// The file system said no. Frames that cannot be read are told in the report.
pub fn export(directory: &Path, events: &[Event], plan: &Plan) -> Result<(), ReportError> {
    let Some(first) = events.first() else { return Ok(()) };
    let zero = first.at - Duration::from_millis(first.elapsed_ms);
    for load in plan.loads.keys() {
        match export_frames(directory, load, zero) {
            Ok(()) | Err(FrameFileError::Frame { .. }) => {}
            Err(error) => return Err(ReportError::Export(error)),
        }
    }
    Ok(())
}

/// The frames of a load by window; none where it made none.
fn sum_up(directory: &Path, load: &LoadId, windows: &[Window]) -> Result<Option<LoadSum>, FrameFileError> {
    let mut sum = None;
    for frame in Frames::open(directory, load)? {
        sum.get_or_insert_with(|| LoadSum::new(windows)).add(&frame?);
    }
    Ok(sum.map(LoadSum::finish))
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
    for entry in std::fs::read_dir(&path).map_err(FileError::on("list", &path))? {
        let entry = entry.map_err(FileError::on("list", &path))?;
        let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
        // A link could lead out of the folder, or round in a circle.
        let kind = entry.file_type().map_err(FileError::on("look at", &entry.path()))?;
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
    let content = std::fs::read(&path).map_err(FileError::on("read", &path))?;
    Ok(EvidenceFile { file, bytes: u64::try_from(content.len()).unwrap_or(u64::MAX), sha256: sha256_hex(&content) })
}
