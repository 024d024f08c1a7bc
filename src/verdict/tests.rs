//! The rules of expectations, each with numbers that can be checked by hand.

mod alarm;
mod doubt;
mod metric;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::event::{Event, EventKind, FaultIdentity, HypothesisResult, PhaseEnd, StepAsks, StepOutcome, Verdict};
use crate::observe::SignalSpec;
use crate::scenario::expect::{Expectation, parse};
use crate::unit::{FaultId, Histogram, PhaseId, SignalId};

/// A recording in the making. Times are in seconds since the run's start.
struct Story {
    recording: Recording,
    signals: BTreeMap<SignalId, SignalSpec>,
    baseline: PhaseId,
}

fn story() -> Story {
    let signals = "
ok: {load: {of: users, stat: success_ratio}}
errors: {load: {of: users, stat: error_ratio}}
latency: {load: {of: users, stat: latency}}
checkout: {load: {of: users, step: checkout, stat: latency}}
rate: {load: {of: users, stat: rate}}
open: {load: {of: users, stat: in_flight}}
health: {http: {get: 'http://a', every: 1s}}
ping: {http: {get: 'http://a', every: 500ms, stat: latency}}
";
    Story {
        recording: Recording::default(),
        signals: serde_yaml::from_str(signals).unwrap(),
        baseline: "baseline".parse().unwrap(),
    }
}

fn expect(text: &str) -> Expectation {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).expectation
}

fn identity(fault: &str) -> FaultIdentity {
    FaultIdentity { step: format!("001-{fault}"), fault: fault.parse().unwrap() }
}

fn sparse(latencies_ms: &[u64]) -> crate::unit::SparseHistogram {
    let mut histogram = Histogram::default();
    latencies_ms.iter().for_each(|millis| histogram.record(Duration::from_millis(*millis)));
    histogram.to_sparse()
}

impl Story {
    fn event(mut self, at_ms: u64, kind: EventKind) -> Self {
        self.recording.apply(&Event { seq: 0, at: DateTime::UNIX_EPOCH, elapsed_ms: at_ms, kind });
        self
    }

    fn phase(self, name: &str, start: u64, end: u64) -> Self {
        self.phase_ended(name, start, end, PhaseEnd::TimeUp)
    }

    fn phase_ended(self, name: &str, start: u64, end: u64, why: PhaseEnd) -> Self {
        let phase: PhaseId = name.parse().unwrap();
        let story = self.event(start * 1_000, EventKind::PhaseStarted { phase: phase.clone() });
        story.event(end * 1_000, EventKind::PhaseEnded { phase, why })
    }

    fn load(self, start: u64) -> Self {
        self.event(start * 1_000, EventKind::LoadStarted { load: "users".parse().unwrap(), pid: 1 })
    }

    /// A second of one step: the latencies of its good and of its bad answers, in milliseconds.
    fn second_of(mut self, second: u64, step: &str, ok: &[u64], failed: &[u64]) -> Self {
        let step_record = StepRecord { ok: sparse(ok), failed: sparse(failed) };
        let steps = vec![(step.into(), step_record)];
        self.recording.record_second(
            &"users".parse().unwrap(),
            second,
            SecondRecord { steps, in_flight_count: second, ..SecondRecord::default() },
        );
        self
    }

    fn second(self, second: u64, ok: &[u64], failed: &[u64]) -> Self {
        self.second_of(second, "home", ok, failed)
    }

    /// Seconds that are all the same.
    fn seconds(self, range: std::ops::Range<u64>, ok: &[u64], failed: &[u64]) -> Self {
        range.fold(self, |story, second| story.second(second, ok, failed))
    }

    fn probe(self, signal: &str, at_ms: u64, value: Option<f64>) -> Self {
        self.event(at_ms, EventKind::SignalSampled { signal: signal.parse().unwrap(), value })
    }

