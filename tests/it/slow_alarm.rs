//! An alarm that is too slow, from the plan that says so to the lesson that a second run verifies.

use serde_json::Value;

use crate::support::{Workspace, repository};

/// The example, in which the alarm has 22 s, and nothing else is judged of it.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    let mut text = std::fs::read_to_string(repository().join("scenarios/alarm.yaml")).unwrap();
    for (old, new) in [
        ("detect(payments-throttled) <= 20s", "detect(payments-throttled) <= 22s"),
        ("alarm(payments-throttled) is OK within 40s after throttled", "mean(order_ok) >= 50%"),
        ("phase: baseline, for: 12s", "phase: baseline, for: 6s"),
        ("phase: throttled, for: 25s", "phase: throttled, for: 36s"),
    ] {
        assert!(text.contains(old), "{old}");
        text = text.replace(old, new);
    }
    workspace.write("scenarios/alarm.yaml", &text);
    workspace
}

/// Gives the alarm on throttles so many periods of 10 s, all of which must breach.
fn set_periods(workspace: &Workspace, from: &str, to: &str) {
    let settings = std::fs::read_to_string(workspace.path().join("gameday.yaml")).unwrap();
    let changed = settings.replace(
        &format!("metric_name: Throttles, threshold: 1, period: 10s{from},"),
        &format!("metric_name: Throttles, threshold: 1, period: 10s{to},"),
    );
    assert_ne!(changed, settings);
    workspace.write("gameday.yaml", &changed);
}

fn said(workspace: &Workspace, arguments: &[&str]) -> String {
    let output = workspace.gameday(arguments);
    assert_eq!(output.code(), 0, "{arguments:?}: {}{}", output.stdout, output.stderr);
    output.stdout
}

fn answer(workspace: &Workspace, arguments: &[&str]) -> Value {
    serde_json::from_str(&said(workspace, arguments)).expect("JSON")
}

/// Runs the scenario; where the machine was too busy to make the load, nothing was shown, and it is run once more.
fn report_of_a_run(workspace: &Workspace, code: i32) -> Value {
    let run_once = || workspace.gameday(&["run", "scenarios/alarm.yaml"]);
    let output = (0..5).map(|_| run_once()).find(|output| output.code() != 6).expect("a machine that is not too busy");
    assert_eq!(output.code(), code, "{}{}", output.stdout, output.stderr);
    let folders = std::fs::read_dir(workspace.reports()).unwrap().map(|entry| entry.unwrap().path());
    let latest = folders.filter(|path| path.join("report.json").is_file()).max().expect("a run");
    serde_json::from_str(&std::fs::read_to_string(latest.join("report.json")).unwrap()).unwrap()
}

fn verdict(report: &Value) -> &Value {
    let hypotheses = report["hypotheses"].as_array().expect("a list");
    &hypotheses.iter().find(|it| it["id"] == "H2").expect("H2")["verdict"]["name"]
}

fn slow_alarm(report: &Value) -> Option<&Value> {
    report["findings"].as_array().expect("a list").iter().find(|finding| finding["kind"] == "slow_alarm")
}

#[test]
fn a_plan_predicts_a_slow_alarm_a_run_refutes_it_and_a_second_run_verifies_the_lesson() {
    let workspace = workspace();
    set_periods(&workspace, "", ", evaluation_periods: 4");
    let plan = said(&workspace, &["plan", "scenarios/alarm.yaml"]);
    let told = "✗ `payments-throttled` can not fire in 22s: not before 30s, by 51s (4 of 4 periods of 10s";
    assert!(plan.contains(told), "{plan}");
    let predicted = answer(&workspace, &["plan", "scenarios/alarm.yaml", "--json"])["detections"][0].clone();
    assert_eq!((&predicted["hypothesis"], &predicted["fit"]), (&"H2".into(), &"misses".into()), "{predicted}");
    assert_eq!((predicted["earliest_ms"].as_u64(), predicted["latest_ms"].as_u64()), (Some(30_000), Some(51_000)));

    let refuted = report_of_a_run(&workspace, 3);
    assert_eq!(verdict(&refuted), "refuted");
    let alarm = &refuted["alarms"].as_array().unwrap()[0];
    assert_eq!((&alarm["alarm"], &alarm["bounds"][0]["fit"]), (&"payments-throttled".into(), &"misses".into()));
    assert_eq!(alarm["prediction"]["earliest_ms"], 30_000);
    // What was measured keeps to what was predicted.
    assert!(alarm["after_effect_ms"].as_u64().is_none_or(|ms| ms >= 20_000), "{alarm:#}");
    let finding = slow_alarm(&refuted).expect("a finding");
    assert_eq!((&finding["rule"], &finding["severity"]), (&"F-42".into(), &"high".into()), "{finding:#}");
    let snippet: Value = serde_yaml::from_str(finding["snippet"].as_str().expect("a snippet")).expect("YAML");
    let mended = &snippet["PaymentsThrottledAlarm"]["Properties"];
    assert_eq!(
        (&mended["Period"], &mended["EvaluationPeriods"], &mended["MetricName"]),
        (&10.into(), &1.into(), &"Throttles".into()),
        "{snippet:#}"
    );

    let new = ["lesson", "new", "The alarm on throttles is too slow", "--text", "It looked at four periods."];
    let lesson = answer(&workspace, &[&new[..], &["--from", "latest", "--hypothesis", "H2", "--json"]].concat());
    let id = lesson["id"].as_str().expect("an id").to_owned();
    let path = workspace.path().join(format!("lessons/{id}.md"));
    let text = std::fs::read_to_string(&path).expect("the lesson");
    assert!(text.contains("status: open") && text.contains("regression: alarm#H2"), "{text}");

    set_periods(&workspace, ", evaluation_periods: 4", "");
    std::fs::write(&path, text.replace("status: open", "status: mitigated")).unwrap();
    let plan = said(&workspace, &["plan", "scenarios/alarm.yaml"]);
    assert!(plan.contains("✓ `payments-throttled` can fire in 22s: not before 0s, by 21s"), "{plan}");
    let upheld = report_of_a_run(&workspace, 0);
    assert_eq!((verdict(&upheld), slow_alarm(&upheld)), (&"upheld".into(), None));
    let shown = answer(&workspace, &["lesson", "show", &id, "--json"]);
    assert_eq!(shown["status"], "verified", "{shown}");
}
