//! Runs and recoveries that are killed at every step: whatever was changed is undone, and nothing is changed that no
//! durable record tells of. `make crash-test` runs all of it and prints the counts.

mod family;

use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gameday::aws::{Aws, Connection};
use gameday::event::{EventKind, FaultState, LogError, ProcessKind, RunState, read_log};
use gameday::proxy::{AdminClient, ListenScope, ProxyProcess, ProxySpec, ToxicSpec};
use rustix::process::Signal;

use crate::lambda::{Function, Lambda};
use crate::support::{Output, Run, Workspace, copy_folder, gameday, has_ended, is_free, wait_for};

/// How many runs are tried side by side: they mostly wait.
const WORKERS: usize = 4;
/// What asks the program to end itself.
const FAILPOINT: &str = "GAMEDAY_FAILPOINT";

pub(crate) const FUNCTIONS: &str = r#"
functions:
  checkout-fn:
    demo: checkout
    environment: {PAYMENTS: payments-fn}
    aliases: {live: 1}
  payments-fn:
    demo: payments
    timeout: 5s
    environment: {PROVIDER_URL: "http://127.0.0.1:18080", CURRENCY: EUR, OLD: "1"}
"#;

/// A fault of each family, a route through the proxy, and nothing that depends on time.
pub(crate) const SCENARIO: &str = r#"
gameday: 1
id: crash
title: One fault of each family
owner: team-shop
environments: {allow: [local]}
targets:
  checkout-fn: {lambda: {function: checkout-fn}}
  payments-fn: {lambda: {function: payments-fn}}
  provider:
    proxy: {listen: "127.0.0.1:18474", upstream: "127.0.0.1:18080", protocol: http, route: {payments-fn: PROVIDER_URL}}
hypotheses:
  - {id: H1, text: "Nobody has to look", expect: "mark(seen)"}
faults:
  throttled: {lambda_concurrency: {target: checkout-fn, reserved: 0}}
  changed: {lambda_environment: {target: payments-fn, set: {CURRENCY: USD, NEW: "2"}, unset: [OLD]}}
  silent: {proxy_timeout: {target: provider}}
timeline:
  - {phase: broken, for: 300ms, do: [{at: 0s, fault: throttled}, {at: 0s, fault: changed}, {at: 0s, fault: silent}]}
"#;

/// The same changes, one after the other and undone one after the other: a crash then leaves few different wrecks, so that
/// the recovery of each can be killed at every step in bounded time.
const ONE_BY_ONE: &str = "  - phase: broken
    for: 700ms
    do:
      - {at: 0s, fault: throttled}
      - {at: 100ms, fault: changed}
      - {at: 200ms, fault: silent}
      - {at: 400ms, undo: silent}
      - {at: 500ms, undo: changed}
      - {at: 600ms, undo: throttled}
";

/// Faults that put something of their own into the account, or change what `functions` does not see.
const OWN_THINGS: &str = r#"
gameday: 1
id: own
title: A faulty version, and events that are given up
owner: team-shop
environments: {allow: [local]}
targets:
  live: {lambda: {function: checkout-fn, alias: live}}
  payments-fn: {lambda: {function: payments-fn}}
hypotheses:
  - {id: H1, text: "Nobody has to look", expect: "mark(seen)"}
faults:
  canary: {lambda_canary: {target: live, weight: 30%, with: {timeout: 1s, set: {COLOUR: blue}}}}
  given-up: {lambda_async: {target: payments-fn, retries: 0}}
timeline:
  - phase: broken
    for: 500ms
    do: [{at: 0s, fault: canary}, {at: 200ms, fault: given-up}, {at: 300ms, undo: given-up}, {at: 400ms, undo: canary}]
"#;

pub(crate) const NAMES: [&str; 2] = ["checkout-fn", "payments-fn"];

