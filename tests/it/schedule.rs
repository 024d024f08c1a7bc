//! Game days on a calendar: the commands, what a run keeps of a schedule, and other programs that read what is exported.

use std::collections::BTreeSet;
use std::process::Command;

use gameday::event::EventKind;
use gameday::schedule::Recurrence;
use serde_json::Value;

use crate::peers::{python, script};
use crate::support::{Output, Workspace};

const SETTINGS: &str = r#"
gameday: 1
environments:
  sandbox: {functions: {orders: {demo: checkout}}}
  staging: {account: "111122223333", region: eu-west-1, class: nonproduction}
  customers: {account: "111122224444", region: eu-west-1, class: production}
"#;

fn scenario(id: &str, mode: &str, schedule: &str) -> String {
    format!(
        r#"
gameday: 1
id: {id}
title: "Orders, slow; at 100%"
why: We believe that the queue holds.
owner: maria@example.com
mode: {mode}
environments: {{allow: [sandbox, staging]}}
people: {{facilitator: {{who: joonas@example.com, required: true}}, scribe: {{who: aiko}}}}
targets: {{orders: {{lambda: {{function: orders}}}}}}
signals: {{health: {{level: system, http: {{get: "${{orders.url}}/health", every: 200ms}}}}}}
hypotheses: [{{id: H1, severity: low, text: Something answers, expect: "count(health) > 0"}}]
guardrails: [{{id: G1, max_duration: 5m}}]
faults: {{impatient: {{lambda_timeout: {{target: orders, timeout: 2s}}, ttl: 30s}}}}
timeline: [{{phase: broken, for: 1s, do: [{{at: 0s, fault: impatient}}]}}]
debrief: {{review: {{after: 3d, for: 60m}}}}
schedule: {schedule}
"#
    )
}

fn workspace(scenarios: &[(&str, &str, &str)]) -> Workspace {
    let workspace = Workspace::empty();
    workspace.write("gameday.yaml", SETTINGS);
    for (id, mode, schedule) in scenarios {
        workspace.write(&format!("scenarios/{id}.yaml"), &scenario(id, mode, schedule));
    }
    workspace
}

const SECOND_TUESDAY: &str = "{cron: '0 10 * * TUE#2', timezone: Europe/Helsinki, duration: 2h}";

#[track_caller]
fn said(output: &Output) -> &str {
    assert_eq!(output.code(), 0, "{output:#?}");
    &output.stdout
}

fn answer(output: &Output) -> Value {
    serde_json::from_str(said(output)).expect("JSON")
}

#[track_caller]
fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.code(), code, "{output:#?}");
    for word in words {
        assert!(output.stderr.contains(word), "{word}: {}", output.stderr);
    }
}

#[test]
fn the_next_dates_are_those_against_which_nothing_speaks() {
    let workspace = workspace(&[
        (
            "drill",
            "drill",
            "{cron: '0 10 * * TUE#2', timezone: Europe/Helsinki, duration: 2h, freeze: [{from: 2998-12-01, to: 2999-01-31, why: campaign}], freeze_calendars: [holidays.ics]}",
        ),
        ("near", "drill", "{cron: 0 12 * * TUE, not_within: [{of: drill, within: 24h}]}"),
    ]);
    workspace.write(
        "holidays.ics",
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20990210\r\nSUMMARY:A holiday\r\n\
         RRULE:FREQ=YEARLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    );
    let next =
        answer(&workspace.gameday(&["schedule", "next", "drill", "--after", "2098-12-01", "--count", "3", "--json"]));
    let dates: Vec<&str> =
        next[0]["dates"].as_array().unwrap().iter().map(|date| date["at"].as_str().unwrap()).collect();
    // 2099-02-10 is a Tuesday, and the second one; it is a holiday.
    assert_eq!(dates, ["2098-12-09T10:00:00+02:00", "2099-01-13T10:00:00+02:00", "2099-03-10T10:00:00+02:00"]);
    let list =
        answer(&workspace.gameday(&["schedule", "list", "--from", "2099-02-10", "--to", "2099-02-10", "--json"]));
    let codes: Vec<&str> =
        list["dates"].as_array().unwrap().iter().filter_map(|date| date["objections"][0]["code"].as_str()).collect();
    assert_eq!(codes, ["frozen"], "what is not held keeps nobody away: {list}");
    let list = workspace.gameday(&["schedule", "list", "--from", "2099-03-10", "--to", "2099-03-10"]);
    assert!(
        said(&list).contains("✗ near") && list.stdout.contains("within 1d of `drill` on 2099-03-10"),
        "{}",
        list.stdout
    );
    assert!(
        list.stdout.contains("✓ drill") && list.stdout.contains("10:00 EET (Europe/Helsinki, 2099-03-10 08:00 UTC)")
    );
}

