//! The report as a user makes it: from a run's folder, by the program, offline.

use std::path::{Path, PathBuf};

use chrono::DateTime;
use gameday::event::{EventKind, EventLog, FaultEnd, FaultIdentity, RunOutcome};
use gameday::report::{Evidence, Format, Report, read_run};
use gameday::unit::Clock;
use serde_json::{Value, json};

use crate::support;

const RUN: &str = "2026-11-10-100000-checkout";

/// A plan as a run leaves it in its folder.
fn plan() -> Value {
    let undo_and_change = json!({"change": "timeout: 3 s → 1 s", "undo": "timeout: 3 s", "calls": []});
    let mut change = json!({
        "fault": "lag",
        "spec": {"lambda_timeout": {"target": "orders", "timeout": "1s"}, "effect_if": "p99(latency) > 1s"},
        "kind": "lambda_timeout",
        "target": "orders",
        "effect_if": "p99(latency) > 1s",
    });
    change.as_object_mut().expect("an object").extend(undo_and_change.as_object().cloned().expect("an object"));
    json!({
        "format": 1,
        "scenario": {
            "id": "checkout", "title": "Orders & <slow> functions", "owner": "me@example.com", "why": null,
            "mode": "regression", "tags": [], "covers": null, "people": {"facilitator": {"who": "joonas"}},
            "sha256": "00",
        },
        "environment": {"name": "staging", "kind": {"account": {"account": "111122223333", "region": "eu-west-1"}}},
        "targets": {"orders": {"lambda": {"function": "orders-fn", "alias": null, "url": null}}},
        "phases": [{"phase": "slow", "start": "0s", "length": "1m", "until": null, "gate": [], "checklist": []}],
        "steps": [],
        "loads": {"users": {
            "base_url": "http://127.0.0.1:1",
            "journeys": [{"name": "read", "steps": [{"name": "list", "get": "/orders"}]}],
            "shape": [{"hold": "5m", "at": "20 users"}],
        }},
        "changes": {"lag": change},
        "signals": {
            "ok": {"load": {"of": "users", "stat": "success_ratio"}},
            "latency": {"load": {"of": "users", "step": "list", "stat": "latency"}},
        },
        "hypotheses": [{
            "id": "H1", "text": "Users do not notice", "severity": "high", "known_gap": null, "faults": ["lag"],
            "expect": "p99(latency) <= 800ms during slow and mean(ok) >= 99% during slow",
        }],
        "guardrails": [{"id": "G1", "rule": {"max_duration": "5m"}, "on_missing": "abort"}],
        "settle": null,
        "formats": ["html", "md", "json", "junit", "csv"],
        "redact": ["account_ids", "emails"],
        "debrief": null,
    })
}

/// `reports/<run>` with a log, a plan, evidence, and an undo file that no report may touch.
fn run_folder(root: &Path) -> PathBuf {
    let directory = root.join("reports").join(RUN);
    std::fs::create_dir_all(directory.join("evidence")).expect("a folder");
    std::fs::create_dir_all(directory.join("undo")).expect("a folder");
    std::fs::write(directory.join("plan.json"), plan().to_string()).expect("a plan");
    std::fs::write(directory.join("evidence/load-users.ndjson"), "{}\n").expect("evidence");
    std::fs::write(directory.join("undo/001-lag.json"), "secret").expect("an undo");
    let log = EventLog::create(&directory, Clock::with_origin(DateTime::UNIX_EPOCH)).expect("a log");
    let identity = FaultIdentity { step: "001-lag".to_owned(), fault: "lag".parse().expect("a name") };
    let events = [
        EventKind::RunStarted {
            format: 1,
            run: RUN.parse().expect("a name"),
            scenario: "checkout".parse().expect("a name"),
            title: "Orders & <slow> functions".to_owned(),
            environment: "staging".to_owned(),
            version: "0.1.0".to_owned(),
            seed: 7,
            plan_sha256: String::new(),
            process: 1,
        },
        EventKind::PhaseStarted { phase: "slow".parse().expect("a name") },
        EventKind::FaultIntended {
            identity: identity.clone(),
            fault_kind: "lambda_timeout".to_owned(),
            target: "orders".parse().expect("a name"),
            change: "timeout: 3 s → 1 s".to_owned(),
            undo: "timeout: 3 s".to_owned(),
        },
        EventKind::FaultArmed { identity: identity.clone(), undo_sha256: "ab".to_owned() },
        EventKind::FaultApplied { identity: identity.clone() },
        EventKind::FaultRestored { identity, how: FaultEnd::Restored },
        EventKind::Noted { text: "ask maria@example.com".to_owned(), by: None },
        EventKind::RunSettled,
        EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 6 },
    ];
    for event in events {
        log.append(event).expect("an event");
    }
    directory
}

