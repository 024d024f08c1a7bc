//! `evidence/manifest.json`: what a run's folder held when its report was first made, and whether it still does.
//!
//! An entry is written once and then stays: a file that changed afterwards is told, not taken over. Only the log may
//! grow, since a recovery writes behind its last event.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{ReportError, digest_of_start, evidence_files};
use super::model::EvidenceFile;
use crate::event::{Event, EventKind, read_log, undo_path};
use crate::load::EVIDENCE_FOLDER;
use crate::plan::Plan;
use crate::unit::{FileError, WholeFile, error_chain, sha256_hex};

/// The version of the manifest's format.
const MANIFEST_FORMAT: u32 = 1;
/// Where it stands in a run's folder.
pub const MANIFEST_FILE: &str = "evidence/manifest.json";
const MANIFEST_NAME: &str = "manifest.json";
const LOG_FILE: &str = "run.ndjson";
const PLAN_FILE: &str = "plan.json";
const SCENARIO_FILE: &str = "scenario.yaml";

/// What a run's folder held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the format: 1.
    pub format: u32,
    /// The run.
    pub run: String,
    /// Each file.
    pub files: Vec<EvidenceFile>,
}

/// How a file stands to the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// It is as it was.
    Same,
    /// It is another one now.
    Changed,
    /// It was there and is not.
    Missing,
    /// It is there, and nothing says what it was.
    Unlisted,
}

impl FileState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Unlisted => "unlisted",
        }
    }
}

/// What is known of a run's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Each file and how it stands to the manifest, by name.
    pub files: Vec<(String, FileState)>,
    /// What else does not fit together, in words: the log and the plan, the plan and the scenario, an undo and the log.
    pub contradictions: Vec<String>,
}

impl Verification {
    /// Whether every file is as it was, and all fits together.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.contradictions.is_empty() && self.files.iter().all(|(_, state)| *state == FileState::Same)
    }
}

/// The manifest of a run's folder; none where none was made.
///
/// # Errors
/// It cannot be read, or is none.
pub fn read_manifest(directory: &Path) -> Result<Option<Manifest>, ReportError> {
    let path = directory.join(MANIFEST_FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(FileError::on("read", &path)(error).into()),
    };
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|source| ReportError::Manifest { path: path.clone(), source })?;
    if manifest.format == MANIFEST_FORMAT { Ok(Some(manifest)) } else { Err(ReportError::ManifestFormat(path)) }
}

/// Makes the manifest of the files that were found. To one that is there only what was `made` just now is added: of any other file
/// nothing says where it comes from.
///
/// # Errors
/// The file system said no, or the manifest that is there is none, or is of another run.
pub(super) fn keep_manifest(
    directory: &Path,
    events: &[Event],
    found: &[EvidenceFile],
    made: &[String],
) -> Result<(), ReportError> {
    let Some(EventKind::RunStarted { run, .. }) = events.first().map(|event| &event.kind) else { return Ok(()) };
    let old = read_manifest(directory)?;
    if let Some(other) = old.as_ref().map(|old| &old.run).filter(|known| *known != run.as_str()) {
        return Err(ReportError::OtherRun { path: directory.join(MANIFEST_FILE), run: other.clone() });
    }
    let mut files = old.as_ref().map(|manifest| manifest.files.clone()).unwrap_or_default();
    for found in found {
        match files.iter_mut().find(|entry| entry.file == found.file) {
            None if old.is_none() || made.contains(&found.file) => files.push(found.clone()),
            None => {}
            Some(known) if is_longer_log(directory, known, found)? => *known = found.clone(),
            Some(_) => {}
        }
    }
    let manifest = Manifest { format: MANIFEST_FORMAT, run: run.to_string(), files };
    if old.as_ref() == Some(&manifest) { Ok(()) } else { write(directory, &manifest) }
}

/// Whether the log is what the manifest knows, with more behind it.
fn is_longer_log(directory: &Path, known: &EvidenceFile, found: &EvidenceFile) -> Result<bool, ReportError> {
    if known.file != LOG_FILE || found.bytes <= known.bytes {
        return Ok(false);
    }
    let (_, sha256) = digest_of_start(&directory.join(LOG_FILE), known.bytes)?;
    Ok(sha256 == known.sha256)
}

