//! `gameday readiness` against accounts that are not ours: an emulator's in a bad and in a good state, and one with 500 functions.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::peers::{python, script, start_ministack, stop};
use crate::support::{Output, Workspace, free_port, wait_for};

const SCENARIO: &str = "gameday: 1
id: ready
title: One fault
owner: team-shop
targets: {orders: {lambda: {function: orders}}}
alarms: {expected: [orders-errors]}
hypotheses: [{id: H1, text: It is seen, expect: detect(orders-errors) <= 10m}]
faults: {none: {lambda_concurrency: {target: orders, reserved: 0}}}
timeline: [{phase: broken, for: 1m, do: [{at: 0s, fault: none}]}]
";

const WORKLOAD: &str = "gameday: 1
purpose: Sells
stakeholders: [{name: Shoppers}]
teams: {team-shop: {}}
components: {orders: {owner: team-shop, value: All, priority: 1, lambda: {function: orders}}}
";

/// The results by check, of an answer in JSON.
fn results(output: &Output) -> BTreeMap<String, (String, String)> {
    let json: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:#?}"));
    assert_eq!(json["format"], 1);
    let checks = json["checks"].as_array().expect("checks");
    let text = |check: &Value, key: &str| check[key].as_str().unwrap_or_default().to_owned();
    checks.iter().map(|check| (text(check, "id"), (text(check, "result"), text(check, "why")))).collect()
}

#[track_caller]
fn assert_results(found: &BTreeMap<String, (String, String)>, expected: &[(&str, &str)]) {
    for (id, result) in expected {
        let check = found.get(*id).unwrap_or_else(|| panic!("{id} is not told: {found:#?}"));
        assert_eq!(check.0, *result, "{id}: {}", check.1);
    }
}

fn prepare(workspace: &Workspace, endpoint: &str, verb: &str) {
    let mut python = python("an account for readiness").expect("there is one");
    let command = python.arg(script("readiness_account.py")).args([endpoint, verb]);
    let output = workspace.start_command(command).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
}

#[test]
fn readiness_tells_what_an_emulator_lacks_and_what_became_better() {
    let Some(mut python) = python("readiness on MiniStack") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let services = "lambda,iam,sts,logs,cloudwatch,monitoring,sns,sqs,tagging,resourcegroupstaggingapi,cloudformation";
    let ministack = start_ministack(&mut python, &workspace, port, services);
    prepare(&workspace, &endpoint, "bad");
    let settings = format!(
        "gameday: 1\nenvironments: {{emulator: {{endpoint: \"{endpoint}\", require_tags: {{game-day: 'yes'}}}}}}\n"
    );
    workspace.write("gameday.yaml", &settings);
    workspace.write("workload.yaml", WORKLOAD);
    workspace.write("scenarios/ready.yaml", SCENARIO);
    let look = ["readiness", "scenarios/ready.yaml", "--env", "emulator", "--json", "--nightly"];
    let bad = workspace.gameday(&look);
    assert_eq!(bad.code(), 7, "{bad:#?}");
    let found = results(&bad);
    assert_results(&found, &[("R-05", "fail"), ("R-12", "fail"), ("R-30", "pass"), ("R-31", "fail"), ("R-32", "fail")]);
    assert_results(&found, &[("R-40", "fail"), ("R-70", "warn"), ("R-80", "fail"), ("R-85", "fail"), ("R-20", "pass")]);
    assert!(!bad.stdout.contains("hunter2000"), "{}", bad.stdout);

    prepare(&workspace, &endpoint, "good");
    let good = workspace.gameday(&look);
    let found = results(&good);
    assert_results(&found, &[("R-05", "pass"), ("R-12", "pass"), ("R-30", "pass"), ("R-31", "pass"), ("R-32", "pass")]);
    assert_results(&found, &[("R-40", "pass"), ("R-41", "pass"), ("R-21", "pass"), ("R-70", "pass"), ("R-80", "pass")]);
    assert_results(&found, &[("R-52", "pass")]);
    assert_eq!(good.code(), 0, "{good:#?}");
    let json: Value = serde_json::from_str(&good.stdout).expect("JSON");
    let shifts = json["since"]["shifts"].as_array().expect("what changed");
    assert!(shifts.iter().any(|shift| shift["id"] == "R-40" && shift["is_worse"] == false), "{shifts:#?}");
    assert!(workspace.reports().join("readiness/ready-emulator.json").is_file());
    stop(ministack);
}

