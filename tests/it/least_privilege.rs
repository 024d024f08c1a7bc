//! A run with exactly the policy that `plan --iam` prints, where somebody else checks it: MiniStack with `AUTH=true`.
//!
//! MiniStack 1.5.33 takes `lambda:PutFunctionConcurrency` for every call on a reservation, other actions than AWS for aliases,
//! function URLs, event sources, provisioned concurrency and asynchronous events, and another ARN for rules of the default bus;
//! those faults are left out here.

use std::collections::BTreeMap;

use gameday::event::{FaultEnd, FaultState};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::peers::{create_functions, python, script, start_ministack, stop};
use crate::signed::create_surroundings;
use crate::support::{Output, Run, Workspace, free_port, gameday, wait_for};

const SERVICES: &str = "dynamodb,events,iam,lambda,logs,sqs,ssm,sts";

/// How many faults the scenario has.
const FAULTS: usize = 9;

/// Every fault whose calls MiniStack checks under the names that AWS has for them.
const SCENARIO: &str = r#"
gameday: 1
id: least
title: Nine faults with the least of permissions
owner: me
environments: {allow: [emulator]}
targets:
  orders:  {lambda: {function: orders}}
  payments: {lambda: {function: payments}}
  courier: {role: {name: courier}}
  inbox:   {queue: {name: payments}}
  table:   {table: {name: orders}}
  paid:    {rule: {name: paid, bus: shop}}
  mode:    {parameter: {name: /shop/mode}}
hypotheses: [{id: H1, text: Nobody has to look, expect: mark(seen)}]
faults:
  throttled: {lambda_concurrency: {target: orders, reserved: 0}}
  impatient: {lambda_timeout: {target: payments, timeout: 2s}}
  coloured:  {lambda_environment: {target: payments, set: {COLOUR: blue}}}
  small:     {lambda_memory: {target: payments, mb: 192}}
  barred:    {iam_deny: {target: courier, actions: ["sqs:SendMessage"]}}
  closed:    {sqs_deny: {target: inbox}}
  slow:      {dynamodb_throttle: {target: table, read: 1}}
  unpaid:    {event_rule: {target: paid, enabled: false}}
  calm:      {ssm_parameter: {target: mode, value: panic}}
timeline:
  - phase: broken
    for: 10m
    until: "mark(seen)"
    do:
      - {at: 0s, fault: throttled}
      - {at: 0s, fault: impatient}
      - {at: 0s, fault: coloured}
      - {at: 0s, fault: small}
      - {at: 0s, fault: barred}
      - {at: 0s, fault: closed}
      - {at: 0s, fault: slow}
      - {at: 0s, fault: unpaid}
      - {at: 0s, fault: calm}
"#;

/// Starts a run of the scenario, or a look at it, as one of the users.
pub(crate) fn start_as(workspace: &Workspace, user: &str, arguments: &[&str]) -> Run {
    let mut command = gameday();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_EC2_METADATA_DISABLED", "true");
    command.env("AWS_SHARED_CREDENTIALS_FILE", workspace.path().join(format!("{user}.credentials")));
    workspace.start_command(command.args(arguments))
}

pub(crate) fn as_user(workspace: &Workspace, user: &str, arguments: &[&str]) -> Output {
    start_as(workspace, user, arguments).wait()
}

/// Every action of a policy.
pub(crate) fn actions(policy: &Value) -> Vec<String> {
    let statements = policy["Statement"].as_array().expect("statements");
    let of = |statement: &Value| statement["Action"].as_array().expect("actions").clone();
    let mut actions: Vec<String> =
        statements.iter().flat_map(of).map(|action| action.as_str().expect("an action").to_owned()).collect();
    actions.sort();
    actions.dedup();
    actions
}

/// The policy without one action.
pub(crate) fn without(policy: &Value, action: &str) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().expect("statements");
    for statement in statements.iter_mut() {
        statement["Action"].as_array_mut().expect("actions").retain(|it| it != action);
    }
    statements.retain(|statement| statement["Action"] != json!([]));
    policy
}

