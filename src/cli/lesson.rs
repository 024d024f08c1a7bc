//! `gameday lesson`: what game days taught, found again when it is needed.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use console::style;
use serde_json::{Value, json};

use super::export::redactions;
use super::lessons::{LESSONS, check_all, known, row, shelf, today};
use super::taught::Taught;
use super::{Exit, Failure, check, lesson_digest, out, site, workspace};
use crate::document::SourceFile;
use crate::lesson::{Draft, Found, FrontMatter, Known, Lesson, Shelf, Status};
use crate::plan::Plan;
use crate::unit::{ComponentId, Date, DurationText, HypothesisId, LessonId, Regression, Severity, nearest, printable};
use crate::workspace::Workspace;

/// How many lessons a search shows.
const FOUND_MAX: usize = 10;

/// How many it prints as JSON.
const FOUND_JSON_MAX: usize = 100;

/// The longest text that a lesson is given on standard input.
const BODY_BYTES_MAX: u64 = 256 * 1024;

#[derive(Debug, Args)]
#[command(after_help = "\
A lesson is a file of `lessons/`: a few lines of front matter, and what was believed, what it turned out to be, what was changed.
  gameday lesson new \"The alarm is slower than the customer\" --component payments --regression checkout-slow#H2
  gameday lesson search throttled queue
  gameday lesson list --overdue
