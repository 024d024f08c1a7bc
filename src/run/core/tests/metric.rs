//! What is judged of metrics is judged when their data have arrived.

use std::collections::BTreeMap;

use super::*;

fn watched() -> Plan {
    let mut plan =
        Sketch::new(Mode::Drill).hypothesis("H1", "sum(errors) <= 3 during calm", &[]).phase("calm", 60).plan();
    let errors = "errors: {cloudwatch: {lambda: pay, metric: Errors, stat: Sum, period: 10s}}";
    plan.signals.extend(serde_yaml::from_str::<BTreeMap<_, _>>(errors).unwrap());
    plan
}

/// Data points of nothing, told as they come, and polls each second until some time, which know all until 2 s ago.
fn play(until: u64) -> World {
    let points = (0..12).map(|index| (index * 10 * SECOND, 0.0)).collect();
    let read = EventKind::MetricRead { signal: "errors".parse().unwrap(), points };
    let reads =
        (2..until).map(|second| (second * SECOND + 200, Input::MetricsRead { known_ms: (second - 2) * SECOND }));
    World::new(watched(), Attendance::Unattended, nature()).told(SECOND, read).run(Vec::new(), reads.collect())
}

fn judged_at(world: &World) -> u64 {
    world.when(|kind| matches!(kind, EventKind::HypothesisJudged(_))).unwrap()
}

#[test]
fn a_hypothesis_waits_for_late_data() {
    let world = play(120);
    assert_eq!(verdict(&world, "H1"), Verdict::Upheld);
    let end = world.when(|kind| matches!(kind, EventKind::RunSettled)).unwrap();
    assert!(
        judged_at(&world) >= end + 2 * SECOND && judged_at(&world) < end + 4 * SECOND,
        "{end} {}",
        judged_at(&world)
    );
    assert_eq!(world.count(|kind| matches!(kind, EventKind::MetricsUnread { .. })), 0);
}

#[test]
fn data_that_do_not_come_are_told_and_not_waited_for_for_ever() {
    let world = play(50);
    let Verdict::Inconclusive(why) = verdict(&world, "H1") else { panic!("{:?}", verdict(&world, "H1")) };
    assert!(why.contains("CloudWatch metrics could not be read: no poll that could have told all of it"), "{why}");
    assert!(judged_at(&world) < 80 * SECOND, "{}", judged_at(&world));
}

#[test]
fn who_aborts_does_not_wait_for_data() {
    let abort = vec![(20 * SECOND, Command::Abort { why: None, by: None })];
    let world = World::new(watched(), Attendance::Unattended, nature()).run(abort, Vec::new());
    assert!(judged_at(&world) < 22 * SECOND, "{}", judged_at(&world));
    let told = world.when(|kind| matches!(kind, EventKind::MetricsUnread { why, .. } if why.contains("aborted")));
    assert!(told.is_some(), "it is told");
}
