//! What a viewer sees, and what they must not.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};

use super::kept::{KEPT_BYTES_MAX, KEPT_EVENTS_MAX, Kept};
use super::{Board, View};
use crate::event::{
    AbortCause, Event, EventKind, FaultIdentity, HypothesisResult, LoadSecond, PhaseEnd, StepAsks, StepTime, Verdict,
};
use crate::plan::Plan;
use crate::plan::testing::{Sketch, variable};
use crate::scenario::Mode;

/// Whatever gives a blind drill away has this in it.
const SECRET: &str = "zxsecret";

fn secret(name: &str) -> String {
    format!("{SECRET}-{name}")
}

/// A drill in which every name and text that gives something away is a secret.
fn plan(is_blind: bool) -> Plan {
    let fault = secret("lag");
    let mut plan = Sketch::new(Mode::Drill)
        .person("facilitator", false, false)
        .person("responder", true, is_blind)
        .load(&secret("load"), "1h", "abort")
        .fault(variable(&fault, &secret("shop"), "LAG"), Some(60), None)
        .message("ticket", "responder")
        .message(&secret("note"), "facilitator")
        .hint(&secret("hint"), Some(&secret("H1")))
        .phase(&secret("calm"), 10)
        .start_load(0, &secret("load"))
        .phase(&secret("slow"), 20)
        .inject(0, &fault)
        .person_step("claim", Some(10), true, true)
        .hypothesis(&secret("H1"), "min(ok) >= 90%", &[&fault])
        .guardrail(&secret("G1"), crate::plan::GuardrailRule::MaxTargets(1), crate::scenario::OnMissing::Warn)
        .plan();
    plan.scenario.title = secret("title");
    plan
}

fn identity() -> FaultIdentity {
    FaultIdentity { step: format!("001-{}", secret("lag")), fault: secret("lag").parse().unwrap() }
}

/// A second of load in which something failed.
fn second() -> LoadSecond {
    LoadSecond {
        load: secret("load").parse().unwrap(),
        second: 3,
        target: 9.0,
        ok_count: 9,
        failed_count: 1,
        in_flight_count: 0,
        p50_ms: None,
        p99_ms: None,
        not_sent_count: 0,
        doubts: Vec::new(),
        failures: std::collections::BTreeMap::new(),
        steps: std::collections::BTreeMap::new(),
    }
}

/// A moment that tells when something hidden happened, as it stands in JSON and on the clock.
const HIDDEN_MS: u64 = 987_654;
const HIDDEN: [&str; 2] = ["987654", "16:27"];

/// A step for players whose time is counted from something.
fn step_after(step: &str, anchor: &str) -> EventKind {
    EventKind::StepOpened {
        step: step.parse().unwrap(),
        text: format!("do {step}"),
        owner: Some("responder".parse().unwrap()),
        due_ms: None,
        must: false,
        playbook: None,
        asks: StepAsks { within: Some(format!("5m after {anchor}").parse().unwrap()), ..StepAsks::default() },
    }
}

/// How many events there are in the story up to the fault's effect.
fn count_to_effect() -> usize {
    hidden_story().iter().position(|kind| matches!(kind, EventKind::FaultEffective { .. })).unwrap() + 1
}

