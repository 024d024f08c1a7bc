//! [`RunState`]: what a run is at, as a fold over its events. The terminal, `status`, the page and recovery share it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    AbortCause, Event, EventKind, FaultEnd, FaultIdentity, HypothesisResult, LoadSecond, PhaseEnd, ProcessKind,
    RunOutcome, StepOutcome,
};
use crate::unit::{FaultId, LoadId, PersonId, PhaseId, PlaybookId, StepId, TargetId};

/// Where a run stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStage {
    /// The log exists; targets are looked at.
    #[default]
    Starting,
    /// Everything was found ready.
    Ready,
    /// The timeline is walked.
    Running,
    /// The timeline stands still.
    Paused,
    /// The run was aborted and is undone.
    Aborting,
    /// The timeline is over, and what is left is undone.
    Recovering,
    /// Every change is undone, read back and as before.
    Settled,
    /// Some change is not undone.
    Dirty,
}

/// Where a fault stands in its ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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
    /// When its effect was proven.
    pub effective_ms: Option<u64>,
    /// What proved it.
    pub evidence: Option<String>,
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
    /// Its latest second.
    pub last: Option<LoadSecond>,
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

/// What a run is at.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunState {
    /// The run's id, empty before its first event.
    pub run: String,
    /// The scenario's id.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// The environment's name.
    pub environment: String,
    /// The process that runs it.
    pub process: u32,
    /// The moment of its latest event, in milliseconds since its start.
    pub elapsed_ms: u64,
    /// Where it stands.
    pub stage: RunStage,
    /// Its phases, in order.
    pub phases: Vec<PhaseProgress>,
    /// Its faults, in order of injection.
    pub faults: Vec<FaultProgress>,
    /// Its loads.
    pub loads: BTreeMap<LoadId, LoadProgress>,
    /// The latest sample of each probed signal.
    pub samples: BTreeMap<String, Option<f64>>,
    /// Its steps for people, in order.
    pub steps: Vec<StepProgress>,
    /// Every mark that was made.
    pub marks: BTreeSet<String>,
    /// When somebody first acknowledged, in milliseconds since its start.
    pub acknowledged_ms: Option<u64>,
    /// Whether a gate stayed shut.
    pub gate_shut: bool,
    /// Who or what aborted it.
    pub abort: Option<AbortCause>,
    /// Its results so far.
    pub results: Vec<HypothesisResult>,
    /// Whether `gameday recover` has looked at it.
    pub has_recovery: bool,
    /// Processes beside its own: kind, process id, address.
    pub processes: Vec<(ProcessKind, u32, String)>,
    /// How it ended; none while it lives, or when it died.
    pub outcome: Option<RunOutcome>,
    /// Its exit code, once it ended.
    pub exit_code: Option<u8>,
}

