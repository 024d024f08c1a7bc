//! From records to one number: which values a signal has in a window, how they become one, and whether too many miss.

use std::collections::BTreeSet;

use crate::load::{Doubt, LoadStatistic};
use crate::observe::{HttpStatistic, SignalSource, SignalSpec};
use crate::scenario::expect::Aggregate;
use crate::unit::{Histogram, SignalId, elapsed_ms};

use super::metric::measure_metric;
use super::recording::{Recording, SECOND_MS, SecondRecord, WindowMs};

/// The largest share of a window that may be without data before nothing can be said.
const MISSING_RATIO_MAX: f64 = 0.1;
/// How many seconds may always be without data: a load worker's start and the window's cut-off ends.
const MISSING_SECONDS_SPARED: u64 = 2;

/// The largest share of arrivals that may be missing before nothing can be said of the others.
const NOT_SENT_RATIO_MAX: f64 = 0.01;

/// The unit in which a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Kept in seconds, shown in milliseconds or seconds.
    Duration,
    /// Kept as 0 to 1, shown in percent.
    Ratio,
    /// Per second.
    Rate,
    /// A plain number.
    Number,
}

impl Unit {
    /// A value with its unit, as reports show it.
    pub(super) fn show(self, value: f64) -> String {
        match self {
            Self::Duration if value < 10.0 => format!("{:.0} ms", value * 1_000.0),
            Self::Duration => format!("{value:.1} s"),
            Self::Ratio => format!("{} %", trim(value * 100.0)),
            Self::Rate => format!("{}/s", trim(value)),
            Self::Number => trim(value),
        }
    }
}

/// Two decimals at the most, and none where they are zeros.
fn trim(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The values of a signal in a window.
#[derive(Debug, Clone)]
pub(super) enum Values {
    /// A distribution, exact.
    Distribution(Box<Histogram>),
    /// Successes over all, by second or probe: part and whole.
    Ratio(Vec<(f64, f64)>),
    /// Plain values.
    Series(Vec<f64>),
}

/// A signal's values in a window, with how complete they are.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// The values.
    pub(super) values: Values,
    /// How they are shown.
    pub(super) unit: Unit,
    /// How many requests, probes or points stand behind them.
    pub(super) sample_count: u64,
    /// Why too few are there, if so.
    pub(super) missing: Option<String>,
    /// What is doubtful about them, if anything.
    pub(super) doubtful: Option<Doubtful>,
}

/// What of a load's seconds may tell of the worker that made the load, and not of the server.
#[derive(Debug, Clone)]
pub(super) struct Doubtful {
    /// The values of the other seconds alone.
    trusted: Values,
    seconds: u64,
    of: u64,
    doubts: BTreeSet<Doubt>,
    /// Arrivals that were never sent, and those that were and came to an end.
    not_sent: (u64, u64),
}

impl Doubtful {
    /// Whether so many seconds are doubtful that the others say nothing.
    pub(super) fn is_too_much(&self) -> bool {
        self.seconds == self.of || is_too_few(self.of - self.seconds, self.of) || self.is_much_unsent()
    }

    /// Whether so many arrivals were never sent that those that were say little of how customers fare: nobody knows how long
    /// they would have waited.
    fn is_much_unsent(&self) -> bool {
        let (not_sent, sent) = self.not_sent;
        number(not_sent) > NOT_SENT_RATIO_MAX * number(not_sent + sent)
    }

    /// The values of the seconds that are not doubtful.
    pub(super) fn trusted(&self) -> &Values {
        &self.trusted
    }

    /// Why nothing can be said: too many seconds are doubtful, or without them `holds` comes out another way than `held`.
    pub(super) fn objection(
        &self,
        aggregate: Aggregate,
        held: Option<bool>,
        holds: impl Fn(f64) -> Option<bool>,
    ) -> Option<String> {
        // A sum is smaller without some of its seconds, which says nothing: but one that is too small may be so for them.
        let rests_on_them = match aggregate {
            Aggregate::Sum | Aggregate::Count => held == Some(false),
            Aggregate::Min | Aggregate::Max | Aggregate::Mean | Aggregate::Percentile(_) | Aggregate::Last => {
                self.trusted.aggregate(aggregate).and_then(holds) != held
            }
        };
        let is_too_much = self.is_too_much();
        let reasons: Vec<&str> = self.doubts.iter().map(|doubt| doubt_text(*doubt)).collect();
        (is_too_much || rests_on_them).then(|| {
            let Self { seconds, of, .. } = self;
            format!("{seconds} of {of} seconds of load may tell of the load worker: {}", reasons.join(", "))
        })
    }
}

