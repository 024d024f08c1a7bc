//! `gameday status`: what a run is at, from its log alone.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Exit, Failure, out, workspace};
use crate::event::{Event, EventKind, RunStage, RunState, StepProgress, is_in_use, read_log};
use crate::run::live_runs;
use crate::unit::{Clock, format_duration, printable_line};

/// The longest text in a line, in characters.
const TEXT_CHARS_MAX: usize = 500;

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
        print(&state, is_alive, elapsed(&read.events, is_alive));
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

/// How far a run is, or how far it came by its own last word: who recovers it afterwards takes no part of its time.
fn elapsed(events: &[Event], is_alive: bool) -> Duration {
    let last_ms = |event: &Event| event.elapsed_ms;
    let own = || events.iter().take_while(|event| !matches!(event.kind, EventKind::RecoveryStarted { .. }));
    match events.first().filter(|_| is_alive) {
        Some(first) => {
            let since_first = (Clock::start().now() - first.at).to_std().unwrap_or_default();
            Duration::from_millis(last_ms(first)) + Duration::from_secs(since_first.as_secs())
        }
        None => Duration::from_secs(own().last().map_or(0, last_ms) / 1_000),
    }
}

fn print(state: &RunState, is_alive: bool, elapsed: Duration) {
    let at = format_duration(elapsed);
    let life = match (state.exit_code, is_alive) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, true) => "alive".to_owned(),
        (None, false) if state.is_over() => "ended in the middle, and was recovered".to_owned(),
        (None, false) => "ended in the middle".to_owned(),
    };
    let title = line_of(&state.title);
    out::line(format_args!("{title}\n{} in {}: {life}, {at} in", state.run, state.environment));
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
        out::line(format_args!("  alarm {}: {of}", line_of(alarm)));
    }
    if let Some(why) = &state.alarms_unread {
        out::line(format_args!("  alarms can not be read: {}", line_of(why)));
    }
    for card in state.people.cards.iter().filter(|card| card.taken_ms.is_none()) {
        out::line(format_args!("  card {}: {}", card.fault, line_of(&card.text)));
    }
    for step in state.steps.iter().filter(|step| step.outcome.is_none()) {
        print_step(step);
    }
    if !is_alive && (state.outstanding().next().is_some() || state.has_remains()) {
        out::line(format_args!("  something is left: gameday recover {}", state.run));
    }
}

/// A text as a part of one line.
fn line_of(text: &str) -> String {
    printable_line(text, TEXT_CHARS_MAX)
}

/// An open step, and what it waits for.
fn print_step(step: &StepProgress) {
    let must = if step.must { ", must be done" } else { "" };
    let overdue = if step.overdue { ", overdue" } else { "" };
    let votes = step.asks.poll.iter().chain(&step.asks.needs).map(|role| match step.vote_of(role) {
        Some(vote) if vote.go => format!("{role} says go"),
        Some(_) => format!("{role} says NO-GO"),
        None => format!("{role} has not voted"),
    });
    let votes: Vec<String> = votes.collect();
    let votes = if votes.is_empty() { String::new() } else { format!(" ({})", votes.join(", ")) };
    out::line(format_args!("  step {}: {}{must}{overdue}{votes}", step.step, line_of(&step.text)));
}
