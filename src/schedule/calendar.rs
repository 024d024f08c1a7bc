//! Freezes from a calendar file (`.ics`, RFC 5545), read offline. Must not know: scenarios.
//!
//! A freeze is never left out silently: what is not understood is an error. Events count whether or not they make somebody busy,
//! since public holidays mostly do not; those that were cancelled do not. An instance that was moved freezes its old time as well.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use icalendar::parser::{Component, Property, read_calendar as parse, unfold};
use rrule::RRuleSet;

use super::guard::Span;
use crate::document::{Diagnostic, SourceFile};
use crate::scenario::CALENDAR_BYTES_MAX;
use crate::unit::read_below;
use crate::workspace::{check_timezone, moment};

/// How deep the parts of a calendar may stand in each other. An alarm in an event in a calendar is three deep.
const DEPTH_MAX: usize = 8;

/// How many events one calendar may have.
const EVENTS_MAX: usize = 10_000;

/// How many times one event may come back in the span that is asked for.
const OCCURRENCES_MAX: u16 = 20_000;

/// What brings an event back several times a day: to count such from long ago takes minutes, and a freeze is not written so.
const OFTEN: [&str; 6] = ["=SECONDLY", "=MINUTELY", "=HOURLY", "BYSECOND", "BYMINUTE", "BYHOUR"];

/// How long before the span an event that comes back may have begun and still reach into it.
const LONGEST: TimeDelta = TimeDelta::days(366);

