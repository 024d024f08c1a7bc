//! `gameday action`: what a team will do after a game day, who does it, and by when.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::actions::{ACTIONS, check_all, known, row, shelf};
use super::lessons::today;
use super::{Exit, Failure, check, out, workspace};
use crate::action::{Action, Filed, Kind, Status, close, write};
use crate::document::SourceFile;
use crate::report::read_run;
use crate::unit::{ActionId, ComponentId, Date, LessonId, Regression, RunId, Severity, nearest, printable};
use crate::workspace::Workspace;

/// How long an action has where it is given no day: a month, in which a regression run is booked.
const DUE_DAYS_DEFAULT: u64 = 30;

#[derive(Debug, Args)]
#[command(after_help = "\
An action is a file of `actions/`, for people to edit and review:
  gameday action new \"Shorten the payment alarm's period\" --owner team-payments --type detect --due 2026-12-15
  gameday action list --overdue
  gameday action close A-2026-031")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write an action down.
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
    /// Say that an action is done, or that it will not be.
    Close {
        /// The action's id.
        id: ActionId,
        /// It will not be done; why.
        #[arg(long, value_name = "WHY")]
        dropped: Option<String>,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct NewArguments {
    /// What is to be done, in one line.
    text: String,
    /// The team or person that does it.
    #[arg(long, value_name = "WHO")]
    owner: String,
    /// What it is good for: prevent, detect, mitigate or process.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Kind,
    /// The day by which it is to be done: `2026-12-15`; default 30 days from today.
    #[arg(long, value_name = "DAY")]
    due: Option<Date>,
    /// How bad it would be not to do it: low, medium, high or critical.
    #[arg(long, value_name = "LEVEL", default_value = "medium", value_parser = super::lesson::severity)]
    severity: Severity,
    /// A component that it is about; may be repeated.
    #[arg(long, value_name = "NAME")]
    component: Vec<ComponentId>,
    /// The lesson that it serves.
    #[arg(long, value_name = "ID")]
    lesson: Option<LessonId>,
    /// The run that it came of, its folder, or `latest`.
    #[arg(long, value_name = "RUN")]
    from: Option<String>,
    /// The id of the rule that found what it is about: `F-17`.
    #[arg(long, value_name = "RULE")]
    finding: Option<String>,
    /// What tests again whether it helped: `SCENARIO#HYPOTHESIS`.
    #[arg(long, value_name = "HYPOTHESIS")]
    retest: Option<Regression>,
    /// Where it is followed up.
    #[arg(long, value_name = "URL")]
    tracker: Option<String>,
    /// Print the file as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Only of these statuses: open, done, dropped; default open.
    #[arg(long, value_delimiter = ',', default_value = "open")]
    status: Vec<Status>,
    /// Only those of this owner.
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,
    /// Only those about this component.
    #[arg(long, value_name = "NAME")]
    component: Option<ComponentId>,
    /// Only those whose day is over.
    #[arg(long)]
    overdue: bool,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let root = Workspace::root_of(Path::new("."));
    let folder = root.join(ACTIONS);
    match arguments.command {
        Command::New(arguments) => new(*arguments, &root, &folder),
        Command::List(arguments) => Ok(list(&arguments, &folder)),
        Command::Show { id, json } => show(&id, &folder, json),
        Command::Check { json } => {
            let (files, found) = check_all(&root)?;
            Ok(check::tell(&files, &found, json))
        }
        Command::Close { id, dropped, json } => close_one(&id, &folder, dropped.as_deref(), json),
    }
}

fn new(arguments: NewArguments, root: &Path, folder: &Path) -> Result<Exit, Failure> {
    let today = today();
    let month = today.checked_add_days(chrono::Days::new(DUE_DAYS_DEFAULT)).map_or(today, Date);
    let found_in = arguments.from.as_deref().map(run_id).transpose()?;
    let action = Action {
        id: shelf(folder).next_id(folder, chrono::Datelike::year(&*today)),
        text: arguments.text.trim().to_owned(),
        kind: arguments.kind,
        severity: arguments.severity,
        owner: arguments.owner,
        due: arguments.due.unwrap_or(month),
        status: Status::Open,
        closed: None,
        why: None,
        components: arguments.component,
        found_in,
        finding: arguments.finding,
        lesson: arguments.lesson,
        retest: arguments.retest,
        tracker: arguments.tracker,
    };
    let path = file(&action, root, folder)?;
    if arguments.json {
        out::json(&json!({"id": action.id, "file": path}));
    } else {
        out::line(path.display());
    }
    Ok(Exit::Success)
}

/// Writes an action where nothing is wrong with it; its file.
pub(super) fn file(action: &Action, root: &Path, folder: &Path) -> Result<std::path::PathBuf, Failure> {
    let path = folder.join(format!("{}.yaml", action.id));
    let text = serde_yaml::to_string(action).expect("invariant: actions serialise to YAML");
    let source = Arc::new(SourceFile::new(path.display().to_string(), text));
    let filed = crate::action::check(&source, &path).map_err(|problems| workspace::invalid(&problems))?;
    workspace::warn(&[filed.warnings.clone(), known(root)?.check(&filed)].concat());
    write(folder, action).map_err(|error| Failure::from_error(&error))
}

/// The id of the run of a name, a folder, or `latest`.
fn run_id(run: &str) -> Result<RunId, Failure> {
    let run = Some(run).filter(|run| *run != "latest");
    let directory = workspace::run_folder(&workspace::reports_here(None), run)?;
    read_run(&directory).map_err(|error| Failure::from_error(&error))?;
    let name = directory.file_name().and_then(|name| name.to_str()?.parse().ok());
    name.ok_or_else(|| Failure::new(Exit::Failure, format_args!("`{}` is no folder of a run", directory.display())))
}

fn list(arguments: &ListArguments, folder: &Path) -> Exit {
    let shelf = shelf(folder);
    let today = today();
    let is_asked = |filed: &&Filed| {
        let action = &filed.action;
        arguments.status.contains(&action.status)
            && arguments.owner.as_ref().is_none_or(|owner| action.owner == *owner)
            && arguments.component.as_ref().is_none_or(|component| action.components.contains(component))
            && (!arguments.overdue || action.is_overdue(today))
    };
    let mut actions: Vec<&Filed> = shelf.actions().filter(is_asked).collect();
    actions.sort_by(|one, other| one.action.urgency().cmp(&other.action.urgency()));
    if arguments.json {
        out::json(&actions.iter().map(|filed| as_json(filed, today)).collect::<Vec<_>>());
        return Exit::Success;
    }
    if actions.is_empty() {
        let none = shelf.actions().next().is_none();
        out::line(if none { "there is no action yet: `gameday action new`" } else { "no action is so" });
    }
    actions.iter().for_each(|filed| out::line(row(&filed.action, today)));
    Exit::Success
}

fn as_json(filed: &Filed, today: Date) -> Value {
    let mut value = serde_json::to_value(&filed.action).expect("invariant: actions serialise to JSON");
    value["file"] = json!(filed.path);
    value["overdue"] = json!(filed.action.is_overdue(today));
    value
}

fn find<'s>(shelf: &'s crate::action::Shelf, id: &ActionId) -> Result<&'s Filed, Failure> {
    shelf.get(id.as_str()).ok_or_else(|| {
        let near = nearest(id.as_str(), shelf.actions().map(|filed| filed.action.id.as_str()));
        let help = near.map_or("`gameday action list` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        Failure::new(Exit::Failure, format_args!("there is no action `{id}`; {help}"))
    })
}

