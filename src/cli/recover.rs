//! `gameday recover`: undoes what a run left behind, from its folder alone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Failure, out, workspace};
use crate::event::{FaultEnd, FaultState, Recoverer};
use crate::plan;
use crate::run::{
    HolderError, LiveRun, RecoverError, RecoverOptions, Recovered, RecoveredFault, UnlockError, live_runs, read_plan,
    recover, unlock,
};
use crate::unit::Failpoints;
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run's id or folder; default every run that left something behind.
    run: Option<String>,
    /// Only runs in this environment.
    #[arg(long, value_name = "NAME", conflicts_with = "run")]
    env: Option<String>,
    /// Runs in every environment, where more than one has something left.
    #[arg(long, conflicts_with_all = ["run", "env"])]
    all_environments: bool,
    /// Go on from what can still be used of a log that is broken in the middle, and from the undo files.
    #[arg(long, requires = "run")]
    salvage: bool,
    /// Take what somebody else has changed as it is: nothing of it is left to undo.
    #[arg(long, requires = "run")]
    accept_drift: bool,
    /// Recover although the lock for other machines says that this run or another one is under way: you say that none is.
    #[arg(long, requires = "run")]
    despite_lock: bool,
    /// Take the lock that other machines see away from a dead run, by its id: you say that it left nothing behind.
    #[arg(long, value_name = "RUN", requires = "env")]
    unlock: Option<String>,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    if let (Some(run), Some(environment)) = (&arguments.unlock, &arguments.env) {
        return take_lock_away(environment, run, arguments.json).await;
    }
    let reports = workspace::reports_here(arguments.reports.as_deref());
    let folders = match &arguments.run {
        Some(run) => vec![workspace::run_folder(&reports, Some(run))?],
        None => left_behind(&reports, &arguments)?,
    };
    let (mut all, mut failures) = (Vec::new(), Vec::new());
    for folder in folders {
        let options = RecoverOptions {
            salvage: arguments.salvage,
            despite_lock: arguments.despite_lock,
            accept_drift: arguments.accept_drift,
            failpoints: Failpoints::from_environment(),
            ..options_for(&folder)
        };
        // One run that cannot be recovered keeps none of the others from it.
        match recover(&folder, options).await {
            Ok(recovered) => all.push(recovered),
            Err(error) => failures.push(failure(&error)),
        }
    }
    if arguments.json {
        out::json(&all);
    } else if let (true, Some(alive)) = (all.is_empty() && failures.is_empty(), alive(&reports, &arguments)?) {
        let text =
            format!("run `{alive}` has changes in place, and is alive or being undone: end it with `gameday abort`");
        return Err(Failure::new(Exit::Locked, text));
    } else if all.is_empty() && failures.is_empty() {
        let of = arguments.env.as_ref().map(|env| format!(" of environment `{env}`")).unwrap_or_default();
        out::line(format_args!("nothing to recover: no run{of} in `{}` left anything behind", reports.display()));
    } else {
        all.iter().for_each(print);
    }
    if let Some(last) = failures.pop() {
        failures.iter().for_each(|failure| out::progress(format_args!("error: {}", failure.text)));
        return Err(last);
    }
    Ok(if all.iter().all(|recovered| recovered.is_clean) { Exit::Success } else { Exit::Dirty })
}

/// Takes away the lock of a run whose folder nobody has any more.
async fn take_lock_away(environment: &str, run: &str, json: bool) -> Result<Exit, Failure> {
    let workspace = workspace::discover(Path::new("."))?;
    let environment = workspace::environment(&workspace, environment)?;
    let held = unlock(environment, run).await.map_err(|error| {
        let failure = Failure::from_error(&error);
        match error {
            UnlockError::Refused(_) => Failure { exit: Exit::Locked, ..failure },
            UnlockError::NoLock(_)
            | UnlockError::NotLocked(_)
            | UnlockError::Foreign(_)
            | UnlockError::Place(_)
            | UnlockError::Aws(_) => failure,
        }
    })?;
    if json {
        out::json(&held);
    } else {
        let name = &environment.name;
        out::line(format_args!("environment `{name}` is unlocked: run `{}` of {} held it", held.run, held.holder));
        out::line("what that run changed and did not undo, if anything, is still changed");
    }
    Ok(Exit::Success)
}

