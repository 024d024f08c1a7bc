//! Whole runs on the embedded sandbox: real functions, a real load worker, the real fault proxy.

use gameday::event::{EventKind, FaultEnd, FaultState, ProcessKind, Verdict};
use rustix::process::Signal;

use crate::support::{Output, Workspace, is_free, processes_with, wait_for};

/// Nothing is left of a run: no process, no port, no change.
fn assert_nothing_is_left(workspace: &Workspace) {
    let state = workspace.state();
    assert_eq!(state.outstanding().count(), 0, "{:#?}", state.faults);
    for fault in &state.faults {
        assert_eq!(fault.state, FaultState::Restored, "{fault:#?}");
    }
    for (kind, _, address) in &state.processes {
        if *kind == ProcessKind::Sandbox {
            wait_for("the functions to end", || processes_with(address).is_empty().then_some(()));
        }
    }
    wait_for("the ports to be free", || {
        (is_free(workspace.provider_port) && is_free(workspace.proxy_port)).then_some(())
    });
}

fn verdict(workspace: &Workspace, hypothesis: &str) -> Verdict {
    let state = workspace.state();
    let result = state.results.iter().find(|result| result.hypothesis.as_str() == hypothesis);
    result.unwrap_or_else(|| panic!("{hypothesis} was judged: {:#?}", state.results)).verdict.clone()
}

fn assert_reports(workspace: &Workspace, names: &[&str]) {
    let folder = workspace.run_folder().expect("there is a run");
    for name in names {
        let size = std::fs::metadata(folder.join(name)).map(|file| file.len()).unwrap_or_default();
        assert!(size > 100, "{name} is missing or empty");
    }
}

#[test]
fn the_quickstart_passes_with_a_known_gap_and_leaves_nothing() {
    let workspace = Workspace::new();
    let output = workspace.gameday(&["run", "scenarios/quickstart.yaml", "--json"]);
    assert_eq!(output.code(), 0, "{output:#?}");
    for hypothesis in ["H1", "H2", "H3", "H5"] {
        assert_eq!(verdict(&workspace, hypothesis), Verdict::Upheld, "{output:#?}");
    }
    assert_eq!(verdict(&workspace, "H4"), Verdict::GapHolds);
    let state = workspace.state();
    let faults: Vec<_> = state.faults.iter().filter(|fault| !fault.identity.is_route()).collect();
    assert_eq!(faults.len(), 5);
    for fault in &faults {
        assert!(fault.effective_ms.is_some(), "{fault:#?}");
        assert_eq!(fault.end, Some(FaultEnd::Restored), "{fault:#?}");
    }
    assert!(state.elapsed_ms <= 120_000, "a run of {} ms", state.elapsed_ms);
    let settled = workspace.events().into_iter().find_map(|event| match event.kind {
        EventKind::SettleJudged { held, held_ms } => Some((held, held_ms)),
        _ => None,
    });
    assert!(matches!(settled, Some((true, Some(_)))), "{settled:?}");
    assert_reports(&workspace, &["report.html", "report.md", "report.json", "junit.xml", "plan.json", "scenario.yaml"]);
    assert_nothing_is_left(&workspace);
    let json: serde_json::Value = serde_json::from_str(&output.stdout).expect("standard output is JSON alone");
    assert_eq!(json["exit_code"], 0);
}

#[test]
fn a_refuted_hypothesis_is_exit_code_3() {
    let workspace = Workspace::new();
    let output = workspace.gameday(&["run", "scenarios/refuted.yaml"]);
    assert_eq!(output.code(), 3, "{output:#?}");
    assert_eq!(verdict(&workspace, "H1"), Verdict::Refuted);
    assert_reports(&workspace, &["report.html", "junit.xml"]);
    assert_nothing_is_left(&workspace);
}

#[test]
fn a_guardrail_aborts_undoes_and_is_exit_code_4() {
    let workspace = Workspace::new();
    let output = workspace.gameday(&["run", "scenarios/guardrail.yaml"]);
    assert_eq!(output.code(), 4, "{output:#?}");
    assert!(workspace.events().iter().any(
        |event| matches!(&event.kind, EventKind::GuardrailTripped { guardrail, .. } if guardrail.as_str() == "G1")
    ));
    assert_reports(&workspace, &["report.html"]);
    assert_nothing_is_left(&workspace);
}

#[test]
fn an_interrupt_in_mid_fault_undoes_everything() {
    let workspace = Workspace::new();
    let run = workspace.start(&["run", "scenarios/quickstart.yaml"]);
    workspace.wait_for_event(
        "the first fault",
        |kind| matches!(kind, EventKind::FaultApplied { identity } if !identity.is_route()),
    );
    run.signal(Signal::INT);
    let output = run.wait();
    assert_eq!(output.code(), 5, "{output:#?}");
    assert_nothing_is_left(&workspace);
}