/// The bound is on calls and not on time: 250 calls at 5 a second are 50 s.
#[test]
fn an_account_with_500_functions_is_looked_at_with_250_calls_at_most() {
    let Some(mut python) = python("an account with 500 functions") else { return };
    let workspace = Workspace::empty();
    let (port, count) = (free_port(), workspace.path().join("calls"));
    let account = workspace.start_command(python.arg(script("made_up_account.py")).arg(port.to_string()).arg(&count));
    wait_for("the account to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let names = || (0..500).map(|number| format!("fn-{number:03}"));
    let components: String = names()
        .map(|name| format!("  {name}: {{owner: team, value: All, priority: 1, lambda: {{function: {name}}}}}\n"))
        .collect();
    let workload = format!(
        "gameday: 1\npurpose: Sells\nstakeholders: [{{name: All}}]\nteams: {{team: {{}}}}\ncomponents:\n{components}"
    );
    workspace.write("workload.yaml", &workload);
    let targets: String =
        names().take(25).map(|name| format!("  {name}: {{lambda: {{function: {name}}}}}\n")).collect();
    let scenario = SCENARIO
        .replace("targets: {orders: {lambda: {function: orders}}}\n", &format!("targets:\n{targets}"))
        .replace("orders-errors", "fn-000-Errors")
        .replace("target: orders", "target: fn-000");
    workspace.write("scenarios/ready.yaml", &scenario);
    let settings = format!("gameday: 1\nenvironments: {{many: {{endpoint: \"http://127.0.0.1:{port}\"}}}}\n");
    workspace.write("gameday.yaml", &settings);
    let output = workspace.gameday(&["readiness", "scenarios/ready.yaml", "--env", "many", "--json"]);
    assert_eq!(output.code(), 0, "{output:#?}");
    let found = results(&output);
    for id in [
        "R-04", "R-12", "R-21", "R-30", "R-31", "R-32", "R-40", "R-41", "R-42", "R-46", "R-50", "R-52", "R-60", "R-61",
        "R-70", "R-78", "R-80",
    ] {
        assert_results(&found, &[(id, "pass")]);
    }
    // What takes a call for each is asked of 20 targets, and of the other five nobody knows.
    assert_results(&found, &[("R-53", "pass"), ("R-54", "unknown"), ("R-75", "unknown")]);
    let calls: u32 = std::fs::read_to_string(&count).expect("a count").parse().expect("a number");
    assert!((50..=250).contains(&calls), "{calls} calls");
    stop(account);
}

#[test]
fn at_a_table_and_in_a_sandbox_nobody_is_hurt() {
    let workspace = Workspace::new();
    let output = workspace.gameday(&["readiness", "scenarios/quickstart.yaml"]);
    assert_eq!(output.code(), 0, "{output:#?}");
    assert!(output.stdout.contains("R-30  must    each function has an alarm on Errors"), "{}", output.stdout);
    assert!(output.stdout.trim_end().ends_with("unknown: ready"), "{}", output.stdout);
    let list = workspace.gameday(&["readiness", "--list"]);
    assert!(list.stdout.contains("R-90  must") && list.code() == 0, "{list:#?}");
    let unknown = workspace.gameday(&["readiness", "scenarios/quickstart.yaml", "--only", "R-3O"]);
    assert!(unknown.code() != 0 && unknown.stderr.contains("did you mean `R-3"), "{unknown:#?}");
    let files = workspace.gameday(&[
        "readiness",
        "scenarios/quickstart.yaml",
        "--only",
        "R-20,R-30",
        "--junit",
        "j.xml",
        "--sarif",
        "s.json",
    ]);
    assert_eq!(files.code(), 0, "{files:#?}");
    let log: Value =
        serde_json::from_str(&std::fs::read_to_string(workspace.path().join("s.json")).expect("a log")).expect("JSON");
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "R-30");
    assert_eq!(
        log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "scenarios/quickstart.yaml"
    );
    assert!(std::fs::read_to_string(workspace.path().join("j.xml")).expect("XML").contains("<failure"));
}

