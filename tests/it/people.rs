//! People from a shell: a table with cards, a poll that says no-go, and times that follow from the recorded events.

use gameday::event::{Event, EventKind, StepOutcome};
use serde_json::Value;

use crate::support::{Output, Run, Workspace};

const WORKLOAD: &str = "gameday: 1\npurpose: Sell things.\nteams: {team-shop: {members: [maria, joonas, aiko]}}\ncomponents:\n  payments: \
                        {owner: team-shop, lambda: {function: payments-fn}}\n  checkout: {owner: team-shop, lambda: {function: \
                        checkout-fn}}\n";

const TABLE: &str = r#"
gameday: 1
id: table
title: A table
owner: team-shop
mode: tabletop
people: {facilitator: {who: joonas}, responder: {who: aiko, required: true}, owner: {who: maria}}
targets: {payments-fn: {lambda: {function: payments-fn}}}
hypotheses:
  - {id: H1, text: "Somebody leads", expect: "mark(detected)"}
  - {id: H2, text: "Nobody waits for it", expect: "steps(pb, must) == 100%"}
faults:
  lost: {lambda_concurrency: {target: payments-fn, reserved: 0}, card: "Nothing is paid any more."}
injects: {mail: {to: responder, text: "Is it you?"}}
hints: [{id: h1, text: "Look at the function."}]
timeline:
  - {phase: calm, for: 1s}
  - phase: lost
    for: 10m
    until: "mark(recovered)"
    playbook: pb
    do: [{at: 0s, fault: lost}]
    checklist: [{id: tell, do: "Tell the business", owner: responder, within: 5m after mark(detected)}]
"#;

const PLAYBOOK: &str = "---\nid: pb\ntitle: Lost\nowner: team-shop\ncomponents: [payments]\n---\n# Lost\n\n## 1. Confirm\n- [ ] How many? `id:count` \
                        `owner:responder` `evidence:number` `must`\n- [ ] Stop it `id:stop` `needs:owner`\n";

fn workspace(scenario: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("workload.yaml", WORKLOAD);
    workspace.write("playbooks/pb.md", PLAYBOOK);
    workspace.write("scenarios/people.yaml", scenario);
    workspace
}

/// A run that people take part in: somebody could open its page.
fn start(workspace: &Workspace) -> Run {
    workspace.start(&["run", "scenarios/people.yaml", "--serve"])
}

fn say(workspace: &Workspace, words: &[&str]) {
    let output = workspace.gameday(words);
    assert_eq!(output.code(), 0, "{words:?}: {output:#?}");
}

fn refused(workspace: &Workspace, words: &[&str], why: &str) {
    let output = workspace.gameday(words);
    assert_eq!(output.code(), 1, "{words:?}: {output:#?}");
    assert!(output.stderr.contains(why), "{words:?}: {}", output.stderr);
}

fn at(events: &[Event], is_it: impl Fn(&EventKind) -> bool) -> u64 {
    events.iter().find(|event| is_it(&event.kind)).expect("such an event").elapsed_ms
}

fn marked(events: &[Event], mark: &str, named: Option<&str>) -> u64 {
    at(events, |kind| match kind {
        EventKind::Marked { name, component, .. } => {
            name == mark && (named.is_none() || component.as_ref().map(|it| it.as_str()) == named)
        }
        _ => false,
    })
}

fn report(output: &Output, workspace: &Workspace) -> Value {
    let folder = workspace.run_folder().unwrap_or_else(|| panic!("{output:#?}"));
    serde_json::from_str(&std::fs::read_to_string(folder.join("report.json")).expect("a report")).expect("JSON")
}