impl RunState {
    /// The state after `events`.
    #[must_use]
    pub fn fold<'a>(events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut state = Self::default();
        for event in events {
            state.apply(event);
        }
        state
    }

    /// Whether nothing more will come: it ended by itself, or it died and `gameday recover` has undone everything.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.outcome.is_some() || (self.has_recovery && self.stage == RunStage::Settled)
    }

    /// The phase that is under way.
    #[must_use]
    pub fn current_phase(&self) -> Option<&PhaseProgress> {
        self.phases.last().filter(|phase| phase.end_ms.is_none())
    }

    /// The faults that may still be in place, in order of injection; undo goes through them backwards.
    pub fn outstanding(&self) -> impl DoubleEndedIterator<Item = &FaultProgress> {
        self.faults.iter().filter(|fault| fault.is_outstanding())
    }

    /// The latest fault of that name.
    #[must_use]
    pub fn fault(&self, fault: &FaultId) -> Option<&FaultProgress> {
        self.faults.iter().rev().find(|progress| progress.identity.fault == *fault)
    }

    /// The open step of that id.
    #[must_use]
    pub fn open_step(&self, step: &StepId) -> Option<&StepProgress> {
        self.steps.iter().find(|progress| progress.step == *step && progress.outcome.is_none())
    }

    /// Takes in one event; the log's order is assumed.
    pub fn apply(&mut self, event: &Event) {
        let at = event.elapsed_ms;
        self.elapsed_ms = at;
        match &event.kind {
            EventKind::RunStarted { run, scenario, title, environment, process, .. } => {
                self.run = run.to_string();
                self.scenario = scenario.to_string();
                self.title.clone_from(title);
                self.environment.clone_from(environment);
                self.process = *process;
            }
            EventKind::ProcessStarted { process, pid, address } => {
                self.processes.push((*process, *pid, address.clone()));
            }
            EventKind::ReadinessPassed { .. } => self.stage = RunStage::Ready,
            EventKind::PhaseStarted { phase } => {
                self.stage = RunStage::Running;
                self.phases.push(PhaseProgress { phase: phase.clone(), start_ms: at, end_ms: None, why: None });
            }
            EventKind::PhaseEnded { why, .. } => {
                if let Some(phase) = self.phases.last_mut() {
                    phase.end_ms = Some(at);
                    phase.why = Some(*why);
                }
            }
            EventKind::SignalSampled { signal, value } => {
                self.samples.insert(signal.to_string(), *value);
            }
            EventKind::Acknowledged { .. } => {
                self.acknowledged_ms.get_or_insert(at);
            }
            EventKind::Marked { name, .. } => {
                self.marks.insert(name.clone());
            }
            EventKind::RunPaused => self.stage = RunStage::Paused,
            EventKind::RunResumed => self.stage = RunStage::Running,
            EventKind::RunAborted { cause } => {
                self.stage = RunStage::Aborting;
                self.abort.get_or_insert_with(|| cause.clone());
            }
            EventKind::RecoveryStarted { .. } => {
                self.stage = RunStage::Recovering;
                self.has_recovery = true;
            }
            EventKind::RunRecovering => self.stage = RunStage::Recovering,
            EventKind::HypothesisJudged(result) => self.results.push(result.clone()),
            EventKind::RunSettled => self.stage = RunStage::Settled,
            EventKind::RunDirty { .. } => self.stage = RunStage::Dirty,
            EventKind::RunEnded { outcome, exit_code } => {
                self.outcome = Some(*outcome);
                self.exit_code = Some(*exit_code);
            }
            EventKind::LoadStarted { .. }
            | EventKind::LoadRecorded(_)
            | EventKind::LoadEnded { .. }
            | EventKind::LoadLost { .. } => self.apply_load(at, &event.kind),
            EventKind::StepOpened { .. } | EventKind::StepOverdue { .. } | EventKind::StepClosed { .. } => {
                self.apply_step(at, &event.kind);
            }
            EventKind::FaultIntended { .. }
            | EventKind::FaultArmed { .. }
            | EventKind::FaultApplied { .. }
            | EventKind::FaultFailed { .. }
            | EventKind::FaultEffective { .. }
            | EventKind::FaultReverting { .. }
            | EventKind::FaultRestored { .. }
            | EventKind::FaultDrifted { .. }
            | EventKind::FaultStuck { .. } => self.apply_fault(at, &event.kind),
            EventKind::GateJudged { open, .. } => self.gate_shut |= !open,
            EventKind::ActionSkipped { .. }
            | EventKind::InjectDelivered { .. }
            | EventKind::Noted { .. }
            | EventKind::GuardrailWarned { .. }
            | EventKind::GuardrailTripped { .. }
            | EventKind::SettleJudged { .. }
            | EventKind::Unknown(_) => {}
        }
    }

    fn apply_load(&mut self, at: u64, kind: &EventKind) {
        match kind {
            EventKind::LoadStarted { load, .. } => {
                let progress = LoadProgress { start_ms: at, ..LoadProgress::default() };
                self.loads.insert(load.clone(), progress);
            }
            EventKind::LoadRecorded(second) => {
                self.loads.entry(second.load.clone()).or_default().last = Some(second.clone());
            }
            EventKind::LoadEnded { load } => {
                self.loads.entry(load.clone()).or_default().end_ms = Some(at);
            }
            EventKind::LoadLost { load, why } => {
                let progress = self.loads.entry(load.clone()).or_default();
                progress.end_ms = Some(at);
                progress.lost = Some(why.clone());
            }
            _ => {}
        }
    }

    fn apply_step(&mut self, at: u64, kind: &EventKind) {
        match kind {
            EventKind::StepOpened { step, text, owner, due_ms, must, playbook } => self.steps.push(StepProgress {
                step: step.clone(),
                text: text.clone(),
                owner: owner.clone(),
                must: *must,
                playbook: playbook.clone(),
                phase: self.phases.last().map(|phase| phase.phase.clone()),
                opened_ms: at,
                due_ms: *due_ms,
                overdue: false,
                closed_ms: None,
                outcome: None,
                by: None,
            }),
            EventKind::StepOverdue { step } => {
                if let Some(progress) = self.steps.iter_mut().rev().find(|progress| progress.step == *step) {
                    progress.overdue = true;
                }
            }
            EventKind::StepClosed { step, outcome, by } => {
                if let Some(progress) = self.steps.iter_mut().rev().find(|progress| progress.step == *step) {
                    progress.closed_ms = Some(at);
                    progress.outcome = Some(outcome.clone());
                    progress.by.clone_from(by);
                }
            }
            _ => {}
        }
    }

    fn apply_fault(&mut self, at: u64, kind: &EventKind) {
        if let EventKind::FaultIntended { identity, fault_kind, target, change, undo } = kind {
            self.faults.push(FaultProgress {
                identity: identity.clone(),
                kind: fault_kind.clone(),
                target: target.clone(),
                change: change.clone(),
                undo: undo.clone(),
                state: FaultState::Intended,
                undo_sha256: None,
                requested_ms: at,
                applied_ms: None,
                effective_ms: None,
                evidence: None,
                reverting_ms: None,
                ended_ms: None,
                end: None,
                error: None,
                left: Vec::new(),
            });
            return;
        }
        let Some(identity) = kind.fault() else { return };
        let Some(fault) = self.faults.iter_mut().find(|fault| fault.identity == *identity) else { return };
        match kind {
            EventKind::FaultArmed { undo_sha256, .. } => {
                fault.state = FaultState::Armed;
                fault.undo_sha256 = Some(undo_sha256.clone());
            }
            EventKind::FaultApplied { .. } => {
                fault.state = FaultState::Applied;
                fault.applied_ms = Some(at);
            }
            EventKind::FaultFailed { error, .. } => fault.error = Some(error.clone()),
            EventKind::FaultEffective { evidence, .. } => {
                fault.state = FaultState::Effective;
                fault.effective_ms = Some(at);
                fault.evidence = Some(evidence.clone());
            }
            EventKind::FaultReverting { .. } => {
                fault.state = FaultState::Reverting;
                fault.reverting_ms.get_or_insert(at);
            }
            EventKind::FaultRestored { how, .. } => {
                fault.state = FaultState::Restored;
                fault.end = Some(*how);
                fault.ended_ms = Some(at);
                fault.left.clear();
            }
            EventKind::FaultDrifted { fields, .. } => {
                fault.state = FaultState::Drifted;
                fault.ended_ms = Some(at);
                fault.left.clone_from(fields);
            }
            EventKind::FaultStuck { error, by_hand, .. } => {
                fault.state = FaultState::Stuck;
                fault.ended_ms = Some(at);
                fault.error = Some(error.clone());
                fault.left.clone_from(by_hand);
            }
            _ => {}
        }
    }
}

impl EventKind {
    /// The fault that an event is about.
    #[must_use]
    pub fn fault(&self) -> Option<&FaultIdentity> {
        match self {
            Self::FaultIntended { identity, .. }
            | Self::FaultArmed { identity, .. }
            | Self::FaultApplied { identity }
            | Self::FaultFailed { identity, .. }
            | Self::FaultEffective { identity, .. }
            | Self::FaultReverting { identity }
            | Self::FaultRestored { identity, .. }
            | Self::FaultDrifted { identity, .. }
            | Self::FaultStuck { identity, .. } => Some(identity),
            _ => None,
        }
    }
}
