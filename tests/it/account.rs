//! Environments that are bound to an account: who may change and undo, and by which credentials.

use std::process::Command;

use gameday::event::{EventKind, FaultEnd, FaultState};
use gameday::run::find_runs;
use rustix::process::Signal;

use crate::lambda::Lambda;
use crate::peers::{python, script, start_moto, stop};
use crate::support::{Output, Run, Workspace, free_port, gameday, wait_for};

const FUNCTIONS: &str = "functions: {orders: {demo: checkout}}\n";

const SCENARIO: &str = r#"
gameday: 1
id: bound
title: A fault in an account
owner: team-shop
targets: {orders: {lambda: {function: orders}}}
signals: {control: {level: system, http: {get: "HEALTH", every: 500ms}}}
hypotheses:
  - {id: H1, severity: low, text: "Something answers", expect: "count(control) > 0"}
faults:
  impatient: {lambda_timeout: {target: orders, timeout: 2s}}
timeline:
  - {phase: broken, for: HOLD, do: [{at: 0s, fault: impatient}]}
"#;

/// The account of the sandbox.
const SANDBOX_ACCOUNT: &str = "000000000000";
/// A role in an account that is not that of the callers.
const ROLE_ARN: &str = "arn:aws:iam::111122223333:role/gameday";

/// A command without the caller's AWS configuration.
fn alone() -> Command {
    let mut command = gameday();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

fn write_scenario(workspace: &Workspace, endpoint: &str, hold: &str) {
    workspace.write("scenarios/bound.yaml", &SCENARIO.replace("HEALTH", endpoint).replace("HOLD", hold));
}

fn write_environment(workspace: &Workspace, keys: &str) {
    workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {{bound: {{{keys}}}}}\n"));
}

/// A sandbox that runs apart, and a workspace with a scenario for it.
fn sandbox(hold: &str) -> (Workspace, String, Run) {
    let workspace = Workspace::empty();
    workspace.write("functions.yaml", FUNCTIONS);
    let mut sandbox = workspace.start(&["sandbox", "up", "--functions", "functions.yaml", "--json"]);
    let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
    write_scenario(&workspace, &format!("{endpoint}/"), hold);
    (workspace, endpoint, sandbox)
}

fn run(workspace: &Workspace) -> Output {
    workspace.start_command(alone().args(["run", "scenarios/bound.yaml", "--env", "bound"])).wait()
}

#[test]
fn an_emulator_may_be_bound_to_the_account_in_which_the_caller_must_be() {
    let (workspace, endpoint, _sandbox) = sandbox("1s");
    let before = Lambda::at(&endpoint).function("orders");
    write_environment(&workspace, &format!("endpoint: \"{endpoint}\", account: \"111122223333\""));
    let refused = run(&workspace);
    assert_eq!(refused.code(), 7, "{refused:#?}");
    let expected = "the caller is in account `000000000000`, and environment `bound` is bound to account `111122223333`: \
                    nothing is touched";
    assert!(refused.stderr.contains(expected), "{}", refused.stderr);
    assert!(workspace.state().faults.is_empty());

    std::fs::remove_dir_all(workspace.reports()).expect("a folder");
    write_environment(&workspace, &format!("endpoint: \"{endpoint}\", account: \"{SANDBOX_ACCOUNT}\""));
    let passed = run(&workspace);
    assert_eq!(passed.code(), 0, "{passed:#?}");
    let ready = |kind: &EventKind| match kind {
        EventKind::ReadinessPassed { checks } => checks.iter().any(|it| it == "the caller is in account 000000000000"),
        _ => false,
    };
    assert!(workspace.events().iter().any(|event| ready(&event.kind)), "{:#?}", workspace.events());
    assert_eq!(Lambda::at(&endpoint).function("orders"), before);
    let report = std::fs::read_to_string(workspace.run_folder().expect("a run").join("report.json")).expect("a report");
    let report: serde_json::Value = serde_json::from_str(&report).expect("JSON");
    let environment = &report["header"]["environment"];
    assert_eq!((&environment["endpoint"], &environment["account"]), (&endpoint.into(), &SANDBOX_ACCOUNT.into()));
}

/// The run's folder alone says to which account the run was bound.
#[test]
fn recovery_undoes_nothing_in_another_account() {
    let (workspace, endpoint, _sandbox) = sandbox("30m");
    let lambda = Lambda::at(&endpoint);
    let before = lambda.function("orders");
    write_environment(&workspace, &format!("endpoint: \"{endpoint}\", account: \"{SANDBOX_ACCOUNT}\""));
    let arguments = ["run", "scenarios/bound.yaml", "--env", "bound", "--no-watchdog"];
    let run = workspace.start_command(alone().args(arguments));
    wait_for("the fault", || workspace.state().faults.iter().any(|it| it.state == FaultState::Applied).then_some(()));
    run.signal(Signal::KILL);
    drop(run);
    assert_eq!(lambda.function("orders").timeout_seconds, Some(2));
    // The workspace says nothing any more; the plan does.
    std::fs::remove_file(workspace.path().join("gameday.yaml")).expect("a file");
    let folder = find_runs(&workspace.reports()).expect("runs").pop().expect("a run");
    let plan = folder.join("plan.json");
    let text = std::fs::read_to_string(&plan).expect("a plan");
    std::fs::write(&plan, text.replace(SANDBOX_ACCOUNT, "111122223333")).expect("to write");
    let recover = |code: i32| {
        let output = workspace.start_command(alone().arg("recover").arg(&folder)).wait();
        assert_eq!(output.code(), code, "{output:#?}");
        output
    };
    let refused = recover(1);
    assert!(refused.stderr.contains("bound to account `111122223333`"), "{}", refused.stderr);
    assert_eq!(lambda.function("orders").timeout_seconds, Some(2), "nothing was undone");

    std::fs::write(&plan, text).expect("to write");
    recover(0);
    assert_eq!(lambda.function("orders"), before);
}

/// Nothing listens where the variable points: a call there would be no refusal, but an error of its own.
#[test]
fn an_endpoint_in_the_place_of_aws_is_refused_before_any_call() {
    let workspace = Workspace::empty();
    write_scenario(&workspace, "http://127.0.0.1:1/", "1s");
    write_environment(&workspace, "account: \"111122223333\", region: eu-west-1, class: nonproduction, profile: shop");
    let configuration = |lines: &str| {
        workspace
            .write("aws.config", &format!("[profile shop]\naws_access_key_id = a\naws_secret_access_key = b\n{lines}"));
    };
    let refused = |variable: Option<&str>, expected: &str| {
        let mut command = alone();
        command.args(["run", "scenarios/bound.yaml", "--env", "bound"]);
        command.env("AWS_CONFIG_FILE", workspace.path().join("aws.config"));
        command.envs(variable.map(|name| (name, "http://user:hidden@127.0.0.1:1")));
        let output = workspace.start_command(&mut command).wait();
        assert_eq!(output.code(), 7, "{output:#?}");
        assert!(output.stderr.contains(expected), "{expected}: {}", output.stderr);
        assert!(!output.stderr.contains("hidden") && !output.stderr.contains("failed with"), "{}", output.stderr);
    };
    configuration("");
    refused(Some("AWS_ENDPOINT_URL"), "the variable `AWS_ENDPOINT_URL` sends the calls of STS to `127.0.0.1:1`");
    refused(Some("AWS_ENDPOINT_URL_SSM"), "the variable `AWS_ENDPOINT_URL_SSM` sends the calls of SSM to");
    refused(Some("AWS_ENDPOINT_URL_LAMBDA"), "environment `bound` is bound to account `111122223333` of AWS itself");
    configuration("endpoint_url = http://127.0.0.1:1\n");
    refused(None, "profile `shop` of the AWS configuration (`endpoint_url` or `services`) sends the calls of STS");
    configuration("services = local\n[services local]\nfis =\n  endpoint_url = http://127.0.0.1:1\n");
    refused(None, "sends the calls of fis to `127.0.0.1:1`");
}

/// Works as a role on moto, as somebody else would.
fn as_role(workspace: &Workspace, verb: &str, endpoint: &str) -> String {
    let mut python = python("working as a role").expect("there is one");
    let output =
        workspace.start_command(python.arg(script("assumed_function.py")).args([verb, endpoint, ROLE_ARN])).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    output.stdout
}

/// The function is in the role's account alone: whoever does not work as the role finds none.
#[test]
fn a_role_is_assumed_for_every_call_of_a_run_and_of_its_recovery() {
    let Some(mut python) = python("assuming a role on moto") else { return };
    let workspace = Workspace::empty();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let moto = start_moto(&mut python, &workspace, port);
    as_role(&workspace, "create", &endpoint);
    let shows = |timeout: u32| {
        let shown = as_role(&workspace, "show", &endpoint);
        assert!(shown.contains(":111122223333:") && shown.contains(&format!("\"Timeout\": {timeout}")), "{shown}");
    };
    write_scenario(&workspace, &format!("{endpoint}/moto-api/"), "30m");
    // The account of moto's callers, whose own credentials are used where no role is assumed.
    write_environment(&workspace, &format!("endpoint: \"{endpoint}\", account: \"123456789012\""));
    let refused = run(&workspace);
    assert_eq!(refused.code(), 7, "{refused:#?}");
    assert!(refused.stderr.contains("target `orders` is not ready"), "{}", refused.stderr);
    std::fs::remove_dir_all(workspace.reports()).expect("a folder");

    write_environment(
        &workspace,
        &format!(
            "endpoint: \"{endpoint}\", account: \"111122223333\", role_arn: \"{ROLE_ARN}\", external_id: told-to-nobody"
        ),
    );
    let arguments = ["run", "scenarios/bound.yaml", "--env", "bound", "--no-watchdog"];
    let run = workspace.start_command(alone().args(arguments));
    wait_for("the fault", || workspace.state().faults.iter().any(|it| it.state == FaultState::Applied).then_some(()));
    run.signal(Signal::KILL);
    drop(run);
    shows(2);
    std::fs::remove_file(workspace.path().join("gameday.yaml")).expect("a file");
    let folder = workspace.run_folder().expect("a run");
    let recovered = workspace.start_command(alone().arg("recover").arg(&folder)).wait();
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    let [fault] = workspace.state().faults.try_into().expect("one fault");
    assert_eq!((fault.state, fault.end), (FaultState::Restored, Some(FaultEnd::Restored)));
    shows(7);
    workspace.gameday(&["report", &folder.display().to_string()]);
    for file in ["run.ndjson", "report.html", "report.json", "report.md"] {
        let text = std::fs::read_to_string(folder.join(file)).expect(file);
        assert!(!text.contains("told-to-nobody"), "{file}");
    }
    stop(moto);
}
