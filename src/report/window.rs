//! The windows of a run, and what the frames of its loads come to in each: percentiles are merged bucket by bucket, never
//! averaged.

use std::collections::BTreeMap;

use crate::event::{Event, RunState};
use crate::load::{FailureSample, Frame, FrameSum, Pace, Totals};

const SECOND_MS: u64 = 1_000;
/// How many failures of each kind are shown as they were seen.
const SAMPLES_SHOWN_MAX: usize = 3;

/// What a window is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WindowKind {
    /// All of the load.
    Load,
    /// A phase of the timeline.
    Phase,
    /// A fault, from when it was confirmed until its undo began, or it was found lost.
    Fault,
    /// No fault is in place, or may be.
    NoFault,
}

impl WindowKind {
    /// As the report's JSON names it.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Load => "whole_load",
            Self::Phase => "phase",
            Self::Fault => "fault",
            Self::NoFault => "without_fault",
        }
    }
}

/// From a moment up to another, in milliseconds since the run's start; without an end to the end of the run.
pub(super) type Span = (u64, Option<u64>);

/// A part of a run. A second belongs to it only when it lies wholly in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) kind: WindowKind,
    /// Of a phase or a fault.
    pub(super) name: Option<String>,
    pub(super) span: Option<Span>,
    /// What must not touch its seconds.
    without: Vec<Span>,
}

impl Window {
    fn new(kind: WindowKind, name: Option<String>, span: Option<Span>) -> Self {
        Self { kind, name, span, without: Vec::new() }
    }

    pub(super) fn has(&self, second: u64) -> bool {
        let (from, to) = (second.saturating_mul(SECOND_MS), second.saturating_add(1).saturating_mul(SECOND_MS));
        let is_within = self.span.is_none_or(|(start, end)| start <= from && end.is_none_or(|end| to <= end));
        is_within && !self.without.iter().any(|(start, end)| *start < to && end.is_none_or(|end| from < end))
    }
}

/// All of the load, each phase, each fault, and the rest, in this order.
pub(super) fn windows(events: &[Event]) -> Vec<Window> {
    windows_of(&RunState::fold(events))
}

/// The windows of a run whose events were folded.
pub(super) fn windows_of(state: &RunState) -> Vec<Window> {
    let mut windows = vec![Window::new(WindowKind::Load, None, None)];
    windows.extend(state.phases.iter().map(|phase| {
        Window::new(WindowKind::Phase, Some(phase.phase.to_string()), Some((phase.start_ms, phase.end_ms)))
    }));
    let faults: Vec<_> = state.faults.iter().filter(|fault| !fault.identity.is_route()).collect();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    windows.extend(faults.iter().filter_map(|fault| {
        let end = [fault.lost_ms, fault.reverting_ms, fault.ended_ms].into_iter().flatten().min();
        let span = (fault.applied_ms?, end);
        let count = counts.entry(fault.identity.fault.as_str()).or_default();
        *count += 1;
        Some(Window::new(WindowKind::Fault, Some(numbered(fault.identity.fault.as_str(), *count)), Some(span)))
    }));
    let touched = faults.iter().filter(|fault| fault.undo_sha256.is_some());
    // What was not undone well may still be there.
    let without: Vec<Span> =
        touched.map(|fault| (fault.requested_ms, fault.ended_ms.filter(|_| !fault.is_outstanding()))).collect();
    if !without.is_empty() {
        windows.push(Window { without, ..Window::new(WindowKind::NoFault, None, None) });
    }
    windows
}

/// The name of a fault that was injected so many times by then: the second is `NAME (2)`.
pub(super) fn numbered(fault: &str, count: u32) -> String {
    if count == 1 { fault.to_owned() } else { format!("{fault} ({count})") }
}

/// What the frames of one load come to.
#[derive(Debug)]
pub struct LoadSum {
    pub(super) all: FrameSum,
    pub(super) windows: Vec<WindowSum>,
    pace: Pace,
    /// The seconds of the first and the last frame, each time that it ran.
    stretches: Vec<(u64, u64)>,
    /// Failures as they were seen, each once, the first of each kind first.
    pub(super) samples: Vec<FailureSample>,
}

/// What its frames come to in one window.
#[derive(Debug)]
pub(super) struct WindowSum {
    pub(super) window: Window,
    pub(super) totals: Totals,
    /// Seconds with a frame.
    pub(super) seconds: u64,
    /// Seconds without one, while the load was on.
    pub(super) missing_seconds: u64,
    pub(super) doubtful_seconds: u64,
    /// How long the load was on in them.
    pub(super) lasting_ms: u64,
    /// The target of each second, by how much of it the load was on, in thousandths.
    pub(super) target: f64,
    /// Arrivals whose time has come, and those that began; none where a second does not tell.
    pub(super) arrivals: Option<(u64, u64)>,
}

impl LoadSum {
    pub(super) fn new(windows: &[Window]) -> Self {
        let windows = windows.iter().map(|window| WindowSum::new(window.clone())).collect();
        Self { all: FrameSum::default(), windows, pace: Pace::default(), stretches: Vec::new(), samples: Vec::new() }
    }

    pub(super) fn add(&mut self, frame: &Frame) {
        self.all.add(frame);
        match self.stretches.last_mut().filter(|_| !self.pace.is_anew(frame)) {
            Some((_, last)) => *last = frame.second,
            None => self.stretches.push((frame.second, frame.second)),
        }
        let arrivals = self.pace.passed(frame).and_then(|passed| passed.arrivals);
        let mut totals = Totals::default();
        totals.add(frame, None);
        for sum in self.windows.iter_mut().filter(|sum| sum.window.has(frame.second)) {
            sum.add(frame, &totals, arrivals);
        }
        for sample in &frame.samples {
            let alike = self.samples.iter().filter(|known| known.kind == sample.kind).count();
            if alike < SAMPLES_SHOWN_MAX && !self.samples.contains(sample) {
                self.samples.push(sample.clone());
            }
        }
    }

    /// Seconds without a frame while the load was on; none where that was not counted.
    pub(super) fn missing_seconds(&self) -> Option<u64> {
        let all = self.windows.iter().find(|sum| sum.window.kind == WindowKind::Load)?;
        Some(all.missing_seconds)
    }

    /// Counts the seconds that have no frame.
    pub(super) fn finish(mut self) -> Self {
        for sum in &mut self.windows {
            let seconds = self.stretches.iter().flat_map(|(first, last)| *first..=*last);
            let wanted = seconds.filter(|second| sum.window.has(*second)).count();
            sum.missing_seconds = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_sub(sum.seconds);
        }
        self
    }
}

impl WindowSum {
    fn new(window: Window) -> Self {
        let totals = Totals::default();
        let (seconds, missing_seconds, doubtful_seconds, lasting_ms) = (0, 0, 0, 0);
        let arrivals = Some((0, 0));
        Self { window, totals, seconds, missing_seconds, doubtful_seconds, lasting_ms, target: 0.0, arrivals }
    }

    fn add(&mut self, frame: &Frame, totals: &Totals, arrivals: Option<(u64, u64)>) {
        self.totals.merge(totals);
        self.seconds += 1;
        self.doubtful_seconds += u64::from(!frame.doubts.is_empty());
        self.lasting_ms += frame.lasting_ms;
        self.target += frame.target * super::number::float(frame.lasting_ms);
        let sum = |(planned, begun): (u64, u64)| arrivals.map(|more| (planned + more.0, begun + more.1));
        self.arrivals = self.arrivals.and_then(sum);
    }
}