fn gameday(root: &Path, arguments: &[&str]) -> (bool, String, String) {
    let output = support::gameday().args(arguments).current_dir(root).output().expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_report_is_made_again_from_the_folder_alone_and_is_the_same() {
    let root = tempfile::tempdir().expect("a folder");
    let directory = run_folder(root.path());
    let names = [
        "report.html",
        "report.md",
        "timeline.svg",
        "report.json",
        "junit.xml",
        "events.csv",
        "load.csv",
        "load-windows.csv",
    ];
    let read = || names.map(|name| std::fs::read(directory.join(name)).expect("a file of the report"));

    let (ok, stdout, stderr) = gameday(root.path(), &["report"]);
    assert!(ok, "{stderr}");
    assert!(names.iter().all(|name| stdout.contains(name)), "{stdout}");
    let first = read();
    let (ok, stdout, stderr) = gameday(root.path(), &["report", RUN, "--json"]);
    assert!(ok, "{stderr}");
    let answer: Value = serde_json::from_str(&stdout).expect("JSON on standard output");
    assert_eq!((&answer["run"], &answer["outcome"]["result"]), (&json!(RUN), &json!("inconclusive")));
    assert!(first == read(), "the second report differs from the first");

    let page = String::from_utf8(first[0].clone()).expect("text");
    let folder = root.path().to_str().expect("a path");
    assert!(page.contains("Orders &amp; &lt;slow&gt; functions") && !page.contains(folder));
    for secret in ["111122223333", "maria@example.com", "me@example.com"] {
        assert!(!page.contains(secret), "`{secret}` should be blacked out");
    }
    assert!(page.contains("load-users.ndjson") && !page.contains("undo/001"), "undo files are private");
}

#[test]
fn the_plan_gives_bounds_units_and_words() {
    let root = tempfile::tempdir().expect("a folder");
    let directory = run_folder(root.path());
    let (events, plan) = read_run(&directory).expect("a run");
    let evidence = Evidence::gather(&directory, &events, &plan).expect("evidence");
    let report = Report::from_events(&events, &plan, &evidence);
    assert_eq!(report.hypotheses[0].expected, "p99(latency) <= 800ms during slow and mean(ok) >= 99% during slow");
    assert_eq!(report.hypotheses[0].evidence, ["evidence/load-users.ndjson"]);
    assert_eq!((report.header.mode.as_str(), report.hypotheses[0].severity.as_str()), ("regression", "high"));
    assert_eq!(report.header.environment.kind, "account");
    assert_eq!(report.header.environment.caveat, None, "numbers from an account need no warning");
    assert_eq!(report.guardrails[0].rule, "the run lasts longer than 5m");
    assert_eq!(report.phases[0].planned_ms, Some(60_000));
    assert!(!report.debrief.questions.is_empty(), "open questions stand in where the scenario asks none");
    let finding = report.findings.iter().find(|finding| finding.kind == "not_effective").expect("a finding");
    assert!(finding.text.contains("its effect was never proven"), "{}", finding.text);
}

#[test]
fn a_template_of_the_workspace_goes_before_ours_and_its_mistakes_are_told() {
    let root = tempfile::tempdir().expect("a folder");
    let directory = run_folder(root.path());
    std::fs::write(root.path().join("gameday.yaml"), "gameday: 1\n").expect("a workspace");
    let templates = root.path().join("reports/templates");
    std::fs::create_dir(&templates).expect("a folder");
    let template = templates.join("report.md.hbs");
    std::fs::write(&template, "own {{report.header.run}}\n").expect("a template");
    let (ok, _, stderr) = gameday(root.path(), &["report", RUN, "--format", "md"]);
    assert!(ok, "{stderr}");
    assert_eq!(std::fs::read_to_string(directory.join("report.md")).expect("a report"), format!("own {RUN}\n"));

    std::fs::write(&template, "{{#if report.header.typo}}x{{/if}}").expect("a template");
    let (ok, _, stderr) = gameday(root.path(), &["report", RUN, "--format", "md"]);
    assert!(!ok && stderr.contains("report.md.hbs") && stderr.contains("typo"), "{stderr}");
    let kept = std::fs::read_to_string(directory.join("report.md")).expect("the old report");
    assert!(kept.starts_with("own"), "a failed report leaves the old one alone");
}

#[test]
fn an_unknown_format_or_run_is_told_with_what_there_is() {
    let root = tempfile::tempdir().expect("a folder");
    run_folder(root.path());
    let (ok, _, stderr) = gameday(root.path(), &["report", "--format", "pdf"]);
    assert!(!ok && stderr.contains("there is html, md, json, junit, csv and journal"), "{stderr}");
    let (ok, _, stderr) = gameday(root.path(), &["report", "2026-11-10-100000-chekout"]);
    assert!(!ok && stderr.contains(RUN), "{stderr}");
    assert_eq!(Format::ALL.len(), 6);
}
