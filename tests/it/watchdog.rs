//! Runs that die, hang or lose their terminal: everything is undone, and nobody has typed a command.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use gameday::event::{AbortCause, EventKind, FaultEnd, ProcessKind, Recoverer, RunState};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::apart::Apart;
use crate::lambda::Function;
use crate::support::{gameday, has_ended, is_free, wait_for};

fn watchdog_of(state: &RunState) -> u32 {
    let mut processes = state.processes.iter();
    processes.find(|(kind, ..)| *kind == ProcessKind::Watchdog).expect("a watchdog").1
}

/// Waits until the watchdog has undone everything and is gone, and looks at what it left.
fn assert_undone_by_watchdog(apart: &Apart, before: &[Function; 2], by: Recoverer) {
    let watchdog = watchdog_of(&apart.state());
    wait_for("the watchdog to be done", || has_ended(watchdog).then_some(()));
    assert_eq!(apart.functions(), *before);
    apart.assert_paid();
    let state = apart.state();
    assert_eq!(state.outstanding().count(), 0, "{:#?}", state.faults);
    for fault in state.faults.iter().filter(|fault| fault.kind != "proxy_timeout") {
        assert_eq!(fault.end, Some(FaultEnd::Restored), "{fault:#?}");
    }
    let recoverers: Vec<Recoverer> = apart
        .kinds()
        .into_iter()
        .filter_map(|kind| match kind {
            EventKind::RecoveryStarted { by, .. } => Some(by),
            _ => None,
        })
        .collect();
    assert_eq!(recoverers, [by]);
    wait_for("the proxy's port to be free", || is_free(apart.workspace.proxy_port).then_some(()));
    let report = apart.folder().expect("a run").join("report.html");
    assert!(std::fs::read_to_string(report).expect("a report").contains("watchdog"), "the report says who undid it");
}

#[test]
fn a_run_that_is_killed_is_undone_by_its_watchdog() {
    let apart = Apart::start();
    apart.assert_paid();
    let before = apart.functions();
    let run = apart.start_broken(&[]);
    run.signal(Signal::KILL);
    assert_eq!(run.wait().status.code(), None);
    assert_undone_by_watchdog(&apart, &before, Recoverer::WatchdogAfterDeath);
    let status = apart.gameday(&["status"]);
    assert!(status.stdout.contains("and was recovered"), "{status:#?}");
    let next = apart.gameday(&["run", "scenarios/short.yaml", "--env", "local"]);
    assert_eq!(next.code(), 0, "{next:#?}");
    let watchdog = watchdog_of(&apart.state());
    wait_for("the watchdog of a run that ended well to be gone", || has_ended(watchdog).then_some(()));
    assert!(!apart.kinds().iter().any(|kind| matches!(kind, EventKind::RecoveryStarted { .. })));
    apart.stop();
}

#[test]
fn a_copy_of_a_living_runs_folder_is_not_recovered_on_its_machine() {
    let apart = Apart::start();
    let run = apart.start_broken(&[]);
    let (broken, copy) = (apart.functions(), apart.workspace.path().join("copy"));
    let folder = apart.folder().expect("a run");
    assert!(Command::new("cp").arg("-r").arg(folder).arg(&copy).status().expect("cp").success());
    let refused = apart.gameday(&["recover", &copy.display().to_string()]);
    assert_eq!(refused.code(), 9, "{refused:#?}");
    assert!(refused.stderr.contains("is in use on this machine"), "{}", refused.stderr);
    assert_eq!(apart.functions(), broken, "nothing was undone behind its back");
    run.signal(Signal::INT);
    assert_eq!(run.wait().code(), 5);
    apart.stop();
}

#[test]
fn a_run_that_hangs_is_ended_and_undone_and_does_not_wake_up_to_inject_again() {
    let apart = Apart::start();
    apart.assert_paid();
    let before = apart.functions();
    let run = apart.start_broken(&[]);
    run.signal(Signal::STOP);
    assert_undone_by_watchdog(&apart, &before, Recoverer::WatchdogAfterSilence);
    run.signal(Signal::CONT);
    assert_eq!(run.wait().status.code(), None, "it was killed while it was stopped, and never woke up");
    assert_eq!(apart.functions(), before);
    apart.stop();
}

#[test]
fn a_run_whose_terminal_goes_away_undoes_everything_itself() {
    let apart = Apart::start();
    apart.assert_paid();
    let before = apart.functions();
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
    grantpt(&terminal).expect("granted");
    unlockpt(&terminal).expect("unlocked");
    let name = ptsname(&terminal, Vec::new()).expect("a name").into_string().expect("a path");
    let open = || -> Stdio {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&name).expect("the terminal's other side");
        Stdio::from(OwnedFd::from(file))
    };
    let mut command = Command::new("setsid");
    let program = gameday().get_program().to_owned();
    command.arg("--ctty").arg("--wait").arg(program).args(["run", "scenarios/apart.yaml", "--env", "local"]);
    command.current_dir(apart.workspace.path()).stdin(open()).stdout(open()).stderr(open());
    let mut child = command.spawn().expect("setsid of util-linux");
    drop(command);
    // Nobody reads from the terminal: it is full soon, and then it is gone.
    apart.wait_until_broken();
    drop(terminal);
    wait_for("the run to end", || child.try_wait().expect("a status"));
    wait_for("the run to be over", || apart.state().is_over().then_some(()));
    apart.assert_as_before(&before);
    assert_eq!(apart.state().abort, Some(AbortCause::Signal { signal: "SIGHUP".to_owned() }));
    apart.stop();
}

#[test]
fn ctrl_z_does_not_leave_faults_on_while_nobody_looks_and_a_file_ends_the_run() {
    let apart = Apart::start();
    apart.assert_paid();
    let before = apart.functions();
    let run = apart.start_broken(&[]);
    run.signal(Signal::TSTP);
    let is_told = |kind: &EventKind| matches!(kind, EventKind::Noted { text, .. } if text.contains("gameday pause"));
    wait_for("the run to say that it goes on", || apart.kinds().iter().any(is_told).then_some(()));
    std::fs::write(apart.folder().expect("a run").join("abort"), "the pager is down\n").expect("a file");
    let output = run.wait();
    assert_eq!(output.code(), 5, "{output:#?}");
    let why = Some("the pager is down".to_owned());
    assert_eq!(apart.state().abort, Some(AbortCause::Person { why, by: None }));
    apart.assert_as_before(&before);
    apart.stop();
}

#[test]
fn a_guardrail_on_targets_lets_one_too_many_not_in() {
    let apart = Apart::start();
    apart.assert_paid();
    let before = apart.functions();
    let file = apart.workspace.path().join("scenarios/short.yaml");
    let text = std::fs::read_to_string(&file).expect("a scenario");
    let guarded = text.replace("\nload:\n", "\nguardrails:\n  - {id: few, max_targets: 2}\nload:\n");
    std::fs::write(&file, guarded).expect("a scenario");
    let output = apart.gameday(&["run", "scenarios/short.yaml", "--env", "local"]);
    assert_eq!(output.code(), 4, "{output:#?}");
    let state = apart.state();
    let applied = state.faults.iter().filter(|fault| fault.applied_ms.is_some() && !fault.identity.is_route()).count();
    assert!(applied <= 2, "{:#?}", state.faults);
    assert_eq!(state.outstanding().count(), 0);
    assert!(state.guardrails["few"].contains("of at most 2"), "{:?}", state.guardrails);
    assert_eq!(apart.functions(), before);
    apart.stop();
}
