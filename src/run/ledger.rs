//! The ledger: no change without its undo on disk, no undo without a record of how it went.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::switch::{self, SwitchError, Switches};
use crate::event::{Event, EventKind, EventLog, FaultEnd, FaultIdentity, LogError, undo_path};
use crate::fault::{FaultEnvironment, FaultError, FaultKind, Reverted, Undo};
use crate::unit::{LoadId, TargetId};
use crate::verdict::{Recording, SecondRecord};

/// The version of undo files.
const UNDO_FORMAT: u32 = 1;

/// A private undo file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UndoFile {
    /// The version: 1.
    format: u32,
    /// What was there, and what is put there.
    pub(super) undo: Undo,
}

/// Why an undo file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum UndoFileError {
    /// It cannot be read.
    #[error("failed to read it")]
    Io(#[source] std::io::Error),
    /// It is not the file that the log names.
    #[error("its digest is not the one in the log")]
    Digest,
    /// It is not an undo file.
    #[error("it is not an undo of format {UNDO_FORMAT}")]
    Format(#[source] Option<serde_json::Error>),
}

impl UndoFile {
    /// Reads a run's undo file and checks it against the digest in the log.
    pub(super) fn read(path: &Path, sha256: &str) -> Result<Self, UndoFileError> {
        let bytes = std::fs::read(path).map_err(UndoFileError::Io)?;
        if crate::unit::sha256_hex(&bytes) != sha256 {
            return Err(UndoFileError::Digest);
        }
        let file: Self = serde_json::from_slice(&bytes).map_err(|error| UndoFileError::Format(Some(error)))?;
        if file.format == UNDO_FORMAT { Ok(file) } else { Err(UndoFileError::Format(None)) }
    }

    /// Reads an undo file that no record names, with its digest; none where it is not whole.
    pub(super) fn read_unnamed(path: &Path) -> Option<(String, Undo)> {
        let sha256 = crate::unit::sha256_hex(&std::fs::read(path).ok()?);
        let file = Self::read(path, &sha256).ok()?;
        Some((sha256, file.undo))
    }
}

/// The log and the recording, which grow together. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    log: EventLog,
    recording: Arc<Mutex<Recording>>,
}

impl Recorder {
    pub(super) fn new(log: EventLog) -> Self {
        Self { log, recording: Arc::default() }
    }

    /// A recorder that goes on behind events that were read back.
    pub(super) fn resume(log: EventLog, events: &[Event]) -> Self {
        let recorder = Self::new(log);
        let mut recording = recorder.recording();
        events.iter().for_each(|event| recording.apply(event));
        drop(recording);
        recorder
    }

    pub(super) fn log(&self) -> &EventLog {
        &self.log
    }

    /// Writes an event and takes it in. What the log cannot hold any more is taken in all the same, since undo goes on.
    pub(super) fn record(&self, kind: EventKind) -> Result<(), LogError> {
        let mut recording = self.recording();
        match self.log.append(kind.clone()) {
            Ok(event) => {
                recording.apply(&event);
                Ok(())
            }
            Err(error) => {
                recording.apply(&self.log.publish_unwritten(kind));
                Err(error)
            }
        }
    }

    /// Records where nothing could be done about a failure: undo does not stop for a log that is full.
    pub(super) fn record_anyway(&self, kind: EventKind) {
        self.record(kind).ok();
    }

    pub(super) fn record_second(&self, load: &LoadId, second: u64, record: SecondRecord) {
        self.recording().record_second(load, second, record);
    }

