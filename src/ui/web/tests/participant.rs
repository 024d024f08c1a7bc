//! What whoever has the participants' link can do and learn.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::super::gate::NOT_NOW;
use super::{Rig, Stream, rig, rig_of};
use crate::event::{EventKind, EventLog, RunOutcome, StepAsks};
use crate::plan::testing::Sketch;
use crate::scenario::Mode;
use crate::ui::board::View;

/// Opens a step for a role, and asks for what is said of it.
fn open_step(log: &EventLog, step: &str, owner: &str, asks: StepAsks) {
    log.append(EventKind::StepOpened {
        step: step.parse().unwrap(),
        text: format!("do {step}"),
        owner: Some(owner.parse().unwrap()),
        due_ms: None,
        must: false,
        playbook: None,
        asks,
    })
    .unwrap();
}

/// A blind participant whose board has the step `mine` and the poll `poll`, while `theirs` is open too.
async fn blind() -> (Rig, String) {
    let rig = rig();
    let cookie = rig.enter(View::Participant).await;
    let role = |role: &str| role.parse().unwrap();
    open_step(&rig.log, "theirs", "owner", StepAsks::default());
    open_step(
        &rig.log,
        "mine",
        "business",
        StepAsks { evidence: Some(crate::unit::Evidence::Link), ..StepAsks::default() },
    );
    open_step(
        &rig.log,
        "poll",
        "business",
        StepAsks { poll: vec![role("operator"), role("owner")], ..StepAsks::default() },
    );
    rig.log.append(EventKind::Acknowledged { by: None }).unwrap();
    Stream::open(&rig, View::Participant, &cookie, None).await.lines_up_to("acknowledged").await;
    (rig, cookie)
}

#[tokio::test]
async fn a_blind_participant_learns_nothing_from_what_is_refused() {
    let (rig, cookie) = blind().await;
    let predict = |hypothesis: &str| json!({ "predict": { "hypothesis": hypothesis, "holds": true, "note": null } });
    // Neither what there is nor when it changes: none of these is asked of the run.
    for command in [
        predict("H1"),
        predict("zzz"),
        json!({ "step_done": { "step": "theirs" } }),
        json!({ "step_done": { "step": "zzz" } }),
        json!({ "step_skipped": { "step": "theirs", "why": null } }),
        json!({ "step_skipped": { "step": "zzz", "why": null } }),
        json!({ "vote": { "step": "theirs", "role": "operator", "go": true } }),
        json!({ "vote": { "step": "zzz", "role": "operator", "go": true } }),
        json!({ "mark": { "name": "failed-ove", "fault": null } }),
    ] {
        assert_eq!(rig.told(&cookie, &command).await, (409, NOT_NOW.to_owned()), "{command}");
    }
    assert_eq!(*rig.taken.lock().unwrap(), []);
    // What is asked is answered in words that name nothing.
    *rig.why.lock().unwrap() = Some("unknown thing: those of the plan are `dark`, `payments`".to_owned());
    let link = "`mine` asks for a link";
    for (command, words) in [
        (json!({ "ack": {} }), NOT_NOW),
        (json!({ "note": { "text": "x" } }), NOT_NOW),
        (json!({ "mark": { "name": "detected", "fault": null } }), NOT_NOW),
        (json!({ "mark": { "name": "diagnosed", "fault": null, "component": "zzz" } }), "ask the facilitator"),
        (json!({ "step_done": { "step": "mine" } }), link),
        (json!({ "step_done": { "step": "mine", "evidence": "https://example.com/1" } }), NOT_NOW),
        (json!({ "step_skipped": { "step": "mine", "why": null } }), NOT_NOW),
        (json!({ "vote": { "step": "poll", "role": "operator", "go": true } }), NOT_NOW),
        (json!({ "join": { "role": "operator" } }), NOT_NOW),
        (json!({ "abort": { "why": null } }), NOT_NOW),
    ] {
        let (status, said) = rig.told(&cookie, &command).await;
        assert!(status == 409 && said.contains(words), "{command}: {said}");
        assert!(!said.contains("payments") && !said.contains("dark"), "{command}: {said}");
    }
    assert_eq!(rig.taken.lock().unwrap().len(), 10);
    // Once everything is revealed, the run's own words help most.
    rig.log.append(EventKind::Revealed { fault: None, by: None }).unwrap();
    Stream::open(&rig, View::Participant, &cookie, None).await.lines_up_to("everything is revealed").await;
    assert!(rig.told(&cookie, &predict("zzz")).await.1.contains("those of the plan"));
}

