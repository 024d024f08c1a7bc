//! Peers that we did not write: botocore reads our sandbox, and our faults work on somebody else's emulator.
//!
//! They need a Python with `tests/requirements.txt`, named by `GAMEDAY_TEST_PYTHON`, as `make test` does.

use std::process::{Command, Stdio};

use gameday::event::{FaultEnd, FaultState};
use rustix::process::Signal;
use serde_json::json;

use crate::lambda::Lambda;
use crate::support::{Run, Workspace, free_port, repository, tell_skipped, wait_for};

/// A command of the Python that has the peers, with nothing of the caller's AWS or proxy configuration; none, and a loud
/// line, where there is no such Python.
pub(crate) fn python(test: &str) -> Option<Command> {
    let Some(python) = std::env::var_os("GAMEDAY_TEST_PYTHON") else {
        tell_skipped(test);
        return None;
    };
    let mut command = Command::new(python);
    let own = |name: &str| name.starts_with("AWS_") || name.to_lowercase().ends_with("_proxy");
    for (name, _) in std::env::vars().filter(|(name, _)| own(name)) {
        command.env_remove(name);
    }
    command.arg("-B").stdin(Stdio::null());
    command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
    Some(command)
}

pub(crate) fn script(name: &str) -> std::path::PathBuf {
    repository().join("tests/peers").join(name)
}

/// Ends a server as its user would.
pub(crate) fn stop(server: Run) {
    server.signal(Signal::TERM);
    server.wait();
}

#[test]
fn botocore_understands_every_answer_of_the_sandbox() {
    let Some(mut python) = python("botocore on the sandbox") else { return };
    let workspace = Workspace::new();
    let functions = script("functions.yaml");
    let mut sandbox =
        workspace.start(&["sandbox", "up", "--json", "--functions", functions.to_str().expect("a path in UTF-8")]);
    let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
    let output = workspace.start_command(python.arg(script("sandbox_conformance.py")).arg(endpoint)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
    assert!(output.stdout.ends_with(" 0 mismatches\n"), "{}", output.stdout);
    stop(sandbox);
}

const SCENARIO: &str = r#"
gameday: 1
id: foreign
title: Three faults on an emulator that somebody else wrote
owner: team-shop
mode: drill
environments: {allow: [emulator]}
targets:
  orders:   {lambda: {function: orders}}
  payments: {lambda: {function: payments}}
signals:
  emulator: {level: system, http: {get: "HEALTH", every: 500ms}}
hypotheses:
  - {id: H1, severity: low, text: "The emulator answers all the time", expect: "mean(emulator) > 50% during broken"}
faults:
  throttled: {lambda_concurrency: {target: orders, reserved: 0}}
  impatient: {lambda_timeout: {target: payments, timeout: 2s}}
  coloured:  {lambda_environment: {target: payments, set: {COLOUR: blue, ADDED: "1"}, unset: [OTHER]}}
timeline:
  - phase: broken
    for: 10m
    until: "mark(seen)"
    do: [{at: 0s, fault: throttled}, {at: 0s, fault: impatient}, {at: 1s, fault: coloured}]
"#;

/// Starts MiniStack with the `services` named, and waits until it listens.
pub(crate) fn start_ministack(python: &mut Command, workspace: &Workspace, port: u16, services: &str) -> Run {
    let command = python
        .args(["-m", "ministack"])
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("SERVICES", services)
        .env("LOG_LEVEL", "ERROR")
        // Whatever it unpacks goes away with the workspace.
        .env("TMPDIR", workspace.path());
    let ministack = workspace.start_command(command);
    wait_for("MiniStack to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    ministack
}

/// moto without a line for each request: nobody reads them, and it would stop once the pipe is full.
const MOTO: &str = "import logging, moto.server; logging.getLogger('werkzeug').setLevel('ERROR'); moto.server.main()";

/// Starts moto, and waits until it listens.
pub(crate) fn start_moto(python: &mut Command, workspace: &Workspace, port: u16) -> Run {
    let moto = workspace.start_command(python.args(["-c", MOTO, "-H", "127.0.0.1", "-p", &port.to_string()]));
    wait_for("moto to listen", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    moto
}

pub(crate) fn create_functions(workspace: &Workspace, endpoint: &str) {
    let mut python = python("creating functions").expect("there is one");
    let output = workspace.start_command(python.arg(script("create_functions.py")).arg(endpoint)).wait();
    assert_eq!(output.code(), 0, "{}{}", output.stdout, output.stderr);
}

#[test]
fn faults_work_on_ministack_and_leave_its_functions_as_they_were() {
    let Some(mut python) = python("faults on MiniStack") else { return };
    let workspace = Workspace::new();
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let ministack = start_ministack(&mut python, &workspace, port, "lambda,iam,logs,sts");
    create_functions(&workspace, &endpoint);
    let environment = format!("gameday: 1\nenvironments: {{emulator: {{endpoint: \"{endpoint}\"}}}}\n");
    workspace.write("gameday.yaml", &environment);
    workspace.write("scenarios/foreign.yaml", &SCENARIO.replace("HEALTH", &format!("{endpoint}/_ministack/health")));

    let lambda = Lambda::at(&endpoint);
    let functions = || [lambda.function("orders"), lambda.function("payments")];
    let before = functions();
    assert_eq!((before[0].reserved, before[1].reserved), (None, Some(7)));
    assert_eq!(lambda.invoke("orders"), Ok(json!({"colour": "red", "other": "secret"})));

    let run = workspace.start(&["run", "scenarios/foreign.yaml", "--env", "emulator"]);
    wait_for("all faults to be applied", || {
        let faults = workspace.state().faults;
        (faults.iter().filter(|fault| fault.state == FaultState::Applied).count() == 3).then_some(())
    });
    let [orders, payments] = functions();
    assert_eq!((orders.reserved, payments.timeout_seconds), (Some(0), Some(2)));
    assert_eq!(lambda.invoke("orders"), Err("TooManyRequestsException".to_owned()));
    assert_eq!(lambda.invoke("payments"), Ok(json!({"colour": "blue", "other": null})));
    let seen = workspace.gameday(&["mark", "seen"]);
    assert_eq!(seen.code(), 0, "{seen:#?}");
    let output = run.wait();
    assert_eq!(output.code(), 0, "{output:#?}");

    assert_eq!(functions(), before);
    for fault in &workspace.state().faults {
        assert_eq!((fault.state, fault.end), (FaultState::Restored, Some(FaultEnd::Restored)), "{fault:#?}");
    }
    for function in ["orders", "payments"] {
        assert_eq!(lambda.invoke(function), Ok(json!({"colour": "red", "other": "secret"})));
    }
    stop(ministack);
}