/// The name of the user who may do all but one action.
fn user_without(action: &str) -> String {
    format!("without-{}", action.replace(':', "-"))
}

/// Makes the users, each with a profile in a file of its own.
pub(crate) fn create_users(workspace: &Workspace, endpoint: &str, users: &BTreeMap<String, Vec<Value>>) {
    workspace.write("users.json", &serde_json::to_string(users).expect("JSON"));
    let mut python = python("creating users").expect("there is one");
    let users = workspace.path().join("users.json");
    let output = workspace.start_command(python.arg(script("create_users.py")).arg(endpoint).arg(users)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    let keys: BTreeMap<String, BTreeMap<String, String>> = serde_json::from_str(&output.stdout).expect("keys");
    for (user, key) in keys {
        let text = format!("[it]\naws_access_key_id = {}\naws_secret_access_key = {}\n", key["id"], key["secret"]);
        workspace.write(&format!("{user}.credentials"), &text);
    }
}

/// What the faults work on.
fn create_targets(workspace: &Workspace, endpoint: &str) -> (String, String) {
    let key = create_surroundings(workspace, endpoint);
    create_functions(workspace, endpoint);
    // With AUTH=true only the key `test` is nobody's, and may do everything.
    let mut python = python("creating a parameter").expect("there is one");
    python.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_REGION", "us-east-1");
    let put = "import boto3, sys; boto3.client('ssm', endpoint_url=sys.argv[1], region_name='us-east-1')\
               .put_parameter(Name='/shop/mode', Value='calm', Type='String')";
    let output = workspace.start_command(python.args(["-c", put, endpoint])).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    key
}

/// What becomes of a message to `payments` by a user, and of one to `orders` by the role `courier`.
fn sending(workspace: &Workspace, endpoint: &str, (id, secret): &(String, String)) -> Value {
    let mut python = python("sending").expect("there is one");
    let command = python.arg(script("try_sending.py")).args([endpoint, id, secret]);
    let output = workspace.start_command(command).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    serde_json::from_str(&output.stdout).expect("JSON")
}

#[test]
fn a_run_needs_exactly_what_plan_prints_and_readiness_names_what_is_missing() {
    let Some(mut python) = python("least privilege on MiniStack") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let ministack = start_ministack(python.env("AUTH", "true"), &workspace, port, SERVICES);
    let key = create_targets(&workspace, &endpoint);
    let environment = format!("gameday: 1\nenvironments: {{emulator: {{endpoint: \"{endpoint}\", profile: it}}}}\n");
    workspace.write("gameday.yaml", &environment);
    workspace.write("scenarios/least.yaml", SCENARIO);
    let plan = workspace.gameday(&["plan", "scenarios/least.yaml", "--env", "emulator", "--iam"]);
    let policies: Value = serde_json::from_str(&plan.stdout).expect("two policies");
    let inject = &policies["inject"];

    let simulate = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "iam:SimulatePrincipalPolicy", "Resource": "*"},
    ]});
    let mut users = BTreeMap::from([
        ("exact".to_owned(), vec![inject.clone()]),
        ("rollback".to_owned(), vec![policies["rollback"].clone()]),
        ("whole".to_owned(), vec![inject.clone(), simulate.clone()]),
    ]);
    for action in actions(inject) {
        users.insert(user_without(&action), vec![without(inject, &action), simulate.clone()]);
    }
    create_users(&workspace, &endpoint, &users);
    readiness_is_exact(&workspace, inject);
    runs_are_exact(&workspace, &|| sending(&workspace, &endpoint, &key));
    a_recovery_is_exact(&workspace, &|| sending(&workspace, &endpoint, &key));
    stop(ministack);
}

