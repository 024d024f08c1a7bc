//! `gameday debrief`: what people say of a run afterwards, kept in its folder, and the report made again from it.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use console::style;

use super::actions::ACTIONS;
use super::lessons::{LESSONS, today};
use super::{Exit, Failure, lesson, out, report, workspace};
use crate::action::{self, Draft, Kind, Status};
use crate::debrief::{self, Answered, DEBRIEF_FILE, DebriefError, Record};
use crate::document::SourceFile;
use crate::event::is_in_use;
use crate::plan::Plan;
use crate::report::{Evidence, Report, facts_of_run, read_run, stopwatch};
use crate::unit::{ActionId, Date, LessonId, RunId, Severity, nearest, plural, printable};
use crate::workspace::Workspace;

/// The longest line that is taken.
const LINE_BYTES_MAX: u64 = 16 * 1024;
/// How long an action has where nobody says.
const DUE_DAYS_DEFAULT: u64 = 30;

#[derive(Debug, Args)]
#[command(after_help = "\
In a terminal it walks through the run and asks; each answer is kept at once in `debrief.yaml` in the run's folder, which is there to be
edited. Without a terminal it makes that file, or takes what the options say:
  gameday debrief latest --minutes 45 --present maria --surprise \"the alarm looks at five minutes\"")]
pub(super) struct Arguments {
    /// The run's id or folder, or `latest`; default the latest run.
    run: Option<String>,
    /// Only check `debrief.yaml`.
    #[arg(long)]
    check: bool,
    /// The day on which it was held; default today, where anything is said.
    #[arg(long, value_name = "DAY")]
    held_on: Option<Date>,
    /// How many minutes it took.
    #[arg(long, value_name = "N")]
    minutes: Option<u32>,
    /// Who was there; may be repeated.
    #[arg(long, value_name = "NAME")]
    present: Vec<String>,
    /// What happened, in a few sentences.
    #[arg(long, value_name = "TEXT")]
    summary: Option<String>,
    /// An answer to a question, by its number: `1=The board went red`; may be repeated.
    #[arg(long, value_name = "N=TEXT", value_parser = numbered)]
    answer: Vec<(usize, String)>,
    /// What surprised somebody; may be repeated, as the next five.
    #[arg(long, value_name = "TEXT")]
    surprise: Vec<String>,
    /// What went well.
    #[arg(long, value_name = "TEXT")]
    went_well: Vec<String>,
    /// Where it was luck.
    #[arg(long, value_name = "TEXT")]
    lucky: Vec<String>,
    /// What confused somebody.
    #[arg(long, value_name = "TEXT")]
    confused: Vec<String>,
    /// What contributed.
    #[arg(long, value_name = "TEXT")]
    factor: Vec<String>,
    /// What is still not known.
    #[arg(long, value_name = "TEXT")]
    open_question: Vec<String>,
    /// A lesson that came of it, by id; may be repeated.
    #[arg(long, value_name = "ID")]
    lesson: Vec<LessonId>,
    /// An action that came of it, by id; may be repeated.
    #[arg(long, value_name = "ID")]
    action: Vec<ActionId>,
    /// Show in the report what people predicted in private.
    #[arg(long)]
    reveal_predictions: bool,
    /// The folder of runs; default the workspace's `reports`.
    #[arg(long, value_name = "DIR")]
    reports: Option<PathBuf>,
    /// Print the record and the files as JSON.
    #[arg(long)]
    json: bool,
}

