//! Stories of people who take part: they join, vote, predict, are told things, and sit at a table.

use super::super::Attendance;
use super::super::testing::World;
use super::{SECOND, drill, end_of, nature, play, play_with};
use crate::event::{Command, CommandAnswer, EventKind, PhaseEnd, RunOutcome, StepOutcome, Verdict};
use crate::plan::testing::{Sketch, variable};
use crate::run::Outcome;
use crate::scenario::Mode;

fn by(name: &str) -> Option<String> {
    Some(name.to_owned())
}

fn vote(step: &str, role: &str, go: bool) -> Command {
    let why = (!go).then(|| "not today".to_owned());
    Command::Vote { step: step.parse().unwrap(), role: role.parse().unwrap(), go, why, by: by(role) }
}

fn done(step: &str, evidence: Option<&str>) -> Command {
    Command::StepDone { step: step.parse().unwrap(), evidence: evidence.map(str::to_owned), by: by("maria") }
}

fn attended(plan: crate::plan::Plan, commands: Vec<(u64, Command)>) -> World {
    World::new(plan, Attendance::Attended, nature()).run(commands, Vec::new())
}

fn answers(world: &World) -> Vec<&str> {
    let text = |answer: &'static str| answer;
    let of = |answer| match answer {
        &CommandAnswer::Taken => text("taken"),
        CommandAnswer::Refused { why } => why.as_str(),
    };
    world.answers.iter().map(of).collect()
}

/// A drill whose first phase has a poll of two roles, and whose second injects.
fn polled() -> Sketch {
    drill()
        .phase("brief", 10)
        .person_step("go", None, true, false)
        .and_step(|step| step.poll = vec!["owner".parse().unwrap(), "responder".parse().unwrap()])
        .phase("faulty", 10)
        .inject(0, "lag")
}

#[test]
fn a_poll_in_which_everybody_agrees_opens_the_way() {
    let commands = vec![(2 * SECOND, vote("go", "owner", true)), (20 * SECOND, vote("go", "responder", true))];
    let world = attended(polled().plan(), commands);
    assert_eq!(answers(&world), ["taken", "taken"]);
    let step = &world.recording.state().steps[0];
    assert_eq!((step.outcome.clone(), step.votes.len()), (Some(StepOutcome::Done), 2));
    let (at, why) = end_of(&world, "brief").unwrap();
    assert!((20 * SECOND..20 * SECOND + 300).contains(&at), "{at}");
    assert_eq!(why, PhaseEnd::TimeUp);
    assert_eq!(world.count(|kind| matches!(kind, EventKind::FaultApplied { .. })), 1);
}

#[test]
fn a_poll_that_must_agree_and_does_not_ends_the_run_before_anything_is_injected() {
    let commands = vec![(2 * SECOND, vote("go", "owner", false)), (4 * SECOND, vote("go", "responder", true))];
    let world = attended(polled().plan(), commands);
    let state = world.recording.state();
    assert_eq!(state.steps[0].outcome, Some(StepOutcome::NoGo));
    assert_eq!(end_of(&world, "brief").unwrap().1, PhaseEnd::NoGo);
    assert_eq!(world.count(|kind| matches!(kind, EventKind::FaultIntended { .. })), 0);
    assert_eq!((Outcome::of(state), Outcome::of_timeline(state)), (Outcome::NotReady, RunOutcome::NoGo));
    assert_eq!(Outcome::of(state).exit_code(), 7);
}

#[test]
fn what_a_role_says_last_counts_and_a_no_go_can_not_be_passed_over() {
    let skip = || Command::StepSkipped { step: "go".parse().unwrap(), why: by("late"), by: by("joonas") };
    let commands = vec![
        (SECOND, vote("go", "owner", false)),
        (2 * SECOND, skip()),
        (3 * SECOND, done("go", None)),
        (4 * SECOND, vote("go", "scribe", true)),
        (5 * SECOND, vote("go", "owner", true)),
        (6 * SECOND, skip()),
        (7 * SECOND, vote("go", "owner", true)),
    ];
    let world = attended(polled().plan(), commands);
    assert_eq!(
        answers(&world),
        [
            "taken",
            "`owner` said no-go to `go`: they change their vote, or the run is aborted",
            "step `go` is a poll; each role says `gameday vote go go` or `no-go`",
            "`scribe` is not asked about `go`, but owner, responder",
            "taken",
            "taken",
            "step `go` is closed already",
        ]
    );
    assert_eq!(end_of(&world, "brief").unwrap().1, PhaseEnd::TimeUp);
}

