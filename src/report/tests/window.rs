//! Windows of a load: which seconds are in them, and what is said where none is.

use std::time::Duration;

use crate::event::{EventKind, FaultEnd, PhaseEnd};
use crate::load::{ConnectionFrame, Doubt, FailureKind, FailureSample, Frame, StepFrame};
use crate::report::sample::{self, Script};
use crate::report::window::{Window, WindowKind, windows};
use crate::report::{Evidence, Facts, LoadSum, Report};
use crate::unit::Histogram;

/// A second with one request for each latency.
fn frame(second: u64, millis: &[u64]) -> Frame {
    let mut ok = Histogram::growing();
    millis.iter().for_each(|millis| ok.record(Duration::from_millis(*millis)));
    let count = u64::try_from(millis.len()).unwrap();
    Frame {
        load: "shoppers".parse().unwrap(),
        second,
        began_ms: 0,
        lasting_ms: 1_000,
        target: 3.0,
        users_active: 3,
        in_flight: 0,
        started: second,
        arrivals: None,
        steps: vec![StepFrame {
            journey: "buy".to_owned(),
            step: "browse".to_owned(),
            ok: Some(ok),
            failed: None,
            service: None,
            first_byte: None,
            failures: [].into(),
            statuses: [(200, count)].into(),
            classes: [].into(),
            bytes: 0,
            init: None,
            init_told: 0,
        }],
        connections: ConnectionFrame::default(),
        samples: Vec::new(),
        names_folded: false,
        latency_clipped: false,
        lag_ms: 0,
        worker_cpu_seconds: None,
        doubts: if second == 4 { vec![Doubt::Late] } else { Vec::new() },
    }
}

/// Two phases that change at 4.5 s; a fault that is asked for at 5.5 s, in at 6.2 s and over at 9.1 s.
fn script() -> Script {
    let mut script = Script::default();
    script.at(0, sample::started());
    for (phase, start_ms, end_ms) in [("calm", 1_000, 4_500), ("slow", 4_500, 12_000), ("after", 12_000, 12_900)] {
        script.at(start_ms, EventKind::PhaseStarted { phase: phase.parse().unwrap() });
        script.at(end_ms, EventKind::PhaseEnded { phase: phase.parse().unwrap(), why: PhaseEnd::TimeUp });
    }
    script.at(1_000, EventKind::LoadStarted { load: "shoppers".parse().unwrap(), pid: 1 });
    script.at(5_500, sample::intended("1", "lag", "proxy_latency", "shop", "late", "in time"));
    script.at(5_600, sample::armed("1", "lag"));
    let identity = sample::identity("1", "lag");
    script.at(6_200, EventKind::FaultApplied { identity: identity.clone() });
    script.at(8_900, EventKind::FaultReverting { identity: identity.clone() });
    script.at(9_100, EventKind::FaultRestored { identity, how: FaultEnd::Restored });
    script
}

fn sum_of(windows: &[Window], frames: impl IntoIterator<Item = Frame>) -> LoadSum {
    let mut sum = LoadSum::new(windows);
    frames.into_iter().for_each(|frame| sum.add(&frame));
    sum.finish()
}

#[test]
fn a_second_belongs_to_the_windows_in_which_it_lies_wholly() {
    let of_kind = |kind| windows(&script().events()).into_iter().filter(move |window| window.kind == kind);
    let seconds = |window: Window| {
        let sum = sum_of(&[window], (0..14).map(|second| frame(second, &[second + 1])));
        (sum.windows[0].seconds, sum.windows[0].totals.latency.min().map(|min| min.as_millis()))
    };
    let phases: Vec<_> = of_kind(WindowKind::Phase).map(seconds).collect();
    assert_eq!(phases, [(3, Some(2)), (7, Some(6)), (0, None)]);
    assert_eq!(of_kind(WindowKind::Fault).map(seconds).collect::<Vec<_>>(), [(1, Some(8))]);
    // Seconds 5 to 9 are touched.
    assert_eq!(of_kind(WindowKind::NoFault).map(seconds).collect::<Vec<_>>(), [(9, Some(1))]);
}