/// A workspace, and the sandbox that runs apart and outlives every crash.
struct Arena {
    workspace: Workspace,
    lambda: Lambda,
    aws: Aws,
    _sandbox: Run,
    before: [Function; 2],
    /// Each run has a folder of reports of its own: a proxy that no log tells of may still hold the socket of the last one.
    attempt: Cell<usize>,
}

/// What a crash left: the run's folder, the functions, the toxics of the fault proxy.
struct Wreck {
    folder: PathBuf,
    kept: tempfile::TempDir,
    functions: [Function; 2],
    proxy: Option<WreckedProxy>,
}

/// What a recovery looks at, apart from times and digests. Two wrecks that agree in it are recovered by the same steps.
#[derive(PartialEq, Eq, Hash)]
struct Signature {
    /// The changes that may be in place, each with the kind of state that its record says.
    outstanding: BTreeMap<String, FaultState>,
    undo_files: Vec<String>,
    processes: Vec<ProcessKind>,
    is_tail_torn: bool,
    is_over: bool,
    functions: [Function; 2],
    has_toxic: Option<bool>,
}

struct WreckedProxy {
    socket: PathBuf,
    spec: Option<ProxySpec>,
    toxic: Option<ToxicSpec>,
}

impl Wreck {
    fn signature(&self, workspace: &Workspace) -> Signature {
        let read = read_log(&self.folder).expect("a log");
        let state = RunState::fold(&read.events);
        let outstanding = state.outstanding().map(|fault| (fault.identity.step.clone(), kind_of_state(fault.state)));
        let mut undo_files = gameday::event::undo_steps(&self.folder).expect("undo files");
        undo_files.sort_unstable();
        Signature {
            outstanding: outstanding.collect(),
            undo_files,
            processes: state.processes.iter().map(|(kind, ..)| *kind).collect(),
            is_tail_torn: read.whole_bytes < std::fs::metadata(self.folder.join("run.ndjson")).expect("a log").len(),
            is_over: state.is_over(),
            functions: self.functions.clone().map(|mut function| {
                // Each arena has ports of its own.
                for value in function.environment.values_mut() {
                    *value = value.replace(&workspace.proxy_port.to_string(), "PROXY");
                    *value = value.replace(&workspace.provider_port.to_string(), "PROVIDER");
                }
                function
            }),
            has_toxic: self.proxy.as_ref().map(|proxy| proxy.toxic.is_some()),
        }
    }
}

/// A recovery undoes what was applied, however far the run had come with it; what was only armed may be in flight.
fn kind_of_state(state: FaultState) -> FaultState {
    match state {
        FaultState::Applied | FaultState::Effective | FaultState::Reverting => FaultState::Applied,
        other => other,
    }
}

impl Arena {
    fn start() -> Self {
        let workspace = Workspace::empty();
        workspace.write("functions.yaml", FUNCTIONS);
        workspace.write("scenarios/crash.yaml", SCENARIO);
        workspace.write("scenarios/own.yaml", OWN_THINGS);
        let head = SCENARIO.split_once("timeline:\n").expect("a timeline").0;
        workspace.write("scenarios/one-by-one.yaml", &format!("{head}timeline:\n{ONE_BY_ONE}"));
        let mut sandbox = workspace.start(&["sandbox", "up", "--functions", "functions.yaml", "--json"]);
        let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
        let settings = format!("gameday: 1\nenvironments: {{local: {{endpoint: \"{endpoint}\"}}}}\n");
        workspace.write("gameday.yaml", &settings);
        let lambda = Lambda::at(&endpoint);
        let before = NAMES.map(|name| lambda.function(name));
        let aws = lambda.runtime.block_on(Aws::connect(&Connection::Endpoint(endpoint)));
        Self { workspace, lambda, aws, _sandbox: sandbox, before, attempt: Cell::new(0) }
    }

