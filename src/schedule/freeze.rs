//! Times without game days: those that a scenario names, and those of a calendar's events (RFC 5545). What a calendar says that is not
//! understood is an error: a freeze that is passed over would be worse than none.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use icalendar::{Calendar, CalendarDateTime, Component as _, DatePerhapsTime, EventLike as _};

use super::date::{ScheduleError, zone};
use crate::scenario::Schedule;
use crate::unit::parse_iso_duration;

/// How many times a repeated event is taken at most, and how many events of one calendar.
const REPEATS_MAX: u16 = 4_000;
const EVENTS_MAX: usize = 20_000;

/// A time without game days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Its first moment.
    pub from: DateTime<Utc>,
    /// The first moment after it.
    pub to: DateTime<Utc>,
    /// Why.
    pub why: String,
}

/// Why a calendar can not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// It is none.
    #[error("it is no calendar (RFC 5545): {0}")]
    Syntax(String),
    /// An event of it is not understood.
    #[error("its event `{event}` is not understood: {problem}")]
    Event {
        /// The event's summary, or its UID.
        event: String,
        /// What is wrong.
        problem: String,
    },
    /// It has more events than are read.
    #[error("it has more than {EVENTS_MAX} events")]
    TooMany,
}

/// The freezes that a schedule names: from the first moment of the first day to the last of the last, in its time zone.
///
/// # Errors
/// The schedule's time zone is none.
pub fn inline_freezes(schedule: &Schedule) -> Result<Vec<Freeze>, ScheduleError> {
    let zone = zone(schedule)?;
    let freeze = |freeze: &crate::scenario::Freeze| Freeze {
        from: midnight(freeze.from.0, zone),
        to: midnight(freeze.to.0.checked_add_days(Days::new(1)).unwrap_or(freeze.to.0), zone),
        why: freeze.why.clone().unwrap_or_else(|| "a freeze".to_owned()),
    };
    Ok(schedule.freeze.iter().map(freeze).collect())
}

/// The freezes of a calendar; days without a time are those of `zone`.
///
/// # Errors
/// It is no calendar, or an event is not understood.
pub fn freezes_of_calendar(text: &str, schedule: &Schedule) -> Result<Vec<Freeze>, CalendarError> {
    let zone = zone(schedule).map_err(|error| CalendarError::Syntax(error.to_string()))?;
    if !text.contains("BEGIN:VCALENDAR") {
        return Err(CalendarError::Syntax("it does not begin with BEGIN:VCALENDAR".to_owned()));
    }
    let calendar: Calendar = text.parse().map_err(CalendarError::Syntax)?;
    let mut freezes = Vec::new();
    // To-dos, time zones and what else there is say nothing of a time without game days.
    for event in calendar.events() {
        freezes.extend(of_event(event, zone)?);
        if freezes.len() > EVENTS_MAX {
            return Err(CalendarError::TooMany);
        }
    }
    Ok(freezes)
}

fn of_event(event: &icalendar::Event, zone: Tz) -> Result<Vec<Freeze>, CalendarError> {
    let name = event.get_summary().or_else(|| event.get_uid()).unwrap_or("an event without a name").to_owned();
    let problem = |problem: &str| CalendarError::Event { event: name.clone(), problem: problem.to_owned() };
    // A cancelled event freezes nothing (RFC 5545, STATUS).
    if event.property_value("STATUS").is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED")) {
        return Ok(Vec::new());
    }
    let start = event.get_start().ok_or_else(|| problem("it has no DTSTART that can be read"))?;
    let is_day = matches!(start, DatePerhapsTime::Date(_));
    let from = moment(&start, zone).ok_or_else(|| problem("the time zone of its DTSTART is not known"))?;
    let length = match (event.get_end(), event.property_value("DURATION")) {
        (Some(end), _) => {
            let to = moment(&end, zone).ok_or_else(|| problem("the time zone of its DTEND is not known"))?;
            to - from
        }
        (None, Some(duration)) => {
            parse_iso_duration(duration).ok_or_else(|| problem("its DURATION can not be read"))?
        }
        (None, None) if event.property_value("DTEND").is_some() => return Err(problem("its DTEND can not be read")),
        // A day without an end is that day; a time without one is that moment (RFC 5545, 3.6.1).
        (None, None) if is_day => TimeDelta::days(1),
        (None, None) => TimeDelta::minutes(1),
    };
    if length <= TimeDelta::zero() {
        return Err(problem("it ends before it begins"));
    }
    let freeze = |from: DateTime<Utc>| Freeze { from, to: from + length, why: name.clone() };
    let repeats = ["RRULE", "RDATE", "EXDATE"]
        .iter()
        .any(|key| event.properties().contains_key(*key) || event.multi_properties().contains_key(*key));
    if !repeats {
        return Ok(vec![freeze(from)]);
    }
    let set = event.get_recurrence().map_err(|error| problem(&format!("its repeats can not be read: {error}")))?;
    let found = set.all(REPEATS_MAX);
    // A day without a time is read as one of UTC: it is that day of the zone.
    let instants =
        found.dates.iter().map(|date| if is_day { midnight(date.date_naive(), zone) } else { date.to_utc() });
    Ok(instants.map(freeze).collect())
}