fn doubt_text(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::Late => "it sent requests too late",
        Doubt::NotSent => "it did not send all requests",
        Doubt::Cpu => "it was short of CPU",
        Doubt::Exhausted => "its machine had no port or descriptor left",
        Doubt::Credentials => "it had no credentials to sign with",
    }
}

/// Reads a signal in a window.
pub(super) fn measure(recording: &Recording, signal: &SignalId, spec: &SignalSpec, window: WindowMs) -> Measured {
    match spec.source() {
        Ok(SignalSource::Load(load)) => measure_load(recording, load, window),
        Ok(SignalSource::Http(http)) => {
            measure_probe(recording, signal, http.statistic(), elapsed_ms(http.interval()), window)
        }
        Ok(source @ (SignalSource::Cloudwatch(_) | SignalSource::MetricMath(_))) => {
            measure_metric(recording, signal, source, window)
        }
        Err(_) => Measured {
            values: Values::Series(Vec::new()),
            unit: Unit::Number,
            sample_count: 0,
            missing: Some(format!("nothing was recorded for `{signal}`")),
            doubtful: None,
        },
    }
}

/// Since when a signal's source should report; none while it is not at work.
pub(super) fn reports_since_ms(recording: &Recording, spec: &SignalSpec) -> Option<u64> {
    match spec.source().ok()? {
        SignalSource::Load(load) => match recording.load_span(&load.of)? {
            (start, None) => Some(start),
            (_, Some(_)) => None,
        },
        // Probes and metrics are read before the first phase begins.
        SignalSource::Http(_) | SignalSource::Cloudwatch(_) | SignalSource::MetricMath(_) => {
            recording.state().phases.first().map(|phase| phase.start_ms)
        }
    }
}

/// What a statistic of a load sums up, second by second.
struct LoadSums {
    statistic: LoadStatistic,
    distribution: Histogram,
    ratio: Vec<(f64, f64)>,
    series: Vec<f64>,
    sample_count: u64,
    seconds: u64,
}

impl LoadSums {
    fn of(statistic: LoadStatistic) -> Self {
        let distribution = Histogram::default();
        Self { statistic, distribution, ratio: Vec::new(), series: Vec::new(), sample_count: 0, seconds: 0 }
    }

    fn add(&mut self, second: &SecondRecord, step: Option<&str>) {
        self.seconds += 1;
        let steps = second.steps.iter().filter(|(name, _)| step.is_none_or(|step| *step == **name));
        let (mut ok, mut failed) = (0_u64, 0_u64);
        for (_, step) in steps {
            ok += step.ok.count();
            failed += step.failed.count();
            if self.statistic == LoadStatistic::Latency {
                self.distribution.merge_sparse(&step.ok);
                self.distribution.merge_sparse(&step.failed);
            }
        }
        self.sample_count += ok + failed;
        match self.statistic {
            LoadStatistic::Latency => {}
            LoadStatistic::SuccessRatio => self.ratio.push((number(ok), number(ok + failed))),
            LoadStatistic::ErrorRatio => self.ratio.push((number(failed), number(ok + failed))),
            LoadStatistic::Rate => self.series.push(number(ok + failed)),
            LoadStatistic::InFlight => self.series.push(number(second.in_flight_count)),
        }
    }

    fn finish(self) -> (Values, Unit) {
        match self.statistic {
            LoadStatistic::Latency => (Values::Distribution(Box::new(self.distribution)), Unit::Duration),
            LoadStatistic::SuccessRatio | LoadStatistic::ErrorRatio => (Values::Ratio(self.ratio), Unit::Ratio),
            LoadStatistic::Rate => (Values::Series(self.series), Unit::Rate),
            LoadStatistic::InFlight => (Values::Series(self.series), Unit::Number),
        }
    }
}

