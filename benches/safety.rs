//! How fast everything is undone, on the sandbox, with twenty functions throttled: after SIGKILL by the watchdog, and after
//! Ctrl-C by the run itself. `cargo bench --bench safety`. Time is counted from the signal until the functions show their
//! former state, which is later than the last undo call; and until the process has ended, everything verified.

use divan::Bencher;
use rustix::process::Signal;

#[path = "../tests/it/lambda.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod lambda;
#[path = "../tests/it/support.rs"]
#[expect(dead_code, clippy::unwrap_used, reason = "the tests use more of it, and may unwrap")]
mod support;

use lambda::Lambda;
use support::{Run, Workspace, wait_for};

/// How many functions have a fault.
const FAULTS: usize = 20;

fn main() {
    divan::main();
}

/// A run with all its faults in.
struct Broken {
    lambda: Lambda,
    run: Run,
    _sandbox: Run,
    _workspace: Workspace,
}

fn function(number: usize) -> String {
    format!("function-{number}")
}

fn broken() -> Broken {
    let workspace = Workspace::empty();
    let list = |text: &dyn Fn(usize) -> String| (0..FAULTS).map(text).collect::<String>();
    let functions = list(&|n| format!("  {}: {{demo: payments}}\n", function(n)));
    workspace.write("functions.yaml", &format!("functions:\n{functions}"));
    let targets = list(&|n| format!("  t{n}: {{lambda: {{function: {}}}}}\n", function(n)));
    let faults = list(&|n| format!("  f{n}: {{lambda_concurrency: {{target: t{n}, reserved: 0}}}}\n"));
    let steps = list(&|n| format!("      - {{at: 0s, fault: f{n}}}\n"));
    let scenario = format!(
        "gameday: 1\nid: many\ntitle: Twenty faults\nowner: me\nenvironments: {{allow: [local]}}\ntargets:\n{targets}\
         hypotheses: [{{id: H1, text: Nobody looks, expect: mark(seen)}}]\nfaults:\n{faults}\
         timeline:\n  - phase: broken\n    for: 30m\n    do:\n{steps}"
    );
    workspace.write("scenarios/many.yaml", &scenario);
    let mut sandbox = workspace.start(&["sandbox", "up", "--functions", "functions.yaml", "--json"]);
    let endpoint = sandbox.read_json()["endpoint"].as_str().expect("an endpoint").to_owned();
    workspace.write("gameday.yaml", &format!("gameday: 1\nenvironments: {{local: {{endpoint: \"{endpoint}\"}}}}\n"));
    let run = workspace.start(&["run", "scenarios/many.yaml", "--env", "local"]);
    wait_for("all faults to be in", || {
        let state = workspace.state();
        (state.faults.iter().filter(|fault| fault.applied_ms.is_some()).count() == FAULTS).then_some(())
    });
    Broken { lambda: Lambda::at(&endpoint), run, _sandbox: sandbox, _workspace: workspace }
}

impl Broken {
    fn wait_until_undone(&self) {
        for number in 0..FAULTS {
            wait_for("the function to be as before", || {
                self.lambda.function(&function(number)).reserved.is_none().then_some(())
            });
        }
    }
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn sigkill_until_the_watchdog_has_undone_twenty_faults(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(broken).bench_local_refs(|broken| {
        broken.run.signal(Signal::KILL);
        broken.wait_until_undone();
    });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn interrupt_until_twenty_faults_are_undone(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(broken).bench_local_refs(|broken| {
        broken.run.signal(Signal::INT);
        broken.wait_until_undone();
    });
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn interrupt_until_everything_is_verified_and_the_run_has_ended(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(broken).bench_local_values(|broken| {
        broken.run.signal(Signal::INT);
        assert_eq!(broken.run.wait().code(), 5);
    });
}
