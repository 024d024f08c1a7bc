//! `gameday action`: what is done about what a game day found, and whether it is done in time.

use std::path::Path;
use std::sync::Arc;

use clap::{ArgGroup, Args, Subcommand};
use serde_json::{Value, json};

use super::actions::{ACTIONS, check_all, known, row, shelf};
use super::lesson::severity;
use super::lessons::today;
use super::taught::Taught;
use super::{Exit, Failure, check, out, workspace};
use crate::action::{Action, Change, Closing, Draft, Kind, Record, Shelf, Status, change};
use crate::document::SourceFile;
use crate::unit::{ActionId, ComponentId, Date, LessonId, Regression, Severity, nearest, printable};
use crate::workspace::Workspace;

#[derive(Debug, Args)]
#[command(after_help = "\
An action is a file of `actions/`: what is to be done, by whom, by when, and what tests that it helped.
  gameday action new \"Shorten the alarm's period to 60 s\" --type detect --owner team-payments --due 2027-02-01 \\
      --lesson L-2026-004 --retest checkout-slow#H2
  gameday action list --overdue
  gameday action close A-2026-031 --done
`gameday export actions --to github` brings them to where the work is planned.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write an action.
    New(Box<NewArguments>),
    /// List actions, the most pressing first.
    List(ListArguments),
    /// Show one.
    Show {
        /// The action's id.
        id: ActionId,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check the actions, and that what they name is there.
    Check {
        /// Print what is found as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say that one was done, or will not be done; only that is written, and comments stay.
    Close(CloseArguments),
}

#[derive(Debug, Args)]
struct NewArguments {
    /// What is to be done, in one line.
    text: String,
    /// What it is for: prevent, detect, mitigate or process.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Kind,
    /// The team that sees to it.
    #[arg(long, value_name = "TEAM")]
    owner: String,
    /// The day by which it is to be done: `2027-02-01`.
    #[arg(long, value_name = "DAY")]
    due: Date,
    /// How bad it would be not to do it: low, medium, high or critical.
    #[arg(long, value_name = "LEVEL", default_value = "medium", value_parser = severity)]
    severity: Severity,
    /// The lesson that it comes from.
    #[arg(long, value_name = "ID")]
    lesson: Option<LessonId>,
    /// The component that it changes.
    #[arg(long, value_name = "NAME")]
    component: Option<ComponentId>,
    /// The run that showed the need of it, its folder, or `latest`: the component is that of its scenario, where it has one.
    #[arg(long, value_name = "RUN")]
    from: Option<String>,
    /// The kind of finding of that run's report, `unnoticed`, or the rule of one of its insights, `I-03`.
    #[arg(long, value_name = "KIND", requires = "from")]
    finding: Option<String>,
    /// What tests that it helped: `SCENARIO#HYPOTHESIS`.
    #[arg(long, value_name = "HYPOTHESIS")]
    retest: Option<Regression>,
    /// Where it is tracked.
    #[arg(long, value_name = "URL")]
    tracker: Option<String>,
    /// Print the id and the file as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArguments {
    #[command(flatten)]
    filter: Filter,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

/// Which actions are asked for.
#[derive(Debug, Args)]
pub(super) struct Filter {
    /// Only of these statuses: open, done, dropped; default all.
    #[arg(long, value_delimiter = ',')]
    status: Vec<Status>,
    /// Only those that this team sees to.
    #[arg(long, value_name = "TEAM")]
    owner: Option<String>,
    /// Only those that change this component.
    #[arg(long, value_name = "NAME")]
    component: Option<ComponentId>,
    /// Only those that are open after their day.
    #[arg(long)]
    overdue: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("end").args(["done", "dropped"]).required(true)))]
struct CloseArguments {
    /// The action's id.
    id: ActionId,
    /// It was done.
    #[arg(long)]
    done: bool,
    /// It will not be done; `--why` says why.
    #[arg(long, requires = "why")]
    dropped: bool,
    /// Why, in one line.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    why: Option<String>,
    /// The day on which it was done; default today.
    #[arg(long, value_name = "DAY", conflicts_with = "dropped")]
    on: Option<Date>,
    /// Print what its file says then as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let root = Workspace::root_of(Path::new("."));
    let folder = root.join(ACTIONS);
    match arguments.command {
        Command::New(arguments) => new(*arguments, &root, &folder),
        Command::List(arguments) => list(&arguments, &folder),
        Command::Show { id, json } => show(&id, &folder, json),
        Command::Check { json } => {
            let (files, found) = check_all(&root)?;
            Ok(check::tell(&files, &found, json))
        }
        Command::Close(arguments) => close(arguments, &folder),
    }
}

fn new(arguments: NewArguments, root: &Path, folder: &Path) -> Result<Exit, Failure> {
    workspace::needed(root)?;
    let found = match &arguments.from {
        Some(run) => Taught::by(run)?,
        None => Taught::default(),
    };
    if let Some(finding) = &arguments.finding {
        found.check_finding(finding)?;
    }
    let of_run = match found.components.as_slice() {
        [only] => Some(only.clone()),
        [] | [_, _, ..] => None,
    };
    let today = today();
    let draft = Draft(Record {
        id: shelf(folder).next_id(folder, chrono::Datelike::year(&*today)),
        text: arguments.text.trim().to_owned(),
        kind: arguments.kind,
        owner: arguments.owner,
        due: arguments.due,
        status: Status::Open,
        severity: arguments.severity,
        component: arguments.component.or(of_run),
        created: Some(today),
        done_on: None,
        found_in: found.run,
        finding: arguments.finding,
        lesson: arguments.lesson,
        retest: arguments.retest,
        tracker: arguments.tracker,
        why: None,
    });
    let file = folder.join(draft.file_name());
    let source = Arc::new(SourceFile::new(file.display().to_string(), draft.text()));
    let action = crate::action::check(&source, &file).map_err(workspace::unwritten)?;
    workspace::warn(&action.warnings);
    workspace::warn(&known(root).check(&action));
    let path = draft.write(folder).map_err(|error| Failure::from_error(&error))?;
    if arguments.json {
        out::json(&json!({"id": draft.0.id, "file": path}));
    } else {
        out::line(path.display());
    }
    Ok(Exit::Success)
}

