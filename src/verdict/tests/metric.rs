//! Metrics of CloudWatch: whole periods count, late data are waited for, and what is missing is never a pass.

use super::*;

const ERRORS: &str = "errors_10: {cloudwatch: {lambda: pay, metric: Errors, stat: Sum, period: 10s}}
slow: {cloudwatch: {lambda: pay, metric: Duration, stat: p99, period: 10s}}
rate_10: {metric_math: {expression: a, metrics: {a: {lambda: pay, metric: Errors, stat: Sum}}, period: 10s, unit: ratio}}";

/// Periods of 10 s that begin 4 s after each full ten of the run, in a run whose phase `calm` lasts from 10 s to 60 s.
fn told(signal: &str, points: &[(u64, f64)]) -> Story {
    let mut story = story().phase("calm", 10, 60);
    story.signals.extend(serde_yaml::from_str::<BTreeMap<SignalId, SignalSpec>>(ERRORS).unwrap());
    let points = points.iter().map(|(second, value)| (second * 1_000, *value)).collect();
    story.event(61_000, EventKind::MetricRead { signal: signal.parse().unwrap(), points })
}

fn all() -> [(u64, f64); 6] {
    [(4, 9.0), (14, 0.0), (24, 1.0), (34, 2.0), (44, 0.0), (54, 7.0)]
}

#[test]
fn the_periods_that_lie_in_a_window_count_and_no_others() {
    let story = told("errors_10", &all());
    let result = story.finally(70, "sum(errors_10) <= 3 during calm");
    assert_eq!((result.held, result.observed.as_deref(), result.sample_count), (Some(true), Some("3"), 4));
    assert_eq!(story.verdict(70, "max(errors_10) < 2 during calm"), Verdict::Refuted);
}

#[test]
fn a_period_without_a_data_point_is_missing_and_no_zero() {
    let story = told("errors_10", &[(14, 0.0), (24, 0.0), (44, 0.0)]);
    let result = story.finally(70, "sum(errors_10) <= 3 during calm");
    assert_eq!((result.held, result.missing.as_deref()), (None, Some("1 of 4 data points of 10s are missing")));
    let none = story.finally(70, "max(slow) <= 3s during calm");
    assert_eq!(none.missing.as_deref(), Some("CloudWatch has no data point of `slow`"));
    let short = told("errors_10", &all()).phase("short", 60, 66);
    let result = short.finally(70, "sum(errors_10) <= 3 during short");
    assert_eq!(result.missing.as_deref(), Some("no whole period of 10s of `errors_10` lies in the window"));
}

#[test]
fn a_point_that_is_corrected_counts_as_it_was_told_last() {
    let story = told("errors_10", &all());
    let signal = "errors_10".parse().unwrap();
    let story = story.event(70_000, EventKind::MetricRead { signal, points: vec![(34_000, 9.0)] });
    assert_eq!(story.finally(70, "sum(errors_10) <= 3 during calm").observed.as_deref(), Some("10"));
}

#[test]
fn times_of_lambda_are_milliseconds_and_math_has_the_unit_that_it_says() {
    let slow = told("slow", &[(14, 800.0), (24, 900.0), (34, 1_200.0), (44, 900.0)]);
    let result = slow.finally(70, "max(slow) <= 1s during calm");
    assert_eq!((result.held, result.observed.as_deref()), (Some(false), Some("1200 ms")));
    let rate = told("rate_10", &[(14, 0.01), (24, 0.02), (34, 0.03), (44, 0.02)]);
    let result = rate.finally(70, "mean(rate_10) <= 5% during calm");
    assert_eq!((result.held, result.observed.as_deref()), (Some(true), Some("2 %")));
}

#[test]
fn what_is_not_all_known_is_not_judged() {
    let unread =
        |known_ms| told("errors_10", &all()).event(62_000, EventKind::MetricsUnread { known_ms, why: "w".to_owned() });
    let judged = |story: &Story| story.finally(70, "sum(errors_10) <= 3 during calm").held;
    assert_eq!((judged(&unread(59_000)), judged(&unread(60_000))), (None, Some(true)));
    assert_eq!(judged(&unread(59_000).event(63_000, EventKind::MetricsReread)), Some(true));
}

#[test]
fn who_looks_now_sees_the_newest_data_point_until_it_is_too_old() {
    let story = told("errors_10", &all());
    let now = |now: u64, text: &str| story.judge(now).holds_now(&expect(text)).0;
    // Its last period, without `for`; and the last two.
    assert_eq!((now(66, "sum(errors_10) > 6"), now(100, "sum(errors_10) > 6")), (Some(true), Some(true)));
    assert_eq!(now(66, "sum(errors_10) > 6 for 20s"), Some(true));
    assert_eq!(now(66, "min(errors_10) > 6 for 20s"), Some(false));
    assert_eq!(now(300, "sum(errors_10) > 6"), None);
    assert!(!story.judge(190).should_have_data(&expect("sum(errors_10) > 6").terms[0]));
    assert!(story.judge(211).should_have_data(&expect("sum(errors_10) > 6").terms[0]));
}

#[test]
fn a_metric_is_well_again_when_a_whole_period_after_the_phase_is() {
    let story = told("errors_10", &[(54, 7.0), (64, 3.0), (74, 0.0), (84, 0.0)]);
    let result = story.finally(100, "sum(errors_10) == 0 within 30s after calm");
    assert_eq!((result.held, result.held_ms), (Some(true), Some(84_000)));
    assert_eq!(story.finally(100, "sum(errors_10) == 0 within 20s after calm").held, Some(false));
}
