//! What verdicts make of seconds that may tell of the load worker.

use std::collections::BTreeSet;

use super::{Story, expect, observed, sparse, story};
use crate::load::Doubt;
use crate::verdict::{SecondRecord, StepRecord};

impl Story {
    /// A second in which the load worker was late.
    fn doubtful_second(mut self, second: u64, ok: &[u64]) -> Self {
        let steps = vec![("home".into(), StepRecord { ok: sparse(ok), failed: sparse(&[]) })];
        let record = SecondRecord { steps, doubts: BTreeSet::from([Doubt::Late]), ..SecondRecord::default() };
        self.recording.record_second(&"users".parse().unwrap(), second, record);
        self
    }
}

#[test]
fn a_verdict_does_not_rest_on_seconds_in_which_the_load_worker_was_the_bottleneck() {
    let calm = || story().load(0).phase("calm", 0, 20).seconds(0..19, &[100; 10], &[]);
    let slow = calm().doubtful_second(19, &[900; 10]);
    let text = "p99(latency) <= 200ms during calm";
    let result = slow.finally(20, text);
    assert_eq!((result.held, observed(&result)), (None, "900 ms"));
    let why = result.missing.unwrap();
    assert_eq!(why, "1 of 20 seconds of load may tell of the load worker: it sent requests too late");
    // Where they make no difference, it stands.
    assert_eq!(slow.finally(20, "p50(latency) <= 200ms during calm").held, Some(true));
    assert_eq!(slow.finally(20, "p50(latency) <= 50ms during calm").held, Some(false));
    assert_eq!(calm().doubtful_second(19, &[100; 10]).finally(20, text).held, Some(true));
    // Where there are too many of them, nothing does.
    let many = (10..20).fold(story().load(0).phase("calm", 0, 20).seconds(0..10, &[100; 10], &[]), |story, second| {
        story.doubtful_second(second, &[100; 10])
    });
    assert_eq!(many.finally(20, text).held, None);
    let all = story().load(0).phase("calm", 0, 2).doubtful_second(0, &[100]).doubtful_second(1, &[100]);
    assert_eq!(all.finally(2, text).held, None);
    // A sum that is too small may be so for what was not sent.
    assert_eq!(slow.finally(20, "count(latency) >= 500 during calm").held, None);
    assert_eq!(slow.finally(20, "count(latency) >= 100 during calm").held, Some(true));
    // A guardrail does not wait for better data.
    assert_eq!(slow.judge(20).holds_now(&expect("p99(latency) > 200ms for 3s")).0, Some(true));
}

#[test]
fn customers_who_were_never_sent_leave_the_others_without_a_verdict() {
    let unsent = |count: u64| {
        let mut story = story().load(0).phase("calm", 0, 20).seconds(0..19, &[100; 10], &[]);
        let steps = vec![("home".into(), StepRecord { ok: sparse(&[100; 10]), failed: sparse(&[]) })];
        let doubts = BTreeSet::from([Doubt::NotSent]);
        let record = SecondRecord { steps, doubts, not_sent_count: count, ..SecondRecord::default() };
        story.recording.record_second(&"users".parse().unwrap(), 19, record);
        story.finally(20, "mean(ok) >= 99% during calm").held
    };
    assert_eq!((unsent(1), unsent(50)), (Some(true), None));
}

#[test]
fn a_baseline_is_what_can_be_trusted_of_it() {
    let baseline =
        story().load(0).phase("baseline", 0, 20).seconds(0..19, &[100; 10], &[]).doubtful_second(19, &[9_000; 90]);
    let story = baseline.phase("faulty", 20, 30).seconds(20..30, &[300; 10], &[]);
    assert_eq!(story.finally(30, "p99(latency) <= 150% of baseline during faulty").held, Some(false));
}

#[test]
fn what_holds_beyond_doubt_later_holds_within() {
    let story = story().load(0).phase("faulty", 0, 10).fault("lag", 0, None).seconds(0..10, &[900], &[]);
    let story = story.seconds(10..12, &[100], &[]).doubtful_second(12, &[900; 9]).seconds(13..40, &[100], &[]);
    let result = story.finally(40, "p99(latency) <= 200ms for 3s within 20s after faulty");
    assert_eq!((result.held, result.held_ms), (Some(true), Some(16_000)));
}
