//! `gameday coverage`: which questions and components are exercised by which scenarios, and when each last was.

use std::path::{Path, PathBuf};

use clap::Args;
use console::style;

use super::{Exit, Failure, out, workspace};
use crate::document::{SourceFile, Tree};
use crate::event::{Event, EventKind, RunOutcome, RunState, is_in_use};
use crate::report::compare::{Coverage, CoveredRun, CoveredScenario, Subject, SubjectKind};
use crate::report::read_run;
use crate::run::find_runs;
use crate::unit::{Clock, error_chain, plural, printable};
use crate::workspace::Workspace;

/// How long ago something may have been exercised at most, before it is told as stale. AWS's advice is a game day a quarter.
const STALE_DAYS: i64 = 90;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let workspace = workspace::discover(Path::new("."))?;
    let reports = workspace::reports_of(&workspace, arguments.reports.as_deref());
    let scenarios: Vec<CoveredScenario> = workspace
        .scenario_files()
        .iter()
        .filter_map(|path| {
            let found = scenario(path);
            if found.is_none() {
                out::progress(format_args!("note: `{}` is left out: `gameday check` tells why", path.display()));
            }
            found
        })
        .collect();
    let runs = find_runs(&reports).map_err(|error| Failure::from_error(&error))?;
    let runs: Vec<CoveredRun> =
        runs.iter().filter(|folder| !is_in_use(folder)).filter_map(|folder| covered_run(folder)).collect();
    let coverage = Coverage::of(&scenarios, &runs, &components(&workspace));
    if arguments.json {
        out::json(&coverage);
        return Ok(Exit::Success);
    }
    for (kind, title) in [(SubjectKind::Question, "Well-Architected questions"), (SubjectKind::Component, "Components")]
    {
        let subjects: Vec<&Subject> = coverage.subjects.iter().filter(|subject| subject.kind == kind).collect();
        if subjects.is_empty() {
            continue;
        }
        out::line(style(title).bold());
        subjects.iter().for_each(|subject| print(subject));
        out::line("");
    }
    let never = coverage.subjects.iter().filter(|subject| subject.last().is_none()).count();
    out::line(format_args!("{} never exercised", plural(never, "subject was", "subjects were")));
    Ok(Exit::Success)
}

fn components(workspace: &Workspace) -> Vec<(String, String)> {
    let components = workspace.workload.iter().flat_map(|workload| &workload.components);
    components.map(|(id, component)| (id.to_string(), component.value.clone().unwrap_or_default())).collect()
}

/// What a scenario's file says that it covers, whatever else is wrong with it.
fn scenario(path: &Path) -> Option<CoveredScenario> {
    let source = SourceFile::read(path).ok()?;
    let tree = Tree::parse(&source, &mut Vec::new())?;
    let covers = tree.entry(tree.root(), "covers");
    let list = |key: &str| {
        let items = covers.and_then(|covers| tree.entry(covers, key)).map(|list| tree.children(list));
        items.unwrap_or_default().iter().filter_map(|item| Some(tree.scalar(*item)?.1.to_owned())).collect()
    };
    let id = tree.scalar(tree.entry(tree.root(), "id")?)?.1.to_owned();
    Some(CoveredScenario { id, questions: list("ops"), components: list("components") })
}

fn covered_run(folder: &Path) -> Option<CoveredRun> {
    let (events, plan) = match read_run(folder) {
        Ok(read) => read,
        Err(error) => {
            out::progress(format_args!("note: `{}` is left out: {}", folder.display(), error_chain(&error)));
            return None;
        }
    };
    let first = events.first()?;
    let EventKind::RunStarted { run, scenario, environment, .. } = &first.kind else { return None };
    let covers = plan.scenario.covers.as_ref();
    let components =
        covers.map(|covers| covers.components.iter().map(ToString::to_string).collect()).unwrap_or_default();
    Some(CoveredRun {
        run: run.to_string(),
        scenario: scenario.to_string(),
        started_at: first.at,
        environment: environment.clone(),
        result: result(&events),
        has_shown: events.iter().any(|event| match &event.kind {
            EventKind::HypothesisJudged(result) => result.verdict.is_known(),
            _ => false,
        }),
        questions: covers.map(|covers| covers.ops.clone()).unwrap_or_default(),
        components,
    })
}

fn result(events: &[Event]) -> String {
    let outcome = match RunState::fold(events).outcome {
        Some(RunOutcome::Completed) => "completed",
        Some(RunOutcome::GateShut) => "gate shut",
        Some(RunOutcome::NoGo) => "no-go",
        Some(RunOutcome::Aborted) => "aborted",
        None => "crashed",
    };
    outcome.to_owned()
}

fn print(subject: &Subject) {
    let about = printable(&subject.about);
    let id = printable(&subject.id);
    match subject.last() {
        Some(run) => {
            let days = (Clock::start().now() - run.started_at).num_days();
            let ago = match days {
                0 => "today".to_owned(),
                days => format!("{} ago", plural(usize::try_from(days).unwrap_or_default(), "day", "days")),
            };
            let ago = style(format!("{ago:<14}"));
            let ago = if days > STALE_DAYS { ago.yellow() } else { ago.green() };
            let by: Vec<&str> = subject.scenarios.iter().map(|covered| covered.scenario.as_str()).collect();
            out::line(format_args!("  {id:<10} {ago} {}: {}", about, printable(&by.join(", "))));
        }
        None if subject.scenarios.is_empty() => {
            out::line(format_args!("  {id:<10} {} {about}: no scenario covers it", style("never         ").red()));
        }
        None => {
            let by: Vec<&str> = subject.scenarios.iter().map(|covered| covered.scenario.as_str()).collect();
            let by = printable(&by.join(", "));
            out::line(format_args!(
                "  {id:<10} {} {about}: {by} has not run to a verdict",
                style("never         ").red()
            ));
        }
    }
}
