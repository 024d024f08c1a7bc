//! `gameday report`: the report of a run once more, offline, from its folder alone.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Failure, out, workspace};
use crate::event::is_in_use;
use crate::report::{Evidence, Facts, Format, Report, ReportError, export, read_run};
use crate::workspace::Workspace;

/// Where a workspace keeps templates of its own.
const TEMPLATES: &str = "reports/templates";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The run's id or folder; default the latest run.
    run: Option<String>,
    /// The formats, of html, md, json, junit and csv; default those that the scenario asks for.
    #[arg(long, value_name = "FORMATS", value_delimiter = ',')]
    format: Vec<Format>,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Print the outcome, the summary and the files as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let reports = workspace::reports_here(arguments.reports.as_deref());
    let directory = workspace::run_folder(&reports, arguments.run.as_deref())?;
    if is_in_use(&directory) {
        let text = format!("the run in `{}` is still alive: its report is made when it ends", directory.display());
        return Err(Failure::new(Exit::Locked, text));
    }
    let formats = Some(arguments.format.as_slice()).filter(|formats| !formats.is_empty());
    let templates = Workspace::root_of(Path::new(".")).join(TEMPLATES);
    let (report, paths) = make(&directory, formats, &templates).map_err(|error| Failure::from_error(&error))?;
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    if arguments.json {
        out::json(&serde_json::json!({
            "run": report.header.run,
            "outcome": report.header.outcome,
            "summary": report.summary,
            "reports": paths,
        }));
    } else {
        for line in &report.summary {
            out::line(crate::unit::printable(line));
        }
        out::line("");
        paths.iter().for_each(|path| out::line(format_args!("  {path}")));
    }
    Ok(Exit::Success)
}

/// Writes the report of the run in `directory` and returns its files; without formats, those that the plan asks for.
pub(super) fn write(
    directory: &Path,
    formats: Option<&[Format]>,
    workspace: &Workspace,
) -> Result<Vec<PathBuf>, Failure> {
    let made = make(directory, formats, &workspace.root.join(TEMPLATES));
    made.map(|(_, paths)| paths).map_err(|error| Failure::from_error(&error))
}

fn make(directory: &Path, formats: Option<&[Format]>, templates: &Path) -> Result<(Report, Vec<PathBuf>), ReportError> {
    let (events, plan) = read_run(directory)?;
    export(directory, &events, &plan)?;
    let evidence = Evidence::read(directory, &events, &plan)?;
    let facts = Facts::of(&plan);
    let report = Report::from_facts(&events, &facts, &evidence);
    let paths = crate::report::write(directory, &report, formats.unwrap_or(&facts.formats), Some(templates))?;
    Ok((report, paths))
}
