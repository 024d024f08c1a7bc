//! What CloudWatch's metrics say about functions and queues.

use std::collections::{BTreeMap, BTreeSet};

use super::log::{ERROR_RATIO_MIN, rate_severity};
use super::note::{Notebook, Notes, Place};
use super::rule::InsightRule;
use super::seen::Seen;
use super::{SEEN_COUNT_MIN, SHARE_COUNT_MIN, not_kept};
use crate::observe::{EvidenceSeries, MetricEvidence};
use crate::report::facts::Facts;
use crate::report::model::{InsightSeverity, Phase, Report};
use crate::report::number::{decimal, float, latency, percent};

const LAMBDA: &str = "AWS/Lambda";
const SQS: &str = "AWS/SQS";
/// How old the oldest record of a stream may be, in milliseconds; a function that keeps up is at most seconds behind.
const ITERATOR_AGE_MS_MIN: f64 = 10_000.0;
/// How many times as old as at first it has to become.
const ITERATOR_AGE_RATIO: f64 = 2.0;
/// Fewer data points than this show no direction and no spread.
const POINTS_MIN: usize = 3;
/// The share of provisioned concurrency from which on nothing is left for a peak.
const UTILIZATION_MIN: f64 = 0.9;
/// How many times as much as in the baseline phase, or as little, is worth a word.
pub(super) const ANOMALY_RATIO: f64 = 2.0;
/// How many standard deviations away: by chance three of a thousand values are, of those that are spread as a bell.
pub(super) const ANOMALY_DEVIATIONS: f64 = 3.0;
/// The least spread that is believed, as a share of the mean: three equal points do not show that there is none.
const SPREAD_RATIO_MIN: f64 = 0.05;
/// The least spread that is believed of a share of failures.
const SPREAD_OF_SHARE_MIN: f64 = 0.01;

/// The rules that need a function's metrics. Its error rate is taken from its logs otherwise.
const RULES: [InsightRule; 5] = [
    InsightRule::Throttled,
    InsightRule::DeadLetters,
    InsightRule::IteratorAge,
    InsightRule::Concurrency,
    InsightRule::Anomaly,
];
const NO_SUCH: &str = "no such metric of it was kept";

/// Data points: when each period began, and its value.
type Points = Vec<(u64, f64)>;

/// The metrics of a run, and the phases that they are held against each other by.
pub(super) struct Metrics<'a> {
    report: &'a Report,
    /// The file, and what it holds; or why nothing is known, where that is told.
    read: Option<(&'a str, Result<&'a MetricEvidence, &'a str>)>,
    baseline: Option<&'a Phase>,
}

/// The functions that metrics were kept of.
pub(super) fn functions(seen: &Seen) -> BTreeSet<&str> {
    named(seen.metrics.values().flatten().flat_map(|metrics| &metrics.series), LAMBDA, "FunctionName")
}

/// What a dimension alone tells apart in a namespace.
fn named<'a>(series: impl Iterator<Item = &'a EvidenceSeries>, namespace: &str, dimension: &str) -> BTreeSet<&'a str> {
    let of_namespace = series.filter_map(|series| series.metric.as_ref()).filter(|it| it.namespace == namespace);
    let alone = of_namespace.filter(|metric| metric.dimensions.len() == 1);
    alone.filter_map(|metric| metric.dimensions.get(dimension)).map(String::as_str).collect()
}

fn total(points: &[(u64, f64)]) -> f64 {
    points.iter().map(|(_, value)| value).sum()
}

fn largest(points: &[(u64, f64)]) -> Option<f64> {
    points.iter().map(|(_, value)| *value).reduce(f64::max)
}

impl<'a> Metrics<'a> {
    pub(super) fn of(report: &'a Report, facts: &Facts, seen: &'a Seen) -> Self {
        let read = seen.metrics.first_key_value();
        let baseline = report.phases.iter().find(|phase| facts.baseline.as_ref() == Some(&phase.phase));
        Self { report, read: read.map(|(file, read)| (file.as_str(), read.as_ref().map_err(String::as_str))), baseline }
    }