    /// What of the account the faults with things of their own could leave: the alias, its versions, what is said of
    /// asynchronous events.
    fn own_things(&self) -> String {
        self.lambda.runtime.block_on(async {
            let lambda = &self.aws.lambda;
            let alias = lambda.alias("checkout-fn", "live").await.expect("an alias");
            let versions = lambda.versions("checkout-fn").await.expect("versions");
            let events = lambda.invoke_configuration("payments-fn", None).await.expect("an answer");
            format!("{} {:?} {versions:?} {events:?}", alias.version, alias.weights)
        })
    }

    fn functions(&self) -> [Function; 2] {
        NAMES.map(|name| self.lambda.function(name))
    }

    /// Runs the scenario with all changes at once, without a watchdog, with a failpoint.
    fn run(&self, failpoint: &str) -> Output {
        self.run_scenario("scenarios/crash.yaml", failpoint)
    }

    fn run_scenario(&self, scenario: &str, failpoint: &str) -> Output {
        self.attempt.set(self.attempt.get() + 1);
        let arguments = ["run", scenario, "--env", "local", "--no-watchdog", "--reports"];
        let mut command = gameday();
        command.args(arguments).arg(self.reports()).env(FAILPOINT, failpoint);
        self.workspace.start_command(&mut command).wait()
    }

    /// Recovers the run in a folder, with a failpoint.
    fn recover(&self, folder: &Path, failpoint: &str) -> Output {
        self.workspace.start_command(gameday().arg("recover").arg(folder).env(FAILPOINT, failpoint)).wait()
    }