#[test]
fn a_step_asks_for_evidence_and_for_whoever_must_agree() {
    let plan = drill()
        .phase("only", 30)
        .person_step("impact", None, false, false)
        .and_step(|step| step.evidence = Some(crate::unit::Evidence::Number))
        .person_step("rollback", None, false, false)
        .and_step(|step| step.needs = Some("owner".parse().unwrap()))
        .plan();
    let commands = vec![
        (1, done("impact", None)),
        (2, done("impact", Some("a lot"))),
        (3, done("impact", Some("42/min"))),
        (4, done("rollback", None)),
        (5, vote("rollback", "owner", false)),
        (6, done("rollback", None)),
        (7, vote("rollback", "owner", true)),
        (8, done("rollback", None)),
        (9, vote("impact", "owner", true)),
    ];
    let world = attended(plan, commands);
    let refused = "step `rollback` needs `owner` to agree first: `gameday vote rollback go --role owner`";
    assert_eq!(
        answers(&world),
        [
            "step `impact` asks for a number as evidence",
            "`a lot` is not a number",
            "taken",
            refused,
            "taken",
            refused,
            "taken",
            "taken",
            "step `impact` is closed already",
        ]
    );
    assert_eq!(world.recording.state().steps[0].evidence.as_deref(), Some("42/min"));
}

#[test]
fn the_first_phase_waits_for_whoever_is_required_and_for_nobody_else() {
    let sketch =
        || drill().person("responder", true, false).person("scribe", false, false).phase("brief", 10).phase("next", 10);
    let join = |role: &str| Command::Join { role: role.parse().unwrap(), by: by("anna") };
    let world = attended(sketch().plan(), vec![(5 * SECOND, join("respnder")), (25 * SECOND, join("responder"))]);
    assert_eq!(answers(&world), ["there is no role `respnder`; did you mean `responder`?", "taken"]);
    let (at, _) = end_of(&world, "brief").unwrap();
    assert!((25 * SECOND..25 * SECOND + 300).contains(&at), "{at}");
    assert_eq!(end_of(&world, "next").unwrap().0 - at, 10 * SECOND);
    let world = play(sketch().plan());
    assert_eq!(end_of(&world, "brief").unwrap().0, 10 * SECOND, "where nobody can join, nobody is waited for");
}

#[test]
fn a_message_comes_once_by_hand_or_in_its_time() {
    use crate::plan::Action;
    let action = |name: &str| Action::DeliverInject {
        inject: name.parse().unwrap(),
        to: "responder".parse().unwrap(),
        text: format!("text of {name}"),
    };
    let plan = drill()
        .message("ticket", "responder")
        .message("ceo", "business")
        .phase("only", 30)
        .at(10, action("ticket"))
        .at(20, action("ceo"))
        .plan();
    let inject = |name: &str| Command::Inject { inject: name.parse().unwrap(), by: by("joonas") };
    let commands = vec![
        (5 * SECOND, inject("ticket")),
        (6 * SECOND, inject("tiket")),
        (7 * SECOND, inject("ticket")),
        (25 * SECOND, inject("ceo")),
    ];
    let world = play_with(plan, commands);
    assert_eq!(
        answers(&world),
        [
            "taken",
            "there is no inject `tiket`; did you mean `ticket`?",
            "inject `ticket` was delivered already",
            "inject `ceo` was delivered already",
        ]
    );
    let delivered: Vec<_> = world.recording.state().people.injects.iter().map(|it| (it.at_ms, it.by.clone())).collect();
    assert_eq!(delivered, [(5 * SECOND, by("joonas")), (20 * SECOND, None)]);
    assert_eq!(super::skipped(&world).len(), 1);
}

