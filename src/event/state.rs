//! [`RunState`]: what a run is at, as a fold over its events. The terminal, `status`, the page and recovery share it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::lock::LockProgress;
use super::people::PeopleProgress;
use super::progress::{FaultProgress, LoadProgress, PhaseProgress, StepProgress};
use super::{
    AbortCause, Event, EventKind, FaultEnd, FaultIdentity, HypothesisResult, PhaseEnd, ProcessKind, RunOutcome,
    StepOutcome,
};
use crate::unit::{AlarmState, FaultId, GuardrailId, LoadId, PhaseId, StepId, TargetId};

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
    /// Whether somebody agreed to its plan.
    pub is_approved: bool,
    /// Its phases, in order.
    pub phases: Vec<PhaseProgress>,
    /// Its faults, in order of injection.
    pub faults: Vec<FaultProgress>,
    /// Its loads.
    pub loads: BTreeMap<LoadId, LoadProgress>,
    /// The latest sample of each probed signal, and the newest data point of each metric.
    pub samples: BTreeMap<String, Option<f64>>,
    /// The state of each alarm that is watched, as it was last read.
    pub alarms: BTreeMap<String, AlarmState>,
    /// Why alarms can not be read at present.
    pub alarms_unread: Option<String>,
    /// Why metrics can not be read at present, and until when, in milliseconds since the run's start, they are known.
    pub metrics_unread: Option<(u64, String)>,
    /// Its steps for people, in order.
    pub steps: Vec<StepProgress>,
    /// What else people did and were told.
    pub people: PeopleProgress,
    /// Since when the timeline stands still, in milliseconds since its start.
    pub paused_since_ms: Option<u64>,
    /// The last reading of each guardrail that has one.
    pub guardrails: BTreeMap<GuardrailId, String>,
    /// How near each guardrail is to its limit, from 0 to 1, where that can be said.
    pub nearness: BTreeMap<GuardrailId, f64>,
    /// Every mark that was made, with when it was first, in milliseconds since the run's start.
    pub marks: BTreeMap<String, u64>,
    /// When somebody first acknowledged, in milliseconds since its start.
    pub acknowledged_ms: Option<u64>,
    /// Whether a gate stayed shut.
    pub gate_shut: bool,
    /// The poll that had to agree and did not.
    pub no_go: Option<StepId>,
    /// Who or what aborted it.
    pub abort: Option<AbortCause>,
    /// Its results so far.
    pub results: Vec<HypothesisResult>,
    /// Whether `gameday recover` has looked at it.
    pub has_recovery: bool,
    /// Processes beside its own: kind, process id, address.
    pub processes: Vec<(ProcessKind, u32, String)>,
    /// The lock that other machines see; none where its environment has none.
    pub lock: Option<LockProgress>,
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

    /// When a phase was cut short by what ended the timeline, in milliseconds since the run's start.
    #[must_use]
    pub fn cut_ms(&self) -> Option<u64> {
        let is_cut = |why: PhaseEnd| matches!(why, PhaseEnd::Aborted | PhaseEnd::NoGo | PhaseEnd::GateShut);
        self.phases.iter().find(|phase| phase.why.is_some_and(is_cut))?.end_ms
    }

    /// Whether the timeline ended before its time: by an abort, a gate that stayed shut, or a no-go.
    #[must_use]
    pub fn was_cut_short(&self) -> bool {
        self.abort.is_some() || self.gate_shut || self.no_go.is_some()
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

    /// How many changes are over, and nothing could read that back.
    #[must_use]
    pub fn not_read_back(&self) -> usize {
        let is_unread = |end| matches!(end, FaultEnd::NotReadBack | FaultEnd::Expired);
        self.faults.iter().filter(|fault| fault.end.is_some_and(is_unread)).count()
    }

    /// Whether something in AWS is left that is no fault: a dead man's switch of a fault that is over, or our lock.
    #[must_use]
    pub fn has_remains(&self) -> bool {
        let has_lock = self.lock.as_ref().is_some_and(LockProgress::may_be_ours);
        has_lock || self.faults.iter().any(FaultProgress::is_switch_left_over)
    }

    /// Commands that take by hand what [`Self::has_remains`] says is left, where it could not be taken away.
    pub fn remains_by_hand(&self) -> impl Iterator<Item = &String> {
        let over = self.faults.iter().filter(|fault| fault.is_switch_left_over());
        let switches = over.filter_map(|fault| fault.switch.as_ref()).flat_map(|switch| &switch.by_hand);
        let lock = self.lock.iter().filter(|lock| lock.may_be_ours()).flat_map(|lock| &lock.by_hand);
        switches.chain(lock)
    }

    /// The targets of faults that may be in place; a route through the proxy breaks nothing.
    #[must_use]
    pub fn changed_targets(&self) -> BTreeSet<&TargetId> {
        self.outstanding().filter(|fault| !fault.identity.is_route()).map(|fault| &fault.target).collect()
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
    #[expect(clippy::too_many_lines, reason = "one table over every kind: each line is an arm")]
    pub fn apply(&mut self, event: &Event) {
        let at = event.elapsed_ms;
        self.elapsed_ms = at;
        self.people.apply(event);
        match &event.kind {
            EventKind::RunStarted { .. } => self.start_run(&event.kind),
            EventKind::ProcessStarted { process, pid, address } => {
                self.processes.push((*process, *pid, address.clone()));
            }
            EventKind::ReadinessPassed { .. } => self.stage = RunStage::Ready,
            EventKind::PhaseStarted { phase } => self.start_phase(at, phase),
            EventKind::PhaseHeld { .. } => self.hold_phase(at),
            EventKind::PhaseReleased { .. } => self.release_phase(at),
            EventKind::PhaseEnded { why, .. } => self.end_phase(at, *why),
            EventKind::GateJudged { open, .. } => self.gate_shut |= !open,
            EventKind::LoadStarted { .. }
            | EventKind::LoadRecorded(_)
            | EventKind::LoadSteered { .. }
            | EventKind::LoadEnded { .. }
            | EventKind::LoadLost { .. } => self.on_load(at, &event.kind),
            EventKind::SignalSampled { signal, value } => drop(self.samples.insert(signal.to_string(), *value)),
            EventKind::MetricRead { signal, points } => {
                let newest = points.iter().max_by_key(|(at, _)| *at).map(|(_, value)| *value);
                self.samples.insert(signal.to_string(), newest);
            }
            EventKind::MetricsUnread { known_ms, why } => self.metrics_unread = Some((*known_ms, why.clone())),
            EventKind::MetricsReread => self.metrics_unread = None,
            EventKind::AlarmFound { alarm, state, .. } => self.alarm(alarm, Some(*state)),
            EventKind::AlarmTransitioned { alarm, to, .. } => self.alarm(alarm, Some(*to)),
            EventKind::AlarmUnseen { alarm, state, .. } => self.alarm(alarm, Some(*state)),
            EventKind::AlarmLost { alarm, .. } => self.alarm(alarm, None),
            EventKind::AlarmsUnread { why, .. } => self.alarms_unread = Some(why.clone()),
            EventKind::AlarmsReread => self.alarms_unread = None,
            EventKind::FaultIntended { identity, fault_kind, target, change, undo } => {
                self.faults.push(FaultProgress::intended(at, identity, fault_kind, target, [change, undo]));
            }
            EventKind::FaultArmed { identity, .. }
            | EventKind::FaultApplied { identity }
            | EventKind::FaultFailed { identity, .. }
            | EventKind::FaultEffective { identity, .. }
            | EventKind::FaultLost { identity, .. }
            | EventKind::FaultReverting { identity }
            | EventKind::FaultRestored { identity, .. }
            | EventKind::FaultDrifted { identity, .. }
            | EventKind::FaultStuck { identity, .. }
            | EventKind::SwitchIntended { identity, .. }
            | EventKind::SwitchSet { identity }
            | EventKind::SwitchPushed { identity, .. }
            | EventKind::SwitchFailed { identity, .. }
            | EventKind::SwitchDeleted { identity }
            | EventKind::SwitchLeft { identity, .. } => self.on_fault(identity, |it| it.apply(at, &event.kind)),
            EventKind::LockIntended { .. }
            | EventKind::LockTaken { .. }
            | EventKind::LockFailed { .. }
            | EventKind::LockLost { .. }
            | EventKind::LockKept
            | EventKind::LockReleased => LockProgress::apply(&mut self.lock, &event.kind),
            EventKind::StepOpened { .. }
            | EventKind::StepTimed { .. }
            | EventKind::StepOverdue { .. }
            | EventKind::Voted { .. }
            | EventKind::StepClosed { .. } => self.on_step_event(at, &event.kind),
            EventKind::Acknowledged { .. } => self.acknowledged_ms = self.acknowledged_ms.or(Some(at)),
            EventKind::Marked { name, .. } => drop(self.marks.entry(name.clone()).or_insert(event.elapsed_ms)),
            EventKind::GuardrailRead { guardrail, reading, nearness } => self.guardrail(guardrail, reading, *nearness),
            EventKind::GuardrailWarned { guardrail, observed } => self.guardrail(guardrail, observed, None),
            EventKind::GuardrailTripped { guardrail, observed } => self.guardrail(guardrail, observed, Some(1.0)),
            EventKind::RunPaused { .. } => (self.stage, self.paused_since_ms) = (RunStage::Paused, Some(at)),
            EventKind::RunResumed { .. } => self.go_on(at, RunStage::Running),
            EventKind::RunAborted { cause } => {
                self.go_on(at, RunStage::Aborting);
                self.abort.get_or_insert_with(|| cause.clone());
            }
            EventKind::RecoveryStarted { .. } | EventKind::RunRecovering => {
                self.go_on(at, self.stage);
                self.start_recovery(&event.kind);
            }
            EventKind::HypothesisJudged(result) => self.results.push(result.clone()),
            EventKind::RunSettled => self.stage = RunStage::Settled,
            EventKind::RunDirty { .. } => self.stage = RunStage::Dirty,
            EventKind::RunEnded { .. } => self.end_run(&event.kind),
            EventKind::RunApproved { .. } => self.is_approved = true,
            EventKind::ActionSkipped { .. }
            | EventKind::ScheduleOverridden { .. }
            | EventKind::InjectDelivered { .. }
            | EventKind::HintGiven { .. }
            | EventKind::PredictionSealed { .. }
            | EventKind::Joined { .. }
            | EventKind::Revealed { .. }
            | EventKind::CardDealt { .. }
            | EventKind::CardTaken { .. }
            | EventKind::BlockStarted { .. }
            | EventKind::BlockEnded { .. }
            | EventKind::Noted { .. }
            | EventKind::ProxyRecorded(_)
            | EventKind::AlarmHistoryRead { .. }
            | EventKind::SettleJudged { .. }
            | EventKind::NoticeSent { .. }
            | EventKind::NoticeFailed { .. }
            | EventKind::EvidenceKept(_)
            | EventKind::Unknown(_) => {}
        }
    }

    fn on_step_event(&mut self, at: u64, kind: &EventKind) {
        if let EventKind::StepOpened { .. } = kind {
            let phase = self.phases.last().map(|phase| phase.phase.clone());
            self.steps.extend(StepProgress::opened(at, kind, phase));
        } else if let EventKind::StepTimed { step, due_ms } = kind {
            self.on_step(step, |it| it.timed(*due_ms));
        } else if let EventKind::StepOverdue { step } = kind {
            self.on_step(step, |it| it.overdue = true);
        } else if let EventKind::Voted { step, .. } = kind {
            self.on_step(step, |it| it.vote(at, kind));
        } else if let EventKind::StepClosed { step, outcome, .. } = kind {
            self.close_step(at, (step, outcome), kind);
        }
    }

    fn guardrail(&mut self, guardrail: &GuardrailId, text: &str, nearness: Option<f64>) {
        self.guardrails.insert(guardrail.clone(), text.to_owned());
        match nearness {
            Some(nearness) => drop(self.nearness.insert(guardrail.clone(), nearness)),
            None => drop(self.nearness.remove(guardrail)),
        }
    }

    fn close_step(&mut self, at: u64, (step, outcome): (&StepId, &StepOutcome), kind: &EventKind) {
        let mut must = false;
        let paused_since_ms = self.paused_since_ms;
        self.on_step(step, |it| {
            // What is done while the timeline stands still is not late by that.
            if let Some(since_ms) = paused_since_ms {
                it.go_on(since_ms, at);
            }
            it.close(at, kind);
            must = it.must;
        });
        if must && *outcome == StepOutcome::NoGo {
            self.no_go.get_or_insert_with(|| step.clone());
        }
    }

    /// The timeline stands still no longer: the time of open steps did not run meanwhile.
    fn go_on(&mut self, at: u64, stage: RunStage) {
        self.stage = stage;
        let Some(since_ms) = self.paused_since_ms.take() else { return };
        self.steps.iter_mut().for_each(|step| step.go_on(since_ms, at));
        if let Some(phase) = self.phases.last_mut().filter(|phase| phase.end_ms.is_none()) {
            let paused_for_ms = at.saturating_sub(since_ms);
            phase.paused_ms += paused_for_ms;
            phase.held_since_ms = phase.held_since_ms.map(|held_since_ms| held_since_ms + paused_for_ms);
        }
    }

    fn on_load(&mut self, at: u64, kind: &EventKind) {
        if let EventKind::LoadRecorded(second) = kind {
            self.load(&second.load).recorded(second);
        } else if let EventKind::LoadStarted { load, .. } = kind {
            self.load(load).started(at);
        } else if let EventKind::LoadSteered { load, how, .. } = kind {
            self.load(load).steered(*how);
        } else if let EventKind::LoadEnded { load } = kind {
            self.load(load).end_ms = Some(at);
        } else if let EventKind::LoadLost { load, why } = kind {
            self.load(load).lost(at, why);
        }
    }

    fn start_recovery(&mut self, kind: &EventKind) {
        self.stage = RunStage::Recovering;
        self.has_recovery |= matches!(kind, EventKind::RecoveryStarted { .. });
    }

    fn end_run(&mut self, kind: &EventKind) {
        if let EventKind::RunEnded { outcome, exit_code } = kind {
            (self.outcome, self.exit_code) = (Some(*outcome), Some(*exit_code));
        }
    }

    fn start_run(&mut self, kind: &EventKind) {
        let EventKind::RunStarted { run, scenario, title, environment, process, .. } = kind else { return };
        (self.run, self.scenario) = (run.to_string(), scenario.to_string());
        (self.title, self.environment) = (title.clone(), environment.clone());
        self.process = *process;
    }

    fn alarm(&mut self, alarm: &str, state: Option<AlarmState>) {
        match state {
            Some(state) => drop(self.alarms.insert(alarm.to_owned(), state)),
            None => drop(self.alarms.remove(alarm)),
        }
    }

    fn start_phase(&mut self, at: u64, phase: &PhaseId) {
        self.stage = RunStage::Running;
        self.paused_since_ms = None;
        self.phases.push(PhaseProgress {
            phase: phase.clone(),
            start_ms: at,
            end_ms: None,
            why: None,
            paused_ms: 0,
            held_since_ms: None,
        });
    }

    fn hold_phase(&mut self, at: u64) {
        if let Some(phase) = self.phases.last_mut() {
            phase.held_since_ms.get_or_insert(at);
        }
    }

    fn release_phase(&mut self, at: u64) {
        if let Some(phase) = self.phases.last_mut()
            && let Some(since_ms) = phase.held_since_ms.take()
        {
            phase.paused_ms += at.saturating_sub(since_ms);
        }
    }

    fn end_phase(&mut self, at: u64, why: PhaseEnd) {
        if let Some(phase) = self.phases.last_mut() {
            (phase.end_ms, phase.why) = (Some(at), Some(why));
        }
    }

    fn load(&mut self, load: &LoadId) -> &mut LoadProgress {
        self.loads.entry(load.clone()).or_default()
    }

    fn on_fault(&mut self, identity: &FaultIdentity, change: impl FnOnce(&mut FaultProgress)) {
        if let Some(fault) = self.faults.iter_mut().find(|fault| fault.identity == *identity) {
            change(fault);
        }
    }

    /// At most one step of an id is open: it is the latest.
    fn on_step(&mut self, step: &StepId, change: impl FnOnce(&mut StepProgress)) {
        if let Some(progress) = self.steps.iter_mut().rev().find(|progress| progress.step == *step) {
            change(progress);
        }
    }
}
