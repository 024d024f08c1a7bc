//! A world for the state machine to run in: simulated time, load, faults and failures, without a socket or a wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;

use super::{Attendance, Core, Effect, Input};
use crate::event::{Command, CommandAnswer, Event, EventKind, FaultEnd, FaultIdentity, Prediction};
use crate::plan::{ChangePlan, Plan};
use crate::unit::{FaultId, Histogram, LoadId};
use crate::verdict::{Recording, SecondRecord, StepRecord};

/// What users see in one second: how many requests, how many of them fail, and how long each takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Traffic {
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) latency_ms: u64,
}

/// All is well.
pub(super) const WELL: Traffic = Traffic { requests: 10, failed: 0, latency_ms: 80 };

/// What the world is like.
pub(super) struct Nature {
    /// How long an injection takes.
    pub(super) inject_ms: u64,
    /// How long an undo takes.
    pub(super) undo_ms: u64,
    /// How long a load goes on after it was told to stop.
    pub(super) stop_ms: u64,
    /// How often the clock ticks.
    pub(super) tick_ms: u64,
    /// Injections that fail; whether the change was made all the same.
    pub(super) failing: BTreeMap<FaultId, bool>,
    /// Undos that end as stuck.
    pub(super) stuck: BTreeSet<FaultId>,
    /// What users see while these faults are in.
    pub(super) traffic: fn(&BTreeSet<FaultId>) -> Traffic,
}

impl Default for Nature {
    fn default() -> Self {
        Self {
            inject_ms: 300,
            undo_ms: 300,
            stop_ms: 1_200,
            tick_ms: 100,
            failing: BTreeMap::new(),
            stuck: BTreeSet::new(),
            traffic: |_| WELL,
        }
    }
}

/// What is under way.
#[derive(Debug, Clone)]
enum Pending {
    Injected(FaultIdentity),
    Undone(FaultIdentity),
    LoadOver { load: LoadId, lost: Option<String> },
    Command(Command),
    Input(Input),
    Told(EventKind),
}

/// A simulated run.
pub(super) struct World {
    plan: Arc<Plan>,
    nature: Nature,
    core: Core,
    pub(super) recording: Recording,
    pub(super) now_ms: u64,
    next_seq: u64,
    /// By time, then in order of being asked for.
    pending: BTreeMap<(u64, u64), Pending>,
    asked: u64,
    loads: BTreeSet<LoadId>,
    /// Seconds of load as they were recorded, by what users saw: making one takes its time.
    records: BTreeMap<Traffic, SecondRecord>,
    /// What stands in each setting: who changed it last; nothing where it is as before the run.
    pub(super) settings: BTreeMap<(String, String), String>,
    before: BTreeMap<FaultIdentity, BTreeMap<(String, String), Option<String>>>,
    /// Everything that happened, in order.
    pub(super) events: Vec<(u64, EventKind)>,
    /// Every effect but records, in order.
    pub(super) effects: Vec<(u64, Effect)>,
    pub(super) answers: Vec<CommandAnswer>,
}

impl World {
    pub(super) fn new(plan: Plan, attendance: Attendance, nature: Nature) -> Self {
        let plan = Arc::new(plan);
        Self {
            core: Core::new(Arc::clone(&plan), attendance, BTreeSet::new()),
            plan,
            nature,
            recording: Recording::default(),
            now_ms: 0,
            next_seq: 0,
            pending: BTreeMap::new(),
            asked: 0,
            loads: BTreeSet::new(),
            records: BTreeMap::new(),
            settings: BTreeMap::new(),
            before: BTreeMap::new(),
            events: Vec::new(),
            effects: Vec::new(),
            answers: Vec::new(),
        }
    }

    /// Something that is recorded at `at`, in milliseconds.
    /// An unattended run of which the proxies of these targets tell what they do.
    pub(super) fn telling(mut self, targets: &[&str]) -> Self {
        let targets = targets.iter().map(|target| target.parse().unwrap()).collect();
        self.core = Core::new(Arc::clone(&self.plan), Attendance::Unattended, targets);
        self
    }

    pub(super) fn told(mut self, at: u64, kind: EventKind) -> Self {
        self.later(at, Pending::Told(kind));
        self
    }

