//! What `init` and `new` write really runs: each scenario ends with exit code 0 and proves its faults.

use gameday::event::FaultEnd;

use crate::support::Workspace;

/// A new workspace on ports of its own, and the scenario that is run in it.
struct Start {
    workspace: Workspace,
    scenario: &'static str,
    faults: usize,
}

impl Start {
    /// The workspace that `init` makes, with a scenario from a template where one is named.
    fn new(scenario: &'static str, template: Option<&str>, faults: usize) -> Self {
        let workspace = Workspace::empty();
        assert_eq!(workspace.gameday(&["init"]).code(), 0);
        if let Some(template) = template {
            assert_eq!(workspace.gameday(&["new", template]).code(), 0);
        }
        for file in ["gameday.yaml", scenario] {
            let text = std::fs::read_to_string(workspace.path().join(file)).unwrap();
            workspace.write(file, &text);
        }
        Self { workspace, scenario, faults }
    }
}

#[test]
fn every_scenario_that_is_given_to_a_new_user_ends_well_within_a_minute_and_proves_its_faults() {
    let starts = [
        Start::new("scenarios/quickstart.yaml", None, 1),
        Start::new("scenarios/lambda-throttle.yaml", Some("lambda-throttle"), 1),
        Start::new("scenarios/load-test.yaml", Some("load-test"), 0),
        Start::new("scenarios/slow-dependency.yaml", Some("slow-dependency"), 1),
    ];
    // They run side by side: most of a run is waiting.
    let runs: Vec<_> = starts.iter().map(|start| start.workspace.start(&["run", start.scenario])).collect();
    for (run, start) in runs.into_iter().zip(&starts) {
        let output = run.wait();
        assert_eq!(output.code(), 0, "{}: {output:#?}", start.scenario);
        let state = start.workspace.state();
        let faults: Vec<_> = state.faults.iter().filter(|fault| !fault.identity.is_route()).collect();
        assert_eq!(faults.len(), start.faults, "{}", start.scenario);
        for fault in faults {
            assert!(fault.effective_ms.is_some(), "{fault:#?}");
            assert_eq!(fault.end, Some(FaultEnd::Restored), "{fault:#?}");
        }
        assert!(state.elapsed_ms <= 70_000, "{} took {} ms", start.scenario, state.elapsed_ms);
    }
}
