//! `gameday schedule`: when game days are, what speaks against a date, and what is wrong with the plans.

use std::path::Path;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::schedules::{Read, entry, read_all};
use super::{Exit, Failure, check, out, schedule_export};
use crate::document::{Diagnostic, Severity, Tree};
use crate::scenario::{Checked, Mode};
use crate::schedule::{Booking, Collision, DATES_MAX, Dated, Entry, collisions};
use crate::unit::{Clock, Date, DurationText, plural, printable};
use crate::workspace::Workspace;

/// How far ahead a date is looked for.
const AHEAD: TimeDelta = TimeDelta::days(5 * 366);

/// How far ahead collisions are looked for.
const AHEAD_TOGETHER: TimeDelta = TimeDelta::days(366);

/// How many dates of a scenario may be asked for.
const COUNT_MAX: u16 = 1_000;

#[derive(Debug, Args)]
#[command(after_help = "\
A scenario's `schedule` says when it is run: `cron` and `timezone`, and what keeps it from that: `window`, `freeze`,
`freeze_calendars`, `not_within`, `min_notice`. This program starts nothing by itself; an export brings the dates to what does.
  gameday schedule next
  gameday schedule list --for 90d
  gameday schedule export --to ics --output gamedays.ics
  gameday schedule export nightly --to github --env staging --output .github/workflows/nightly.yaml
A time that a change of clocks leaves out is run right after it, one that comes twice once. A date that was missed is missed.")]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The next dates against which nothing speaks.
    Next(NextArguments),
    /// All dates of a time, in order, with what speaks against them and which meet.
    List(ListArguments),
    /// Look for schedules that can not be met, calendars that are not understood, and dates that meet.
    Check {
        /// Print what is found as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the dates for another program.
    Export(schedule_export::Arguments),
}

#[derive(Debug, Args)]
struct NextArguments {
    /// Scenarios, by id or file; default all that have a schedule.
    scenario: Vec<String>,
    /// How many dates of each.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(COUNT_MAX)))]
    count: u16,
    /// Dates from this day on, in UTC; default now.
    #[arg(long, value_name = "DATE")]
    after: Option<Date>,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Scenarios, by id or file; default all that have a schedule.
    scenario: Vec<String>,
    /// The first day, in UTC; default now.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// The last day, included.
    #[arg(long, value_name = "DATE", conflicts_with = "lasting")]
    to: Option<Date>,
    /// How long a time: `90d`.
    #[arg(long = "for", value_name = "DURATION", default_value = "90d")]
    lasting: DurationText,
    /// Print them as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let now = Clock::start().now();
    match arguments.command {
        Command::Next(arguments) => next(&arguments, now),
        Command::List(arguments) => list(&arguments, now),
        Command::Check { json } => check_all(now, json),
        Command::Export(arguments) => schedule_export::run(&arguments, now),
    }
}

fn midnight(date: Date) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}

/// A date that arithmetic can not leave.
pub(super) fn near_now(date: Date, now: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    let at = midnight(date);
    let is_near = (at - now).abs() <= TimeDelta::days(100 * 366);
    is_near.then_some(at).ok_or_else(|| Failure::new(Exit::Failure, format_args!("{date} is more than 100 years away")))
}

fn next(arguments: &NextArguments, now: DateTime<Utc>) -> Result<Exit, Failure> {
    let from = arguments.after.map_or(Ok(now), |date| near_now(date, now))?;
    let read = read_all(from, from + AHEAD)?.right()?;
    let all = read.all();
    let chosen = read.chosen(&arguments.scenario)?;
    let mut answers = Vec::new();
    for entry in &chosen {
        let (mut found, mut refused, mut looked_at) = (Vec::new(), None, 0);
        for date in entry.dates(&all, from, from + AHEAD, now) {
            looked_at += 1;
            if date.is_allowed() {
                found.push(date);
            } else {
                refused.get_or_insert(date);
            }
            if found.len() >= usize::from(arguments.count) {
                break;
            }
        }
        if arguments.json {
            let dates: Vec<Value> = found.iter().map(|date| dated_json(entry, date)).collect();
            let refused = refused.iter().map(|date| dated_json(entry, date)).next();
            answers.push(json!({"scenario": entry.scenario.id, "title": entry.scenario.title, "dates": dates, "first_refused": refused}));
        } else {
            found.iter().for_each(|date| out::line(row(entry, date)));
            if found.is_empty() {
                let why = refused.map_or_else(|| "its pattern has no date".to_owned(), |date| why(&date));
                out::line(format_args!("{:<24} {}: {why}", entry.scenario.id.as_str(), none_of(looked_at)));
            }
        }
    }
    if arguments.json {
        out::json(&answers);
    }
    Ok(Exit::Success)
}

/// That no date is allowed, of those that were looked at.
fn none_of(looked_at: usize) -> String {
    if looked_at < DATES_MAX {
        "no date is allowed in the next five years".to_owned()
    } else {
        format!("none of the first {DATES_MAX} dates is allowed, and no more were looked at")
    }
}