fn write(directory: &Path, manifest: &Manifest) -> Result<(), ReportError> {
    let folder = directory.join(EVIDENCE_FOLDER);
    std::fs::create_dir_all(&folder).map_err(FileError::on("create", &folder))?;
    let mut text = serde_json::to_string_pretty(manifest).expect("invariant: our own values serialise to JSON");
    text.push('\n');
    WholeFile::write_text(&folder, MANIFEST_NAME, &text)?;
    Ok(())
}

/// Each file of a run's folder, held against its manifest.
///
/// # Errors
/// A file cannot be read, or the manifest is none.
pub(super) fn states(directory: &Path, found: &[EvidenceFile]) -> Result<Vec<(String, FileState)>, ReportError> {
    let Some(manifest) = read_manifest(directory)? else {
        return Ok(found.iter().map(|file| (file.file.clone(), FileState::Unlisted)).collect());
    };
    let state_of = |entry: &EvidenceFile| {
        let now = found.iter().find(|file| file.file == entry.file);
        let state = match now {
            None => FileState::Missing,
            Some(now) if now.sha256 == entry.sha256 => FileState::Same,
            Some(_) => FileState::Changed,
        };
        (entry.file.clone(), state)
    };
    let mut states: Vec<(String, FileState)> = manifest.files.iter().map(state_of).collect();
    let is_listed = |file: &EvidenceFile| manifest.files.iter().any(|entry| entry.file == file.file);
    let unlisted = found.iter().filter(|file| !is_listed(file));
    states.extend(unlisted.map(|file| (file.file.clone(), FileState::Unlisted)));
    states.sort();
    Ok(states)
}

/// Reads every file of a run's folder again, and tells what is not as it was or does not fit together.
///
/// # Errors
/// A file cannot be read, or there is no manifest to hold it against.
pub fn verify(directory: &Path) -> Result<Verification, ReportError> {
    let Some(manifest) = read_manifest(directory)? else {
        return Err(ReportError::NoManifest(directory.join(MANIFEST_FILE)));
    };
    let found = evidence_files(directory)?;
    let contradictions = contradictions(directory, &found, &manifest.run);
    Ok(Verification { files: states(directory, &found)?, contradictions })
}

fn contradictions(directory: &Path, found: &[EvidenceFile], manifest_run: &str) -> Vec<String> {
    let sha256_of = |name: &str| found.iter().find(|file| file.file == name).map(|file| file.sha256.as_str());
    let mut told = Vec::new();
    let events = match read_log(directory) {
        Ok(read) => read.events,
        Err(error) => return vec![error_chain(&error)],
    };
    if let Some(EventKind::RunStarted { run, .. }) = events.first().map(|event| &event.kind)
        && run.as_str() != manifest_run
    {
        told.push(format!("`{MANIFEST_FILE}` is of the run `{manifest_run}`, and the log of `{run}`"));
    }
    if let Some(EventKind::RunStarted { plan_sha256, .. }) = events.first().map(|event| &event.kind)
        && sha256_of(PLAN_FILE).is_some_and(|found| found != plan_sha256)
    {
        told.push("`plan.json` is not the plan that the log names".to_owned());
    }
    match read_plan(directory) {
        Ok(plan) if sha256_of(SCENARIO_FILE).is_some_and(|found| found != plan.scenario.sha256) => {
            told.push("`scenario.yaml` is not the file that the plan was made of".to_owned());
        }
        Ok(_) => {}
        Err(error) => told.push(error_chain(&error)),
    }
    for event in &events {
        if let EventKind::FaultArmed { identity, undo_sha256: logged } = &event.kind {
            match std::fs::read(undo_path(directory, &identity.step)) {
                Ok(undo) if sha256_hex(&undo) == *logged => {}
                Ok(_) => told.push(format!("the undo of `{}` is not the one that the log names", identity.step)),
                // Undo files are private, and need not be kept with a report.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => told.push(format!("the undo of `{}` cannot be read: {error}", identity.step)),
            }
        }
    }
    told
}

fn read_plan(directory: &Path) -> Result<Plan, ReportError> {
    let path: PathBuf = directory.join(PLAN_FILE);
    let text = std::fs::read_to_string(&path).map_err(FileError::on("read", &path))?;
    serde_json::from_str(&text).map_err(|source| ReportError::Plan { path, source })
}
