//! `gameday schedule export`: the dates for calendars, which invite, and for what starts jobs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args, ValueEnum};

use super::lessons::{LESSONS, shelf};
use super::schedule::counted;
use super::schedules::{Read, read_all};
use super::{Exit, Failure, out, workspace};
use crate::schedule::export::{ExportError, Job, eventbridge, github, ics, systemd};
use crate::schedule::{Booking, Entry, Objection};
use crate::unit::{DurationText, WholeFile, plural};
use crate::workspace::Environment;

/// The longest calendar that is read back.
const BEFORE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How many events one calendar gets.
const EVENTS_MAX: usize = 5_000;

/// What the dates are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A calendar that invites people.
    Ics,
    /// A CloudFormation template with an EventBridge schedule that starts a CodeBuild project.
    Eventbridge,
    /// A workflow of GitHub Actions.
    Github,
    /// A timer and a service of systemd.
    Systemd,
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Scenarios, by id or file; for a calendar default all that have a schedule, else exactly one.
    scenario: Vec<String>,
    /// What they are written for.
    #[arg(long, value_enum)]
    to: Format,
    /// The file; default standard output. A calendar that is there is gone on with: events that changed get their next version, and
    /// those that fell away are cancelled. For systemd the `.timer`, with the `.service` beside it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// For a calendar: how far ahead.
    #[arg(long = "for", value_name = "DURATION", default_value = "180d")]
    lasting: DurationText,
    /// The environment in which it runs by itself; default the only one that the scenario allows besides the sandbox.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
}

pub(super) fn run(arguments: &Arguments, now: DateTime<Utc>) -> Result<Exit, Failure> {
    let lasting = TimeDelta::from_std(arguments.lasting.0).unwrap_or(TimeDelta::days(366));
    let read = read_all(now, now + lasting)?.right()?;
    let chosen = read.chosen(&arguments.scenario)?;
    let refused = |error: ExportError| Failure::new(Exit::Failure, error);
    let job = || job(&read, &chosen, arguments.env.as_deref(), now);
    let output = arguments.output.as_deref();
    match arguments.to {
        Format::Ics => calendar(arguments, &read, &chosen, now, now + lasting)?,
        Format::Eventbridge => write(output, &eventbridge::template(&job()?).map_err(refused)?)?,
        Format::Github => write(output, &github::workflow(&job()?).map_err(refused)?)?,
        Format::Systemd => write_units(output, &read, &job()?)?,
    }
    Ok(Exit::Success)
}

/// The job of the one scenario that was named.
fn job<'a>(read: &Read, chosen: &'a [Entry], named: Option<&str>, now: DateTime<Utc>) -> Result<Job<'a>, Failure> {
    let [entry] = chosen else {
        let text = "name exactly one scenario to be started by itself; only a calendar takes several";
        return Err(Failure::new(Exit::Failure, text));
    };
    // What needs people is refused before anything is asked about where it would run.
    Job::attended(entry).map_err(|error| Failure::new(Exit::Failure, error))?;
    Job::of(entry, environment(read, entry, named)?, now).map_err(|error| Failure::new(Exit::Failure, error))
}

/// The environment in which a job runs.
fn environment<'a>(read: &'a Read, entry: &Entry, named: Option<&str>) -> Result<&'a Environment, Failure> {
    let rules = entry.scenario.environments.as_ref();
    let allowed = rules.map(|rules| rules.allow.as_slice()).unwrap_or_default();
    let only = || entry.environments.iter().next().filter(|_| entry.environments.len() == 1).map(String::as_str);
    let Some(name) = named.or_else(only) else {
        let text = format!("say with `--env NAME` in which environment `{}` is run by itself", entry.scenario.id);
        return Err(Failure::new(Exit::Failure, text));
    };
    if !allowed.is_empty() && !allowed.iter().any(|allowed| allowed == name) {
        let text =
            format!("scenario `{}` is allowed in {}, and not in `{name}`", entry.scenario.id, allowed.join(", "));
        return Err(Failure::new(Exit::Failure, text));
    }
    workspace::environment(&read.workspace, name)
}

