//! Stories of people: steps with timers, and commands.

use super::super::Attendance;
use super::super::testing::{Nature, World};
use super::{SECOND, drill, end_of, nature, play, play_with};
use crate::event::{Command, CommandAnswer, EventKind, StepOutcome, Verdict};
use crate::plan::testing::Sketch;
use crate::scenario::Mode;

#[test]
fn a_step_that_must_be_done_holds_a_drill_with_people_and_nothing_else() {
    let done = || vec![(50 * SECOND, Command::StepDone { step: "tick".parse().unwrap(), evidence: None, by: None })];
    for (mode, attendance, end) in [
        (Mode::Drill, Attendance::Attended, 50 * SECOND),
        (Mode::Drill, Attendance::Unattended, 30 * SECOND),
        (Mode::Drill, Attendance::Rehearsed, 30 * SECOND),
        (Mode::Regression, Attendance::Attended, 30 * SECOND),
    ] {
        for until in [None, Some("mark(never)"), Some("rate > 0")] {
            let sketch = Sketch::new(mode).phase("only", 30).person_step("tick", Some(10), true, false);
            let sketch = match until {
                None => sketch,
                Some("mark(never)") => sketch.until("mark(never)"),
                // It holds from the sixth second on, and the step is open then.
                Some(_) if attendance == Attendance::Attended && mode == Mode::Drill => {
                    sketch.load("users", "1h", "abort").start_load(0, "users").until("min(rate) > 0")
                }
                Some(_) => continue,
            };
            let world = World::new(sketch.plan(), attendance, nature()).run(done(), Vec::new());
            let ended = end_of(&world, "only").unwrap().0;
            assert!((end..=end + 100).contains(&ended), "{mode:?} {attendance:?} {until:?}: {ended}");
        }
    }
}

#[test]
fn a_rehearsal_answers_what_must_be_done_and_says_so() {
    let sketch = Sketch::new(Mode::Drill).phase("only", 30);
    let sketch = sketch.person_step("must", None, true, false).person_step("may", None, false, false);
    let world = World::new(sketch.plan(), Attendance::Rehearsed, nature()).run(Vec::new(), Vec::new());
    let outcomes: Vec<_> = world.recording.state().steps.iter().map(|step| step.outcome.clone().unwrap()).collect();
    assert_eq!(outcomes, [StepOutcome::Rehearsed, StepOutcome::LeftOpen]);
}

#[test]
fn a_step_is_overdue_once_and_whoever_is_late_was_not_in_time() {
    let step = || "tick".parse().unwrap();
    let plan = Sketch::new(Mode::Drill)
        .phase("only", 30)
        .person_step("tick", Some(10), false, true)
        .person_step("tack", Some(29), false, true)
        .hypothesis("H1", "steps(pb) == 100%", &[]);
    let world =
        play_with(plan.plan(), vec![(10 * SECOND + 10, Command::StepDone { step: step(), evidence: None, by: None })]);
    let overdue = world.when(|kind| matches!(kind, EventKind::StepOverdue { .. })).unwrap();
    let closed = world.when(|kind| matches!(kind, EventKind::StepClosed { .. })).unwrap();
    assert!(overdue <= closed, "{overdue} {closed}");
    assert_eq!(world.count(|kind| matches!(kind, EventKind::StepOverdue { .. })), 2);
    let result = &world.recording.state().results[0];
    assert_eq!(
        (&result.verdict, result.observations[0].observed.as_deref()),
        (&Verdict::Refuted, Some("0 of 2 in time"))
    );
}

#[test]
fn a_step_becomes_overdue_while_the_run_recovers() {
    let plan = drill().phase("faulty", 10).inject(0, "lag").person_step("tick", Some(12), false, false).plan();
    let world = World::new(plan, Attendance::Unattended, Nature { undo_ms: 5_000, ..nature() });
    let done = (14 * SECOND, Command::StepDone { step: "tick".parse().unwrap(), evidence: None, by: None });
    let world = world.run(vec![done], Vec::new());
    let step = &world.recording.state().steps[0];
    assert_eq!((step.overdue, step.outcome.clone()), (true, Some(StepOutcome::Done)));
}

#[test]
fn a_step_that_two_phases_have_is_open_but_once() {
    let plan = Sketch::new(Mode::Drill)
        .phase("first", 10)
        .person_step("claim", Some(5), true, true)
        .phase("second", 10)
        .person_step("claim", Some(5), true, true);
    let commands = vec![
        (12 * SECOND, Command::StepDone { step: "claim".parse().unwrap(), evidence: None, by: None }),
        (13 * SECOND, Command::StepDone { step: "claim".parse().unwrap(), evidence: None, by: None }),
    ];
    let world = play_with(plan.plan(), commands);
    let steps: Vec<_> =
        world.recording.state().steps.iter().map(|step| (step.outcome.clone().unwrap(), step.overdue)).collect();
    assert_eq!(steps, [(StepOutcome::LeftOpen, true), (StepOutcome::Done, false)]);
    let refused = CommandAnswer::Refused { why: "step `claim` is closed already".to_owned() };
    assert_eq!(world.answers, [CommandAnswer::Taken, refused]);
}