#[test]
fn a_gate_that_does_not_hold_lets_nothing_in() {
    let workspace = Workspace::new();
    let text = std::fs::read_to_string(workspace.path().join("scenarios/refuted.yaml")).unwrap();
    workspace.write("scenarios/refuted.yaml", &text.replace("$.payment\": paid", "$.payment\": gold"));
    let output = workspace.gameday(&["run", "scenarios/refuted.yaml"]);
    assert_eq!(output.code(), 7, "{output:#?}");
    assert!(workspace.state().faults.is_empty());
    assert_reports(&workspace, &["report.html"]);
    assert_nothing_is_left(&workspace);
}

/// A run that must fail before it changes anything, with these words in its error.
fn assert_does_not_begin(workspace: &Workspace, output: &Output, code: i32, words: &[&str]) {
    assert_eq!(output.code(), code, "{output:#?}");
    for word in words {
        assert!(output.stderr.contains(word), "`{word}` is not in: {}", output.stderr);
    }
    assert!(workspace.state().faults.is_empty());
}

#[test]
fn a_taken_port_is_named_before_anything_is_changed() {
    let workspace = Workspace::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", workspace.proxy_port)).unwrap();
    let output = workspace.gameday(&["run", "scenarios/quickstart.yaml"]);
    assert_does_not_begin(&workspace, &output, 7, &["provider", &workspace.proxy_port.to_string()]);
    drop(taken);
    let taken = std::net::TcpListener::bind(("127.0.0.1", workspace.provider_port)).unwrap();
    std::fs::remove_dir_all(workspace.reports()).unwrap();
    let output = workspace.gameday(&["run", "scenarios/quickstart.yaml"]);
    assert_does_not_begin(&workspace, &output, 7, &["sandbox", &workspace.provider_port.to_string()]);
    drop(taken);
    assert_nothing_is_left(&workspace);
}

#[test]
fn a_function_that_cannot_start_is_named_before_anything_is_changed() {
    let workspace = Workspace::new();
    let text = std::fs::read_to_string(workspace.path().join("gameday.yaml")).unwrap();
    workspace.write("gameday.yaml", &text.replace("demo: payments", "command: [./no-such-program]"));
    let output = workspace.gameday(&["run", "scenarios/refuted.yaml"]);
    assert_does_not_begin(&workspace, &output, 7, &["payments-fn", "no-such-program"]);
    assert_nothing_is_left(&workspace);
}

#[test]
fn an_upstream_that_refuses_shuts_the_gate() {
    let workspace = Workspace::new();
    let text = std::fs::read_to_string(workspace.path().join("gameday.yaml")).unwrap();
    // The provider is there, and the functions look for it where nobody listens.
    let nobody = crate::support::free_port();
    workspace.write(
        "gameday.yaml",
        &text.replace(
            &format!("PROVIDER_URL: \"http://127.0.0.1:{}\"", workspace.provider_port),
            &format!("PROVIDER_URL: \"http://127.0.0.1:{nobody}\""),
        ),
    );
    let output = workspace.gameday(&["run", "scenarios/refuted.yaml"]);
    assert_eq!(output.code(), 7, "{output:#?}");
    assert!(workspace.state().faults.is_empty());
}

#[test]
fn a_log_that_cannot_be_written_any_more_ends_the_run_and_everything_is_undone() {
    let workspace = Workspace::new();
    // Files may grow to 20 or 40 KiB (the shell's `ulimit -f` counts 512 or 1024 bytes): some seconds into the run the log
    // is full, with faults in place.
    let script = "trap '' XFSZ; ulimit -f 40; exec \"$0\" run scenarios/quickstart.yaml";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_gameday")]).env("NO_COLOR", "1");
    let output = workspace.start_command(&mut command).wait();
    assert_eq!(output.code(), 1, "{output:#?}");
    assert!(output.stderr.contains("failed to append to"), "{}", output.stderr);
    assert!(output.stderr.contains("everything is as it was before"), "{}", output.stderr);
    let state = workspace.state();
    for (_, _, address) in state.processes.iter().filter(|(kind, ..)| *kind == ProcessKind::Sandbox) {
        wait_for("the functions to end", || processes_with(address).is_empty().then_some(()));
    }
    wait_for("the port to be free", || is_free(workspace.provider_port).then_some(()));
}

#[test]
fn an_environment_can_be_used_by_one_run_at_a_time() {
    let workspace = Workspace::new();
    let run = workspace.start(&["run", "scenarios/guardrail.yaml"]);
    workspace.wait_for_event("the run to be ready", |kind| matches!(kind, EventKind::ReadinessPassed { .. }));
    let second = workspace.gameday(&["run", "scenarios/refuted.yaml"]);
    assert_eq!(second.code(), 9, "{second:#?}");
    assert!(second.stderr.contains("in use by another run"), "{}", second.stderr);
    let abort = workspace.gameday(&["abort", "--why", "enough"]);
    assert_eq!(abort.code(), 0, "{abort:#?}");
    assert_eq!(run.wait().code(), 5);
    assert_nothing_is_left(&workspace);
}