fn write_units(output: Option<&Path>, read: &Read, job: &Job<'_>) -> Result<(), Failure> {
    let root = read.workspace.root.join(".").canonicalize().map_err(|error| Failure::from_error(&error))?;
    let program = std::env::current_exe().map_err(|error| Failure::from_error(&error))?;
    let units = systemd::units(job, &root, &program).map_err(|error| Failure::new(Exit::Failure, error))?;
    let Some(timer) = output else {
        out::line(format_args!("# the .timer\n{}\n# the .service\n{}", units.timer, units.service));
        return Ok(());
    };
    if timer.extension().is_none_or(|extension| extension != "timer") {
        return Err(Failure::new(Exit::Failure, "systemd knows a timer by its name: let `--output` end in `.timer`"));
    }
    write(Some(timer), &units.timer)?;
    write(Some(&timer.with_extension("service")), &units.service)
}

/// Writes a file whole, or to standard output.
fn write(output: Option<&Path>, text: &str) -> Result<(), Failure> {
    let Some(path) = output else {
        out::line(text.trim_end());
        return Ok(());
    };
    let path = WholeFile::write_to(path, text).map_err(|error| Failure::from_error(&error))?;
    out::line(format_args!("wrote {}", path.display()));
    Ok(())
}

fn calendar(
    arguments: &Arguments,
    read: &Read,
    chosen: &[Entry],
    now: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(), Failure> {
    let all = read.all();
    let (mut bookings, mut too_soon) = (Vec::new(), Vec::new());
    for entry in chosen {
        for date in entry.dates(&all, now, until, now) {
            let booking = Booking { entry, at: date.at };
            match date.objections.as_slice() {
                [] => bookings.push(booking),
                [Objection::TooSoon(_)] => too_soon.push(booking),
                _ => {}
            }
        }
    }
    if bookings.len() > EVENTS_MAX {
        let text = format!("a calendar gets at most {EVENTS_MAX} dates: ask for a shorter time with `--for`");
        return Err(Failure::new(Exit::Failure, text));
    }
    bookings.sort_by_key(|booking| booking.at);
    let scenarios: BTreeSet<String> = chosen.iter().map(|entry| entry.scenario.id.to_string()).collect();
    let retests = retests(read, &scenarios, now, until);
    let before = arguments.output.as_deref().map(before).transpose()?.flatten();
    let invitations = ics::Invitations {
        bookings: &bookings,
        too_soon: &too_soon,
        retests: &retests,
        scenarios: &scenarios,
        // Where nothing is found at all, this is not the workspace that the calendar is of.
        is_everything: arguments.scenario.is_empty() && !chosen.is_empty(),
        until,
        workload: read.workspace.workload.as_ref(),
        now,
    };
    let written = ics::calendar(&invitations, before.as_deref()).map_err(|error| Failure::from_error(&error))?;
    write(arguments.output.as_deref(), &written.text)?;
    let counts = [(written.added, "added"), (written.changed, "changed"), (written.cancelled, "cancelled")];
    out::progress(counted(&counts));
    if !too_soon.is_empty() {
        let dates = plural(too_soon.len(), "date is", "dates are");
        out::progress(format_args!("{dates} too soon to invite anybody who is not invited yet"));
    }
    Ok(())
}

/// The lessons that one of the scenarios tests again within the time.
fn retests(read: &Read, scenarios: &BTreeSet<String>, now: DateTime<Utc>, until: DateTime<Utc>) -> Vec<ics::RetestDue> {
    let shelf = shelf(&read.workspace.root.join(LESSONS));
    let due = |lesson: &crate::lesson::Lesson| {
        let (by, test) = (lesson.front.retest_by?, lesson.front.regression.as_ref()?);
        let is_ahead = *by >= now.date_naive() && *by <= until.date_naive();
        let is_open = lesson.front.status != crate::lesson::Status::Retired;
        let is_asked = scenarios.contains(test.scenario.as_str());
        (is_ahead && is_open && is_asked).then(|| ics::RetestDue {
            lesson: lesson.front.id.clone(),
            scenario: test.scenario.to_string(),
            by,
        })
    };
    shelf.entries().filter_map(due).collect()
}

/// The calendar that is there; none where there is no such file.
fn before(path: &Path) -> Result<Option<String>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failure, format_args!("`{}` can not be read: {error}", path.display()))
    };
    let length = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
        Ok(found) => found.len(),
    };
    if length > BEFORE_BYTES_MAX {
        return Err(failed(std::io::Error::other("it is too long")));
    }
    std::fs::read_to_string(path).map(Some).map_err(failed)
}