#[test]
fn a_step_that_is_done_at_the_very_end_stays_done() {
    let plan = || Sketch::new(Mode::Drill).phase("only", 10).person_step("tick", None, false, false).plan();
    let end = play(plan()).now_ms;
    for early in [0, 1, 50, 99, 100, 101, 200, 300] {
        let done = (end - early, Command::StepDone { step: "tick".parse().unwrap(), evidence: None, by: None });
        let world = play_with(plan(), vec![done]);
        let step = &world.recording.state().steps[0];
        let is_taken = world.answers == [CommandAnswer::Taken];
        assert_eq!(step.outcome == Some(StepOutcome::Done), is_taken, "{early} ms before the end");
    }
}

#[test]
fn a_command_that_makes_no_sense_is_refused_and_changes_nothing() {
    let long = || "x".repeat(9_000);
    let by = None;
    let commands = vec![
        (1, Command::Resume { by: None }),
        (2, Command::Pause { by: None }),
        (3, Command::Pause { by: None }),
        (4, Command::Resume { by: None }),
        (5, Command::Mark { name: String::new(), fault: None, component: None, text: None, by: by.clone() }),
        (
            6,
            Command::Mark {
                name: "seen".to_owned(),
                fault: Some("lagg".parse().unwrap()),
                component: None,
                text: None,
                by: by.clone(),
            },
        ),
        (7, Command::Note { text: " ".to_owned(), by: by.clone() }),
        (8, Command::Note { text: long(), by: by.clone() }),
        (9, Command::Ack { by: Some(long()) }),
        (10, Command::StepDone { step: "tock".parse().unwrap(), evidence: None, by: by.clone() }),
        (11, Command::StepSkipped { step: "tick".parse().unwrap(), why: Some(long()), by }),
        (12, Command::Abort { why: Some(long()), by: None }),
        (13, Command::Abort { why: None, by: None }),
        (14, Command::Abort { why: None, by: None }),
    ];
    let plan = drill().phase("only", 30).person_step("tick", None, false, false).plan();
    let world = play_with(plan, commands);
    let answers: Vec<&str> = world
        .answers
        .iter()
        .map(|answer| match answer {
            CommandAnswer::Taken => "taken",
            CommandAnswer::Refused { why } => why.as_str(),
        })
        .collect();
    assert_eq!(
        answers,
        [
            "the run is not paused",
            "taken",
            "the run is paused already",
            "taken",
            "`` is no name of a mark: a mark has 1 to 64 letters, digits, `-`, `_` and `.`",
            "there is no fault `lagg`; did you mean `lag`?",
            "the note is empty",
            "the text is longer than 8192 bytes",
            "the name is longer than 256 bytes",
            "there is no open step `tock`; did you mean `tick`?",
            "the text is longer than 8192 bytes",
            "the text is longer than 8192 bytes",
            "taken",
            "the run is ending already",
        ]
    );
    assert_eq!(world.count(|kind| matches!(kind, EventKind::RunAborted { .. })), 1);
}

#[test]
fn a_mark_that_is_nearly_another_one_is_a_slip_and_one_of_its_own_is_not() {
    let mark = |name: &str| Command::Mark { name: name.to_owned(), fault: None, component: None, text: None, by: None };
    let names = ["detcted", "noticd", "notic ed", "noticed", "detected", "all-clear"];
    let commands = names.into_iter().zip(1..).map(|(name, at)| (at, mark(name))).collect();
    let plan = drill().phase("only", 30).hypothesis("H1", "mark(noticed)", &[]).plan();
    let world = play_with(plan, commands);
    let refused = |why: &str| CommandAnswer::Refused { why: why.to_owned() };
    assert_eq!(
        world.answers,
        [
            refused("nothing asks for the mark `detcted`; did you mean `detected`? (`gameday note` takes any text)"),
            refused("nothing asks for the mark `noticd`; did you mean `noticed`? (`gameday note` takes any text)"),
            refused("`notic ed` is no name of a mark: a mark has 1 to 64 letters, digits, `-`, `_` and `.`"),
            CommandAnswer::Taken,
            CommandAnswer::Taken,
            CommandAnswer::Taken,
        ]
    );
}
