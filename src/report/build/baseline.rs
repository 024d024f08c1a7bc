//! What a load did under each phase and fault beside what it did in the baseline phase.

use super::Run;
use crate::event::LoadSecond;
use crate::report::bootstrap::{Share, difference};
use crate::report::facts::LoadUnit;
use crate::report::model::LoadDifference;
use crate::report::number::{float, nine_decimals};
use crate::report::window::{Window, WindowKind, windows_of};

/// What is compared: its key, and what a second gives to it.
type Figure = (&'static str, fn(&LoadSecond) -> Share);

const RATE: &str = "per_second";

const FIGURES: [Figure; 4] = [
    ("failed_ratio", |second| (float(second.failed_count), float(requests(second)))),
    (RATE, |second| (float(requests(second)), 1.0)),
    ("p50_ms", |second| of_time(second.p50_ms)),
    ("p99_ms", |second| of_time(second.p99_ms)),
];

fn requests(second: &LoadSecond) -> u64 {
    second.ok_count.saturating_add(second.failed_count)
}

fn of_time(millis: Option<f64>) -> Share {
    millis.map_or((0.0, 0.0), |millis| (millis, 1.0))
}

/// Each window of a phase or a fault beside the baseline phase; nothing where no phase is one. Seconds that may tell of the load worker
/// are left out, and so is the rate of an open model: it is what was asked for.
pub(super) fn differences(run: &Run<'_>, recorded: &[&LoadSecond], unit: Option<LoadUnit>) -> Vec<LoadDifference> {
    let Some(baseline) = &run.facts.baseline else { return Vec::new() };
    let windows = windows_of(&run.state);
    let is_baseline = |window: &&Window| window.kind == WindowKind::Phase && window.name.as_ref() == Some(baseline);
    let Some(before) = windows.iter().find(is_baseline) else { return Vec::new() };
    let wanted = FIGURES.into_iter().filter(|(key, _)| *key != RATE || unit == Some(LoadUnit::Users));
    let wanted: Vec<Figure> = wanted.collect();
    let others = windows.iter().filter(|window| matches!(window.kind, WindowKind::Phase | WindowKind::Fault));
    let others = others.filter(|window| !is_baseline(window));
    let of = |window: &Window, share: fn(&LoadSecond) -> Share| -> Vec<Share> {
        let seconds = recorded.iter().filter(|second| second.doubts.is_empty() && window.has(second.second));
        // A second in which nothing was measured tells nothing, and is no second of the figure.
        seconds.map(|second| share(second)).filter(|(_, whole)| *whole > 0.0).collect()
    };
    let row = |window: &Window, (key, share): Figure| {
        let (baseline, here) = (of(before, share), of(window, share));
        let found = difference(&baseline, &here)?;
        // What was never seen in either is no difference.
        (found.before > 0.0 || found.after > 0.0).then(|| LoadDifference {
            kind: window.kind.key().to_owned(),
            name: window.name.clone(),
            figure: key.to_owned(),
            baseline: nine_decimals(found.before),
            value: nine_decimals(found.after),
            low: nine_decimals(found.low),
            high: nine_decimals(found.high),
            baseline_seconds: baseline.len(),
            seconds: here.len(),
            is_clear: found.low > 0.0 || found.high < 0.0,
        })
    };
    others.flat_map(|window| wanted.iter().filter_map(move |figure| row(window, *figure))).collect()
}
