//! `gameday schedule`: when game days are, what stands against a date, and invitations. It starts nothing.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Days, TimeDelta, Utc};
use chrono_tz::Tz;
use clap::{Args, Subcommand, ValueEnum};
use console::style;
use serde_json::{Value, json};

use super::lessons::LESSONS;
use super::{Exit, Failure, out, schedules, workspace};
use crate::document::{Diagnostic, Severity};
use crate::run::last_runs;
use crate::scenario::{self, Mode, Scenario, Schedule};
use crate::schedule::{Event, Guard, LastRun, Refusal, calendar, dates};
use crate::unit::{Clock, Date, DurationText, ScenarioId, WholeFile, nearest, plural, printable};
use crate::workspace::Workspace;

/// How many dates are looked at before a schedule is said never to be allowed.
const DATES_LOOKED_AT_MAX: usize = 2_000;
/// How long a game day takes where it does not say: 30 minutes of briefing, 75 of run, 15 of hot wash.
const LENGTH_DEFAULT: TimeDelta = TimeDelta::minutes(120);
/// When people are reminded.
const REMINDER: TimeDelta = TimeDelta::hours(1);
/// At which hour of the day a lesson is to be tested again, where a calendar wants one.
const RETEST_HOUR: u32 = 9;

#[derive(Debug, Args)]
#[command(after_help = "\
A scenario's `schedule` says when its game days are; what stands against a date is looked at here, and again when `gameday run` begins.
  gameday schedule next
  gameday schedule list --for 90d
  gameday schedule export --output gamedays.ics")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the next date of each scenario that nothing stands against.
    Next(NextArguments),
    /// List all dates of a span, with what stands against them.
    List(ListArguments),
    /// Tell what is wrong with schedules.
    Check {
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write invitations: each allowed date with its review, and the days by which lessons must be tested again.
    Export(ExportArguments),
}

#[derive(Debug, Args)]
struct NextArguments {
    /// Only of these scenarios, by id.
    scenarios: Vec<ScenarioId>,
    /// How many dates of each.
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: usize,
    /// Dates after this day; default now.
    #[arg(long, value_name = "DAY")]
    after: Option<Date>,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArguments {
    /// The first day; default today.
    #[arg(long, value_name = "DAY")]
    from: Option<Date>,
    /// How far ahead.
    #[arg(long = "for", value_name = "DURATION", default_value = "90d")]
    length: DurationText,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ExportArguments {
    /// The form.
    #[arg(long, value_enum, default_value = "ics")]
    to: Target,
    /// How far ahead.
    #[arg(long = "for", value_name = "DURATION", default_value = "90d")]
    length: DurationText,
    /// The file; one that is there is brought up to date, so that what changed is told to those who were invited. Default standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Target {
    /// iCalendar: an invitation for people.
    Ics,
}

/// A scenario with a schedule.
struct Planned {
    path: PathBuf,
    scenario: Scenario,
    schedule: Schedule,
    guard: Result<Guard, String>,
}

/// A date of a schedule.
struct Dated<'p> {
    planned: &'p Planned,
    at: DateTime<Tz>,
    refusal: Option<Refusal>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let workspace = workspace::discover(Path::new("."))?;
    let now = Clock::start().now();
    match &arguments.command {
        Command::Next(arguments) => next(arguments, &workspace, now),
        Command::List(arguments) => list(arguments, &workspace, now),
        Command::Check { json } => check(&workspace, now, *json),
        Command::Export(arguments) => export(arguments, &workspace, now),
    }
}

/// The scenarios that have a schedule; those whose file is wrong come with what is wrong.
fn planned(workspace: &Workspace) -> (Vec<Planned>, Vec<Diagnostic>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for path in workspace.scenario_files() {
        match scenario::load(&path, workspace, None) {
            Ok(checked) => {
                let scenario = checked.scenario;
                if let Some(schedule) = scenario.schedule.clone() {
                    let guard = schedules::guard(&schedule, &workspace.root);
                    found.push(Planned { path, scenario, schedule, guard });
                }
            }
            Err(wrong) => problems.extend(wrong),
        }
    }
    (found, problems)
}

/// The scenarios that have a schedule; what is wrong with others is told, and keeps nobody from seeing the rest.
fn told(workspace: &Workspace) -> Vec<Planned> {
    let (found, problems) = planned(workspace);
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if errors > 0 {
        let text = plural(errors, "problem", "problems");
        out::progress(format_args!("note: {text} in scenarios, which are left out; `gameday check` tells which"));
    }
    for planned in &found {
        if let Err(why) = &planned.guard {
            out::progress(format_args!(
                "note: no date of `{}` is known to be allowed: {}",
                planned.scenario.id,
                printable(why)
            ));
        }
    }
    found
}

impl Planned {
    fn dates(&self, after: DateTime<Utc>) -> Result<impl Iterator<Item = DateTime<Tz>>, Failure> {
        dates(&self.schedule, after).map_err(|error| Failure { exit: Exit::Invalid, ..Failure::from_error(&error) })
    }

