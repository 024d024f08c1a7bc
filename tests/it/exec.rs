//! The fault `exec` with real programs: the contract that every fault keeps, what a program gets, and how one is ended.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use gameday::aws::{Aws, Connection};
use gameday::event::{FaultEnd, FaultState, RunState, read_log};
use gameday::fault::{AwsResource, CommandPlace, FaultEnvironment, FaultTarget, Permits};
use rustix::process::{Pid, Signal};
use serde_json::json;

use crate::contract::{Called, Row, environment, keep};
use crate::recorder::Recorder;
use crate::support::{Output, Workspace, gameday, has_ended, wait_for};

/// Writes `injected` or `before` into the file `mode`, and tells which of them is there. It tells what it was given; with a
/// file `slow` it goes on for minutes, in a process of its own.
pub(crate) const PROGRAM: &str = r#"#!/bin/sh
set -eu
# A program that is killed must leave nothing that `check` can not tell: the file is there as a whole or not at all.
put() { echo "$1" > "mode.$$"; mv "mode.$$" mode; }
case "$1" in
  inject)
    env | sort > given
    if [ -e slow ]; then
      echo "DB_PASSWORD=hunter2" >&2
      echo "still at it" >&2
      sleep 600 &
      echo "$!" > pid
      put injected
      wait
    fi
    put injected
    ;;
  undo) put before ;;
  check)
    case "$(cat mode)" in before) exit 0 ;; injected) exit 10 ;; *) exit 11 ;; esac
    ;;
esac
"#;

const SCENARIO: &str = r#"
gameday: 1
id: exec
title: A program of ours
owner: team-shop
targets: {cache: {other: {name: the cache}}}
hypotheses: [{id: H1, text: "Somebody looks", expect: "mark(seen)"}]
faults:
  cold:
    exec: {target: cache, inject: [./chaos/mode, inject], undo: [./chaos/mode, undo], check: [./chaos/mode, check], timeout: 30s}
timeline: [{phase: broken, for: 10m, until: mark(seen), do: [{at: 0s, fault: cold}]}]
"#;

/// A workspace with the program, and whether it may be run.
fn workspace(exec: &str) -> Workspace {
    let workspace = Workspace::empty();
    workspace.write("chaos/mode", PROGRAM);
    std::fs::set_permissions(workspace.path().join("chaos/mode"), PermissionsExt::from_mode(0o755)).expect("a program");
    workspace.write("mode", "before\n");
    workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {{sandbox: {{exec: {exec}}}}}\n"));
    workspace.write("scenarios/exec.yaml", SCENARIO);
    workspace
}

const PERMITTED: &str = r#"["./chaos/*"]"#;

fn mode(workspace: &Workspace) -> String {
    std::fs::read_to_string(workspace.path().join("mode")).expect("a file").trim().to_owned()
}

/// Waits until the program has begun to make a change that takes minutes: what it has started.
fn slow_process(workspace: &Workspace) -> u32 {
    wait_for("the change to be under way", || {
        let pid = std::fs::read_to_string(workspace.path().join("pid")).ok()?.trim().parse().ok()?;
        (mode(workspace) == "injected").then_some(pid)
    })
}

fn run(workspace: &Workspace) -> Output {
    workspace.gameday(&["run", "scenarios/exec.yaml"])
}

async fn place(workspace: &Workspace) -> FaultEnvironment {
    let aws = Aws::connect(&Connection::Endpoint("http://127.0.0.1:9".to_owned())).await;
    let commands = CommandPlace {
        gameday: PathBuf::from(env!("CARGO_BIN_EXE_gameday")),
        directory: workspace.path().to_owned(),
        permits: Permits::new(|_, program| program == "./chaos/mode"),
        ..CommandPlace::default()
    };
    let on = FaultTarget::Resource(AwsResource::Other("the cache".to_owned()));
    FaultEnvironment { commands, ..environment(&aws, &on) }
}

#[tokio::test]
async fn a_program_keeps_the_contract_of_every_fault() {
    let workspace = workspace("[]");
    let command = |what: &str| json!(["./chaos/mode", what]);
    let fault = json!({"inject": command("inject"), "undo": command("undo"), "check": command("check")});
    let on = FaultTarget::Resource(AwsResource::Other("the cache".to_owned()));
    let row = Row { on, kind: "exec", fault, other: None };
    // Programs make calls of their own: no call is one of the fault's.
    let recorder = Recorder::before("http://127.0.0.1:9").await;
    let what = (&place(&workspace).await, &recorder, &mut Called::default());
    keep(what, &row, async || mode(&workspace).into()).await;
}

