//! What a run recorded, in the form in which expectations ask for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::event::{AlarmRecords, Event, EventKind, RunState, StepOutcome};
use crate::load::Doubt;
use crate::unit::{LoadId, PhaseId, PlaybookId, SignalId, SparseHistogram};

/// Milliseconds since the run's start, from the first up to but without the second.
pub(super) type WindowMs = (u64, u64);

/// Milliseconds in a second, the grain of load records.
pub(super) const SECOND_MS: u64 = 1_000;

/// What one load did in one second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SecondRecord {
    /// By step name, each once.
    pub steps: Vec<(Arc<str>, StepRecord)>,
    /// Requests under way at the second's end.
    pub in_flight_count: u64,
    /// Arrivals that were given up in it and never sent.
    pub not_sent_count: u64,
    /// Why its figures may tell of the load worker and not of the server.
    pub doubts: BTreeSet<Doubt>,
}

/// What one step did in one second: latencies of requests that ended in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepRecord {
    /// As expected.
    pub ok: SparseHistogram,
    /// Not as expected.
    pub failed: SparseHistogram,
}

/// The mark that is an event of its own.
const ACKNOWLEDGED: &str = "acknowledged";

/// Everything that expectations are judged over. It is filled while a run lives, and again from its folder.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    state: RunState,
    loads: BTreeMap<LoadId, BTreeMap<u64, SecondRecord>>,
    /// The names of all steps: a day has many seconds, and each would have a copy.
    step_names: BTreeSet<Arc<str>>,
    samples: BTreeMap<SignalId, Vec<(u64, Option<f64>)>>,
    /// The data points of metrics, by when their period begins.
    metrics: BTreeMap<SignalId, BTreeMap<u64, f64>>,
    marks: Vec<(u64, String)>,
    acknowledgements: Vec<u64>,
    alarms: AlarmRecords,
}

impl Recording {
    /// Takes in one event.
    pub fn apply(&mut self, event: &Event) {
        let at = event.elapsed_ms;
        if let EventKind::SignalSampled { signal, value } = &event.kind {
            self.samples.entry(signal.clone()).or_default().push((at, *value));
        } else if let EventKind::MetricRead { signal, points } = &event.kind {
            self.metrics.entry(signal.clone()).or_default().extend(points.iter().copied());
        } else if let EventKind::Marked { name, .. } = &event.kind {
            self.marks.push((at, name.clone()));
        } else if let EventKind::Acknowledged { .. } = &event.kind {
            self.acknowledgements.push(at);
            self.marks.push((at, ACKNOWLEDGED.to_owned()));
        }
        self.alarms.apply(event);
        self.state.apply(event);
    }

    /// Takes in what a load did in one whole second since the run's start.
    pub fn record_second(&mut self, load: &LoadId, second: u64, mut record: SecondRecord) {
        for (name, _) in &mut record.steps {
            match self.step_names.get(name) {
                Some(known) => *name = Arc::clone(known),
                None => drop(self.step_names.insert(Arc::clone(name))),
            }
        }
        record.steps.shrink_to_fit();
        self.loads.entry(load.clone()).or_default().insert(second, record);
    }

    /// The run's state so far.
    #[must_use]
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// The window of a phase, up to `now_ms` while it lasts; none before it began.
    pub(super) fn phase(&self, phase: &PhaseId, now_ms: u64) -> Option<WindowMs> {
        let progress = self.state.phases.iter().find(|progress| progress.phase == *phase)?;
        Some((progress.start_ms, progress.end_ms.unwrap_or(now_ms)))
    }

    /// When a phase ended; none before that.
    pub(super) fn phase_end(&self, phase: &PhaseId) -> Option<u64> {
        self.state.phases.iter().find(|progress| progress.phase == *phase)?.end_ms
    }

    /// When the first phase began.
    pub(super) fn start_ms(&self) -> Option<u64> {
        self.state.phases.first().map(|phase| phase.start_ms)
    }

    /// When the first fault of the timeline was confirmed, or at least requested.
    #[must_use]
    pub fn first_injection_ms(&self) -> Option<u64> {
        let injected = self.state.faults.iter().filter(|fault| !fault.identity.is_route());
        injected.map(|fault| fault.applied_ms.unwrap_or(fault.requested_ms)).min()
    }

    /// The seconds of a load that lie wholly in a window.
    pub(super) fn seconds(&self, load: &LoadId, window: WindowMs) -> impl Iterator<Item = (u64, &SecondRecord)> {
        let first = window.0.div_ceil(SECOND_MS);
        let end = (window.1 / SECOND_MS).max(first);
        self.loads
            .get(load)
            .into_iter()
            .flat_map(move |seconds| seconds.range(first..end).map(|(second, record)| (*second, record)))
    }

    /// The samples of a probed signal in a window.
    pub(super) fn samples(&self, signal: &SignalId, window: WindowMs) -> impl Iterator<Item = Option<f64>> {
        let samples = self.samples.get(signal).map(Vec::as_slice).unwrap_or_default();
        samples.iter().filter(move |(at, _)| (window.0..window.1).contains(at)).map(|(_, value)| *value)
    }

    /// The data points of a metric, by when their period begins; none where none was read.
    pub(super) fn points(&self, signal: &SignalId) -> Option<&BTreeMap<u64, f64>> {
        self.metrics.get(signal)
    }

    /// When a load was started and, if it is over, ended.
    pub(super) fn load_span(&self, load: &LoadId) -> Option<(u64, Option<u64>)> {
        self.state.loads.get(load).map(|progress| (progress.start_ms, progress.end_ms))
    }

    /// When a mark was first made in a window.
    pub(super) fn mark_ms(&self, name: &str, window: WindowMs) -> Option<u64> {
        self.marks.iter().find(|(at, mark)| mark == name && (window.0..=window.1).contains(at)).map(|(at, _)| *at)
    }

    /// The states of alarms.
    pub(super) fn alarms(&self) -> &AlarmRecords {
        &self.alarms
    }

    /// When somebody first acknowledged from a moment on.
    pub(super) fn acknowledged_ms(&self, from_ms: u64) -> Option<u64> {
        self.acknowledgements.iter().copied().find(|at| *at >= from_ms)
    }

    /// When people were first told of something from a moment on: an alarm went to `ALARM`, or a message was delivered.
    pub(super) fn noticed_ms(&self, from_ms: u64) -> Option<u64> {
        let is_after = |at: &u64| *at >= from_ms;
        let fired =
            self.alarms.matching("*").flat_map(|(_, record)| record.fired()).map(|it| it.at_ms).filter(is_after).min();
        let told = self.state.people.injects.iter().map(|inject| inject.at_ms).find(is_after);
        fired.into_iter().chain(told).min()
    }

    /// How many steps of a playbook were done in time, and how many there are.
    pub(super) fn steps(&self, playbook: &PlaybookId, must: bool) -> (u64, u64) {
        let of_playbook =
            |step: &&crate::event::StepProgress| step.playbook.as_ref() == Some(playbook) && (step.must || !must);
        self.state.steps.iter().filter(of_playbook).fold((0, 0), |(done, all), step| {
            let in_time = step.outcome == Some(StepOutcome::Done) && !step.overdue;
            (done + u64::from(in_time), all + 1)
        })
    }
}