/// An event of each kind that may give something away, in the order of a run, up to the moment before anybody has noticed.
#[expect(clippy::too_many_lines, reason = "one entry for each kind")]
fn hidden_story() -> Vec<EventKind> {
    let phase = |name: &str| secret(name).parse().unwrap();
    let result = HypothesisResult {
        hypothesis: secret("H1").parse().unwrap(),
        verdict: Verdict::Refuted,
        observations: Vec::new(),
    };
    let step = |step: &str, owner: &str, playbook: Option<&str>| EventKind::StepOpened {
        step: step.parse().unwrap(),
        text: format!("{SECRET} {step}"),
        owner: Some(owner.parse().unwrap()),
        due_ms: Some(40_000),
        must: true,
        playbook: playbook.map(|it| it.parse().unwrap()),
        asks: StepAsks::default(),
    };
    let timed = |step: &str, due_ms: u64| EventKind::StepTimed { step: step.parse().unwrap(), due_ms };
    vec![
        EventKind::RunStarted {
            format: 1,
            run: format!("2026-11-28-120000-{SECRET}").parse().unwrap(),
            scenario: secret("scenario").parse().unwrap(),
            title: secret("title"),
            environment: "sandbox".to_owned(),
            version: "0".to_owned(),
            seed: 1,
            plan_sha256: SECRET.to_owned(),
            process: 1,
        },
        EventKind::ProcessStarted {
            process: crate::event::ProcessKind::Proxy,
            pid: 1,
            address: format!("/run/{SECRET}.sock"),
        },
        EventKind::ReadinessPassed { checks: vec![secret("check")] },
        EventKind::PhaseStarted { phase: phase("calm") },
        EventKind::LoadStarted { load: secret("load").parse().unwrap(), pid: 1 },
        EventKind::LoadRecorded(second()),
        EventKind::GuardrailRead {
            guardrail: secret("G1").parse().unwrap(),
            reading: SECRET.to_owned(),
            nearness: None,
        },
        step("brief", "facilitator", None),
        EventKind::StepOverdue { step: "brief".parse().unwrap() },
        EventKind::GateJudged { phase: phase("calm"), open: true, results: vec![result.clone()] },
        EventKind::PhaseEnded { phase: phase("calm"), why: PhaseEnd::TimeUp },
        EventKind::PhaseStarted { phase: phase("slow") },
        step("claim", "responder", Some("pb")),
        step_after("status", &format!("fault({})", secret("lag"))),
        step_after("answer", &format!("inject({})", secret("note"))),
        step_after("page", &format!("alarm({})", secret("alarm"))),
        step_after("follow", &format!("step({})", secret("brief"))),
        EventKind::FaultIntended {
            identity: identity(),
            fault_kind: SECRET.to_owned(),
            target: secret("shop").parse().unwrap(),
            change: SECRET.to_owned(),
            undo: SECRET.to_owned(),
        },
        EventKind::FaultArmed { identity: identity(), undo_sha256: SECRET.to_owned() },
        EventKind::FaultApplied { identity: identity() },
        EventKind::FaultEffective { identity: identity(), evidence: SECRET.to_owned(), first_ms: None },
        timed("status", HIDDEN_MS),
        EventKind::StepOverdue { step: "status".parse().unwrap() },
        EventKind::Noted { text: secret("note"), by: Some("joonas".to_owned()) },
        EventKind::InjectDelivered {
            inject: secret("note").parse().unwrap(),
            to: "facilitator".parse().unwrap(),
            text: SECRET.to_owned(),
            by: None,
        },
        timed("answer", HIDDEN_MS),
        EventKind::BlockStarted {
            playbook: secret("pb").parse().unwrap(),
            block: secret("look"),
            readonly: true,
            by: Some("joonas".to_owned()),
        },
        EventKind::BlockEnded {
            playbook: secret("pb").parse().unwrap(),
            block: secret("look"),
            ok: false,
            why: Some(SECRET.to_owned()),
            by: Some("joonas".to_owned()),
        },
        EventKind::ActionSkipped { action: SECRET.to_owned(), why: SECRET.to_owned() },
        EventKind::PredictionSealed { hypothesis: secret("H1").parse().unwrap(), sha256: SECRET.to_owned(), by: None },
        EventKind::GuardrailWarned { guardrail: secret("G1").parse().unwrap(), observed: SECRET.to_owned() },
        EventKind::HypothesisJudged(result),
        EventKind::LoadLost { load: secret("load").parse().unwrap(), why: SECRET.to_owned() },
        EventKind::GuardrailTripped { guardrail: secret("G1").parse().unwrap(), observed: SECRET.to_owned() },
        EventKind::RunAborted { cause: AbortCause::Guardrail { guardrail: secret("G1").parse().unwrap() } },
        EventKind::RunAborted { cause: AbortCause::FaultFailed { fault: secret("lag").parse().unwrap() } },
        EventKind::RunAborted {
            cause: AbortCause::Person { why: Some(SECRET.to_owned()), by: Some("joonas".to_owned()) },
        },
        EventKind::RunDirty { left: vec![SECRET.to_owned()] },
    ]
}

fn events(kinds: Vec<EventKind>) -> Vec<Event> {
    let at = |seq: u64| DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(seq).unwrap());
    (0..).zip(kinds).map(|(seq, kind)| Event { seq, at: at(seq), elapsed_ms: seq * 1_000, kind }).collect()
}

