//! What other commands ask of a workspace's actions: whether they are right, and which are overdue where a plan touches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use console::style;

use super::lessons::{LESSONS, components, hypotheses_of, today};
use super::{Failure, out};
use crate::action::{Action, Known, Shelf, Status};
use crate::document::{self, Diagnostic, files_of};
use crate::plan::Plan;
use crate::unit::{Date, plural, printable};
use crate::workspace::{Workload, Workspace};

/// Where a workspace keeps its actions.
pub(super) const ACTIONS: &str = "actions";

/// How the names of their files end.
const EXTENSION: &str = "yaml";

/// The files of a workspace's actions, and what is wrong with them.
pub(super) fn check_all(root: &Path) -> Result<(Vec<PathBuf>, Vec<Diagnostic>), Failure> {
    let shelf = Shelf::read(&root.join(ACTIONS));
    let known = known(root);
    let mut diagnostics = shelf.diagnostics.clone();
    diagnostics.extend(shelf.entries().flat_map(|action| known.check(action)));
    Ok((shelf.files, diagnostics))
}

/// Whether a file is an action, by the folder that it stands in.
pub(super) fn is_one(path: &Path) -> bool {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().and_then(Path::file_name);
    folder.is_some_and(|folder| folder == ACTIONS) && path.extension().is_some_and(|extension| extension == EXTENSION)
}

/// The ids of a workspace's actions: the names of their files, whatever else is wrong with them.
pub(super) fn ids(root: &Path) -> BTreeSet<String> {
    names_of(&root.join(ACTIONS), EXTENSION)
}

/// The names of a folder's files, without what they end with.
pub(super) fn names_of(folder: &Path, extension: &str) -> BTreeSet<String> {
    let name = |path: &PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    files_of(folder, extension).iter().filter_map(name).collect()
}

/// What there is in a workspace that actions may name.
pub(super) fn known(root: &Path) -> Known {
    let workspace = Workspace::read(root).unwrap_or_else(|_| Workspace::without_settings(root));
    let workload = workspace.workload.as_ref();
    let components = workload.map(|workload| workload.components.keys().map(ToString::to_string).collect());
    let lessons = workspace.lessons.iter().flat_map(|lessons| lessons.keys()).map(ToString::to_string);
    Known {
        components: components.filter(|names: &BTreeSet<String>| !names.is_empty()),
        teams: workload.and_then(Workload::owners),
        lessons: lessons.chain(names_of(&root.join(LESSONS), "md")).collect(),
        hypotheses: hypotheses_of(&workspace),
    }
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
    let record = &action.record;
    let status = format!("{:<7}", record.status.as_str());
    let status = match record.status {
        Status::Open => style(status).yellow(),
        Status::Done => style(status).green(),
        Status::Dropped => style(status),
    };
    let due = format!("due {}", record.due);
    let due = match (record.status, action.is_overdue(today)) {
        (_, true) => style(format!("overdue since {}", record.due)).red().to_string(),
        (Status::Open, false) => due,
        (Status::Done | Status::Dropped, false) => String::new(),
    };
    let (text, owner) = (printable(&record.text), printable(&record.owner));
    let text = format!("{:<12} {status} {:<8} {text}  ({owner}) {due}", record.id.as_str(), record.severity.as_str());
    text.trim_end().to_owned()
}

/// How many actions a plan names.
const OVERDUE_MAX: usize = 10;

/// Overdue actions on what a plan's scenario is about, or that it tests; the most pressing first.
pub(super) fn overdue_of(plan: &Plan, root: &Path) -> Vec<String> {
    let (shelf, today) = (shelf(&root.join(ACTIONS)), today());
    let mut actions: Vec<&Action> =
        shelf.entries().filter(|action| action.is_overdue(today) && concerns(action, plan)).collect();
    actions.sort_by(|one, other| one.urgency(today).cmp(&other.urgency(today)));
    let more = actions.len().saturating_sub(OVERDUE_MAX);
    let rows = actions.into_iter().take(OVERDUE_MAX).map(|action| row(action, today));
    rows.chain((more > 0).then(|| format!("and {more} more: `gameday action list --overdue`"))).collect()
}

/// How many actions a run keeps.
const KEPT_MAX: usize = 200;

/// The files of open actions on what a plan's scenario is about, or that it tests, with their texts.
pub(super) fn kept(plan: &Plan, root: &Path) -> BTreeMap<String, String> {
    let shelf = Shelf::read(&root.join(ACTIONS));
    let kept = shelf.entries().filter(|action| action.record.status == Status::Open && concerns(action, plan));
    let kept = kept.take(KEPT_MAX);
    kept.map(|action| (format!("{ACTIONS}/{}.{EXTENSION}", action.record.id), action.source.text().to_owned()))
        .collect()
}

/// Whether an action is on what a plan's scenario is about, or is tested by it.
fn concerns(action: &Action, plan: &Plan) -> bool {
    let record = &action.record;
    let is_tested = record.retest.as_ref().is_some_and(|retest| retest.scenario == plan.scenario.id);
    is_tested || record.component.as_ref().is_some_and(|own| components(plan).contains(own))
}