#[test]
fn hints_are_given_one_after_the_other_and_each_is_written_down() {
    let plan = drill().hint("h1", Some("H1")).hint("h2", None).phase("only", 30).plan();
    let hint = |name: Option<&str>| Command::Hint { hint: name.map(|it| it.parse().unwrap()), by: by("joonas") };
    let commands =
        vec![(1, hint(None)), (2, hint(Some("h1"))), (3, hint(Some("h3"))), (4, hint(Some("h2"))), (5, hint(None))];
    let world = play_with(plan, commands);
    assert_eq!(
        answers(&world),
        [
            "taken",
            "hint `h1` was given already",
            "there is no hint `h3`; did you mean `h1`?",
            "taken",
            "every hint was given already"
        ]
    );
    let given: Vec<_> = world.recording.state().people.hints.iter().map(|it| it.hint.to_string()).collect();
    assert_eq!(given, ["h1", "h2"]);
    let none = play_with(drill().phase("only", 5).plan(), vec![(1, hint(None))]);
    assert_eq!(answers(&none), ["the scenario has no hints"]);
}

#[test]
fn predictions_are_made_before_the_first_fault_and_the_log_tells_nothing_of_them() {
    let plan =
        drill().phase("calm", 10).phase("faulty", 10).inject(0, "lag").hypothesis("H1", "min(ok) >= 90%", &[]).plan();
    let predict = |hypothesis: &str| Command::Predict {
        hypothesis: hypothesis.parse().unwrap(),
        holds: false,
        note: by("the queue is too short"),
        by: by("maria"),
    };
    let commands = vec![(1, predict("H1")), (2, predict("H2")), (15 * SECOND, predict("H1"))];
    let world = play_with(plan, commands);
    assert_eq!(
        answers(&world),
        ["taken", "there is no hypothesis `H2`; did you mean `H1`?", "predictions are made before the first fault"]
    );
    assert_eq!(world.recording.state().people.predictions.len(), 1);
    let told = serde_json::to_string(&world.events.iter().map(|(_, kind)| kind).collect::<Vec<_>>()).unwrap();
    assert!(!told.contains("queue") && told.contains("prediction_sealed"), "{told}");
}

#[test]
fn the_facilitator_reveals_one_fault_or_everything() {
    let plan = drill().phase("faulty", 30).inject(0, "lag").plan();
    let reveal = |fault: Option<&str>| Command::Reveal { fault: fault.map(|it| it.parse().unwrap()), by: by("joonas") };
    let commands = vec![
        (1, reveal(Some("lagg"))),
        (2, reveal(Some("lag"))),
        (3, reveal(Some("lag"))),
        (4, reveal(None)),
        (5, reveal(None)),
    ];
    let world = play_with(plan, commands);
    assert_eq!(
        answers(&world),
        [
            "there is no fault `lagg`; did you mean `lag`?",
            "taken",
            "fault `lag` is revealed already",
            "taken",
            "everything is revealed already"
        ]
    );
}

#[test]
fn at_the_table_faults_are_cards_and_nothing_is_injected() {
    let plan = Sketch::new(Mode::Tabletop)
        .load("users", "1h", "abort")
        .fault(crate::plan::testing::variable("lag", "shop", "LAG"), None, None)
        .phase("calm", 10)
        .start_load(0, "users")
        .gate("H1")
        .phase("slow", 20)
        .inject(5, "lag")
        .undo(15, "lag")
        .person_step("claim", Some(10), false, true)
        .hypothesis("H1", "min(ok) >= 90%", &["lag"])
        .hypothesis("H2", "steps(pb) == 100% and mark(detected)", &[])
        .plan()
        .at_table();
    let mark = Command::Mark { name: "detected".to_owned(), fault: None, component: None, text: None, by: by("anna") };
    let commands = vec![(17 * SECOND, mark), (18 * SECOND, done("claim", None))];
    let world = play_with(plan, commands);
    let state = world.recording.state();
    let card = &state.people.cards[0];
    assert_eq!((card.dealt_ms, card.taken_ms, state.faults.len()), (15 * SECOND, Some(25 * SECOND), 0));
    assert!(
        world
            .effects
            .iter()
            .all(|(_, effect)| !matches!(effect, super::Effect::Inject(_) | super::Effect::StartLoad(_)))
    );
    let verdicts: Vec<_> = state.results.iter().map(|result| result.verdict.clone()).collect();
    assert_eq!(
        verdicts,
        [Verdict::NotTested("nothing is injected or measured at a table".to_owned()), Verdict::Upheld]
    );
}