    /// A run from its beginning to its end, with what people say and what else happens, by time in milliseconds.
    pub(super) fn run(mut self, commands: Vec<(u64, Command)>, inputs: Vec<(u64, Input)>) -> Self {
        for (at, command) in commands {
            self.later(at, Pending::Command(command));
        }
        for (at, input) in inputs {
            self.later(at, Pending::Input(input));
        }
        self.feed(Input::Begin);
        // A run that never ends is a defect, and must end the test.
        let limit_ms = 48 * 3_600_000;
        while !self.core.is_finished() {
            let next_tick = self.now_ms - self.now_ms % self.nature.tick_ms + self.nature.tick_ms;
            assert!(next_tick < limit_ms, "the run does not end: {:?}", self.events.last());
            let due = self.pending.keys().next().copied().filter(|(at, _)| *at < next_tick);
            match due.and_then(|key| self.pending.remove(&key).map(|pending| (key.0, pending))) {
                Some((at, pending)) => {
                    self.now_ms = self.now_ms.max(at);
                    self.happen(pending);
                }
                None => {
                    self.pass_second(next_tick);
                    self.now_ms = next_tick;
                    self.feed(Input::Tick);
                }
            }
        }
        self
    }

    fn later(&mut self, at: u64, pending: Pending) {
        self.asked += 1;
        self.pending.insert((at, self.asked), pending);
    }

    fn happen(&mut self, pending: Pending) {
        match pending {
            Pending::Injected(identity) => {
                let fails = self.nature.failing.get(&identity.fault).copied();
                if fails.is_none_or(|is_made| is_made) {
                    let by = identity.step.clone();
                    self.settings.extend(self.touched(&identity).into_iter().map(|key| (key, by.clone())));
                }
                let error = "no".to_owned();
                self.record(match fails {
                    None => EventKind::FaultApplied { identity: identity.clone() },
                    Some(_) => EventKind::FaultFailed { identity: identity.clone(), error },
                });
                self.feed(Input::Injected { identity, ok: fails.is_none() });
            }
            Pending::Undone(identity) => {
                let kind = self.undo(&identity);
                self.record(kind);
                self.feed(Input::Undone(identity));
            }
            Pending::LoadOver { load, lost } => {
                if self.loads.remove(&load) {
                    self.feed(Input::LoadOver { load, lost });
                }
            }
            Pending::Command(command) => self.feed(Input::Command(command)),
            Pending::Input(Input::LoadOver { load, lost }) => self.happen(Pending::LoadOver { load, lost }),
            Pending::Input(input) => self.feed(input),
            Pending::Told(kind) => self.record(kind),
        }
    }

    /// As the ledger does it: as injected → restore, as before → done, anything else → drift.
    fn undo(&mut self, identity: &FaultIdentity) -> EventKind {
        let identity = identity.clone();
        if self.nature.stuck.contains(&identity.fault) {
            return EventKind::FaultStuck { identity, error: "no".to_owned(), by_hand: Vec::new() };
        }
        let mut fields = Vec::new();
        for (key, before) in self.before.get(&identity).cloned().unwrap_or_default() {
            let found = self.settings.get(&key).cloned();
            if found == before {
                continue;
            }
            if found.as_ref() != Some(&identity.step) {
                fields.push(format!("{key:?} is {found:?}"));
                continue;
            }
            match before {
                Some(before) => self.settings.insert(key, before),
                None => self.settings.remove(&key),
            };
        }
        if fields.is_empty() {
            EventKind::FaultRestored { identity, how: FaultEnd::Restored }
        } else {
            EventKind::FaultDrifted { identity, fields }
        }
    }

    fn change(&self, identity: &FaultIdentity) -> &ChangePlan {
        let route = self.plan.routes.iter().find(|route| route.fault == identity.fault);
        route.unwrap_or_else(|| &self.plan.changes[&identity.fault])
    }

    fn touched(&self, identity: &FaultIdentity) -> Vec<(String, String)> {
        let change = self.change(identity);
        let resource = self.plan.resource(&change.target);
        change.settings().into_iter().map(|setting| (resource.clone(), setting)).collect()
    }