    fn fault(self, name: &str, applied: u64, effective: Option<u64>) -> Self {
        let identity = identity(name);
        let story = self
            .event(
                applied * 1_000,
                EventKind::FaultIntended {
                    identity: identity.clone(),
                    fault_kind: "lambda_timeout".to_owned(),
                    target: "shop".parse().unwrap(),
                    change: "x".to_owned(),
                    undo: "y".to_owned(),
                },
            )
            .event(applied * 1_000, EventKind::FaultApplied { identity: identity.clone() });
        match effective {
            None => story,
            Some(at) => story
                .event(at * 1_000, EventKind::FaultEffective { identity, evidence: "z".to_owned(), first_ms: None }),
        }
    }

    fn lost(self, name: &str, at: u64) -> Self {
        self.event(at * 1_000, EventKind::FaultLost { identity: identity(name), why: "w".to_owned() })
    }

    fn mark(self, at: u64, name: &str) -> Self {
        self.event(
            at * 1_000,
            EventKind::Marked { name: name.to_owned(), fault: None, by: None, component: None, text: None },
        )
    }

    fn ack(self, at: u64) -> Self {
        self.event(at * 1_000, EventKind::Acknowledged { by: None })
    }

    fn step(self, step: &str, must: bool, overdue: bool, outcome: StepOutcome) -> Self {
        let playbook = Some("pb".parse().unwrap());
        let text = String::new();
        let step = || step.parse().unwrap();
        let story = self.event(
            1,
            EventKind::StepOpened {
                step: step(),
                text,
                owner: None,
                due_ms: None,
                must,
                playbook,
                asks: StepAsks::default(),
            },
        );
        let story = if overdue { story.event(2, EventKind::StepOverdue { step: step() }) } else { story };
        story.event(3, EventKind::StepClosed { step: step(), outcome, by: None, evidence: None })
    }

    fn judge(&self, now: u64) -> Judge<'_> {
        let baseline = Some(&self.baseline);
        Judge { recording: &self.recording, signals: &self.signals, baseline, now_ms: now * 1_000 }
    }

    /// One term, judged at the end of the run.
    fn finally(&self, now: u64, text: &str) -> TermResult {
        self.judge(now).finally(&expect(text).terms[0])
    }

    fn verdict(&self, now: u64, text: &str) -> Verdict {
        self.hypothesis(now, text, false, &[]).verdict
    }

    fn hypothesis(&self, now: u64, text: &str, has_known_gap: bool, faults: &[(&str, bool)]) -> HypothesisResult {
        let facts = |(fault, provable): &(&str, bool)| {
            let fault: FaultId = fault.parse().unwrap();
            FaultFacts { fault, provable: *provable }
        };
        let faults: Vec<FaultFacts> = faults.iter().map(facts).collect();
        judge_hypothesis(&self.judge(now), &"H1".parse().unwrap(), &expect(text), has_known_gap, &faults)
    }
}

/// Ten seconds in a phase: nine with one good answer, one with 1 good and 9 bad.
fn uneven() -> Story {
    let story = story().load(0).phase("calm", 0, 10).seconds(0..9, &[100], &[]);
    story.second(9, &[100], &[200; 9])
}

fn observed(result: &TermResult) -> &str {
    result.observed.as_deref().unwrap_or("nothing")
}

#[test]
fn each_aggregate_says_what_its_name_says() {
    for (text, seen) in [
        ("mean(ok) >= 50% during calm", "52.63 %"),
        ("min(ok) >= 50% during calm", "10 %"),
        ("max(ok) >= 50% during calm", "100 %"),
        ("last(ok) >= 50% during calm", "10 %"),
        ("p50(ok) >= 50% during calm", "100 %"),
        ("count(ok) >= 10 during calm", "10"),
        ("mean(errors) <= 50% during calm", "47.37 %"),
        ("min(latency) <= 1s during calm", "100 ms"),
        ("max(latency) <= 1s during calm", "200 ms"),
        ("mean(latency) <= 1s during calm", "147 ms"),
        ("p50(latency) <= 1s during calm", "100 ms"),
        ("p90(latency) <= 1s during calm", "200 ms"),
        ("count(latency) >= 19 during calm", "19"),
        ("sum(rate) >= 1 during calm", "19"),
        ("mean(rate) >= 1/s during calm", "1.9/s"),
        ("max(rate) >= 1/s during calm", "10/s"),
        ("last(open) >= 1 during calm", "9"),
        ("sum(open) >= 1 during calm", "45"),
    ] {
        assert_eq!(observed(&uneven().finally(10, text)), seen, "{text}");
    }
}

