//! What other commands ask of a workspace's lessons: whether they are right, which touch a plan, and what a run has shown of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Failure;
use super::lesson::{row, today};
use crate::document::{Diagnostic, SourceFile, Tree};
use crate::event::{RunState, Verdict, read_log};
use crate::fault::FaultSpec;
use crate::lesson::{Known, Lesson, Retest, Shelf, retest};
use crate::plan::Plan;
use crate::unit::{ComponentId, HypothesisId, RunId, error_chain};
use crate::workspace::Workspace;

/// Where a workspace keeps its lessons.
pub(super) const LESSONS: &str = "lessons";

/// The files of a workspace's lessons, and what is wrong with them.
pub(super) fn check_all(root: &Path) -> Result<(Vec<PathBuf>, Vec<Diagnostic>), Failure> {
    let shelf = Shelf::read(&root.join(LESSONS));
    let known = known(root)?;
    let mut diagnostics = shelf.diagnostics.clone();
    diagnostics.extend(shelf.lessons().flat_map(|lesson| known.check(lesson)));
    Ok((shelf.files, diagnostics))
}

/// Whether a file is a lesson, by the folder that it stands in.
pub(super) fn is_one(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name);
    folder.is_some_and(|folder| folder == LESSONS) && path.extension().is_some_and(|extension| extension == "md")
}

/// What there is in a workspace that lessons may name.
pub(super) fn known(root: &Path) -> Result<Known, Failure> {
    let workspace = Workspace::read(root).unwrap_or_else(|_| Workspace::without_settings(root));
    let components = workspace.workload.as_ref().map(|workload| &workload.components);
    Ok(Known {
        components: components
            .filter(|components| !components.is_empty())
            .map(|components| components.keys().map(ToString::to_string).collect()),
        faults: FaultSpec::catalogue().iter().map(|entry| entry.key.to_owned()).collect(),
        hypotheses: workspace.scenario_files().iter().filter_map(|path| hypotheses(path.as_path())).collect(),
    })
}

/// The id of a scenario and those of its hypotheses, whatever else is wrong with its file.
fn hypotheses(path: &Path) -> Option<(String, BTreeSet<String>)> {
    let source = SourceFile::read(path).ok()?;
    let tree = Tree::parse(&source, &mut Vec::new())?;
    let text = |map, key| Some(tree.scalar(tree.entry(map, key)?)?.1.to_owned());
    let hypotheses = tree.entry(tree.root(), "hypotheses").map(|list| tree.children(list)).unwrap_or_default();
    Some((text(tree.root(), "id")?, hypotheses.iter().filter_map(|hypothesis| text(*hypothesis, "id")).collect()))
}

/// The components that a plan's scenario is about.
pub(super) fn components(plan: &Plan) -> &[ComponentId] {
    plan.scenario.covers.as_ref().map_or(&[], |covers| &covers.components)
}

/// The kinds of the faults that a plan injects, each once.
pub(super) fn fault_kinds(plan: &Plan) -> BTreeSet<&str> {
    plan.changes.values().map(|change| change.kind.as_str()).collect()
}

/// Lessons that nobody has settled and that are about what a plan touches, or are tested by it; the most pressing first.
pub(super) fn touched_by(plan: &Plan, root: &Path) -> Vec<String> {
    let shelf = Shelf::read(&root.join(LESSONS));
    let faults = fault_kinds(plan);
    let is_tested =
        |lesson: &Lesson| lesson.front.regression.as_ref().is_some_and(|test| test.scenario == plan.scenario.id);
    let mut lessons: Vec<&Lesson> = shelf
        .lessons()
        .filter(|lesson| lesson.front.status.is_unsettled())
        .filter(|lesson| {
            let components = components(plan).iter().map(ComponentId::as_str);
            is_tested(lesson) || lesson.touches(components, faults.iter().copied())
        })
        .collect();
    lessons.sort_by_key(|lesson| (lesson.front.status, std::cmp::Reverse(lesson.front.severity), &lesson.front.id));
    let note = |lesson: &Lesson| if is_tested(lesson) { " (tested by this scenario)" } else { "" };
    lessons.into_iter().map(|lesson| format!("{}{}", row(lesson, today()), note(lesson))).collect()
}

/// Tells the lessons that a run has tested again what it has shown of them; what changed, in words.
pub(super) fn heed(plan: &Plan, run: &Path, root: &Path) -> Vec<String> {
    let Ok(read) = read_log(run) else { return Vec::new() };
    let state = RunState::fold(&read.events);
    let Some(id) = run.file_name().and_then(|name| name.to_str()?.parse::<RunId>().ok()) else { return Vec::new() };
    let upheld: BTreeMap<&HypothesisId, bool> = state
        .results
        .iter()
        .filter_map(|result| match result.verdict {
            Verdict::Upheld | Verdict::GapClosed => Some((&result.hypothesis, true)),
            Verdict::Refuted | Verdict::GapHolds => Some((&result.hypothesis, false)),
            Verdict::Inconclusive(_) | Verdict::NotTested(_) => None,
        })
        .collect();
    let shelf = Shelf::read(&root.join(LESSONS));
    let tested = shelf.lessons().filter_map(|lesson| {
        let test = lesson.front.regression.as_ref().filter(|test| test.scenario == plan.scenario.id)?;
        let is_upheld = *upheld.get(&test.hypothesis)?;
        let before = lesson.front.status;
        match retest(lesson, Retest { run: &id, is_upheld }) {
            Ok(after) if after == before => None,
            Ok(after) => {
                Some(format!("lesson {} was {} and is {} now", lesson.front.id, before.as_str(), after.as_str()))
            }
            Err(error) => Some(format!("lesson {} stays as it is: {}", lesson.front.id, error_chain(&error))),
        }
    });
    tested.collect()
}