    /// What the metrics of a function say, and whether they tell its error rate.
    pub(super) fn note_function(&self, function: &str, notes: &mut Notes) -> bool {
        let place = Place::Function(function.to_owned());
        let (file, metrics) = match self.read {
            Some((file, Ok(metrics))) => (file, metrics),
            Some((_, Err(why))) => {
                RULES.into_iter().for_each(|rule| notes.unknown(rule, &place, why));
                return false;
            }
            None => {
                let why = not_kept(self.report, "metrics", Some(function));
                RULES.into_iter().for_each(|rule| notes.unknown(rule, &place, why.as_str()));
                return false;
            }
        };
        let of_function =
            |name: &str, statistic: &str| points(metrics, LAMBDA, name, ("FunctionName", function), statistic);
        let invocations = of_function("Invocations", "Sum");
        let errors = of_function("Errors", "Sum");
        let mut of = notes.about(&place, file);
        if let (Ok(invocations), Ok(errors)) = (&invocations, &errors) {
            error_rate(function, total(errors), total(invocations), &mut of);
        }
        throttles(function, of_function("Throttles", "Sum"), &mut of);
        dead_letter_errors(function, of_function("DeadLetterErrors", "Sum"), &mut of);
        iterator_age(function, of_function("IteratorAge", "Maximum"), &mut of);
        utilization(function, of_function("ProvisionedConcurrencyUtilization", "Maximum"), &mut of);
        let has_rate = invocations.is_ok() && errors.is_ok();
        let durations = of_function("Duration", "p99");
        self.anomalies(function, &Series { invocations, errors, durations }, &mut of);
        has_rate
    }

    /// Queues whose name says that they are for dead letters.
    pub(super) fn note_queues(&self, notes: &mut Notes) {
        let Some((file, Ok(metrics))) = self.read else { return };
        for queue in named(metrics.series.iter(), SQS, "QueueName") {
            let lower = queue.to_ascii_lowercase();
            if !["dlq", "dead", "redrive"].iter().any(|word| lower.contains(word)) {
                continue;
            }
            let place = Place::Queue(queue.to_owned());
            let mut of = notes.about(&place, file);
            match points(metrics, SQS, "ApproximateNumberOfMessagesVisible", ("QueueName", queue), "Maximum") {
                Ok(points) => dead_letters(queue, &points, &mut of),
                Err(why) => of.unknown(InsightRule::DeadLetters, why),
            }
        }
    }

    fn anomalies(&self, function: &str, series: &Series, of: &mut Notebook<'_>) {
        // That no phase is the baseline is told once, with the loads.
        let Some(baseline) = self.baseline else { return };
        let figures = series.figures();
        if figures.is_empty() {
            of.unknown(InsightRule::Anomaly, NO_SUCH);
            return;
        }
        let mut has_looked = false;
        for phase in self.report.phases.iter().filter(|phase| phase.phase != baseline.phase) {
            for figure in &figures {
                let (before, here) = (within(&figure.points, baseline), within(&figure.points, phase));
                let Some(change) = change(&before, &here, figure.spread_min) else { continue };
                has_looked = true;
                let is_enough = series.count_in(baseline).min(series.count_in(phase)) >= float(SHARE_COUNT_MIN);
                if !is_enough || !change.is_anomaly(figure.falls_too) {
                    continue;
                }
                let text = format!(
                    "{} of `{function}` was {} on the mean of phase `{}`, against {} in `{}`: {} standard deviations of its \
                     {} data points away.",
                    figure.name,
                    (figure.text)(change.here),
                    phase.phase,
                    (figure.text)(change.before),
                    baseline.phase,
                    decimal(change.deviations.abs()),
                    before.len()
                );
                of.found(InsightRule::Anomaly, InsightSeverity::Medium, text);
            }
        }
        if !has_looked {
            let why = format!("fewer than {POINTS_MIN} data points in the baseline phase, or in any other");
            of.unknown(InsightRule::Anomaly, why);
        }
    }
}

