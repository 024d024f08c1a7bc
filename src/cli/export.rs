//! `gameday export`: lessons, actions and runs in the forms in which others want them.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::action::{Filter, wanted};
use super::actions::{self, ACTIONS};
use super::lesson::LessonFilter;
use super::lessons::{self, LESSONS, today};
use super::{Exit, Failure, export_run, github, out};
use crate::action::Shelf;
use crate::share::{
    ActionRow, LessonRow, actions_csv, actions_jira, actions_markdown, actions_slack, lessons_csv, lessons_jira,
    lessons_markdown, lessons_slack, redacted,
};
use crate::unit::{Redaction, WholeFile};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
#[command(after_help = "\
Account numbers and e-mail addresses are blacked out, unless `--no-redact` is given.
  gameday export lessons --to md --output lessons.md
  gameday export actions --to jira --status open --output actions.csv
  gameday export actions --to github --repo owner/name            # tells what it would do; --apply does it
  gameday export run --to otlp --endpoint http://127.0.0.1:4318   # the latest run as a trace, to a collector")]
pub(super) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The lessons.
    Lessons(LessonArguments),
    /// The actions.
    Actions(ActionArguments),
    /// A run that is over: a trace of OpenTelemetry, or `CloudEvents`.
    Run(export_run::Arguments),
}

#[derive(Debug, Args)]
struct LessonArguments {
    /// In which form.
    #[arg(long, value_enum)]
    to: Form,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    filter: LessonFilter,
}

#[derive(Debug, Args)]
struct ActionArguments {
    /// In which form.
    #[arg(long, value_enum)]
    to: Form,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    github: github::Arguments,
}

#[derive(Debug, Args)]
struct Target {
    /// The file to write, which is written over; default standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Leave account numbers and e-mail addresses as they are.
    #[arg(long)]
    no_redact: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A table in GitHub-flavoured Markdown.
    Md,
    /// A table for a spreadsheet.
    Csv,
    /// JSON.
    Json,
    /// A table for Jira's importer.
    Jira,
    /// Text for a message in Slack.
    Slack,
    /// Issues on GitHub, of actions alone; it tells what it would do, and `--apply` does it.
    Github,
}

/// What is blacked out.
pub(super) fn redactions(no_redact: bool) -> &'static [Redaction] {
    if no_redact { &[] } else { &Redaction::ALL }
}

pub(super) async fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let root = Workspace::root_of(Path::new("."));
    match &arguments.what {
        What::Lessons(arguments) => {
            let shelf = lessons::shelf(&root.join(LESSONS));
            let today = today();
            let rows: Vec<LessonRow> =
                arguments.filter.wanted(&shelf, today).into_iter().map(|lesson| LessonRow::of(lesson, today)).collect();
            let rows = redacted(&rows, redactions(arguments.target.no_redact));
            let text = match arguments.to {
                Form::Md => lessons_markdown(&rows),
                Form::Csv => lessons_csv(&rows),
                Form::Json => json(&rows),
                Form::Jira => lessons_jira(&rows),
                Form::Slack => lessons_slack(&rows),
                Form::Github => {
                    let text =
                        "lessons have no issues, but what is done about them has: `gameday export actions --to github`";
                    return Err(Failure::new(Exit::Failure, text));
                }
            };
            deliver(&text, rows.len(), &arguments.target)
        }
        What::Actions(arguments) => {
            let shelf = actions::shelf(&root.join(ACTIONS));
            let today = today();
            let rows: Vec<ActionRow> = wanted(&shelf, &arguments.filter, today)
                .into_iter()
                .map(|action| ActionRow::of(action, today))
                .collect();
            let rows = redacted(&rows, redactions(arguments.target.no_redact));
            if arguments.to != Form::Github && arguments.github.is_used() {
                let text = "`--repo`, `--apply` and `--json` belong to `--to github`";
                return Err(Failure::new(Exit::Failure, text));
            }
            let text = match arguments.to {
                Form::Md => actions_markdown(&rows),
                Form::Csv => actions_csv(&rows),
                Form::Json => json(&rows),
                Form::Jira => actions_jira(&rows),
                Form::Slack => actions_slack(&rows),
                Form::Github => return github(&rows, &shelf, arguments).await,
            };
            deliver(&text, rows.len(), &arguments.target)
        }
        What::Run(arguments) => export_run::run(arguments).await,
    }
}

async fn github(rows: &[ActionRow], shelf: &Shelf, arguments: &ActionArguments) -> Result<Exit, Failure> {
    if arguments.target.output.is_some() {
        return Err(Failure::new(Exit::Failure, "issues are written to no file: leave `--output` out"));
    }
    github::run(rows, shelf, &arguments.github).await
}

fn json(rows: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(rows).expect("invariant: rows serialise to JSON");
    format!("{text}\n")
}

/// Writes what was asked for to where it was asked for.
fn deliver(text: &str, count: usize, target: &Target) -> Result<Exit, Failure> {
    let Some(path) = &target.output else {
        out::text(text);
        return Ok(Exit::Success);
    };
    let written = WholeFile::write_to(path, text).map_err(|error| Failure::from_error(&error))?;
    out::progress(format_args!("{count} written to {}", written.display()));
    Ok(Exit::Success)
}