#[test]
fn a_window_that_names_no_zone_is_one_of_the_schedules() {
    let workspace = workspace(&[(
        "drill",
        "drill",
        "{cron: '0 10 * * TUE#2', timezone: Europe/Helsinki, duration: 2h, window: {days: MON-THU, from: '09:00', to: '15:00'}, min_notice: 72h}",
    )]);
    let next = answer(&workspace.gameday(&["schedule", "next", "--after", "2098-12-01", "--json"]));
    assert_eq!(next[0]["dates"][0]["at"], "2098-12-09T10:00:00+02:00", "{next}");
    assert_eq!(workspace.gameday(&["schedule", "check"]).code(), 0);
}

#[test]
fn what_is_wrong_with_the_plans_is_told() {
    let workspace = workspace(&[
        ("one", "regression", "{cron: 0 10 * * TUE, duration: 2h, freeze: [{from: 2020-01-01, to: 2020-01-31}]}"),
        ("two", "regression", "{cron: 30 11 * * TUE, duration: 2h}"),
        ("never", "regression", "{cron: 0 10 * * SAT, window: {days: MON-THU, from: '09:00', to: '15:00'}}"),
        ("bad-calendar", "regression", "{cron: 0 23 * * SUN, freeze_calendars: [bad.ics]}"),
    ]);
    workspace.write("bad.ics", "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1\nDTSTART;TZID=\"Mars/Base\":20270101T090000\nEND:VEVENT\nEND:VCALENDAR\n");
    let drill = scenario("lonely", "drill", "{cron: 0 22 * * SUN}");
    let people = drill.lines().find(|line| line.starts_with("people:")).unwrap().to_owned();
    workspace.write("scenarios/lonely.yaml", &drill.replace(&people, ""));
    let check = workspace.gameday(&["schedule", "check"]);
    assert_refused(
        &check,
        2,
        &[
            "`one` on ",
            "meet in staging",
            "no date is allowed in the next five years",
            "outside the window MON-THU",
            "bad.ics:5:1",
            "`Mars/Base` is not a time zone",
            "the freeze from 2020-01-01 to 2020-01-31 is over",
            "this is a drill, and nobody is invited",
        ],
    );
    assert!(check.stdout.contains("5 files checked, 3 problems, 2 warnings"), "{}", check.stdout);
    assert_refused(&workspace.gameday(&["schedule", "next"]), 2, &["`Mars/Base` is not a time zone"]);
    for (arguments, told) in [
        (&["schedule", "next", "--count", "0"][..], "0 is not in 1..=1000"),
        (&["schedule", "next", "--after", "soon"], "`soon` is not a date"),
    ] {
        assert_refused(&workspace.gameday(arguments), 1, &[told]);
    }
    std::fs::remove_file(workspace.path().join("scenarios/bad-calendar.yaml")).unwrap();
    for (arguments, told) in [
        (&["schedule", "next", "oen"][..], "did you mean `one`?"),
        (&["schedule", "list", "--from", "2099-02-10", "--to", "2099-02-01"], "the time ends before it begins"),
        (&["schedule", "export", "--to", "github"], "name exactly one scenario"),
        (&["schedule", "export", "lonely", "--to", "github"], "people take part, so that it never starts by itself"),
        (&["schedule", "export", "one", "--to", "github", "--env", "customers"], "is allowed in sandbox, staging"),
        (&["schedule", "export", "one", "--to", "systemd", "--output", "x.service"], "let `--output` end in `.timer`"),
    ] {
        assert_refused(&workspace.gameday(arguments), 1, &[told]);
    }
}

/// A schedule that says no at this moment, on any day.
fn frozen_now() -> String {
    let today = gameday::unit::Clock::start().now().date_naive();
    let day = |days: i64| (today + chrono::TimeDelta::days(days)).to_string();
    format!("{{cron: 0 10 * * *, freeze: [{{from: {}, to: {}, why: campaign}}]}}", day(-1), day(1))
}

