//! What each load did, and its worst seconds.

use std::collections::BTreeMap;

use super::{Run, baseline, window};
use crate::event::{EventKind, LoadProgress, LoadSecond};
use crate::load::FailureSample;
use crate::report::facts::LoadUnit;
use crate::report::folder::Evidence;
use crate::report::model::{DoubtCount, FailureCount, FailureSeen, Load, LoadStep, Second, StepSecond, WorstSecond};
use crate::report::number::{float, nine_decimals, ratio};
use crate::report::window::LoadSum;
use crate::unit::LoadId;

pub(super) fn loads(run: &Run<'_>, evidence: &Evidence) -> Vec<Load> {
    let summary = |(load, progress)| summarise(run, load, progress, evidence.loads.get(load));
    run.state.loads.iter().map(summary).collect()
}

fn summarise(run: &Run<'_>, load: &LoadId, progress: &LoadProgress, frames: Option<&Result<LoadSum, String>>) -> Load {
    let sum = frames.and_then(|frames| frames.as_ref().ok());
    let recorded: Vec<&LoadSecond> = run
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::LoadRecorded(second) if second.load == *load => Some(second),
            _ => None,
        })
        .collect();
    let unit = run.facts.load_units.get(load.as_str()).copied();
    let seconds: Vec<Second> = recorded.iter().map(|second| second_of(second)).collect();
    let request_count: u64 = seconds.iter().map(requests).fold(0, u64::saturating_add);
    let failed_count: u64 = seconds.iter().map(|second| second.failed_count).fold(0, u64::saturating_add);
    let asked: f64 = seconds.iter().map(|second| second.target).sum();
    let second_count = u64::try_from(seconds.len()).unwrap_or(u64::MAX);
    let not_sent_count: u64 = recorded.iter().map(|second| second.not_sent_count).fold(0, u64::saturating_add);
    Load {
        load: load.to_string(),
        target_unit: unit.map(|unit| unit.key().to_owned()),
        start_ms: progress.start_ms,
        end_ms: progress.end_ms,
        lost: progress.lost.clone(),
        request_count,
        failed_count,
        failed_ratio: ratio(failed_count, request_count),
        failures: failures(&recorded),
        failure_samples: sum.map(|sum| sum.samples.iter().map(seen).collect()).unwrap_or_default(),
        target_max: seconds.iter().map(|second| second.target).reduce(f64::max),
        achieved_mean_per_second: ratio(request_count, second_count),
        achieved_max_per_second: seconds.iter().map(requests).max().map(float),
        achieved_ratio: (unit == Some(LoadUnit::PerSecond) && asked > 0.0)
            .then(|| nine_decimals((1.0 - float(not_sent_count) / asked).max(0.0))),
        not_sent_count,
        doubtful_seconds: u64::try_from(recorded.iter().filter(|second| !second.doubts.is_empty()).count())
            .unwrap_or(u64::MAX),
        doubts: doubts(&recorded),
        p50_worst: worst(&seconds, |second| second.p50_ms),
        p99_worst: worst(&seconds, |second| second.p99_ms),
        failed_worst: worst(&seconds, |second| ratio(second.failed_count, requests(second))),
        missing_seconds: sum.and_then(LoadSum::missing_seconds).unwrap_or_else(|| {
            let ends = seconds.first().zip(seconds.last());
            ends.map_or(0, |(first, last)| {
                last.second.saturating_add(1).saturating_sub(first.second.saturating_add(second_count))
            })
        }),
        seconds,
        steps: steps(run, load, &recorded),
        windows: sum.map(window::windows).unwrap_or_default(),
        differences: baseline::differences(run, &recorded, unit),
        parts: sum.map(window::parts).unwrap_or_default(),
        frames_unread: frames.and_then(|frames| frames.as_ref().err().cloned()),
    }
}

fn steps(run: &Run<'_>, load: &LoadId, recorded: &[&LoadSecond]) -> Vec<LoadStep> {
    let wanted = run.facts.steps.get(load.as_str()).into_iter().flatten();
    wanted
        .map(|step| LoadStep {
            step: step.clone(),
            seconds: recorded
                .iter()
                .filter_map(|second| {
                    let of_step = second.steps.get(step)?;
                    Some(StepSecond {
                        second: second.second,
                        ok_count: of_step.ok_count,
                        failed_count: of_step.failed_count,
                        p99_ms: of_step.p99_ms,
                    })
                })
                .collect(),
        })
        .collect()
}

fn requests(second: &Second) -> u64 {
    second.ok_count.saturating_add(second.failed_count)
}

fn second_of(second: &LoadSecond) -> Second {
    Second {
        second: second.second,
        target: second.target,
        ok_count: second.ok_count,
        failed_count: second.failed_count,
        in_flight_count: second.in_flight_count,
        p50_ms: second.p50_ms,
        p99_ms: second.p99_ms,
    }
}

fn doubts(seconds: &[&LoadSecond]) -> Vec<DoubtCount> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for doubt in seconds.iter().flat_map(|second| &second.doubts) {
        *counts.entry(doubt).or_default() += 1;
    }
    counts.into_iter().map(|(doubt, seconds)| DoubtCount { doubt: doubt.to_owned(), seconds }).collect()
}

fn failures(seconds: &[&LoadSecond]) -> Vec<FailureCount> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for (kind, count) in seconds.iter().flat_map(|second| &second.failures) {
        *counts.entry(kind).or_default() += count;
    }
    let mut failures: Vec<FailureCount> =
        counts.into_iter().map(|(kind, count)| FailureCount { kind: kind.to_owned(), count }).collect();
    failures.sort_by_key(|failure| std::cmp::Reverse(failure.count));
    failures
}

fn seen(sample: &FailureSample) -> FailureSeen {
    let FailureSample { journey, step, kind, detail } = sample.clone();
    FailureSeen { journey, step, kind: kind.as_str().to_owned(), detail }
}

/// The first second with the largest value; a tie does not move it.
fn worst(seconds: &[Second], value: impl Fn(&Second) -> Option<f64>) -> Option<WorstSecond> {
    let mut worst: Option<WorstSecond> = None;
    for second in seconds {
        if let Some(value) = value(second)
            && worst.is_none_or(|worst| value > worst.value)
        {
            worst = Some(WorstSecond { second: second.second, value });
        }
    }
    worst
}