    fn length(&self) -> TimeDelta {
        let length = self.schedule.duration.and_then(|length| TimeDelta::from_std(length.0).ok());
        length.unwrap_or(LENGTH_DEFAULT)
    }

    /// What stands against inviting people to a date; a guard that is not known stands against every one.
    fn refusal(&self, at: DateTime<Utc>, now: DateTime<Utc>, others: &[LastRun]) -> Result<Option<Refusal>, &str> {
        let guard = self.guard.as_ref().map_err(String::as_str)?;
        // What starts by itself needs no notice.
        Ok(match self.scenario.mode {
            Mode::Regression => guard.refusal(at, others),
            Mode::Drill | Mode::Tabletop => guard.refusal_to_invite(at, now, others),
        })
    }
}

/// Where a scenario runs first: two that begin in one place at one time are in each other's way.
fn places(scenario: &Scenario) -> Vec<String> {
    scenario.environments.as_ref().map(|rules| rules.allow.clone()).unwrap_or_default()
}

fn next(arguments: &NextArguments, workspace: &Workspace, now: DateTime<Utc>) -> Result<Exit, Failure> {
    let planned = told(workspace);
    if let Some(unknown) =
        arguments.scenarios.iter().find(|id| !planned.iter().any(|planned| planned.scenario.id == **id))
    {
        let near = nearest(unknown.as_str(), planned.iter().map(|planned| planned.scenario.id.as_str()));
        let help = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
        return Err(Failure::new(Exit::Failure, format_args!("no scenario `{unknown}` has a schedule here{help}")));
    }
    let end_of =
        |day: Date| day.checked_add_days(Days::new(1)).unwrap_or(day.0).and_time(chrono::NaiveTime::MIN).and_utc();
    let after = arguments.after.map_or(now, |day| end_of(day).max(now));
    let others = last_runs(&workspace::reports_of(workspace, None));
    let is_asked =
        |planned: &&Planned| arguments.scenarios.is_empty() || arguments.scenarios.contains(&planned.scenario.id);
    let mut rows = Vec::new();
    for planned in planned.iter().filter(is_asked) {
        let dates: Vec<DateTime<Tz>> = planned
            .dates(after)?
            .take(DATES_LOOKED_AT_MAX)
            .filter(|date| planned.refusal(date.to_utc(), now, &others) == Ok(None))
            .take(arguments.count.max(1))
            .collect();
        rows.push((planned, dates));
    }
    rows.sort_by_key(|(planned, dates)| {
        (dates.first().map_or(DateTime::<Utc>::MAX_UTC, DateTime::to_utc), planned.scenario.id.clone())
    });
    if arguments.json {
        let row = |(planned, dates): &(&Planned, Vec<DateTime<Tz>>)| {
            json!({
                "scenario": planned.scenario.id,
                "title": planned.scenario.title,
                "mode": planned.scenario.mode,
                "dates": dates.iter().map(moment_json).collect::<Vec<_>>(),
            })
        };
        out::json(&rows.iter().map(row).collect::<Vec<_>>());
        return Ok(Exit::Success);
    }
    if rows.is_empty() {
        out::line(
            "no scenario has a schedule; write one as `schedule: {cron: \"0 10 * * TUE#2\", timezone: Europe/Helsinki}`",
        );
    }
    for (planned, dates) in &rows {
        let title = printable(&planned.scenario.title);
        if dates.is_empty() {
            out::line(format_args!("{} {}: {title}", style("no date is allowed   ").red(), planned.scenario.id));
        }
        dates.iter().for_each(|date| out::line(format_args!("{}  {}: {title}", shown(date), planned.scenario.id)));
    }
    Ok(Exit::Success)
}

fn moment_json(date: &DateTime<Tz>) -> Value {
    json!({"local": date.to_rfc3339(), "utc": date.to_utc(), "timezone": date.timezone().name()})
}

/// `Tue 2026-12-08 10:00 EET (08:00 UTC)`.
fn shown(date: &DateTime<Tz>) -> String {
    let local = date.format("%a %Y-%m-%d %H:%M %Z");
    let utc = date.to_utc();
    if date.naive_local() == utc.naive_utc() {
        local.to_string()
    } else {
        let day = if date.date_naive() == utc.date_naive() { "" } else { "%Y-%m-%d " };
        format!("{local} ({} UTC)", utc.format(&format!("{day}%H:%M")))
    }
}

/// All dates of a span, in order.
fn all_dates<'p>(
    planned: &'p [Planned],
    span: (DateTime<Utc>, DateTime<Utc>),
    now: DateTime<Utc>,
    runs: &[LastRun],
) -> Result<Vec<Dated<'p>>, Failure> {
    let mut others = runs.to_vec();
    let mut found: Vec<(&Planned, DateTime<Tz>)> = Vec::new();
    for planned in planned {
        let of_it = planned.dates(span.0)?.take_while(|date| date.to_utc() < span.1).take(DATES_LOOKED_AT_MAX);
        found.extend(of_it.map(|date| (planned, date)));
    }
    // What is planned keeps others away as much as what has run.
    others.extend(
        found.iter().map(|(planned, date)| LastRun { scenario: planned.scenario.id.clone(), at: date.to_utc() }),
    );
    found.sort_by_key(|(planned, date)| (date.to_utc(), planned.scenario.id.clone()));
    let dated = |(planned, at): (&'p Planned, DateTime<Tz>)| {
        let refusal = planned.refusal(at.to_utc(), now, &others).unwrap_or(None);
        Dated { planned, at, refusal }
    };
    Ok(found.into_iter().map(dated).collect())
}

