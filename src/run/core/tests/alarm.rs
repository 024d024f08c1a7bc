//! What is judged of alarms is judged when they were read after its time was over.

use super::*;
use crate::event::Command;
use crate::unit::AlarmState::{self, Alarm, Ok};

fn found(alarm: &str, state: AlarmState) -> EventKind {
    EventKind::AlarmFound {
        alarm: alarm.to_owned(),
        state,
        transitioned_at: chrono::DateTime::UNIX_EPOCH,
        actions_enabled: true,
        looks_back_ms: None,
        settings: None,
    }
}

fn with_alarm(plan: Plan) -> World {
    World::new(plan, Attendance::Unattended, nature()).told(0, found("pay", Ok))
}

/// One alarm, polled each second as long as `until` says; each poll takes 200 ms.
fn play_polled(plan: Plan, until_ms: u64) -> World {
    let polls = (0..until_ms / SECOND).map(|second| second * SECOND);
    let reads = polls.map(|asked_ms| (asked_ms + 200, Input::AlarmsRead { asked_ms }));
    with_alarm(plan).run(Vec::new(), reads.collect())
}

fn watched() -> Plan {
    let expect = "alarm(pay) is OK during calm";
    Sketch::new(Mode::Drill).hypothesis("H1", expect, &[]).phase("calm", 60).plan()
}

fn judged_at(world: &World) -> u64 {
    world.when(|kind| matches!(kind, EventKind::HypothesisJudged(_))).unwrap()
}

#[test]
fn a_hypothesis_is_judged_when_a_poll_that_began_after_its_time_came_back() {
    let world = play_polled(watched(), 5 * MINUTE);
    let end = world.when(|kind| matches!(kind, EventKind::RunSettled)).unwrap();
    assert_eq!(verdict(&world, "H1"), Verdict::Upheld);
    assert!((end..=end + 2 * SECOND).contains(&judged_at(&world)), "{} {}", end, judged_at(&world));
    let asked_ms = judged_at(&world) / SECOND * SECOND;
    assert!(asked_ms >= end, "the poll of {asked_ms} told it, and the run's time was over at {end}");
    assert_eq!(world.count(|kind| matches!(kind, EventKind::AlarmsUnread { .. })), 0);
}

#[test]
fn an_alarm_that_fires_in_the_last_second_is_not_told_as_its_last_reading() {
    let reads = (0..120).map(|second| (second * SECOND + 200, Input::AlarmsRead { asked_ms: second * SECOND }));
    let fired = EventKind::AlarmTransitioned {
        alarm: "pay".to_owned(),
        from: Some(Ok),
        to: Alarm,
        at_ms: 59_500,
        transitioned_at: chrono::DateTime::UNIX_EPOCH,
        is_exact: true,
        reason: String::new(),
        unseen_from_ms: None,
    };
    let world = with_alarm(watched()).told(61_100, fired).run(Vec::new(), reads.collect());
    assert_eq!(verdict(&world, "H1"), Verdict::Refuted);
}

#[test]
fn what_is_not_read_after_the_end_is_not_known_and_not_waited_for_for_ever() {
    let world = play_polled(watched(), 50 * SECOND);
    let Verdict::Inconclusive(why) = verdict(&world, "H1") else { panic!("{:?}", verdict(&world, "H1")) };
    assert!(why.contains("alarms could not be read: no poll that began after the end came back in 18s"), "{why}");
    assert!((78 * SECOND..80 * SECOND).contains(&judged_at(&world)), "{}", judged_at(&world));
    // Nobody waits for alarms that are not judged.
    let plan = Sketch::new(Mode::Drill).hypothesis("H1", "mark(x)", &[]).phase("calm", 60).plan();
    assert!(judged_at(&play_polled(plan, 50 * SECOND)) < 61 * SECOND);
}

#[test]
fn a_gate_on_an_alarm_opens_only_when_it_was_read_after_the_phase() {
    let plan = || {
        let sketch = drill().hypothesis("H0", "alarm(pay) is OK", &[]);
        sketch.phase("baseline", 30).start_load(0, "users").gate("H0").phase("faulty", 60).inject(0, "lag").plan()
    };
    let world = play_polled(plan(), 5 * MINUTE);
    let opened = world.when(|kind| matches!(kind, EventKind::GateJudged { open: true, .. })).unwrap();
    assert!((30 * SECOND..32 * SECOND).contains(&opened), "{opened}");
    assert!(opened % SECOND >= 200, "a poll came back: {opened}");
    assert_eq!(names(&world), ["+lag", "-lag"]);
    let blind = play_polled(plan(), 20 * SECOND);
    let shut = blind.when(|kind| matches!(kind, EventKind::GateJudged { open: false, .. })).unwrap();
    assert!((48 * SECOND..50 * SECOND).contains(&shut), "{shut}");
    assert!(names(&blind).is_empty(), "nothing is broken where it is not known");
}

#[test]
fn a_poll_that_comes_back_after_all_tells_what_was_unread() {
    let plan = drill().hypothesis("H2", "alarm(pay) is OK during baseline", &[]).phase("baseline", 30).gate("H2");
    let reads = [20, 55].map(|second| (second * SECOND + 200, Input::AlarmsRead { asked_ms: second * SECOND }));
    let world = with_alarm(plan.start_load(0, "users").plan()).run(Vec::new(), reads.to_vec());
    let unread = world.when(|kind| matches!(kind, EventKind::AlarmsUnread { since_ms: 20_000, .. }));
    assert_eq!(unread, Some(48 * SECOND));
    assert_eq!(world.when(|kind| matches!(kind, EventKind::AlarmsReread)), Some(55_200));
    assert!(world.recording.state().gate_shut, "the gate could not wait for it");
    assert_eq!(verdict(&world, "H2"), Verdict::Upheld);
}

#[test]
fn whoever_aborts_does_not_wait_for_alarms() {
    let abort = vec![(20 * SECOND, Command::Abort { why: None, by: None })];
    let world = with_alarm(watched()).run(abort, Vec::new());
    let told = world.when(|kind| matches!(kind, EventKind::AlarmsUnread { why, .. } if why.contains("aborted")));
    assert!(told.is_some_and(|at| at < 21 * SECOND), "{told:?}");
    assert!(judged_at(&world) < 22 * SECOND, "{}", judged_at(&world));
}

#[test]
fn nothing_begins_in_a_phase_that_is_over_and_waits_for_its_alarms() {
    let sketch = drill().hypothesis("H0", "alarm(pay) is OK", &[]).phase("baseline", 60).until("mark(calm)");
    let plan = sketch.gate("H0").inject(12, "lag").phase("after", 30).plan();
    let mark = Command::Mark { name: "calm".to_owned(), fault: None, component: None, text: None, by: None };
    let read = Input::AlarmsRead { asked_ms: 14 * SECOND };
    let reads = vec![(15 * SECOND, read), (100 * SECOND, Input::AlarmsRead { asked_ms: 99 * SECOND })];
    let world = with_alarm(plan).run(vec![(10 * SECOND, mark)], reads);
    let opened = world.when(|kind| matches!(kind, EventKind::GateJudged { open: true, .. })).unwrap();
    assert!((15 * SECOND..16 * SECOND).contains(&opened), "{opened}");
    assert!(names(&world).is_empty(), "its time came while the gate was waited for: {:?}", names(&world));
}
