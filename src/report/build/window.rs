//! The numbers of a load by window and by part, from the sums over its frames.

use std::time::Duration;

use crate::load::{StatusClass, StepSum};
use crate::report::model::{LoadPart, LoadWindow, Numbers, Quantile};
use crate::report::number::{count, float, nine_decimals, ratio};
use crate::report::window::{LoadSum, WindowSum};
use crate::unit::Histogram;

/// The shares at which a distribution is told.
const SHARES: [f64; 12] = [0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.998, 0.999, 0.9999];

pub(super) fn windows(sum: &LoadSum) -> Vec<LoadWindow> {
    sum.windows.iter().map(window).collect()
}

fn window(sum: &WindowSum) -> LoadWindow {
    let (start_ms, end_ms) = sum.window.span.map_or((None, None), |(start, end)| (Some(start), end));
    let arrivals = sum.arrivals.filter(|(planned, _)| *planned > 0);
    let mean = (sum.lasting_ms > 0).then(|| nine_decimals(sum.target / float(sum.lasting_ms)));
    LoadWindow {
        kind: sum.window.kind.key().to_owned(),
        name: sum.window.name.clone(),
        start_ms,
        end_ms,
        seconds: sum.seconds,
        missing_seconds: sum.missing_seconds,
        doubtful_seconds: sum.doubtful_seconds,
        note: note(sum),
        asked: arrivals.map_or(mean, |(planned, _)| a_second(planned, sum.lasting_ms)),
        begun_per_second: arrivals.and_then(|(_, begun)| a_second(begun, sum.lasting_ms)),
        numbers: match sum.seconds {
            0 => Numbers::default(),
            _ => Numbers {
                per_second: a_second(sum.totals.count(), sum.lasting_ms),
                ..failing(sum.totals.failed, &sum.totals.latency)
            },
        },
        quantiles: quantiles(&sum.totals.latency),
    }
}

/// The distribution of times, at shares that tell only what so many times can tell: a thousand say nothing of one in ten thousand.
fn quantiles(times: &Histogram) -> Vec<Quantile> {
    let can_tell = |share: f64| share < 1.0 && float(times.count()) * (1.0 - share) >= 1.0;
    let shares = SHARES.into_iter().filter(|share| can_tell(*share));
    let point = |share: f64| times.quantile(share).map(|time| Quantile { share, ms: millis(time) });
    shares.filter_map(point).collect()
}

fn note(sum: &WindowSum) -> Option<String> {
    if sum.seconds == 0 {
        return Some("no whole second of the load was recorded in it".to_owned());
    }
    let counts = [(sum.doubtful_seconds, "doubtful"), (sum.missing_seconds, "missing")];
    let told = counts.into_iter().filter(|(seconds, _)| *seconds > 0);
    let texts: Vec<String> = told.map(|(seconds, what)| format!("{} s {what}", count(seconds))).collect();
    (!texts.is_empty()).then(|| texts.join(", "))
}

pub(super) fn parts(sum: &LoadSum) -> Vec<LoadPart> {
    let part = |kind: &str, name: String, numbers| LoadPart { kind: kind.to_owned(), name, told_count: None, numbers };
    let of = |step: &StepSum| Numbers {
        per_second: a_second(step.count(), sum.all.lasting_ms),
        ..failing(step.failed_count, &step.response())
    };
    let all = sum.all.all();
    let class = |(class, (count, response)): (StatusClass, (u64, Option<&Histogram>))| {
        let numbers = response.map_or_else(Numbers::default, numbers);
        let per_second = a_second(count, sum.all.lasting_ms);
        part("status", class.as_str().to_owned(), Numbers { count: Some(count), per_second, ..numbers })
    };
    let journeys = sum.all.journeys().into_iter().map(|(journey, sum)| part("journey", journey.to_owned(), of(&sum)));
    let steps = sum.all.steps.iter().map(|((journey, step), sum)| part("step", format!("{journey} / {step}"), of(sum)));
    let stages = [
        ("connect", &sum.all.connect),
        ("tls", &sum.all.tls),
        ("first_byte", &all.first_byte),
        ("service", &all.service),
    ];
    let stages = stages.into_iter().filter(|(_, times)| times.count() > 0);
    let cold_starts = (all.init_told > 0).then(|| {
        let per_second = a_second(all.init.count(), sum.all.lasting_ms);
        let cold_starts = part("stage", "cold_start".to_owned(), Numbers { per_second, ..numbers(&all.init) });
        LoadPart { told_count: Some(all.init_told), ..cold_starts }
    });
    journeys
        .chain(steps)
        .chain(all.classes().into_iter().map(class))
        .chain(stages.map(|(name, times)| part("stage", name.to_owned(), numbers(times))))
        .chain(cold_starts)
        .collect()
}

fn failing(failed_count: u64, response: &Histogram) -> Numbers {
    let failed_ratio = ratio(failed_count, response.count());
    Numbers { failed_count: Some(failed_count), failed_ratio, ..numbers(response) }
}

fn numbers(times: &Histogram) -> Numbers {
    let quantile = |quantile| times.quantile(quantile).map(millis);
    Numbers {
        count: Some(times.count()),
        p50_ms: quantile(0.5),
        p95_ms: quantile(0.95),
        p99_ms: quantile(0.99),
        p99_9_ms: quantile(0.999),
        p99_99_ms: quantile(0.9999),
        max_ms: times.max().map(millis),
        ..Numbers::default()
    }
}

/// To the microsecond, as times are kept.
fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

fn a_second(count: u64, lasting_ms: u64) -> Option<f64> {
    (lasting_ms > 0).then(|| nine_decimals(float(count) * 1_000.0 / float(lasting_ms)))
}
