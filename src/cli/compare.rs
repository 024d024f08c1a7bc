//! `gameday compare`: two runs beside each other.

use std::path::{Path, PathBuf};

use clap::Args;
use console::{StyledObject, style};

use super::{Exit, Failure, out, workspace};
use crate::report::compare::{Change, Comparison, Figures, LoadChange, RESPONSES, ResponseChange, comparison_page};
use crate::report::{Evidence, Metric, Report, facts_of_run, latency, percent, read_run, signed_duration};
use crate::run::find_runs;
use crate::unit::{WholeFile, printable};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The earlier run, by id or folder; default the run of the same scenario before the later one.
    before: Option<String>,
    /// The later run, by id or folder; default the latest run.
    after: Option<String>,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Write it as a page with the distributions of latency drawn over each other.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Exit with code 3 where anything went for the worse, and with 6 where the later run does not tell what the earlier one does.
    #[arg(long)]
    fail_if_worse: bool,
    /// Print also the times that are the same or unclear.
    #[arg(long)]
    all: bool,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let reports = workspace::reports_here(arguments.reports.as_deref());
    let (before, after) = choose(&reports, arguments.before.as_deref(), arguments.after.as_deref())?;
    let comparison = Comparison::of(&before, &after);
    if let Some(path) = &arguments.html {
        let templates = Workspace::root_of(Path::new(".")).join(super::report::TEMPLATES);
        let page = comparison_page(&comparison, Some(&templates)).map_err(|error| Failure::from_error(&error))?;
        write(path, &page)?;
    }
    if arguments.json {
        out::json(&comparison);
    } else {
        print(&comparison, arguments.all);
        if let Some(path) = &arguments.html {
            out::line(format_args!("\n  {}", path.display()));
        }
    }
    Ok(match arguments.fail_if_worse {
        true if comparison.is_worse() => Exit::Refuted,
        true if comparison.is_unclear() => Exit::Inconclusive,
        true | false => Exit::Success,
    })
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        return Err(Failure::new(Exit::Failure, format_args!("`{}` is no name of a file", path.display())));
    };
    WholeFile::write_text(folder, name, text).map_err(|error| Failure::from_error(&error))?;
    Ok(())
}

/// The figures of both runs, from their folders.
fn choose(reports: &Path, before: Option<&str>, after: Option<&str>) -> Result<(Figures, Figures), Failure> {
    let later = over(workspace::run_folder(reports, after)?)?;
    let later_figures = figures(&later)?;
    if let Some(before) = before {
        let earlier = over(workspace::run_folder(reports, Some(before))?)?;
        if earlier.canonicalize().ok() == later.canonicalize().ok() {
            let text = format!("`{}` is the later run itself: name an earlier one, or both", later_figures.run);
            return Err(Failure::new(Exit::Failure, text));
        }
        return Ok((figures(&earlier)?, later_figures));
    }
    let runs = of_scenario(reports, &later_figures.scenario)?;
    let earlier = runs.into_iter().filter(|run| run.started_at < later_figures.started_at);
    // One that came to its end in the same environment says more than a later one that did not.
    let worth = |run: &Figures| (run.is_over() && run.environment == later_figures.environment, run.started_at);
    let earlier = earlier.max_by_key(worth).ok_or_else(|| {
        let text = format!("there is no run of `{}` before `{}`", later_figures.scenario, later_figures.run);
        Failure::new(Exit::Failure, text)
    })?;
    Ok((earlier, later_figures))
}

/// The folder of a run, where it is over.
fn over(folder: PathBuf) -> Result<PathBuf, Failure> {
    if crate::event::is_in_use(&folder) {
        let text = format!("the run in `{}` is still alive: compare it when it is over", folder.display());
        return Err(Failure::new(Exit::Locked, text));
    }
    Ok(folder)
}

/// The figures of the run in a folder.
pub(super) fn figures(folder: &Path) -> Result<Figures, Failure> {
    let failure = |error: &crate::report::ReportError| Failure::from_error(error);
    let (events, plan) = read_run(folder).map_err(|error| failure(&error))?;
    let loads = Evidence::of_loads(folder, &events, &plan);
    let facts = facts_of_run(folder, &plan).map_err(|error| failure(&error))?;
    Ok(Figures::of(&Report::from_facts(&events, &facts, &loads)))
}

/// The figures of every run of a scenario that is over; one that can not be read is told and left out.
pub(super) fn of_scenario(reports: &Path, scenario: &str) -> Result<Vec<Figures>, Failure> {
    let runs = find_runs(reports).map_err(|error| Failure::from_error(&error))?;
    let of_it = |folder: &PathBuf| crate::event::begun(folder).is_none_or(|(known, _)| known.as_str() == scenario);
    let over = runs.into_iter().filter(|folder| of_it(folder) && !crate::event::is_in_use(folder));
    let read = |folder: PathBuf| match figures(&folder) {
        Ok(figures) => (figures.scenario == scenario).then_some(figures),
        Err(failure) => {
            out::progress(format_args!("note: `{}` is left out: {}", folder.display(), failure.text));
            None
        }
    };
    Ok(over.filter_map(read).collect())
}