#[test]
fn a_load_signal_of_a_step_sees_that_step_alone() {
    let story = (0..10).fold(story().load(0).phase("calm", 0, 10), |story, second| {
        let step = if second % 2 == 0 { "checkout" } else { "browse" };
        story.second_of(second, step, &[if second % 2 == 0 { 300 } else { 10 }; 4], &[])
    });
    assert_eq!(observed(&story.finally(10, "max(latency) < 1s during calm")), "300 ms");
    assert_eq!(observed(&story.finally(10, "min(checkout) < 1s during calm")), "300 ms");
    assert_eq!(observed(&story.finally(10, "count(checkout) < 100 during calm")), "20");
}

proptest! {
    #[test]
    fn a_percentile_over_a_window_is_that_of_all_its_requests_together(
        seconds in prop::collection::vec(prop::collection::vec(1_u64..5_000, 1..12), 1..12),
    ) {
        let mut story = story().load(0).phase("calm", 0, seconds.len() as u64);
        let mut whole = Histogram::default();
        for (second, latencies) in seconds.iter().enumerate() {
            story = story.second(second as u64, latencies, &[]);
            latencies.iter().for_each(|millis| whole.record(Duration::from_millis(*millis)));
        }
        let p95 = whole.quantile(0.95).unwrap();
        let result = story.finally(seconds.len() as u64, "p95(latency) <= 5s during calm");
        prop_assert_eq!(result.observed, Some(format!("{:.0} ms", p95.as_secs_f64() * 1_000.0)));
        prop_assert_eq!(result.sample_count, seconds.iter().map(|latencies| latencies.len() as u64).sum::<u64>());
    }
}

#[test]
fn without_a_fault_all_seconds_of_the_load_count() {
    let story = story().load(0).phase("calm", 0, 3).seconds(0..3, &[100; 10], &[]).second(3, &[100], &[]);
    assert_eq!(observed(&story.finally(3, "count(latency) >= 1")), "30");
    let mut judge = story.judge(3);
    judge.now_ms = 3_400;
    assert_eq!(judge.finally(&expect("count(latency) >= 1").terms[0]).observed.as_deref(), Some("31"));
}

#[test]
fn a_share_of_the_baseline_compares_values_and_sums_as_rates() {
    let story = story()
        .load(0)
        .phase("baseline", 0, 20)
        .seconds(0..20, &[100; 10], &[])
        .phase("faulty", 20, 30)
        .seconds(20..30, &[150; 8], &[])
        .fault("lag", 20, None);
    let result = |text: &str| story.finally(30, text);
    // 8 a second are 80 % of 10 a second, although 80 requests are but 40 % of 200.
    assert_eq!(result("sum(rate) >= 75% of baseline during faulty").held, Some(true));
    assert_eq!(result("sum(rate) >= 85% of baseline during faulty").held, Some(false));
    assert_eq!(observed(&result("sum(rate) >= 75% of baseline during faulty")), "8/s");
    assert_eq!(result("count(latency) >= 75% of baseline during faulty").held, Some(true));
    assert_eq!(result("mean(latency) <= 155% of baseline during faulty").held, Some(true));
    assert_eq!(result("mean(latency) <= 145% of baseline during faulty").held, Some(false));
}

#[test]
fn without_a_whole_baseline_nothing_can_be_compared_with_it() {
    let story = story().load(0).phase("faulty", 20, 30).seconds(20..30, &[100], &[]);
    let text = "sum(rate) >= 10% of baseline during faulty";
    let result = story.finally(30, text);
    assert_eq!((result.held, result.missing.as_deref()), (None, Some("`rate` has no baseline")));
    let story = story.phase("baseline", 0, 20).seconds(0..10, &[100], &[]);
    assert_eq!(story.finally(30, text).held, None, "half of the baseline is missing");
}