/// That a run was let begin and came to its end. On a slow machine too few probes may come in a second for a verdict.
#[track_caller]
fn assert_begun(run: &Output) {
    assert!(matches!(run.code(), 0 | 6), "{run:#?}");
}

#[test]
fn a_run_keeps_the_schedule_but_in_the_embedded_sandbox_and_an_override_is_told() {
    let workspace = workspace(&[("nightly", "regression", &frozen_now())]);
    let sandbox = workspace.gameday(&["run", "scenarios/nightly.yaml", "--yes"]);
    assert_begun(&sandbox);
    std::fs::remove_dir_all(workspace.reports()).unwrap();

    workspace.write("functions.yaml", "functions: {orders: {demo: checkout}}\n");
    let mut apart = workspace.start(&["sandbox", "up", "--functions", "functions.yaml", "--json"]);
    let endpoint = apart.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
    let settings = SETTINGS.replace("account: \"111122223333\", region: eu-west-1", &format!("endpoint: '{endpoint}'"));
    workspace.write("gameday.yaml", &settings);
    let arguments = ["run", "scenarios/nightly.yaml", "--env", "staging"];
    assert_refused(
        &workspace.gameday(&arguments),
        7,
        &["the scenario's schedule says no: frozen from", "campaign", "--override"],
    );
    assert!(workspace.run_folder().is_none(), "nothing was begun");
    assert_refused(
        &workspace.gameday(&[&arguments[..], &["--override", " "]].concat()),
        1,
        &["say why, in a few words"],
    );
    let plan = workspace.gameday(&["plan", "scenarios/nightly.yaml", "--env", "staging"]);
    assert!(plan.stdout.contains("✗ the scenario's schedule says no"), "{plan:?}");

    let run = workspace.gameday(&[&arguments[..], &["--override", "the <campaign> was called off"]].concat());
    assert_begun(&run);
    let told = workspace.events().into_iter().find_map(|event| match event.kind {
        EventKind::ScheduleOverridden { reason, objections } => Some((reason, objections)),
        _ => None,
    });
    let (reason, objections) = told.expect("it is in the log");
    assert_eq!((reason.as_str(), objections.len()), ("the <campaign> was called off", 1));
    let folder = workspace.run_folder().expect("a run");
    let html = std::fs::read_to_string(folder.join("report.html")).expect("a report");
    assert!(
        html.contains("what spoke against the start was set aside: the &lt;campaign&gt; was called off"),
        "it is in the report"
    );

    // What has just been run keeps another away that stays apart from it.
    workspace.write(
        "scenarios/other.yaml",
        &scenario("other", "regression", "{cron: 0 10 * * *, not_within: [{of: nightly, within: 24h}]}"),
    );
    let other = workspace.gameday(&["run", "scenarios/other.yaml", "--env", "staging"]);
    assert_refused(&other, 7, &["within 1d of `nightly` on "]);
    workspace.write("bad.ics", "no calendar\n");
    workspace.write(
        "scenarios/other.yaml",
        &scenario("other", "regression", "{cron: 0 10 * * *, freeze_calendars: [bad.ics]}"),
    );
    let other = workspace.gameday(&["run", "scenarios/other.yaml", "--env", "staging", "--override", "x"]);
    assert_refused(&other, 2, &["this is no calendar"]);
    crate::peers::stop(apart);
}

#[test]
fn what_is_planned_of_a_neighbour_or_not_known_of_its_last_run_keeps_a_run_away() {
    let keeps_away = "{cron: 0 10 * * *, not_within: [{of: nightly, within: 24h}]}";
    let workspace = workspace(&[("nightly", "regression", "{cron: 0 * * * *}"), ("other", "regression", keeps_away)]);
    let run = |more: &[&str]| workspace.gameday(&[&["run", "scenarios/other.yaml", "--env", "staging"], more].concat());
    assert_refused(&run(&[]), 7, &["within 1d of `nightly` on ", "as it is planned"]);
    let plan = workspace.gameday(&["plan", "scenarios/other.yaml", "--env", "staging"]);
    assert!(said(&plan).contains("as it is planned"), "{plan:?}");
    workspace.write("scenarios/nightly.yaml", &scenario("nightly", "regression", &frozen_now()));
    assert!(!said(&workspace.gameday(&["plan", "scenarios/other.yaml", "--env", "staging"])).contains("nightly"));

    let name = &gameday::unit::Clock::start().now().format("%Y-%m-%d-%H%M%S-nightly").to_string();
    workspace.write(&format!("reports/{name}/run.ndjson"), "");
    workspace.write(&format!("reports/{name}/plan.json"), "{");
    let told = ["can not tell when `nightly` ran last", name.as_str(), "--override"];
    assert_refused(&run(&[]), 7, &told);
    assert_refused(&run(&["--reports", "elsewhere"]), 7, &told);
    workspace.write("scenarios/nightly.yaml", "id: nightly\nsteps: none\n");
    assert_refused(&run(&[]), 7, &["can not tell when `nightly` is planned"]);
}