/// The scenario that is in the way of a date: it runs in the same place at the same time.
fn collision<'d>(date: &Dated<'_>, all: &'d [Dated<'_>]) -> Option<&'d ScenarioId> {
    let (start, end) = (date.at.to_utc(), date.at.to_utc() + date.planned.length());
    let mine = places(&date.planned.scenario);
    let other = all.iter().find(|other| {
        let theirs = places(&other.planned.scenario);
        let is_same_place = mine.is_empty() || theirs.is_empty() || mine.iter().any(|place| theirs.contains(place));
        let (from, to) = (other.at.to_utc(), other.at.to_utc() + other.planned.length());
        other.planned.scenario.id != date.planned.scenario.id
            && is_same_place
            && other.refusal.is_none()
            && from < end
            && start < to
    });
    other.map(|other| &other.planned.scenario.id)
}

fn list(arguments: &ListArguments, workspace: &Workspace, now: DateTime<Utc>) -> Result<Exit, Failure> {
    let planned = told(workspace);
    let from = arguments.from.map_or(now, |day| day.0.and_time(chrono::NaiveTime::MIN).and_utc());
    let to = from + TimeDelta::from_std(arguments.length.0).unwrap_or(TimeDelta::days(90));
    let runs = last_runs(&workspace::reports_of(workspace, None));
    let dates = all_dates(&planned, (from, to), now, &runs)?;
    if arguments.json {
        let row = |date: &Dated<'_>| {
            json!({
                "scenario": date.planned.scenario.id,
                "at": moment_json(&date.at),
                "refused": date.refusal.as_ref().map(ToString::to_string),
                "unknown": date.planned.guard.as_ref().err(),
                "collides_with": collision(date, &dates),
            })
        };
        out::json(&dates.iter().map(row).collect::<Vec<_>>());
        return Ok(Exit::Success);
    }
    if dates.is_empty() {
        out::line("no date falls into that time");
    }
    for date in &dates {
        let scenario = &date.planned.scenario;
        let against = match (&date.planned.guard, &date.refusal, collision(date, &dates)) {
            (Err(_), _, _) => style("  not known to be allowed".to_owned()).red(),
            (Ok(_), Some(refusal), _) => style(format!("  {}", printable(&refusal.to_string()))).yellow(),
            (Ok(_), None, Some(other)) => style(format!("  at the same time as `{other}`")).red(),
            (Ok(_), None, None) => style(String::new()),
        };
        out::line(format_args!("{}  {}{against}", shown(&date.at), scenario.id));
    }
    Ok(Exit::Success)
}

