//! What is read of logs, traces and metrics when a run is over: of which functions, and with which calls.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::scenario::{Mode, Scenario};
use crate::workspace::Workspace;

/// The API calls that reading logs needs.
pub const LOG_CALLS: &[&str] = &[
    "logs:FilterLogEvents",
    "logs:GetQueryResults",
    "logs:StartQuery",
    "logs:StopQuery",
    "lambda:GetFunctionConfiguration",
];
/// The API calls that reading traces needs.
pub const TRACE_CALLS: &[&str] = &["xray:BatchGetTraces", "xray:GetTraceSegmentDestination", "xray:GetTraceSummaries"];
/// The API calls that reading the spans of Transaction Search needs.
pub const SPAN_CALLS: &[&str] = &["logs:GetQueryResults", "logs:StartQuery", "logs:StopQuery"];

/// What is read of logs, traces and metrics when a run is over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvidencePlan {
    /// The functions whose logs are read.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub logs: BTreeSet<String>,
    /// The functions whose traces are read.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub traces: BTreeSet<String>,
    /// The functions whose metrics are read, and with them those of all targets and signals.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub metrics: BTreeSet<String>,
}

impl EvidencePlan {
    /// What a scenario asks for: logs where it says nothing, and no traces. At a table there is nothing to read.
    pub(super) fn of(scenario: &Scenario, workspace: &Workspace) -> Self {
        if scenario.mode == Mode::Tabletop {
            return Self::default();
        }
        let functions = functions(scenario, workspace);
        let asked = scenario.evidence.unwrap_or_default();
        let of = |is_asked: bool| if is_asked { functions.clone() } else { BTreeSet::new() };
        Self { logs: of(asked.logs), traces: of(asked.traces), metrics: of(asked.metrics) }
    }

    /// Whether nothing is read.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.logs.is_empty() && self.traces.is_empty() && self.metrics.is_empty()
    }
}

/// The functions that are targets, and those of the components that the scenario covers.
fn functions(scenario: &Scenario, workspace: &Workspace) -> BTreeSet<String> {
    let targets = scenario.targets.values().filter_map(|target| target.lambda.as_ref()).map(|lambda| &lambda.function);
    let covered = scenario.covers.iter().flat_map(|covers| &covers.components);
    let components = workspace.workload.iter().flat_map(|workload| &workload.components);
    let components = components.filter(|(id, _)| covered.clone().any(|covered| covered == *id));
    let of_components =
        components.filter_map(|(_, component)| component.lambda.as_ref()).map(|lambda| &lambda.function);
    targets.chain(of_components).cloned().collect()
}