    /// The recording, for as long as the guard is held: never across an await.
    pub(super) fn recording(&self) -> MutexGuard<'_, Recording> {
        // Taking an event in does not leave it half done.
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a fault was not injected.
#[derive(Debug, thiserror::Error)]
pub(super) enum InjectError {
    /// The target could not be read or changed.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// Its undo could not be made durable.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Nobody would undo it if this machine were lost.
    #[error(transparent)]
    Switch(#[from] SwitchError),
    /// The run was aborted before anything was changed.
    #[error("the run was aborted before it")]
    Aborted,
    /// The disk of the run's folder is nearly full: undoing would go on without a record.
    #[error("the disk under `{}` has {} KiB left, and a fault needs {} KiB for what undoes it", folder.display(), free_bytes / 1024, DISK_FREE_BYTES_MIN / 1024)]
    Disk {
        /// The run's folder.
        folder: PathBuf,
        /// What is left.
        free_bytes: u64,
    },
}

/// How much space a disk must have left for a fault to be injected: its records and those of its undo are a few KiB, and
/// others write as well.
const DISK_FREE_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// Refuses a disk that is nearly full. Where the system does not tell, the write itself will.
fn check_disk(folder: &Path, free_bytes: Option<u64>) -> Result<(), InjectError> {
    match free_bytes {
        Some(free_bytes) if free_bytes < DISK_FREE_BYTES_MIN => {
            Err(InjectError::Disk { folder: folder.to_owned(), free_bytes })
        }
        Some(_) | None => Ok(()),
    }
}

fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Injects a fault, in the one order that is safe: read, intend, make the undo durable, set its dead man's switch, change, read
/// back.
///
/// `keep` gets the undo before anything is changed.
pub(super) async fn inject(
    recorder: &Recorder,
    environment: &FaultEnvironment,
    identity: &FaultIdentity,
    (kind, ttl): (&FaultKind, Option<Duration>),
    switches: &Switches,
    keep: impl FnOnce(Undo) + Send,
) -> Result<(), InjectError> {
    let target = kind.target().clone();
    let intended = |text: crate::fault::ChangeText, target: TargetId| EventKind::FaultIntended {
        identity: identity.clone(),
        fault_kind: kind.key().to_owned(),
        target,
        change: text.change,
        undo: text.undo,
    };
    let outcome = async {
        check_disk(recorder.log.directory(), free_bytes(recorder.log.directory()))?;
        switches.clear_target(environment, &target).await?;
        let undo = match kind.prepare(environment).await {
            Ok(undo) => undo,
            Err(error) => {
                recorder.record_anyway(intended(kind.text(), target.clone()));
                return Err(error.into());
            }
        };
        recorder.record(intended(undo.text(), target.clone()))?;
        let file = UndoFile { format: UNDO_FORMAT, undo: undo.clone() };
        let bytes = serde_json::to_vec_pretty(&file).expect("invariant: an undo serialises to JSON");
        keep(undo.clone());
        let (armed, event) = recorder.log.arm(identity, &bytes)?;
        recorder.recording().apply(&event);
        switches.set(environment, identity, kind, &undo, ttl).await?;
        // To set a switch takes a while in which a guardrail may have ended the run.
        if recorder.recording().state().abort.is_some() {
            return Err(InjectError::Aborted);
        }
        undo.inject(environment, &armed).await.map_err(InjectError::from)
    }
    .await;
    match outcome {
        Ok(()) => Ok(recorder.record(EventKind::FaultApplied { identity: identity.clone() })?),
        Err(error) => {
            let text = crate::unit::error_chain(&error);
            recorder.record_anyway(EventKind::FaultFailed { identity: identity.clone(), error: text });
            Err(error)
        }
    }
}

/// How often an undo is tried that panics.
const UNDO_ATTEMPTS_MAX: usize = 2;

/// Undoes a fault and records how it went, with what a person can type where it did not. A panic of ours in one undo
/// stops neither it nor the others: it is tried once more.
pub(super) async fn revert(recorder: &Recorder, environment: &FaultEnvironment, identity: &FaultIdentity, undo: &Undo) {
    let mut last = None;
    for _ in 0..UNDO_ATTEMPTS_MAX {
        let (recorder, environment) = (recorder.clone(), environment.clone());
        let (identity, undo) = (identity.clone(), undo.clone());
        match tokio::spawn(async move { revert_once(&recorder, &environment, &identity, &undo).await }).await {
            Ok(()) => {
                last = None;
                break;
            }
            Err(panic) => last = Some(panic.to_string()),
        }
    }
    if let Some(error) = last {
        recorder.record_anyway(stuck(recorder, environment, identity, undo, error));
    }
    switch::settle(recorder, environment, identity).await;
}

/// An undo that could not be done, with what finishes it by hand, in any folder.
fn stuck(
    recorder: &Recorder,
    environment: &FaultEnvironment,
    identity: &FaultIdentity,
    undo: &Undo,
    error: String,
) -> EventKind {
    let folder = recorder.log.directory();
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut by_hand = vec![format!("gameday recover {}", folder.display())];
    let commands = undo.by_hand(&undo_path(&folder, &identity.step));
    if !commands.is_empty() {
        by_hand.push(environment.shell.clone());
    }
    by_hand.extend(commands);
    EventKind::FaultStuck { identity: identity.clone(), error, by_hand }
}

async fn revert_once(recorder: &Recorder, environment: &FaultEnvironment, identity: &FaultIdentity, undo: &Undo) {
    let identity = identity.clone();
    recorder.record_anyway(EventKind::FaultReverting { identity: identity.clone() });
    let restored = |how| EventKind::FaultRestored { identity: identity.clone(), how };
    recorder.record_anyway(match undo.revert(environment).await {
        Ok(Reverted::Restored) => restored(FaultEnd::Restored),
        Ok(Reverted::AsBefore) => restored(FaultEnd::AsBefore),
        Ok(Reverted::NotReadBack) => restored(FaultEnd::NotReadBack),
        Ok(Reverted::Expired) => restored(FaultEnd::Expired),
        Ok(Reverted::Gone) => restored(FaultEnd::Gone),
        Ok(Reverted::Drift(fields)) => EventKind::FaultDrifted { identity, fields },
        Err(error) => stuck(recorder, environment, &identity, undo, crate::unit::error_chain(&error)),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_lets_no_fault_in() {
        let folder = Path::new("reports/run");
        let error = check_disk(folder, Some(DISK_FREE_BYTES_MIN - 1)).unwrap_err().to_string();
        assert!(error.contains("reports/run") && error.contains("4095 KiB"), "{error}");
        assert!(check_disk(folder, Some(DISK_FREE_BYTES_MIN)).is_ok());
        assert!(free_bytes(Path::new(".")).is_some());
    }
}
