//! What a viewer sees, and what they must not.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta};

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

/// An event of each kind that may give something away, in the order of a run, up to the moment before anybody has noticed.
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
        EventKind::Noted { text: secret("note"), by: Some("joonas".to_owned()) },
        EventKind::InjectDelivered {
            inject: secret("note").parse().unwrap(),
            to: "facilitator".parse().unwrap(),
            text: SECRET.to_owned(),
            by: None,
        },
        EventKind::ActionSkipped { action: SECRET.to_owned(), why: SECRET.to_owned() },
        EventKind::PredictionSealed { hypothesis: secret("H1").parse().unwrap(), sha256: SECRET.to_owned(), by: None },
        EventKind::GuardrailWarned { guardrail: secret("G1").parse().unwrap(), observed: SECRET.to_owned() },
        EventKind::HypothesisJudged(result),
        EventKind::LoadLost { load: secret("load").parse().unwrap(), why: SECRET.to_owned() },
        EventKind::RunAborted { cause: AbortCause::FaultFailed { fault: secret("lag").parse().unwrap() } },
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
    let story = events(hidden_story());
    let count = story.len() as u64;
    for event in story {
        board.apply(&event);
        let drawn = drawn(&board);
        assert!(!drawn.contains(SECRET), "{:?} gives it away:\n{drawn}", event.kind);
    }
    assert_eq!(board.clock(20_000).phase.map(|phase| phase.name).as_deref(), Some("part-2"));
    let revealed = EventKind::Revealed { fault: None, by: Some("joonas".to_owned()) };
    board.apply(&Event { seq: count, at: DateTime::UNIX_EPOCH, elapsed_ms: count * 1_000, kind: revealed });
    let drawn = drawn(&board);
    for name in ["title", "slow", "lag", "shop", "H1", "note"] {
        assert!(drawn.contains(&secret(name)), "{name} is still hidden:\n{drawn}");
    }
    assert_eq!(board.state().faults.len(), 1);
    assert_eq!(board.state().elapsed_ms, count * 1_000);
}

#[test]
fn one_fault_is_revealed_alone() {
    let mut board = board(View::Participant, true);
    let mut kinds = hidden_story();
    kinds.truncate(17);
    kinds.push(EventKind::Revealed { fault: Some(secret("lag").parse().unwrap()), by: None });
    events(kinds).iter().for_each(|event| board.apply(event));
    assert_eq!(board.faults(30_000).len(), 1);
    assert!(board.loads().is_empty() && board.next(30_000).is_empty() && board.guardrails().is_empty());
    assert!(!serde_json::to_string(&board.state().phases).unwrap().contains(SECRET));
}

#[test]
fn a_playbook_is_shown_once_somebody_knows_that_something_is_wrong() {
    let mut board = board(View::Participant, true);
    let mut kinds = hidden_story();
    kinds.truncate(17);
    events(kinds).iter().for_each(|event| board.apply(event));
    assert!(board.steps(20_000).is_empty());
    let mark = EventKind::Acknowledged { by: Some("aiko".to_owned()) };
    board.apply(&Event { seq: 17, at: DateTime::UNIX_EPOCH, elapsed_ms: 17_000, kind: mark });
    let steps = board.steps(20_000);
    let [step] = steps.as_slice() else { panic!("{steps:?}") };
    assert_eq!((step.step.as_str(), &step.time), ("claim", &StepTime::Due(20_000)));
    assert!(board.steps(20_000).iter().all(|step| step.step != "brief"), "what is the facilitator's stays so");
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
    let join = |role: &str, by: &str| EventKind::Joined { role: role.parse().unwrap(), by: Some(by.to_owned()) };
    let kinds = vec![
        join("responder", "aiko"),
        join("facilitator", "joonas"),
        note("aiko"),
        note("joonas"),
        mark("aiko"),
        mark("joonas"),
    ];
    events(kinds).iter().for_each(|event| board.apply(event));
    let text: Vec<&str> = board.lines().iter().map(|line| line.text.as_str()).collect();
    assert_eq!(
        text,
        [
            "responder is here by aiko",
            "facilitator is here by joonas",
            "note by aiko: by aiko",
            "mark diagnosed payments by aiko: it is aiko",
            "mark diagnosed by joonas",
        ]
    );
}

#[test]
fn a_facilitator_and_a_drill_without_blind_people_see_everything_at_once() {
    for (view, is_blind) in [(View::Facilitator, true), (View::Participant, false)] {
        let mut board = board(view, is_blind);
        events(hidden_story()).iter().take(17).for_each(|event| board.apply(event));
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