#[test]
fn a_card_that_was_dealt_by_hand_is_not_dealt_again() {
    let plan = Sketch::new(Mode::Tabletop)
        .fault(crate::plan::testing::variable("lag", "shop", "LAG"), None, None)
        .phase("slow", 20)
        .inject(10, "lag")
        .plan()
        .at_table();
    let deal = || Command::Reveal { fault: Some("lag".parse().unwrap()), by: by("joonas") };
    let world = play_with(plan, vec![(3 * SECOND, deal()), (4 * SECOND, deal())]);
    assert_eq!(answers(&world), ["taken", "the card of `lag` is on the table already"]);
    assert_eq!(world.count(|kind| matches!(kind, EventKind::CardDealt { .. })), 1);
}

#[test]
fn a_mark_names_a_component_that_the_workload_has() {
    let mut plan = drill().phase("only", 10).plan();
    plan.components.insert("payments".parse().unwrap(), std::collections::BTreeSet::new());
    let mark = |name: &str, component: &str| Command::Mark {
        name: name.to_owned(),
        fault: None,
        component: Some(component.parse().unwrap()),
        text: None,
        by: by("anna"),
    };
    let commands = vec![(1, mark("diagnosed", "paymets")), (2, mark("identified", "payments"))];
    let world = play_with(plan, commands);
    assert_eq!(answers(&world), ["there is no component `paymets`; did you mean `payments`?", "taken"]);
    assert!(world.recording.state().marks.contains_key("diagnosed"), "the older name means the same");
}

#[test]
fn a_no_go_ends_a_run_that_stands_still() {
    let commands = vec![
        (SECOND, Command::Pause { by: by("joonas") }),
        (2 * SECOND, vote("go", "owner", false)),
        (3 * SECOND, vote("go", "responder", true)),
    ];
    let world = attended(polled().plan(), commands);
    assert_eq!(end_of(&world, "brief").unwrap().1, PhaseEnd::NoGo);
    assert!(end_of(&world, "brief").unwrap().0 < 4 * SECOND);
    assert_eq!(Outcome::of(world.recording.state()).exit_code(), 7);
}

#[test]
fn nothing_is_injected_in_the_very_tick_in_which_a_poll_says_no_go() {
    let plan = drill()
        .phase("only", 60)
        .person_step("go", None, true, false)
        .and_step(|step| step.poll = vec!["owner".parse().unwrap()])
        .inject(10, "lag")
        .plan();
    for at in [9_900, 9_999, 10_000, 10_001] {
        let world = attended(plan.clone(), vec![(at, vote("go", "owner", false))]);
        assert_eq!(world.count(|kind| matches!(kind, EventKind::FaultIntended { .. })), 0, "{at}");
        assert_eq!(Outcome::of(world.recording.state()).exit_code(), 7);
    }
}

#[test]
fn an_injection_waits_for_whoever_is_required_and_then_its_phase_has_its_whole_time() {
    let plan = drill().person("responder", true, false).phase("only", 30).inject(10, "lag").undo(20, "lag").plan();
    let join = Command::Join { role: "responder".parse().unwrap(), by: by("anna") };
    let pauses = [Command::Pause { by: None }, Command::Resume { by: None }];
    let [pause, resume] = pauses;
    let commands = vec![(50 * SECOND, pause), (55 * SECOND, resume), (60 * SECOND, join)];
    let world = attended(plan, commands);
    let at = |fits: fn(&EventKind) -> bool| world.when(fits).unwrap() / SECOND;
    assert_eq!(at(|kind| matches!(kind, EventKind::FaultIntended { .. })), 60);
    assert_eq!(at(|kind| matches!(kind, EventKind::FaultReverting { .. })), 70);
    assert_eq!(end_of(&world, "only").unwrap().0 / SECOND, 80);
    let held = |kind: &EventKind| match kind {
        EventKind::PhaseHeld { waits_for, .. } => waits_for.join(", ") == "responder to join",
        _ => false,
    };
    assert_eq!((world.when(held).unwrap() / SECOND, world.count(held)), (10, 1));
    let phase = &world.recording.state().phases[0];
    assert_eq!((phase.paused_ms / SECOND, phase.held_since_ms), (50, None), "the boards' clock stood still as well");
}

