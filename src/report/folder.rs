//! A run's folder: what a report is made of, and where its files go.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::insight::Seen;
use super::kept::Kept;
use super::manifest::{FileState, MANIFEST_FILE, keep_manifest, states};
use super::model::{EvidenceFile, Provenance, Report};
use super::provenance::provenance;
use super::window::{LoadSum, Window, windows};
use super::{csv, drawing, html, journal, json, junit, markdown};
use crate::event::{Event, LogError, read_log};
use crate::load::{FrameFileError, Frames, export_frames};
use crate::plan::{PLAN_FORMAT, Plan};
use crate::unit::{FileError, LoadId, PARTIAL, WholeFile, error_chain, hex};

/// The chart by itself, beside the Markdown.
pub(super) const CHART_FILE: &str = "timeline.svg";

const PLAN_FILE: &str = "plan.json";

/// What a report is made of, in the order in which it is listed; `undo/` is private and `report.*` is made from the rest.
const EVIDENCE_FILES: [&str; 5] = ["scenario.yaml", PLAN_FILE, "workload.yaml", "previous.json", LOG_FILE];
/// Actions are kept too, but go on after the run, and so does what people say of it: neither is evidence.
const EVIDENCE_FOLDERS: [&str; 2] = ["evidence", "lessons"];
const LOG_FILE: &str = "run.ndjson";
/// How much of a file is read at a time.
const READ_BYTES: usize = 64 * 1024;
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
    /// Tables: `events.csv`, `load.csv`, `load-windows.csv` and `actions.csv`.
    Csv,
    /// A Chaos Toolkit journal: `journal.json`. It is made where it is asked for.
    Journal,
}

impl Format {
    /// Those that are made where nobody asks for any.
    pub const DEFAULT: [Self; 5] = [Self::Html, Self::Markdown, Self::Json, Self::Junit, Self::Csv];

    /// Every format.
    pub const ALL: [Self; 6] = [Self::Html, Self::Markdown, Self::Json, Self::Junit, Self::Csv, Self::Journal];

    /// Those of which there are files in a run's folder.
    #[must_use]
    pub fn made_in(directory: &Path) -> Vec<Self> {
        Self::ALL.into_iter().filter(|format| directory.join(format.main_file()).is_file()).collect()
    }

    fn main_file(self) -> &'static str {
        match self {
            Self::Html => "report.html",
            Self::Markdown => "report.md",
            Self::Json => "report.json",
            Self::Junit => "junit.xml",
            Self::Csv => "events.csv",
            Self::Journal => "journal.json",
        }
    }

    /// As files and arguments name it: `html`, `md`, `json`, `junit`, `csv`, `journal`.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Markdown => "md",
            Self::Json => "json",
            Self::Junit => "junit",
            Self::Csv => "csv",
            Self::Journal => "journal",
        }
    }
}

/// A word that names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format; there is html, md, json, junit, csv and journal")]
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
    /// The plan is of a format that this program does not know.
    #[error("`{}` is of format {format}, and this version reads format {PLAN_FORMAT}", path.display())]
    PlanFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: u64,
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
    /// The manifest of the evidence is none.
    #[error("failed to read the manifest `{}`", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest is of a format that this program does not know.
    #[error("`{}` is of a format that this version does not read", .0.display())]
    ManifestFormat(PathBuf),
    /// The file that says what is blacked out says nothing of the kind.
    #[error("failed to read `{}`, which says what is blacked out", path.display())]
    Redactions {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest is of another run.
    #[error("`{}` is of another run, `{run}`", path.display())]
    OtherRun {
        /// The file.
        path: PathBuf,
        /// The run that it names.
        run: String,
    },
    /// A file's name is no text.
    #[error("`{}` has a name that is not UTF-8: give it another one, or take it out of the run's folder", .0.display())]
    FileName(PathBuf),
    /// There is nothing to hold the files against.
    #[error("there is no `{}`: it is made with the run's first report, `gameday report`", .0.display())]
    NoManifest(PathBuf),
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
            Format::Html => files.push((format.main_file(), html::html(report, templates)?)),
            Format::Markdown => {
                files.push((format.main_file(), markdown::markdown(report, templates)?));
                files.push((CHART_FILE, chart_file(report)));
            }
            Format::Json => files.push((format.main_file(), json::json(report))),
            Format::Junit => files.push((format.main_file(), junit::junit(report).map_err(ReportError::Junit)?)),
            Format::Csv => {
                files.push((format.main_file(), csv::timeline_csv(report)));
                files.push(("load.csv", csv::load_csv(report)));
                files.push(("load-windows.csv", csv::windows_csv(report)));
                files.push(("actions.csv", csv::actions_csv(report)));
            }
            Format::Journal => files.push((format.main_file(), journal::journal(report))),
        }
    }
    // Everything is made before anything is written: a template's mistake leaves the old files alone.
    files.into_iter().map(|(name, text)| Ok(WholeFile::write_text(directory, name, &text)?)).collect()
}