/// Reads the spans of a calendar that lie below `root` between two moments. A time without a zone is one of `zone`.
///
/// # Errors
/// Everything in it that is not understood, with its line.
pub fn read_calendar(
    root: &Path,
    path: &str,
    zone: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Span>, Vec<Diagnostic>> {
    let whole = |code, message: String| {
        let source = Arc::new(SourceFile::new(path, ""));
        vec![
            Diagnostic::error(&source, 0..0, code, message).with_help("name a calendar file (`.ics`) of the workspace"),
        ]
    };
    let bytes =
        read_below(root, path, CALENDAR_BYTES_MAX).map_err(|error| whole("calendar-file", error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| whole("calendar-file", format!("`{path}` is not UTF-8")))?;
    check_calendar(&Arc::new(SourceFile::new(root.join(path).display().to_string(), text)), zone, from, to)
}

/// Reads the text of a calendar, as [`read_calendar`] does.
///
/// # Errors
/// Everything in it that is not understood, with its line.
pub fn check_calendar(
    source: &Arc<SourceFile>,
    zone: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Span>, Vec<Diagnostic>> {
    let first_line = |message: String| {
        let problem = Diagnostic::error(source, source.line(1), "not-a-calendar", message);
        vec![problem.with_help("export it from your calendar program as iCalendar (`.ics`)")]
    };
    // All that is counted is counted in the text that the parser gets: folded lines and small letters must not hide anything.
    let text = in_capitals(&unfold(source.text()));
    if text.lines().find(|line| !line.is_empty()) != Some("BEGIN:VCALENDAR") {
        return Err(first_line("this is no calendar: it does not begin with `BEGIN:VCALENDAR`".to_owned()));
    }
    if is_too_deep(&text) {
        return Err(first_line(format!("its parts stand more than {DEPTH_MAX} deep in each other")));
    }
    let calendar = parse(&text).map_err(|_| first_line("its lines can not be read as a calendar".to_owned()))?;
    if let Some(part) = calendar.components.iter().find(|part| !is_known(part.name.as_str())) {
        let message = format!("it has a `{}`, which is not understood: only events are freezes", part.name);
        return Err(first_line(message));
    }
    let told = text.lines().filter(|line| *line == "BEGIN:VEVENT").count();
    let events: Vec<&Component<'_>> = calendar.components.iter().filter(|part| part.name == "VEVENT").collect();
    if told != events.len() {
        let read = events.len();
        return Err(first_line(format!(
            "it has {told} events, of which {read} could be read: a line among them is broken"
        )));
    }
    if events.len() > EVENTS_MAX {
        return Err(first_line(format!("it has more than {EVENTS_MAX} events")));
    }
    let (mut spans, mut problems) = (Vec::new(), Vec::new());
    for (index, event) in events.into_iter().enumerate() {
        match spans_of(event, zone, from, to) {
            Ok(found) => spans.extend(found),
            Err(NotUnderstood { property, message, help }) => {
                let line = line_of(source.text(), index, property);
                problems.push(Diagnostic::error(source, source.line(line), "calendar-event", message).with_help(help));
            }
        }
    }
    if problems.is_empty() { Ok(spans) } else { Err(problems) }
}

/// What of an event is not understood.
struct NotUnderstood {
    property: &'static str,
    message: String,
    help: &'static str,
}

impl NotUnderstood {
    fn new(property: &'static str, message: impl Into<String>, help: &'static str) -> Self {
        Self { property, message: message.into(), help }
    }
}

/// A moment as an event says it: a day, or a time in some zone.
#[derive(Clone, Copy)]
struct Said {
    wall: NaiveDateTime,
    zone: Tz,
    is_day: bool,
}

impl Said {
    fn moment(self) -> Option<DateTime<Utc>> {
        Some(moment(self.zone, self.wall)?.to_utc())
    }
}

/// The lines with the names of parts and properties in capitals: RFC 5545 (1.3) takes them in any case, the parser only in this one.
fn in_capitals(text: &str) -> String {
    let line = |line: &str| {
        let line = line.trim_end();
        let (name, rest) = line.split_at(line.find([':', ';']).unwrap_or(line.len()));
        let name = name.to_ascii_uppercase();
        let is_part = matches!(name.as_str(), "BEGIN" | "END");
        let rest = if is_part { rest.to_ascii_uppercase() } else { rest.to_owned() };
        format!("{name}{rest}\r\n")
    };
    text.lines().map(line).collect()
}

/// Whether a part of a calendar is an event, or says nothing of times in which somebody is busy.
fn is_known(part: &str) -> bool {
    matches!(part, "VEVENT" | "VTIMEZONE" | "VTODO" | "VJOURNAL") || part.starts_with("X-")
}

/// Whether the parts of a calendar stand too deep in each other for the parser, which goes down by a call for each.
pub(super) fn is_too_deep(text: &str) -> bool {
    depth(&in_capitals(&unfold(text))) > DEPTH_MAX
}

fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for line in text.lines() {
        if line.starts_with("BEGIN:") {
            depth += 1;
            deepest = deepest.max(depth);
        } else if line.starts_with("END:") {
            depth = depth.saturating_sub(1);
        }
    }
    deepest
}

/// The line of a property in the event of that index, or the event's own.
fn line_of(text: &str, index: usize, property: &str) -> usize {
    let mut lines = text.lines().enumerate();
    let begins = |(_, line): &(usize, &str)| line.trim_end().eq_ignore_ascii_case("BEGIN:VEVENT");
    let Some((start, _)) = lines.by_ref().filter(begins).nth(index) else { return 1 };
    let found = lines
        .take_while(|(_, line)| !line.trim_end().eq_ignore_ascii_case("END:VEVENT"))
        .find(|(_, line)| line.split([':', ';']).next().is_some_and(|name| name.eq_ignore_ascii_case(property)));
    found.map_or(start, |(line, _)| line) + 1
}

fn spans_of(
    event: &Component<'_>,
    zone: Tz,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Span>, NotUnderstood> {
    let status = event.find_prop("STATUS").map(|status| status.val.as_str());
    if status.is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED")) {
        return Ok(Vec::new());
    }
    let start = event.find_prop("DTSTART");
    let start = start.ok_or_else(|| NotUnderstood::new("BEGIN", "the event has no `DTSTART`", "say when it begins"))?;
    let start = said("DTSTART", start, start.val.as_str(), zone)?;
    let length = length(event, start, zone)?;
    if event.find_prop("EXRULE").is_some() {
        let help = "write the exceptions as `EXDATE`; RFC 5545 has given `EXRULE` up";
        return Err(NotUnderstood::new("EXRULE", "`EXRULE` is not understood", help));
    }
    if event.properties.iter().filter(|property| property.name == "RRULE").count() > 1 {
        let help = "write one event for each rule; RFC 5545 wants one `RRULE` at most";
        return Err(NotUnderstood::new("RRULE", "the event has more than one `RRULE`", help));
    }
    let mut starts = vec![start];
    if let Some(rule) = event.find_prop("RRULE") {
        let earliest = from - LONGEST.max(length.real);
        // RFC 5545: names and values in enumerations do not depend on their case.
        let others = repeated(&rule.val.as_str().to_ascii_uppercase(), start, earliest, to)?;
        // RFC 5545 (3.8.5.3): `DTSTART` is the first instance, whether or not the rule has it.
        starts.extend(others.into_iter().filter(|other| other.wall != start.wall));
    }
    let more = all("RDATE", event, zone)?;
    let left_out: Vec<DateTime<Utc>> = all("EXDATE", event, zone)?.into_iter().filter_map(Said::moment).collect();
    let why = event.find_prop("SUMMARY").map_or("a calendar's event", |summary| summary.val.as_str());
    let span = |start: Said| {
        let begins = start.moment()?;
        let ends = match length.days {
            Some(days) => Said { wall: start.wall + days, ..start }.moment()?,
            None => begins + length.real,
        };
        let is_wanted = !left_out.contains(&begins) && ends > from && begins <= to;
        is_wanted.then(|| Span { from: begins, to: ends, why: why.to_owned() })
    };
    Ok(starts.into_iter().chain(more).filter_map(span).collect())
}

/// How long an event is: whole days on the calendar, which a change of clocks makes longer or shorter, or a time.
struct Length {
    days: Option<TimeDelta>,
    real: TimeDelta,
}

fn length(event: &Component<'_>, start: Said, zone: Tz) -> Result<Length, NotUnderstood> {
    let days = |days: TimeDelta| Length { days: Some(days), real: days };
    let backwards = || NotUnderstood::new("DTEND", "the event ends before it begins", "set `DTEND` after `DTSTART`");
    if let Some(end) = event.find_prop("DTEND") {
        let end = said("DTEND", end, end.val.as_str(), zone)?;
        if start.is_day && end.is_day {
            // The last day is the one before `DTEND`; some programs write the same day twice and mean that one.
            let length = (end.wall - start.wall).max(TimeDelta::days(1));
            return if end.wall < start.wall { Err(backwards()) } else { Ok(days(length)) };
        }
        let moments = start.moment().zip(end.moment());
        let real = moments.map(|(start, end)| end - start).filter(|real| *real >= TimeDelta::zero());
        return real.map(|real| Length { days: None, real }).ok_or_else(backwards);
    }
    if let Some(duration) = event.find_prop("DURATION") {
        let help = "write it as RFC 5545 does: `PT2H`, `P1D`";
        let message = || format!("`{}` is no duration", duration.val.as_str());
        let real = duration_of(duration.val.as_str()).ok_or_else(|| NotUnderstood::new("DURATION", message(), help))?;
        return Ok(if start.is_day { days(real) } else { Length { days: None, real } });
    }
    Ok(if start.is_day { days(TimeDelta::days(1)) } else { Length { days: None, real: TimeDelta::zero() } })
}

/// `P1W`, `P1D`, `PT2H30M`, `P1DT2H` (RFC 5545, 3.3.6); none for what is no such thing, or is longer than a hundred years.
fn duration_of(text: &str) -> Option<TimeDelta> {
    let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (days, time) = text.split_once('T').map_or((text, ""), |(days, time)| (days, time));
    if days.is_empty() && time.is_empty() {
        return None;
    }
    let seconds = |text: &str, units: &[(char, i64)]| {
        let (mut total, mut number) = (0_i64, String::new());
        for c in text.chars() {
            if c.is_ascii_digit() {
                number.push(c);
            } else {
                let (_, unit) = units.iter().find(|(name, _)| *name == c)?;
                total = total.checked_add(std::mem::take(&mut number).parse::<i64>().ok()?.checked_mul(*unit)?)?;
            }
        }
        number.is_empty().then_some(total)
    };
    let total = seconds(days, &[('W', 604_800), ('D', 86_400)])?
        .checked_add(seconds(time, &[('H', 3_600), ('M', 60), ('S', 1)])?)?;
    TimeDelta::try_seconds(total).filter(|length| *length <= TimeDelta::days(36_525))
}

fn said(name: &'static str, property: &Property<'_>, value: &str, zone: Tz) -> Result<Said, NotUnderstood> {
    let wrong = || {
        let help = "write a day as `20261224`, a time as `20261224T100000` or `20261224T080000Z`";
        NotUnderstood::new(name, format!("`{value}` is no date of a calendar"), help)
    };
    if let Ok(date) = NaiveDate::parse_from_str(value, "%Y%m%d").map_err(|_| ()).and_then(near_now) {
        return Ok(Said { wall: date.and_time(NaiveTime::MIN), zone, is_day: true });
    }
    let (text, is_utc) = value.strip_suffix('Z').map_or((value, false), |text| (text, true));
    let wall = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S").map_err(|_| wrong())?;
    near_now(wall.date()).map_err(|()| wrong())?;
    let named = property
        .params
        .iter()
        .find(|parameter| parameter.key.as_str().eq_ignore_ascii_case("TZID"))
        .and_then(|found| found.val.as_ref());
    let zone = match named {
        _ if is_utc => Tz::UTC,
        None => zone,
        Some(named) => check_timezone(named.as_str().trim_matches('"').trim_start_matches('/')).map_err(|problem| {
            let help =
                "name IANA zones in the calendar, such as `Europe/Helsinki`: a `VTIMEZONE` of its own is not read";
            NotUnderstood::new(name, problem.problem, help)
        })?,
    };
    Ok(Said { wall, zone, is_day: false })
}

/// Years that arithmetic can not leave.
fn near_now(date: NaiveDate) -> Result<NaiveDate, ()> {
    if (1900..=2500).contains(&chrono::Datelike::year(&date)) { Ok(date) } else { Err(()) }
}

/// Every date of a property that may stand several times.
fn all(name: &'static str, event: &Component<'_>, zone: Tz) -> Result<Vec<Said>, NotUnderstood> {
    let properties = event.properties.iter().filter(|property| property.name == name);
    let each = properties.flat_map(|property| property.val.as_str().split(',').map(move |value| (property, value)));
    each.map(|(property, value)| said(name, property, value, zone)).collect()
}

/// When an event comes back. The rule is read against the clock on the wall, as the event's own time is.
fn repeated(rule: &str, start: Said, earliest: DateTime<Utc>, to: DateTime<Utc>) -> Result<Vec<Said>, NotUnderstood> {
    let wrong = |why: &str| {
        let message = format!("the event comes back by `{rule}`, {why}");
        NotUnderstood::new("RRULE", message, "write a rule of RFC 5545, as in `FREQ=YEARLY`, or each event by itself")
    };
    if OFTEN.iter().any(|part| rule.contains(part)) {
        return Err(wrong("which is more often than daily"));
    }
    // RFC 5545 (3.3.10): both are positive; the library takes 0 for a rule without a date.
    let is_nothing = |part: &str| {
        let count = part.strip_prefix("INTERVAL=").or_else(|| part.strip_prefix("COUNT="));
        count.is_some_and(|count| count.trim().parse::<u32>().map_or(true, |count| count == 0))
    };
    if rule.split(';').any(is_nothing) {
        return Err(wrong("which has no date: `INTERVAL` and `COUNT` begin at 1"));
    }
    let wall = |at: DateTime<Utc>| at.with_timezone(&start.zone).naive_local().and_utc();
    let text = format!("DTSTART:{}Z\nRRULE:{}", start.wall.format("%Y%m%dT%H%M%S"), on_the_wall(rule, start.zone));
    let set: RRuleSet = text.parse().map_err(|_| wrong("which is not understood"))?;
    let of_rule = |at: DateTime<Utc>| rrule::Tz::UTC.from_utc_datetime(&at.naive_utc());
    let found = set.after(of_rule(wall(earliest))).before(of_rule(wall(to))).all(OCCURRENCES_MAX);
    if found.limited {
        return Err(wrong("which is too often"));
    }
    Ok(found.dates.into_iter().map(|date| Said { wall: date.naive_utc(), ..start }).collect())
}

/// `UNTIL` as the wall of the zone shows it, in the form in which the library wants it.
fn on_the_wall(rule: &str, zone: Tz) -> String {
    let part = |part: &str| {
        let Some(until) = part.strip_prefix("UNTIL=") else { return part.to_owned() };
        if let Ok(date) = NaiveDate::parse_from_str(until, "%Y%m%d") {
            return format!("UNTIL={}T235959Z", date.format("%Y%m%d"));
        }
        let Ok(time) = NaiveDateTime::parse_from_str(until.trim_end_matches('Z'), "%Y%m%dT%H%M%S") else {
            return part.to_owned();
        };
        let wall = if until.ends_with('Z') { time.and_utc().with_timezone(&zone).naive_local() } else { time };
        format!("UNTIL={}Z", wall.format("%Y%m%dT%H%M%S"))
    };
    rule.split(';').map(part).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(events: &[&str]) -> Result<Vec<String>, Vec<(usize, String)>> {
        let body: String = events.iter().map(|event| format!("BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n")).collect();
        let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{body}END:VCALENDAR\r\n");
        let source = Arc::new(SourceFile::new("f.ics", text));
        let (from, to) = ("2026-12-01T00:00:00Z".parse().unwrap(), "2027-12-31T00:00:00Z".parse().unwrap());
        let minutes = |at: DateTime<Utc>| at.format("%F %H:%M").to_string();
        check_calendar(&source, Tz::Europe__Helsinki, from, to)
            .map(|spans| spans.iter().map(|span| format!("{} - {}", minutes(span.from), minutes(span.to))).collect())
            .map_err(|found| found.into_iter().map(|d| (source.position(d.span.start).line, d.message)).collect())
    }

    #[test]
    fn a_whole_day_ends_before_its_dtend_in_the_zone_of_the_schedule() {
        let days = read(&["DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261227", "DTSTART;VALUE=DATE:20270328"]);
        // The clocks change on 2027-03-28, which has 23 hours.
        assert_eq!(days.unwrap(), ["2026-12-23 22:00 - 2026-12-26 22:00", "2027-03-27 22:00 - 2027-03-28 21:00"]);
    }

    #[test]
    fn times_are_in_their_zone_and_lengths_may_be_durations() {
        let times = read(&[
            "DTSTART;TZID=America/New_York:20270104T090000\r\nDURATION:PT2H30M",
            "DTSTART:20270104T090000Z\r\nDTEND:20270104T100000Z",
            "DTSTART:20270104T090000\r\nDURATION:P1DT1H",
        ]);
        let expected = [
            "2027-01-04 14:00 - 2027-01-04 16:30",
            "2027-01-04 09:00 - 2027-01-04 10:00",
            "2027-01-04 07:00 - 2027-01-05 08:00",
        ];
        assert_eq!(times.unwrap(), expected);
    }

    #[test]
    fn what_comes_back_does_so_by_the_clock_on_the_wall_with_its_exceptions() {
        let weekly = read(&["DTSTART;TZID=Europe/Helsinki:20270325T100000\r\nDURATION:PT1H\r\n\
             RRULE:FREQ=WEEKLY;UNTIL=20270415T070000Z\r\nEXDATE;TZID=Europe/Helsinki:20270408T100000\r\n\
             RDATE;TZID=Europe/Helsinki:20270501T100000"]);
        let expected = [
            "2027-03-25 08:00 - 2027-03-25 09:00",
            "2027-04-01 07:00 - 2027-04-01 08:00",
            "2027-04-15 07:00 - 2027-04-15 08:00",
            "2027-05-01 07:00 - 2027-05-01 08:00",
        ];
        assert_eq!(weekly.unwrap(), expected);
        let daily = read(&["DTSTART;VALUE=DATE:19000101\r\nRRULE:FREQ=DAILY"]).unwrap();
        assert!(daily.len() > 390, "{}", daily.len());
        let yearly = read(&["DTSTART;VALUE=DATE:19991206\r\nRRULE:FREQ=YEARLY"]).unwrap();
        assert_eq!(yearly, ["2026-12-05 22:00 - 2026-12-06 22:00", "2027-12-05 22:00 - 2027-12-06 22:00"]);
        // A Friday, of a rule for Mondays.
        let start = read(&["DTSTART;VALUE=DATE:20270101\r\nRRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20270105"]).unwrap();
        assert_eq!(start, ["2026-12-31 22:00 - 2027-01-01 22:00", "2027-01-03 22:00 - 2027-01-04 22:00"]);
        assert_eq!(read(&["DTSTART:20261224T090000Z\r\nSTATUS:CANCELLED"]).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line() {
        for (event, line, told) in [
            ("SUMMARY:x", 3, "the event has no `DTSTART`"),
            ("UID:1\r\nDTSTART:soon", 5, "`soon` is no date of a calendar"),
            ("DTSTART;TZID=FLE Standard Time:20270104T090000", 4, "`FLE Standard Time` is not a time zone"),
            ("DTSTART:20270104T090000Z\r\nDTEND:20270103T090000Z", 5, "the event ends before it begins"),
            ("DTSTART:20270104T090000Z\r\nDURATION:2 hours", 5, "`2 hours` is no duration"),
            (
                "DTSTART:20270104T090000Z\r\nRRULE:FREQ=SOMETIMES",
                5,
                "the event comes back by `FREQ=SOMETIMES`, which is not understood",
            ),
            (
                "DTSTART:20270104T090000Z\r\nRRULE:freq=secondly",
                5,
                "the event comes back by `FREQ=SECONDLY`, which is more often than daily",
            ),
            ("DTSTART:20270104T090000Z\r\nRRULE:FREQ=DAILY;INTERVAL=0", 5, "the event comes back by"),
            ("DTSTART:20270104T090000Z\r\nRRULE:FREQ=DAILY;COUNT=0", 5, "the event comes back by"),
            ("DTSTART:20270104T090000Z\r\nEXRULE:FREQ=DAILY", 5, "`EXRULE` is not understood"),
            ("DTSTART:99990104T090000Z", 4, "`99990104T090000Z` is no date of a calendar"),
        ] {
            let found = read(&[event]).unwrap_err();
            assert_eq!(found.len(), 1);
            assert!(found[0].1.starts_with(told), "{event}: {found:?}");
            assert_eq!(found[0].0, line, "{event}: {found:?}");
        }
        let both = read(&["DTSTART:soon", "DTSTART:20270104T090000Z", "SUMMARY:x"]).unwrap_err();
        assert_eq!(both.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [4, 9], "every problem at once");
    }

    #[test]
    fn what_is_no_calendar_is_told_and_nothing_deep_breaks_the_reader() {
        let read = |text: &str| {
            let source = Arc::new(SourceFile::new("f.ics", text));
            check_calendar(&source, Tz::UTC, DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH).unwrap_err().remove(0).message
        };
        assert!(read("<html>").starts_with("this is no calendar"));
        assert!(read(&"BEGIN:VCALENDAR\n".repeat(100_000)).starts_with("its parts stand more than 8 deep"));
        assert!(read("BEGIN:VCALENDAR\nBEGIN:VEVENT\nbroken\n").starts_with("it"));
    }

    fn told(text: &str) -> Result<usize, String> {
        let (from, to) = ("2026-12-01T00:00:00Z".parse().unwrap(), "2027-12-31T00:00:00Z".parse().unwrap());
        let found = check_calendar(&Arc::new(SourceFile::new("f.ics", text)), Tz::UTC, from, to);
        found.map(|spans| spans.len()).map_err(|problems| problems[0].message.clone())
    }

    #[test]
    fn small_letters_and_folded_lines_hide_no_freeze() {
        let small = "begin:vcalendar\nbegin:vevent\ndtstart;tzid=Europe/Helsinki:20261208T100000\nduration:PT1H\nend:vevent\nend:vcalendar\n";
        assert_eq!(told(small), Ok(1));
        let rule = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20201208\nrrule:freq=yearly\nEND:VEVENT\nEND:VCALENDAR\n";
        assert_eq!(told(rule), Ok(2), "once in each of the two years");
        let folded = "BEGIN:VCALENDAR\nBEG\n IN:VEVENT\nDTSTART;VALUE=DATE:20261208\nEND:VEVENT\nEND:VCALENDAR\n";
        assert_eq!(told(folded), Ok(1));
    }

    #[test]
    fn parts_that_are_not_understood_and_a_second_rule_are_told() {
        let busy = "BEGIN:VCALENDAR\nBEGIN:VFREEBUSY\nFREEBUSY:20261208T000000Z/P1D\nEND:VFREEBUSY\nEND:VCALENDAR\n";
        assert!(told(busy).unwrap_err().starts_with("it has a `VFREEBUSY`"));
        let todo = "BEGIN:VCALENDAR\nBEGIN:VTODO\nSUMMARY:x\nEND:VTODO\nEND:VCALENDAR\n";
        assert_eq!(told(todo), Ok(0));
        let two =
            read(&["DTSTART;VALUE=DATE:20200101\r\nRRULE:FREQ=YEARLY\r\nRRULE:FREQ=YEARLY;BYMONTH=12"]).unwrap_err();
        assert_eq!(two, [(5, "the event has more than one `RRULE`".to_owned())]);
    }

    #[test]
    fn parts_that_stand_too_deep_are_told_however_they_are_written() {
        for begin in ["BEGIN:X", "begin:x", "BEG\r\n IN:X", "BEGIN\r\n\t:X"] {
            let text = format!("BEGIN:VCALENDAR\r\n{}", format!("{begin}\r\n").repeat(60_000));
            assert!(told(&text).unwrap_err().contains("deep in each other"), "{begin}");
        }
    }
}