#[test]
fn a_for_must_be_full_before_it_can_be_true() {
    let story = story().load(0).seconds(0..30, &[100], &[]).phase("calm", 0, 12);
    let term = expect("p99(latency) <= 200ms for 10s");
    let live = |now| story.judge(now).holds_now(&term).0;
    assert_eq!((live(9), live(10), live(25)), (None, Some(true), Some(true)));
    // At the end of a phase it is the end of the phase that is looked at.
    assert_eq!(story.finally(30, "p99(latency) <= 200ms during calm for 10s").window_ms, Some((2_000, 12_000)));
    assert_eq!(story.finally(30, "p99(latency) <= 200ms during calm for 13s").held, None);
}

#[test]
fn a_within_is_decided_by_the_first_time_it_holds() {
    let story = story().load(0).phase("faulty", 0, 10).fault("lag", 0, None).seconds(0..17, &[900], &[]).seconds(
        17..60,
        &[100],
        &[],
    );
    let text = |limit: u64| format!("p99(latency) <= 200ms for 3s within {limit}s after faulty");
    let result = story.finally(60, &text(20));
    assert_eq!((result.held, result.held_ms, result.window_ms), (Some(true), Some(20_000), Some((17_000, 20_000))));
    assert_eq!(story.finally(60, &text(9)).held, Some(false));
    assert_eq!(story.finally(60, &text(10)).held, Some(true), "the last moment counts");
    let cut = story.finally(15, &text(20));
    assert_eq!((cut.held, cut.missing.as_deref()), (None, Some("the run ended before the time was up")));
    // Without `for` it looks back over five seconds.
    assert_eq!(story.finally(60, "p99(latency) <= 200ms within 20s after faulty").held_ms, Some(22_000));
    assert_eq!(story.judge(5).open_until_ms(&expect(&text(20)).terms[0]), Some(30_000));
}

#[test]
fn a_mark_within_a_time_counts_from_its_own_moment() {
    let story = story().phase("faulty", 0, 10).mark(11, "detected").phase("after", 10, 60);
    let result = story.finally(60, "mark(detected) within 20s after faulty");
    assert_eq!((result.held, result.held_ms), (Some(true), Some(11_000)));
    assert_eq!(story.finally(60, "mark(recovered) within 20s after faulty").held, Some(false));
    assert_eq!(story.finally(60, "mark(detected) during faulty").held, Some(false));
    assert_eq!(story.finally(60, "mark(detected) during after").held, Some(true));
}

#[test]
fn missing_data_is_never_a_pass() {
    let quiet = story().phase("calm", 0, 20);
    let result = quiet.finally(20, "mean(errors) <= 1% during calm");
    assert_eq!((result.held, result.missing.as_deref()), (None, Some("load `users` was not running")));
    let idle = story().load(0).phase("calm", 0, 20).seconds(0..20, &[], &[]);
    assert_eq!(idle.finally(20, "max(latency) <= 1s during calm").held, None, "no request ended");
    assert_eq!(idle.finally(20, "max(rate) <= 1/s during calm").held, Some(true), "that nothing ended is known");
    let gaps = |seen: u64| story().load(0).phase("calm", 0, 40).seconds(0..seen, &[100], &[]);
    assert_eq!(gaps(36).finally(40, "mean(ok) >= 99% during calm").held, Some(true));
    let result = gaps(35).finally(40, "mean(ok) >= 99% during calm");
    assert_eq!((result.held, result.missing.as_deref()), (None, Some("5 of 40 seconds of load are missing")));
    assert_eq!(observed(&result), "100 %", "what was seen is told all the same");
    assert_eq!(gaps(35).finally(40, "mean(ok) < 99% during calm").held, None, "nor does it refute");
    assert_eq!(story().finally(40, "mean(nothing) < 1 during calm").held, None);
}