fn moment(time: &DatePerhapsTime, zone: Tz) -> Option<DateTime<Utc>> {
    match time {
        DatePerhapsTime::Date(day) => Some(midnight(*day, zone)),
        DatePerhapsTime::DateTime(CalendarDateTime::Utc(moment)) => Some(*moment),
        DatePerhapsTime::DateTime(CalendarDateTime::Floating(wall)) => {
            wall.and_local_timezone(zone).earliest().map(|moment| moment.to_utc())
        }
        DatePerhapsTime::DateTime(CalendarDateTime::WithTimezone { date_time, tzid }) => {
            let zone: Tz = tzid.parse().ok()?;
            date_time.and_local_timezone(zone).earliest().map(|moment| moment.to_utc())
        }
    }
}

/// The first moment of a day; where the clocks leave midnight out, the next full hour.
fn midnight(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let hours = (0..=3).filter_map(|hour| day.and_hms_opt(hour, 0, 0));
    let found = hours.filter_map(|wall| wall.and_local_timezone(zone).earliest()).next();
    found.map_or_else(|| day.and_time(chrono::NaiveTime::MIN).and_utc(), |moment| moment.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        let value = serde_json::json!({
            "cron": "0 10 * * *", "timezone": "Europe/Helsinki",
            "freeze": [{"from": "2026-12-15", "to": "2027-01-07", "why": "campaign"}],
        });
        serde_json::from_value(value).unwrap()
    }

    fn of(lines: &str) -> Result<Vec<(String, String)>, CalendarError> {
        let text = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Rest\r\n{}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
            lines.replace('\n', "\r\n")
        );
        let found = freezes_of_calendar(&text, &schedule())?;
        Ok(found.iter().map(|freeze| (freeze.from.to_rfc3339(), freeze.to.to_rfc3339())).collect())
    }

    #[test]
    fn days_that_a_scenario_names_are_whole_days_of_its_place() {
        let found = inline_freezes(&schedule()).unwrap();
        assert_eq!(found[0].from.to_rfc3339(), "2026-12-14T22:00:00+00:00");
        assert_eq!(found[0].to.to_rfc3339(), "2027-01-07T22:00:00+00:00");
    }

    #[test]
    fn the_events_of_a_calendar_freeze_their_time_whatever_their_form() {
        let one = |lines: &str| of(lines).unwrap()[0].clone();
        let span = |from: &str, to: &str| (format!("{from}+00:00"), format!("{to}+00:00"));
        // The end of a day is not of it.
        assert_eq!(
            one("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227"),
            span("2026-12-23T22:00:00", "2026-12-26T22:00:00")
        );
        assert_eq!(one("DTSTART;VALUE=DATE:20261224"), span("2026-12-23T22:00:00", "2026-12-24T22:00:00"));
        assert_eq!(
            one("DTSTART:20261224T100000Z\nDTEND:20261224T120000Z"),
            span("2026-12-24T10:00:00", "2026-12-24T12:00:00")
        );
        assert_eq!(
            one("DTSTART;TZID=America/New_York:20261224T100000\nDURATION:P1DT2H"),
            span("2026-12-24T15:00:00", "2026-12-25T17:00:00")
        );
        assert_eq!(one("DTSTART:20261224T100000\nDURATION:PT30M"), span("2026-12-24T08:00:00", "2026-12-24T08:30:00"));
        let repeated = of("DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=YEARLY;COUNT=3").unwrap();
        assert_eq!(
            repeated.iter().map(|(from, _)| from.get(..4).unwrap()).collect::<Vec<_>>(),
            ["2026", "2027", "2028"]
        );
        assert_eq!(repeated[2].0, "2028-12-23T22:00:00+00:00");
        assert_eq!(of("DTSTART;VALUE=DATE:20261224\nSTATUS:CANCELLED").unwrap(), []);
    }

    #[test]
    fn what_is_not_understood_is_told_and_never_passed_over() {
        for (lines, problem) in [
            ("DTEND:20261224T120000Z", "no DTSTART"),
            ("DTSTART;TZID=Nowhere/Town:20261224T100000", "time zone of its DTSTART"),
            ("DTSTART:20261224T100000Z\nDTEND:20261223T100000Z", "ends before"),
            ("DTSTART:20261224T100000Z\nDURATION:soon", "DURATION"),
            ("DTSTART:20261224T100000Z\nRRULE:FREQ=NEVER", "repeats"),
        ] {
            let error = of(lines).unwrap_err().to_string();
            assert!(error.contains(problem) && error.contains("`Rest`"), "{lines}: {error}");
        }
        assert!(matches!(freezes_of_calendar("no calendar", &schedule()), Err(CalendarError::Syntax(_))));
        assert!(matches!(freezes_of_calendar("", &schedule()), Err(CalendarError::Syntax(_))));
    }
}
