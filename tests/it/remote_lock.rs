//! The lock that other machines see: two workspaces, each as on a machine of its own, against one endpoint.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use gameday::aws::{Aws, Connection};
use gameday::event::{FaultEnd, FaultState, LockState};
use rustix::process::Signal;

use crate::lambda::Lambda;
use crate::peers::{create_functions, python, start_ministack, stop};
use crate::support::{Output, Run, Workspace, free_port, gameday, wait_for};

const LOCK: &str = "/gameday/emulator";

const SCENARIO: &str = r#"
gameday: 1
id: locked
title: Two machines and one environment
owner: team-shop
mode: drill
targets:
  orders: {lambda: {function: orders}}
hypotheses:
  - {id: H1, severity: low, text: "Somebody looks", expect: "mark(seen)"}
faults:
  throttled: {lambda_concurrency: {target: orders, reserved: 0}}
timeline:
  - {phase: broken, for: 10m, until: "mark(seen)", do: [{at: 0s, fault: throttled}]}
"#;

/// A workspace whose processes find neither the sockets nor the locks of another.
struct Machine {
    workspace: Workspace,
    runtime: tempfile::TempDir,
}

impl Machine {
    fn new(endpoint: &str, user: &str) -> Self {
        let workspace = Workspace::empty();
        workspace.write("scenarios/locked.yaml", SCENARIO);
        let environment = format!("{{endpoint: \"{endpoint}\", lock: {LOCK}}}");
        workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {{emulator: {environment}}}\n"));
        workspace.write("user", user);
        let runtime = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(runtime.path(), std::fs::Permissions::from_mode(0o700)).expect("private");
        Self { workspace, runtime }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = gameday();
        let user = std::fs::read_to_string(self.workspace.path().join("user")).expect("a name");
        command.args(arguments).env("XDG_RUNTIME_DIR", self.runtime.path()).env("USER", user);
        command
    }

    fn start(&self, arguments: &[&str]) -> Run {
        self.workspace.start_command(&mut self.command(arguments))
    }

    fn gameday(&self, arguments: &[&str]) -> Output {
        self.start(arguments).wait()
    }

    fn run(&self, more: &[&str]) -> Run {
        self.start(&[&["run", "scenarios/locked.yaml", "--env", "emulator"], more].concat())
    }

    fn wait_until_broken(&self) {
        wait_for("the fault to be applied", || {
            let runs = gameday::run::live_runs(&self.workspace.reports()).ok()?;
            let is_in = |fault: &gameday::event::FaultProgress| fault.state == FaultState::Applied;
            runs.iter().any(|run| run.is_alive && run.state.faults.iter().any(is_in)).then_some(())
        });
    }
}

#[test]
fn two_machines_keep_out_of_each_others_runs_and_the_other_one_can_recover() {
    let Some(mut python) = python("the lock for other machines on MiniStack") else { return };
    let port = free_port();
    let endpoint = format!("http://127.0.0.1:{port}");
    let (maria, aiko) = (Machine::new(&endpoint, "maria"), Machine::new(&endpoint, "aiko"));
    let ministack = start_ministack(&mut python, &maria.workspace, port, "iam,lambda,logs,ssm,sts");
    create_functions(&maria.workspace, &endpoint);
    let lambda = Lambda::at(&endpoint);
    let locked = || {
        lambda.runtime.block_on(async {
            let aws = Aws::connect(&Connection::Endpoint(endpoint.clone())).await;
            aws.ssm.parameter(LOCK).await.expect("an answer").map(|found| found.value.reveal().to_owned())
        })
    };
    let before = lambda.function("orders");
    let plan = aiko.gameday(&["plan", "scenarios/locked.yaml", "--env", "emulator"]);
    assert!(plan.stdout.contains(&format!("the parameter {LOCK}")), "{}", plan.stdout);

    let run = maria.run(&["--no-watchdog"]);
    maria.wait_until_broken();
    let held = locked().expect("a lock");
    assert!(held.contains("\"holder\":\"maria@"), "{held}");
    let status = maria.gameday(&["status"]);
    assert!(status.stdout.contains(&format!("lock {LOCK}: taken, until")), "{}", status.stdout);
    let id = maria.workspace.state().run;
    let refused = aiko.run(&[]).wait();
    assert_eq!(refused.code(), 9, "{refused:#?}");
    for text in [id.as_str(), "maria@", "wait for its end"] {
        assert!(refused.stderr.contains(text), "{text}: {}", refused.stderr);
    }
    assert_eq!(aiko.workspace.state().exit_code, Some(9));
    assert_eq!(locked().as_ref(), Some(&held), "nothing was written to it");

    // The machine is lost, and its fault stays on. A copy of the run's folder is enough.
    run.signal(Signal::KILL);
    assert_eq!(run.wait().status.code(), None);
    assert_eq!(lambda.function("orders").reserved, Some(0));
    assert_eq!(aiko.run(&[]).wait().code(), 9);
    let unlocked = aiko.gameday(&["recover", "--env", "emulator", "--unlock", &id]);
    assert_eq!(unlocked.code(), 9, "it has not expired: {unlocked:#?}");
    let folder = maria.workspace.run_folder().expect("a run");
    let copied = Command::new("cp").arg("-r").arg(folder).arg(aiko.workspace.reports()).status();
    assert!(copied.expect("cp").success());
    let refused = aiko.gameday(&["recover", &id]);
    assert_eq!(refused.code(), 9, "it may be alive: {refused:#?}");
    assert!(refused.stderr.contains("was renewed by maria@"), "{}", refused.stderr);
    assert_eq!(lambda.function("orders").reserved, Some(0));
    let recovered = aiko.gameday(&["recover", &id, "--despite-lock"]);
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    assert_eq!((lambda.function("orders"), locked()), (before.clone(), None));

    let run = aiko.run(&[]);
    aiko.wait_until_broken();
    assert!(locked().expect("a lock").contains("\"holder\":\"aiko@"));
    assert_eq!(aiko.gameday(&["mark", "seen"]).code(), 0);
    let output = run.wait();
    assert_eq!(output.code(), 0, "{output:#?}");
    assert_eq!((lambda.function("orders"), locked()), (before, None));
    let latest = gameday::run::find_runs(&aiko.workspace.reports()).expect("runs").pop().expect("a run");
    let report = std::fs::read_to_string(latest.join("report.md")).expect("a report");
    assert!(report.contains(&format!("{LOCK}, held by aiko")) && report.contains("released at the end"), "{report}");

    // The first machine comes back.
    let recovered = maria.gameday(&["recover"]);
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    let state = maria.workspace.state();
    assert_eq!(state.faults[0].end, Some(FaultEnd::AsBefore));
    assert_eq!(state.lock.expect("a lock").state, LockState::Released);
    let nothing = maria.gameday(&["recover", "--env", "emulator", "--unlock", &id]);
    assert!(nothing.code() == 1 && nothing.stderr.contains("is not locked"), "{nothing:#?}");
    stop(ministack);
}