#[test]
fn percentiles_are_of_all_requests_and_what_is_missing_or_doubtful_is_told() {
    let events = script().events();
    // One quiet second of a hundred requests and one of a single slow one: a mean of percentiles would be far off.
    let frames = [frame(1, &[10; 99]), frame(2, &[1_000]), frame(4, &[10]), frame(6, &[10])];
    let evidence = Evidence {
        files: Vec::new(),
        loads: [("shoppers".parse().unwrap(), Ok(sum_of(&windows(&events), frames)))].into(),
        ..Evidence::default()
    };
    let report = Report::from_facts(&events, &sample::facts(), &evidence);
    let named =
        |name: &str| report.loads[0].windows.iter().find(|window| window.name.as_deref() == Some(name)).unwrap();
    let calm = named("calm");
    assert_eq!((calm.seconds, calm.missing_seconds, calm.note.as_deref()), (2, 1, Some("1 s missing")));
    assert_eq!((calm.numbers.count, calm.numbers.per_second, calm.asked), (Some(100), Some(50.0), Some(3.0)));
    let [p50, p99, p99_9] =
        [calm.numbers.p50_ms, calm.numbers.p99_ms, calm.numbers.p99_9_ms].map(|ms| ms.unwrap().round());
    assert_eq!((p50, p99, p99_9), (10.0, 10.0, 1_000.0));
    let slow = named("slow");
    assert_eq!((slow.seconds, slow.missing_seconds, slow.doubtful_seconds), (1, 1, 0));
    assert_eq!(report.loads[0].windows[0].note.as_deref(), Some("1 s doubtful, 2 s missing"));
    let lag = named("lag");
    assert_eq!((lag.seconds, lag.numbers.count, lag.numbers.p99_ms), (0, None, None));
    assert_eq!(lag.note.as_deref(), Some("no whole second of the load was recorded in it"));
}

#[test]
fn a_fault_that_is_not_undone_leaves_no_time_without_it() {
    let mut script = Script::default();
    script.at(0, sample::started());
    script.at(2_000, sample::intended("1", "lag", "proxy_latency", "shop", "late", "in time"));
    script.at(2_100, sample::armed("1", "lag"));
    script.at(2_200, EventKind::FaultApplied { identity: sample::identity("1", "lag") });
    let kinds: Vec<_> = sum_of(&windows(&script.events()), (0..9).map(|second| frame(second, &[1])))
        .windows
        .iter()
        .map(|sum| (sum.window.kind, sum.seconds))
        .collect();
    assert_eq!(kinds, [(WindowKind::Load, 9), (WindowKind::Fault, 6), (WindowKind::NoFault, 2)]);
}

#[test]
fn frames_that_cannot_be_read_are_told() {
    let facts: Facts = sample::facts();
    let loads = [("shoppers".parse().unwrap(), Err("line 1 of `x` is no frame".to_owned()))].into();
    let report = Report::from_facts(&script().events(), &facts, &Evidence { loads, ..Evidence::default() });
    let page = crate::report::html(&report, None).unwrap();
    assert!(page.contains("By window nothing is known: line 1 of `x` is no frame."), "{page}");
    assert!(crate::report::markdown(&report, None).unwrap().contains("by window, is unknown"));
}

#[test]
fn what_lies_between_two_runs_of_a_load_is_not_missing() {
    let again = |second: u64| Frame { started: second - 9, ..frame(second, &[10]) };
    let frames = [frame(1, &[10]), frame(2, &[10]), frame(4, &[10]), again(10), again(11), again(13)];
    let sum = sum_of(&windows(&script().events()), frames);
    assert_eq!(sum.missing_seconds(), Some(2), "seconds 3 and 12");
}

#[test]
fn failures_are_shown_as_they_were_seen_and_each_once() {
    let sample = |detail: usize| FailureSample {
        journey: "buy".to_owned(),
        step: "browse".to_owned(),
        kind: FailureKind::Status,
        detail: format!("status {detail}"),
    };
    let frames = [500, 500, 501, 502, 503].map(|status| Frame { samples: vec![sample(status)], ..frame(1, &[10]) });
    assert_eq!(sum_of(&[], frames).samples, [500, 501, 502].map(sample));
}