/// What speaks against a date, in a line.
fn why(date: &Dated) -> String {
    let objections: Vec<String> = date.objections.iter().map(ToString::to_string).collect();
    printable(&objections.join("; ")).replace('\n', " ")
}

fn row(entry: &Entry, date: &Dated) -> String {
    let at = date.at.format("%a %Y-%m-%d %H:%M %Z");
    let title = printable(&entry.scenario.title).replace('\n', " ");
    let utc = match entry.recurrence.zone {
        // It would be the same twice.
        Tz::UTC | Tz::Etc__UTC => String::new(),
        zone => date.at.to_utc().format(&format!(" ({zone}, %Y-%m-%d %H:%M UTC)")).to_string(),
    };
    format!("{:<24} {at}{utc}  {title}", entry.scenario.id.as_str())
}

fn dated_json(entry: &Entry, date: &Dated) -> Value {
    let objections: Vec<Value> =
        date.objections.iter().map(|found| json!({"code": found.code(), "text": found.to_string()})).collect();
    json!({
        "scenario": entry.scenario.id,
        "at": date.at.to_rfc3339(),
        "utc": date.at.to_utc().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "timezone": entry.recurrence.zone.name(),
        "minutes": entry.guard.length.num_minutes(),
        "allowed": date.is_allowed(),
        "objections": objections,
    })
}

fn list(arguments: &ListArguments, now: DateTime<Utc>) -> Result<Exit, Failure> {
    let from = arguments.from.map_or(Ok(now), |date| near_now(date, now))?;
    let lasting = TimeDelta::from_std(arguments.lasting.0).unwrap_or(AHEAD);
    let to = match arguments.to {
        Some(date) => near_now(date, now)? + TimeDelta::days(1),
        None => from + lasting,
    };
    if to <= from {
        let help = match arguments.to {
            Some(_) => "the time ends before it begins: write a later `--to`",
            None => "`--for` is no time at all: write how long, as in `--for 30d`",
        };
        return Err(Failure::new(Exit::Failure, help));
    }
    let read = read_all(from, to)?.right()?;
    let all = read.all();
    let chosen = read.chosen(&arguments.scenario)?;
    let dates = chosen.iter().flat_map(|entry| entry.dates(&all, from, to, now).map(move |date| (entry, date)));
    let mut dates: Vec<(&Entry, Dated)> = dates.collect();
    for entry in &chosen {
        if dates.iter().filter(|(of, _)| of.scenario.id == entry.scenario.id).count() >= DATES_MAX {
            let id = &entry.scenario.id;
            out::progress(format_args!(
                "note: of `{id}` only the first {DATES_MAX} dates are listed; ask for a shorter time"
            ));
        }
    }
    dates.sort_by_key(|(_, date)| date.at);
    let met = collisions(&allowed(&dates));
    if arguments.json {
        let listed: Vec<Value> = dates.iter().map(|(entry, date)| dated_json(entry, date)).collect();
        let met: Vec<Value> = met.iter().map(collision_json).collect();
        out::json(&json!({"dates": listed, "collisions": met}));
        return Ok(Exit::Success);
    }
    for (entry, date) in &dates {
        let mark = if date.is_allowed() { "✓" } else { "✗" };
        out::line(format_args!("{mark} {}", row(entry, date)));
        if !date.is_allowed() {
            out::line(format_args!("    {}", why(date)));
        }
    }
    if dates.is_empty() && !chosen.is_empty() {
        out::line("there is no date in this time");
    }
    met.iter().for_each(|met| out::line(format_args!("! {}", collision(met))));
    Ok(Exit::Success)
}

fn allowed<'a>(dates: &[(&'a Entry, Dated)]) -> Vec<Booking<'a>> {
    let allowed = dates.iter().filter(|(_, date)| date.is_allowed());
    allowed.map(|(entry, date)| Booking { entry, at: date.at }).collect()
}

fn collision(met: &Collision<'_>) -> String {
    let Collision { first, second, environments } = met;
    let at = |booking: &Booking<'_>| booking.at.to_utc().format("%Y-%m-%d %H:%M UTC").to_string();
    format!(
        "`{}` on {} and `{}` on {} meet in {}",
        first.entry.scenario.id,
        at(first),
        second.entry.scenario.id,
        at(second),
        environments.join(", ")
    )
}

fn collision_json(met: &Collision<'_>) -> Value {
    json!({
        "scenarios": [met.first.entry.scenario.id, met.second.entry.scenario.id],
        "at": [met.first.at.to_rfc3339(), met.second.at.to_rfc3339()],
        "environments": met.environments,
    })
}

