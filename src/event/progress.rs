//! The parts of [`super::RunState`]: a fault, a phase, a load, a step, each with the times of its life.

use serde::Serialize;

use super::switch::SwitchProgress;
use super::{EventKind, FaultEnd, FaultIdentity, LoadSecond, LoadSteer, PhaseEnd, StepOutcome};
use crate::unit::{PersonId, PhaseId, PlaybookId, StepId, TargetId};

/// Where a fault stands in its ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultState {
    /// It is about to be injected; nothing was changed.
    Intended,
    /// Its undo is on disk: it may have been injected.
    Armed,
    /// It was injected and read back.
    Applied,
    /// Its effect was proven.
    Effective,
    /// It is being undone.
    Reverting,
    /// It is undone.
    Restored,
    /// Somebody else changed the target: left alone.
    Drifted,
    /// It could not be undone in its time.
    Stuck,
}

/// A fault and the times of its life, in milliseconds since the run's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultProgress {
    /// Which.
    #[serde(rename = "id")]
    pub identity: FaultIdentity,
    /// The kind's key.
    pub kind: String,
    /// The target.
    pub target: TargetId,
    /// The change in one line.
    pub change: String,
    /// The undo in one line.
    pub undo: String,
    /// Where it stands.
    pub state: FaultState,
    /// The digest of its undo file, once armed.
    pub undo_sha256: Option<String>,
    /// When it was requested.
    pub requested_ms: u64,
    /// When the change was confirmed.
    pub applied_ms: Option<u64>,
    /// When its effect was first seen.
    pub effective_ms: Option<u64>,
    /// What proved it.
    pub evidence: Option<String>,
    /// When it was found not to be in any more, before its undo.
    pub lost_ms: Option<u64>,
    /// When the undo began.
    pub reverting_ms: Option<u64>,
    /// When the undo ended, well or not.
    pub ended_ms: Option<u64>,
    /// How the undo ended well.
    pub end: Option<FaultEnd>,
    /// The injection's or the undo's error.
    pub error: Option<String>,
    /// Drifted fields, or commands that finish the undo by hand.
    pub left: Vec<String>,
    /// Its dead man's switch; none where it never had one.
    pub switch: Option<SwitchProgress>,
}

impl FaultProgress {
    /// Whether the target may still be changed by us: the undo is on disk and has not ended well.
    #[must_use]
    pub fn is_outstanding(&self) -> bool {
        match self.state {
            FaultState::Intended | FaultState::Restored => false,
            FaultState::Armed
            | FaultState::Applied
            | FaultState::Effective
            | FaultState::Reverting
            | FaultState::Drifted
            | FaultState::Stuck => true,
        }
    }

    /// Whether it is over, and there may still be a switch in AWS that would undo it.
    #[must_use]
    pub fn is_switch_left_over(&self) -> bool {
        !self.is_outstanding() && self.switch.as_ref().is_some_and(SwitchProgress::may_be_there)
    }

    /// Whether it is in place and not being undone.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.state, FaultState::Applied | FaultState::Effective)
    }
}

/// A phase and its times, in milliseconds since the run's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhaseProgress {
    /// Which.
    pub phase: PhaseId,
    /// When it began.
    pub start_ms: u64,
    /// When it ended.
    pub end_ms: Option<u64>,
    /// Why it ended.
    pub why: Option<PhaseEnd>,
}

/// A load and the last that was heard of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LoadProgress {
    /// When it was started, in milliseconds since the run's start.
    pub start_ms: u64,
    /// When it ended, well or not.
    pub end_ms: Option<u64>,
    /// Why it was lost.
    pub lost: Option<String>,
    /// How many of its requests have failed.
    pub failed_count: u64,
    /// Its latest second.
    pub last: Option<LoadSecond>,
    /// Whether nobody comes, since a person paused it.
    pub is_paused: bool,
}

/// A step for a person and its times, in milliseconds since the run's start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepProgress {
    /// Which.
    pub step: StepId,
    /// What is to be done.
    pub text: String,
    /// Who does it.
    pub owner: Option<PersonId>,
    /// Whether it must be done.
    pub must: bool,
    /// The playbook it comes from.
    pub playbook: Option<PlaybookId>,
    /// The phase in which it was opened.
    pub phase: Option<PhaseId>,
    /// When it was opened.
    pub opened_ms: u64,
    /// When it becomes overdue.
    pub due_ms: Option<u64>,
    /// Whether it was overdue at some time.
    pub overdue: bool,
    /// When it was closed.
    pub closed_ms: Option<u64>,
    /// How it was closed.
    pub outcome: Option<StepOutcome>,
    /// Who closed it.
    pub by: Option<String>,
}

