//! What other commands ask of a workspace's actions: whether they are right, which concern a plan, and which a run keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use console::style;

use super::lessons::{LESSONS, components, today};
use super::{Failure, out};
use crate::action::{Action, Filed, Known, Shelf, Status};
use crate::document::{self, Diagnostic};
use crate::plan::Plan;
use crate::unit::{Date, plural, printable};
use crate::workspace::Workspace;

/// Where a workspace keeps its actions.
pub(super) const ACTIONS: &str = "actions";
/// How many actions a plan names.
const TOUCHED_MAX: usize = 10;
/// How many a run keeps.
const KEPT_MAX: usize = 200;

/// The files of a workspace's actions, and what is wrong with them.
pub(super) fn check_all(root: &Path) -> Result<(Vec<PathBuf>, Vec<Diagnostic>), Failure> {
    let shelf = Shelf::read(&root.join(ACTIONS));
    let known = known(root)?;
    let mut diagnostics = shelf.diagnostics.clone();
    diagnostics.extend(shelf.actions().flat_map(|filed| known.check(filed)));
    Ok((shelf.files, diagnostics))
}

/// Whether a file is an action, by the folder that it stands in.
pub(super) fn is_one(path: &Path) -> bool {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.parent().and_then(Path::file_name).is_some_and(|folder| folder == ACTIONS)
        && path.extension().is_some_and(|end| end == "yaml" || end == "yml")
}

/// What there is in a workspace that actions may name.
pub(super) fn known(root: &Path) -> Result<Known, Failure> {
    let of_lessons = super::lessons::known(root)?;
    let workload = Workspace::read(root).ok().and_then(|workspace| workspace.workload);
    let owners: BTreeSet<String> = workload
        .iter()
        .flat_map(|workload| &workload.teams)
        .flat_map(|(name, team)| std::iter::once(name.clone()).chain(team.members.iter().cloned()))
        .collect();
    let lessons = crate::lesson::Shelf::read(&root.join(LESSONS));
    Ok(Known {
        owners: Some(owners).filter(|owners| !owners.is_empty()),
        components: of_lessons.components,
        lessons: lessons.lessons().map(|lesson| lesson.front.id.to_string()).collect(),
        hypotheses: of_lessons.hypotheses,
    })
}

/// The actions; what is wrong with files is told, and keeps nobody from reading the others.
pub(super) fn shelf(folder: &Path) -> Shelf {
    let shelf = Shelf::read(folder);
    let errors = shelf.diagnostics.iter().filter(|found| found.severity == document::Severity::Error).count();
    if errors > 0 {
        let problems = plural(errors, "problem", "problems");
        out::progress(format_args!("note: {problems} in `{}`; `gameday action check` tells which", folder.display()));
    }
    shelf
}

/// An action in one line.
pub(super) fn row(action: &Action, today: Date) -> String {
    let status = format!("{:<8}", action.status.as_str());
    let status = match action.status {
        Status::Open => style(status).yellow(),
        Status::Done => style(status).green(),
        Status::Dropped => style(status).dim(),
    };
    let due = format!("due {}", action.due);
    let due = if action.is_overdue(today) { style(format!("{due}, overdue")).red() } else { style(due) };
    let (owner, text) = (printable(&action.owner), printable(&action.text));
    format!("{:<12} {status} {due}  {owner}: {text}", action.id.as_str())
}

/// Whether an action is about what a plan's scenario is about, or is tested again by it.
fn concerns(filed: &Filed, plan: &Plan) -> bool {
    let action = &filed.action;
    let is_tested = action.retest.as_ref().is_some_and(|test| test.scenario == plan.scenario.id);
    is_tested || components(plan).iter().any(|component| action.components.contains(component))
}

/// Overdue actions that concern a plan, the most pressing first, in a line each.
pub(super) fn touched_by(plan: &Plan, root: &Path) -> Vec<String> {
    let today = today();
    let shelf = shelf(&root.join(ACTIONS));
    let mut actions: Vec<&Filed> =
        shelf.actions().filter(|filed| filed.action.is_overdue(today) && concerns(filed, plan)).collect();
    actions.sort_by(|one, other| one.action.urgency().cmp(&other.action.urgency()));
    let more = actions.len().saturating_sub(TOUCHED_MAX);
    let rows = actions.iter().take(TOUCHED_MAX).map(|filed| row(&filed.action, today));
    rows.chain((more > 0).then(|| format!("and {more} more: `gameday action list --overdue`"))).collect()
}

/// The files of open actions that concern a plan, with their texts.
pub(super) fn kept(plan: &Plan, root: &Path) -> BTreeMap<String, String> {
    let shelf = Shelf::read(&root.join(ACTIONS));
    let kept = shelf.actions().filter(|filed| filed.action.status == Status::Open && concerns(filed, plan));
    let kept = kept.take(KEPT_MAX);
    kept.map(|filed| (format!("{ACTIONS}/{}.yaml", filed.action.id), filed.source.text().to_owned())).collect()
}