/// Everything that a view can draw, as text.
fn drawn(board: &Board) -> String {
    let now_ms = board.state().elapsed_ms;
    let parts = serde_json::json!([
        board.state(),
        board.lines(),
        board.clock(now_ms),
        board.next(now_ms),
        board.loads(),
        board.faults(now_ms),
        board.guardrails(),
        board.steps(now_ms),
        board.injects(),
        board.hints(),
    ]);
    format!("{parts} {:?}", board.series())
}

fn board(view: View, is_blind: bool) -> Board {
    Board::new(Arc::new(plan(is_blind)), view)
}

#[test]
fn a_blind_participant_is_told_nothing_before_it_is_revealed_and_everything_then() {
    let mut board = board(View::Participant, true);
    let mut facilitator = self::board(View::Facilitator, true);
    for event in events(hidden_story()) {
        facilitator.apply(&event);
        board.apply(&event);
        let drawn = drawn(&board);
        for hidden in HIDDEN.into_iter().chain([SECRET]) {
            assert!(!drawn.contains(hidden), "{:?} gives {hidden} away:\n{drawn}", event.kind);
        }
    }
    assert_eq!(board.clock(20_000).phase.map(|phase| phase.name).as_deref(), Some("part-2"));
    assert_eq!(board.lines().iter().filter(|line| line.text == "aborted; undoing everything").count(), 3);
    let revealed = EventKind::Revealed { fault: None, by: Some("joonas".to_owned()) };
    tell(&mut board, revealed.clone());
    tell(&mut facilitator, revealed);
    let drawn = drawn(&board);
    for name in ["title", "slow", "lag", "shop", "H1", "note"] {
        assert!(drawn.contains(&secret(name)), "{name} is still hidden:\n{drawn}");
    }
    assert_eq!(board.state(), facilitator.state());
    let of_a_phase = board.steps(0).into_iter().filter(|row| row.phase.as_deref() == Some(&secret("slow")));
    assert_eq!(of_a_phase.count(), 5);
    assert!(board.lines().iter().any(|line| line.text == format!("note by joonas: {}", secret("note"))));
}

/// Tells a board what happens a second after the last that it knows.
fn tell(board: &mut Board, kind: EventKind) {
    let (seq, elapsed_ms) = (board.seq().map_or(0, |seq| seq + 1), board.state().elapsed_ms + 1_000);
    board.apply(&Event { seq, at: DateTime::UNIX_EPOCH, elapsed_ms, kind });
}

/// The time of a step, and what that is counted from.
fn time_of(board: &Board, step: &str) -> (StepTime, Option<String>) {
    let row = board.steps(board.state().elapsed_ms).into_iter().find(|row| row.step == step).unwrap();
    (row.time, row.asks.within.map(|within| within.to_string()))
}

#[test]
fn one_fault_is_revealed_alone() {
    let mut board = board(View::Participant, true);
    let mut kinds = hidden_story();
    kinds.truncate(count_to_effect());
    events(kinds).iter().for_each(|event| board.apply(event));
    let timed = EventKind::StepTimed { step: "status".parse().unwrap(), due_ms: 321_000 };
    tell(&mut board, timed);
    // So long the time of the step does not run.
    let at_ms = board.state().elapsed_ms;
    tell(&mut board, EventKind::RunPaused { by: None });
    tell(&mut board, EventKind::RunResumed { by: None });
    assert_eq!(time_of(&board, "status"), (StepTime::Untimed, None));
    tell(&mut board, EventKind::Revealed { fault: Some(secret("lag").parse().unwrap()), by: None });
    let after = format!("5m after fault({})", secret("lag"));
    assert_eq!(time_of(&board, "status"), (StepTime::Due(322_000 - at_ms - 3_000), Some(after)));
    assert_eq!(time_of(&board, "answer"), (StepTime::Untimed, None));
    assert_eq!(board.faults(30_000).len(), 1);
    assert!(board.loads().is_empty() && board.next(30_000).is_empty() && board.guardrails().is_empty());
    assert!(!serde_json::to_string(&board.state().phases).unwrap().contains(SECRET));
}