/// What events do to a fault. An injection that was never armed stays `intended`, whatever is tried: nothing was changed.
impl FaultProgress {
    pub(super) fn intended(at: u64, identity: &FaultIdentity, kind: &str, target: &TargetId, text: [&str; 2]) -> Self {
        let [change, undo] = text.map(str::to_owned);
        Self {
            identity: identity.clone(),
            kind: kind.to_owned(),
            target: target.clone(),
            change,
            undo,
            state: FaultState::Intended,
            undo_sha256: None,
            requested_ms: at,
            applied_ms: None,
            effective_ms: None,
            evidence: None,
            lost_ms: None,
            reverting_ms: None,
            ended_ms: None,
            end: None,
            error: None,
            left: Vec::new(),
            switch: None,
        }
    }

    /// Takes in an event about it.
    pub(super) fn apply(&mut self, at: u64, kind: &EventKind) {
        match kind {
            EventKind::FaultArmed { undo_sha256, .. } => self.armed(undo_sha256),
            EventKind::FaultApplied { .. } => self.applied(at),
            EventKind::FaultFailed { error, .. } => self.failed(error),
            EventKind::FaultEffective { evidence, first_ms, .. } => self.effective(first_ms.unwrap_or(at), evidence),
            EventKind::FaultLost { .. } => self.lost_ms = self.lost_ms.or(Some(at)),
            EventKind::FaultReverting { .. } => self.reverting(at),
            EventKind::FaultRestored { how, .. } => self.restored(at, *how),
            EventKind::FaultDrifted { fields, .. } => self.drifted(at, fields),
            EventKind::FaultStuck { error, by_hand, .. } => self.stuck(at, error, by_hand),
            _ => SwitchProgress::apply(&mut self.switch, kind),
        }
    }

    fn armed(&mut self, undo_sha256: &str) {
        self.state = FaultState::Armed;
        self.undo_sha256 = Some(undo_sha256.to_owned());
    }

    fn applied(&mut self, at: u64) {
        self.state = FaultState::Applied;
        self.applied_ms = Some(at);
    }

    fn failed(&mut self, error: &str) {
        self.error = Some(error.to_owned());
    }

    /// A proof that comes late does not bring a fault back that is being undone.
    fn effective(&mut self, at: u64, evidence: &str) {
        if self.state == FaultState::Applied {
            self.state = FaultState::Effective;
        }
        self.effective_ms = Some(at);
        self.evidence = Some(evidence.to_owned());
    }

    fn reverting(&mut self, at: u64) {
        if self.state != FaultState::Intended {
            self.state = FaultState::Reverting;
        }
        self.reverting_ms.get_or_insert(at);
    }

    fn restored(&mut self, at: u64, how: FaultEnd) {
        self.state = FaultState::Restored;
        self.end = Some(how);
        self.ended_ms = Some(at);
        self.left.clear();
    }

    fn drifted(&mut self, at: u64, fields: &[String]) {
        if self.state == FaultState::Intended {
            return;
        }
        self.state = FaultState::Drifted;
        self.ended_ms = Some(at);
        self.left = fields.to_vec();
    }

    fn stuck(&mut self, at: u64, error: &str, by_hand: &[String]) {
        if self.state == FaultState::Intended {
            return;
        }
        self.state = FaultState::Stuck;
        self.ended_ms = Some(at);
        self.error = Some(error.to_owned());
        self.left = by_hand.to_vec();
    }
}

impl LoadProgress {
    /// A load may be started again once it is over: what failed, and that it was lost, stays.
    pub(super) fn started(&mut self, at: u64) {
        (self.start_ms, self.end_ms, self.last, self.is_paused) = (at, None, None, false);
    }

    pub(super) fn steered(&mut self, how: LoadSteer) {
        match how {
            LoadSteer::Rate(_) => {}
            LoadSteer::Pause => self.is_paused = true,
            LoadSteer::Resume => self.is_paused = false,
        }
    }

    pub(super) fn recorded(&mut self, second: &LoadSecond) {
        self.failed_count += second.failed_count;
        self.last = Some(second.clone());
    }

    pub(super) fn lost(&mut self, at: u64, why: &str) {
        (self.end_ms, self.lost) = (Some(at), Some(why.to_owned()));
    }
}

impl StepProgress {
    pub(super) fn opened(at: u64, step: &StepId, text: &str, phase: Option<PhaseId>) -> Self {
        Self {
            step: step.clone(),
            text: text.to_owned(),
            owner: None,
            must: false,
            playbook: None,
            phase,
            opened_ms: at,
            due_ms: None,
            overdue: false,
            closed_ms: None,
            outcome: None,
            by: None,
        }
    }

    pub(super) fn close(&mut self, at: u64, outcome: &StepOutcome, by: Option<&str>) {
        self.closed_ms = Some(at);
        self.outcome = Some(outcome.clone());
        self.by = by.map(str::to_owned);
    }
}