fn check(workspace: &Workspace, now: DateTime<Utc>, json: bool) -> Result<Exit, Failure> {
    let (planned, problems) = planned(workspace);
    let mut found: Vec<(PathBuf, String)> = Vec::new();
    for planned in &planned {
        found.extend(doubts(planned, now)?.into_iter().map(|text| (planned.path.clone(), text)));
    }
    let span = (now, now + TimeDelta::days(366));
    let dates = all_dates(&planned, span, now, &[])?;
    let mut told = Vec::new();
    for date in dates.iter().filter(|date| date.refusal.is_none()) {
        let id = &date.planned.scenario.id;
        if let Some(other) = collision(date, &dates)
            && !told.contains(&(other.clone(), id.clone()))
        {
            told.push((id.clone(), other.clone()));
            found.push((
                date.planned.path.clone(),
                format!("it is at the same time as `{other}`, first on {}", shown(&date.at)),
            ));
        }
    }
    let has_errors = problems.iter().any(|problem| problem.severity == Severity::Error);
    if json {
        let row = |(path, text): &(PathBuf, String)| json!({"file": path, "problem": text});
        out::json(&json!({
            "schedules": planned.len(),
            "problems": found.iter().map(row).collect::<Vec<_>>(),
            "diagnostics": problems.iter().map(Diagnostic::to_json).collect::<Vec<_>>(),
        }));
    } else {
        super::check::print_diagnostics(&problems);
        found.iter().for_each(|(path, text)| out::line(format_args!("{}: {}", path.display(), printable(text))));
        let (schedules, wrong) =
            (plural(planned.len(), "schedule", "schedules"), plural(found.len(), "problem", "problems"));
        out::line(format_args!("{schedules} checked, {wrong}"));
    }
    Ok(if has_errors || !found.is_empty() { Exit::Invalid } else { Exit::Success })
}

/// What is wrong with a schedule beside what its file's check tells.
fn doubts(planned: &Planned, now: DateTime<Utc>) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let (scenario, schedule) = (&planned.scenario, &planned.schedule);
    match &planned.guard {
        Err(why) => found.push(why.clone()),
        Ok(guard) => {
            let mut dates = planned.dates(now)?.take(DATES_LOOKED_AT_MAX).peekable();
            if dates.peek().is_none() {
                found.push(format!("`{}` never comes", schedule.cron));
            } else if !dates.any(|date| guard.refusal(date.to_utc(), &[]).is_none()) {
                found.push(format!(
                    "none of the next dates of `{}` is allowed by its window and freezes",
                    schedule.cron
                ));
            }
        }
    }
    if scenario.mode != Mode::Regression && scenario.people.is_empty() {
        found.push("people take part in it, and it names nobody to invite: add `people`".to_owned());
    }
    let over = schedule.freeze.iter().filter(|freeze| freeze.to.0 < now.date_naive());
    found.extend(over.map(|freeze| format!("the freeze from {} to {} is over: take it away", freeze.from, freeze.to)));
    let unknown = schedule.not_within.iter().filter(|(id, _)| **id == scenario.id);
    found.extend(unknown.map(|(id, apart)| format!("it is to keep {apart} away from itself (`{id}`)")));
    Ok(found)
}

fn export(arguments: &ExportArguments, workspace: &Workspace, now: DateTime<Utc>) -> Result<Exit, Failure> {
    let Target::Ics = arguments.to;
    let planned = told(workspace);
    if let Some((id, why)) =
        planned.iter().find_map(|planned| Some((&planned.scenario.id, planned.guard.as_ref().err()?)))
    {
        return Err(Failure::new(
            Exit::Invalid,
            format_args!("nobody is invited while it is not known when `{id}` may be: {why}"),
        ));
    }
    let to = now + TimeDelta::from_std(arguments.length.0).unwrap_or(TimeDelta::days(90));
    let runs = last_runs(&workspace::reports_of(workspace, None));
    let dates = all_dates(&planned, (now, to), now, &runs)?;
    let mut events: Vec<Event> = Vec::new();
    for date in dates.iter().filter(|date| date.refusal.is_none()) {
        events.push(game_day(date));
        events.extend(review(date));
    }
    events.extend(retests(workspace, now, to));
    let old = arguments.output.as_ref().filter(|path| path.exists());
    let old = old.map(std::fs::read_to_string).transpose();
    let old = old
        .map_err(|error| Failure::new(Exit::Failure, format_args!("failed to read the file that is there: {error}")))?;
    let text = calendar(&events, old.as_deref(), now).map_err(|why| {
        Failure::new(Exit::Invalid, format_args!("the file that is there is no calendar, and is left as it is: {why}"))
    })?;
    match &arguments.output {
        None => out::line(text.trim_end()),
        Some(path) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let name = path.file_name().and_then(|name| name.to_str());
            let name =
                name.ok_or_else(|| Failure::new(Exit::Failure, format_args!("`{}` is no file", path.display())))?;
            WholeFile::write_text(folder, name, &text).map_err(|error| Failure::from_error(&error))?;
            out::line(format_args!("{}: {}", path.display(), plural(events.len(), "event", "events")));
        }
    }
    Ok(Exit::Success)
}