A run of the scenario that `regression` names sets it to `verified` or `regressed`.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Begin a lesson, and show those that are much like it.
    New(Box<NewArguments>),
    /// List lessons, the most pressing first.
    List(ListArguments),
    /// Show one.
    Show {
        /// The lesson's id.
        id: LessonId,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Find lessons by the beginnings of words.
    Search {
        /// What to look for.
        #[arg(required = true)]
        words: Vec<String>,
        /// Print what is found as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check the lessons, and that what they name is there.
    Check {
        /// Print what is found as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write all lessons and actions as pages that need no server, with a search.
    Site(site::Arguments),
    /// Write what is new as Markdown, to be posted where the others read: account numbers and e-mail addresses are blacked out.
    Digest {
        /// How far back: `30d`.
        #[arg(long, value_name = "DURATION", default_value = "30d")]
        since: DurationText,
        /// Leave account numbers and e-mail addresses as they are.
        #[arg(long)]
        no_redact: bool,
    },
}

#[derive(Debug, Args)]
struct NewArguments {
    /// What was learnt, in one line.
    title: String,
    /// How bad it would be not to heed it: low, medium, high or critical.
    #[arg(long, value_name = "LEVEL", default_value = "medium", value_parser = severity)]
    severity: Severity,
    /// A component that it is about; may be repeated.
    #[arg(long, value_name = "NAME")]
    component: Vec<ComponentId>,
    /// A kind of fault that showed it: `proxy_latency`; may be repeated.
    #[arg(long, value_name = "KIND")]
    fault: Vec<String>,
    /// What contributed to it; may be repeated.
    #[arg(long, value_name = "TEXT")]
    factor: Vec<String>,
    /// What tests it again: `SCENARIO#HYPOTHESIS`.
    #[arg(long, value_name = "HYPOTHESIS")]
    regression: Option<Regression>,
    /// The run that taught it, its folder, or `latest`: kinds of faults and components are those of its scenario.
    #[arg(long, value_name = "RUN")]
    from: Option<String>,
    /// With `--from`: the hypothesis of the run's scenario that tests it again.
    #[arg(long, value_name = "ID", requires = "from", conflicts_with = "regression")]
    hypothesis: Option<HypothesisId>,
    /// The team that sees to it.
    #[arg(long, value_name = "TEAM")]
    owner: Option<String>,
    /// The day by which it must have been tested again: `2027-03-01`.
    #[arg(long, value_name = "DAY")]
    retest_by: Option<Date>,
    /// Its text, in Markdown; `-` reads it from standard input. Default a text that asks for one.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    text: Option<String>,
    /// Print the file and the similar lessons as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArguments {
    #[command(flatten)]
    filter: LessonFilter,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

/// Which lessons are asked for.
#[derive(Debug, Args)]
pub(super) struct LessonFilter {
    /// Only of these statuses: open, mitigated, verified, regressed, retired; default all but retired.
    #[arg(long, value_delimiter = ',')]
    status: Vec<Status>,
    /// Only those about this component.
    #[arg(long, value_name = "NAME")]
    component: Option<ComponentId>,
    /// Only those whose day of a new test is over.
    #[arg(long)]
    overdue: bool,
}

impl LessonFilter {
    /// The lessons that are asked for: the statuses and severities that come first, then the ids.
    pub(super) fn wanted<'s>(&self, shelf: &'s Shelf, today: Date) -> Vec<&'s Lesson> {
        let is_wanted = |lesson: &&Lesson| {
            let status = lesson.front.status;
            let by_status =
                if self.status.is_empty() { status != Status::Retired } else { self.status.contains(&status) };
            let by_component =
                self.component.as_ref().is_none_or(|component| lesson.front.components.contains(component));
            by_status && by_component && (!self.overdue || lesson.is_overdue(today))
        };
        let mut lessons: Vec<&Lesson> = shelf.entries().filter(is_wanted).collect();
        lessons.sort_by(|one, other| one.urgency().cmp(&other.urgency()));
        lessons
    }
}

pub(super) fn severity(text: &str) -> Result<Severity, String> {
    serde_json::from_value(json!(text)).map_err(|_| "write low, medium, high or critical".to_owned())
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let root = Workspace::root_of(Path::new("."));
    let folder = root.join(LESSONS);
    match arguments.command {
        Command::New(arguments) => new(*arguments, &root, &folder),
        Command::List(arguments) => list(&arguments, &folder),
        Command::Show { id, json } => show(&id, &folder, json),
        Command::Search { words, json } => search(&words.join(" "), &folder, json),
        Command::Check { json } => {
            let (files, found) = check_all(&root)?;
            Ok(check::tell(&files, &found, json))
        }
        Command::Site(arguments) => site::run(&arguments, &root),
        Command::Digest { since, no_redact } => lesson_digest::digest(&since, redactions(no_redact), &folder),
    }
}

fn new(arguments: NewArguments, root: &Path, folder: &Path) -> Result<Exit, Failure> {
    workspace::needed(root)?;
    let known = known(root)?;
    if let Some(fault) = arguments.fault.iter().find(|fault| !known.faults.contains(*fault)) {
        let near = nearest(fault, known.faults.iter().map(String::as_str));
        let help =
            near.map_or("`gameday explain faults` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(Failure::new(Exit::Failure, format_args!("no kind of fault is called `{fault}`; {help}")));
    }
    let taught = match &arguments.from {
        Some(run) => Some(Taught::by(run)?),
        None => None,
    };
    let today = today();
    let of_run = taught.unwrap_or_default();
    if let Some(hypothesis) = &arguments.hypothesis {
        of_run.check_hypothesis(hypothesis)?;
    }
    let tested_by = |hypothesis: HypothesisId| Some(Regression { scenario: of_run.scenario.clone()?, hypothesis });
    let regression = arguments.regression.or_else(|| arguments.hypothesis.and_then(tested_by));
    let or = |own: Vec<String>, other: Vec<String>| if own.is_empty() { other } else { own };
    let components = if arguments.component.is_empty() { of_run.components } else { arguments.component };
    let shelf = shelf(folder);
    let front = FrontMatter {
        id: shelf.next_id(folder, chrono::Datelike::year(&*today)),
        title: arguments.title.trim().to_owned(),
        status: Status::Open,
        severity: arguments.severity,
        components,
        faults: or(arguments.fault, of_run.faults),
        factors: arguments.factor,
        ops: Vec::new(),
        found_in: of_run.run,
        regression,
        tested_in: None,
        actions: Vec::new(),
        owner: arguments.owner,
        created: today,
        retest_by: arguments.retest_by,
    };
    if front.title.is_empty() {
        return Err(Failure::new(Exit::Failure, "the title is empty: say what was learnt, in one line"));
    }
    let components: Vec<&str> = front.components.iter().map(ComponentId::as_str).collect();
    let similar = crate::lesson::similar(folder, &format!("{} {}", front.title, components.join(" ")));
    let draft = Draft { front, body: body(arguments.text.as_deref())? };
    let path = write(&draft, &known, folder)?;
    if arguments.json {
        out::json(
            &json!({"id": draft.front.id, "file": path, "similar": similar.iter().take(FOUND_MAX).map(found_json).collect::<Vec<_>>()}),
        );
        return Ok(Exit::Success);
    }
    out::line(path.display());
    if !similar.is_empty() {
        out::line("\nmuch like it:");
        similar.iter().take(FOUND_MAX).for_each(print_found);
    }
    let is_written = draft.body.is_some();
    out::progress(if is_written {
        "next: gameday lesson check"
    } else {
        "next: write it, then `gameday lesson check`"
    });
    Ok(Exit::Success)
}

/// Writes a lesson that is right; what it names that is not there is told.
fn write(draft: &Draft, known: &Known, folder: &Path) -> Result<PathBuf, Failure> {
    let file = folder.join(format!("{}.md", draft.front.id));
    let source = Arc::new(SourceFile::new(file.display().to_string(), draft.text()));
    let lesson = crate::lesson::check(&source, &file).map_err(workspace::unwritten)?;
    // What there is still to be written is no news.
    workspace::warn(&known.check(&lesson));
    draft.write(folder).map_err(|error| Failure::from_error(&error))
}

/// The lesson's text, where it is given; `-` is standard input.
fn body(given: Option<&str>) -> Result<Option<String>, Failure> {
    let text = match given {
        Some("-") => read_body()?,
        Some(text) => text.to_owned(),
        None => return Ok(None),
    };
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

fn read_body() -> Result<String, Failure> {
    let mut text = String::new();
    let read = std::io::stdin().take(BODY_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Failure::new(Exit::Failure, format_args!("failed to read the lesson's text: {error}")))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > BODY_BYTES_MAX {
        return Err(Failure::new(Exit::Failure, "the lesson's text is longer than 256 KB; a lesson is short"));
    }
    Ok(text)
}

/// Begins a lesson that a run has taught; without a text the file asks for one.
pub(super) fn begin(title: &str, text: &str, plan: &Plan, run: &Path, folder: &Path) -> Result<LessonId, Failure> {
    let (today, of_run) = (today(), Taught::of(run, plan));
    let front = FrontMatter {
        id: shelf(folder).next_id(folder, chrono::Datelike::year(&*today)),
        title: title.trim().to_owned(),
        status: Status::Open,
        severity: Severity::Medium,
        components: of_run.components,
        faults: of_run.faults,
        factors: Vec::new(),
        ops: Vec::new(),
        found_in: of_run.run,
        regression: None,
        tested_in: None,
        actions: Vec::new(),
        owner: None,
        created: today,
        retest_by: None,
    };
    let draft = Draft { front, body: Some(text.to_owned()).filter(|text| !text.trim().is_empty()) };
    write(&draft, &known(folder.parent().unwrap_or(Path::new(".")))?, folder)?;
    Ok(draft.front.id)
}

fn list(arguments: &ListArguments, folder: &Path) -> Result<Exit, Failure> {
    let (shelf, today) = (shelf(folder), today());
    let lessons = arguments.filter.wanted(&shelf, today);
    if arguments.json {
        out::json(&lessons.iter().map(|lesson| lesson_json(lesson, today)).collect::<Vec<_>>());
        return Ok(Exit::Success);
    }
    if lessons.is_empty() {
        let what = if shelf.entries().next().is_none() {
            "there is no lesson yet: `gameday lesson new`"
        } else {
            "no lesson is so"
        };
        out::line(what);
    }
    lessons.iter().for_each(|lesson| out::line(row(lesson, today)));
    Ok(Exit::Success)
}

fn lesson_json(lesson: &Lesson, today: Date) -> Value {
    let mut value = serde_json::to_value(&lesson.front).expect("invariant: front matters serialise to JSON");
    value["file"] = json!(lesson.path);
    value["overdue"] = json!(lesson.is_overdue(today));
    value
}

fn show(id: &LessonId, folder: &Path, json: bool) -> Result<Exit, Failure> {
    let shelf = shelf(folder);
    let Some(lesson) = shelf.get(id.as_str()) else {
        let near = nearest(id.as_str(), shelf.entries().map(|lesson| lesson.front.id.as_str()));
        let help = near.map_or("`gameday lesson list` lists them".to_owned(), |near| format!("did you mean `{near}`?"));
        return Err(Failure::new(Exit::Failure, format_args!("there is no lesson `{id}`; {help}")));
    };
    if json {
        let mut value = lesson_json(lesson, today());
        value["text"] = json!(lesson.body);
        out::json(&value);
        return Ok(Exit::Success);
    }
    out::line(row(lesson, today()));
    let front = &lesson.front;
    let joined = |texts: &[String]| texts.join(", ");
    let components: Vec<String> = front.components.iter().map(ToString::to_string).collect();
    for (name, text) in [
        ("components", joined(&components)),
        ("faults", joined(&front.faults)),
        ("factors", joined(&front.factors)),
        ("ops", joined(&front.ops)),
        ("found in", front.found_in.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("tested by", front.regression.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("tested in", front.tested_in.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("test again by", front.retest_by.as_ref().map(ToString::to_string).unwrap_or_default()),
        ("actions", joined(&front.actions.iter().map(ToString::to_string).collect::<Vec<_>>())),
        ("owner", front.owner.clone().unwrap_or_default()),
        ("file", lesson.path.display().to_string()),
    ] {
        if !text.is_empty() {
            out::line(format_args!("  {name:<14} {}", printable(&text)));
        }
    }
    out::line("");
    lesson.body.lines().for_each(|line| out::line(printable(line)));
    Ok(Exit::Success)
}

fn search(question: &str, folder: &Path, json: bool) -> Result<Exit, Failure> {
    let found = crate::lesson::search(folder, question);
    if json {
        out::json(&found.iter().take(FOUND_JSON_MAX).map(found_json).collect::<Vec<_>>());
        return Ok(Exit::Success);
    }
    if found.is_empty() {
        out::line("no lesson says anything of it");
    }
    found.iter().take(FOUND_MAX).for_each(print_found);
    if let Some(more) = found.len().checked_sub(FOUND_MAX).filter(|more| *more > 0) {
        out::line(format_args!("and {more} more: name more words"));
    }
    Ok(Exit::Success)
}

fn found_json(found: &Found) -> Value {
    let front = crate::lesson::load(&found.path).ok().map(|lesson| lesson.front);
    json!({"file": found.path, "words": found.words, "score": found.score, "excerpt": found.excerpt, "lesson": front})
}

fn print_found(found: &Found) {
    match crate::lesson::load(&found.path) {
        Ok(lesson) => out::line(row(&lesson, today())),
        Err(_) => out::line(format_args!("{} (not a valid lesson)", printable(&found.path.display().to_string()))),
    }
    if !found.excerpt.is_empty() {
        out::line(style(format!("             … {} …", printable(&found.excerpt))).dim());
    }
}
