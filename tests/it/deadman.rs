//! Dead man's switches: what each fault would have AWS do is right by the service model, can be scheduled, and puts everything
//! back. No emulator carries out a schedule's target, so that the call is made here.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use chrono::TimeDelta;
use gameday::aws::{Aws, Connection, Schedule, Scheduled};
use gameday::event::{
    EventKind, EventLog, FaultEnd, FaultIdentity, FaultProgress, FaultState, LOG_FORMAT, ProcessKind, RunOutcome,
    SwitchProgress, SwitchState,
};
use gameday::fault::SwitchCall;
use gameday::unit::{Clock, Secret};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::lambda::Lambda;
use crate::peers::{create_functions, python, script, start_ministack, start_moto, stop};
use crate::signed::create_surroundings;
use crate::support::{Output, Workspace, free_port, wait_for};

/// The account of every emulator's role.
pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/shop";

/// Somebody who makes the calls of switches with boto3, after a look at the service model.
pub(crate) struct Thrower {
    child: Child,
    calls: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Thrower {
    /// None, and a loud line, where there is no Python for it.
    pub(crate) fn start(endpoint: &str) -> Option<Self> {
        let mut python = python("what undoes a fault in AWS itself")?;
        python.arg(script("throw_switches.py")).arg(endpoint);
        let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python");
        let calls = child.stdin.take().expect("a pipe");
        let answers = BufReader::new(child.stdout.take().expect("a pipe"));
        Some(Self { child, calls, answers })
    }

    /// Makes a call; every problem that was found.
    pub(crate) fn throw(&mut self, service: &str, action: &str, input: &Value) -> Vec<String> {
        writeln!(self.calls, "{}", json!({"service": service, "action": action, "input": input})).expect("it listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("an answer");
        serde_json::from_str(&line).expect("a list of problems")
    }
}

impl Drop for Thrower {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Sets a switch as a run would, reads it back, and takes it away.
pub(crate) async fn assert_can_be_scheduled(aws: &Aws, call: &SwitchCall) {
    let schedule = Schedule {
        name: "gameday-contract-switch".to_owned(),
        group: "default".to_owned(),
        at: "2099-12-15T14:00:05Z".parse().expect("a moment"),
        target_arn: call.target_arn("aws"),
        role_arn: ROLE.to_owned(),
        input: Secret::new(call.input.to_string()),
    };
    aws.scheduler.create(&schedule, &schedule.name).await.expect("a schedule");
    let found = aws.scheduler.get(&schedule.name, &schedule.group).await.expect("an answer").expect("a schedule");
    assert_eq!(found.schedule, schedule);
    aws.scheduler.delete(&schedule.name, &schedule.group).await.expect("deleted");
}

const SCENARIO: &str = r#"
gameday: 1
id: deadman
title: Faults that AWS undoes if nobody else does
owner: team-shop
mode: drill
targets:
  orders:   {lambda: {function: orders}}
  payments: {lambda: {function: payments}}
hypotheses:
  - {id: H1, severity: low, text: "Somebody looks", expect: "mark(seen)"}
faults:
  throttled: {lambda_concurrency: {target: orders, reserved: 0}}
  impatient: {lambda_timeout: {target: payments, timeout: 2s}}
  coloured:  {lambda_environment: {target: payments, set: {COLOUR: blue}}}
timeline:
  - phase: broken
    for: 10m
    until: "mark(seen)"
    do: [{at: 0s, fault: throttled}, {at: 0s, fault: impatient}, {at: 1s, fault: coloured}]
"#;

/// A workspace with an environment `emulator` that has a switch, at an endpoint.
fn workspace(endpoint: &str, deadman: &str) -> Workspace {
    let workspace = Workspace::empty();
    workspace.write("scenarios/deadman.yaml", SCENARIO);
    let environment = format!("{{endpoint: \"{endpoint}\", scheduler_role: \"{ROLE}\", deadman: {deadman}}}");
    workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {{emulator: {environment}}}\n"));
    workspace
}

fn wait_until_broken(workspace: &Workspace) {
    wait_for("all faults to be applied", || {
        let faults = workspace.state().faults;
        (faults.iter().filter(|fault| fault.state == FaultState::Applied).count() == 3).then_some(())
    });
}

fn run_to_its_end(workspace: &Workspace) -> Output {
    let run = workspace.start(&["run", "scenarios/deadman.yaml", "--env", "emulator"]);
    wait_until_broken(workspace);
    assert_eq!(workspace.gameday(&["mark", "seen"]).code(), 0);
    run.wait()
}

/// The faults of the only run, in the plan's order.
fn faults(workspace: &Workspace) -> Vec<FaultProgress> {
    let mut faults = workspace.state().faults;
    faults.sort_by(|one, other| one.identity.cmp(&other.identity));
    faults
}

/// Their switches.
fn switches(workspace: &Workspace) -> Vec<SwitchProgress> {
    faults(workspace).into_iter().filter_map(|fault| fault.switch).collect()
}

/// The schedules that stand in AWS for those switches.
fn standing(lambda: &Lambda, endpoint: &str, switches: &[SwitchProgress]) -> Vec<Scheduled> {
    lambda.runtime.block_on(async {
        let aws = Aws::connect(&Connection::Endpoint(endpoint.to_owned())).await;
        let mut found = Vec::new();
        for switch in switches {
            found.extend(aws.scheduler.get(&switch.schedule, &switch.group).await.expect("an answer"));
        }
        found
    })
}

/// Neither the run nor its watchdog lives, and nobody types a command: AWS undoes what it can, and a later recovery finds it
/// undone.
#[test]
fn the_switches_of_a_run_that_died_with_its_watchdog_stand_and_undo_its_faults() {
    let Some(mut python) = python("dead man's switches on MiniStack") else { return };
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let workspace = workspace(&endpoint, "auto");
    let ministack = start_ministack(&mut python, &workspace, port, "iam,lambda,logs,scheduler,sts");
    create_functions(&workspace, &endpoint);
    let lambda = Lambda::at(&endpoint);
    let functions = || [lambda.function("orders"), lambda.function("payments")];
    let before = functions();

    let run = workspace.start(&["run", "scenarios/deadman.yaml", "--env", "emulator"]);
    wait_until_broken(&workspace);
    let processes = workspace.state().processes;
    let (_, watchdog, _) = processes.iter().find(|(kind, ..)| *kind == ProcessKind::Watchdog).expect("a watchdog");
    let watchdog = Pid::from_raw(i32::try_from(*watchdog).expect("a process id")).expect("a process id");
    kill_process(watchdog, Signal::KILL).expect("killed");
    run.signal(Signal::KILL);
    assert_eq!(run.wait().status.code(), None);
    assert_eq!(workspace.state().outstanding().count(), 3);

    let switches = switches(&workspace);
    let calls: Vec<&str> = switches.iter().map(|switch| switch.call.as_str()).collect();
    assert_eq!(calls, ["lambda:DeleteFunctionConcurrency", "lambda:UpdateFunctionConfiguration"]);
    let standing_now = standing(&lambda, &endpoint, &switches);
    assert_eq!(standing_now.len(), 2);
    let mut thrower = Thrower::start(&endpoint).expect("Python");
    for (switch, Scheduled { schedule, is_enabled }) in switches.iter().zip(&standing_now) {
        assert!(*is_enabled && switch.state == SwitchState::Set, "{switch:?}");
        assert_eq!((schedule.at, schedule.role_arn.as_str()), (switch.fires_at, ROLE));
        let ahead = schedule.at - Clock::start().now();
        assert!(ahead > TimeDelta::seconds(60) && ahead <= TimeDelta::seconds(300), "{ahead}");
        let input: Value = serde_json::from_str(schedule.input.reveal()).expect("JSON");
        let mut target = schedule.target_arn.rsplit(':');
        let (action, service) = (target.next().expect("an operation"), target.next().expect("a service"));
        assert_eq!(thrower.throw(service, action, &input), Vec::<String>::new(), "{}", schedule.target_arn);
    }
    let [orders, payments] = functions();
    assert_eq!((&orders, payments.timeout_seconds), (&before[0], before[1].timeout_seconds));
    assert_eq!(payments.environment["COLOUR"], "blue", "no schedule holds a function's variables");

    let refused = workspace.gameday(&["run", "scenarios/deadman.yaml", "--env", "emulator"]);
    assert_eq!(refused.code(), 8, "{refused:#?}");
    let recovered = workspace.gameday(&["recover"]);
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    assert_eq!(functions(), before);
    let ends: Vec<_> = faults(&workspace).iter().map(|fault| fault.end).collect();
    let (undone, ours) = (Some(FaultEnd::AsBefore), Some(FaultEnd::Restored));
    assert_eq!(ends, [undone, undone, ours]);
    assert_eq!(standing(&lambda, &endpoint, &switches), []);
    stop(ministack);
}

#[test]
fn a_run_tells_of_its_switches_and_leaves_none() {
    let Some(mut python) = python("dead man's switches on moto") else { return };
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let workspace = workspace(&endpoint, "auto");
    let moto = start_moto(&mut python, &workspace, port);
    create_surroundings(&workspace, &endpoint);
    create_functions(&workspace, &endpoint);
    let plan = workspace.gameday(&["plan", "scenarios/deadman.yaml", "--env", "emulator"]);
    for text in [
        "dead man's switch: lambda:UpdateFunctionConfiguration, 5 min after the run's last sign of life",
        "dead man's switch: NOT covered: all variables of the function would stand in the schedule",
        "iam:PassRole, scheduler:CreateSchedule, scheduler:GetSchedule, scheduler:UpdateSchedule, scheduler:DeleteSchedule",
    ] {
        assert!(plan.stdout.contains(text), "{text}: {}", plan.stdout);
    }
    let output = run_to_its_end(&workspace);
    assert_eq!(output.code(), 0, "{output:#?}");
    let switches = switches(&workspace);
    assert_eq!(switches.iter().map(|switch| switch.state).collect::<Vec<_>>(), [SwitchState::Deleted; 2]);
    assert_eq!(standing(&Lambda::at(&endpoint), &endpoint, &switches), []);
    let folder = workspace.run_folder().expect("a run");
    let report = std::fs::read_to_string(folder.join("report.md")).expect("a report");
    for text in ["never put off, deleted after the undo", "NOT covered: all variables", "switch deleted"] {
        assert!(report.contains(text), "{text}: {report}");
    }
    for file in ["run.ndjson", "plan.json", "report.html", "report.json"] {
        let text = std::fs::read_to_string(folder.join(file)).expect(file);
        assert!(!text.contains("ReservedConcurrentExecutions"), "{file} holds the input of a switch");
    }
    stop(moto);
}

/// The log of a run whose switch could not be deleted, as it stands in AWS until it fires.
#[test]
fn no_run_begins_where_the_switch_of_an_earlier_one_may_still_fire() {
    let workspace = workspace("http://127.0.0.1:9", "auto");
    let folder = workspace.reports().join("2026-11-10-100000-deadman");
    std::fs::create_dir_all(&folder).expect("a folder");
    let log = EventLog::create(&folder, Clock::start()).expect("a log");
    let identity = FaultIdentity { step: "001-throttled".to_owned(), fault: "throttled".parse().expect("a name") };
    let fires_at = log.clock().now() + TimeDelta::minutes(5);
    for kind in [
        EventKind::RunStarted {
            format: LOG_FORMAT,
            run: "2026-11-10-100000-deadman".parse().expect("an id"),
            scenario: "deadman".parse().expect("an id"),
            title: String::new(),
            environment: "emulator".to_owned(),
            version: String::new(),
            seed: 1,
            plan_sha256: String::new(),
            process: 1,
        },
        EventKind::FaultIntended {
            identity: identity.clone(),
            fault_kind: "lambda_concurrency".to_owned(),
            target: "orders".parse().expect("a name"),
            change: String::new(),
            undo: String::new(),
        },
        EventKind::SwitchIntended {
            identity: identity.clone(),
            schedule: "gameday-deadman-1".to_owned(),
            group: "default".to_owned(),
            call: "lambda:DeleteFunctionConcurrency".to_owned(),
            fires_at,
        },
        EventKind::SwitchSet { identity: identity.clone() },
        EventKind::FaultRestored { identity, how: FaultEnd::Restored },
        EventKind::RunSettled,
        EventKind::RunEnded { outcome: RunOutcome::Completed, exit_code: 0 },
    ] {
        log.append(kind).expect("written");
    }
    drop(log);
    let refused = workspace.gameday(&["run", "scenarios/deadman.yaml", "--env", "emulator"]);
    assert_eq!(refused.code(), 7, "{refused:#?}");
    for text in ["`gameday-deadman-1`", "may still fire at", "gameday recover 2026-11-10-100000-deadman"] {
        assert!(refused.stderr.contains(text), "{text}: {}", refused.stderr);
    }
}

/// The sandbox has no EventBridge Scheduler, as an account may not let us use it.
#[test]
fn a_fault_without_its_switch_is_told_of_and_one_that_must_have_it_is_refused() {
    let functions = Workspace::empty();
    functions.write("functions.yaml", "functions: {orders: {demo: probe}, payments: {demo: probe}}\n");
    let mut sandbox = functions.start(&["sandbox", "up", "--functions", "functions.yaml", "--json"]);
    let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
    let auto = workspace(&endpoint, "auto");
    let output = run_to_its_end(&auto);
    assert_eq!(output.code(), 0, "{output:#?}");
    assert!(output.stderr.contains("throttled has no dead man's switch"), "{}", output.stderr);
    let failed = auto.events().iter().filter(|it| matches!(it.kind, EventKind::SwitchFailed { .. })).count();
    assert!(failed >= 2, "{failed}");

    let required = workspace(&endpoint, "required");
    let refused = required.gameday(&["run", "scenarios/deadman.yaml", "--env", "emulator"]);
    assert_eq!(refused.code(), 7, "{refused:#?}");
    assert!(refused.stderr.contains("`coloured` (lambda_environment) can have none"), "{}", refused.stderr);
    assert_eq!(required.run_folder(), None);
    let rest = SCENARIO.replace(", {at: 1s, fault: coloured}", "").replace("  coloured:", "  #");
    required.write("scenarios/deadman.yaml", &rest);
    let failed = required.gameday(&["run", "scenarios/deadman.yaml", "--env", "emulator"]);
    assert_eq!(failed.code(), 6, "{failed:#?}");
    assert!(required.state().faults.iter().all(|fault| fault.applied_ms.is_none()), "{:#?}", required.state().faults);
    sandbox.signal(Signal::INT);
    sandbox.wait();
}