#[test]
fn a_program_is_told_what_it_needs_and_nothing_of_the_caller() {
    let workspace = workspace(PERMITTED);
    let arguments = ["run", "scenarios/exec.yaml", "--no-watchdog"];
    let mut command = gameday();
    command.args(arguments).env("AWS_SESSION_TOKEN", "of-the-caller").env("SECRET", "of-the-caller");
    let running = workspace.start_command(&mut command);
    wait_for("the change", || workspace.state().faults.iter().any(|it| it.state == FaultState::Applied).then_some(()));
    wait_for("the mark", || (workspace.gameday(&["mark", "seen"]).status.code() == Some(0)).then_some(()));
    let output = running.wait();
    assert_eq!(output.code(), 0, "{output:#?}");
    assert_eq!(mode(&workspace), "before");
    assert!(output.stdout.contains("all undone and read back"), "{}", output.stdout);
    let given = std::fs::read_to_string(workspace.path().join("given")).expect("what was given");
    for line in
        ["GAMEDAY_ENVIRONMENT=sandbox", "GAMEDAY_FAULT=cold", "GAMEDAY_TARGET=cache", "GAMEDAY_RESOURCE=the cache"]
    {
        assert!(given.lines().any(|it| it == line), "`{line}` is not in {given}");
    }
    for start in ["GAMEDAY_RUN=2", "GAMEDAY_TOKEN=gameday-2", "AWS_ENDPOINT_URL=http://127.0.0.1:", "PATH="] {
        assert!(given.lines().any(|it| it.starts_with(start)), "`{start}` is not in {given}");
    }
    assert!(!given.contains("of-the-caller"), "{given}");
}

