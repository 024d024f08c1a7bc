//! What happens next: a pure state machine. Time and input go in, effects come out; it waits for nothing.

mod alarm;
mod change;
mod command;
mod ending;
mod load;
mod metric;
mod people;
mod phase;
mod proof;
#[cfg(test)]
mod property;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use change::{Changes, Move, NewChange};
use load::Loads;
use people::{mark_overdue, start_timers};

use crate::event::{AbortCause, Command, CommandAnswer, EventKind, FaultIdentity, PhaseEnd, Prediction};
use crate::load::Steer;
use crate::plan::{ChangePlan, Plan, change_id};
use crate::unit::{LoadId, TargetId};
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
    /// A load worker said that no request begins any more.
    LoadClosing(LoadId),
    /// A load worker said that it is over, or was lost.
    LoadOver { load: LoadId, lost: Option<String> },
    /// An injection was tried.
    Injected { identity: FaultIdentity, ok: bool },
    /// Alarms were read by a poll that began at `asked_ms`; what it said is in the recording.
    AlarmsRead { asked_ms: u64 },
    /// All data points of metrics up to a moment were read.
    MetricsRead { known_ms: u64 },
    /// The proxies of these targets told what they have done so far; what is new of it is in the recording.
    ProxiesTold(Vec<TargetId>),
    /// An undo was tried; how it went is in the ledger.
    Undone(FaultIdentity),
    /// Something ends the run.
    Abort(AbortCause),
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Effect {
    /// Write an event.
    Record(EventKind),
    /// Start a load worker.
    StartLoad(LoadId),
    /// Stop it.
    StopLoad(LoadId),
    /// Let it go on in another way.
    SteerLoad(LoadId, Steer),
    /// Inject a fault. Never two at once where they work on the same thing.
    Inject(FaultIdentity),
    /// Undo it.
    Undo(FaultIdentity),
    /// Write a prediction down where only its digest is told, and then write that.
    Seal(Prediction),
    /// Answer the command that came in.
    Answer(CommandAnswer),
    /// Nothing is left to do: the run is over.
    Finish,
}

/// Where the run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    /// Before `Begin`.
    Waiting,
    /// Routes through the proxy are put in.
    Routing,
    /// In a phase, which stood still for `paused_ms` so far.
    Phase { index: usize, start_ms: u64, paused_ms: u64 },
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
    changes: Changes,
    loads: Loads,
    /// The plan's first step that was neither carried out nor left out.
    next_step: usize,
    paused_since_ms: Option<u64>,
    /// Since when an injection of the phase waits for people; the phase's clock stands still meanwhile.
    held_since_ms: Option<u64>,
    /// The ends that were carried out before their turn, while something before them waited for people.
    ended_early: BTreeSet<usize>,
    /// How much people have said, in bytes.
    said_bytes: usize,
    /// The same, by name.
    said_by: BTreeMap<Option<String>, usize>,
    /// Whether the run ends before its time.
    is_aborted: bool,
    /// Whether the settle condition was judged.
    is_settle_judged: bool,
    /// Whether a `within` may still come true, and the second in which that was last looked at.
    awaited: Option<(u64, bool)>,
    /// Why and when the phase is over whose gate waits for alarms to be read.
    closing: Option<(PhaseEnd, u64)>,
    /// When the newest poll of alarms that came back began.
    alarms_read_ms: Option<u64>,
    /// Until when all data points of metrics are known.
    metrics_known_ms: Option<u64>,
    /// The targets whose proxies tell what they do to callers.
    telling: BTreeSet<TargetId>,
    /// When each of them was heard of last.
    proxies_told_ms: BTreeMap<TargetId, u64>,
    /// When nothing was sent any more.
    loads_over_ms: Option<u64>,
    /// When load was told to stop for good: what is judged ends here.
    loads_stopped_ms: Option<u64>,
}

impl Core {
    /// A run that has not begun. `telling` are the targets whose proxies tell what they do to callers.
    pub(super) fn new(plan: Arc<Plan>, attendance: Attendance, telling: BTreeSet<TargetId>) -> Self {
        Self {
            plan,
            attendance,
            position: Position::Waiting,
            changes: Changes::default(),
            loads: Loads::new(),
            next_step: 0,
            paused_since_ms: None,
            held_since_ms: None,
            ended_early: BTreeSet::new(),
            said_bytes: 0,
            said_by: BTreeMap::new(),
            is_aborted: false,
            is_settle_judged: false,
            awaited: None,
            closing: None,
            alarms_read_ms: None,
            metrics_known_ms: None,
            telling,
            proxies_told_ms: BTreeMap::new(),
            loads_over_ms: None,
            loads_stopped_ms: None,
        }
    }

