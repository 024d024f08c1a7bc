//! What the commands about schedules share: reading the scenarios that have one, and choosing among them.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Exit, Failure, lessons, out, workspace};
use crate::document::{Diagnostic, Severity};
use crate::scenario::{self, Checked};
use crate::schedule::{Entry, Guard, GuardError, Recurrence, too_near};
use crate::unit::{error_chain, nearest};
use crate::workspace::{EnvironmentKind, Workspace};

/// How far the neighbours of a date are looked for, which a calendar must cover as well.
const AROUND: TimeDelta = TimeDelta::days(366);

/// The scenarios of a workspace that have a schedule, and what is wrong with the others.
pub(super) struct Read {
    pub(super) workspace: Workspace,
    pub(super) entries: Vec<(Entry, Checked)>,
    /// Scenarios without a schedule, by id.
    pub(super) without: Vec<String>,
    pub(super) problems: Vec<Diagnostic>,
}

/// Why a schedule's guards can not be read, as exit code 2.
pub(super) fn not_guarded(error: GuardError) -> Failure {
    match error {
        GuardError::Calendars(problems) => {
            let told = workspace::invalid(&problems);
            Failure::new(Exit::Invalid, format_args!("a freeze calendar is not understood: {}", told.text))
        }
        error @ GuardError::Recurrence(_) => Failure::new(Exit::Invalid, error_chain(&error)),
    }
}

/// Reads every scenario of the workspace around the present folder, with the calendars for dates between two moments. One that is
/// wrong keeps no other from being read.
pub(super) fn read_all(from: DateTime<Utc>, to: DateTime<Utc>) -> Result<Read, Failure> {
    let workspace = workspace::discover(Path::new("."))?;
    let (mut entries, mut without, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for path in workspace.scenario_files() {
        match read_one(&path, &workspace, from - AROUND, to + AROUND)? {
            One::With(entry) => entries.push(*entry),
            One::Without(id) => without.push(id),
            One::Wrong(found) => problems.extend(found),
        }
    }
    Ok(Read { workspace, entries, without, problems })
}

/// A scenario with its schedule, and its calendars for dates between two moments; none where it has no schedule.
pub(super) fn entry(
    checked: &Checked,
    path: &Path,
    workspace: &Workspace,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Option<Entry>, GuardError> {
    let Some(schedule) = &checked.scenario.schedule else { return Ok(None) };
    let recurrence = Recurrence::of(schedule)?;
    let Some(guard) = Guard::of(&checked.scenario, &workspace.root, from, to)? else {
        return Ok(None);
    };
    let file = path.strip_prefix(&workspace.root).unwrap_or(path).to_owned();
    let environments = environments(workspace, checked);
    Ok(Some(Entry { scenario: checked.scenario.clone(), file, recurrence, guard, environments }))
}

/// A scenario's file.
enum One {
    /// It has a schedule.
    With(Box<(Entry, Checked)>),
    /// It has none; its id.
    Without(String),
    /// It, or a calendar of its schedule, is wrong.
    Wrong(Vec<Diagnostic>),
}

fn read_one(path: &Path, workspace: &Workspace, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<One, Failure> {
    let checked = match scenario::load(path, workspace, None) {
        Ok(checked) => checked,
        Err(found) => {
            return Ok(One::Wrong(found.into_iter().filter(|problem| problem.severity == Severity::Error).collect()));
        }
    };
    match entry(&checked, path, workspace, from, to) {
        Ok(Some(entry)) => Ok(One::With(Box::new((entry, checked)))),
        Ok(None) => Ok(One::Without(checked.scenario.id.to_string())),
        Err(GuardError::Calendars(found)) => Ok(One::Wrong(found)),
        Err(error @ GuardError::Recurrence(_)) => Err(not_guarded(error)),
    }
}

/// What the planned dates of the scenarios from which one with this guard keeps away say against a start now. What can not be read is
/// no pass.
pub(super) fn planned_near(workspace: &Workspace, guard: &Guard, now: DateTime<Utc>) -> Result<Vec<String>, Failure> {
    let mut told = BTreeSet::new();
    for (id, within) in guard.neighbours() {
        let is_of = |path: &std::path::PathBuf| lessons::id_of(path).is_some_and(|own| own == id.as_str());
        let Some(path) = workspace.scenario_files().into_iter().find(is_of) else { continue };
        match read_one(&path, workspace, now, now + within)? {
            // What only runs in the embedded sandbox disturbs nobody.
            One::With(entry) if entry.0.environments.is_empty() => {}
            One::With(entry) => {
                // What was planned before has run or not, as the runs tell.
                let near = too_near(guard, &[entry.0], now, now);
                told.extend(near.map(|near| format!("{near}, as it is planned")));
            }
            One::Without(_) => {}
            One::Wrong(found) => {
                let first = found.first().map(|problem| problem.message.as_str()).unwrap_or_default();
                told.insert(format!("can not tell when `{id}` is planned: {first}"));
            }
        }
    }
    Ok(told.into_iter().collect())
}

/// The environments that a scenario may use and in which it is not alone.
fn environments(workspace: &Workspace, checked: &Checked) -> BTreeSet<String> {
    let allowed = checked.scenario.environments.as_ref().map(|rules| rules.allow.as_slice()).unwrap_or_default();
    let is_shared = |kind: &EnvironmentKind| match kind {
        EnvironmentKind::Sandbox(_) => false,
        EnvironmentKind::Endpoint(_) | EnvironmentKind::Account(_) => true,
    };
    let of_workspace = workspace.environments.iter().filter(|(_, environment)| is_shared(environment.kind()));
    let names = of_workspace.map(|(name, _)| name.clone());
    names.filter(|name| allowed.is_empty() || allowed.contains(name)).collect()
}

impl Read {
    /// Where a file is wrong: all that is, with exit code 2. A schedule that is answered without it might leave a freeze out.
    pub(super) fn right(self) -> Result<Self, Failure> {
        if self.problems.is_empty() { Ok(self) } else { Err(workspace::invalid(&self.problems)) }
    }

    /// The entries alone.
    pub(super) fn all(&self) -> Vec<Entry> {
        self.entries.iter().map(|(entry, _)| entry.clone()).collect()
    }

    /// The entries that are named by id or file, in the order of files; all where none is named.
    pub(super) fn chosen(&self, names: &[String]) -> Result<Vec<Entry>, Failure> {
        let all = self.all();
        if names.is_empty() {
            if all.is_empty() {
                out::progress("no scenario has a `schedule` yet; `gameday explain schedule` tells what one may say");
            }
            return Ok(all);
        }
        let is = |entry: &Entry, name: &str| {
            entry.scenario.id.as_str() == name
                || Path::new(name).file_name().is_some_and(|file| entry.file.ends_with(file))
        };
        for name in names {
            if all.iter().any(|entry| is(entry, name)) {
                continue;
            }
            if self.without.contains(name) {
                return Err(Failure::new(Exit::Failure, format_args!("scenario `{name}` has no `schedule`")));
            }
            let near = nearest(name, all.iter().map(|entry| entry.scenario.id.as_str()));
            let help = near.map_or_else(
                || "`gameday schedule next` lists those that have one".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            return Err(Failure::new(
                Exit::Failure,
                format_args!("no scenario with a schedule is called `{name}`; {help}"),
            ));
        }
        Ok(all.into_iter().filter(|entry| names.iter().any(|name| is(entry, name))).collect())
    }
}
