//! `gameday insights`: what the evidence of a run says by fixed rules, offline, from its folder.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use console::style;

use super::{Exit, Failure, out, report};
use crate::report::model::{Insight, InsightExecution, InsightGap, InsightSeverity, Insights};
use crate::report::{Evidence, Report, facts_of_run, latency, read_run};
use crate::unit::printable;

#[derive(Debug, Args)]
#[command(after_help = "\
A rule whose evidence is missing is listed as not known: it has not passed. Nothing is written, and nobody is asked.
An insight becomes an action by its rule:
  gameday action new \"Alarm on Throttles\" --type detect --owner team-shop --due 2027-02-01 --from latest --finding I-02")]
pub(super) struct Arguments {
    /// The run's id or folder; default the latest run.
    run: Option<String>,
    /// Only those that are at least so bad; default all.
    #[arg(long, value_name = "LEVEL", value_enum)]
    severity: Option<Severity>,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Print them as JSON, in the form of `insights` in `report.json`.
    #[arg(long)]
    json: bool,
}

/// From which severity on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Severity {
    Info,
    Low,
    Medium,
    High,
}

impl From<Severity> for InsightSeverity {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Info,
            Severity::Low => Self::Low,
            Severity::Medium => Self::Medium,
            Severity::High => Self::High,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let directory = report::folder_of(arguments.reports.as_deref(), arguments.run.as_deref())?;
    let (events, plan) = read_run(&directory).map_err(|error| Failure::from_error(&error))?;
    let facts = facts_of_run(&directory, &plan).map_err(|error| Failure::from_error(&error))?;
    let evidence = Evidence::look_at(&directory, &events, &plan).map_err(|error| Failure::from_error(&error))?;
    let mut insights = Report::from_facts(&events, &facts, &evidence).insights;
    if let Some(least) = arguments.severity.map(InsightSeverity::from) {
        insights.groups.iter_mut().for_each(|group| group.insights.retain(|insight| insight.severity >= least));
        insights.groups.retain(|group| !group.insights.is_empty());
    }
    if arguments.json {
        out::json(&insights);
    } else {
        print(&insights);
    }
    Ok(Exit::Success)
}

fn print(insights: &Insights) {
    for group in &insights.groups {
        let owner = group.owner.as_ref().map(|owner| format!(", for {}", printable(owner))).unwrap_or_default();
        out::line(format_args!("{}{owner}", style(printable(&group.component)).bold()));
        group.insights.iter().for_each(print_one);
        out::line("");
    }
    if insights.groups.is_empty() {
        out::line("No rule that could look found anything.");
    }
    if !insights.unknown.is_empty() {
        out::line(style("Not known").bold());
        insights.unknown.iter().for_each(|gap| out::line(gap_text(gap)));
    }
}

fn print_one(insight: &Insight) {
    let severity = insight.severity.as_str();
    out::line(format_args!("  {severity:<7} {}  {}", insight.rule, printable(&insight.text)));
    insight.executions.iter().for_each(|execution| out::line(execution_text(execution)));
    out::line(style(format_args!("                {}", insight.suggestion)).dim());
}

fn execution_text(execution: &InsightExecution) -> String {
    let start = execution.is_cold.map(|is_cold| if is_cold { "cold" } else { "warm" }.to_owned());
    let parts = [
        execution.request_id.clone(),
        execution.trace_id.clone(),
        execution.duration_ms.map(latency),
        start,
        execution.max_memory_mb.map(|mb| format!("{mb:.0} MB")),
        execution.status.clone(),
        execution.error.clone(),
    ];
    let words: Vec<String> = parts.into_iter().flatten().map(|part| printable(&part).to_string()).collect();
    format!("                {}", words.join("  "))
}

fn gap_text(gap: &InsightGap) -> String {
    let about = if gap.about.is_empty() { String::new() } else { format!(" of {}", gap.about.join(", ")) };
    format!("  {}{}: {}", gap.rules.join(", "), printable(&about), printable(&gap.why))
}