    /// The run's folder, where the run came so far as to have a log that says something.
    fn folder(&self) -> Option<PathBuf> {
        let folder = gameday::run::find_runs(&self.reports()).expect("runs").pop()?;
        match read_log(&folder) {
            Ok(_) => Some(folder),
            Err(LogError::Empty(_)) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Whatever differs from before is named by a record that was durable before it was changed.
    fn assert_no_effect_without_intent(&self, state: &RunState, step: &str) {
        let now = self.functions();
        for ((name, before), now) in NAMES.iter().zip(&self.before).zip(&now) {
            let is_known = state.outstanding().any(|fault| fault.target.as_str() == *name);
            assert!(before == now || is_known, "{step}: `{name}` was changed, and no record says so: {now:?}");
        }
    }

    /// Everything is as it was, says the log, say the functions, and says the proxy's port.
    fn assert_restored(&self, folder: Option<&Path>, step: &str) {
        assert_eq!(self.functions(), self.before, "{step}");
        if let Some(folder) = folder {
            let state = state(folder);
            for fault in &state.faults {
                let is_over = matches!(fault.state, FaultState::Restored | FaultState::Intended);
                assert!(is_over, "{step}: {fault:#?}");
            }
            for (_, pid, _) in state.processes.iter().filter(|(kind, ..)| *kind == ProcessKind::Proxy) {
                wait_for("the proxy to end", || has_ended(*pid).then_some(()));
            }
        }
        wait_for("the proxy's port", || is_free(self.workspace.proxy_port).then_some(()));
    }

    fn wreck(&self, folder: PathBuf) -> Wreck {
        let kept = tempfile::tempdir().expect("a folder");
        copy_folder(&folder, kept.path());
        let state = state(&folder);
        let socket = state.processes.iter().find(|(kind, ..)| *kind == ProcessKind::Proxy).map(|it| it.2.clone());
        let proxy = socket.map(|socket| {
            let client = AdminClient::unix(&socket);
            self.lambda.runtime.block_on(async {
                let name = "provider".parse().expect("a name");
                // A run that had ended but for its last record has ended its proxy as well, or it is ending this moment.
                let spec = client.get_proxy(&name).await.ok()?;
                let toxic = client.get_toxic(&name, &"gameday-timeout".parse().expect("a name")).await;
                Some(WreckedProxy { socket: socket.into(), spec, toxic: toxic.ok()? })
            })
        });
        let proxy = proxy.flatten();
        Wreck { folder, kept, functions: self.functions(), proxy }
    }

    /// Makes everything as the crash left it.
    fn restore(&self, wreck: &Wreck) {
        std::fs::remove_dir_all(&wreck.folder).expect("a folder");
        copy_folder(wreck.kept.path(), &wreck.folder);
        let now = self.functions();
        for ((name, left), now) in NAMES.iter().zip(&wreck.functions).zip(&now) {
            if left != now {
                self.lambda.restore(name, left);
            }
        }
        // A proxy without a toxic is nothing that a recovery would have to undo.
        let Some(proxy) = wreck.proxy.as_ref().filter(|proxy| proxy.toxic.is_some()) else { return };
        let client = AdminClient::unix(&proxy.socket);
        // The last recovery has told it to end, which takes a moment.
        wait_for("the last proxy to end", || self.lambda.runtime.block_on(client.version()).is_err().then_some(()));
        self.lambda.runtime.block_on(async {
            let name = "provider".parse().expect("a name");
            let program = Path::new(env!("CARGO_BIN_EXE_gameday"));
            let limit = Some(std::time::Duration::from_secs(60));
            ProxyProcess::spawn(program, &proxy.socket, 1, limit, ListenScope::Loopback).await.expect("a proxy");
            if let Some(spec) = &proxy.spec {
                client.create_proxy(&name, spec).await.expect("a proxy");
            }
            if let Some(toxic) = &proxy.toxic {
                client.lease(std::time::Duration::from_secs(60), None).await.expect("a lease");
                client.add_toxic(&name, toxic).await.expect("a toxic");
            }
        });
    }

    fn reports(&self) -> PathBuf {
        self.workspace.path().join(format!("attempt-{}", self.attempt.get()))
    }
}

/// A run that was killed leaves its proxy to go on as a pass-through; nobody needs that any more.
impl Drop for Arena {
    fn drop(&mut self) {
        let attempts = (1..=self.attempt.get()).map(|attempt| self.workspace.path().join(format!("attempt-{attempt}")));
        let runs = attempts.flat_map(|reports| gameday::run::find_runs(&reports).unwrap_or_default());
        for read in runs.filter_map(|folder| read_log(&folder).ok()) {
            let processes = RunState::fold(&read.events).processes;
            for (_, _, socket) in processes.iter().filter(|(kind, ..)| *kind == ProcessKind::Proxy) {
                // Most have ended with their run or its recovery.
                self.lambda.runtime.block_on(AdminClient::unix(socket).shutdown()).ok();
            }
        }
    }
}

fn state(folder: &Path) -> RunState {
    RunState::fold(&read_log(folder).expect("a log").events)
}

fn was_killed(output: &Output) -> bool {
    output.status.signal() == Some(Signal::KILL.as_raw())
}

/// Whether a run that ended by itself left a fault out, since the machine was too slow for its timeline: it then had fewer
/// steps than others.
fn was_left_out(run: &Output) -> bool {
    let is_left_out = run.code() == 6 && run.stderr.contains("left out: inject fault");
    assert!(is_left_out || went_its_way(run), "{run:#?}");
    is_left_out
}

/// Whether nothing disturbed a run. Nothing is made of a mark that nobody makes: it is refuted, or not tested where a proxy knows
/// that its fault met nobody.
fn went_its_way(run: &Output) -> bool {
    let is_untested = run.code() == 6 && run.stderr.contains("fault `silent` never proved its effect");
    run.code() == 3 || (is_untested && !run.stderr.contains("os error") && !run.stderr.contains("left out"))
}

/// Ends the work of all workers when one ends.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Hands numbers to workers, each with an arena of its own, until one says that there are no more.
fn in_parallel(work: impl Fn(&Arena, usize) -> bool + Sync) {
    let (next, is_over) = (AtomicUsize::new(1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let arena = Arena::start();
                // Also where `work` fails: the others need not go on.
                let _stop = Stop(&is_over);
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if is_over.load(Ordering::SeqCst) || !work(&arena, number) {
                        break;
                    }
                }
            });
        }
    });
}