/// croniter finds the times on the wall, and Python's zoneinfo what they are: neither knows of croner or chrono-tz.
#[test]
fn dates_across_changes_of_clocks_are_those_of_an_independent_library() {
    let Some(mut python) = python("dates beside croniter") else { return };
    let output = python.arg(script("schedule_dates.py")).output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let cases: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(cases.len() >= 200, "only {} cases", cases.len());
    let zones: BTreeSet<&str> = cases.iter().filter_map(|case| case["zone"].as_str()).collect();
    assert!(zones.len() >= 5);
    for case in &cases {
        let schedule = serde_json::json!({"cron": case["cron"], "timezone": case["zone"]});
        let recurrence = Recurrence::of(&serde_json::from_value(schedule).unwrap()).unwrap();
        let from = case["from"].as_str().unwrap().parse().unwrap();
        let expected: Vec<&str> = case["dates"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let dates = recurrence.from(from).take(expected.len());
        let dates: Vec<String> = dates.map(|date| date.to_utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()).collect();
        assert_eq!(dates, expected, "{case}");
    }
}

#[test]
fn a_calendar_is_read_by_another_library_and_its_next_version_too() {
    let Some(mut python) = python("icalendar on an exported calendar") else { return };
    let workspace =
        workspace(&[("drill", "drill", SECOND_TUESDAY), ("nightly", "regression", "{cron: 0 3 1 * *, duration: 10m}")]);
    workspace.write(
        "lessons/L-2026-001.md",
        &format!(
            "---\nid: L-2026-001\ntitle: \"Slow, and; lost\"\nregression: nightly#H1\ncreated: 2026-01-01\nretest_by: {}\n---\nText.\n",
            gameday::unit::Clock::start().now().date_naive() + chrono::TimeDelta::days(30)
        ),
    );
    let export = || workspace.gameday(&["schedule", "export", "--to", "ics", "--output", "gamedays.ics"]);
    let text = || std::fs::read_to_string(workspace.path().join("gamedays.ics")).unwrap();
    assert!(export().stderr.contains("events added"));
    let first = text();
    let again = export();
    assert_eq!((said(&again).trim(), again.stderr.trim()), ("wrote ./gamedays.ics", "nothing has changed"));
    assert_eq!(text(), first, "what has not changed stays byte for byte");
    workspace.write(
        "scenarios/drill.yaml",
        &scenario("drill", "drill", "{cron: '0 11 * * TUE#2', timezone: Europe/Helsinki}"),
    );
    workspace.write("scenarios/nightly.yaml", &scenario("nightly", "regression", "{cron: 0 3 2 * *, duration: 10m}"));
    let changed = export();
    assert!(
        changed.stderr.contains("added") && changed.stderr.contains("changed") && changed.stderr.contains("cancelled"),
        "{changed:?}"
    );
    workspace.write("first.ics", &first);
    let output =
        workspace.start_command(python.arg(script("schedule_calendar.py")).args(["first.ics", "gamedays.ics"])).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    std::fs::remove_file(workspace.path().join("scenarios/drill.yaml")).unwrap();
    let named = workspace.gameday(&["schedule", "export", "nightly", "--to", "ics", "--output", "gamedays.ics"]);
    assert!(said(&named).contains("wrote") && !named.stderr.contains("cancelled"), "{named:?}");
    assert!(export().stderr.contains("cancelled"), "what is no more is cancelled where nothing else is asked for");
    workspace.write("other.ics", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n");
    let other = workspace.gameday(&["schedule", "export", "--to", "ics", "--output", "other.ics"]);
    assert_refused(&other, 1, &["what is there is no calendar that `gameday schedule export` wrote"]);
}

#[test]
fn a_template_passes_awss_linter_and_a_workflow_githubs_schema() {
    let Some(mut linter) = python("cfn-lint on an exported template") else { return };
    let Some(mut schema) = python("GitHub's schema on an exported workflow") else { return };
    let workspace = workspace(&[
        ("nightly", "regression", SECOND_TUESDAY),
        ("weekly", "regression", "{cron: 0 10 * * TUE, timezone: Europe/Helsinki}"),
    ]);
    said(&workspace.gameday(&["schedule", "export", "nightly", "--to", "eventbridge", "--output", "template.yaml"]));
    let output = workspace
        .start_command(linter.args([
            "-c",
            "import cfnlint.runner; cfnlint.runner.main()",
            "--regions",
            "eu-west-1",
            "--",
            "template.yaml",
        ]))
        .wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    let template = std::fs::read_to_string(workspace.path().join("template.yaml")).unwrap();
    assert!(
        template.contains("cron(0 10 ? * 3#2 *)")
            && template.contains("gameday run scenarios/nightly.yaml --env staging"),
        "{template}"
    );
    assert_refused(
        &workspace.gameday(&["schedule", "export", "nightly", "--to", "github"]),
        1,
        &["GitHub Actions can not express `0 10 * * TUE#2`"],
    );
    said(&workspace.gameday(&["schedule", "export", "weekly", "--to", "github", "--output", "workflow.yaml"]));
    let arguments = ["-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", "workflow.yaml"];
    let output = workspace.start_command(schema.args(arguments)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
}

/// systemd's own reader finds the same dates.
#[test]
fn a_timer_has_the_dates_that_systemd_finds() {
    let has_systemd =
        Command::new("systemd-analyze").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_systemd {
        let told = "\nskipped: systemd on an exported timer: there is no `systemd-analyze` here\n";
        std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes()).unwrap();
        return;
    }
    for cron in [
        "0 10 * * TUE#2",
        "0 10 * * SUN#L",
        "30 9 L * *",
        "*/20 8-9 1,15 JAN,JUL *",
        "0 12 1 * MON",
        "0 12 13 * +FRI",
        "0 9 * * TUE#5",
    ] {
        let schedule = format!("{{cron: '{cron}', timezone: America/New_York}}");
        let workspace = workspace(&[("nightly", "regression", &schedule)]);
        said(&workspace.gameday(&["schedule", "export", "nightly", "--to", "systemd", "--output", "nightly.timer"]));
        let timer = std::fs::read_to_string(workspace.path().join("nightly.timer")).unwrap();
        let mut found = BTreeSet::new();
        for line in timer.lines().filter_map(|line| line.strip_prefix("OnCalendar=")) {
            let output = Command::new("systemd-analyze")
                .args(["calendar", "--iterations=24", "--base-time=2027-01-01 00:00:00 UTC", line])
                .env("TZ", "UTC")
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            // `Next elapse: Tue 2027-01-12 15:00:00 UTC`, then `Iter. #2: …`.
            let is_date = |line: &&str| line.contains("Next elapse:") || line.contains("Iter. #");
            let dates = text.lines().filter(is_date).filter_map(|line| line.split_once(": "));
            found.extend(dates.filter_map(|(_, at)| at.trim().split_once(' ').map(|(_, at)| at.to_owned())));
        }
        let next =
            answer(&workspace.gameday(&["schedule", "next", "--after", "2027-01-01", "--count", "12", "--json"]));
        let dates = next[0]["dates"].as_array().unwrap().iter();
        let ours: Vec<String> =
            dates.map(|date| date["utc"].as_str().unwrap().replace('T', " ").replace('Z', " UTC")).collect();
        // A Friday the 13th is rare: there are not that many in the five years that are looked at.
        assert!(ours.len() >= 5, "{cron}: {ours:?}");
        let theirs: Vec<String> = found.into_iter().take(ours.len()).collect();
        assert_eq!(ours, theirs, "{cron}: {timer}");
        let verify = Command::new("systemd-analyze")
            .args(["verify", "--man=no", "nightly.timer", "nightly.service"])
            .current_dir(workspace.path())
            .output()
            .unwrap();
        assert!(verify.status.success(), "{cron}: {}", String::from_utf8_lossy(&verify.stderr));
    }
}