#[test]
fn snippets_are_templates_that_cfn_lint_takes() {
    let workspace = Workspace::new();
    let output = workspace.gameday(&["readiness", "scenarios/quickstart.yaml", "--snippets", "missing"]);
    assert_eq!(output.code(), 0, "{output:#?}");
    let template = workspace.path().join("missing/alarms.yaml");
    assert!(std::fs::read_to_string(&template).expect("a template").contains("AWS::CloudWatch::Alarm"));
    let Some(mut linter) = python("cfn-lint on snippets") else { return };
    let command = linter.args(["-c", "import cfnlint.runner; cfnlint.runner.main()"]).arg("--").arg(&template);
    let linted = workspace.start_command(command).wait();
    assert_eq!(linted.code(), 0, "{}{}", linted.stdout, linted.stderr);
    let printed = workspace.gameday(&["readiness", "scenarios/quickstart.yaml", "--snippets"]);
    assert!(printed.stdout.starts_with("AWSTemplateFormatVersion"), "{}", printed.stdout);
}

/// Nobody listens for credentials: a run in an account begins only where readiness could be told.
#[test]
fn a_run_in_an_account_that_cannot_be_asked_does_not_begin() {
    let workspace = Workspace::empty();
    workspace.write(
        "gameday.yaml",
        "gameday: 1\nenvironments: {staging: {account: '111122223333', region: eu-west-1, class: nonproduction}}\n",
    );
    workspace.write("scenarios/ready.yaml", SCENARIO);
    let mut command = crate::support::gameday();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true").args(["run", "scenarios/ready.yaml", "--env", "staging"]);
    let output = workspace.start_command(&mut command).wait();
    assert_eq!(output.code(), 7, "{output:#?}");
    assert!(output.stderr.contains("no credentials") || output.stderr.contains("credentials"), "{}", output.stderr);
}

#[test]
fn a_waiver_is_checked_where_it_stands() {
    let workspace = Workspace::empty();
    workspace.write("scenarios/ready.yaml", SCENARIO);
    let settings = |waiver: &str| {
        let text = format!(
            "gameday: 1\nenvironments:\n  staging:\n    endpoint: http://127.0.0.1:1\n    waivers:\n      - {{{waiver}}}\n"
        );
        workspace.write("gameday.yaml", &text);
        workspace.gameday(&["readiness", "scenarios/ready.yaml", "--env", "staging", "--only", "R-20"])
    };
    for (waiver, told) in [
        ("check: R-4I, reason: x, by: maria", "did you mean `R-4"),
        ("check: R-41, reason: x", "by"),
        ("check: R-41, reason: ' ', by: maria", "a waiver without it waives nothing"),
        ("check: R-41, reason: x, by: maria, untill: 2027-03-01", "did you mean `until`?"),
    ] {
        let output = settings(waiver);
        assert_eq!(output.code(), 2, "{waiver}: {output:#?}");
        assert!(
            output.stderr.contains(told) && output.stderr.contains("gameday.yaml:6:"),
            "{waiver}: {}",
            output.stderr
        );
    }
    let waived = settings("check: R-20, reason: It is an example, by: maria, until: 2999-01-01");
    assert!(
        waived.stdout.contains("~ R-20") && waived.stdout.contains("It is an example (maria)"),
        "{}",
        waived.stdout
    );
}