fn numbered(text: &str) -> Result<(usize, String), String> {
    let parts =
        text.split_once('=').and_then(|(number, text)| Some((number.trim().parse().ok()?, text.trim().to_owned())));
    parts
        .filter(|(number, text)| *number > 0 && !text.is_empty())
        .ok_or_else(|| "write it as `1=What was said`".to_owned())
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let reports = workspace::reports_here(arguments.reports.as_deref());
    let named = arguments.run.as_deref().filter(|run| *run != "latest");
    let directory = workspace::run_folder(&reports, named)?;
    if is_in_use(&directory) {
        let text = format!("the run in `{}` is still alive: talk about it when it is over", directory.display());
        return Err(Failure::new(Exit::Locked, text));
    }
    let (events, plan) = read_run(&directory).map_err(|error| Failure::from_error(&error))?;
    let id = directory
        .file_name()
        .and_then(|name| name.to_str()?.parse::<RunId>().ok())
        .ok_or_else(|| Failure::new(Exit::Failure, format_args!("`{}` is no folder of a run", directory.display())))?;
    let known = read(&directory)?;
    if arguments.check {
        return Ok(check(&directory, known.as_ref()));
    }
    let facts = facts_of_run(&directory, &plan).map_err(|error| Failure::from_error(&error))?;
    let is_new = known.is_none();
    let own = plan.debrief.as_ref().map(|debrief| debrief.questions.as_slice()).unwrap_or_default();
    let before = known.unwrap_or_else(|| Record::of(id, &debrief::own_questions(own)));
    let mut record = before.clone();
    let has_said = take(&arguments, &mut record)?;
    let root = Workspace::root_of(Path::new("."));
    if let Some(unknown) = unknown_ids(&directory, &root, &record).into_iter().find(|id| !id.is_in(&before)) {
        return Err(Failure::new(Exit::Failure, unknown));
    }
    if has_said || is_new {
        save(&directory, &before, &record)?;
    }
    let may_ask = !arguments.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if may_ask && !has_said {
        let drafted = Report::from_facts(&events, &facts, &Evidence::of_loads(&directory, &events, &plan));
        let input = std::io::stdin().lock();
        let sealed_count = drafted.predictions.len();
        let mut talk = Talk { directory: &directory, root: &root, plan: &plan, record, input, sealed_count };
        show(&drafted);
        talk.walk()?;
        record = talk.record;
    }
    keep_actions(&directory, &root, &record);
    let workspace = workspace::discover(Path::new(".")).unwrap_or_else(|_| Workspace::without_settings(&root));
    let paths = report::write(&directory, None, &workspace)?;
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    let file = directory.join(DEBRIEF_FILE);
    if arguments.json {
        out::json(&serde_json::json!({"debrief": file, "record": record, "reports": paths}));
    } else {
        out::line(file.display());
        paths.iter().for_each(|path| out::line(format_args!("  {path}")));
        if !record.is_held() {
            out::progress("next: write into that file what was said, then `gameday debrief` once more");
        }
    }
    Ok(Exit::Success)
}

/// The record that there is; what is wrong or doubtful in its file is told.
fn read(directory: &Path) -> Result<Option<Record>, Failure> {
    match debrief::read(directory) {
        Ok(None) => Ok(None),
        Ok(Some((record, warnings))) => {
            workspace::warn(&warnings);
            Ok(Some(record))
        }
        Err(DebriefError::Wrong { problems, .. }) => Err(workspace::invalid(&problems)),
        Err(error) => Err(Failure::from_error(&error)),
    }
}

fn check(directory: &Path, known: Option<&Record>) -> Exit {
    let unknown = known.map(|record| unknown_ids(directory, &Workspace::root_of(Path::new(".")), record));
    for id in unknown.iter().flatten() {
        out::progress(format_args!("warning: {id}"));
    }
    let text = match unknown {
        None => "there is no debrief yet",
        Some(unknown) if unknown.is_empty() => "the debrief is in order",
        Some(_) => "the debrief can be read",
    };
    out::line(text);
    Exit::Success
}

/// An id in a debrief of which there is no file.
struct UnknownId {
    kind: &'static str,
    id: String,
    near: Option<String>,
}

impl UnknownId {
    fn is_in(&self, record: &Record) -> bool {
        record.lessons.iter().any(|id| id.as_str() == self.id) || record.actions.iter().any(|id| id.as_str() == self.id)
    }
}

impl std::fmt::Display for UnknownId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, id, near } = self;
        write!(f, "there is no {kind} `{id}`")?;
        match near {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None => write!(f, "; make it first: `gameday {kind} new`"),
        }
    }
}

