//! `scenarios/drill.yaml` as a team holds it: a cockpit in tmux, two browsers and a shell take part at once, and the report says who did
//! what when.

use gameday::event::{Event, EventKind, RunState};
use gameday::ui::board::View;
use gameday::ui::web::Access;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::support::{Workspace, gameday, repository, wait_for};
use crate::tmux::Tmux;

/// The drill without its waits, and without the alarm, which would race with people.
fn shortened() -> String {
    let mut scenario = std::fs::read_to_string(repository().join("scenarios/drill.yaml")).unwrap();
    for (long, short) in [
        ("  - phase: brief\n    for: 30s", "  - phase: brief\n    for: 2s"),
        ("for: 15s", "for: 3s"),
        ("for: 3m", "for: 10m"),
        ("ttl: 5m", "ttl: 15m"),
        ("{at: 60s, inject: ticket", "{at: 9m, inject: ticket"),
        ("alarms:\n  expected: [payments-throttled]\n", ""),
    ] {
        assert!(scenario.contains(long), "the drill has no `{long}`");
        scenario = scenario.replace(long, short);
    }
    scenario
}

fn by_lena(workspace: &Workspace, words: &[&str]) {
    let output = workspace.gameday(&[words, &["--by", "lena"]].concat());
    assert_eq!(output.code(), 0, "{words:?}: {output:#?}");
}

/// Joonas at the cockpit and Lena at a shell do what the browsers wait for; what the browsers saw at the end.
fn hold(workspace: &Workspace, cockpit: &Tmux, browser: &mut Browser) -> Value {
    loop {
        let said = browser.next();
        match said["ask"].as_str() {
            Some("the rules") => {
                by_lena(workspace, &["join", "business"]);
                by_lena(workspace, &["predict", "H2", "fails", "--note", "nobody looks"]);
                cockpit.wait_for("business is here by lena");
                cockpit.key("Space");
                cockpit.wait_for("done joonas");
            }
            Some("the effect") => {
                workspace.wait_for_event("the effect", |kind| matches!(kind, EventKind::FaultEffective { .. }));
            }
            Some("a message") => {
                cockpit.wait_for("mark detected by aiko");
                cockpit.key("i");
                cockpit.wait_for("ticket");
                cockpit.text("ceo");
                cockpit.wait_for("do we lose orders");
                by_lena(workspace, &["step", "done", "answer"]);
                by_lena(workspace, &["note", "told the CEO that orders wait in a queue"]);
            }
            Some("a hint") => {
                cockpit.key("h");
                cockpit.wait_for("where");
                cockpit.key("Enter");
                cockpit.wait_for("Which of our functions");
            }
            Some("a reveal") => {
                cockpit.key("R");
                cockpit.wait_for("everything");
                cockpit.key("Enter");
                cockpit.wait_for("revealed by joonas");
            }
            Some("the end") => {
                by_lena(workspace, &["mark", "recovered", "cards", "are", "charged", "again"]);
                browser.answer();
                return browser.next();
            }
            Some(other) => panic!("asked for {other}"),
            None => return said,
        }
        browser.answer();
    }
}