fn print(comparison: &Comparison, is_all: bool) {
    for (word, run) in [("before", &comparison.before), ("after", &comparison.after)] {
        let result = run.result.replace('_', " ");
        let when = run.started_at.format("%Y-%m-%d %H:%M");
        out::line(format_args!(
            "{word:<7} {}  {when} UTC, {}: {result}",
            printable(&run.run),
            printable(&run.environment)
        ));
    }
    comparison.cautions.iter().for_each(|text| out::line(style(format!("  note: {}", printable(text))).yellow()));
    if !comparison.hypotheses.is_empty() {
        out::line("\nHypotheses");
    }
    for row in &comparison.hypotheses {
        let verdict =
            |verdict: &Option<String>| verdict.as_deref().map_or("–".to_owned(), |text| text.replace('_', " "));
        let (before, after) = (verdict(&row.before), verdict(&row.after));
        out::line(format_args!("  {} {:<5} {before} → {after}  {}", word(row.change), row.id, printable(&row.text)));
        for term in row.terms.iter().filter(|term| term.before != term.after) {
            let seen = |text: &Option<String>| text.as_deref().unwrap_or("–").to_owned();
            let text = format!("{}: {} → {}", term.term, seen(&term.before), seen(&term.after));
            out::line(style(format!("                 {}", printable(&text))).dim());
        }
    }
    print_responses(&comparison.responses, is_all);
    let alarms: Vec<_> = comparison.alarms.iter().filter(|row| row.before.is_some() || row.after.is_some()).collect();
    if !alarms.is_empty() {
        out::line("\nAlarms");
    }
    for row in alarms {
        let outcome = |text: &Option<String>| text.as_deref().unwrap_or("–").to_owned();
        let (before, after) = (outcome(&row.before), outcome(&row.after));
        out::line(format_args!("  {} {}: {before} → {after}", word(row.change), printable(&row.alarm)));
    }
    print_loads(&comparison.loads);
}

fn print_responses(rows: &[ResponseChange], is_all: bool) {
    if !rows.is_empty() {
        out::line("\nDetection and response");
    }
    let (quiet, told): (Vec<&ResponseChange>, Vec<&ResponseChange>) =
        rows.iter().partition(|row| !is_all && matches!(row.change, Change::Same | Change::Unclear));
    for row in told {
        let name = response_name(&row.response);
        let value = |metric: &Option<Metric>| metric.as_ref().map_or("–".to_owned(), Metric::value);
        let longer = row.longer_by_ms.map(|ms| format!(" ({})", signed_duration(ms))).unwrap_or_default();
        let (before, after) = (value(&row.before), value(&row.after));
        out::line(format_args!("  {} {}, {name}: {before} → {after}{longer}", word(row.change), printable(&row.fault)));
    }
    if !quiet.is_empty() {
        let unclear = quiet.iter().filter(|row| row.change == Change::Unclear).count();
        let same = quiet.len() - unclear;
        out::line(style(format!("  {same} the same, {unclear} unclear: `--all` shows them")).dim());
    }
}

fn print_loads(rows: &[LoadChange]) {
    let measured: Vec<&LoadChange> = rows.iter().filter(|row| row.before.is_some() || row.after.is_some()).collect();
    if !measured.is_empty() {
        out::line("\nLoad                                       p50               p99            failed");
    }
    for row in measured {
        let window =
            row.name.as_deref().map_or_else(|| row.kind.replace('_', " "), |name| format!("{name} {}", row.kind));
        let pair = |one: Option<String>, other: Option<String>| {
            format!("{} → {}", one.unwrap_or("–".to_owned()), other.unwrap_or("–".to_owned()))
        };
        let of = |get: fn(&crate::report::model::Numbers) -> Option<String>| {
            pair(row.before.as_ref().and_then(get), row.after.as_ref().and_then(get))
        };
        let p50 = of(|numbers| numbers.p50_ms.map(latency));
        let p99 = of(|numbers| numbers.p99_ms.map(latency));
        let failed = of(|numbers| numbers.failed_ratio.map(percent));
        let name = printable(&format!("{}, {window}", row.load));
        out::line(format_args!("  {name:<34} {p50:>18} {p99:>18} {failed:>18}"));
    }
}

/// A time of detection or response in words.
pub(super) fn response_name(key: &str) -> &str {
    RESPONSES.iter().find(|(known, _)| *known == key).map_or(key, |(_, name)| *name)
}

fn word(change: Change) -> StyledObject<String> {
    let word = style(format!("{:<7}", change.as_str()));
    match change {
        Change::Worse => word.red(),
        Change::Better => word.green(),
        Change::New | Change::Gone => word.yellow(),
        Change::Same | Change::Unclear => word.dim(),
    }
}