/// What a debrief names that neither the workspace nor the run's folder has.
fn unknown_ids(directory: &Path, root: &Path, record: &Record) -> Vec<UnknownId> {
    let known = |folder: &str, extension| -> BTreeSet<String> {
        let names = |root: &Path| super::actions::names_of(&root.join(folder), extension);
        names(root).into_iter().chain(names(directory)).collect()
    };
    let (lessons, actions) = (known(LESSONS, "md"), known(ACTIONS, "yaml"));
    let named_lessons = record.lessons.iter().map(|id| ("lesson", id.as_str(), &lessons));
    let named_actions = record.actions.iter().map(|id| ("action", id.as_str(), &actions));
    named_lessons
        .chain(named_actions)
        .filter(|(_, id, known)| !known.contains(*id))
        .map(|(kind, id, known)| {
            let near = nearest(id, known.iter().map(String::as_str)).map(ToOwned::to_owned);
            UnknownId { kind, id: id.to_owned(), near }
        })
        .collect()
}

fn save(directory: &Path, before: &Record, record: &Record) -> Result<(), Failure> {
    let copy = debrief::write(directory, before, record).map_err(|error| Failure::from_error(&error))?;
    if let Some(copy) = copy {
        out::progress(format_args!("note: what else stood in `{DEBRIEF_FILE}` is kept in `{}`", copy.display()));
    }
    Ok(())
}

/// Takes what the options say into the record; whether they say anything.
fn take(arguments: &Arguments, record: &mut Record) -> Result<bool, Failure> {
    let before = record.clone();
    for (number, text) in &arguments.answer {
        let count = record.answers.len();
        let Some(answered) = record.answers.get_mut(number - 1) else {
            return Err(Failure::new(Exit::Failure, format_args!("there is no question {number}; there are {count}")));
        };
        answered.answers.push(text.clone());
    }
    for (key, texts) in [
        ("surprises", &arguments.surprise),
        ("went_well", &arguments.went_well),
        ("lucky", &arguments.lucky),
        ("confused", &arguments.confused),
        ("factors", &arguments.factor),
        ("open_questions", &arguments.open_question),
    ] {
        if let Some(blank) = texts.iter().find(|text| text.trim().is_empty()) {
            return Err(Failure::new(Exit::Failure, format_args!("`{blank}` says nothing: leave the option out")));
        }
        record.list_mut(key).into_iter().for_each(|list| list.extend_from_slice(texts));
    }
    let named = arguments.present.iter().map(|name| ("present", name));
    let told = arguments.summary.iter().map(|text| ("summary", text));
    if let Some((option, _)) = named.chain(told).find(|(_, text)| text.trim().is_empty()) {
        return Err(Failure::new(Exit::Failure, format_args!("`--{option}` says nothing: leave the option out")));
    }
    record.present.extend(arguments.present.iter().cloned());
    record.lessons.extend(arguments.lesson.iter().cloned());
    record.actions.extend(arguments.action.iter().cloned());
    record.predictions_revealed |= arguments.reveal_predictions;
    record.summary = arguments.summary.clone().or(record.summary.take());
    record.minutes = arguments.minutes.or(record.minutes);
    record.held_on = arguments.held_on.or(record.held_on);
    let has_said = *record != before;
    if has_said && record.held_on.is_none() {
        record.held_on = Some(today());
    }
    Ok(has_said)
}

/// The run in a few lines, so that everybody talks about the same.
fn show(report: &Report) {
    out::progress(style(printable(&report.header.title)).bold());
    report.summary.iter().for_each(|line| out::progress(printable(line)));
    out::progress("");
    for entry in report.timeline.iter().filter(|entry| is_worth_it(&entry.kind, entry.is_trouble)) {
        let about = entry.about.as_ref().map(|about| format!("{about}: ")).unwrap_or_default();
        out::progress(format_args!("{}  {}{}", stopwatch(entry.at_ms), printable(&about), printable(&entry.text)));
    }
    out::progress("");
    for finding in &report.findings {
        out::progress(format_args!("{} {} {}", finding.rule, finding.severity, printable(&finding.text)));
    }
}

fn is_worth_it(kind: &str, is_trouble: bool) -> bool {
    is_trouble || matches!(kind, "phase" | "fault" | "alarm" | "mark" | "note" | "inject" | "guardrail")
}