/// The actions that are asked for, the most pressing first.
pub(super) fn wanted<'s>(shelf: &'s Shelf, filter: &Filter, today: Date) -> Vec<&'s Action> {
    let is_wanted = |action: &&Action| {
        let record = &action.record;
        (filter.status.is_empty() || filter.status.contains(&record.status))
            && filter.owner.as_ref().is_none_or(|owner| *owner == record.owner)
            && filter.component.as_ref().is_none_or(|component| record.component.as_ref() == Some(component))
            && (!filter.overdue || action.is_overdue(today))
    };
    let mut actions: Vec<&Action> = shelf.entries().filter(is_wanted).collect();
    actions.sort_by(|one, other| one.urgency(today).cmp(&other.urgency(today)));
    actions
}

fn list(arguments: &ListArguments, folder: &Path) -> Result<Exit, Failure> {
    let (shelf, today) = (shelf(folder), today());
    let actions = wanted(&shelf, &arguments.filter, today);
    if arguments.json {
        out::json(&actions.iter().map(|action| action_json(action, today)).collect::<Vec<_>>());
        return Ok(Exit::Success);
    }
    if actions.is_empty() {
        let is_empty = shelf.entries().next().is_none();
        out::line(if is_empty { "there is no action yet: `gameday action new`" } else { "no action is so" });
    }
    actions.iter().for_each(|action| out::line(row(action, today)));
    Ok(Exit::Success)
}

fn action_json(action: &Action, today: Date) -> Value {
    let mut value = serde_json::to_value(&action.record).expect("invariant: actions serialise to JSON");
    value["file"] = json!(action.path);
    value["overdue"] = json!(action.is_overdue(today));
    value
}

/// The action of an id, or a failure that names the nearest.
fn find<'s>(shelf: &'s Shelf, id: &ActionId) -> Result<&'s Action, Failure> {
    shelf.get(id.as_str()).ok_or_else(|| {
        let near = nearest(id.as_str(), shelf.entries().map(|action| action.record.id.as_str()));
        let help = near.map_or("`gameday action list` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        Failure::new(Exit::Failure, format_args!("there is no action `{id}`; {help}"))
    })
}

fn show(id: &ActionId, folder: &Path, json: bool) -> Result<Exit, Failure> {
    let (shelf, today) = (shelf(folder), today());
    let action = find(&shelf, id)?;
    if json {
        out::json(&action_json(action, today));
        return Ok(Exit::Success);
    }
    out::line(row(action, today));
    let record = &action.record;
    let text = |value: Option<&dyn std::fmt::Display>| value.map(ToString::to_string).unwrap_or_default();
    fn shown<T: std::fmt::Display>(value: &Option<T>) -> Option<&dyn std::fmt::Display> {
        value.as_ref().map(|value| value as &dyn std::fmt::Display)
    }
    for (name, text) in [
        ("type", record.kind.as_str().to_owned()),
        ("owner", record.owner.clone()),
        ("due", record.due.to_string()),
        ("component", text(shown(&record.component))),
        ("written on", text(shown(&record.created))),
        ("done on", text(shown(&record.done_on))),
        ("found in", text(shown(&record.found_in))),
        ("finding", text(shown(&record.finding))),
        ("lesson", text(shown(&record.lesson))),
        ("tested by", text(shown(&record.retest))),
        ("tracked at", text(shown(&record.tracker))),
        ("why", text(shown(&record.why))),
        ("file", action.path.display().to_string()),
    ] {
        if !text.is_empty() {
            out::line(format_args!("  {name:<14} {}", printable(&text)));
        }
    }
    Ok(Exit::Success)
}

fn close(arguments: CloseArguments, folder: &Path) -> Result<Exit, Failure> {
    let (shelf, today) = (shelf(folder), today());
    let action = find(&shelf, &arguments.id)?;
    // The day here may be one ahead of that of UTC.
    let tomorrow = today.succ_opt().map_or(today, Date);
    if let Some(on) = arguments.on.filter(|on| *on > tomorrow) {
        return Err(Failure::new(
            Exit::Failure,
            format_args!("{on} is still to come: nothing was done then; today is {today}"),
        ));
    }
    let closing = match (arguments.dropped, arguments.why) {
        (true, Some(why)) => Closing::Dropped { why },
        (true, None) => return Err(Failure::new(Exit::Failure, "say why it is dropped: `--why TEXT`")),
        (false, why) => {
            let written = action.record.created.filter(|created| *created <= tomorrow).unwrap_or(today);
            Closing::Done { on: arguments.on.unwrap_or(today.max(written)), why }
        }
    };
    let after = change(action, &Change::Close(closing)).map_err(|error| Failure::from_error(&error))?;
    if arguments.json {
        out::json(&after);
    } else {
        out::line(format_args!("{} is {} now", after.id, after.status.as_str()));
        if let (Status::Done, Some(retest)) = (after.status, &after.retest) {
            out::progress(format_args!(
                "next: run `{}`, whose hypothesis `{}` tests that it helped",
                retest.scenario, retest.hypothesis
            ));
        }
    }
    Ok(Exit::Success)
}
