//! The time of steps: what counts, what stands still, and when it is over, for whatever comes.

use proptest::prelude::*;

use super::super::Attendance;
use super::super::testing::World;
use super::{SECOND, nature};
use crate::event::{Command, EventKind, StepTime};
use crate::plan::Plan;
use crate::plan::testing::Sketch;
use crate::scenario::Mode;
use crate::unit::{Anchor, Within};

/// How often the clock ticks: nothing is told more exactly.
const TICK: u64 = 100;
const LENGTH: u64 = 120 * SECOND;

/// A step with its time in milliseconds, from the phase's start or from the mark `seen` on.
#[derive(Debug, Clone, Copy)]
struct Timed {
    within: u64,
    is_after_mark: bool,
    done_at: Option<u64>,
}

fn plan(steps: &[Timed]) -> Plan {
    let sketch = steps.iter().enumerate().fold(
        Sketch::new(Mode::Drill).phase("only", LENGTH / SECOND),
        |sketch, (number, timed)| {
            sketch.person_step(&format!("s{number}"), None, false, false).and_step(|step| {
                step.within = Some(Within {
                    length: std::time::Duration::from_millis(timed.within).into(),
                    after: timed.is_after_mark.then(|| Anchor::Mark("seen".to_owned())),
                });
            })
        },
    );
    sketch.hypothesis("H1", "mark(seen)", &[]).plan()
}

fn command_story(steps: &[Timed], marked: Option<u64>, pauses: &[(u64, u64)]) -> Vec<(u64, Command)> {
    let mut commands: Vec<(u64, Command)> = Vec::new();
    for (number, timed) in steps.iter().enumerate() {
        if let Some(at) = timed.done_at {
            let step = format!("s{number}").parse().unwrap();
            commands.push((at, Command::StepDone { step, evidence: None, by: None }));
        }
    }
    if let Some(at) = marked {
        let name = "seen".to_owned();
        commands.push((at, Command::Mark { name, fault: None, component: None, text: None, by: None }));
    }
    for (from, until) in pauses {
        commands.push((*from, Command::Pause { by: None }));
        commands.push((*until, Command::Resume { by: None }));
    }
    commands
}

/// The moment at which `length` of time that ran has passed since `from`.
fn later(from: u64, length: u64, pauses: &[(u64, u64)]) -> u64 {
    let mut due = from + length;
    for (begin, end) in pauses.iter().filter(|(_, end)| *end > from) {
        if *begin < due {
            due += end - (*begin).max(from);
        }
    }
    due
}

prop_compose! {
    fn timed()(within in 100_u64..60_000, is_after_mark in any::<bool>(), done_at in prop::option::of(1_u64..LENGTH)) -> Timed {
        Timed { within, is_after_mark, done_at }
    }
}