#[test]
fn a_probe_that_fails_is_seen_and_one_that_is_silent_is_missing() {
    let probed = (0..20).fold(story().phase("calm", 0, 20), |story, second| {
        story.probe("health", second * 1_000, Some(if second < 5 { 0.0 } else { 1.0 }))
    });
    assert_eq!(observed(&probed.finally(20, "mean(health) >= 70% during calm")), "75 %");
    assert_eq!(probed.finally(20, "min(health) >= 70% during calm").held, Some(false));
    let failing = (0..40).fold(story().phase("calm", 0, 20), |story, half| {
        story.probe("ping", half * 500, (half % 4 != 0).then_some(0.02))
    });
    let result = failing.finally(20, "max(ping) <= 1s during calm");
    assert_eq!((result.held, result.missing.as_deref()), (None, Some("10 of 40 probes are missing")));
    let result = story().phase("calm", 0, 20).finally(20, "mean(health) >= 0% during calm");
    assert_eq!((result.held, result.missing.as_deref()), (None, Some("probe `health` reported nothing")));
}

#[test]
fn a_term_without_a_window_speaks_of_the_time_from_the_first_injection_on() {
    let story = story().load(0).phase("calm", 0, 10).seconds(0..10, &[], &[1]).seconds(10..20, &[1], &[]);
    let during_faults = story.fault("lag", 10, None);
    assert_eq!(during_faults.finally(20, "mean(ok) == 100%").window_ms, Some((10_000, 20_000)));
    assert_eq!(during_faults.finally(20, "mean(ok) == 100%").held, Some(true));
    let load_alone = super::tests::story().load(0).phase("calm", 2, 10).seconds(0..20, &[1], &[]);
    assert_eq!(load_alone.finally(20, "mean(ok) == 100%").window_ms, Some((2_000, 20_000)));
    let route = super::tests::story().phase("calm", 2, 10).fault("route-provider", 1, None);
    assert_eq!(route.finally(20, "mean(ok) == 100%").window_ms, Some((2_000, 20_000)), "a route disturbs nobody");
}

#[test]
fn a_fault_whose_name_only_holds_the_word_route_is_a_fault() {
    let story = story().phase("calm", 0, 30).fault("bad-route-table", 10, None);
    assert_eq!(story.recording.first_injection_ms(), Some(10_000));
}

#[test]
fn part_of_a_phase_can_refute_and_cannot_uphold() {
    let story = |failed: &[u64]| {
        let cut = super::tests::story().load(0).phase_ended("faulty", 0, 10, PhaseEnd::Aborted).fault("lag", 0, None);
        cut.seconds(0..10, &[100; 8], failed)
    };
    assert_eq!(story(&[100; 2]).verdict(10, "mean(ok) >= 99% during faulty"), Verdict::Refuted);
    let why = Verdict::Inconclusive("phase `faulty` was cut short".to_owned());
    assert_eq!(story(&[]).verdict(10, "mean(ok) >= 99% during faulty"), why);
}

#[test]
fn all_terms_must_hold_and_one_that_fails_decides() {
    let story = uneven().fault("lag", 0, None);
    let verdict = |text: &str| story.verdict(10, text);
    assert_eq!(verdict("max(ok) >= 99% during calm and p50(latency) <= 1s during calm"), Verdict::Upheld);
    assert_eq!(verdict("mean(health) >= 1% during calm and mean(ok) >= 99% during calm"), Verdict::Refuted);
    let unknown = verdict("max(ok) >= 99% during calm and mean(health) >= 1% during calm");
    assert_eq!(unknown, Verdict::Inconclusive("probe `health` reported nothing".to_owned()));
}

