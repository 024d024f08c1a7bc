//! `gameday report`: the report of a run once more, offline, from its folder alone.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use console::style;

use super::{Exit, Failure, compare, out, workspace};
use crate::event::{Event, begun, is_in_use};
use crate::plan::Plan;
use crate::report::compare::Figures;
use crate::report::{
    Evidence, FileState, Format, MANIFEST_FILE, REDACT_FILE, Redaction, Report, ReportError, facts_of_run,
    keep_previous, keep_redactions, read_run, verify,
};
use crate::run::find_runs;
use crate::unit::printable;
use crate::workspace::Workspace;

/// Where a workspace keeps templates of its own.
pub(super) const TEMPLATES: &str = "reports/templates";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    make: MakeArguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read every file of a run again, and hold it against the manifest that was made with its first report.
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
struct VerifyArguments {
    /// The run's id or folder; default the latest run.
    run: Option<String>,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Print the result as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct MakeArguments {
    /// The run's id or folder; default the latest run.
    run: Option<String>,
    /// The formats, of html, md, json, junit, csv and journal (Chaos Toolkit); default those that the scenario asks for.
    #[arg(long, value_name = "FORMATS", value_delimiter = ',')]
    format: Vec<Format>,
    /// Black out account numbers and e-mail addresses, whatever the scenario asks for: in these formats and in those that were made
    /// before, and from now on (`redact.json` in the run's folder keeps it).
    #[arg(long)]
    redact: bool,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Print the outcome, the summary and the files as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Some(Command::Verify(arguments)) => verify_run(arguments),
        None => make_anew(&arguments.make),
    }
}

/// The folder of a run that is over.
pub(super) fn folder_of(reports: Option<&Path>, run: Option<&str>) -> Result<PathBuf, Failure> {
    let directory = workspace::run_folder(&workspace::reports_here(reports), run)?;
    if is_in_use(&directory) {
        let text = format!("the run in `{}` is still alive: its report is made when it ends", directory.display());
        return Err(Failure::new(Exit::Locked, text));
    }
    Ok(directory)
}

fn verify_run(arguments: &VerifyArguments) -> Result<Exit, Failure> {
    let directory = folder_of(arguments.reports.as_deref(), arguments.run.as_deref())?;
    let found = verify(&directory).map_err(|error| Failure { exit: Exit::Invalid, ..Failure::from_error(&error) })?;
    let exit = if found.is_sound() { Exit::Success } else { Exit::Invalid };
    if arguments.json {
        let files = found.files.iter().map(|(file, state)| serde_json::json!({"file": file, "state": state}));
        out::json(&serde_json::json!({
            "run": directory,
            "sound": found.is_sound(),
            "files": files.collect::<Vec<_>>(),
            "contradictions": found.contradictions,
        }));
        return Ok(exit);
    }
    for (file, state) in &found.files {
        let word = format!("{:<9}", state.as_str());
        let word = match state {
            FileState::Same => style(word).green(),
            FileState::Changed | FileState::Missing => style(word).red(),
            FileState::Unlisted => style(word).yellow(),
        };
        out::line(format_args!("{word} {}", printable(file)));
    }
    found
        .contradictions
        .iter()
        .for_each(|line| out::line(format_args!("{} {}", style("wrong    ").red(), printable(line))));
    let end = if found.is_sound() {
        "every file is as it was"
    } else {
        "this is not the evidence that the report was made of"
    };
    out::line(format_args!("\n{end}: {}", directory.display()));
    Ok(exit)
}

fn make_anew(arguments: &MakeArguments) -> Result<Exit, Failure> {
    let directory = folder_of(arguments.reports.as_deref(), arguments.run.as_deref())?;
    let was_reported = !Format::made_in(&directory).is_empty() && !directory.join(MANIFEST_FILE).is_file();
    let formats = Some(arguments.format.as_slice()).filter(|formats| !formats.is_empty());
    let templates = Workspace::root_of(Path::new(".")).join(TEMPLATES);
    let (report, paths) =
        make(&directory, formats, &templates, arguments.redact).map_err(|error| Failure::from_error(&error))?;
    if let Some(why) = &report.debrief.unread {
        out::progress(format_args!("warning: the report tells nothing of the debrief: {}", printable(why)));
    }
    if was_reported && directory.join(MANIFEST_FILE).is_file() {
        out::progress(
            "warning: the manifest of the evidence was gone, and is made anew: it says nothing of what was there before",
        );
    }
    if arguments.redact {
        out::progress(format_args!("note: blacked out from now on; `{REDACT_FILE}` in the run's folder keeps it so"));
    }
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
            out::line(printable(line));
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
    made(directory, formats, workspace).map(|(_, paths)| paths)
}

/// The same with the report itself.
pub(super) fn made(
    directory: &Path,
    formats: Option<&[Format]>,
    workspace: &Workspace,
) -> Result<(Report, Vec<PathBuf>), Failure> {
    let made = make(directory, formats, &workspace.root.join(TEMPLATES), false);
    made.map_err(|error| Failure::from_error(&error))
}

/// The figures of the last run of the same scenario in the same environment that came to its end before this one began.
fn previous(directory: &Path, first: &Event, plan: &Plan) -> Option<Figures> {
    let runs = find_runs(directory.parent()?).ok()?;
    let is_other = |folder: &&PathBuf| folder.file_name() != directory.file_name();
    let of_it = |folder: &&PathBuf| begun(folder).is_some_and(|(scenario, _)| scenario == plan.scenario.id);
    // The latest first, so that one is read and not all.
    let earlier = runs.iter().rev().filter(is_other).filter(of_it).filter_map(|folder| compare::figures(folder).ok());
    earlier.into_iter().find(|figures| {
        figures.is_over() && figures.environment == plan.environment.name && figures.started_at < first.at
    })
}

fn make(
    directory: &Path,
    formats: Option<&[Format]>,
    templates: &Path,
    is_redacted: bool,
) -> Result<(Report, Vec<PathBuf>), ReportError> {
    let (events, plan) = read_run(directory)?;
    keep_previous(directory, &events, &plan, |first, plan| previous(directory, first, plan))?;
    let evidence = Evidence::gather(directory, &events, &plan)?;
    let mut facts = facts_of_run(directory, &plan)?;
    if is_redacted {
        facts.redactions = Redaction::ALL.to_vec();
    }
    let report = Report::from_facts(&events, &facts, &evidence);
    let mut formats = formats.unwrap_or(&facts.formats).to_vec();
    if is_redacted {
        // One that was made before must not stand beside it in clear.
        formats.extend(Format::made_in(directory));
        formats.sort_unstable();
        formats.dedup();
    }
    let paths = crate::report::write(directory, &report, &formats, Some(templates))?;
    if is_redacted {
        keep_redactions(directory, &Redaction::ALL)?;
    }
    Ok((report, paths))
}