/// Past the harness, which keeps what a test prints to itself.
fn tell(text: &str) {
    std::io::stderr().write_all(format!("\n{text}\n").as_bytes()).expect("standard error");
}

/// For every step n of a run: killed there, then recovered. For every step k of that recovery: killed there, too, and
/// recovered again.
#[test]
#[ignore = "minutes of work: `make crash-test` runs it"]
fn a_run_that_is_killed_at_any_step_is_undone_also_when_its_recovery_is_killed_at_any_step() {
    /// A step that no recovery comes to.
    const NEVER: u64 = 1_000_000;
    let (singles, doubles, changed) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let wrecks = Mutex::new(HashSet::new());
    in_parallel(|arena, n| {
        let run = arena.run_scenario("scenarios/one-by-one.yaml", &format!("kill:{n}"));
        if !was_killed(&run) {
            arena.assert_restored(None, "a run that ends by itself");
            return was_left_out(&run);
        }
        singles.fetch_add(1, Ordering::SeqCst);
        let Some(folder) = arena.folder() else {
            arena.assert_restored(None, &format!("killed at {n}, before the log"));
            return true;
        };
        arena.assert_no_effect_without_intent(&state(&folder), &format!("killed at {n}"));
        changed.fetch_add(usize::from(arena.functions() != arena.before), Ordering::SeqCst);
        let wreck = arena.wreck(folder);
        let is_new = wrecks.lock().unwrap().insert(wreck.signature(&arena.workspace));
        for k in if is_new { 1.. } else { NEVER.. } {
            let step = format!("killed at {n}, recovery killed at {k}");
            let first = arena.recover(&wreck.folder, &format!("kill:{k}"));
            if !was_killed(&first) {
                assert_eq!(first.code(), 0, "{step}: {first:#?}");
                arena.assert_restored(Some(&wreck.folder), &step);
                break;
            }
            doubles.fetch_add(1, Ordering::SeqCst);
            let second = arena.recover(&wreck.folder, "");
            assert_eq!(second.code(), 0, "{step}: {second:#?}");
            arena.assert_restored(Some(&wreck.folder), &step);
            arena.restore(&wreck);
        }
        true
    });
    let [singles, doubles, changed] = [singles, doubles, changed].map(AtomicUsize::into_inner);
    let different = wrecks.into_inner().unwrap().len();
    tell(&format!(
        "crash test: a run killed at each of {singles} steps ({changed} with functions changed), and the recovery of each \
         of the {different} different wrecks killed at each of its steps, {doubles} in all: all restored"
    ));
    assert!(singles >= 80 && doubles >= 300 && changed >= 20, "{singles} {doubles} {changed}");
}

/// For every step n of a run: killed there, and its recovery killed at its first step, the next one at its second, and so
/// on, until one comes to its end.
#[test]
#[ignore = "a minute of work: `make crash-test` runs it"]
fn a_fault_with_things_of_its_own_is_undone_however_often_its_recovery_is_killed() {
    let (singles, changed, recoveries) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    in_parallel(|arena, n| {
        let before = arena.own_things();
        let run = arena.run_scenario("scenarios/own.yaml", &format!("kill:{n}"));
        if !was_killed(&run) {
            assert_eq!(arena.own_things(), before);
            return was_left_out(&run);
        }
        singles.fetch_add(1, Ordering::SeqCst);
        let is_changed = arena.own_things() != before || arena.functions() != arena.before;
        changed.fetch_add(usize::from(is_changed), Ordering::SeqCst);
        let Some(folder) = arena.folder() else {
            assert!(!is_changed, "killed at {n}, before the log");
            return true;
        };
        for k in 1.. {
            let recovery = arena.recover(&folder, &format!("kill:{k}"));
            if !was_killed(&recovery) {
                assert_eq!(recovery.code(), 0, "killed at {n}: {recovery:#?}");
                break;
            }
            recoveries.fetch_add(1, Ordering::SeqCst);
        }
        assert_eq!(arena.own_things(), before, "killed at {n}");
        arena.assert_restored(Some(&folder), &format!("killed at {n}"));
        true
    });
    let [singles, changed, recoveries] = [singles, changed, recoveries].map(AtomicUsize::into_inner);
    tell(&format!(
        "faults with things of their own: a run killed at each of {singles} steps ({changed} with changes made), and \
         {recoveries} recoveries killed in a row: all restored"
    ));
    assert!(singles >= 80 && changed >= 20 && recoveries >= 300, "{singles} {changed} {recoveries}");
}

