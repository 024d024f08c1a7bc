//! What a run says of the lessons and actions that come of it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::lessons::{components, fault_kinds};
use super::{Exit, Failure, workspace};
use crate::plan::Plan;
use crate::report::read_run;
use crate::unit::{ComponentId, HypothesisId, RunId, ScenarioId, nearest};

/// What names the run that was last.
const LATEST: &str = "latest";

/// What a run says of the lesson that it taught.
#[derive(Debug, Default)]
pub(super) struct Taught {
    pub(super) run: Option<RunId>,
    pub(super) scenario: Option<ScenarioId>,
    pub(super) components: Vec<ComponentId>,
    pub(super) faults: Vec<String>,
    hypotheses: Vec<HypothesisId>,
    /// The kinds of the findings of its report, and the rules of its insights; none where it has no report.
    findings: Option<BTreeSet<String>>,
}

impl Taught {
    pub(super) fn by(run: &str) -> Result<Self, Failure> {
        let directory = workspace::run_folder(&workspace::reports_here(None), Some(run).filter(|run| *run != LATEST))?;
        let (_, plan) = read_run(&directory).map_err(|error| Failure::from_error(&error))?;
        Ok(Self::of(&directory, &plan))
    }

    /// Refuses a hypothesis that the run does not have.
    pub(super) fn check_hypothesis(&self, hypothesis: &HypothesisId) -> Result<(), Failure> {
        let known = self.hypotheses.iter().map(HypothesisId::as_str);
        self.refuse("hypothesis", hypothesis.as_str(), &known.collect::<Vec<_>>())
    }

    /// Refuses a kind of finding, or the rule of an insight, that the run's report does not have.
    pub(super) fn check_finding(&self, finding: &str) -> Result<(), Failure> {
        let Some(findings) = &self.findings else { return Ok(()) };
        self.refuse("finding of the kind", finding, &findings.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn refuse(&self, what: &str, name: &str, known: &[&str]) -> Result<(), Failure> {
        if known.contains(&name) {
            return Ok(());
        }
        let run = self.run.as_ref().map(|run| format!(" `{run}`")).unwrap_or_default();
        let help = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "it has none at all".to_owned(),
            None => format!("it has {}", known.join(", ")),
        };
        Err(Failure::new(Exit::Failure, format_args!("the run{run} has no {what} `{name}`; {help}")))
    }

    pub(super) fn of(directory: &Path, plan: &Plan) -> Self {
        let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        Self {
            run: name.parse().ok(),
            scenario: Some(plan.scenario.id.clone()),
            components: components(plan).to_vec(),
            faults: fault_kinds(plan).into_iter().map(str::to_owned).collect(),
            hypotheses: plan.hypotheses.iter().map(|hypothesis| hypothesis.id.clone()).collect(),
            findings: findings(directory),
        }
    }
}

/// The kinds of the findings of a run's report, and the rules of its insights; none where it has no report that can be read.
fn findings(directory: &Path) -> Option<BTreeSet<String>> {
    let report: Value = serde_json::from_slice(&std::fs::read(directory.join("report.json")).ok()?).ok()?;
    let kinds = report["findings"].as_array()?.iter().filter_map(|finding| finding["kind"].as_str());
    let groups = report["insights"]["groups"].as_array().into_iter().flatten();
    let insights = groups.flat_map(|group| group["insights"].as_array().into_iter().flatten());
    let rules = insights.filter_map(|insight| insight["rule"].as_str());
    Some(kinds.chain(rules).map(str::to_owned).collect())
}
