//! Game days on a calendar: their dates against an independent library, what refuses one, invitations, and a run that begins in spite of it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use chrono::{DateTime, Utc};
use gameday::event::EventKind;
use gameday::scenario::Schedule;
use gameday::schedule::dates;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::peers::{python, script};
use crate::support::{Output, Workspace, free_port};

#[derive(Deserialize)]
struct Case {
    cron: String,
    timezone: String,
    after: DateTime<Utc>,
    dates: Vec<DateTime<Utc>>,
}

#[test]
fn dates_across_changes_of_clocks_are_those_of_an_independent_library() {
    let Some(mut peer) = python("the dates of schedules against croniter and dateutil") else { return };
    let output = peer.arg(script("schedule_dates.py")).output().expect("the peer");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cases: Vec<Case> = serde_json::from_slice(&output.stdout).expect("cases");
    assert_eq!(cases.len(), 200);
    let mut wrong = Vec::new();
    for case in &cases {
        let schedule: Schedule =
            serde_json::from_value(json!({"cron": case.cron, "timezone": case.timezone})).expect("a schedule");
        let found: Vec<DateTime<Utc>> =
            dates(&schedule, case.after).expect("dates").take(case.dates.len()).map(|date| date.to_utc()).collect();
        if found != case.dates {
            wrong.push(format!(
                "`{}` in {} after {}: {found:?}, not {:?}",
                case.cron, case.timezone, case.after, case.dates
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of 200:\n{}", wrong.len(), wrong.join("\n"));
}

const SCENARIO: &str = r#"
gameday: 1
id: careful
title: "The shop; with \"commas\", and more"
owner: me
why: "Because <b>, and\nso on"
mode: drill
people: {owner: {who: maria@example.com}, responder: {who: oncall, blind: true}}
environments: {allow: [sandbox, away]}
targets: {orders: {lambda: {function: orders}}}
signals: {health: {level: system, http: {get: "http://127.0.0.1:PORT/health", every: 200ms}}}
hypotheses: [{id: H1, severity: low, text: "Something answers", expect: "count(health) > 0"}]
faults: {impatient: {lambda_timeout: {target: orders, timeout: 2s}}}
timeline: [{phase: broken, for: 1s, do: [{at: 0s, fault: impatient}]}]
debrief: {review: {after: 3d, for: 60m}}
SCHEDULE
"#;

/// A workspace whose environment `away` is a place where nobody listens.
fn workspace(schedule: &str) -> Workspace {
    let (workspace, port) = (Workspace::empty(), free_port());
    let away = format!("away: {{endpoint: \"http://127.0.0.1:{port}\"}}");
    let settings =
        format!("gameday: 1\nenvironments: {{sandbox: {{functions: {{orders: {{demo: checkout}}}}}}, {away}}}\n");
    workspace.write("gameday.yaml", &settings);
    write_scenario(&workspace, schedule);
    workspace
}

fn write_scenario(workspace: &Workspace, schedule: &str) {
    workspace.write("scenarios/careful.yaml", &SCENARIO.replace("SCHEDULE", schedule).replace("PORT", "9"));
}

#[track_caller]
fn said(output: Output) -> String {
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    output.stdout
}

#[test]
fn the_next_date_is_the_first_that_nothing_stands_against() {
    let workspace = workspace(
        r#"schedule: {cron: "0 10 * * *", timezone: Europe/Helsinki, freeze: [{from: 2999-01-01, to: 2999-01-31, why: rest}],
  window: {days: MON, from: "09:00", to: "11:00"}, freeze_calendars: [calendars/rest.ics]}"#,
    );
    workspace.write(
        "calendars/rest.ics",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Holiday\r\nDTSTART;VALUE=DATE:29990204\r\n\
         DTEND;VALUE=DATE:29990212\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    );
    let next = said(workspace.gameday(&["schedule", "next", "careful", "--after", "2998-12-31", "--json"]));
    let next: Value = serde_json::from_str(&next).expect("JSON");
    // January is frozen; the first Monday of February 2999 is the 4th, a holiday, and so is the 11th.
    assert_eq!(next[0]["dates"][0]["local"], "2999-02-18T10:00:00+02:00", "{next}");
    let list = said(workspace.gameday(&["schedule", "list", "--from", "2999-02-01", "--for", "20d"]));
    for told in ["Mon 2999-02-04 10:00 EET (08:00 UTC)", "frozen until", "Holiday", "outside the schedule's window"] {
        assert!(list.contains(told), "{told}: {list}");
    }
    let unknown = workspace.gameday(&["schedule", "next", "carful"]);
    assert!(unknown.code() == 1 && unknown.stderr.contains("did you mean `careful`?"), "{}", unknown.stderr);
    workspace.write(
        "calendars/rest.ics",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nSUMMARY:Odd\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    );
    let lost = workspace.gameday(&["schedule", "next"]);
    assert!(lost.stderr.contains("its event `Odd` is not understood"), "{}", lost.stderr);
    assert!(lost.stdout.contains("no date is allowed"), "{}", lost.stdout);
    assert_eq!(workspace.gameday(&["schedule", "check"]).code(), 2);
    assert_eq!(workspace.gameday(&["schedule", "export"]).code(), 2, "nobody is invited to a date that may be frozen");
}

/// What somebody else's parser reads of a calendar.
fn parsed(text: &str) -> Option<Value> {
    let mut peer: Command = python("exported calendars by icalendar")?;
    let mut child =
        peer.arg(script("schedule_ics.py")).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the peer");
    child.stdin.take().expect("its input").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("the peer");
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).expect("JSON"))
}

#[test]
fn invitations_are_read_by_another_parser_and_brought_up_to_date() {
    let workspace = workspace(r#"schedule: {cron: "0 10 * * MON", timezone: Europe/Helsinki, duration: 2h}"#);
    let export = ["schedule", "export", "--for", "21d", "--output", "days.ics"];
    said(workspace.gameday(&export));
    let path = workspace.path().join("days.ics");
    let first = std::fs::read_to_string(&path).expect("the calendar");
    said(workspace.gameday(&export));
    assert_eq!(std::fs::read_to_string(&path).expect("the calendar"), first, "nothing changed");
    write_scenario(&workspace, r#"schedule: {cron: "0 10 * * TUE", timezone: Europe/Helsinki, duration: 1h}"#);
    said(workspace.gameday(&export));
    let second = std::fs::read_to_string(&path).expect("the calendar");
    let (Some(before), Some(after)) = (parsed(&first), parsed(&second)) else { return };
    let events = before["events"].as_object().expect("events");
    assert!(events.len() >= 6, "three game days, and a review of each: {before}");
    for (uid, event) in events {
        assert_eq!(event["errors"], json!([]), "{event}");
        assert_eq!(event["sequence"], 0);
        assert!(event["attendees"].to_string().contains("mailto:maria@example.com"), "{event}");
        assert_eq!(event["alarms"], 1);
        let gone = &after["events"][uid];
        assert_eq!((&gone["sequence"], &gone["status"]), (&json!(1), &json!("CANCELLED")), "{uid}");
    }
    let day = events
        .values()
        .find(|event| event["summary"].as_str().is_some_and(|text| text.starts_with("Game day")))
        .expect("one");
    assert_eq!(day["summary"], "Game day: The shop; with \"commas\", and more");
}

#[test]
fn a_run_that_the_schedule_does_not_allow_needs_a_reason_which_the_report_tells() {
    let workspace = workspace(
        r#"schedule: {cron: "0 10 * * MON", freeze: [{from: 2000-01-01, to: 2998-12-31, why: a long rest}]}"#,
    );
    let refused = workspace.gameday(&["run", "scenarios/careful.yaml", "--env", "away"]);
    assert_eq!(refused.code(), 7, "{}", refused.stderr);
    for told in ["the schedule allows no run now: frozen until", "a long rest", "--override"] {
        assert!(refused.stderr.contains(told), "{told}: {}", refused.stderr);
    }
    assert!(workspace.run_folder().is_none(), "nothing was begun");
    let reason = "the lead asked for it: ticket 12";
    let away = workspace.gameday(&["run", "scenarios/careful.yaml", "--env", "away", "--override", reason]);
    assert!(!away.stderr.contains("allows no run now"), "it goes on to what is not there: {}", away.stderr);
    let told = |kind: &EventKind| matches!(kind, EventKind::RunOverridden { reason: given, refusals } if given == reason && refusals.len() == 1);
    assert!(workspace.events().iter().any(|event| told(&event.kind)), "{:?}", workspace.events());
    let report = std::fs::read_to_string(workspace.run_folder().expect("a run").join("report.md")).expect("its report");
    assert!(report.contains("the lead asked for it") && report.contains("F-40"), "{report}");
    let blank = workspace.gameday(&["run", "scenarios/careful.yaml", "--env", "away", "--override", " "]);
    assert_eq!(blank.code(), 1, "a reason is a reason");
    assert_eq!(workspace.gameday(&["run", "scenarios/careful.yaml"]).code(), 0, "the sandbox has no hours");
}

#[test]
fn the_briefing_of_participants_gives_nothing_away() {
    let workspace = workspace("");
    let all = said(workspace.gameday(&["brief", "scenarios/careful.yaml"]));
    let blind = said(workspace.gameday(&["brief", "scenarios/careful.yaml", "--for", "participant"]));
    for text in ["## Rules", "Anybody may end it", "maria@example.com"] {
        assert!(all.contains(text) && blind.contains(text), "{text}: {blind}");
    }
    for secret in ["impatient", "broken", "count(health)", "Something answers", "Because <b>"] {
        assert!(all.contains(secret) && !blind.contains(secret), "{secret}: {blind}");
    }
}