fn chart_file(report: &Report) -> String {
    drawing::chart_of(report).draw_file()
}

/// What a run's folder holds beside its events and its plan.
#[derive(Debug)]
pub struct Evidence {
    /// The files that the report rests on.
    pub files: Vec<EvidenceFile>,
    /// Those that are not as the manifest says, or why it can not be read.
    pub changed: Result<Vec<(String, FileState)>, String>,
    /// What the folder keeps of the workspace as it was.
    pub kept: Kept,
    /// What the frames of each load come to, or why they can not be read; a load without frames is none.
    pub loads: BTreeMap<LoadId, Result<LoadSum, String>>,
    /// What logs, traces and metrics say.
    pub seen: Seen,
}

/// What a run's folder holds: its events and its plan.
///
/// # Errors
/// The log or the plan is missing, broken, or of another format.
pub fn read_run(directory: &Path) -> Result<(Vec<Event>, Plan), ReportError> {
    let events = read_log(directory).map_err(ReportError::Log)?.events;
    let path = directory.join(PLAN_FILE);
    let text = std::fs::read_to_string(&path).map_err(FileError::on("read", &path))?;
    let told = |source| ReportError::Plan { path: path.clone(), source };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(told)?;
    // Of another format nothing else can be said: its fields may mean something else.
    if let Some(format) = value["format"].as_u64().filter(|format| *format != u64::from(PLAN_FORMAT)) {
        return Err(ReportError::PlanFormat { path, format });
    }
    let plan: Plan = serde_json::from_str(&text).map_err(told)?;
    Ok((events, plan))
}

impl Evidence {
    /// Makes the files of evidence that other tools read, of each load an interval log and a table, and the manifest; those that are
    /// there stay, and a manifest that can not be read is left alone. Then reads what the folder holds beside its events and its plan.
    ///
    /// # Errors
    /// The file system said no. Frames that cannot be read, and files that are not as the manifest says, are told in the report.
    pub fn gather(directory: &Path, events: &[Event], plan: &Plan) -> Result<Self, ReportError> {
        let before = evidence_names(directory)?;
        export_loads(directory, events, plan)?;
        let mut files = evidence_files(directory)?;
        for file in &mut files {
            file.provenance = provenance(&file.file, events, plan);
        }
        let names = files.iter().map(|file| file.file.clone());
        let made: Vec<String> = names.filter(|name| !before.contains(name)).collect();
        let kept = match keep_manifest(directory, events, &files, &made) {
            Err(error @ (ReportError::File(_) | ReportError::TooManyFiles(_))) => return Err(error),
            kept => kept,
        };
        let changed = kept.and_then(|()| states(directory, &files)).map(not_the_same);
        let changed = changed.map_err(|error| error_chain(&error));
        let seen = Seen::read(directory, &files, changed.as_deref().unwrap_or_default());
        if directory.join(MANIFEST_FILE).is_file() {
            let source = "what the files above were when the first report was made".to_owned();
            let manifest = digest(directory, MANIFEST_FILE.to_owned())?;
            files.push(EvidenceFile { provenance: Provenance { source, ..Provenance::default() }, ..manifest });
        }
        Ok(Self { files, changed, seen, kept: Kept::read(directory), ..Self::of_loads(directory, events, plan) })
    }

    /// Reads what the folder holds as [`Evidence::gather`] does, and writes nothing.
    ///
    /// # Errors
    /// A file can not be read, or the manifest is none of this run's.
    pub fn look_at(directory: &Path, events: &[Event], plan: &Plan) -> Result<Self, ReportError> {
        let files = evidence_files(directory)?;
        let changed = not_the_same(states(directory, &files)?);
        let seen = Seen::read(directory, &files, &changed);
        let kept = Kept::read(directory);
        Ok(Self { files, changed: Ok(changed), kept, seen, ..Self::of_loads(directory, events, plan) })
    }

