//! The event log and what it says: the only truth of a run.
//!
//! Owns: [`Event`], [`EventKind`], [`Command`], the log file (append, read, arm) and [`RunState`], the fold that every
//! view shares. Must not know: faults, AWS, HTTP; an undo is bytes and a digest here.

mod alarm;
mod command;
mod detail;
mod evidence;
mod feed;
mod identity;
mod kind;
mod lock;
mod log;
mod nature;
mod people;
mod prediction;
mod progress;
mod proxy;
mod reading;
mod state;
mod switch;

pub use crate::unit::MARKS;
pub(crate) use alarm::{AlarmHistory, AlarmRecord, AlarmRecords, AlarmStretch};
pub use command::{Command, CommandAnswer};
pub use detail::{
    AbortCause, AlarmNote, AlarmNoteKind, FaultEnd, HypothesisResult, LoadSecond, LoadSteer, LoadStepSecond,
    Observation, PhaseEnd, ProcessKind, Recoverer, RunOutcome, StepAsks, StepOutcome, SwitchStep, Verdict,
};
pub use evidence::{EvidenceKept, EvidenceSource};
pub use feed::Feed;
pub use identity::FaultIdentity;
pub use kind::EventKind;
pub use lock::{LockProgress, LockState};
pub use log::{Armed, EVENT_LINE_BYTES_MAX, EventLog, LOG_FORMAT, LogError, is_in_use, undo_path, undo_steps, was_cut};
pub use people::{
    BlockProgress, CardProgress, HintProgress, InjectProgress, JournalProgress, PROGRAM, PeopleProgress,
    PredictionProgress, Said,
};
pub use prediction::{PREDICTIONS_DIRECTORY, Prediction, PredictionError};
pub use progress::{FaultProgress, FaultState, LoadProgress, PhaseProgress, StepProgress, StepTime, VoteProgress};
pub use proxy::{DelaySummary, PROXY_FAULTS_MAX, ProxyDelay, ProxyFaultSecond, ProxySecond};
pub use reading::{LogPart, LogTail, ReadLog, begun, read_log};
pub use state::{RunStage, RunState};
pub use switch::{SwitchProgress, SwitchState};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 0 without gaps.
    pub seq: u64,
    /// The wall-clock moment, UTC.
    pub at: DateTime<Utc>,
    /// Milliseconds since the run's start, monotonic.
    pub elapsed_ms: u64,
    /// What happened.
    pub kind: EventKind,
}
