//! What files and this machine tell of readiness.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};

use super::{Failure, actions, lessons, playbooks, schedules};
use crate::event::{FaultEnd, RunState, read_log};
use crate::plan::Plan;
use crate::readiness::Facts;
use crate::run::{find_runs, live_runs, read_plan};
use crate::scenario::Checked;
use crate::schedule::Guard;
use crate::unit::{PlaybookId, error_chain, plural, runtime_directory};
use crate::workspace::{Class, Environment, EnvironmentKind, Opening, Workspace};

/// How many runs are looked at, from the latest on.
const RUNS_MAX: usize = 100;

/// What a run must know that it does not see to by itself.
pub(super) fn before_run(workspace: &Workspace) -> Facts {
    Facts {
        workload: workspace.workload.clone(),
        accounts: accounts(workspace),
        no_socket: runtime_directory().err().map(|error| error_chain(&error)),
        ..Facts::default()
    }
}

/// All that files and this machine tell. A calendar of the schedule that is not understood is a failure with exit code 2.
pub(super) fn all(
    plan: &Plan,
    checked: &Checked,
    (workspace, environment): (&Workspace, &Environment),
    reports: &Path,
    now: DateTime<Utc>,
) -> Result<Facts, Failure> {
    let mut facts = before_run(workspace);
    for (path, playbook) in playbooks::all(workspace) {
        match playbook {
            Ok(playbook) => facts.playbooks.push(playbook),
            Err(_) => facts.unread_playbooks.push(format!("`{}`", path.display())),
        }
    }
    let wanted: BTreeSet<PlaybookId> = facts.playbooks.iter().map(|playbook| playbook.id.clone()).collect();
    let exercised = playbooks::exercises(reports, &wanted);
    facts.exercised = exercised.into_iter().map(|(playbook, exercise)| (playbook, exercise.at)).collect();
    facts.barriers = lessons::barriers(plan, &workspace.root);
    let unsettled = lessons::touched_by(plan, &workspace.root).into_iter();
    let unsettled = unsettled.chain(actions::overdue_of(plan, &workspace.root));
    facts.unsettled = unsettled.map(|row| console::strip_ansi_codes(&row).trim().to_owned()).collect();
    facts.closed = closed(checked, workspace, environment, now)?;
    facts.others = others(environment, reports);
    (facts.rehearsed, facts.previous) = past(plan, reports);
    facts.not_writable = not_writable(reports);
    facts.free_bytes = free_bytes(reports);
    Ok(facts)
}

fn accounts(workspace: &Workspace) -> BTreeMap<String, (String, bool)> {
    let account = |(name, environment): (&String, &Environment)| match environment.kind() {
        EnvironmentKind::Account(binding) => {
            Some((name.clone(), (binding.account.clone(), environment.class == Class::Production)))
        }
        EnvironmentKind::Sandbox(_) | EnvironmentKind::Endpoint(_) => None,
    };
    workspace.environments.iter().filter_map(account).collect()
}

/// What speaks against beginning now.
fn closed(
    checked: &Checked,
    workspace: &Workspace,
    environment: &Environment,
    now: DateTime<Utc>,
) -> Result<Vec<String>, Failure> {
    let mut closed = Vec::new();
    if let Some(window) = &environment.window {
        match window.opening(now) {
            Some(Opening::Now) => {}
            Some(Opening::At(at)) => {
                closed.push(format!("the window ({window}) opens on {}", at.format("%a %Y-%m-%d at %H:%M %Z")));
            }
            None => closed.push(format!("the window ({window}) never opens")),
        }
    }
    let guard = match environment.kind() {
        EnvironmentKind::Sandbox(_) => None,
        EnvironmentKind::Endpoint(_) | EnvironmentKind::Account(_) => {
            Guard::of(&checked.scenario, &workspace.root, now, now).map_err(schedules::not_guarded)?
        }
    };
    closed.extend(guard.iter().flat_map(|guard| guard.objections(now)).map(|objection| objection.to_string()));
    Ok(closed)
}

/// Runs in the environment that are alive, or left something behind.
fn others(environment: &Environment, reports: &Path) -> Vec<String> {
    if let EnvironmentKind::Sandbox(_) = environment.kind() {
        // Each embedded sandbox is a place of its own.
        return Vec::new();
    }
    let runs = match live_runs(reports) {
        Ok(runs) => runs,
        Err(error) => return vec![format!("the runs can not be looked at: {}", error_chain(&error))],
    };
    let here = runs.iter().filter(|run| run.state.environment == environment.name);
    here.map(|run| match (run.is_alive, run.change_count()) {
        (true, _) => format!("run `{}` is alive", run.state.run),
        (false, 0) => format!("run `{}` did not come to its end", run.state.run),
        (false, count) => format!("run `{}` left {} behind", run.state.run, plural(count, "change", "changes")),
    })
    .collect()
}

/// When a fault of each kind was last undone here, and the last run of the scenario that came to its end.
fn past(plan: &Plan, reports: &Path) -> (BTreeMap<String, DateTime<Utc>>, Option<String>) {
    let (mut rehearsed, mut previous) = (BTreeMap::new(), None);
    for folder in find_runs(reports).unwrap_or_default().iter().rev().take(RUNS_MAX) {
        let Ok(of_run) = read_plan(folder) else { continue };
        if of_run.environment.name != plan.environment.name {
            continue;
        }
        let Ok(log) = read_log(folder) else { continue };
        let state = RunState::fold(&log.events);
        let Some(ended) = log.events.last().map(|event| event.at).filter(|_| state.is_over()) else { continue };
        if of_run.scenario.id == plan.scenario.id && previous.is_none() {
            previous = Some(state.run.clone());
        }
        let is_undone = |end: Option<FaultEnd>| matches!(end, Some(FaultEnd::Restored | FaultEnd::AsBefore));
        for fault in state.faults.iter().filter(|fault| is_undone(fault.end)) {
            if let Some(change) = of_run.changes.get(&fault.identity.fault) {
                // From the latest run on: the first that is found is the last.
                rehearsed.entry(change.kind.clone()).or_insert(ended);
            }
        }
    }
    (rehearsed, previous)
}

/// Why nothing can be written into the folder of reports; it is made, as a run makes it.
fn not_writable(reports: &Path) -> Option<String> {
    let probe = reports.join(format!(".readiness-{}", std::process::id()));
    let tried = std::fs::create_dir_all(reports)
        .and_then(|()| std::fs::write(&probe, ""))
        .and_then(|()| std::fs::remove_file(&probe));
    tried.err().map(|error| format!("`{}` can not be written to: {error}", reports.display()))
}

fn free_bytes(reports: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(reports).ok()?;
    found.f_bavail.checked_mul(found.f_frsize)
}