/// For every n: the n-th write or sync of a run fails, for want of space or with an error of the device.
#[test]
#[ignore = "a minute of work: `make crash-test` runs it"]
fn a_run_whose_nth_write_fails_undoes_everything() {
    for errno in ["enospc", "eio"] {
        let (failed, injected) = (AtomicUsize::new(0), AtomicUsize::new(0));
        in_parallel(|arena, n| {
            let run = arena.run(&format!("{errno}:{n}"));
            if went_its_way(&run) {
                return false;
            }
            failed.fetch_add(1, Ordering::SeqCst);
            assert!(matches!(run.code(), 1 | 6), "write {n}: {run:#?}");
            // What the log could not hold is on nobody's disk; the functions tell.
            assert_eq!(arena.functions(), arena.before, "write {n}");
            wait_for("the proxy's port", || is_free(arena.workspace.proxy_port).then_some(()));
            if let Some(folder) = arena.folder() {
                let applied = |fault: &gameday::event::FaultProgress| fault.applied_ms.is_some();
                injected.fetch_add(usize::from(state(&folder).faults.iter().any(applied)), Ordering::SeqCst);
                let recovered = arena.recover(&folder, "");
                assert_eq!(recovered.code(), 0, "write {n}: {recovered:#?}");
                assert_eq!(arena.functions(), arena.before, "write {n}, recovered");
            }
            true
        });
        let [failed, injected] = [failed, injected].map(AtomicUsize::into_inner);
        tell(&format!("{errno}: each of {failed} writes and syncs failed ({injected} with changes made): all undone"));
        assert!(failed >= 25 && injected >= 10, "{failed} {injected}");
    }
}

/// For every step n of a run: the task that comes to it panics.
#[test]
#[ignore = "a minute of work: `make crash-test` runs it"]
fn a_panic_at_any_step_ends_the_run_and_everything_is_undone() {
    let (panicked, injected) = (AtomicUsize::new(0), AtomicUsize::new(0));
    in_parallel(|arena, n| {
        let run = arena.run(&format!("panic:{n}"));
        if !run.stderr.contains("failpoint") {
            assert!(went_its_way(&run), "{run:#?}");
            return false;
        }
        panicked.fetch_add(1, Ordering::SeqCst);
        // 3: an undo that panicked was tried again, and went well. 101: before anything could be changed.
        assert!(matches!(run.code(), 1 | 3 | 6 | 101), "step {n}: {run:#?}");
        assert_eq!(arena.functions(), arena.before, "step {n}: {run:#?}");
        if let Some(folder) = arena.folder() {
            let applied = |fault: &gameday::event::FaultProgress| fault.applied_ms.is_some();
            injected.fetch_add(usize::from(state(&folder).faults.iter().any(applied)), Ordering::SeqCst);
            assert_eq!(arena.recover(&folder, "").code(), 0, "step {n}");
        }
        true
    });
    let [panicked, injected] = [panicked, injected].map(AtomicUsize::into_inner);
    tell(&format!("panic at each of {panicked} steps ({injected} with changes made): all undone by the run itself"));
    assert!(panicked >= 80 && injected >= 20, "{panicked} {injected}");
}