#[test]
fn what_did_not_happen_was_not_tested() {
    let not_tested = |why: &str| Verdict::NotTested(why.to_owned());
    let text = "mean(ok) >= 10% during calm";
    let result = |story: Story, text: &str, faults: &[(&str, bool)]| story.hypothesis(10, text, false, faults).verdict;
    let never = result(uneven(), "mean(ok) >= 10% during storm", &[]);
    assert_eq!(never, not_tested("phase `storm` did not begin"));
    let not_injected = result(uneven(), text, &[("lag", true)]);
    assert_eq!(not_injected, not_tested("fault `lag` was not injected"));
    let unproven = result(uneven().fault("lag", 1, None), text, &[("lag", true)]);
    assert_eq!(unproven, not_tested("fault `lag` never proved its effect"));
    assert_eq!(result(uneven().fault("lag", 1, None), text, &[("lag", false)]), Verdict::Upheld);
    assert_eq!(result(uneven().fault("lag", 1, Some(2)), text, &[("lag", true)]), Verdict::Upheld);
    for provable in [false, true] {
        let lost = result(uneven().fault("lag", 1, Some(2)).lost("lag", 3), text, &[("lag", provable)]);
        assert_eq!(lost, not_tested("fault `lag` was not in to its end: it was lost"));
    }
}

#[test]
fn a_known_gap_is_a_pass_while_it_is_there_and_a_failure_once_it_is_closed() {
    let story = uneven();
    assert_eq!(story.hypothesis(10, "min(ok) >= 99% during calm", true, &[]).verdict, Verdict::GapHolds);
    assert_eq!(story.hypothesis(10, "max(ok) >= 99% during calm", true, &[]).verdict, Verdict::GapClosed);
    let unknown = story.hypothesis(10, "mean(health) >= 99% during calm", true, &[]).verdict;
    assert!(matches!(unknown, Verdict::Inconclusive(_)), "{unknown:?}");
}

#[test]
fn an_acknowledgement_is_measured_from_the_latest_proven_effect() {
    let story = || story().phase("calm", 0, 100).fault("one", 10, Some(12)).fault("two", 50, Some(55));
    let result = |story: Story, text: &str| {
        let result = story.finally(100, text);
        (result.held, result.observed)
    };
    assert_eq!(result(story().ack(20).ack(60), "ack() <= 5s"), (Some(true), Some("5000 ms".to_owned())));
    assert_eq!(result(story().ack(20).ack(61), "ack() <= 5s"), (Some(false), Some("6000 ms".to_owned())));
    let nobody = Some("nobody acknowledged".to_owned());
    let early = story().finally(58, "ack() <= 5s");
    assert_eq!((early.held, early.observed), (None, nobody.clone()), "the run ended before the time was up");
    let told = EventKind::InjectDelivered {
        inject: "ticket".parse().unwrap(),
        to: "responder".parse().unwrap(),
        text: String::new(),
        by: None,
    };
    let told = story().event(58_000, told).ack(61);
    assert_eq!(result(told, "ack() <= 5s"), (Some(true), Some("3000 ms".to_owned())), "from the message on");
    let inject = EventKind::InjectDelivered {
        inject: "late".parse().unwrap(),
        to: "responder".parse().unwrap(),
        text: String::new(),
        by: None,
    };
    let untold = story().ack(61).event(62_000, inject);
    assert_eq!(
        result(untold, "ack() <= 5s"),
        (Some(false), Some("6000 ms".to_owned())),
        "what came later is no notice"
    );
    let dealt = EventKind::CardDealt {
        fault: "one".parse().unwrap(),
        target: "shop".parse().unwrap(),
        text: String::new(),
        by: None,
    };
    let table = super::tests::story().phase("calm", 0, 100).event(10_000, dealt).ack(12);
    assert_eq!(result(table, "ack() <= 5s"), (Some(true), Some("2000 ms".to_owned())), "from the card on");
    assert_eq!(result(story().ack(20), "ack() <= 5s"), (Some(false), nobody), "that was for the first fault");
    assert_eq!(result(story().ack(53), "ack() <= 5s"), (Some(true), Some("0 ms".to_owned())), "before the proof");
    let none = super::tests::story().phase("calm", 0, 100).ack(20).finally(100, "ack() <= 5s");
    assert_eq!(none.held, None);
    // With a phase it is about what was proven in it.
    let first = story().phase("early", 0, 30).ack(20).ack(90);
    assert_eq!(result(first, "ack() <= 10s during early"), (Some(true), Some("8000 ms".to_owned())));
}