    /// Reads what the loads of a run came to, and nothing else: enough for its figures.
    #[must_use]
    pub fn of_loads(directory: &Path, events: &[Event], plan: &Plan) -> Self {
        let windows = windows(events);
        let sum = |load: &LoadId| {
            let sum = sum_up(directory, load, &windows).map_err(|error| error_chain(&error)).transpose()?;
            Some((load.clone(), sum))
        };
        Self { loads: plan.loads.keys().filter_map(sum).collect(), ..Self::default() }
    }
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            changed: Ok(Vec::new()),
            kept: Kept::default(),
            loads: BTreeMap::new(),
            seen: Seen::default(),
        }
    }
}

fn not_the_same(states: Vec<(String, FileState)>) -> Vec<(String, FileState)> {
    states.into_iter().filter(|(_, state)| *state != FileState::Same).collect()
}

/// Makes of each load's frames the files that other tools read.
fn export_loads(directory: &Path, events: &[Event], plan: &Plan) -> Result<(), ReportError> {
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

/// The files that a report rests on but for their manifest, with their digests: what was written first, then folder by folder.
///
/// # Errors
/// A file cannot be read.
pub(super) fn evidence_files(directory: &Path) -> Result<Vec<EvidenceFile>, ReportError> {
    evidence_names(directory)?.into_iter().map(|name| digest(directory, name)).collect()
}

fn evidence_names(directory: &Path) -> Result<Vec<String>, ReportError> {
    let mut names: Vec<String> =
        EVIDENCE_FILES.iter().filter(|name| directory.join(name).is_file()).map(ToString::to_string).collect();
    for folder in EVIDENCE_FOLDERS {
        let mut found = Vec::new();
        list(directory, folder, &mut found)?;
        found.sort();
        names.extend(found);
    }
    names.retain(|name| name != MANIFEST_FILE);
    Ok(names)
}

fn list(directory: &Path, folder: &str, names: &mut Vec<String>) -> Result<(), ReportError> {
    let path = directory.join(folder);
    if !path.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(&path).map_err(FileError::on("list", &path))? {
        let entry = entry.map_err(FileError::on("list", &path))?;
        let name = entry.file_name().into_string().map_err(|_| ReportError::FileName(entry.path()))?;
        let name = format!("{folder}/{name}");
        // A link could lead out of the folder, or round in a circle.
        let kind = entry.file_type().map_err(FileError::on("look at", &entry.path()))?;
        if kind.is_dir() {
            list(directory, &name, names)?;
        } else if kind.is_file() && !name.ends_with(PARTIAL) {
            // What a process that was killed had begun to write is nothing.
            names.push(name);
        }
        if names.len() > EVIDENCE_FILES_MAX {
            return Err(ReportError::TooManyFiles(path));
        }
    }
    Ok(())
}

/// The digest of a file. That of the log is of its whole lines: a torn last one is cut off when the run is recovered.
fn digest(directory: &Path, file: String) -> Result<EvidenceFile, ReportError> {
    let path = directory.join(&file);
    let length = if file == LOG_FILE { whole_lines(&path).map_err(FileError::on("read", &path))? } else { u64::MAX };
    let (bytes, sha256) = digest_of_start(&path, length)?;
    Ok(EvidenceFile { file, bytes, sha256, provenance: Provenance::default() })
}

/// How many of a file's first `length` bytes there are, and their SHA-256.
pub(super) fn digest_of_start(path: &Path, length: u64) -> Result<(u64, String), ReportError> {
    let mut file = File::open(path).map_err(FileError::on("open", path))?.take(length);
    let (mut sum, mut bytes) = (Sha256::new(), 0);
    let mut part = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut part).map_err(FileError::on("read", path))?;
        if read == 0 {
            return Ok((bytes, hex(&sum.finalize())));
        }
        sum.update(part.get(..read).unwrap_or_default());
        bytes += read as u64;
    }
}

/// The bytes of a file up to the end of its last whole line.
fn whole_lines(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut end = file.seek(SeekFrom::End(0))?;
    while end > 0 {
        let start = end.saturating_sub(READ_BYTES as u64);
        file.seek(SeekFrom::Start(start))?;
        let mut part = Vec::new();
        (&mut file).take(end - start).read_to_end(&mut part)?;
        if let Some(last) = memchr::memrchr(b'\n', &part) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