/// Kills runs until one has changed a function: its folder.
fn changed_and_killed(arena: &Arena) -> PathBuf {
    let found = (40..200).step_by(10).find_map(|n| {
        assert!(was_killed(&arena.run(&format!("kill:{n}"))), "step {n}");
        let folder = arena.folder().expect("a log");
        if arena.functions() != arena.before {
            return Some(folder);
        }
        // The fault proxy of this run is in the way of the next one.
        assert_eq!(arena.recover(&folder, "").code(), 0);
        None
    });
    found.expect("a step at which something is changed")
}

/// The failpoints are there, so that a test above cannot pass because there are none.
#[test]
fn a_run_is_killed_where_a_failpoint_says_so_and_recovery_finds_the_change() {
    let arena = Arena::start();
    let folder = changed_and_killed(&arena);
    let is_armed = |kind: &EventKind| matches!(kind, EventKind::FaultArmed { .. });
    assert!(read_log(&folder).expect("a log").events.iter().any(|event| is_armed(&event.kind)));
    arena.assert_no_effect_without_intent(&state(&folder), "killed");
    let recovered = arena.recover(&folder, "");
    assert_eq!(recovered.code(), 0, "{recovered:#?}");
    arena.assert_restored(Some(&folder), "recovered");
}

#[test]
fn a_recovery_undoes_what_it_can_though_its_log_is_full_and_one_undo_cannot_be_read() {
    let arena = Arena::start();
    let folder = changed_and_killed(&arena);
    // The log takes nothing from the first write on: everything is undone all the same.
    let full = arena.recover(&folder, "enospc:1");
    assert_eq!(full.code(), 1, "{full:#?}");
    assert_eq!(arena.functions(), arena.before, "{full:#?}");
    assert_eq!(arena.recover(&folder, "").code(), 0);

    let folder = changed_and_killed(&arena);
    let undo = gameday::event::undo_steps(&folder).expect("undo files").pop().expect("an undo");
    std::fs::write(folder.join(format!("undo/{undo}.json")), "{}").expect("an undo file");
    let known = state(&folder).outstanding().map(|fault| fault.identity.step.clone()).collect::<Vec<_>>();
    assert!(known.contains(&undo), "{known:?}");
    let partial = arena.recover(&folder, "");
    assert_eq!(partial.code(), 8, "{partial:#?}");
    assert!(partial.stdout.contains("its undo cannot be used"), "{partial:#?}");
    let left: Vec<_> = state(&folder).outstanding().map(|fault| fault.identity.step.clone()).collect();
    assert_eq!(left, [undo], "all the others are undone");
}

#[test]
fn a_log_that_is_broken_in_the_middle_is_told_with_its_offset_and_salvaged_from_the_undo_files() {
    let arena = Arena::start();
    let folder = changed_and_killed(&arena);
    let log = folder.join("run.ndjson");
    let mut bytes = std::fs::read(&log).expect("a log");
    // The second line: everything that the ledger knows stands behind it.
    let offset = bytes.iter().position(|byte| *byte == b'\n').expect("a line") + 1;
    bytes[offset + 10] ^= 0x20;
    std::fs::write(&log, &bytes).expect("a log");

    let refused = arena.recover(&folder, "");
    assert_eq!(refused.code(), 1, "{refused:#?}");
    for part in ["line 2", &format!("at byte {offset}"), "gameday recover RUN --salvage"] {
        assert!(refused.stderr.contains(part), "`{part}` is not in {}", refused.stderr);
    }
    assert_ne!(arena.functions(), arena.before, "nothing was changed");
    let folder_text = folder.to_str().expect("a path");
    let salvaged = arena.workspace.gameday(&["recover", folder_text, "--salvage"]);
    assert_eq!(salvaged.code(), 0, "{salvaged:#?}");
    assert_eq!(arena.functions(), arena.before);
    assert_eq!(std::fs::read(folder.join("run.ndjson.broken")).expect("the broken log"), bytes, "nothing is lost");
    assert_eq!(state(&folder).outstanding().count(), 0);
    // What the log no longer tells of, its fault proxy, ends by itself within a minute of the run's death.
}
