//! What callers met: the loads of a run, as the report has summed them up.

use super::log::{ERROR_RATIO_MIN, rate_severity};
use super::metric::{ANOMALY_DEVIATIONS, ANOMALY_RATIO};
use super::note::{Notebook, Notes, Place};
use super::rule::InsightRule;
use super::{SEEN_COUNT_MIN, SHARE_COUNT_MIN};
use crate::report::facts::Facts;
use crate::report::model::{InsightSeverity, Load, LoadDifference, Report};
use crate::report::number::{count, decimal, figure, percent};

/// How many standard errors lie between the ends of an interval that holds 95 of 100 values.
const INTERVAL_ERRORS: f64 = 3.92;
/// Where a load's seconds are told.
const LOG_FILE: &str = "run.ndjson";

pub(super) fn note(report: &Report, facts: &Facts, notes: &mut Notes) {
    for load in &report.loads {
        let place = Place::Load(load.load.clone());
        let mut of = notes.about(&place, LOG_FILE);
        error_rate(load, &mut of);
        throttled(load, &mut of);
        anomalies(load, facts.baseline.as_deref(), &mut of);
    }
    if report.loads.is_empty() && facts.baseline.is_none() {
        notes.unknown(InsightRule::Anomaly, &Place::Account, NO_BASELINE);
    }
}

const NO_BASELINE: &str = "no phase of the scenario is the baseline";

fn error_rate(load: &Load, of: &mut Notebook<'_>) {
    let share = load.failed_ratio.unwrap_or(0.0);
    if load.request_count >= SHARE_COUNT_MIN && load.failed_count >= SEEN_COUNT_MIN && share >= ERROR_RATIO_MIN {
        let text = format!(
            "{} of {} requests of load `{}` did not end as expected: {}.",
            count(load.failed_count),
            count(load.request_count),
            load.load,
            percent(share)
        );
        of.found(InsightRule::ErrorRate, rate_severity(share), text);
    }
}

fn throttled(load: &Load, of: &mut Notebook<'_>) {
    let throttled = load.failures.iter().find(|failure| failure.kind == "throttled");
    if let Some(throttled) = throttled.filter(|throttled| throttled.count >= SEEN_COUNT_MIN) {
        let text = format!("{} requests of load `{}` were throttled.", count(throttled.count), load.load);
        of.found(InsightRule::Throttled, InsightSeverity::Medium, text);
    }
}

/// The differences between a phase and the baseline phase, which the report has from the seconds of both, drawn anew.
fn anomalies(load: &Load, baseline: Option<&str>, of: &mut Notebook<'_>) {
    let Some(baseline) = baseline else {
        of.unknown(InsightRule::Anomaly, NO_BASELINE);
        return;
    };
    if load.differences.is_empty() {
        of.unknown(
            InsightRule::Anomaly,
            "it has fewer than ten seconds without doubt in the baseline phase, or in any other",
        );
        return;
    }
    if load.request_count < SHARE_COUNT_MIN {
        return;
    }
    for difference in load.differences.iter().filter(|difference| difference.kind == "phase" && is_anomaly(difference))
    {
        let key = difference.figure.as_str();
        let name = match key {
            "failed_ratio" => "the share of failures",
            "p99_ms" => "the 99th percentile of a second",
            "per_second" => "the number of requests",
            other => other,
        };
        let told = |value: f64| figure(key, value).unwrap_or_else(|| decimal(value));
        let away = deviations(difference)
            .map(|deviations| format!(", {} standard errors away", decimal(deviations.abs())))
            .unwrap_or_default();
        let text = format!(
            "In phase `{}`, {name} of load `{}` was {} on the mean of {} seconds, against {} in the {} of `{baseline}`{away}.",
            difference.name.as_deref().unwrap_or_default(),
            load.load,
            told(difference.value),
            difference.seconds,
            told(difference.baseline),
            difference.baseline_seconds,
        );
        of.found(InsightRule::Anomaly, InsightSeverity::Medium, text);
    }
}

/// The z-score of a difference, by the width of its interval; none where its seconds do not differ at all.
fn deviations(difference: &LoadDifference) -> Option<f64> {
    let error = (difference.high - difference.low) / INTERVAL_ERRORS;
    (error > 0.0).then(|| (difference.value - difference.baseline) / error)
}

fn is_anomaly(difference: &LoadDifference) -> bool {
    let is_far = deviations(difference).is_none_or(|deviations| deviations.abs() >= ANOMALY_DEVIATIONS);
    let (before, here) = (difference.baseline, difference.value);
    let has_risen = here >= before * ANOMALY_RATIO;
    let has_fallen = here * ANOMALY_RATIO <= before;
    let is_wide = match difference.figure.as_str() {
        "failed_ratio" => has_risen && here >= ERROR_RATIO_MIN,
        "p99_ms" => has_risen,
        "per_second" => has_risen || has_fallen,
        // The median follows the 99th percentile, or the trouble is none of its own.
        _ => false,
    };
    difference.is_clear && is_far && is_wide
}