fn show(id: &ActionId, folder: &Path, json: bool) -> Result<Exit, Failure> {
    let shelf = shelf(folder);
    let filed = find(&shelf, id)?;
    let action = &filed.action;
    if json {
        out::json(&as_json(filed, today()));
        return Ok(Exit::Success);
    }
    out::line(row(action, today()));
    let text = |value: Option<String>| value.unwrap_or_default();
    let components: Vec<&str> = action.components.iter().map(ComponentId::as_str).collect();
    for (name, value) in [
        ("type", action.kind.as_str().to_owned()),
        ("severity", action.severity.as_str().to_owned()),
        ("components", components.join(", ")),
        ("found in", text(action.found_in.as_ref().map(ToString::to_string))),
        ("finding", text(action.finding.clone())),
        ("lesson", text(action.lesson.as_ref().map(ToString::to_string))),
        ("tested by", text(action.retest.as_ref().map(ToString::to_string))),
        ("tracker", text(action.tracker.clone())),
        ("closed", text(action.closed.map(|day| day.to_string()))),
        ("why", text(action.why.clone())),
        ("file", filed.path.display().to_string()),
    ] {
        if !value.is_empty() {
            out::line(format_args!("  {name:<12} {}", printable(&value)));
        }
    }
    Ok(Exit::Success)
}

fn close_one(id: &ActionId, folder: &Path, dropped: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let shelf = shelf(folder);
    let filed = find(&shelf, id)?;
    if dropped.is_some_and(|why| why.trim().is_empty()) {
        return Err(Failure::new(Exit::Failure, "say why it will not be done: `--dropped \"why\"`"));
    }
    if filed.action.status != Status::Open {
        let text = format!("action `{id}` is {} already; its file is there to be edited", filed.action.status.as_str());
        return Err(Failure::new(Exit::Failure, text));
    }
    let closed = close(filed, today(), dropped).map_err(|error| Failure::from_error(&error))?;
    if json {
        out::json(&closed);
    } else {
        out::line(row(&closed, today()));
        if let Some(retest) = &closed.retest {
            out::progress(format_args!(
                "whether it helped is told by a run of `{}`: {}",
                retest.scenario, retest.hypothesis
            ));
        }
    }
    Ok(Exit::Success)
}