#[test]
fn the_time_of_a_step_is_shown_once_players_know_what_it_is_counted_from() {
    let mut board = board(View::Participant, true);
    events(hidden_story().into_iter().take(4).collect()).iter().for_each(|event| board.apply(event));
    for (step, anchor) in
        [("mark", "mark(detected)"), ("read", "inject(ticket)"), ("page", "alarm(a-1)"), ("then", "step(later)")]
    {
        tell(&mut board, step_after(step, anchor));
    }
    assert_eq!(time_of(&board, "mark"), (StepTime::Untimed, Some("5m after mark(detected)".to_owned())));
    for step in ["read", "page", "then"] {
        assert_eq!(time_of(&board, step), (StepTime::Untimed, None));
    }
    let (inject, to) = ("ticket".parse().unwrap(), "responder".parse().unwrap());
    tell(&mut board, EventKind::InjectDelivered { inject, to, text: "help".to_owned(), by: None });
    let alarm = |to: &str| {
        serde_json::from_value(serde_json::json!({"alarm_transitioned": {
            "alarm": "a-1", "from": null, "to": to, "at_ms": 0, "transitioned_at": "2026-03-10T10:02:51Z", "is_exact": true, "reason": "",
        }}))
        .unwrap()
    };
    tell(&mut board, alarm("OK"));
    assert_eq!(time_of(&board, "page"), (StepTime::Untimed, None));
    tell(&mut board, alarm("ALARM"));
    tell(&mut board, step_after("later", "ack()"));
    for (step, anchor) in [("read", "inject(ticket)"), ("page", "alarm(a-1)"), ("then", "step(later)")] {
        let due_ms = board.state().elapsed_ms + 301_000;
        tell(&mut board, EventKind::StepTimed { step: step.parse().unwrap(), due_ms });
        assert_eq!(time_of(&board, step), (StepTime::Due(300_000), Some(format!("5m after {anchor}"))));
    }
}

#[test]
fn a_playbook_is_shown_once_somebody_knows_that_something_is_wrong_in_its_phase() {
    let mut board = board(View::Participant, true);
    let mut kinds = hidden_story();
    kinds.truncate(count_to_effect());
    events(kinds).iter().for_each(|event| board.apply(event));
    let is_shown = |board: &Board, step: &str| board.steps(20_000).iter().any(|row| row.step == step);
    let mark = |name: &str| EventKind::Marked {
        name: name.to_owned(),
        fault: None,
        by: Some("aiko".to_owned()),
        component: None,
        text: None,
    };
    tell(&mut board, mark("surprised"));
    assert!(!is_shown(&board, "claim"), "nobody knows of anything yet");
    tell(&mut board, EventKind::Acknowledged { by: Some("aiko".to_owned()) });
    let steps = board.steps(20_000);
    let claim = steps.iter().find(|row| row.step == "claim").unwrap();
    assert_eq!(claim.time, StepTime::Due(20_000));
    assert!(!is_shown(&board, "brief"), "what is the facilitator's stays so");

    let of_playbook = |step: &str| EventKind::StepOpened {
        step: step.parse().unwrap(),
        text: step.to_owned(),
        owner: None,
        due_ms: None,
        must: false,
        playbook: Some("pb".parse().unwrap()),
        asks: StepAsks::default(),
    };
    for (phase, step) in [("third", "look"), ("fourth", "mend")] {
        tell(&mut board, EventKind::PhaseStarted { phase: secret(phase).parse().unwrap() });
        tell(&mut board, of_playbook(step));
        assert!(!is_shown(&board, step), "what is known of the phase before says nothing of this one");
    }
    tell(&mut board, mark("detected"));
    assert!(is_shown(&board, "mend") && !is_shown(&board, "look"));
}

#[test]
fn what_players_say_is_shown_to_players_and_what_the_facilitator_notes_is_not() {
    let mut board = board(View::Participant, true);
    let note = |by: &str| EventKind::Noted { text: format!("by {by}"), by: Some(by.to_owned()) };
    let mark = |by: &str| EventKind::Marked {
        name: "diagnosed".to_owned(),
        fault: Some(secret("lag").parse().unwrap()),
        by: Some(by.to_owned()),
        component: Some("payments".parse().unwrap()),
        text: Some(format!("it is {by}")),
    };
    let block = |by: &str| EventKind::BlockStarted {
        playbook: "pb".parse().unwrap(),
        block: "look".to_owned(),
        readonly: true,
        by: Some(by.to_owned()),
    };
    let abort = |by: &str| EventKind::RunAborted {
        cause: AbortCause::Person { why: Some("enough".to_owned()), by: Some(by.to_owned()) },
    };
    let kinds = vec![
        join("responder", "aiko"),
        join("facilitator", "joonas"),
        note("aiko"),
        note("joonas"),
        mark("aiko"),
        mark("joonas"),
        block("aiko"),
        block("joonas"),
        abort("aiko"),
        abort("joonas"),
    ];
    events(kinds).iter().for_each(|event| board.apply(event));
    assert_eq!(
        told(&board),
        [
            "responder is here by aiko",
            "facilitator is here by joonas",
            "note by aiko: by aiko",
            "mark diagnosed payments by aiko: it is aiko",
            "mark diagnosed by joonas",
            "look of pb is run by aiko",
            "aborted by aiko: enough; undoing everything",
            "aborted; undoing everything",
        ]
    );
}