/// Actions that came of it stand in the run's folder too, so that its report tells them when the workspace is gone.
fn keep_actions(directory: &Path, root: &Path, record: &Record) {
    let folder = directory.join(ACTIONS);
    for id in &record.actions {
        let name = format!("{id}.yaml");
        let (from, to) = (root.join(ACTIONS).join(&name), folder.join(&name));
        if to.exists() && !from.exists() {
            continue;
        }
        let kept = std::fs::create_dir_all(&folder).and_then(|()| std::fs::copy(from, to));
        if let Err(error) = kept {
            out::progress(format_args!("note: the report does not tell of action {id}: {error}"));
        }
    }
}

/// Writes an action where nothing is wrong with it; its file.
fn write_action(record: action::Record, root: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let draft = Draft(record);
    let path = folder.join(draft.file_name());
    let source = Arc::new(SourceFile::new(path.display().to_string(), draft.text()));
    let checked = action::check(&source, &path).map_err(|problems| workspace::invalid(&problems))?;
    workspace::warn(&[checked.warnings.clone(), super::actions::known(root).check(&checked)].concat());
    draft.write(folder).map_err(|error| Failure::from_error(&error))
}

/// A talk in a terminal. What is said is saved before the next question.
struct Talk<'a, Input> {
    directory: &'a Path,
    root: &'a Path,
    plan: &'a Plan,
    /// What was said until now.
    record: Record,
    input: Input,
    /// How many predictions were made in private.
    sealed_count: usize,
}