fn check_all(now: DateTime<Utc>, json: bool) -> Result<Exit, Failure> {
    let read = read_all(now, now + AHEAD)?;
    let all = read.all();
    let mut found = read.problems.clone();
    for (entry, checked) in &read.entries {
        found.extend(check_one(entry, checked, &all, now));
    }
    found.extend(check_together(&read, &all, now));
    Ok(check::tell(&read.workspace.scenario_files(), &found, json))
}

fn check_one(entry: &Entry, checked: &Checked, all: &[Entry], now: DateTime<Utc>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let scenario = &entry.scenario;
    if scenario.mode == Mode::Drill && scenario.people.is_empty() {
        let problem = warning(checked, &["schedule"], "drill-without-people", "this is a drill, and nobody is invited");
        found.push(problem.with_help("name who takes part under `people`, or make it a `mode: regression`"));
    }
    let today = now.with_timezone(&entry.recurrence.zone).date_naive();
    for freeze in scenario.schedule.iter().flat_map(|schedule| &schedule.freeze).filter(|freeze| *freeze.to < today) {
        let message = format!("the freeze from {} to {} is over", freeze.from, freeze.to);
        found.push(
            warning(checked, &["schedule", "freeze"], "freeze-over", message).with_help("take it out, or move it"),
        );
    }
    found.extend(never(entry, checked, all, now));
    found
}

/// That no date of a schedule is allowed.
fn never(entry: &Entry, checked: &Checked, all: &[Entry], now: DateTime<Utc>) -> Option<Diagnostic> {
    let (mut refused, mut looked_at) = (None, 0);
    for date in entry.dates(all, now, now + AHEAD, now) {
        looked_at += 1;
        if date.is_allowed() {
            return None;
        }
        refused.get_or_insert(date);
    }
    let why = refused
        .map_or_else(|| "the pattern has no date".to_owned(), |date| format!("on the first date: {}", why(&date)));
    let message = format!("{}; {why}", none_of(looked_at));
    let span = place(checked, &["schedule", "cron"]);
    let problem = Diagnostic::error(&checked.source, span, "never-met", message);
    Some(problem.with_help("change the pattern, or what speaks against its dates"))
}

/// A warning that a scenario's schedule never comes, without a look at its neighbours. What is wrong with its calendars is told by
/// `gameday schedule check`.
pub(super) fn never_met(checked: &Checked, path: &Path, workspace: &Workspace) -> Option<Diagnostic> {
    let now = Clock::start().now();
    let entry = entry(checked, path, workspace, now, now + AHEAD).ok().flatten()?;
    let problem = never(&entry, checked, &[], now)?;
    Some(Diagnostic { severity: Severity::Warning, ..problem })
}

/// Two scenarios that meet are told once, with the first date.
fn check_together(read: &Read, all: &[Entry], now: DateTime<Utc>) -> Vec<Diagnostic> {
    let dates =
        all.iter().flat_map(|entry| entry.dates(all, now, now + AHEAD_TOGETHER, now).map(move |date| (entry, date)));
    let mut dates: Vec<(&Entry, Dated)> = dates.collect();
    dates.sort_by_key(|(_, date)| date.at);
    let mut told = std::collections::BTreeSet::new();
    let mut found = Vec::new();
    for met in collisions(&allowed(&dates)) {
        let id = |booking: &Booking<'_>| booking.entry.scenario.id.to_string();
        let mut pair = [id(&met.first), id(&met.second)];
        pair.sort();
        if pair[0] == pair[1] || !told.insert(pair) {
            continue;
        }
        let of = |booking: &Booking<'_>| {
            read.entries.iter().find(|(entry, _)| entry.scenario.id == booking.entry.scenario.id)
        };
        if let (Some((_, first)), Some((_, second))) = (of(&met.first), of(&met.second)) {
            let span = place(first, &["schedule", "cron"]);
            let problem = Diagnostic::error(&first.source, span, "dates-meet", collision(&met));
            let problem = problem.with_related(&second.source, place(second, &["schedule", "cron"]), "the other one");
            found.push(problem.with_help("move one of them, or let one keep away from the other by `not_within`"));
        }
    }
    found
}

fn warning(checked: &Checked, path: &[&str], code: &'static str, message: impl Into<String>) -> Diagnostic {
    Diagnostic::warning(&checked.source, place(checked, path), code, message)
}

/// Where a key stands in a scenario's file.
fn place(checked: &Checked, path: &[&str]) -> std::ops::Range<usize> {
    let Some(tree) = Tree::parse(&checked.source, &mut Vec::new()) else { return 0..0 };
    let found = path.iter().try_fold(tree.root(), |within, key| tree.entry(within, key));
    found.map_or(0..0, |found| tree.span(found))
}

/// `1 event added, 2 changed`.
pub(super) fn counted(counts: &[(usize, &str)]) -> String {
    let told = counts.iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = told.map(|(count, what)| format!("{} {what}", plural(*count, "event", "events"))).collect();
    if told.is_empty() { "nothing has changed".to_owned() } else { told.join(", ") }
}
