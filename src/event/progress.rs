//! The parts of [`super::RunState`]: a fault, a phase, a load, a step, each with the times of its life.

use serde::Serialize;

use super::switch::SwitchProgress;
use super::{EventKind, FaultEnd, FaultIdentity, LoadSecond, LoadSteer, PhaseEnd, StepAsks, StepOutcome};
use crate::unit::{PersonId, PhaseId, PlaybookId, StepId, TargetId, elapsed_ms};

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
    /// How long it stood still so far, without the pause that lasts.
    pub paused_ms: u64,
    /// Since when its clock waits for people; a pause in the midst of that moves it on.
    pub held_since_ms: Option<u64>,
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
    /// What was noted when it was done.
    pub evidence: Option<String>,
    /// What it asks for, beside that it is done.
    pub asks: StepAsks,
    /// What roles said to it, in order; what a role said last counts.
    pub votes: Vec<VoteProgress>,
    /// When its time began to count; none while what it is counted from has not happened.
    pub timed_ms: Option<u64>,
    /// How long the timeline has stood still since it was due: so long it was not late.
    pub late_paused_ms: u64,
}

/// What a role said to a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoteProgress {
    /// The role.
    pub role: PersonId,
    /// Whether it agrees.
    pub go: bool,
    /// Why.
    pub why: Option<String>,
    /// Who spoke for the role.
    pub by: Option<String>,
    /// When, in milliseconds since the run's start.
    pub at_ms: u64,
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

/// How near a step's time is to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepTime {
    /// It has no time, or what that is counted from has not happened.
    Untimed,
    /// There is time left, in milliseconds.
    Due(u64),
    /// The last fifth of its time, or the last minute of a longer one, has begun; what is left in milliseconds.
    Soon(u64),
    /// It is late by so many milliseconds.
    Overdue(u64),
}

/// The longest time before a step is due in which it is soon due, in milliseconds.
const SOON_MS_MAX: u64 = 60_000;

impl StepProgress {
    /// A step that was opened at `at`, in the phase that was under way.
    pub(super) fn opened(at: u64, kind: &EventKind, phase: Option<PhaseId>) -> Option<Self> {
        let EventKind::StepOpened { step, text, owner, due_ms, must, playbook, asks } = kind else { return None };
        Some(Self {
            step: step.clone(),
            text: text.clone(),
            owner: owner.clone(),
            must: *must,
            playbook: playbook.clone(),
            phase,
            opened_ms: at,
            due_ms: *due_ms,
            overdue: false,
            closed_ms: None,
            outcome: None,
            by: None,
            evidence: None,
            asks: asks.clone(),
            votes: Vec::new(),
            timed_ms: due_ms.map(|_| at),
            late_paused_ms: 0,
        })
    }

    /// What its time is counted from has happened, so that it is due then.
    pub(super) fn timed(&mut self, due_ms: u64) {
        let length_ms = self.asks.within.as_ref().map_or(0, |within| elapsed_ms(within.length.0));
        (self.timed_ms, self.due_ms) = (Some(due_ms.saturating_sub(length_ms)), Some(due_ms));
    }

    pub(super) fn close(&mut self, at: u64, kind: &EventKind) {
        let EventKind::StepClosed { outcome, by, evidence, .. } = kind else { return };
        self.closed_ms = Some(at);
        (self.outcome, self.by, self.evidence) = (Some(outcome.clone()), by.clone(), evidence.clone());
    }

    pub(super) fn vote(&mut self, at_ms: u64, kind: &EventKind) {
        let EventKind::Voted { role, go, why, by, .. } = kind else { return };
        self.votes.push(VoteProgress { role: role.clone(), go: *go, why: why.clone(), by: by.clone(), at_ms });
    }

    /// The timeline went on at `now_ms`, after it had stood still since `since_ms`: so long its time did not run.
    pub(super) fn go_on(&mut self, since_ms: u64, now_ms: u64) {
        match (&self.outcome, &mut self.due_ms, self.timed_ms) {
            (None, Some(due_ms), Some(_)) if self.overdue => {
                self.late_paused_ms += now_ms.saturating_sub(since_ms.max(*due_ms));
            }
            (None, Some(due_ms), Some(timed_ms)) => *due_ms += now_ms.saturating_sub(since_ms.max(timed_ms)),
            _ => {}
        }
    }

    /// How late it was at `until_ms`, in milliseconds; none where it was in time, or had none.
    #[must_use]
    pub fn late_ms(&self, until_ms: u64) -> Option<u64> {
        until_ms.checked_sub(self.due_ms?)?.checked_sub(self.late_paused_ms).filter(|late_ms| *late_ms > 0)
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.outcome.is_none()
    }

    /// Whether somebody closed it, or a rehearsal did: it was not just left behind.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        match &self.outcome {
            Some(StepOutcome::Done | StepOutcome::Skipped { .. } | StepOutcome::Rehearsed | StepOutcome::NoGo) => true,
            Some(StepOutcome::LeftOpen) | None => false,
        }
    }

    /// What a role said to it last.
    #[must_use]
    pub fn vote_of(&self, role: &PersonId) -> Option<&VoteProgress> {
        self.votes.iter().rev().find(|vote| vote.role == *role)
    }

    /// What its poll has come to: none while some role has not spoken, or where there is no poll.
    #[must_use]
    pub fn poll_agrees(&self) -> Option<bool> {
        let votes: Option<Vec<bool>> =
            self.asks.poll.iter().map(|role| self.vote_of(role).map(|vote| vote.go)).collect();
        votes.filter(|votes| !votes.is_empty()).map(|votes| votes.into_iter().all(|go| go))
    }

    /// How near the end of its time is at `now_ms`. `paused_since_ms` is when the timeline was stopped, while it stands still.
    #[must_use]
    pub fn time(&self, now_ms: u64, paused_since_ms: Option<u64>) -> StepTime {
        let (Some(due_ms), Some(timed_ms)) = (self.due_ms, self.timed_ms) else { return StepTime::Untimed };
        let now_ms = match paused_since_ms {
            Some(since_ms) => now_ms.min(since_ms.max(if self.overdue { due_ms } else { timed_ms })),
            None => now_ms,
        };
        match due_ms.checked_sub(now_ms) {
            None | Some(0) => StepTime::Overdue((now_ms - due_ms).saturating_sub(self.late_paused_ms)),
            Some(left_ms) if left_ms <= (due_ms.saturating_sub(timed_ms) / 5).min(SOON_MS_MAX) => {
                StepTime::Soon(left_ms)
            }
            Some(left_ms) => StepTime::Due(left_ms),
        }
    }
}
