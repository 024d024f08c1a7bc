//! Stories of changes: what is injected and undone, and in which order.

use super::super::Attendance;
use super::super::testing::{Nature, World};
use super::{SECOND, drill, end_of, names, nature, play, play_with, skipped, start_of, three_phases, verdict};
use crate::event::{AbortCause, Command, EventKind, PhaseEnd, Verdict};
use crate::plan::testing::{Sketch, variable};
use crate::scenario::Mode;

#[test]
fn a_pause_freezes_the_phases_and_not_the_time_limit_of_a_fault() {
    let sketch = three_phases(drill());
    let lag = variable("lag", "shop", "LAG");
    let plan = sketch.fault(lag, Some(20), None).plan();
    let world =
        play_with(plan, vec![(40 * SECOND, Command::Pause { by: None }), (100 * SECOND, Command::Resume { by: None })]);
    let applied = world.when(|kind| matches!(kind, EventKind::FaultApplied { .. })).unwrap();
    let undone = world.changes()[1].0;
    assert!((applied + 20 * SECOND..=applied + 20 * SECOND + 100).contains(&undone), "{undone}");
    assert!((40 * SECOND..100 * SECOND).contains(&undone), "in the pause");
    let (started, ended) = (start_of(&world, "faulty").unwrap(), end_of(&world, "faulty").unwrap().0);
    assert!((started + 120 * SECOND..=started + 120 * SECOND + 200).contains(&ended), "{ended}");
}

#[test]
fn an_undo_that_comes_while_its_fault_is_on_its_way_in_is_carried_out_once_it_is_in() {
    let plan = drill().phase("faulty", 30).inject(0, "lag").undo(1, "lag").plan();
    let world = World::new(plan, Attendance::Unattended, Nature { inject_ms: 5_000, ..nature() });
    let world = world.run(Vec::new(), Vec::new());
    assert_eq!(world.changes(), [(0, "+lag".to_owned()), (5_000, "-lag".to_owned())]);
    assert_eq!(skipped(&world), [""; 0]);
}

#[test]
fn what_works_on_the_same_function_is_undone_last_in_first_out_and_all_else_at_once() {
    let plan = Sketch::new(Mode::Drill)
        .fault(variable("one", "shop", "A"), None, None)
        .fault(variable("two", "shop", "B"), None, None)
        .fault(variable("other", "bank", "A"), None, None)
        .phase("faulty", 30)
        .inject(0, "one")
        .inject(0, "two")
        .inject(0, "other");
    let world = play(plan.plan());
    let end = 30 * SECOND;
    let expected = [(0, "+one"), (0, "+other"), (300, "+two"), (end, "-other"), (end, "-two"), (end + 300, "-one")];
    assert_eq!(world.changes(), expected.map(|(at, change)| (at, change.to_owned())));
}

#[test]
fn an_injection_waits_for_the_undo_of_what_was_there_so_that_it_never_takes_a_fault_for_the_state_before() {
    let plan = Sketch::new(Mode::Drill)
        .fault(variable("one", "shop", "A"), None, None)
        .fault(variable("two", "shop", "A"), None, None)
        .phase("first", 10)
        .inject(0, "one")
        .phase("second", 10)
        .undo(0, "one")
        .inject(0, "two");
    let world = World::new(plan.plan(), Attendance::Unattended, Nature { undo_ms: 4_000, ..nature() });
    let world = world.run(Vec::new(), Vec::new());
    let changes = [(0, "+one"), (10_000, "-one"), (14_000, "+two"), (20_000, "-two")];
    assert_eq!(world.changes(), changes.map(|(at, change)| (at, change.to_owned())));
    assert!(world.settings.is_empty(), "{:?}", world.settings);
}

#[test]
fn a_fault_can_be_injected_again_while_its_first_undo_takes_long() {
    let plan = drill().fault(variable("lag", "shop", "LAG"), Some(5), None).phase("faulty", 30);
    let plan = plan.inject(0, "lag").inject(6, "lag").plan();
    let world = World::new(plan, Attendance::Unattended, Nature { undo_ms: 4_000, ..nature() });
    let world = world.run(Vec::new(), Vec::new());
    assert_eq!(names(&world), ["+lag", "-lag", "+lag", "-lag"]);
    assert_eq!(world.recording.state().outstanding().count(), 0);
    assert!(world.settings.is_empty(), "{:?}", world.settings);
}

#[test]
fn an_injection_waits_for_the_time_limit_of_another_fault_on_the_same_setting() {
    let plan = Sketch::new(Mode::Drill)
        .fault(variable("one", "shop", "A"), Some(10), None)
        .fault(variable("two", "shop", "A"), Some(10), None)
        .fault(variable("never", "shop", "A"), None, None)
        .phase("faulty", 30)
        .inject(0, "one")
        .inject(10, "two")
        .inject(15, "never");
    let world = play(plan.plan());
    assert_eq!(names(&world), ["+one", "-one", "+two", "-two", "+never", "-never"]);
    assert_eq!(world.count(|kind| matches!(kind, EventKind::FaultDrifted { .. })), 0);
}

#[test]
fn an_injection_whose_turn_never_comes_is_told_of() {
    let plan = Sketch::new(Mode::Drill)
        .fault(variable("one", "shop", "A"), None, None)
        .fault(variable("two", "shop", "A"), None, None)
        .hypothesis("H1", "mean(ok) >= 99% during faulty", &["two"])
        .phase("faulty", 30)
        .inject(0, "one")
        .inject(10, "two");
    let world = play(plan.plan());
    assert_eq!(names(&world), ["+one", "-one"]);
    let why = "its end came while something else was under way where it works";
    assert_eq!(skipped(&world), [format!("fault two: {why}")]);
    assert_eq!(verdict(&world, "H1"), Verdict::NotTested("fault `two` was not injected".to_owned()));
}

#[test]
fn an_injection_that_fails_is_undone_and_ends_the_run() {
    for is_made in [false, true] {
        let failing = [("lag".parse().unwrap(), is_made)].into();
        let plan = three_phases(drill()).inject(0, "lag").plan();
        let world = World::new(plan, Attendance::Unattended, Nature { failing, ..nature() });
        let world = world.run(Vec::new(), Vec::new());
        assert_eq!(names(&world), ["+lag", "-lag"], "the second injection never comes");
        assert!(world.settings.is_empty());
        let cause = AbortCause::FaultFailed { fault: "lag".parse().unwrap() };
        assert_eq!(world.recording.state().abort, Some(cause));
        assert_eq!(end_of(&world, "faulty").unwrap().1, PhaseEnd::Aborted);
        assert_eq!(verdict(&world, "H1"), Verdict::NotTested("fault `lag` was not injected".to_owned()));
    }
}

#[test]
fn an_undo_that_is_stuck_makes_the_run_dirty_and_not_settled() {
    let plan = three_phases(drill()).plan();
    let stuck = ["lag".parse().unwrap()].into();
    let world = World::new(plan, Attendance::Unattended, Nature { stuck, ..nature() }).run(Vec::new(), Vec::new());
    assert_eq!(world.count(|kind| matches!(kind, EventKind::RunSettled)), 0);
    assert_eq!(world.count(|kind| matches!(kind, EventKind::RunDirty { left } if left.len() == 1)), 1);
}
