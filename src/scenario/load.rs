//! From a file to a scenario that was checked, or to every problem of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::check::{UNUSED, check_all};
use super::expect::Expectation;
use super::schema::{
    ActionSpec, ChecklistStep, Guardrail, Hint, Hypothesis, Inject, Person, PhaseSpec, Scenario, TargetSpec,
};
use super::{kind, vars};
use crate::document::{Decoder, Diagnostic, Document, NodeId, PROBLEMS_MAX, Severity, SourceFile, Tree};
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
    /// The SHA-256 of each program of the workspace that a fault runs, by the name that the scenario gives it.
    pub programs: BTreeMap<String, String>,
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
    if let Some(problem) = kind::markdown(source) {
        return Err(vec![problem]);
    }
    let Some(tree) = Tree::parse(source, &mut problems) else { return Err(problems) };
    if let Some(problem) = kind::other(&tree) {
        return Err(vec![problem]);
    }
    let all = match environment {
        Some(environment) => {
            vec![Values { environment: Some(environment.to_owned()), shared_by: vec![environment.to_owned()] }]
        }
        None => values(&tree, workspace),
    };
    let mut first = None;
    let mut found = Vec::new();
    let mut tree = Some(tree);
    let last = all.len() - 1;
    for (index, values) in all.into_iter().enumerate() {
        // Most files have no variables and are read once: the tree is copied only where it is needed again.
        let copy = if index == last { tree.take() } else { tree.clone() };
        let Some(copy) = copy else { break };
        let (read, told) = check_values(copy, workspace, &values);
        if first.is_none() {
            first = read.map(|(scenario, expectations)| (scenario, expectations, values.environment.clone()));
        }
        found.push((values.environment, told));
    }
    problems.extend(merge(found));
    problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    if has_errors {
        // What seems to be unused is mostly what a mistake elsewhere does not reach.
        problems.retain(|problem| problem.code != UNUSED);
    }
    match first {
        Some((scenario, expectations, environment)) if !has_errors => Ok(Checked {
            programs: programs(&scenario, workspace),
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

/// The digests of the workspace's own programs. One that cannot be read has none, and is told when it is run.
fn programs(scenario: &Scenario, workspace: &Workspace) -> BTreeMap<String, String> {
    let kinds = scenario.faults.values().filter_map(|fault| fault.kind().ok());
    let names = kinds.flat_map(|kind| kind.programs().into_iter().map(|(_, name)| name.to_owned()).collect::<Vec<_>>());
    let of_workspace = names.filter(|name| is_of_workspace(name));
    let digest = |name: &String| std::fs::read(workspace.root.join(name)).ok().map(|bytes| sha256_hex(&bytes));
    of_workspace.filter_map(|name| digest(&name).map(|digest| (name, digest))).collect()
}

/// Whether a program is a file of the workspace: one without a slash is looked for on `PATH`, and an absolute one is another
/// machine's affair.
pub(super) fn is_of_workspace(program: &str) -> bool {
    program.contains('/') && !program.starts_with('/')
}

/// The values with which a scenario is read.
pub(super) struct Values {
    /// The environment whose values they are; none where there is none.
    pub(super) environment: Option<String>,
    /// The environments for which the file is known to be meant with them: the one that was asked for, or those that it allows.
    pub(super) shared_by: Vec<String>,
}

/// The values that may differ, of the environments that the scenario allows.
fn values(tree: &Tree, workspace: &Workspace) -> Vec<Values> {
    let rules = tree.entry(tree.root(), "environments");
    let allow = rules.and_then(|rules| tree.entry(rules, "allow"));
    let allowed = allow.map(|allow| tree.children(allow)).unwrap_or_default();
    let allowed: Vec<String> =
        allowed.iter().filter_map(|id| tree.scalar(*id)).map(|(_, text)| text.to_owned()).collect();
    let mut names = allowed.clone();
    if names.is_empty() {
        names = workspace.environments.keys().cloned().collect();
        // The default environment comes first: its values are shown where any would do.
        names.sort_by_key(|name| name != "sandbox");
    }
    let distinct = vars::distinct_environments(tree, names);
    if distinct.is_empty() {
        return vec![Values { environment: None, shared_by: Vec::new() }];
    }
    let of = |name: String| {
        let shares = |other: &&String| vars::are_the_same(tree, &name, other);
        let shared_by = match allowed.is_empty() {
            true => vec![name.clone()],
            false => allowed.iter().filter(shares).cloned().collect(),
        };
        Values { environment: Some(name), shared_by }
    };
    distinct.into_iter().map(of).collect()
}

type Read = (Scenario, Expectations);

fn check_values(mut tree: Tree, workspace: &Workspace, values: &Values) -> (Option<Read>, Vec<Diagnostic>) {
    let (unfilled, mut problems): (Vec<_>, Vec<_>) =
        vars::substitute(&mut tree, values.environment.as_deref()).into_iter().unzip();
    let (scenario, document, found) = decode(tree, &unfilled);
    problems.extend(found);
    let Some(mut scenario) = scenario else { return (None, problems) };
    fill_urls(&mut scenario);
    let (expectations, found) = check_all(&scenario, &document, workspace, values);
    problems.extend(found);
    (Some((scenario, expectations)), problems)
}

/// Puts the URLs of targets that the file says into the faults that lead functions there.
fn fill_urls(scenario: &mut Scenario) {
    let Scenario { faults, targets, .. } = scenario;
    let known = targets.iter().filter_map(|(name, target)| Some((format!("${{{name}.url}}"), target.url()?)));
    let known: Vec<(String, String)> = known.collect();
    for fault in faults.values_mut() {
        let Ok(kind) = fault.kind() else { continue };
        if let Some(url) = kind.url() {
            fault.set_url(&known.iter().fold(url.to_owned(), |url, (name, known)| url.replace(name, known)));
        }
    }
}

/// Reads the types. The lists that may be long are read entry by entry, the innermost first.
fn decode(tree: Tree, unfilled: &[NodeId]) -> (Option<Scenario>, Document, Vec<Diagnostic>) {
    let mut decoder = Decoder::new(tree);
    for id in unfilled {
        decoder.set_aside(*id);
    }
    decoder.list::<ActionSpec>(&["timeline", "*", "do"]);
    decoder.list::<ChecklistStep>(&["timeline", "*", "checklist"]);
    decoder.list::<PhaseSpec>(&["timeline"]);
    decoder.list::<StepSpec>(&["load", "*", "setup"]);
    decoder.list::<StepSpec>(&["load", "*", "teardown"]);
    decoder.list::<StepSpec>(&["load", "*", "journeys", "*", "steps"]);
    decoder.list::<JourneySpec>(&["load", "*", "journeys"]);
    decoder.list::<StageSpec>(&["load", "*", "shape"]);
    decoder.map::<LoadSpec>(&["load"]);
    decoder.map::<BTreeMap<String, serde_json::Value>>(&["vars"]);
    decoder.map::<Person>(&["people"]);
    decoder.map::<TargetSpec>(&["targets"]);
    decoder.map::<SignalSpec>(&["signals"]);
    decoder.list::<Hypothesis>(&["hypotheses"]);
    decoder.list::<Guardrail>(&["guardrails"]);
    decoder.map::<FaultSpec>(&["faults"]);
    decoder.map::<Inject>(&["injects"]);
    decoder.list::<Hint>(&["hints"]);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Model;

    const TEXT: &str = r#"
gameday: 1
id: small
title: A small scenario
owner: me
environments: {allow: [sandbox, staging]}
vars: {rate: {default: 40 users, staging: 5 users}, name: {default: orders}}
targets: {orders: {lambda: {function: "${name}-fn"}}}
signals: {ok: {load: {of: users, stat: success_ratio}}}
hypotheses: [{id: H1, text: x, expect: "mean(ok) >= 99%"}]
guardrails: [{id: G1, abort_if: "mean(ok) < 50% for 10s"}, {id: G2, max_duration: 1h}]
load:
  users: {journeys: [{name: a, steps: [{get: "${orders.url}/a/${id}"}]}], shape: [{hold: 1m, at: "${rate}"}]}
faults:
  stop: {lambda_concurrency: {target: orders, reserved: 0}, effect_if: "mean(ok) < 90%"}
timeline:
  - {phase: baseline, for: 1m, do: [{at: 0s, load: users}], until: mark(go)}
  - {phase: stopped, for: 1m, do: [{at: 0s, fault: stop}, {at: 9s, undo: stop, unless: mark(keep)}]}
"#;

    fn checked(text: &str, environment: Option<&str>) -> Result<Checked, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::read(folder.path()).unwrap();
        let source = Arc::new(SourceFile::new("small.yaml", text));
        check(&source, &workspace, environment).map_err(|problems| {
            let line = |problem: &Diagnostic| format!("{} {}", problem.code, problem.notes.join(" "));
            problems.iter().map(line).collect()
        })
    }

    fn good() -> String {
        TEXT.replace("/a/${id}", "/a")
    }

    #[test]
    fn a_checked_scenario_has_the_values_of_its_environment() {
        for (environment, users) in [(None, "40 users"), (Some("sandbox"), "40 users"), (Some("staging"), "5 users")] {
            let checked = checked(&good(), environment).unwrap();
            let load = checked.scenario.load.values().next().unwrap();
            assert_eq!(load.model(), Some(Model::Closed));
            assert_eq!(load.shape[0].level().map(|level| level.to_string()).as_deref(), Some(users));
            let target = checked.scenario.targets.values().next().and_then(|target| target.lambda.as_ref()).unwrap();
            assert_eq!(target.function, "orders-fn");
            assert_eq!(checked.warnings, []);
        }
    }

    #[test]
    fn expectations_are_kept_by_their_place() {
        let checked = checked(&good(), None).unwrap();
        let Expectations { hypotheses, guardrails, effects, until, unless } = &checked.expectations;
        let text = |expectation: Option<&Expectation>| expectation.map(ToString::to_string).unwrap_or_default();
        assert_eq!(text(hypotheses.get("H1")), "mean(ok) >= 99%");
        assert_eq!((text(guardrails.get("G1")), guardrails.len()), ("mean(ok) < 50% for 10s".to_owned(), 1));
        assert_eq!(text(effects.get("stop")), "mean(ok) < 90%");
        assert_eq!(text(until.get("baseline")), "mark(go)");
        assert_eq!(text(unless.get(&("stopped".parse().unwrap(), 1))), "mark(keep)");
        assert_eq!(checked.digest, sha256_hex(good().as_bytes()));
    }

    #[test]
    fn a_problem_of_some_environments_only_names_one_of_them() {
        let text = good().replace("5 users", "five");
        assert_eq!(checked(&text, None).unwrap_err(), ["invalid-value with the values of the environment `staging`"]);
        assert!(checked(&text, Some("sandbox")).is_ok());
        assert_eq!(checked(TEXT, None).unwrap_err(), ["invalid-load "], "one of all environments names none");
    }

    #[test]
    fn an_unused_declaration_is_a_warning_but_not_beside_errors() {
        let unused = good().replace("mean(ok) < 90%", "mark(seen)").replace("{at: 0s, load: users}", "");
        let codes = |warnings: &[Diagnostic]| warnings.iter().map(|warning| warning.code).collect::<Vec<_>>();
        assert_eq!(checked(&unused, None).map(|checked| codes(&checked.warnings)), Ok(vec!["unused"]));
        assert_eq!(checked(&unused.replace("title", "titel"), None).unwrap_err().len(), 1);
    }
}