    fn feed(&mut self, input: Input) {
        for effect in self.core.on(self.now_ms, input, &self.recording) {
            match effect.clone() {
                Effect::Record(kind) => {
                    self.record(kind);
                    continue;
                }
                Effect::StartLoad(load) => self.start_load(load),
                Effect::StopLoad(load) => {
                    self.later(self.now_ms + self.nature.stop_ms, Pending::LoadOver { load, lost: None });
                }
                Effect::SteerLoad(load, _) => assert!(self.loads.contains(&load), "{load} does not run"),
                Effect::Inject(identity) => self.inject(identity),
                Effect::Undo(identity) => {
                    self.record(EventKind::FaultReverting { identity: identity.clone() });
                    self.later(self.now_ms + self.nature.undo_ms, Pending::Undone(identity));
                }
                Effect::Seal(Prediction { hypothesis, by, .. }) => {
                    self.record(EventKind::PredictionSealed { hypothesis, sha256: "0".repeat(64), by });
                }
                Effect::Answer(answer) => self.answers.push(answer),
                Effect::Finish => assert!(self.core.is_finished()),
            }
            self.effects.push((self.now_ms, effect));
        }
    }

    fn start_load(&mut self, load: LoadId) {
        assert!(self.loads.insert(load.clone()), "two workers of {load}");
        self.record(EventKind::LoadStarted { load: load.clone(), pid: 1 });
        let length = self.plan.loads[&load].shape().end();
        self.later(self.now_ms + crate::unit::elapsed_ms(length), Pending::LoadOver { load, lost: None });
    }

    fn inject(&mut self, identity: FaultIdentity) {
        let ChangePlan { target, change, undo, kind, .. } = self.change(&identity).clone();
        let before = self.touched(&identity).into_iter().map(|key| (key.clone(), self.settings.get(&key).cloned()));
        let before = before.collect();
        self.before.insert(identity.clone(), before);
        self.record(EventKind::FaultIntended { identity: identity.clone(), fault_kind: kind, target, change, undo });
        self.record(EventKind::FaultArmed { identity: identity.clone(), undo_sha256: "x".to_owned() });
        self.later(self.now_ms + self.nature.inject_ms, Pending::Injected(identity));
    }

    /// At each whole second the loads that run report what they saw in it.
    fn pass_second(&mut self, until_ms: u64) {
        if until_ms / 1_000 == self.now_ms / 1_000 {
            return;
        }
        let state = self.recording.state();
        let is_in = |fault: &&crate::event::FaultProgress| fault.is_active();
        let faults = state.faults.iter().filter(is_in).map(|fault| fault.identity.fault.clone()).collect();
        let traffic = (self.nature.traffic)(&faults);
        for load in &self.loads {
            let record = self.records.entry(traffic).or_insert_with(|| record(traffic)).clone();
            self.recording.record_second(load, until_ms / 1_000 - 1, record);
        }
    }

    pub(super) fn record(&mut self, kind: EventKind) {
        let event = Event { seq: self.next_seq, at: DateTime::UNIX_EPOCH, elapsed_ms: self.now_ms, kind: kind.clone() };
        self.next_seq += 1;
        self.recording.apply(&event);
        self.events.push((self.now_ms, kind));
    }

    /// When the first event that fits was recorded.
    pub(super) fn when(&self, fits: impl Fn(&EventKind) -> bool) -> Option<u64> {
        self.events.iter().find(|(_, kind)| fits(kind)).map(|(at, _)| *at)
    }

    /// How many events fit.
    pub(super) fn count(&self, fits: impl Fn(&EventKind) -> bool) -> usize {
        self.events.iter().filter(|(_, kind)| fits(kind)).count()
    }

    /// The injections and undos that were asked for: `+lag`, `-lag`, with their times.
    pub(super) fn changes(&self) -> Vec<(u64, String)> {
        let named = |(at, effect): &(u64, Effect)| match effect {
            Effect::Inject(identity) => Some((*at, format!("+{}", identity.fault))),
            Effect::Undo(identity) => Some((*at, format!("-{}", identity.fault))),
            Effect::Record(_)
            | Effect::StartLoad(_)
            | Effect::StopLoad(_)
            | Effect::SteerLoad(..)
            | Effect::Seal(_)
            | Effect::Answer(_)
            | Effect::Finish => None,
        };
        self.effects.iter().filter_map(named).collect()
    }
}

/// A second of load as it is recorded.
pub(super) fn record(traffic: Traffic) -> SecondRecord {
    let mut step = StepRecord::default();
    for (share, into) in [(traffic.requests - traffic.failed, &mut step.ok), (traffic.failed, &mut step.failed)] {
        let mut histogram = Histogram::default();
        (0..share).for_each(|_| histogram.record(Duration::from_millis(traffic.latency_ms)));
        *into = histogram.to_sparse();
    }
    SecondRecord { steps: vec![("home".into(), step)], ..SecondRecord::default() }
}
