//! What happens next: a pure state machine. Time and input go in, effects come out; it waits for nothing.

mod ending;
mod people;
mod phase;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{AbortCause, Command, CommandAnswer, EventKind};
use crate::plan::{Plan, change_id};
use crate::unit::{FaultId, LoadId};
use crate::verdict::{Judge, Recording};

/// Who is there to tick steps and answer polls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attendance {
    /// People at a terminal: in a drill, a step that must be done holds its phase.
    Attended,
    /// Nobody: steps become overdue and are reported.
    Unattended,
    /// `--yes` answers steps that must be done and polls, and the report says so.
    Rehearsed,
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Input {
    /// Everything is ready: the timeline may begin.
    Begin,
    /// Time has passed.
    Tick,
    /// Somebody asks for something.
    Command(Command),
    /// A load worker said that it is over, or was lost.
    LoadOver { load: LoadId, lost: Option<String> },
    /// An injection was tried.
    Injected { fault: FaultId, ok: bool },
    /// An undo was tried; how it went is in the ledger.
    Undone { fault: FaultId },
    /// Something ends the run.
    Abort(AbortCause),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    /// Write an event.
    Record(EventKind),
    /// Start a load worker.
    StartLoad(LoadId),
    /// Stop it.
    StopLoad(LoadId),
    /// Inject a fault under this id.
    Inject { id: String, fault: FaultId },
    /// Undo these: in this order where targets are the same, at once where they are not.
    Undo(Vec<FaultId>),
    /// Answer the command that came in.
    Answer(CommandAnswer),
    /// Nothing is left to do: the run is over.
    Finish,
}

/// Where a fault stands, as far as the timeline cares.
#[derive(Debug, Clone, PartialEq, Eq)]
enum FaultLife {
    /// On its way in; `end_wanted`: to be undone as soon as it is in.
    Injecting { end_wanted: bool },
    /// In, until its time limit. The limit is real time: a pause does not stretch it.
    Active { until_ms: Option<u64> },
    /// On its way out.
    Undoing,
    /// Out, or left: the ledger says which.
    Over,
}

/// Where the run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// Before `Begin`.
    Waiting,
    /// Routes through the proxy are put in, one after the other; this many are in.
    Routing { done: usize },
    /// In a phase.
    Phase { index: usize, start_ms: u64 },
    /// Undoing what is left.
    Recovering,
    /// Everything is undone; the system is given time.
    Settling { since_ms: u64 },
    /// Load is stopped; its last records are waited for.
    Stopping,
    /// Over.
    Finished,
}

/// The state machine of one run.
#[derive(Debug)]
pub(super) struct Core {
    plan: Arc<Plan>,
    attendance: Attendance,
    position: Position,
    /// Faults and routes in order of injection.
    faults: Vec<(FaultId, FaultLife)>,
    loads: BTreeMap<LoadId, bool>,
    /// Steps of the plan that were carried out or skipped, by index.
    carried_out: BTreeSet<usize>,
    paused_since_ms: Option<u64>,
    /// Whether the run ends before its time.
    is_aborted: bool,
    /// Whether the settle condition was judged.
    is_settle_judged: bool,
}

impl Core {
    pub(super) fn new(plan: Arc<Plan>, attendance: Attendance) -> Self {
        Self {
            plan,
            attendance,
            position: Position::Waiting,
            faults: Vec::new(),
            loads: BTreeMap::new(),
            carried_out: BTreeSet::new(),
            paused_since_ms: None,
            is_aborted: false,
            is_settle_judged: false,
        }
    }

    /// Takes in what happened at `now_ms` and says what is to be done. `recording` holds everything up to now.
    pub(super) fn on(&mut self, now_ms: u64, input: Input, recording: &Recording) -> Vec<Effect> {
        let plan = Arc::clone(&self.plan);
        let judge = Judge { recording, signals: &plan.signals, baseline: plan.baseline(), now_ms };
        let mut effects = Vec::new();
        match input {
            Input::Begin => self.begin(&judge, &mut effects),
            Input::Tick => {}
            Input::Command(command) => self.command(command, &judge, &mut effects),
            Input::LoadOver { load, lost } => self.load_over(&load, lost, &mut effects),
            Input::Injected { fault, ok } => self.injected(&fault, ok, &judge, &mut effects),
            Input::Undone { fault } => self.set_life(&fault, FaultLife::Over),
            Input::Abort(cause) => self.abort(cause, &mut effects),
        }
        self.advance(&judge, &mut effects);
        effects
    }

    /// Whether the run is over.
    pub(super) fn is_finished(&self) -> bool {
        self.position == Position::Finished
    }

    fn begin(&mut self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        if self.position == Position::Waiting {
            self.position = Position::Routing { done: 0 };
            self.route(judge, effects);
        }
    }

