//! `gameday trend`: all runs of one scenario over time.

use std::path::PathBuf;

use clap::Args;
use console::style;

use super::{Exit, Failure, compare, out, workspace};
use crate::report::compare::{Figures, Trend, TrendLine};
use crate::unit::{ScenarioId, printable};

/// How many of the latest runs are shown.
const RUNS_SHOWN_DEFAULT: usize = 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The scenario's id; default that of the latest run.
    scenario: Option<ScenarioId>,
    /// The environment whose runs are looked at; default all.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// How many of the latest runs are looked at.
    #[arg(long, value_name = "N", default_value_t = RUNS_SHOWN_DEFAULT, value_parser = at_least_one)]
    last: usize,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a whole number from 1 on".to_owned())
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let reports = workspace::reports_here(arguments.reports.as_deref());
    let scenario = match &arguments.scenario {
        Some(scenario) => scenario.to_string(),
        None => compare::figures(&workspace::run_folder(&reports, None)?)?.scenario,
    };
    let mut runs = compare::of_scenario(&reports, &scenario)?;
    runs.retain(|run| arguments.env.as_ref().is_none_or(|env| run.environment == *env));
    if runs.is_empty() {
        let place = arguments.env.as_ref().map(|env| format!(" in `{env}`")).unwrap_or_default();
        let text = format!("there is no run of `{scenario}`{place} in `{}`", reports.display());
        return Err(Failure::new(Exit::Failure, text));
    }
    runs.sort_by_key(|run| run.started_at);
    let first = runs.len().saturating_sub(arguments.last);
    let trend = Trend::of(&scenario, runs.split_off(first));
    if arguments.json {
        out::json(&trend);
    } else {
        print(&trend);
    }
    Ok(Exit::Success)
}

fn print(trend: &Trend) {
    out::line(style(printable(&trend.scenario)).bold());
    for run in &trend.runs {
        out::line(row(run));
    }
    if trend.lines.is_empty() {
        out::line("\nNo run has a time of detection or response.");
    }
    for lines in trend.lines.chunk_by(|one, other| one.fault == other.fault) {
        if let Some(first) = lines.first() {
            out::line(format_args!("\n{}", printable(&first.fault)));
        }
        lines.iter().for_each(|line| out::line(text_of(line)));
    }
    let has_few = trend.lines.iter().any(|line| line.median.is_none());
    if has_few {
        out::line(style("\nA median is told from three points on.").dim());
    }
}

fn row(run: &Figures) -> String {
    let mut verdicts: Vec<(&str, usize)> = Vec::new();
    for row in &run.hypotheses {
        match verdicts.iter_mut().find(|(verdict, _)| *verdict == row.verdict) {
            Some((_, count)) => *count += 1,
            None => verdicts.push((&row.verdict, 1)),
        }
    }
    let verdicts: Vec<String> =
        verdicts.iter().map(|(verdict, count)| format!("{count} {}", verdict.replace('_', " "))).collect();
    let rehearsal = if run.is_rehearsal { ", a rehearsal" } else { "" };
    let when = run.started_at.format("%Y-%m-%d %H:%M");
    format!(
        "  {when}  {:<12} {}; {}{rehearsal}",
        run.result.replace('_', " "),
        verdicts.join(", "),
        printable(&run.environment),
    )
}

/// The points of a time in one line, the oldest first, and their median.
fn text_of(line: &TrendLine) -> String {
    let points: Vec<String> = line.points.iter().map(|point| point.time.value()).collect();
    let median = line.median.map(|median| format!("   median {}", median.text())).unwrap_or_default();
    format!("  {:<20} {}{}", compare::response_name(&line.response), points.join(" · "), style(median).bold())
}