fn measure_load(recording: &Recording, load: &crate::observe::LoadSignal, window: WindowMs) -> Measured {
    let (mut all, mut trusted) = (LoadSums::of(load.stat), LoadSums::of(load.stat));
    let mut doubts = BTreeSet::new();
    let mut not_sent_count = 0;
    for (_, second) in recording.seconds(&load.of, window) {
        all.add(second, load.step.as_deref());
        if second.doubts.is_empty() {
            trusted.add(second, load.step.as_deref());
        }
        doubts.extend(&second.doubts);
        not_sent_count += second.not_sent_count;
    }
    let seconds = (window.1 / SECOND_MS).saturating_sub(window.0.div_ceil(SECOND_MS));
    let needs_requests = !matches!(load.stat, LoadStatistic::Rate | LoadStatistic::InFlight);
    let missing = if recording.load_span(&load.of).is_none() {
        Some(format!("load `{}` was not running", load.of))
    } else if needs_requests && all.sample_count == 0 {
        Some(format!("load `{}` completed no request", load.of))
    } else {
        too_few(all.seconds, seconds, "seconds of load")
    };
    let (sample_count, of) = (all.sample_count, all.seconds);
    let (values, unit) = all.finish();
    let doubtful = (!doubts.is_empty()).then(|| {
        let seconds = of - trusted.seconds;
        Doubtful { trusted: trusted.finish().0, seconds, of, doubts, not_sent: (not_sent_count, sample_count) }
    });
    Measured { values, unit, sample_count, missing, doubtful }
}

fn measure_probe(
    recording: &Recording,
    signal: &SignalId,
    statistic: HttpStatistic,
    every_ms: u64,
    window: WindowMs,
) -> Measured {
    let values: Vec<f64> = recording.samples(signal, window).flatten().collect();
    let sample_count = values.len() as u64;
    let expected = window.1.saturating_sub(window.0) / every_ms;
    let missing = if sample_count == 0 {
        Some(format!("probe `{signal}` reported nothing"))
    } else {
        too_few(sample_count, expected, "probes")
    };
    let (values, unit) = match statistic {
        HttpStatistic::SuccessRatio => {
            (Values::Ratio(values.into_iter().map(|value| (value, 1.0)).collect()), Unit::Ratio)
        }
        HttpStatistic::Latency => (Values::Series(values), Unit::Duration),
    };
    Measured { values, unit, sample_count, missing, doubtful: None }
}

/// Says so when more is missing than can be passed over.
fn too_few(seen: u64, expected: u64, what: &str) -> Option<String> {
    let missing = expected.saturating_sub(seen);
    is_too_few(seen, expected).then(|| format!("{missing} of {expected} {what} are missing"))
}