/// A run that is alive, or that its watchdog undoes, with changes in place; none where one was asked for by name.
fn alive(reports: &Path, arguments: &Arguments) -> Result<Option<String>, Failure> {
    if arguments.run.is_some() {
        return Ok(None);
    }
    let live = live_runs(reports).map_err(|error| Failure::from_error(&error))?;
    let is_asked_for = |run: &LiveRun| arguments.env.as_ref().is_none_or(|env| run.state.environment == *env);
    let alive = live.into_iter().find(|run| run.is_alive && run.change_count() > 0 && is_asked_for(run));
    Ok(alive.map(|run| run.state.run))
}

/// The runs that left something behind, in the environments that were asked for.
fn left_behind(reports: &Path, arguments: &Arguments) -> Result<Vec<PathBuf>, Failure> {
    let mut live = live_runs(reports).map_err(|error| Failure::from_error(&error))?;
    live.retain(|run| !run.is_alive && arguments.env.as_ref().is_none_or(|env| run.state.environment == *env));
    let environments: BTreeSet<&str> = live.iter().map(|run| run.state.environment.as_str()).collect();
    if environments.len() > 1 && !arguments.all_environments {
        let names: Vec<&str> = environments.into_iter().collect();
        let text = format!(
            "runs left something behind in several environments ({}); choose one with `--env NAME`, or take \
             `--all-environments`",
            names.join(", ")
        );
        return Err(Failure::new(Exit::Failure, text));
    }
    Ok(live.into_iter().map(|run| run.path).collect())
}

/// Recovers one run for its watchdog, which has seen to it that the run's process is gone.
pub(super) async fn recover_run(folder: &Path, by: Recoverer) -> Result<Recovered, RecoverError> {
    recover(folder, RecoverOptions { by, despite_lock: true, ..options_for(folder) }).await
}

fn options_for(folder: &Path) -> RecoverOptions {
    RecoverOptions { environment: environment_now(folder), ..RecoverOptions::default() }
}

/// The run's environment as gameday.yaml has it now; none where it says nothing.
fn environment_now(folder: &Path) -> Option<plan::EnvironmentKind> {
    let plan = read_plan(folder).ok()?;
    let workspace = Workspace::discover(folder).ok()?;
    workspace.environment(&plan.environment.name).map(|environment| plan::environment_facts(environment).kind)
}

fn failure(error: &RecoverError) -> Failure {
    let failure = Failure::from_error(error);
    match error {
        RecoverError::Alive(_)
        | RecoverError::InUse(_)
        | RecoverError::Elsewhere(HolderError::Alive { .. } | HolderError::Taken { .. }) => {
            Failure { exit: Exit::Locked, ..failure }
        }
        RecoverError::Log(_) | RecoverError::Folder(_) | RecoverError::Place(_) | RecoverError::Elsewhere(_) => failure,
    }
}

fn print(recovered: &Recovered) {
    let Recovered { run, is_clean, faults, remains } = recovered;
    match (is_clean, faults.len()) {
        (true, 0) => out::line(format_args!("{run}: nothing was left behind")),
        (true, count) => out::line(format_args!("{run}: {count} change(s) undone; everything is as it was")),
        (false, _) => out::line(format_args!("{run}: NOT everything is undone")),
    }
    faults.iter().for_each(print_fault);
    if !remains.is_empty() {
        out::line("  left in AWS, a schedule or the lock; by hand:");
        remains.iter().for_each(|line| out::line(format_args!("      {line}")));
    }
}

fn print_fault(fault: &RecoveredFault) {
    let end = match (fault.state, fault.end) {
        (_, Some(FaultEnd::Restored)) => "restored, and read back as before",
        (_, Some(FaultEnd::AsBefore)) => "was as before already",
        (_, Some(FaultEnd::NotReadBack)) => "undone, says its own command: nothing read it back",
        (_, Some(FaultEnd::Expired)) => "is over by itself by now: its proxy could not be asked",
        (_, Some(FaultEnd::Gone)) => "gone with its target",
        (_, Some(FaultEnd::Accepted)) => "changed by somebody else, taken as it is",
        (FaultState::Drifted, None) => "changed by somebody else, left alone: `--accept-drift` takes it as it is",
        (_, None) => "NOT undone",
    };
    out::line(format_args!("  {} ({}): {end}", fault.fault, fault.change));
    // What stood in the way of an earlier attempt is over where this one succeeded.
    if let (Some(error), None) = (&fault.error, fault.end) {
        out::line(format_args!("      {error}"));
    }
    if let Some(switch) = &fault.switch {
        out::line(format_args!("      {switch}"));
    }
    fault.left.iter().for_each(|line| out::line(format_args!("      {line}")));
}