/// An address that can be invited: there is one `@` with something on both sides, and no space.
fn is_address(who: &str) -> bool {
    let parts = who.split_once('@');
    parts.is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !who.contains(char::is_whitespace) && !host.contains('@')
    })
}

fn attendees(scenario: &Scenario) -> Vec<(String, String)> {
    let people = scenario.people.iter().filter(|(_, person)| is_address(&person.who));
    people.map(|(role, person)| (person.who.clone(), role.to_string())).collect()
}

fn game_day(date: &Dated<'_>) -> Event {
    let scenario = &date.planned.scenario;
    let kind = match scenario.mode {
        Mode::Drill => "Game day",
        Mode::Regression => "Regression run",
        Mode::Tabletop => "Tabletop game day",
    };
    let people: Vec<String> = scenario.people.iter().map(|(role, person)| format!("{role}: {}", person.who)).collect();
    let why = scenario.why.as_ref().map(|why| format!("{}\n\n", why.trim())).unwrap_or_default();
    // No fault stands here: some of those who are invited may not know them beforehand.
    let description = format!(
        "{why}Owner: {}\n{}\n\nAnybody may abort, for no reason: gameday abort\nBriefing: gameday brief {}",
        scenario.owner,
        people.join("\n"),
        date.planned.path.display()
    );
    Event {
        uid: format!("{}-{}@gameday", scenario.id, date.at.format("%Y%m%dT%H%M")),
        start: date.at.to_utc(),
        length: date.planned.length(),
        summary: format!("{kind}: {}", scenario.title),
        description,
        attendees: attendees(scenario),
        reminder: Some(REMINDER),
    }
}

fn review(date: &Dated<'_>) -> Option<Event> {
    let scenario = &date.planned.scenario;
    let debrief = scenario.debrief.as_ref()?;
    let review = debrief.review.as_ref()?;
    let start = date.at.to_utc() + date.planned.length() + TimeDelta::from_std(review.after.0).ok()?;
    let questions: Vec<String> = debrief.questions.iter().map(|question| format!("- {question}")).collect();
    Some(Event {
        uid: format!("{}-{}-review@gameday", scenario.id, date.at.format("%Y%m%dT%H%M")),
        start,
        length: TimeDelta::from_std(review.length.0).ok()?,
        summary: format!("Learning review: {}", scenario.title),
        description: format!("Ask how, not why.\n{}\n\ngameday debrief", questions.join("\n")),
        attendees: attendees(scenario),
        reminder: Some(REMINDER),
    })
}

/// The days by which lessons must be tested again.
fn retests(workspace: &Workspace, now: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Event> {
    let shelf = super::lessons::shelf(&workspace.root.join(LESSONS));
    let event = |lesson: &crate::lesson::Lesson| {
        let front = &lesson.front;
        let start = front.retest_by?.0.and_hms_opt(RETEST_HOUR, 0, 0)?.and_utc();
        let by = front.regression.as_ref().map_or("nothing".to_owned(), ToString::to_string);
        (start > now && start < to && front.status != crate::lesson::Status::Retired).then(|| Event {
            uid: format!("{}-retest@gameday", front.id),
            start,
            length: TimeDelta::minutes(30),
            summary: format!("Test lesson {} again: {}", front.id, front.title),
            description: format!("Tested by {by}."),
            attendees: Vec::new(),
            reminder: None,
        })
    };
    shelf.entries().filter_map(event).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_are_invited() {
        for who in ["maria@example.com", "a.b+c@sub.example.org"] {
            assert!(is_address(who), "{who}");
        }
        for who in
            ["maria", "on call@example.com", "@example.com", "maria@", "maria@localhost", "a@b@c.de", "#payments"]
        {
            assert!(!is_address(who), "{who}");
        }
    }
}