#[tokio::test]
async fn from_the_participants_link_everybody_speaks_for_their_own_role() {
    let (rig, cookie) = blind().await;
    let vote = |role: &str| json!({ "vote": { "step": "poll", "role": role, "go": true } });
    assert_eq!(rig.told(&cookie, &vote("owner")).await.0, 403);
    assert_eq!(rig.told(&cookie, &json!({ "join": { "role": "owner" } })).await.0, 403);
    for role in ["owner", "nobody"] {
        let status = rig.say(View::Participant, &cookie, json!({ "name": "maria", "role": role })).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{role}");
    }
    let skip = json!({ "step_skipped": { "step": "poll", "why": "late" } });
    assert_eq!(rig.told(&cookie, &skip).await.0, 403, "nor do they pass over a go/no-go");
    assert_eq!(*rig.taken.lock().unwrap(), []);
    assert_eq!(rig.told(&cookie, &vote("operator")).await.0, 200);
    let facilitator = rig.enter(View::Facilitator).await;
    assert_eq!(rig.command(View::Facilitator, &facilitator, vote("owner")).await, StatusCode::OK);
    assert_eq!(rig.command(View::Facilitator, &facilitator, skip).await, StatusCode::OK);
    let frame = Stream::open(&rig, View::Participant, &cookie, None).await.next().await.unwrap();
    assert_eq!(frame["sections"]["plan"]["roles"], json!(["business", "operator"]));
}

#[tokio::test]
async fn a_blind_participant_has_a_role() {
    let rig = rig();
    let cookie = rig.open(View::Participant).await;
    let say = |body: Value| rig.say(View::Participant, &cookie, body);
    assert_eq!(say(json!({ "name": "maria" })).await, StatusCode::CONFLICT);
    assert_eq!(say(json!({ "name": "maria", "role": "business" })).await, StatusCode::OK);
    let facilitator = rig.open(View::Facilitator).await;
    assert_eq!(rig.say(View::Facilitator, &facilitator, json!({ "name": "ann" })).await, StatusCode::OK);

    let open = rig_of(Sketch::new(Mode::Drill).person("operator", false, false).phase("day", 600).plan());
    let cookie = open.open(View::Participant).await;
    assert_eq!(open.say(View::Participant, &cookie, json!({ "name": "maria" })).await, StatusCode::OK);
}

#[tokio::test]
async fn no_participant_goes_by_the_name_of_whoever_runs_the_game_day() {
    let rig = rig();
    let by = |name: &str| Some(name.to_owned());
    rig.log.append(EventKind::Joined { role: "owner".parse().unwrap(), by: by("Olga  M") }).unwrap();
    rig.log.append(EventKind::Joined { role: "operator".parse().unwrap(), by: by("paul") }).unwrap();
    rig.log.append(EventKind::RunPaused { by: by("joonas") }).unwrap();
    rig.log.append(EventKind::Acknowledged { by: None }).unwrap();
    let cookie = rig.open(View::Participant).await;
    Stream::open(&rig, View::Participant, &cookie, None).await.lines_up_to("acknowledged").await;
    let say = |name: &str| rig.say(View::Participant, &cookie, json!({ "name": name, "role": "operator" }));
    // In the plan, everybody is called as their role.
    for name in ["olga m", "Joonas", "owner", "GameDay"] {
        assert_eq!(say(name).await, StatusCode::CONFLICT, "{name}");
    }
    assert_eq!(say("paul").await, StatusCode::OK, "whoever plays from a shell may play from a page");
    let facilitator = rig.open(View::Facilitator).await;
    assert_eq!(rig.say(View::Facilitator, &facilitator, json!({ "name": "joonas" })).await, StatusCode::OK);
}

#[tokio::test]
async fn how_a_run_came_out_is_hidden_with_all_else() {
    let rig = rig();
    let cookies = [rig.open(View::Facilitator).await, rig.open(View::Participant).await];
    rig.log.append(EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 3 }).unwrap();
    let mut seen = Vec::new();
    for (view, cookie) in [View::Facilitator, View::Participant].into_iter().zip(&cookies) {
        let mut stream = Stream::open(&rig, view, cookie, None).await;
        let run = loop {
            let run = stream.next().await.unwrap()["sections"]["run"].clone();
            if run["is_over"] == true {
                break run;
            }
        };
        seen.push((run["exit_code"].clone(), run["outcome"].is_null()));
    }
    assert_eq!(seen, [(json!(3), false), (Value::Null, true)]);
}
