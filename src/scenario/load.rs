//! From a file to a scenario that was checked, or to every problem of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::check::check_all;
use super::expect::Expectation;
use super::schema::{
    ActionSpec, ChecklistStep, Guardrail, Hint, Hypothesis, Inject, Person, PhaseSpec, Scenario, TargetSpec,
};
use super::vars;
use crate::document::{Decoder, Diagnostic, Document, PROBLEMS_MAX, Severity, SourceFile, Tree};
use crate::fault::FaultSpec;
use crate::load::{JourneySpec, LoadSpec, StageSpec, StepSpec};
use crate::observe::SignalSpec;
use crate::unit::{FaultId, GuardrailId, HypothesisId, PhaseId, sha256_hex};
use crate::workspace::Workspace;

/// A scenario in which nothing is wrong that can be known without its environment.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The scenario, with the environment's values in the place of variables.
    pub scenario: Scenario,
    /// Its expectations, parsed.
    pub expectations: Expectations,
    /// The environment whose values were taken: the one that was asked for, else the first that is allowed.
    pub environment: Option<String>,
    /// What is doubtful.
    pub warnings: Vec<Diagnostic>,
    /// The text.
    pub source: Arc<SourceFile>,
    /// The SHA-256 of the text, in hexadecimal.
    pub digest: String,
}

/// The expectations of a scenario, by the place where they stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expectations {
    /// `expect` of the hypotheses.
    pub hypotheses: BTreeMap<HypothesisId, Expectation>,
    /// `abort_if` of the guardrails that have one.
    pub guardrails: BTreeMap<GuardrailId, Expectation>,
    /// `effect_if` of the faults that have one.
    pub effects: BTreeMap<FaultId, Expectation>,
    /// `until` of the phases that have one.
    pub until: BTreeMap<PhaseId, Expectation>,
    /// `unless` of the actions that have one: the phase, and the action's index in its `do`.
    pub unless: BTreeMap<(PhaseId, usize), Expectation>,
}

/// Reads and checks a scenario file. Without an environment, the values of all environments that the scenario allows are
/// checked.
///
/// # Errors
/// Every problem of the file, at most [`PROBLEMS_MAX`]; warnings are among them.
pub fn load(path: &Path, workspace: &Workspace, environment: Option<&str>) -> Result<Checked, Vec<Diagnostic>> {
    let source = SourceFile::read(path).map_err(|problem| vec![*problem])?;
    check(&source, workspace, environment)
}

/// Checks the text of a scenario, as [`load`] does.
///
/// # Errors
/// Every problem of the text, at most [`PROBLEMS_MAX`]; warnings are among them.
pub fn check(
    source: &Arc<SourceFile>,
    workspace: &Workspace,
    environment: Option<&str>,
) -> Result<Checked, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let Some(tree) = Tree::parse(source, &mut problems) else { return Err(problems) };
    let environments = match environment {
        Some(environment) => vec![Some(environment.to_owned())],
        None => environments(&tree, workspace),
    };
    let mut first = None;
    let mut found = Vec::new();
    for environment in environments {
        let (read, told) = check_environment(tree.clone(), workspace, environment.as_deref());
        if first.is_none() {
            first = read.map(|(scenario, expectations)| (scenario, expectations, environment.clone()));
        }
        found.push((environment, told));
    }
    problems.extend(merge(found));
    problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    match first {
        Some((scenario, expectations, environment)) if !has_errors => Ok(Checked {
            scenario,
            expectations,
            environment,
            warnings: problems,
            source: Arc::clone(source),
            digest: sha256_hex(source.text().as_bytes()),
        }),
        Some(_) | None => {
            problems.truncate(PROBLEMS_MAX);
            Err(problems)
        }
    }
}

/// The environments whose values may differ, of those that the scenario allows.
fn environments(tree: &Tree, workspace: &Workspace) -> Vec<Option<String>> {
    let rules = tree.entry(tree.root(), "environments");
    let allow = rules.and_then(|rules| tree.entry(rules, "allow"));
    let allowed = allow.map(|allow| tree.children(allow)).unwrap_or_default();
    let mut names: Vec<String> =
        allowed.iter().filter_map(|id| tree.scalar(*id)).map(|(_, text)| text.to_owned()).collect();
    if names.is_empty() {
        names = workspace.environments.keys().cloned().collect();
        // The default environment comes first: its values are shown where any would do.
        names.sort_by_key(|name| name != "sandbox");
    }
    let distinct = vars::distinct_environments(tree, names);
    if distinct.is_empty() { vec![None] } else { distinct.into_iter().map(Some).collect() }
}

type Read = (Scenario, Expectations);

fn check_environment(
    mut tree: Tree,
    workspace: &Workspace,
    environment: Option<&str>,
) -> (Option<Read>, Vec<Diagnostic>) {
    let mut problems = vars::substitute(&mut tree, environment);
    let (scenario, document, found) = decode(tree);
    problems.extend(found);
    let Some(scenario) = scenario else { return (None, problems) };
    let (expectations, found) = check_all(&scenario, &document, workspace, environment);
    problems.extend(found);
    (Some((scenario, expectations)), problems)
}

/// Reads the types. The lists that may be long are read entry by entry, the innermost first.
fn decode(tree: Tree) -> (Option<Scenario>, Document, Vec<Diagnostic>) {
    let mut decoder = Decoder::new(tree);
    decoder.entries::<ActionSpec>(&["timeline", "*", "do"]);
    decoder.entries::<ChecklistStep>(&["timeline", "*", "checklist"]);
    decoder.entries::<PhaseSpec>(&["timeline"]);
    decoder.entries::<StepSpec>(&["load", "*", "journeys", "*", "steps"]);
    decoder.entries::<JourneySpec>(&["load", "*", "journeys"]);
    decoder.entries::<StageSpec>(&["load", "*", "shape"]);
    decoder.entries::<LoadSpec>(&["load"]);
    decoder.entries::<BTreeMap<String, serde_json::Value>>(&["vars"]);
    decoder.entries::<Person>(&["people"]);
    decoder.entries::<TargetSpec>(&["targets"]);
    decoder.entries::<SignalSpec>(&["signals"]);
    decoder.entries::<Hypothesis>(&["hypotheses"]);
    decoder.entries::<Guardrail>(&["guardrails"]);
    decoder.entries::<FaultSpec>(&["faults"]);
    decoder.entries::<Inject>(&["injects"]);
    decoder.entries::<Hint>(&["hints"]);
    decoder.finish()
}

/// The problems of all environments, each once; one that not all of them have names the first that has it.
fn merge(found: Vec<(Option<String>, Vec<Diagnostic>)>) -> Vec<Diagnostic> {
    let environments = found.len();
    let mut merged: Vec<(Diagnostic, Option<String>, usize)> = Vec::new();
    let mut places: BTreeMap<(usize, usize, &'static str, String), usize> = BTreeMap::new();
    for (environment, problems) in found {
        for problem in problems {
            let key = (problem.span.start, problem.span.end, problem.code, problem.message.clone());
            match places.get(&key).and_then(|index| merged.get_mut(*index)) {
                Some((_, first, count)) if *first != environment => *count += 1,
                Some(_) => {}
                None => {
                    places.insert(key, merged.len());
                    merged.push((problem, environment.clone(), 1));
                }
            }
        }
    }
    merged
        .into_iter()
        .map(|(problem, environment, count)| match environment {
            Some(environment) if count < environments => {
                problem.with_note(format!("with the values of the environment `{environment}`"))
            }
            Some(_) | None => problem,
        })
        .collect()
}