    /// Takes in what happened at `now_ms` and says what is to be done. `recording` holds everything up to now.
    pub(super) fn on(&mut self, now_ms: u64, input: Input, recording: &Recording) -> Vec<Effect> {
        let plan = Arc::clone(&self.plan);
        let judge = Judge { recording, signals: &plan.signals, baseline: plan.baseline(), now_ms };
        let mut effects = Vec::new();
        if self.is_finished() {
            return effects;
        }
        // First what the clock alone brought about: a step that is done too late was overdue before.
        start_timers(&judge, &mut effects);
        mark_overdue(&judge, &mut effects);
        self.changes.end_expired(now_ms);
        let is_told = matches!(
            input,
            Input::Command(_) | Input::AlarmsRead { .. } | Input::MetricsRead { .. } | Input::ProxiesTold(_)
        );
        match input {
            Input::Begin => self.begin(),
            Input::Tick => {}
            Input::Command(command) => self.command(command, &judge, &mut effects),
            Input::LoadClosing(load) => self.load_closing(&load),
            Input::LoadOver { load, lost } => self.load_over(&load, lost, now_ms, &mut effects),
            Input::Injected { identity, ok: true } => self.changes.injected(&identity, now_ms),
            Input::Injected { identity, ok: false } => {
                self.changes.failed(&identity);
                self.abort(AbortCause::FaultFailed { fault: identity.fault }, now_ms, &mut effects);
            }
            Input::AlarmsRead { asked_ms } => self.alarms_read(asked_ms, &judge, &mut effects),
            Input::MetricsRead { known_ms } => self.metrics_read(known_ms, &judge, &mut effects),
            Input::ProxiesTold(targets) => self.proxies_told(targets, now_ms),
            Input::Undone(identity) => self.changes.undone(&identity),
            Input::Abort(cause) => {
                // What ends the run may be the very thing that proves the fault, in the same second.
                if matches!(self.position, Position::Phase { .. }) {
                    self.prove_effects(&judge, &mut effects);
                }
                self.abort(cause, now_ms, &mut effects);
            }
        }
        // What is told must stand in the recording before it is judged: the next tick goes on from there.
        if !is_told && !self.decide_polls(&judge, &mut effects) {
            self.advance(&judge, &mut effects);
        }
        self.move_changes(&mut effects);
        effects
    }

    /// Whether the run is over.
    pub(super) fn is_finished(&self) -> bool {
        self.position == Position::Finished
    }

    /// The targets of faults that are in, or on their way in or out.
    pub(super) fn targets_in_place(&self) -> BTreeSet<TargetId> {
        self.changes.targets_in_place()
    }

    /// Puts the routes in: the first phase begins when they all are.
    fn begin(&mut self) {
        if self.position != Position::Waiting {
            return;
        }
        self.position = Position::Routing;
        let plan = Arc::clone(&self.plan);
        for (index, route) in plan.routes.iter().enumerate() {
            self.change(change_id(index + 1, &route.fault), route);
        }
    }

    /// Takes a change in; it is injected as soon as nothing is in its way.
    fn change(&mut self, step: String, change: &ChangePlan) {
        self.changes.add(NewChange {
            identity: FaultIdentity { step, fault: change.fault.clone() },
            target: change.target.clone(),
            resource: self.plan.resource(&change.target),
            settings: change.settings(),
            ttl: change.spec.ttl.map(|ttl| ttl.0),
        });
    }

    /// Goes as far as the clock and the recording allow.
    fn advance(&mut self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        match self.position {
            Position::Waiting | Position::Finished => {}
            Position::Routing => {
                if self.changes.are_in() {
                    self.begin_phase(0, judge, effects);
                }
            }
            Position::Phase { .. } => {
                self.prove_effects(judge, effects);
                if judge.recording.state().no_go.is_some() {
                    self.end_by_no_go(effects);
                } else if self.paused_since_ms.is_none() {
                    self.advance_phase(judge, effects);
                }
            }
            Position::Recovering => self.advance_recovery(judge, effects),
            Position::Settling { since_ms } => self.advance_settling(since_ms, judge, effects),
            Position::Stopping => self.advance_stopping(judge, effects),
        }
    }

    fn move_changes(&mut self, effects: &mut Vec<Effect>) {
        effects.extend(self.changes.moves().into_iter().map(|next| match next {
            Move::Inject(identity) => Effect::Inject(identity),
            Move::Undo(identity) => Effect::Undo(identity),
            Move::Drop(fault) => Effect::Record(EventKind::ActionSkipped {
                action: format!("fault {fault}"),
                why: "its end came while something else was under way where it works".to_owned(),
            }),
        }));
    }
}
