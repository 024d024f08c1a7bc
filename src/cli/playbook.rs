//! `gameday playbook`: what people follow when something is wrong: listed, checked, shown, and walked through.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use console::style;
use serde_json::{Value, json};

use super::playbooks::{Exercise, all, exercises, find, known};
use super::{Exit, Failure, check, out, playbook_run, playbook_show, sarif, workspace};
use crate::document::{Diagnostic, Severity};
use crate::playbook::{self, Playbook, PlaybookKind};
use crate::unit::{Clock, PlaybookId, format_duration, plural, printable};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
#[command(after_help = "\
A playbook is a Markdown file of `playbooks/`: front matter, phases, steps to tick, and commands in named blocks.
  gameday playbook list
  gameday playbook show pb-slow-payments
  gameday playbook run pb-slow-payments        # step by step; nothing runs without a key press
docs/playbooks.md of gameday's repository has the format.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List playbooks, and when each was last exercised.
    List {
        /// The folder of runs; default the workspace's `reports`.
        #[arg(long, value_name = "DIR")]
        reports: Option<PathBuf>,
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check playbooks, what they name, their links, and whether their commands can be read; nothing of them is run.
    Check(CheckArguments),
    /// Show a playbook.
    Show {
        /// The playbook's id.
        id: PlaybookId,
        /// The folder of runs; default the workspace's `reports`.
        #[arg(long, value_name = "DIR")]
        reports: Option<PathBuf>,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Walk through a playbook in a terminal: tick its steps, run its commands one by one.
    Run(playbook_run::Arguments),
}

#[derive(Debug, Args)]
struct CheckArguments {
    /// Playbooks; default all of the workspace here, and whether its alarms have one.
    files: Vec<PathBuf>,
    /// The folder of runs, which says what was exercised; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    json: bool,
    /// Print SARIF 2.1.0 instead of text, for code hosts that show it beside the lines.
    #[arg(long, conflicts_with = "json")]
    sarif: bool,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let here = || Workspace::without_settings(&Workspace::root_of(Path::new(".")));
    match arguments.command {
        Command::List { reports, json } => {
            list(&here(), reports.as_deref(), json);
            Ok(Exit::Success)
        }
        Command::Check(arguments) => lint(&arguments),
        Command::Show { id, reports, json } => show(&here(), &id, reports.as_deref(), json),
        Command::Run(arguments) => playbook_run::run(arguments, &here()).await,
    }
}

fn list(workspace: &Workspace, reports: Option<&Path>, as_json: bool) {
    let mut playbooks = Vec::new();
    for (path, loaded) in all(workspace) {
        match loaded {
            Ok(playbook) => playbooks.push((path, playbook)),
            Err(problems) => {
                let count = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
                let problems = plural(count, "problem", "problems");
                let path = printable(&path.display().to_string());
                out::progress(format_args!(
                    "note: `{path}` is left out: {problems}, which `gameday playbook check` tells"
                ));
            }
        }
    }
    let wanted: BTreeSet<PlaybookId> = playbooks.iter().map(|(_, playbook)| playbook.id.clone()).collect();
    let exercises = exercises(&workspace::reports_of(workspace, reports), &wanted);
    if as_json {
        let row = |(path, playbook): &(PathBuf, Playbook)| {
            json!({
                "id": playbook.id, "kind": playbook.kind, "title": playbook.title, "owner": playbook.owner,
                "alarms": playbook.alarms, "components": playbook.components, "steps": playbook.steps.len(),
                "commands": playbook.commands.len(), "file": path.display().to_string(),
                "last_exercised": exercises.get(&playbook.id),
            })
        };
        return out::json(&playbooks.iter().map(row).collect::<Vec<_>>());
    }
    if playbooks.is_empty() {
        let folder = workspace.root.join(super::playbooks::PLAYBOOKS);
        out::progress(format_args!("there are no playbooks in `{}`", printable(&folder.display().to_string())));
    }
    for (_, playbook) in &playbooks {
        let kind = match playbook.kind {
            PlaybookKind::Playbook => "playbook",
            PlaybookKind::Runbook => "runbook",
        };
        let owner = playbook.owner.as_deref().unwrap_or("nobody");
        let steps = plural(playbook.steps.len(), "step", "steps");
        out::line(format_args!("{}  {}", style(&playbook.id).bold(), printable(&playbook.title)));
        out::line(format_args!("  {kind} of {}, {steps}; {}", printable(owner), told(exercises.get(&playbook.id))));
        if !playbook.alarms.is_empty() {
            let alarms: Vec<&str> = playbook.alarms.iter().map(|alarm| alarm.as_str()).collect();
            out::line(format_args!("  for the alarms {}", printable(&alarms.join(", "))));
        }
    }
}

/// When something was last exercised, in words.
fn told(exercise: Option<&Exercise>) -> String {
    let Some(Exercise { at, run }) = exercise else { return style("never exercised").yellow().to_string() };
    let days = usize::try_from((Clock::start().now() - *at).num_days()).unwrap_or_default();
    let ago = if days == 0 { "today".to_owned() } else { format!("{} ago", plural(days, "day", "days")) };
    format!("last exercised {ago}, in {}", printable(run))
}

fn lint(arguments: &CheckArguments) -> Result<Exit, Failure> {
    let root = Workspace::root_of(Path::new("."));
    let workspace = Workspace::without_settings(&root);
    let loaded = if arguments.files.is_empty() {
        let loaded = all(&workspace);
        if loaded.is_empty() {
            let text = "there is no playbook to check here: no `playbooks/*.md`, in this folder or above";
            return Err(Failure::new(Exit::Failure, text));
        }
        loaded
    } else {
        arguments.files.iter().map(|path| (path.clone(), playbook::load(path))).collect()
    };
    // A file that is named may be of another workspace than this one.
    let root = arguments.files.first().map_or(root, |file| Workspace::root_of(file));
    let known = known(&root, &arguments.reports.clone().unwrap_or_else(|| root.join(workspace::REPORTS)));
    let mut found: Vec<Diagnostic> = Vec::new();
    let (mut files, mut playbooks) = (Vec::new(), Vec::new());
    for (path, loaded) in loaded {
        files.push(path);
        match loaded {
            Ok(mut playbook) => {
                found.append(&mut playbook.warnings);
                found.extend(known.check(&playbook));
                found.extend(twin(&playbook, &playbooks));
                playbooks.push(playbook);
            }
            Err(problems) => found.extend(problems),
        }
    }
    if arguments.files.is_empty() {
        found.extend(known.without_playbook(&playbooks));
    }
    if arguments.sarif {
        out::json(&sarif::log(&found));
        let has_errors = found.iter().any(|found| found.severity == Severity::Error);
        return Ok(if has_errors { Exit::Invalid } else { Exit::Success });
    }
    Ok(check::tell(&files, &found, arguments.json))
}

/// Another playbook of the same id, which would never be found.
fn twin(playbook: &Playbook, others: &[Playbook]) -> Option<Diagnostic> {
    let other = others.iter().find(|other| other.id == playbook.id)?;
    let line = |playbook: &Playbook| {
        let id = format!("id: {}", playbook.id);
        playbook.source.text().find(&id).map_or(0..0, |at| at..at + id.len())
    };
    let message = format!("two playbooks are called `{}`", playbook.id);
    let problem = Diagnostic::error(&playbook.source, line(playbook), "duplicate-id", message);
    Some(problem.with_related(&other.source, line(other), "the other one").with_help("give one of them another id"))
}

fn show(workspace: &Workspace, id: &PlaybookId, reports: Option<&Path>, as_json: bool) -> Result<Exit, Failure> {
    let playbook = find(workspace, id)?;
    let exercises = exercises(&workspace::reports_of(workspace, reports), &BTreeSet::from([id.clone()]));
    let last = exercises.get(id);
    if as_json {
        out::json(&value(&playbook, last));
        return Ok(Exit::Success);
    }
    for line in playbook_show::head(&playbook) {
        out::line(line);
    }
    out::line(format_args!("  {}", told(last)));
    for part in &playbook.outline.parts {
        for line in playbook_show::part(&playbook, part) {
            out::line(line);
        }
    }
    Ok(Exit::Success)
}

fn value(playbook: &Playbook, last: Option<&Exercise>) -> Value {
    let commands = playbook.commands.iter().map(|command| {
        json!({
            "name": command.name, "section": command.section, "language": command.language, "text": command.text,
            "readonly": command.readonly, "confirm": command.confirm, "timeout": format_duration(command.timeout),
            "expect": command.expect,
        })
    });
    json!({
        "id": playbook.id, "kind": playbook.kind, "title": playbook.title, "owner": playbook.owner,
        "alarms": playbook.alarms, "components": playbook.components, "ops": playbook.ops,
        "file": playbook.source.name(), "last_exercised": last, "sections": playbook.sections,
        "steps": playbook.steps, "commands": commands.collect::<Vec<_>>(),
    })
}