#[test]
fn what_gameday_yaml_does_not_permit_is_not_run() {
    for exec in ["[]", "[./other/*]", "[mode]"] {
        let workspace = workspace(exec);
        for arguments in [["plan", "scenarios/exec.yaml"], ["run", "scenarios/exec.yaml"]] {
            let refused = workspace.gameday(&arguments);
            assert_eq!(refused.code(), 7, "{exec}: {refused:#?}");
            assert!(refused.stderr.contains(r#"add `"./chaos/mode"` to the list `exec`"#), "{}", refused.stderr);
        }
        assert_eq!(mode(&workspace), "before");
    }
}

#[test]
fn whoever_agrees_to_a_plan_agrees_to_the_text_of_its_programs() {
    let workspace = workspace(PERMITTED);
    let settings = format!(
        "gameday: 1\nenvironments: {{sandbox: {{exec: {PERMITTED}, approvals: {{need: 1, from: [owner]}}}}}}\n"
    );
    workspace.write("gameday.yaml", &settings);
    let approve = ["approve", "scenarios/exec.yaml", "--env", "sandbox", "--as", "owner", "--by", "maria"];
    assert_eq!(workspace.gameday(&approve).code(), 0);
    let is_agreed = || workspace.gameday(&["plan", "scenarios/exec.yaml"]).stdout.contains("✓ owner agreed: maria");
    assert!(is_agreed());
    workspace.write("chaos/mode", &PROGRAM.replace("set -eu", "set -e"));
    assert!(!is_agreed());
}

#[test]
fn without_a_check_the_undo_is_believed_and_that_is_told() {
    let workspace = workspace(PERMITTED);
    let scenario = SCENARIO.replace(", check: [./chaos/mode, check]", "").replace("10m, until: mark(seen)", "300ms");
    workspace.write("scenarios/exec.yaml", &scenario);
    let output = run(&workspace);
    assert_eq!(output.code(), 3, "nobody made the mark: {output:#?}");
    assert_eq!((mode(&workspace).as_str(), workspace.state().faults[0].end), ("before", Some(FaultEnd::NotReadBack)));
    assert!(output.stdout.contains("1 could not be read back"), "{}", output.stdout);
    let folder = workspace.run_folder().expect("a run");
    let report = std::fs::read_to_string(folder.join("report.md")).expect("a report");
    assert!(report.contains("was not read back") && !report.contains("applied and read back"), "{report}");
}

#[test]
fn what_somebody_else_changed_is_left_alone() {
    let workspace = workspace(PERMITTED);
    let running = workspace.start(&["run", "scenarios/exec.yaml"]);
    wait_for("the change", || workspace.state().faults.iter().any(|it| it.state == FaultState::Applied).then_some(()));
    workspace.write("mode", "theirs\n");
    assert_eq!(workspace.gameday(&["mark", "seen"]).code(), 0);
    let output = running.wait();
    assert_eq!(output.code(), 8, "{output:#?}");
    assert_eq!(mode(&workspace), "theirs");
    assert_eq!(workspace.state().faults[0].state, FaultState::Drifted);
    let run = workspace.state().run;
    let again = workspace.gameday(&["recover", &run]);
    assert_eq!(again.code(), 8, "{again:#?}");
    assert!(again.stdout.contains("`--accept-drift` takes it as it is"), "{}", again.stdout);
    let accepted = workspace.gameday(&["recover", &run, "--accept-drift"]);
    assert_eq!(accepted.code(), 0, "{accepted:#?}");
    assert_eq!((mode(&workspace).as_str(), workspace.state().faults[0].end), ("theirs", Some(FaultEnd::Accepted)));
    assert!(workspace.gameday(&["recover"]).stdout.starts_with("nothing to recover"));
}

/// The scenario with a change that does not end in its time.
fn slow(workspace: &Workspace, timeout: &str) {
    workspace.write("slow", "");
    workspace.write("scenarios/exec.yaml", &SCENARIO.replace("timeout: 30s", &format!("timeout: {timeout}")));
}

#[test]
fn a_program_that_does_not_end_is_killed_with_all_that_it_started_and_undone() {
    let workspace = workspace(PERMITTED);
    slow(&workspace, "1s");
    let output = run(&workspace);
    assert_eq!(output.code(), 6, "it was not injected: {output:#?}");
    let process = slow_process_once(&workspace);
    wait_for("what it started to end", || has_ended(process).then_some(()));
    assert_eq!(mode(&workspace), "before");
    let error = workspace.state().faults[0].error.clone().unwrap_or_default();
    assert!(error.contains("did not end within 1s") && error.contains("still at it"), "{error}");
    assert!(error.contains("DB_PASSWORD= ***") && !error.contains("hunter2"), "{error}");
}

fn slow_process_once(workspace: &Workspace) -> u32 {
    std::fs::read_to_string(workspace.path().join("pid")).expect("a process").trim().parse().expect("a number")
}

/// A kill takes what it had started with it, so that nothing is changed behind the recovery.
#[test]
fn a_run_that_is_killed_takes_its_programs_with_it_and_is_undone_from_its_folder() {
    let workspace = workspace(PERMITTED);
    slow(&workspace, "60s");
    let running = workspace.start(&["run", "scenarios/exec.yaml", "--no-watchdog"]);
    let process = slow_process(&workspace);
    assert_ne!(group_of(process), group_of(std::process::id()), "no Ctrl-C of a terminal reaches it");
    running.signal(Signal::KILL);
    running.wait();
    wait_for("what it started to end", || has_ended(process).then_some(()));

    // Whoever brings a folder decides nothing: the workspace must permit it still.
    let settings = std::fs::read_to_string(workspace.path().join("gameday.yaml")).expect("settings");
    workspace.write("gameday.yaml", "gameday: 1\nenvironments: {sandbox: {}}\n");
    let refused = workspace.gameday(&["recover"]);
    assert_eq!((refused.code(), mode(&workspace).as_str()), (8, "injected"), "{refused:#?}");
    let by_hand = refused.stdout.lines().find(|line| line.trim().starts_with("cd ")).expect("a command").to_owned();
    workspace.write("gameday.yaml", &settings);
    let recovered = workspace.gameday(&["recover"]);
    assert_eq!((recovered.code(), mode(&workspace).as_str()), (0, "before"), "{recovered:#?}");
    let folder = workspace.run_folder().expect("a run");
    assert_eq!(RunState::fold(&read_log(&folder).expect("a log").events).faults[0].end, Some(FaultEnd::Restored));

    workspace.write("mode", "injected\n");
    let status = std::process::Command::new("sh").args(["-c", &by_hand]).current_dir("/").status().expect("a shell");
    assert!(status.success(), "{by_hand}");
    assert_eq!(mode(&workspace), "before", "{by_hand}");
}

fn group_of(process: u32) -> Option<Pid> {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    rustix::process::getpgid(pid).ok()
}

#[test]
fn nothing_is_injected_where_the_undo_is_not_there() {
    let workspace = workspace(PERMITTED);
    let scenario = SCENARIO.replace("undo: [./chaos/mode, undo]", "undo: [./chaos/gone]").replace("10m", "1s");
    workspace.write("scenarios/exec.yaml", &scenario);
    let told = workspace.gameday(&["check"]);
    assert_eq!(told.code(), 2);
    assert!(told.stderr.contains("there is no program `./chaos/gone`"), "{}", told.stderr);
    // There, and no program.
    workspace.write("chaos/gone", "text");
    let output = run(&workspace);
    assert_eq!(output.code(), 2, "{output:#?}");
    assert!(!Path::new(&workspace.path().join("given")).exists(), "nothing was run");
    assert!(output.stderr.contains("`./chaos/gone` may not be executed"), "{}", output.stderr);
}
