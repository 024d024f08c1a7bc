//! `gameday status`: what a run is at, from its log alone.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, out, workspace};
use crate::event::{RunStage, RunState, is_in_use, read_log};
use crate::run::live_runs;
use crate::unit::{format_duration, printable};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run's id or folder; default the latest.
    run: Option<String>,
    /// Every run that is alive or left something behind.
    #[arg(long, conflicts_with = "run")]
    all: bool,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Answer as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let reports = workspace::reports_here(arguments.reports.as_deref());
    if arguments.all {
        return all(&reports, arguments.json);
    }
    let folder = workspace::run_folder(&reports, arguments.run.as_deref())?;
    let read = read_log(&folder).map_err(|error| Failure::from_error(&error))?;
    let state = RunState::fold(&read.events);
    let is_alive = !state.is_over() && is_in_use(&folder);
    if arguments.json {
        out::json(&serde_json::json!({ "alive": is_alive, "state": state }));
    } else {
        print(&state, is_alive);
    }
    Ok(Exit::Success)
}

fn all(reports: &std::path::Path, json: bool) -> Result<Exit, Failure> {
    let live = live_runs(reports).map_err(|error| Failure::from_error(&error))?;
    if json {
        let list: Vec<_> =
            live.iter().map(|run| serde_json::json!({ "alive": run.is_alive, "state": run.state })).collect();
        out::json(&list);
        return Ok(Exit::Success);
    }
    if live.is_empty() {
        out::line(format_args!("no run is alive or left anything behind in `{}`", reports.display()));
    }
    for run in live {
        let left = run.state.outstanding().count();
        let what = if run.is_alive { "alive" } else { "ended in the middle" };
        out::line(format_args!("{}  {what}, {left} change(s) in place", run.state.run));
    }
    Ok(Exit::Success)
}

fn print(state: &RunState, is_alive: bool) {
    let at = format_duration(std::time::Duration::from_secs(state.elapsed_ms / 1_000));
    let life = match (state.exit_code, is_alive) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, true) => "alive".to_owned(),
        (None, false) if state.is_over() => "ended in the middle, and was recovered".to_owned(),
        (None, false) => "ended in the middle".to_owned(),
    };
    out::line(format_args!("{}\n{} in {}: {life}, {at} in", state.title, state.run, state.environment));
    if let Some(phase) = state.current_phase().filter(|_| is_alive) {
        let pause = if state.stage == RunStage::Paused { " (paused)" } else { "" };
        out::line(format_args!("  phase {}{pause}", phase.phase));
    }
    for fault in &state.faults {
        let word = format!("{:?}", fault.state).to_lowercase();
        out::line(format_args!("  fault {}: {word} ({})", fault.identity.fault, fault.change));
        if let Some(switch) = fault.switch.as_ref().filter(|switch| switch.may_be_there()) {
            let at = switch.fires_at.format("%H:%M:%S UTC");
            out::line(format_args!("    dead man's switch: {} at {at}, schedule {}", switch.call, switch.schedule));
        }
    }
    if let Some(lock) = &state.lock {
        let word = format!("{:?}", lock.state).to_lowercase();
        let until = lock.expires_at.filter(|_| lock.may_be_ours());
        let until = until.map(|at| format!(", until {}", at.format("%H:%M:%S UTC"))).unwrap_or_default();
        out::line(format_args!("  lock {}: {word}{until}", lock.parameter));
    }
    for (load, progress) in &state.loads {
        let paused = if progress.is_paused { ", paused" } else { "" };
        let now = match (&progress.last, progress.end_ms) {
            (Some(last), None) => format!("{}/s", last.ok_count + last.failed_count),
            (None, None) => "begins".to_owned(),
            (_, Some(_)) => "over".to_owned(),
        };
        out::line(format_args!("  load {load}{paused}: {now}, {} failed in all", progress.failed_count));
    }
    for (alarm, of) in &state.alarms {
        out::line(format_args!("  alarm {}: {of}", printable(alarm)));
    }
    if let Some(why) = &state.alarms_unread {
        out::line(format_args!("  alarms can not be read: {}", printable(why)));
    }
    for step in state.steps.iter().filter(|step| step.outcome.is_none()) {
        let overdue = if step.overdue { ", overdue" } else { "" };
        out::line(format_args!("  step {}: {}{overdue}", step.step, step.text));
    }
    if !is_alive && (state.outstanding().next().is_some() || state.has_remains()) {
        out::line(format_args!("  something is left: gameday recover {}", state.run));
    }
}