fn is_too_few(seen: u64, expected: u64) -> bool {
    let spared = (number(expected) * MISSING_RATIO_MAX).max(number(MISSING_SECONDS_SPARED));
    number(expected.saturating_sub(seen)) > spared
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

impl Values {
    /// The values as one; none where there are none.
    pub(super) fn aggregate(&self, aggregate: Aggregate) -> Option<f64> {
        match self {
            Self::Distribution(histogram) => aggregate_distribution(histogram, aggregate),
            Self::Ratio(parts) => aggregate_ratio(parts, aggregate),
            Self::Series(values) => aggregate_series(values, aggregate),
        }
    }

    /// The smallest value, 50th and 99th percentile and the largest.
    pub(super) fn spread(&self) -> Option<[f64; 4]> {
        let of = |aggregate| self.aggregate(aggregate);
        Some([
            of(Aggregate::Min)?,
            of(Aggregate::Percentile(0.5))?,
            of(Aggregate::Percentile(0.99))?,
            of(Aggregate::Max)?,
        ])
    }
}

fn aggregate_distribution(histogram: &Histogram, aggregate: Aggregate) -> Option<f64> {
    let seconds = |duration: std::time::Duration| duration.as_secs_f64();
    match aggregate {
        Aggregate::Min => histogram.min().map(seconds),
        Aggregate::Max => histogram.max().map(seconds),
        Aggregate::Mean => histogram.mean().map(seconds),
        Aggregate::Percentile(ratio) => histogram.quantile(ratio).map(seconds),
        Aggregate::Sum => histogram.mean().map(|mean| seconds(mean) * number(histogram.count())),
        Aggregate::Count => Some(number(histogram.count())),
        // A distribution has no order; `check` refuses it.
        Aggregate::Last => None,
    }
}

fn aggregate_ratio(parts: &[(f64, f64)], aggregate: Aggregate) -> Option<f64> {
    let by_second = || parts.iter().filter(|(_, whole)| *whole > 0.0).map(|(part, whole)| part / whole);
    match aggregate {
        // All successes over all requests, not the mean of the seconds' ratios.
        Aggregate::Mean => {
            let (part, whole) = parts.iter().fold((0.0, 0.0), |(part, whole), (p, w)| (part + p, whole + w));
            (whole > 0.0).then(|| part / whole)
        }
        Aggregate::Min
        | Aggregate::Max
        | Aggregate::Percentile(_)
        | Aggregate::Sum
        | Aggregate::Last
        | Aggregate::Count => aggregate_series(&by_second().collect::<Vec<f64>>(), aggregate),
    }
}

fn aggregate_series(values: &[f64], aggregate: Aggregate) -> Option<f64> {
    if values.is_empty() {
        return (aggregate == Aggregate::Count).then_some(0.0);
    }
    match aggregate {
        Aggregate::Min => values.iter().copied().reduce(f64::min),
        Aggregate::Max => values.iter().copied().reduce(f64::max),
        Aggregate::Mean => Some(values.iter().sum::<f64>() / number(values.len() as u64)),
        Aggregate::Percentile(ratio) => Some(nearest_rank(values, ratio)),
        Aggregate::Sum => Some(values.iter().sum()),
        Aggregate::Last => values.last().copied(),
        Aggregate::Count => Some(number(values.len() as u64)),
    }
}

/// The nearest-rank percentile of values that are not empty.
fn nearest_rank(values: &[f64], ratio: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (ratio * number(sorted.len() as u64)).ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the rank lies in 0..=len")]
    let index = (rank as usize).clamp(1, sorted.len()) - 1;
    sorted[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_a_ratio_is_all_successes_over_all_requests() {
        let parts = [(1.0, 1.0), (0.0, 99.0), (0.0, 0.0)];
        assert_eq!(Values::Ratio(parts.to_vec()).aggregate(Aggregate::Mean), Some(0.01));
        assert_eq!(Values::Ratio(parts.to_vec()).aggregate(Aggregate::Min), Some(0.0));
        assert_eq!(Values::Ratio(vec![(0.0, 0.0)]).aggregate(Aggregate::Mean), None);
    }

    #[test]
    fn a_percentile_of_a_series_is_its_nearest_rank() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(aggregate_series(&values, Aggregate::Percentile(0.99)), Some(99.0));
        assert_eq!(aggregate_series(&values, Aggregate::Percentile(0.0)), Some(1.0));
        assert_eq!(aggregate_series(&[], Aggregate::Mean), None);
        assert_eq!(aggregate_series(&[], Aggregate::Count), Some(0.0));
    }

    #[test]
    fn values_are_shown_with_their_unit() {
        assert_eq!(Unit::Duration.show(0.0834), "83 ms");
        assert_eq!(Unit::Duration.show(12.0), "12.0 s");
        assert_eq!(Unit::Ratio.show(0.9950), "99.5 %");
        assert_eq!(Unit::Rate.show(40.0), "40/s");
        assert_eq!(Unit::Number.show(3.0), "3");
    }

    #[test]
    fn a_tenth_of_a_window_may_be_missing_and_no_more() {
        assert_eq!(too_few(90, 100, "seconds"), None);
        assert_eq!(too_few(89, 100, "seconds"), Some("11 of 100 seconds are missing".to_owned()));
        assert_eq!(too_few(3, 5, "seconds"), None);
        assert_eq!(too_few(2, 5, "seconds"), Some("3 of 5 seconds are missing".to_owned()));
    }
}
