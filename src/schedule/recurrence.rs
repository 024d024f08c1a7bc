//! Dates from a cron pattern and a time zone. Must not know: what speaks against a date.
//!
//! The pattern is read against the clock on the wall. A time that a change of clocks leaves out runs at the first minute after the
//! change; one that comes twice runs once, at the first. Nothing is ever caught up.

use chrono::{DateTime, NaiveDateTime, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Direction};

use super::DATES_MAX;
use crate::scenario::Schedule;
use crate::workspace::{check_timezone, moment};

/// Why a schedule has no dates. `gameday check` tells both of these with their place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecurrenceError {
    /// The pattern is none.
    #[error("`{cron}` is not a schedule")]
    Cron {
        /// The pattern.
        cron: String,
    },
    /// The time zone is none.
    #[error("`{zone}` is not a time zone")]
    Zone {
        /// Its name.
        zone: String,
    },
}

/// A cron pattern in a time zone.
#[derive(Debug, Clone)]
pub struct Recurrence {
    pub(super) cron: Cron,
    /// The time zone in which it is meant.
    pub zone: Tz,
}

impl Recurrence {
    /// The recurrence of a schedule; its zone is UTC where none is named.
    ///
    /// # Errors
    /// See [`RecurrenceError`].
    pub fn of(schedule: &Schedule) -> Result<Self, RecurrenceError> {
        let name = schedule.timezone.as_deref().unwrap_or("UTC");
        let zone = check_timezone(name).map_err(|_| RecurrenceError::Zone { zone: name.to_owned() })?;
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(&schedule.cron).map_err(|_| RecurrenceError::Cron { cron: schedule.cron.clone() })?;
        Ok(Self { cron, zone })
    }

    /// The dates from `from` on, that moment included, each once and in order.
    pub fn from(&self, from: DateTime<Utc>) -> impl Iterator<Item = DateTime<Tz>> + '_ {
        // A time that was left out may come up to a change of clocks later than the wall says; what is too early is left out below.
        let wall = from.with_timezone(&self.zone).naive_local() - chrono::TimeDelta::hours(4);
        let mut last = None;
        self.cron
            .iter_from(wall.and_utc(), Direction::Forward)
            .filter_map(|wall| moment(self.zone, wall.naive_utc()))
            .filter(move |date| *date >= from)
            .filter(move |date| last.replace(*date) != Some(*date))
    }

    /// The times on the wall between two moments that a change of clocks leaves out, at most `count`. Other programs may do something
    /// else with these than [`Recurrence::from`] does.
    #[must_use]
    pub fn left_out(&self, from: DateTime<Utc>, to: DateTime<Utc>, count: usize) -> Vec<NaiveDateTime> {
        let wall = |at: DateTime<Utc>| at.with_timezone(&self.zone).naive_local().and_utc();
        let times =
            self.cron.iter_from(wall(from), Direction::Forward).take(DATES_MAX).take_while(|time| *time < wall(to));
        let is_left_out = |time: &NaiveDateTime| self.zone.from_local_datetime(time).earliest().is_none();
        times.map(|time| time.naive_utc()).filter(is_left_out).take(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let text = format!("{{cron: '{cron}', timezone: {zone}}}");
        let schedule: Schedule = serde_yaml::from_str(&text).unwrap();
        let recurrence = Recurrence::of(&schedule).unwrap();
        recurrence.from(from.parse().unwrap()).take(count).map(|date| date.format("%F %H:%M %Z").to_string()).collect()
    }

    #[test]
    fn the_second_tuesday_and_the_last_day_are_found() {
        let second = dates("0 10 * * TUE#2", "Europe/Helsinki", "2026-11-28T00:00:00Z", 2);
        assert_eq!(second, ["2026-12-08 10:00 EET", "2027-01-12 10:00 EET"]);
        assert_eq!(dates("0 9 L * *", "UTC", "2027-02-01T00:00:00Z", 1), ["2027-02-28 09:00 UTC"]);
        assert_eq!(dates("0 9 * * *", "UTC", "2027-02-01T09:00:00Z", 1), ["2027-02-01 09:00 UTC"], "the moment itself");
        assert_eq!(dates("0 9 31 2 *", "UTC", "2027-02-01T00:00:00Z", 1), Vec::<String>::new(), "it never comes");
    }

    #[test]
    fn a_time_that_is_left_out_comes_right_after_and_one_that_comes_twice_runs_once() {
        let gap = dates("30 3 * * *", "Europe/Helsinki", "2027-03-27T12:00:00Z", 2);
        assert_eq!(gap, ["2027-03-28 04:00 EEST", "2027-03-29 03:30 EEST"]);
        let often = dates("*/15 3,4 * * *", "Europe/Helsinki", "2027-03-28T00:00:00Z", 2);
        assert_eq!(often, ["2027-03-28 04:00 EEST", "2027-03-28 04:15 EEST"], "left out four times, and runs once");
        let twice = dates("30 3 * * *", "Europe/Helsinki", "2026-10-24T12:00:00Z", 2);
        assert_eq!(twice, ["2026-10-25 03:30 EEST", "2026-10-26 03:30 EET"]);
        assert_eq!(dates("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", 1), ["2026-10-04 02:30 +11"]);
    }

    #[test]
    fn what_is_no_pattern_and_no_zone_is_told() {
        let of =
            |text: &str| Recurrence::of(&serde_yaml::from_str(text).unwrap()).map(|_| ()).map_err(|e| e.to_string());
        assert_eq!(of("{cron: soon}"), Err("`soon` is not a schedule".to_owned()));
        assert_eq!(of("{cron: 0 9 * * *, timezone: Mars}"), Err("`Mars` is not a time zone".to_owned()));
    }
}