#[test]
fn a_mark_that_was_not_made_refutes_only_where_there_was_the_time_to_make_it() {
    let story = || story().phase("calm", 0, 10);
    assert_eq!(story().verdict(10, "mark(wow)"), Verdict::Refuted);
    assert_eq!(story().mark(2, "wow").verdict(10, "mark(wow)"), Verdict::Upheld);
    assert_eq!(story().ack(2).verdict(10, "mark(acknowledged)"), Verdict::Upheld);
    let cut = story().phase_ended("late", 10, 20, PhaseEnd::Aborted);
    let why = "no mark `wow` before the run was ended".to_owned();
    assert_eq!(cut.verdict(20, "mark(wow)"), Verdict::Inconclusive(why.clone()));
    assert_eq!(cut.verdict(20, "mark(wow) during late"), Verdict::Inconclusive(why));
    assert_eq!(cut.verdict(20, "mark(wow) during calm"), Verdict::Refuted, "that one had its whole time");
}

#[test]
fn steps_count_when_they_are_done_and_in_time() {
    let story = story()
        .phase("calm", 0, 10)
        .step("a", true, false, StepOutcome::Done)
        .step("b", true, true, StepOutcome::Done)
        .step("c", false, false, StepOutcome::Skipped { why: None })
        .step("d", false, false, StepOutcome::Rehearsed);
    let result = |text: &str| story.finally(10, text);
    assert_eq!(observed(&result("steps(pb) >= 25%")), "1 of 4 in time");
    assert_eq!((result("steps(pb) >= 25%").held, result("steps(pb) >= 26%").held), (Some(true), Some(false)));
    assert_eq!(
        (result("steps(pb, must) >= 50%").held, result("steps(pb, must) > 50%").held),
        (Some(true), Some(false))
    );
    assert_eq!(result("steps(other) >= 0%").held, None);
}

#[test]
fn a_gate_is_judged_over_its_own_window_whatever_window_the_hypothesis_names() {
    let story = story().load(0).phase("baseline", 0, 20).seconds(0..10, &[900], &[]).seconds(10..20, &[100], &[]);
    let gate = |text: &str| judge_gate(&story.judge(20), &"H1".parse().unwrap(), &expect(text), (0, 20_000));
    let result = gate("p99(latency) <= 200ms during faulty");
    assert_eq!((result.verdict, result.observations[0].window_ms), (Verdict::Refuted, Some((0, 20_000))));
    let result = gate("p99(latency) <= 200ms within 5m after faulty for 5s");
    assert_eq!((result.verdict, result.observations[0].window_ms), (Verdict::Upheld, Some((15_000, 20_000))));
    assert!(matches!(gate("mean(health) >= 1%").verdict, Verdict::Inconclusive(_)));
}

#[test]
fn an_effect_is_looked_for_from_the_injection_on_and_needs_something_to_be_seen() {
    let story = story().load(0).seconds(0..10, &[100], &[]).fault("lag", 10, None).seconds(10..20, &[900], &[]);
    let since = |now: u64, text: &str| story.judge(now).holds_since(&expect(text), 10_000).0;
    assert_eq!(since(10, "p50(latency) > 500ms"), None, "no second is over yet");
    assert_eq!(since(12, "p50(latency) > 500ms"), Some(true));
    assert_eq!(since(12, "mean(errors) > 1%"), Some(false));
    assert_eq!(
        (since(12, "p50(latency) > 500ms for 5s"), since(15, "p50(latency) > 500ms for 5s")),
        (None, Some(true))
    );
}

#[test]
fn what_is_well_again_is_looked_at_over_the_end_of_the_time_since() {
    let story = story().load(0).seconds(0..12, &[900], &[]).seconds(12..40, &[100], &[]);
    let again = |now: u64, text: &str| story.judge(now).holds_again(&expect(text), 10_000);
    let text = "p99(latency) <= 200ms during faulty";
    assert_eq!((again(14, text), again(16, text), again(17, text)), (None, Some(false), Some(true)));
    let text = "p99(latency) <= 200ms for 10s";
    assert_eq!((again(19, text), again(21, text), again(22, text)), (None, Some(false), Some(true)));
}
