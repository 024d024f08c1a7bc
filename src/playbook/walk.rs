//! The record of a walk through a playbook outside of any run: what was ticked and what was run, by whom and when. Owns: its file.
//! Must not know: terminals, processes.
//!
//! A file of `reports/playbooks/` has one JSON object a line, and is only ever added to: `{"seq":0,"at":"…","kind":{…}}`. A line is on
//! disk when [`Walk::append`] returns. What commands write is in none of them.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::document::files_of;
use crate::unit::{FileError, PlaybookId, StepId};

/// How the names of the files end.
const EXTENSION: &str = "ndjson";

/// How many walks through one playbook may begin in the same second.
const SAME_NAME_MAX: usize = 100;

/// How much of a file is read, in bytes.
const WALK_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Why something could not be recorded.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// The file system said no.
    #[error(transparent)]
    File(#[from] FileError),
    /// There is a file for every name that it could have.
    #[error("there are {SAME_NAME_MAX} records of the same second in `{}`; try again", .0.display())]
    Taken(PathBuf),
}

/// What happens in a walk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WalkEvent {
    /// It begins.
    WalkStarted {
        /// The playbook.
        playbook: PlaybookId,
        /// SHA-256 of its file, as it was then.
        sha256: String,
        /// Who walks.
        by: Option<String>,
    },
    /// A step was done.
    StepDone {
        /// The step.
        step: StepId,
        /// What they noted, where the step asks for evidence.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<String>,
        /// Who.
        by: Option<String>,
    },
    /// A step was left out.
    StepSkipped {
        /// The step.
        step: StepId,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Who.
        by: Option<String>,
    },
    /// A command is about to be run.
    BlockStarted {
        /// Its name.
        block: String,
        /// Whether it changes nothing, as the playbook says.
        readonly: bool,
        /// Who runs it.
        by: Option<String>,
    },
    /// A command is over.
    BlockEnded {
        /// Its name.
        block: String,
        /// Whether it ended well and as the playbook expects.
        ok: bool,
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
        /// Who ran it.
        by: Option<String>,
    },
    /// It is over.
    WalkEnded {
        /// Whether it came to the playbook's end.
        whole: bool,
    },
}

/// A line of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalkEntry {
    /// Its number, from 0.
    pub seq: u64,
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub kind: WalkEvent,
}

/// A record that is being written.
#[derive(Debug)]
pub struct Walk {
    /// Its file.
    pub path: PathBuf,
    file: File,
    next: u64,
}

impl Walk {
    /// Makes a new record in a folder, which is made where it is missing. Others can not read it.
    ///
    /// # Errors
    /// The file can not be made.
    pub fn create(folder: &Path, playbook: &PlaybookId, at: DateTime<Utc>) -> Result<Self, WalkError> {
        std::fs::create_dir_all(folder).map_err(FileError::on("make", folder))?;
        let base = format!("{}-{playbook}", at.format("%Y-%m-%d-%H%M%S"));
        for number in 1..=SAME_NAME_MAX {
            let name = if number == 1 { base.clone() } else { format!("{base}-{number}") };
            let path = folder.join(format!("{name}.{EXTENSION}"));
            match OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    // The name is only durable with its folder, and the folder with the one that it stands in.
                    for folder in [Some(folder), folder.parent()].into_iter().flatten() {
                        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                        let synced = File::open(folder).and_then(|opened| opened.sync_all());
                        synced.map_err(FileError::on("write", folder))?;
                    }
                    return Ok(Self { path, file, next: 0 });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(FileError::on("make", &path)(error).into()),
            }
        }
        Err(WalkError::Taken(folder.to_owned()))
    }

    /// Adds a line; it is on disk afterwards.
    ///
    /// # Errors
    /// The line can not be written.
    ///
    /// # Panics
    /// Never: these types serialise to JSON.
    pub fn append(&mut self, at: DateTime<Utc>, kind: WalkEvent) -> Result<(), WalkError> {
        let entry = WalkEntry { seq: self.next, at, kind };
        let mut line = serde_json::to_string(&entry).expect("invariant: our own types serialise to JSON");
        line.push('\n');
        let written = self.file.write_all(line.as_bytes()).and_then(|()| self.file.sync_all());
        written.map_err(FileError::on("append to", &self.path))?;
        self.next += 1;
        Ok(())
    }
}

/// The playbooks that walks of a folder have exercised, each with when and by which record. A playbook is exercised when one of its
/// steps was done. A file that is none of ours, or a line that was torn, is passed over.
#[must_use]
pub fn exercised_in(folder: &Path) -> Vec<(PlaybookId, DateTime<Utc>, String)> {
    files_of(folder, EXTENSION).iter().filter_map(|path| exercised(path)).collect()
}

fn exercised(path: &Path) -> Option<(PlaybookId, DateTime<Utc>, String)> {
    let mut text = String::new();
    File::open(path).ok()?.take(WALK_BYTES_MAX).read_to_string(&mut text).ok()?;
    let mut entries = text.lines().filter_map(|line| serde_json::from_str::<WalkEntry>(line).ok());
    let WalkEvent::WalkStarted { playbook, .. } = entries.next()?.kind else { return None };
    let done = entries.rfind(|entry| matches!(entry.kind, WalkEvent::StepDone { .. }))?;
    Some((playbook, done.at, path.file_stem()?.to_str()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn step(id: &str) -> WalkEvent {
        WalkEvent::StepDone { step: id.parse().unwrap(), evidence: None, by: Some("maria".to_owned()) }
    }

    fn start(id: &str) -> WalkEvent {
        WalkEvent::WalkStarted { playbook: id.parse().unwrap(), sha256: "0".to_owned(), by: None }
    }

    #[test]
    fn a_record_is_private_and_a_step_that_was_done_counts_as_an_exercise() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("reports/playbooks");
        let id: PlaybookId = "pb-a".parse().unwrap();
        let at = DateTime::UNIX_EPOCH;
        let mut walk = Walk::create(&folder, &id, at).unwrap();
        assert_eq!(std::fs::metadata(&walk.path).unwrap().permissions().mode() & 0o777, 0o600);
        walk.append(at, start("pb-a")).unwrap();
        assert_eq!(exercised_in(&folder), [], "nothing was done yet");
        walk.append(at + chrono::TimeDelta::seconds(5), step("claim")).unwrap();
        // A torn line is passed over.
        std::fs::write(&walk.path, std::fs::read_to_string(&walk.path).unwrap() + "{\"seq\":2,").unwrap();

        let mut other = Walk::create(&folder, &id, at).unwrap();
        assert!(other.path.ends_with("1970-01-01-000000-pb-a-2.ndjson"), "{}", other.path.display());
        other.append(at, start("pb-b")).unwrap();
        other.append(at, step("claim")).unwrap();
        std::fs::write(folder.join("other.ndjson"), "[]\n").unwrap();
        let found: Vec<(String, i64, String)> = exercised_in(&folder)
            .into_iter()
            .map(|(playbook, at, name)| (playbook.to_string(), at.timestamp(), name))
            .collect();
        let expected = [("pb-b", 0, "1970-01-01-000000-pb-a-2"), ("pb-a", 5, "1970-01-01-000000-pb-a")];
        assert_eq!(found, expected.map(|(playbook, at, name)| (playbook.to_owned(), at, name.to_owned())));
    }
}