    /// Puts the next route in, or begins the first phase.
    fn route(&mut self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let Position::Routing { done } = self.position else { return };
        match self.plan.routes.get(done) {
            Some(route) => {
                let fault = route.fault.clone();
                let id = change_id(done + 1, &fault);
                self.faults.push((fault.clone(), FaultLife::Injecting { end_wanted: false }));
                effects.push(Effect::Inject { id, fault });
            }
            None => self.begin_phase(0, judge, effects),
        }
    }

    fn injected(&mut self, fault: &FaultId, ok: bool, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let end_wanted = matches!(self.life(fault), Some(FaultLife::Injecting { end_wanted: true }));
        if !ok {
            // What a failed injection may have changed is undone like any fault.
            self.set_life(fault, FaultLife::Active { until_ms: None });
            self.undo(vec![fault.clone()], effects);
            self.abort(AbortCause::FaultFailed { fault: fault.clone() }, effects);
            return;
        }
        let ttl = self.plan.changes.get(fault).and_then(|change| change.spec.ttl);
        let until_ms = ttl.map(|ttl| judge.now_ms + crate::unit::elapsed_ms(ttl.0));
        self.set_life(fault, FaultLife::Active { until_ms });
        if end_wanted {
            self.undo(vec![fault.clone()], effects);
        }
        if let Position::Routing { done } = self.position {
            self.position = Position::Routing { done: done + 1 };
            self.route(judge, effects);
        }
    }

    fn load_over(&mut self, load: &LoadId, lost: Option<String>, effects: &mut Vec<Effect>) {
        self.loads.insert(load.clone(), false);
        let Some(why) = lost else {
            effects.push(Effect::Record(EventKind::LoadEnded { load: load.clone() }));
            return;
        };
        effects.push(Effect::Record(EventKind::LoadLost { load: load.clone(), why }));
        let on_lost = self.plan.loads.get(load).map(|spec| spec.on_lost).unwrap_or_default();
        match on_lost {
            crate::load::OnLost::Abort => self.abort(AbortCause::LoadLost { load: load.clone() }, effects),
            crate::load::OnLost::Continue => {}
        }
    }

    /// Goes as far as the clock and the recording allow.
    fn advance(&mut self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        match self.position {
            Position::Waiting | Position::Routing { .. } | Position::Finished => {}
            Position::Phase { index, start_ms } => {
                self.prove_effects(judge, effects);
                self.mark_overdue(judge, effects);
                self.end_by_time_limit(judge.now_ms, effects);
                if self.paused_since_ms.is_none() {
                    self.advance_phase(index, start_ms, judge, effects);
                }
            }
            Position::Recovering => self.advance_recovery(judge, effects),
            Position::Settling { since_ms } => self.advance_settling(since_ms, judge, effects),
            Position::Stopping => self.advance_stopping(judge, effects),
        }
    }

    fn life(&self, fault: &FaultId) -> Option<&FaultLife> {
        self.faults.iter().rev().find(|(id, _)| id == fault).map(|(_, life)| life)
    }

    fn set_life(&mut self, fault: &FaultId, life: FaultLife) {
        if let Some((_, slot)) = self.faults.iter_mut().rev().find(|(id, _)| id == fault) {
            *slot = life;
        }
    }

    /// Undoes active faults; one that is on its way in is undone once it is in.
    fn undo(&mut self, faults: Vec<FaultId>, effects: &mut Vec<Effect>) {
        let mut ready = Vec::new();
        for fault in faults {
            match self.life(&fault) {
                Some(FaultLife::Active { .. }) => {
                    self.set_life(&fault, FaultLife::Undoing);
                    ready.push(fault);
                }
                Some(FaultLife::Injecting { .. }) => {
                    self.set_life(&fault, FaultLife::Injecting { end_wanted: true });
                }
                Some(FaultLife::Undoing | FaultLife::Over) | None => {}
            }
        }
        if !ready.is_empty() {
            effects.push(Effect::Undo(ready));
        }
    }

    fn end_by_time_limit(&mut self, now_ms: u64, effects: &mut Vec<Effect>) {
        let expired: Vec<FaultId> = self
            .faults
            .iter()
            .filter(|(_, life)| matches!(life, FaultLife::Active { until_ms: Some(until) } if *until <= now_ms))
            .map(|(fault, _)| fault.clone())
            .collect();
        self.undo(expired, effects);
    }

    /// Looks whether faults that are in have proven their effect.
    fn prove_effects(&self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        for progress in judge.recording.state().faults.iter().filter(|fault| fault.is_active()) {
            let (Some(since_ms), None) = (progress.applied_ms, progress.effective_ms) else { continue };
            let change = self.plan.changes.get(&progress.identity.fault);
            let Some(effect_if) = change.and_then(|change| change.effect_if.as_ref()) else { continue };
            let (held, results) = judge.holds_since(effect_if, since_ms);
            if held == Some(true) {
                let observed: Vec<String> = results.into_iter().filter_map(|result| result.observed).collect();
                effects.push(Effect::Record(EventKind::FaultEffective {
                    identity: progress.identity.clone(),
                    evidence: format!("{effect_if}: {}", observed.join(", ")),
                }));
            }
        }
    }
}