prop_compose! {
    fn pauses()(lengths in prop::collection::vec((1_u64..20_000, 1_u64..20_000), 0..4)) -> Vec<(u64, u64)> {
        let mut at = 0;
        lengths
            .into_iter()
            .map(|(gap, length)| {
                let from = at + gap;
                at = from + length;
                (from, at)
            })
            .collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn a_step_is_overdue_when_its_own_time_is_over_and_not_before(
        steps in prop::collection::vec(timed(), 1..5),
        marked in prop::option::of(1_u64..LENGTH),
        pauses in pauses(),
    ) {
        let world = World::new(plan(&steps), Attendance::Unattended, nature());
        let world = world.run(command_story(&steps, marked, &pauses), Vec::new());
        let run_end = world.now_ms;
        for (number, timed) in steps.iter().enumerate() {
            let name = format!("s{number}");
            let overdue =
                world.when(|kind| matches!(kind, EventKind::StepOverdue { step } if step.as_str() == name));
            let from = if timed.is_after_mark { marked } else { Some(0) };
            let due = from.map(|from| later(from, timed.within, &pauses));
            let closed = timed.done_at.unwrap_or(run_end);
            match (due, overdue) {
                (Some(due), Some(overdue)) => {
                    prop_assert!(overdue >= due, "{name} is overdue at {overdue}, due at {due}");
                    // Told at the next look at the clock, or by whoever was too late.
                    prop_assert!(overdue <= due + 2 * TICK, "{name} is overdue at {overdue}, due at {due}");
                }
                (Some(due), None) => {
                    let slack = 2 * TICK;
                    prop_assert!(closed <= due + slack || due + slack >= run_end, "{name}: due {due}, closed {closed}");
                }
                (None, overdue) => prop_assert_eq!(overdue, None, "{} has no time yet", name),
            }
            // What is shown is what is judged.
            let step = &world.recording.state().steps[number];
            if let (Some(due_ms), None) = (step.due_ms, overdue) {
                prop_assert!(matches!(step.time(due_ms - 1, None), StepTime::Soon(1) | StepTime::Due(1)), "{due_ms}");
            }
        }
    }
}

#[test]
fn a_timer_stands_still_with_the_timeline_and_goes_on_with_it() {
    let steps = [Timed { within: 30 * SECOND, is_after_mark: false, done_at: None }];
    let pauses = [(10 * SECOND, 50 * SECOND)];
    let world = World::new(plan(&steps), Attendance::Unattended, nature());
    let world = world.run(command_story(&steps, None, &pauses), Vec::new());
    let overdue = world.when(|kind| matches!(kind, EventKind::StepOverdue { .. })).unwrap();
    assert_eq!(overdue, 70 * SECOND);
    let ended = world.when(|kind| matches!(kind, EventKind::PhaseEnded { .. })).unwrap();
    assert_eq!(ended, LENGTH + 40 * SECOND, "so does the phase");
}

#[test]
fn what_is_late_already_becomes_no_later_while_the_timeline_stands_still() {
    let steps = [Timed { within: 10 * SECOND, is_after_mark: false, done_at: None }];
    let world = World::new(plan(&steps), Attendance::Unattended, nature());
    let world = world.run(command_story(&steps, None, &[(20 * SECOND, 50 * SECOND)]), Vec::new());
    let step = &world.recording.state().steps[0];
    assert_eq!((step.due_ms, step.late_paused_ms), (Some(10 * SECOND), 30 * SECOND));
    assert_eq!(step.late_ms(55 * SECOND), Some(15 * SECOND));
    assert_eq!(step.time(55 * SECOND, None), StepTime::Overdue(15 * SECOND));
    assert_eq!(step.time(70 * SECOND, Some(60 * SECOND)), StepTime::Overdue(20 * SECOND));
}

#[test]
fn what_is_done_while_the_timeline_stands_still_is_not_late_by_that() {
    let done = |at: u64| (at, Command::StepDone { step: "s0".parse().unwrap(), evidence: None, by: None });
    let pause = |at: u64| (at, Command::Pause { by: None });
    let steps = [Timed { within: 10 * SECOND, is_after_mark: false, done_at: None }];
    let world = World::new(plan(&steps), Attendance::Unattended, nature());
    let world =
        world.run(vec![pause(9 * SECOND), done(40 * SECOND), (41 * SECOND, Command::Resume { by: None })], Vec::new());
    let step = &world.recording.state().steps[0];
    assert_eq!((step.late_ms(step.closed_ms.unwrap()), step.overdue), (None, false));
}

#[test]
fn what_is_nearly_due_is_so_in_the_last_fifth_of_its_time_and_a_minute_at_most() {
    let steps = [Timed { within: 50 * SECOND, is_after_mark: false, done_at: None }];
    let world = World::new(plan(&steps), Attendance::Unattended, nature()).run(Vec::new(), Vec::new());
    let step = &world.recording.state().steps[0];
    assert_eq!(step.time(39_999, None), StepTime::Due(10_001));
    assert_eq!(step.time(40_000, None), StepTime::Soon(10_000));
    assert_eq!(step.time(50_000, None), StepTime::Overdue(0));
    assert_eq!(step.time(61_000, None), StepTime::Overdue(11_000));
    let fresh = crate::event::StepProgress { overdue: false, ..step.clone() };
    assert_eq!(fresh.time(61_000, Some(20_000)), StepTime::Due(30_000), "it stands still");
}
