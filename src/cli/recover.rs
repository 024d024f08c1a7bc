//! `gameday recover`: undoes what a run left behind, from its folder alone.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, out, workspace};
use crate::event::{FaultEnd, FaultState};
use crate::run::{RecoverError, Recovered, RecoveredFault, live_runs, read_plan, recover};
use crate::workspace::{EnvironmentKind, Workspace};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run's id or folder; default every run that left something behind.
    run: Option<String>,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let reports = workspace::reports_here(arguments.reports.as_deref());
    let folders = match &arguments.run {
        Some(run) => vec![workspace::run_folder(&reports, Some(run))?],
        None => {
            let live = live_runs(&reports).map_err(|error| Failure::from_error(&error))?;
            live.into_iter().filter(|run| !run.is_alive).map(|run| run.path).collect()
        }
    };
    let mut all = Vec::new();
    for folder in folders {
        let profile = profile_of(&folder);
        all.push(recover(&folder, profile).await.map_err(|error| failure(&error))?);
    }
    if arguments.json {
        out::json(&all);
    } else if all.is_empty() {
        out::line(format_args!("nothing to recover: no run in `{}` left anything behind", reports.display()));
    } else {
        all.iter().for_each(print);
    }
    Ok(if all.iter().all(|recovered| recovered.is_clean) { Exit::Success } else { Exit::Dirty })
}

/// The profile of the run's environment, as gameday.yaml has it now; none where it says nothing.
fn profile_of(folder: &std::path::Path) -> Option<String> {
    let plan = read_plan(folder).ok()?;
    let workspace = Workspace::discover(folder).ok()?;
    match workspace.environment(&plan.environment.name)?.kind() {
        EnvironmentKind::Account(binding) => binding.profile.clone(),
        EnvironmentKind::Sandbox(_) | EnvironmentKind::Endpoint(_) => None,
    }
}

fn failure(error: &RecoverError) -> Failure {
    let failure = Failure::from_error(error);
    match error {
        RecoverError::Alive(_) => Failure { exit: Exit::Locked, ..failure },
        RecoverError::Undo { .. } => Failure { exit: Exit::Dirty, ..failure },
        RecoverError::Log(_)
        | RecoverError::Folder(_)
        | RecoverError::Identity(_)
        | RecoverError::WrongAccount { .. } => failure,
    }
}

fn print(recovered: &Recovered) {
    let Recovered { run, is_clean, faults } = recovered;
    match (is_clean, faults.len()) {
        (true, 0) => out::line(format_args!("{run}: nothing was left behind")),
        (true, count) => out::line(format_args!("{run}: {count} change(s) undone; everything is as it was")),
        (false, _) => out::line(format_args!("{run}: NOT everything is undone")),
    }
    faults.iter().for_each(print_fault);
}

fn print_fault(fault: &RecoveredFault) {
    let end = match (fault.state, fault.end) {
        (_, Some(FaultEnd::Restored)) => "restored, and read back as before",
        (_, Some(FaultEnd::AsBefore)) => "was as before already",
        (_, Some(FaultEnd::Gone)) => "gone with its target",
        (FaultState::Drifted, None) => "changed by somebody else, left alone",
        (_, None) => "NOT undone",
    };
    out::line(format_args!("  {} ({}): {end}", fault.fault, fault.change));
    if let Some(error) = &fault.error {
        out::line(format_args!("      {error}"));
    }
    fault.left.iter().for_each(|line| out::line(format_args!("      {line}")));
}