#[test]
fn four_clients_hold_a_drill_and_the_report_tells_who_did_what_when() {
    let workspace = Workspace::new();
    workspace.write("scenarios/drill.yaml", &shortened());
    let program = gameday().get_program().to_string_lossy().into_owned();
    let script = format!("'{program}' run scenarios/drill.yaml --serve --by joonas; echo ENDED $?; read -r line");
    let Some(cockpit) = Tmux::start(&workspace, (120, 40), &script) else { return };
    let access = wait_for("the control room", || Access::read(&workspace.run_folder()?).unwrap());
    let [aiko, maria] = [View::Participant, View::Facilitator]
        .map(|view| format!("http://{}/#{}", access.address, access.fragment(view)));
    let Some(mut browser) = Browser::start("drill.js", &[&aiko, &maria]) else { return };
    // The links lie over everything at first.
    cockpit.wait_for("any key closes");
    cockpit.key("Escape");
    cockpit.wait_for("facilitator is here by joonas");
    let said = hold(&workspace, &cockpit, &mut browser);
    assert_eq!(said, json!({ "errors": [], "violations": [], "xss": [], "findings": [] }), "{}", cockpit.screen());
    browser.end();
    let last = cockpit.wait_for("ENDED");
    assert!(last.contains("ENDED 0"), "{last}");

    let events = workspace.events();
    let folder = workspace.run_folder().unwrap();
    let report = std::fs::read_to_string(folder.join("report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_times_follow(&events, &report);
    assert_deeds_are_told(&events, &report);
    let people = RunState::fold(&events).people;
    assert_eq!(people.joined.values().collect::<Vec<_>>(), ["lena", "joonas", "maria", "aiko"]);
    assert_eq!(report["predictions"].as_array().map(Vec::len), Some(2));
    let markdown = std::fs::read_to_string(folder.join("report.md")).unwrap();
    for private in ["the queue takes them", "nobody looks"] {
        assert!(!markdown.contains(private) && !report.to_string().contains(private), "{private} is private");
    }
}

/// What each did, from which client, in the report's words, and in this order.
const DEEDS: [(&str, &str, &str); 18] = [
    ("people", "facilitator", "joined by joonas"),
    ("people", "responder", "joined by aiko"),
    ("people", "owner", "joined by maria"),
    ("prediction", "H1", "sealed by maria"),
    ("prediction", "H2", "sealed by lena"),
    ("step", "rules", "done by joonas"),
    ("vote", "go", "owner says go by maria"),
    ("vote", "go", "responder says go by aiko"),
    ("mark", "detected", "marked by aiko: orders wait"),
    ("inject", "ceo", "to business by joonas: The CEO asks: do we lose orders right now?"),
    ("step", "answer", "done by lena"),
    ("mark", "acknowledged", "acknowledged by aiko"),
    ("hint", "where", "given by joonas: Which of our functions has AWS told something about?"),
    ("mark", "diagnosed", "marked by maria, names payments"),
    ("step", "claim", "done by aiko"),
    ("mark", "mitigated", "marked by aiko"),
    ("step", "recovered", "done by aiko"),
    ("mark", "recovered", "marked by lena: cards are charged again"),
];

fn assert_deeds_are_told(events: &[Event], report: &Value) {
    let told: Vec<(&str, &str, &str, u64)> = report["timeline"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let text = |key: &str| entry[key].as_str();
            Some((text("kind")?, text("about")?, text("text")?, entry["at_ms"].as_u64()?))
        })
        .collect();
    let mut from = 0;
    for (kind, about, text) in DEEDS {
        let rest = told.get(from..).unwrap_or_default();
        let at = rest.iter().position(|entry| (entry.0, entry.1, entry.2) == (kind, about, text));
        let at = at.unwrap_or_else(|| panic!("`{kind} {about} {text}` is not told in its place: {told:#?}"));
        assert!(events.iter().any(|event| event.elapsed_ms == rest[at].3), "{about}: no event has its time");
        from += at + 1;
    }
}

/// The first event that is as wanted, in milliseconds since the run's start.
fn first(events: &[Event], what: &str, is_it: impl Fn(&EventKind) -> bool) -> u64 {
    events.iter().find(|event| is_it(&event.kind)).unwrap_or_else(|| panic!("there is no {what}")).elapsed_ms
}

/// Each time of the response is the difference between two events, to the millisecond.
fn assert_times_follow(events: &[Event], report: &Value) {
    let marked =
        |mark: &str| first(events, mark, |kind| matches!(kind, EventKind::Marked { name, .. } if name == mark));
    let effective = events.iter().find_map(|event| match event.kind {
        EventKind::FaultEffective { first_ms, .. } => Some(first_ms.unwrap_or(event.elapsed_ms)),
        _ => None,
    });
    let effective = effective.expect("an effect");
    let message = first(events, "message", |kind| matches!(kind, EventKind::InjectDelivered { .. }));
    let acknowledged = first(events, "acknowledgement", |kind| matches!(kind, EventKind::Acknowledged { .. }));
    let response = &report["faults"][0]["response"];
    for (time, expected) in [
        ("time_to_detect", marked("detected") - effective),
        ("time_to_acknowledge", acknowledged - message),
        ("time_to_identify", marked("diagnosed") - effective),
        ("time_to_mitigate", marked("mitigated") - effective),
        ("time_to_recover", marked("recovered") - effective),
    ] {
        assert_eq!(response[time]["measured"]["ms"], expected, "{time}: {response:#}");
    }
    assert_eq!(response["detected_by"], "human", "the message came after the mark");
}
