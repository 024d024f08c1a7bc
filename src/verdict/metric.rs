//! Metrics of CloudWatch: which data points a window has, and how far back they are looked at while they arrive late.
//!
//! A data point counts in a window in which its whole period lies. Periods are CloudWatch's own: where a window looks back from
//! some moment, it ends with the last period that was over by then.

use std::time::Duration;

use super::measure::{Measured, Unit, Values};
use super::recording::{Recording, WindowMs};
use super::term::{Judge, LOOK_BACK};
use crate::observe::{MetricUnit, SignalSource, SignalSpec};
use crate::scenario::expect::{self, Condition, Expectation, Measure, Quantity, Term};
use crate::unit::{SignalId, elapsed_ms, format_duration};

/// The share of the periods of a window that may be without a data point.
const MISSING_RATIO_MAX: f64 = 0.1;
/// How long after the end of a period its data point may be waited for by whoever looks at what is newest, in milliseconds.
const STALE_MS: u64 = 180_000;
/// Milliseconds in a second.
const SECOND_MS: f64 = 1_000.0;

/// The data points of a metric in a window.
pub(super) fn measure_metric(
    recording: &Recording,
    signal: &SignalId,
    source: SignalSource<'_>,
    window: WindowMs,
) -> Measured {
    let period_ms = source.metric_period().map_or(1, elapsed_ms).max(1);
    let points = recording.points(signal);
    let inside = points.into_iter().flat_map(|points| points.range(window.0..window.1));
    let inside = inside.filter(|(begin, _)| **begin + period_ms <= window.1).map(|(_, value)| *value);
    let (unit, scale) = unit(source);
    let values: Vec<f64> = inside.map(|value| value * scale).collect();
    let sample_count = values.len() as u64;
    let missing = unread(recording, window).or_else(|| missing(recording, signal, period_ms, window, sample_count));
    Measured { values: Values::Series(values), unit, sample_count, missing, doubtful: None }
}

/// That metrics can not be read, where all of a window is not known.
fn unread(recording: &Recording, window: WindowMs) -> Option<String> {
    let (known_ms, why) = recording.state().metrics_unread.as_ref()?;
    (*known_ms < window.1).then(|| format!("CloudWatch metrics could not be read: {why}"))
}

/// Why too few data points are there.
fn missing(recording: &Recording, signal: &SignalId, period_ms: u64, window: WindowMs, seen: u64) -> Option<String> {
    let period = format_duration(Duration::from_millis(period_ms));
    let Some(first) = recording.points(signal).and_then(|points| points.keys().next()) else {
        return Some(format!("CloudWatch has no data point of `{signal}`"));
    };
    let phase_ms = first % period_ms;
    // How many whole periods a window has depends on where CloudWatch's own begin.
    let begin = window.0.saturating_sub(phase_ms).div_ceil(period_ms);
    let end = window.1.saturating_sub(phase_ms) / period_ms;
    let expected = end.saturating_sub(begin);
    if expected == 0 {
        return Some(format!("no whole period of {period} of `{signal}` lies in the window"));
    }
    let lacking = expected.saturating_sub(seen);
    let is_too_few = super::measure::number(lacking) > super::measure::number(expected) * MISSING_RATIO_MAX;
    is_too_few.then(|| format!("{lacking} of {expected} data points of {period} are missing"))
}

/// The unit in which expectations speak of a metric, and what its values are multiplied with for it.
fn unit(source: SignalSource<'_>) -> (Unit, f64) {
    if let SignalSource::MetricMath(signal) = source {
        return match signal.unit.unwrap_or_default() {
            MetricUnit::Number => (Unit::Number, 1.0),
            MetricUnit::Ratio => (Unit::Ratio, 1.0),
            MetricUnit::Milliseconds => (Unit::Duration, 1.0 / SECOND_MS),
            MetricUnit::Seconds => (Unit::Duration, 1.0),
        };
    }
    match Quantity::of(source).unit {
        // Lambda tells times in milliseconds.
        expect::Unit::Duration => (Unit::Duration, 1.0 / SECOND_MS),
        expect::Unit::Ratio => (Unit::Ratio, 1.0),
        expect::Unit::Rate => (Unit::Rate, 1.0),
        expect::Unit::Number => (Unit::Number, 1.0),
    }
}

impl Judge<'_> {
    /// The signal of a term with its period in milliseconds, where it is a metric.
    fn metric<'t>(&self, term: &'t Term) -> Option<(&'t SignalId, u64)> {
        let Condition::Compare { measure: Measure::Signal { signal, .. }, .. } = &term.condition else { return None };
        let period = self.signals.get(signal).map(SignalSpec::source)?.ok()?.metric_period()?;
        Some((signal, elapsed_ms(period).max(1)))
    }

    /// Whether a term speaks of a metric.
    pub(super) fn is_metric(&self, term: &Term) -> bool {
        self.metric(term).is_some()
    }

    /// When that was which an expectation sees now, in milliseconds since the run's start; none where it is of now: it speaks of no
    /// metric.
    #[must_use]
    pub fn seen_ms(&self, expectation: &Expectation) -> Option<u64> {
        let metrics = expectation.terms.iter().filter(|term| self.is_metric(term));
        metrics.map(|term| self.newest(term, self.now_ms)).max()
    }

    /// Over how long a term looks back, where it is asked again and again: over its `for D`, or else 5 s, or one period of a metric.
    pub(super) fn look_back(&self, term: &Term) -> Duration {
        let usual = || self.metric(term).map_or(LOOK_BACK, |(_, period_ms)| Duration::from_millis(period_ms));
        term.hold.unwrap_or_else(usual)
    }

    /// The end of what a term sees that looks back from a moment: of a metric, the end of a period.
    pub(super) fn seen_to(&self, term: &Term, at_ms: u64) -> u64 {
        let Some((signal, period_ms)) = self.metric(term) else { return at_ms };
        let first = self.recording.points(signal).and_then(|points| points.keys().next());
        let phase_ms = first.map_or(0, |first| first % period_ms);
        at_ms.saturating_sub(at_ms.saturating_sub(phase_ms) % period_ms)
    }

    /// The newest moment that a term can see now: of a metric, the end of its newest data point, unless that is too old.
    pub(super) fn newest(&self, term: &Term, now_ms: u64) -> u64 {
        let Some((signal, period_ms)) = self.metric(term) else { return now_ms };
        let last = self.recording.points(signal).and_then(|points| points.keys().next_back());
        match last.map(|last| last + period_ms) {
            Some(end_ms) if end_ms + period_ms + STALE_MS >= now_ms => end_ms.min(now_ms),
            Some(_) | None => now_ms,
        }
    }

    /// How late the source of a term may be with what it reports, in milliseconds.
    pub(super) fn report_grace_ms(&self, term: &Term, usual_ms: u64) -> u64 {
        self.metric(term).map_or(usual_ms, |(_, period_ms)| period_ms + STALE_MS)
    }
}
