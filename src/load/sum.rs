//! Sums over frames, bucket by bucket, so that percentiles are exact. Pure.

use std::collections::BTreeMap;

use super::failure::FailureKind;
use super::frame::{Frame, StepFrame};
use super::status::StatusClass;
use crate::unit::Histogram;

/// Frames of one load, added up.
#[derive(Debug, Default)]
pub(crate) struct FrameSum {
    /// How many milliseconds of them the load was on.
    pub(crate) lasting_ms: u64,
    /// Journey and step, in order of the first request.
    pub(crate) steps: Vec<((String, String), StepSum)>,
    /// Name look-up and TCP.
    pub(crate) connect: Histogram,
    /// TLS handshakes.
    pub(crate) tls: Histogram,
}

/// Requests added up.
#[derive(Debug, Clone, Default)]
pub(crate) struct StepSum {
    pub(crate) ok_count: u64,
    pub(crate) failed_count: u64,
    pub(crate) failures: BTreeMap<FailureKind, u64>,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) bytes: u64,
    pub(crate) service: Histogram,
    pub(crate) first_byte: Histogram,
    /// Cold starts.
    pub(crate) init: Histogram,
    /// Of how many invocations is known whether they were one.
    pub(crate) init_told: u64,
    classes: BTreeMap<StatusClass, Histogram>,
    /// Response times of frames that do not tell them apart by class.
    unclassed: Histogram,
}

impl FrameSum {
    pub(crate) fn add(&mut self, frame: &Frame) {
        self.lasting_ms += frame.lasting_ms;
        frame.connections.connect.iter().for_each(|more| self.connect.merge(more));
        frame.connections.tls.iter().for_each(|more| self.tls.merge(more));
        for step in &frame.steps {
            let is_it = |(name, _): &((String, String), StepSum)| name.0 == step.journey && name.1 == step.step;
            let index = self.steps.iter().position(is_it).unwrap_or_else(|| {
                self.steps.push(((step.journey.clone(), step.step.clone()), StepSum::default()));
                self.steps.len() - 1
            });
            self.steps.get_mut(index).expect("invariant: it was found or made").1.add(step);
        }
    }

    /// All steps together.
    pub(crate) fn all(&self) -> StepSum {
        self.together(|_| true)
    }

    /// Each journey with all of its steps together, by name.
    pub(crate) fn journeys(&self) -> BTreeMap<&str, StepSum> {
        let names = self.steps.iter().map(|((journey, _), _)| journey.as_str());
        names.map(|name| (name, self.together(|journey| journey == name))).collect()
    }

    fn together(&self, is_wanted: impl Fn(&str) -> bool) -> StepSum {
        let mut all = StepSum::default();
        self.steps.iter().filter(|((journey, _), _)| is_wanted(journey)).for_each(|(_, step)| all.merge(step));
        all
    }
}

impl StepSum {
    fn add(&mut self, step: &StepFrame) {
        let responses = || step.ok.iter().chain(&step.failed);
        if step.classes.is_empty() {
            let sum = match step.only_class() {
                Some(class) => self.classes.entry(class).or_default(),
                None => &mut self.unclassed,
            };
            responses().for_each(|more| sum.merge(more));
        } else {
            step.classes.iter().for_each(|(class, more)| self.classes.entry(*class).or_default().merge(more));
        }
        match &step.service {
            Some(service) => self.service.merge(service),
            None => responses().for_each(|more| self.service.merge(more)),
        }
        step.first_byte.iter().for_each(|more| self.first_byte.merge(more));
        step.init.iter().for_each(|more| self.init.merge(more));
        self.init_told += step.init_told;
        self.ok_count += step.ok.as_ref().map_or(0, Histogram::count);
        self.failed_count += step.failed.as_ref().map_or(0, Histogram::count);
        self.bytes += step.bytes;
        add_counts(&mut self.failures, &step.failures);
        add_counts(&mut self.statuses, &step.statuses);
    }

    fn merge(&mut self, other: &Self) {
        self.ok_count += other.ok_count;
        self.failed_count += other.failed_count;
        self.bytes += other.bytes;
        add_counts(&mut self.failures, &other.failures);
        add_counts(&mut self.statuses, &other.statuses);
        self.service.merge(&other.service);
        self.first_byte.merge(&other.first_byte);
        self.init.merge(&other.init);
        self.init_told += other.init_told;
        self.unclassed.merge(&other.unclassed);
        other.classes.iter().for_each(|(class, more)| self.classes.entry(*class).or_default().merge(more));
    }

    /// How many requests ended.
    pub(crate) fn count(&self) -> u64 {
        self.ok_count + self.failed_count
    }

    /// Response times, failed requests included.
    pub(crate) fn response(&self) -> Histogram {
        let mut response = self.unclassed.clone();
        self.classes.values().for_each(|more| response.merge(more));
        response
    }

    /// How many answers were of each class, with their response times; none where old frames do not tell them apart.
    pub(crate) fn classes(&self) -> BTreeMap<StatusClass, (u64, Option<&Histogram>)> {
        let mut counts: BTreeMap<StatusClass, u64> = BTreeMap::new();
        for (status, count) in &self.statuses {
            *counts.entry(StatusClass::of(Some(*status))).or_default() += count;
        }
        let silent = self.count().saturating_sub(counts.values().sum());
        if silent > 0 {
            counts.insert(StatusClass::NoAnswer, silent);
        }
        let of = |class| self.classes.get(&class).filter(|_| self.unclassed.count() == 0);
        counts.into_iter().map(|(class, count)| (class, (count, of(class)))).collect()
    }
}

fn add_counts<Key: Ord + Copy>(sums: &mut BTreeMap<Key, u64>, more: &BTreeMap<Key, u64>) {
    for (key, count) in more {
        *sums.entry(*key).or_default() += count;
    }
}

/// What passed in the second of one frame, of what frames count since the load's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Requests that were sent.
    pub(crate) sent: u64,
    /// Arrivals whose time has come, and those that began; none in a closed model.
    pub(crate) arrivals: Option<(u64, u64)>,
}

/// Which frame came last.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// When its load began.
    began_ms: u64,
    second: u64,
}

/// Tells what passed from frame to frame.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    last: Option<(Place, Passed)>,
}

impl Pace {
    /// Whether a frame is the first, or of a load that was started again: that counts from zero.
    pub(crate) fn is_anew(&self, frame: &Frame) -> bool {
        self.last.is_none_or(|(last, before)| last.began_ms != frame.began_ms || before.sent > frame.started)
    }

    /// What passed in a frame's second; none after seconds without a frame, of which nobody knows their shares.
    pub(crate) fn passed(&mut self, frame: &Frame) -> Option<Passed> {
        let arrivals = frame.arrivals.as_ref().map(|arrivals| (arrivals.planned, arrivals.begun));
        let now = Passed { sent: frame.started, arrivals };
        let is_anew = self.is_anew(frame);
        let Some((last, before)) =
            self.last.replace((Place { began_ms: frame.began_ms, second: frame.second }, now)).filter(|_| !is_anew)
        else {
            return Some(now);
        };
        let since =
            |now: (u64, u64), before: (u64, u64)| Some((now.0.checked_sub(before.0)?, now.1.checked_sub(before.1)?));
        let arrivals = match (now.arrivals, before.arrivals) {
            (Some(now), Some(before)) => since(now, before),
            (now, _) => now,
        };
        (frame.second == last.second + 1).then_some(Passed { sent: now.sent - before.sent, arrivals })
    }
}