#[test]
fn what_is_in_ends_as_planned_while_something_else_waits_for_a_poll() {
    let plan = drill()
        .fault(variable("two", "other", "LAG"), None, None)
        .phase("first", 10)
        .inject(0, "lag")
        .phase("second", 60)
        .person_step("go", None, true, false)
        .and_step(|step| step.poll = vec!["owner".parse().unwrap()])
        .inject(5, "two")
        .undo(10, "lag")
        .plan();
    let world = attended(plan, vec![(50 * SECOND, vote("go", "owner", true))]);
    let undone =
        world.when(|kind| matches!(kind, EventKind::FaultReverting { identity } if identity.fault.as_str() == "lag"));
    assert_eq!(undone.unwrap() / SECOND, 20);
    let two = world
        .when(|kind| matches!(kind, EventKind::FaultIntended { identity, .. } if identity.fault.as_str() == "two"));
    assert_eq!(two.unwrap() / SECOND, 50);
    assert_eq!(super::skipped(&world), [""; 0], "and it is not ended twice");
}

#[test]
fn who_has_said_enough_still_steers_the_run() {
    let long = |who: &str| Command::Note { text: "x".repeat(8_000), by: by(who) };
    let mut commands: Vec<(u64, Command)> = (0..140).map(|at| (at + 1, long("anna"))).collect();
    commands.push((200, long("ben")));
    commands.push((201, Command::Ack { by: by("anna") }));
    commands.push((202, Command::Pause { by: by("anna") }));
    commands.push((203, Command::Resume { by: by("anna") }));
    commands.push((204, Command::Abort { why: Some("y".repeat(8_000)), by: by("anna") }));
    let world = attended(drill().phase("only", 30).plan(), commands);
    let answers = answers(&world);
    let refused = answers.iter().filter(|answer| answer.starts_with("you have said as much")).count();
    assert_eq!(refused, 140 - (1 << 20) / 8_128);
    assert_eq!(answers[140..], ["taken"; 5]);
}

#[test]
fn a_step_is_skipped_with_a_reason_and_nobody_signs_as_the_program() {
    let plan = drill().phase("only", 30).person_step("look", None, true, false).plan();
    let skip = |why: Option<&str>, who: &str| {
        let (step, why) = ("look".parse().unwrap(), why.map(str::to_owned));
        Command::StepSkipped { step, why, by: by(who) }
    };
    let commands = vec![
        (1, skip(None, "maria")),
        (2, skip(Some("  "), "maria")),
        (3, skip(Some("no access"), " Gameday")),
        (4, skip(Some("no access"), "maria")),
    ];
    let world = attended(plan, commands);
    let why = "why is step `look` skipped? `gameday step skip look --why \"…\"`";
    let name = "`gameday` is what the program itself signs with: say who you are, by `--by`";
    assert_eq!(answers(&world), [why, why, name, "taken"]);
}

#[test]
fn nothing_is_predicted_once_everything_was_seen() {
    let predict = || Command::Predict { hypothesis: "H1".parse().unwrap(), holds: true, note: None, by: by("maria") };
    let quiet = Sketch::new(Mode::Drill).phase("calm", 10).hypothesis("H1", "min(ok) >= 90%", &[]);
    let world =
        play_with(quiet.load("users", "10s", "abort").start_load(0, "users").plan(), vec![(5 * SECOND, predict())]);
    assert_eq!(answers(&world), ["predictions are made before the first load where no fault is planned"]);
}