#[test]
fn at_a_table_times_run_from_the_card_and_follow_from_what_was_recorded() {
    let workspace = workspace(TABLE);
    let run = start(&workspace);
    workspace.wait_for_event("the first phase", |kind| matches!(kind, EventKind::PhaseStarted { .. }));
    say(&workspace, &["predict", "H1", "fails", "--note", "nobody reads mails", "--by", "maria"]);
    refused(&workspace, &["inject", "male"], "there is no inject `male`; there is mail");
    say(&workspace, &["join", "responder", "--by", "aiko"]);
    workspace.wait_for_event("the card", |kind| matches!(kind, EventKind::CardDealt { .. }));
    refused(&workspace, &["predict", "H1", "holds"], "before the first fault");
    say(&workspace, &["inject", "mail", "--by", "joonas"]);
    say(&workspace, &["mark", "detected", "--by", "aiko", "the", "board", "is", "red"]);
    say(&workspace, &["ack", "--by", "aiko"]);
    say(&workspace, &["hint", "--by", "joonas"]);
    say(&workspace, &["mark", "diagnosed", "--component", "checkout", "--by", "aiko"]);
    say(&workspace, &["mark", "diagnosed", "--component", "payments", "--by", "aiko"]);
    refused(&workspace, &["step", "done", "count", "--by", "aiko"], "asks for a number");
    say(&workspace, &["step", "done", "count", "--evidence", "17/min", "--by", "aiko"]);
    refused(&workspace, &["step", "done", "stop", "--by", "aiko"], "needs `owner` to agree");
    say(&workspace, &["vote", "stop", "go", "--role", "owner", "--by", "maria"]);
    say(&workspace, &["step", "done", "stop", "--by", "aiko"]);
    say(&workspace, &["mark", "mitigated", "--by", "aiko"]);
    say(&workspace, &["mark", "recovered", "--by", "aiko"]);
    let output = run.wait();
    assert_eq!(output.code(), 0, "{output:#?}");

    let events = workspace.events();
    let card = at(&events, |kind| matches!(kind, EventKind::CardDealt { .. }));
    let made = report(&output, &workspace);
    let response = &made["faults"][0]["response"];
    let inject = at(&events, |kind| matches!(kind, EventKind::InjectDelivered { .. }));
    let acknowledged = at(&events, |kind| matches!(kind, EventKind::Acknowledged { .. }));
    for (time, expected) in [
        ("time_to_detect", marked(&events, "detected", None) - card),
        ("time_to_acknowledge", acknowledged - inject),
        ("time_to_identify", marked(&events, "diagnosed", Some("payments")) - card),
        ("time_to_mitigate", marked(&events, "mitigated", None) - card),
        ("time_to_recover", marked(&events, "recovered", None) - card),
    ] {
        assert_eq!(response[time]["measured"]["ms"], expected, "{time}: {response:#}");
    }
    assert_eq!(response["detected_by"], "inject", "the message came first");
    let due = at(&events, |kind| matches!(kind, EventKind::StepTimed { step, .. } if step.as_str() == "tell"));
    assert!(due >= marked(&events, "detected", None));
    let evidence = events.iter().find_map(|event| match &event.kind {
        EventKind::StepClosed { step, outcome: StepOutcome::Done, evidence, .. } if step.as_str() == "count" => {
            evidence.clone()
        }
        _ => None,
    });
    assert_eq!(evidence.as_deref(), Some("17/min"));
    is_private_until_the_debrief(&workspace, &made);
}

/// What maria predicted stands in no file but her own until the debrief shows it.
fn is_private_until_the_debrief(workspace: &Workspace, made: &Value) {
    let folder = workspace.run_folder().expect("a run");
    for file in ["run.ndjson", "report.json", "report.html", "report.md", "plan.json"] {
        let text = std::fs::read_to_string(folder.join(file)).expect("a file");
        assert!(!text.contains("nobody reads mails"), "{file} tells it");
    }
    assert_eq!(made["predictions"][0]["expected"], Value::Null);
    let run = folder.file_name().expect("a name").to_string_lossy().into_owned();
    say(workspace, &["debrief", &run, "--reveal-predictions"]);
    let told = std::fs::read_to_string(folder.join("report.json")).expect("a report");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let prediction = &told["predictions"][0];
    assert_eq!(
        (&prediction["expected"], &prediction["note"], &prediction["result"]),
        (&"fails".into(), &"nobody reads mails".into(), &"wrong".into())
    );
    assert_eq!(prediction["by"], "maria");
}

#[test]
fn a_poll_that_says_no_go_ends_the_run_with_7_before_anything_is_changed() {
    let scenario = TABLE.replace(
        "  - {phase: calm, for: 1s}",
        "  - {phase: calm, for: 1s, checklist: [{id: go, do: \"Go?\", poll: [owner, responder], must: true}]}",
    );
    let workspace = workspace(&scenario);
    let run = start(&workspace);
    workspace.wait_for_event("the poll", |kind| matches!(kind, EventKind::StepOpened { .. }));
    refused(&workspace, &["vote", "go", "go", "--role", "scribe"], "is not asked");
    say(&workspace, &["vote", "go", "go", "--role", "owner", "--by", "maria"]);
    say(&workspace, &["vote", "go", "no-go", "--role", "responder", "--why", "an incident is open", "--by", "aiko"]);
    let output = run.wait();
    assert_eq!(output.code(), 7, "{output:#?}");
    assert!(workspace.events().iter().all(|event| !matches!(event.kind, EventKind::CardDealt { .. })));
    let made = report(&output, &workspace);
    assert_eq!(made["header"]["outcome"]["name"], "no_go");
    let step = made["steps"].as_array().and_then(|steps| steps.iter().find(|step| step["step"] == "go")).expect("it");
    assert_eq!((&step["outcome"], &step["why"]), (&"no_go".into(), &"responder: an incident is open".into()));
}