fn join(role: &str, by: &str) -> EventKind {
    EventKind::Joined { role: role.parse().unwrap(), by: Some(by.to_owned()) }
}

fn told(board: &Board) -> Vec<&str> {
    board.lines().iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn nobody_lets_the_notes_of_an_organiser_be_read_by_taking_their_name() {
    let mut plan = plan(true);
    plan.scenario.people.get_mut("facilitator").unwrap().who = "joonas".to_owned();
    let mut board = Board::new(Arc::new(plan), View::Participant);
    let note = |by: &str| EventKind::Noted { text: "noted".to_owned(), by: Some(by.to_owned()) };
    // By the plan, by a role that was taken, and what the program itself notes.
    tell(&mut board, join("scribe", "sakura"));
    for name in ["joonas", "sakura", "gameday"] {
        tell(&mut board, join("responder", name));
        tell(&mut board, note(name));
    }
    assert_eq!(told(&board).iter().filter(|line| line.starts_with("note")).count(), 0);
    // Several people may play one role.
    for name in ["aiko", "ben"] {
        tell(&mut board, join("responder", name));
    }
    tell(&mut board, note("aiko"));
    tell(&mut board, note("ben"));
    assert_eq!(&told(&board)[6..], ["note by aiko: noted", "note by ben: noted"]);
}

#[test]
fn a_role_that_the_plan_calls_blind_plays_whatever_its_name() {
    let mut plan = plan(true);
    plan.scenario.people.insert(
        "operator".parse().unwrap(),
        crate::scenario::Person { who: "ben".to_owned(), required: false, blind: true },
    );
    let mut board = Board::new(Arc::new(plan), View::Participant);
    for owner in ["operator", "safety"] {
        tell(
            &mut board,
            EventKind::StepOpened {
                step: format!("of-{owner}").parse().unwrap(),
                text: "look".to_owned(),
                owner: Some(owner.parse().unwrap()),
                due_ms: None,
                must: false,
                playbook: None,
                asks: StepAsks::default(),
            },
        );
    }
    tell(&mut board, join("operator", "ben"));
    tell(&mut board, EventKind::Noted { text: "noted".to_owned(), by: Some("ben".to_owned()) });
    assert_eq!(board.steps(0).iter().map(|row| row.step.as_str()).collect::<Vec<_>>(), ["of-operator"]);
    assert_eq!(told(&board).last(), Some(&"note by ben: noted"));
}

fn note_of(seq: u64, length: usize) -> Event {
    let kind = EventKind::Noted { text: "n".repeat(length), by: Some("joonas".to_owned()) };
    Event { seq, at: DateTime::UNIX_EPOCH, elapsed_ms: seq, kind }
}

#[test]
fn what_is_kept_back_has_bounds_and_the_reveal_says_what_is_not_shown() {
    let mut board = board(View::Participant, true);
    let mut kinds = hidden_story();
    kinds.truncate(count_to_effect());
    events(kinds).iter().for_each(|event| board.apply(event));
    let mut seq = board.seq().unwrap() + 1;
    for _ in 0..KEPT_EVENTS_MAX + 100 {
        board.apply(&note_of(seq, 3));
        seq += 1;
    }
    let revealed = EventKind::Revealed { fault: None, by: None };
    let shown = board.pass(&Event { seq, at: DateTime::UNIX_EPOCH, elapsed_ms: seq, kind: revealed });
    let Some(Event { kind: EventKind::Noted { text, by: Some(by) }, .. }) = shown.first() else { panic!() };
    assert!(text.contains(" earlier lines are not shown") && by == "gameday", "{text}");
    assert_eq!(shown.len(), KEPT_EVENTS_MAX + 2);
    // The fault's events are older than every note, and are still there.
    assert!(shown.iter().any(|event| matches!(event.kind, EventKind::FaultIntended { .. })));
    assert_eq!(board.state().people.journal.len(), KEPT_EVENTS_MAX + 100, "how the run stands does not rest on them");
}

#[test]
fn long_notes_are_kept_up_to_some_bytes_and_what_is_superseded_is_not_kept() {
    let mut kept = Kept::default();
    (0..1_000).for_each(|seq| kept.push(&note_of(seq, 60_000), 0));
    let (count, byte_count) = kept.size();
    assert!((100..150).contains(&count) && byte_count <= KEPT_BYTES_MAX, "{count} {byte_count}");
    assert_eq!(kept.take_all().1, 1_000 - count);
    assert_eq!(kept.size(), (0, 0));

    let json = |kind: serde_json::Value| {
        kept.push(
            &Event { seq: 0, at: DateTime::UNIX_EPOCH, elapsed_ms: 0, kind: serde_json::from_value(kind).unwrap() },
            0,
        );
    };
    let kinds = [
        serde_json::json!({"lock_taken": {"expires_at": "2026-03-10T10:02:51Z"}}),
        serde_json::json!({"voted": {"step": "go", "role": "ops", "go": true, "by": null}}),
        serde_json::json!({"signal_sampled": {"signal": "s", "value": 1.0}}),
        serde_json::json!({"guardrail_read": {"guardrail": "G1", "reading": "1"}}),
    ];
    (0..10).flat_map(|_| kinds.clone()).for_each(json);
    assert_eq!(kept.size().0, 2);
}

#[test]
fn a_facilitator_and_a_drill_without_blind_people_see_everything_at_once() {
    for (view, is_blind) in [(View::Facilitator, true), (View::Participant, false)] {
        let mut board = board(view, is_blind);
        events(hidden_story()).iter().take(count_to_effect()).for_each(|event| board.apply(event));
        assert!(board.is_open());
        assert_eq!(board.faults(17_000).len(), 1);
        assert_eq!(board.loads().len(), 1);
        assert_eq!(board.guardrails()[0].reading.as_deref(), Some(SECRET));
        let left: Vec<String> = board.next(12_000).into_iter().map(|row| row.text).collect();
        assert_eq!(left, ["the end of the timeline"]);
    }
    let facilitator = board(View::Facilitator, true);
    assert_eq!((facilitator.injects().len(), facilitator.hints().len()), (2, 1));
    assert!(
        board(View::Participant, false).hints().is_empty(),
        "a hint that was not given is nobody's but the facilitator's"
    );
}

#[test]
fn the_clock_stands_still_in_a_pause_and_says_what_it_waits_for() {
    let mut board = board(View::Facilitator, false);
    let mut kinds = hidden_story();
    kinds.truncate(4);
    events(kinds).iter().for_each(|event| board.apply(event));
    // The phase began after 3 s and lasts 10.
    let row = board.clock(8_000).phase.unwrap();
    assert_eq!((row.number, row.count, row.elapsed_ms, row.left_ms), (1, Some(2), 5_000, Some(5_000)));
    board.apply(&Event {
        seq: 4,
        at: DateTime::UNIX_EPOCH,
        elapsed_ms: 8_000,
        kind: EventKind::RunPaused { by: None },
    });
    assert_eq!(board.clock(60_000).phase.unwrap().left_ms, Some(5_000));
    let resumed = EventKind::RunResumed { by: None };
    board.apply(&Event { seq: 5, at: DateTime::UNIX_EPOCH, elapsed_ms: 60_000, kind: resumed });
    assert_eq!(board.clock(61_000).phase.unwrap().left_ms, Some(4_000));
    let next: Vec<(u64, String)> = board.next(61_000).into_iter().map(|row| (row.in_ms, row.text)).collect();
    assert_eq!(
        next,
        [
            (4_000, format!("fault {}", secret("lag"))),
            (4_000, format!("phase {}", secret("slow"))),
            (24_000, "the end of the timeline".to_owned()),
        ]
    );
    assert_eq!(board.clock(70_000).phase.unwrap().waits_for, ["responder to join"]);
}