fn readiness_is_exact(workspace: &Workspace, inject: &Value) {
    let look = ["readiness", "scenarios/least.yaml", "--env", "emulator", "--permissions", "--json"];
    let ready = as_user(workspace, "whole", &look);
    assert_eq!(ready.code(), 0, "{ready:#?}");
    for action in actions(inject) {
        let output = as_user(workspace, &user_without(&action), &look);
        assert_eq!(output.code(), 7, "{output:#?}");
        let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
        let permissions = json["permissions"]["permissions"].as_array().expect("permissions");
        for permission in permissions {
            let expected = if permission["action"] == *action { "denied" } else { "allowed" };
            assert_eq!(permission["verdict"], expected, "without {action}: {permission}");
        }
    }
    // Who may not ask does not know, and what is not known is no pass.
    let output = as_user(workspace, "exact", &look);
    assert_eq!(output.code(), 7, "{output:#?}");
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    for permission in json["permissions"]["permissions"].as_array().expect("permissions") {
        assert_eq!(permission["verdict"], "unknown", "{permission}");
        assert!(permission["why"].as_str().expect("a reason").contains("iam:SimulatePrincipalPolicy"), "{permission}");
    }
    let output = as_user(workspace, &user_without("iam:PutRolePolicy"), look.get(..5).expect("arguments"));
    assert_eq!(output.code(), 7);
    assert!(output.stdout.contains("denied   iam:PutRolePolicy"), "{}", output.stdout);
    assert!(output.stdout.trim_end().ends_with("2 denied, 0 unknown: not ready"), "{}", output.stdout);
}

fn wait_until_all_are_applied(workspace: &Workspace) {
    wait_for("all faults to be applied", || {
        let state = workspace.state();
        assert!(!state.is_over(), "{state:#?}");
        (state.faults.iter().filter(|fault| fault.state == FaultState::Applied).count() == FAULTS).then_some(())
    });
}

fn runs_are_exact(workspace: &Workspace, sending: &dyn Fn() -> Value) {
    assert_eq!(sending(), json!({"user": "sent", "role": "sent"}));
    let arguments = ["run", "scenarios/least.yaml", "--env", "emulator", "--reports"];
    let with_reports = |reports: &'static str| arguments.into_iter().chain([reports]).collect::<Vec<_>>();
    let run = start_as(workspace, "exact", &with_reports("reports"));
    wait_until_all_are_applied(workspace);
    // The effect of the two denials, where policies are evaluated.
    let refused = sending();
    assert!(refused["user"] != "sent" && refused["role"] != "sent", "{refused}");
    let seen = workspace.gameday(&["mark", "seen"]);
    assert_eq!(seen.code(), 0, "{seen:#?}");
    let output = run.wait();
    assert_eq!(output.code(), 0, "{output:#?}");
    assert_eq!(sending(), json!({"user": "sent", "role": "sent"}));
    for fault in &workspace.state().faults {
        assert_eq!((fault.state, fault.end), (FaultState::Restored, Some(FaultEnd::Restored)), "{fault:#?}");
    }
    for action in ["lambda:GetFunctionConfiguration", "lambda:UpdateFunctionConfiguration", "iam:PutRolePolicy"] {
        let output = as_user(workspace, &user_without(action), &with_reports("refused"));
        assert_ne!(output.code(), 0, "{output:#?}");
        assert!(output.stderr.contains(action), "{action}: {output:#?}");
    }
}

/// Who may only roll back undoes everything of a run that was killed, and could not have begun it.
fn a_recovery_is_exact(workspace: &Workspace, sending: &dyn Fn() -> Value) {
    std::fs::remove_dir_all(workspace.reports()).expect("no reports of others");
    let run = ["run", "scenarios/least.yaml", "--env", "emulator", "--no-watchdog"];
    let refused = as_user(workspace, "rollback", &[run.as_slice(), &["--reports", "refused"]].concat());
    assert_ne!(refused.code(), 0, "{refused:#?}");
    let run = start_as(workspace, "exact", &run);
    wait_until_all_are_applied(workspace);
    run.signal(Signal::KILL);
    assert_eq!(run.wait().status.code(), None);
    let recovered = as_user(workspace, "rollback", &["recover"]);
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    for fault in &workspace.state().faults {
        assert_eq!((fault.state, fault.end), (FaultState::Restored, Some(FaultEnd::Restored)), "{fault:#?}");
    }
    assert_eq!(sending(), json!({"user": "sent", "role": "sent"}));
}