/// The whole data points of a metric; later ones may be parts. Or why they are not known.
fn points(
    metrics: &MetricEvidence,
    namespace: &str,
    name: &str,
    (dimension, value): (&str, &str),
    statistic: &str,
) -> Result<Points, String> {
    let is_it = |series: &&EvidenceSeries| {
        series.statistic == statistic
            && series.metric.as_ref().is_some_and(|metric| {
                metric.namespace == namespace
                    && metric.name == name
                    && metric.dimensions.len() == 1
                    && metric.dimensions.get(dimension).is_some_and(|of| of == value)
            })
    };
    let series = metrics.series.iter().find(is_it).ok_or_else(|| NO_SUCH.to_owned())?;
    if let Some(trouble) = &series.trouble {
        return Err(format!("CloudWatch did not tell all of `{name}`: {trouble}"));
    }
    let length_ms = u64::from(series.period_seconds).saturating_mul(1_000);
    let is_whole =
        |(at_ms, value): &&(u64, f64)| at_ms.saturating_add(length_ms) <= metrics.known_ms && value.is_finite();
    Ok(series.points.iter().filter(is_whole).copied().collect())
}

fn error_rate(function: &str, errors: f64, invocations: f64, of: &mut Notebook<'_>) {
    let share = if invocations > 0.0 { errors / invocations } else { 0.0 };
    if invocations >= float(SHARE_COUNT_MIN) && errors >= float(SEEN_COUNT_MIN) && share >= ERROR_RATIO_MIN {
        let text = format!(
            "{} of {} invocations of `{function}` failed: {}.",
            decimal(errors),
            decimal(invocations),
            percent(share)
        );
        of.found(InsightRule::ErrorRate, rate_severity(share), text);
    }
}

fn throttles(function: &str, points: Result<Points, String>, of: &mut Notebook<'_>) {
    match points.map(|points| total(&points)) {
        Err(why) => of.unknown(InsightRule::Throttled, why),
        Ok(count) if count >= float(SEEN_COUNT_MIN) => {
            let text = format!("`{function}` was throttled {} times.", decimal(count));
            of.found(InsightRule::Throttled, InsightSeverity::Medium, text);
        }
        Ok(_) => {}
    }
}

fn dead_letter_errors(function: &str, points: Result<Points, String>, of: &mut Notebook<'_>) {
    match points.map(|points| total(&points)) {
        Err(why) => of.unknown(InsightRule::DeadLetters, why),
        Ok(count) if count >= float(SEEN_COUNT_MIN) => {
            let text = format!(
                "{} events that `{function}` had given up could not be put into its dead-letter queue: they are lost.",
                decimal(count)
            );
            of.found(InsightRule::DeadLetters, InsightSeverity::High, text);
        }
        Ok(_) => {}
    }
}

fn dead_letters(queue: &str, points: &[(u64, f64)], of: &mut Notebook<'_>) {
    let (Some((_, first)), Some(most)) = (points.first(), largest(points)) else {
        of.unknown(InsightRule::DeadLetters, "there is no data point of it");
        return;
    };
    if most - first >= float(SEEN_COUNT_MIN) {
        let text = format!(
            "`{queue}`, a dead-letter queue by its name, grew from {} to {} visible messages.",
            decimal(*first),
            decimal(most)
        );
        of.found(InsightRule::DeadLetters, InsightSeverity::High, text);
    }
}

fn iterator_age(function: &str, points: Result<Points, String>, of: &mut Notebook<'_>) {
    let points = match points {
        Ok(points) => points,
        Err(why) => return of.unknown(InsightRule::IteratorAge, why),
    };
    if points.len() < POINTS_MIN {
        return of.unknown(InsightRule::IteratorAge, format!("fewer than {POINTS_MIN} data points of it"));
    }
    let third = points.len() / 3;
    let (early, late) = (points.get(..third), points.get(points.len() - third..));
    let (Some(early), Some(late)) = (early.and_then(largest), late.and_then(largest)) else { return };
    if late >= ITERATOR_AGE_MS_MIN && late >= early * ITERATOR_AGE_RATIO {
        let text = format!(
            "The oldest record that `{function}` read was {} old in the last third of the time, and {} in the first.",
            latency(late),
            latency(early)
        );
        of.found(InsightRule::IteratorAge, InsightSeverity::Medium, text);
    }
}