impl<Input: BufRead> Talk<'_, Input> {
    fn walk(&mut self) -> Result<(), Failure> {
        out::progress("\nAn empty line goes on to the next question; Ctrl-C ends the talk, and what was said is kept.");
        out::progress("Ask how, not why.\n");
        self.reveal_predictions()?;
        let own: Vec<String> = self.record.answers.iter().map(|answered| answered.question.clone()).collect();
        let lists = self.record.lists().map(|(key, question, _)| (key, question));
        // What the scenario has asked already is not asked twice.
        let lists: Vec<_> = lists
            .into_iter()
            .filter(|(_, question)| !own.iter().any(|known| known.eq_ignore_ascii_case(question)))
            .collect();
        let count = own.len() + lists.len();
        for (index, question) in own.iter().enumerate() {
            let said = self.lines(&format!("{} of {count}: {question}", index + 1))?;
            self.keep(|record| {
                let known = record.answers.iter_mut().find(|answered| answered.question == *question);
                match known {
                    Some(answered) => answered.answers.extend(said),
                    None => record.answers.push(Answered { question: question.clone(), answers: said }),
                }
            })?;
        }
        for (index, (key, question)) in lists.into_iter().enumerate() {
            let said = self.lines(&format!("{} of {count}: {question}", own.len() + index + 1))?;
            self.keep(|record| record.list_mut(key).into_iter().for_each(|list| list.extend(said.clone())))?;
        }
        if self.record.present.is_empty() {
            let present = self.lines("Who is here? A name a line.")?;
            self.keep(|record| record.present.extend(present))?;
        }
        while let Some(action) = self.action()? {
            self.keep(|record| record.actions.push(action))?;
        }
        while let Some(lesson) = self.lesson()? {
            self.keep(|record| record.lessons.push(lesson))?;
        }
        let minutes = |text: &str| text.parse::<u32>().map_err(|_| "write a number of minutes, as in `45`".to_owned());
        let minutes = self.ask("How many minutes did this take?", minutes)?;
        self.keep(|record| record.minutes = minutes.or(record.minutes))
    }

    /// Asks whether what was predicted in private is to be shown.
    fn reveal_predictions(&mut self) -> Result<(), Failure> {
        if self.sealed_count == 0 || self.record.predictions_revealed {
            return Ok(());
        }
        let sealed = plural(self.sealed_count, "prediction is", "predictions are");
        let yes = |text: &str| match text {
            "y" | "yes" => Ok(true),
            "n" | "no" => Ok(false),
            _ => Err("answer `y` or `n`".to_owned()),
        };
        let answer = self.ask(&format!("{sealed} sealed. Show them in the report? [y/n]"), yes)?;
        self.keep(|record| record.predictions_revealed |= answer == Some(true))
    }

    /// Writes what was said behind what the file says by now: somebody else may write into it meanwhile.
    fn keep(&mut self, say: impl FnOnce(&mut Record)) -> Result<(), Failure> {
        // A file that can not be read now is kept as a copy.
        let before = debrief::read(self.directory).ok().flatten().map(|(record, _)| record);
        let before = before.unwrap_or_else(|| self.record.clone());
        self.record = before.clone();
        say(&mut self.record);
        if self.record.held_on.is_none() && self.record.is_held() {
            self.record.held_on = Some(today());
        }
        if self.record == before { Ok(()) } else { save(self.directory, &before, &self.record) }
    }

    /// A line; none where nothing more comes, or where it is empty.
    fn line(&mut self) -> Result<Option<String>, Failure> {
        let mut line = String::new();
        let mut part = std::io::Read::take(&mut self.input, LINE_BYTES_MAX);
        part.read_line(&mut line).map_err(|error| Failure::from_error(&error))?;
        let text = line.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    fn lines(&mut self, question: &str) -> Result<Vec<String>, Failure> {
        out::progress(style(printable(question)).bold());
        let mut said = Vec::new();
        while let Some(line) = self.line()? {
            said.push(line);
        }
        Ok(said)
    }

    /// Asks until the answer can be read, or is empty.
    fn ask<T>(&mut self, question: &str, read: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, Failure> {
        loop {
            out::progress(question);
            let Some(line) = self.line()? else { return Ok(None) };
            match read(&line) {
                Ok(value) => return Ok(Some(value)),
                Err(why) => out::progress(style(why).red()),
            }
        }
    }

    fn action(&mut self) -> Result<Option<ActionId>, Failure> {
        let said = |text: &str| Ok::<_, String>(text.to_owned());
        let Some(text) = self.ask(&style("An action? In one line; empty for none.").bold().to_string(), said)? else {
            return Ok(None);
        };
        let owner = self.ask("  Who does it?", said)?.unwrap_or_else(|| self.plan.scenario.owner.clone());
        let kind = "  What is it good for: prevent, detect, mitigate or process? Empty for process.";
        let kind = self.ask(kind, str::parse::<Kind>)?;
        let due = self.ask("  By which day? As in 2026-12-15; empty for a month from now.", |text| {
            text.parse::<Date>().map_err(|error| error.to_string())
        })?;
        let folder = self.root.join(ACTIONS);
        let today = today();
        let month = today.checked_add_days(chrono::Days::new(DUE_DAYS_DEFAULT)).map_or(today, Date);
        let record = action::Record {
            id: super::actions::shelf(&folder).next_id(&folder, chrono::Datelike::year(&*today)),
            text,
            kind: kind.unwrap_or(Kind::Process),
            owner,
            due: due.unwrap_or(month),
            status: Status::Open,
            severity: Severity::Medium,
            component: super::lessons::components(self.plan).first().cloned(),
            created: Some(today),
            done_on: None,
            found_in: self.directory.file_name().and_then(|name| name.to_str()?.parse().ok()),
            finding: None,
            lesson: None,
            retest: None,
            tracker: None,
            why: None,
        };
        let path = write_action(record.clone(), self.root, &folder)?;
        out::progress(format_args!("  {}", path.display()));
        Ok(Some(record.id))
    }

    fn lesson(&mut self) -> Result<Option<LessonId>, Failure> {
        let said = |text: &str| Ok::<_, String>(text.to_owned());
        let question = style("A lesson? What was learnt, in one line; empty for none.").bold().to_string();
        let Some(title) = self.ask(&question, said)? else { return Ok(None) };
        let text = self
            .lines("  What was the situation, what did we believe, what did it turn out to be, what do we change?")?;
        let id = lesson::begin(&title, &text.join("\n"), self.plan, self.directory, &self.root.join(LESSONS))?;
        out::progress(format_args!("  {LESSONS}/{id}.md"));
        Ok(Some(id))
    }
}