fn utilization(function: &str, points: Result<Points, String>, of: &mut Notebook<'_>) {
    match points.map(|points| (points.iter().filter(|(_, share)| *share >= UTILIZATION_MIN).count(), largest(&points)))
    {
        // How much is reserved, or what the account may use, is in no evidence.
        Err(why) if why == NO_SUCH => {
            of.unknown(InsightRule::Concurrency, "neither its limit nor how much of it was used is in the evidence");
        }
        Err(why) => of.unknown(InsightRule::Concurrency, why),
        Ok((periods, Some(most))) if u64::try_from(periods).is_ok_and(|periods| periods >= SEEN_COUNT_MIN) => {
            let text = format!(
                "`{function}` used up to {} of its provisioned concurrency; in {periods} periods {} or more.",
                percent(most),
                percent(UTILIZATION_MIN)
            );
            of.found(InsightRule::Concurrency, InsightSeverity::Medium, text);
        }
        Ok(_) => {}
    }
}

/// What is held against the baseline phase.
struct Series {
    invocations: Result<Points, String>,
    errors: Result<Points, String>,
    durations: Result<Points, String>,
}

/// A figure by period.
struct Figure {
    name: &'static str,
    points: Points,
    /// The least spread that is believed; none where it is a share of the mean.
    spread_min: Option<f64>,
    /// Whether it is worth a word that it fell.
    falls_too: bool,
    text: fn(f64) -> String,
}

impl Series {
    fn figures(&self) -> Vec<Figure> {
        let mut figures = Vec::new();
        if let (Ok(invocations), Ok(errors)) = (&self.invocations, &self.errors) {
            let errors: BTreeMap<u64, f64> = errors.iter().copied().collect();
            let share = |(at_ms, count): &(u64, f64)| Some((*at_ms, errors.get(at_ms)? / count));
            let points = invocations.iter().filter(|(_, count)| *count > 0.0).filter_map(share).collect();
            let spread_min = Some(SPREAD_OF_SHARE_MIN);
            figures.push(Figure { name: "The error rate", points, spread_min, falls_too: false, text: percent });
        }
        if let Ok(durations) = &self.durations {
            let points = durations.clone();
            figures.push(Figure {
                name: "The p99 duration",
                points,
                spread_min: None,
                falls_too: false,
                text: latency,
            });
        }
        if let Ok(invocations) = &self.invocations {
            let (name, points) = ("The number of invocations a period", invocations.clone());
            figures.push(Figure { name, points, spread_min: None, falls_too: true, text: decimal });
        }
        figures
    }

    /// How many invocations a phase had; none are known where there is no such metric.
    fn count_in(&self, phase: &Phase) -> f64 {
        self.invocations.as_ref().map_or(0.0, |points| within(points, phase).iter().sum())
    }
}

/// The values of the periods that began in a phase.
fn within(points: &[(u64, f64)], phase: &Phase) -> Vec<f64> {
    let is_in = |at_ms: u64| at_ms >= phase.start_ms && phase.end_ms.is_none_or(|end_ms| at_ms < end_ms);
    points.iter().filter(|(at_ms, _)| is_in(*at_ms)).map(|(_, value)| *value).collect()
}

/// A figure in a phase beside the same in the baseline phase.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    pub(super) before: f64,
    pub(super) here: f64,
    /// The z-score: how many standard deviations of the baseline's values the mean is away.
    pub(super) deviations: f64,
}

impl Change {
    pub(super) fn is_anomaly(self, falls_too: bool) -> bool {
        let has_risen = self.here >= self.before * ANOMALY_RATIO && self.deviations >= ANOMALY_DEVIATIONS;
        let has_fallen = self.here * ANOMALY_RATIO <= self.before && self.deviations <= -ANOMALY_DEVIATIONS;
        has_risen || (falls_too && has_fallen)
    }
}

/// Holds values against those of the baseline; none where there are too few of either.
pub(super) fn change(before: &[f64], here: &[f64], spread_min: Option<f64>) -> Option<Change> {
    if before.len() < POINTS_MIN || here.len() < POINTS_MIN {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / float(u64::try_from(values.len()).unwrap_or(u64::MAX));
    let (mean_before, mean_here) = (mean(before), mean(here));
    let squares: f64 = before.iter().map(|value| (value - mean_before).powi(2)).sum();
    let freedom = float(u64::try_from(before.len() - 1).unwrap_or(u64::MAX));
    let spread = (squares / freedom).sqrt().max(spread_min.unwrap_or(mean_before.abs() * SPREAD_RATIO_MIN));
    let deviations = if spread > 0.0 { (mean_here - mean_before) / spread } else { 0.0 };
    Some(Change { before: mean_before, here: mean_here, deviations })
}
