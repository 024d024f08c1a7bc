//! The dates of a schedule: a cron pattern read in a time zone.
//!
//! A time that a change of clocks leaves out falls on the next instant that there is; one that comes twice counts the first time.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};

use crate::scenario::Schedule;
use crate::workspace::check_timezone;

/// How far ahead a date is looked for: a pattern such as `0 10 29 2 *` waits eight years at the turn of a century.
const YEARS_AHEAD: i32 = 9;

/// Why a schedule has no dates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Its pattern is none.
    #[error("`{pattern}` is not a schedule: {problem}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong.
        problem: String,
    },
    /// Its time zone is none.
    #[error("`{0}` is not a time zone")]
    Zone(String),
}

/// The time zone of a schedule; UTC where it names none.
///
/// # Errors
/// It names one that there is not.
pub(super) fn zone(schedule: &Schedule) -> Result<Tz, ScheduleError> {
    match &schedule.timezone {
        Some(name) => check_timezone(name).map_err(|_| ScheduleError::Zone(name.clone())),
        None => Ok(Tz::UTC),
    }
}

/// The dates of a schedule after a moment, in order, in its time zone; without an end, but for patterns that never come again.
///
/// # Errors
/// The pattern or the time zone is none.
pub fn dates(
    schedule: &Schedule,
    after: DateTime<Utc>,
) -> Result<impl Iterator<Item = DateTime<Tz>> + use<>, ScheduleError> {
    let zone = zone(schedule)?;
    let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
    let cron = parser.parse(&schedule.cron).map_err(|problem| ScheduleError::Pattern {
        pattern: schedule.cron.clone(),
        problem: problem.to_string().trim_end_matches('.').to_owned(),
    })?;
    // Wall times know no change of clocks: the pattern is asked for them, and the zone then says when each of them is. A day before,
    // since a time that the clocks leave out falls later than it is called.
    let start = after.with_timezone(&zone).naive_local() - chrono::TimeDelta::days(1);
    let end = chrono::Datelike::year(&start) + YEARS_AHEAD;
    let walls = cron.iter_after(start.and_utc()).map(|wall| wall.naive_utc());
    let walls = walls.take_while(move |wall| chrono::Datelike::year(wall) <= end);
    let mut last: Option<DateTime<Tz>> = None;
    let instants = walls.filter_map(move |wall| {
        let instant = instant(zone, wall)?;
        let is_new = last.is_none_or(|last| instant > last);
        last = Some(instant);
        is_new.then_some(instant)
    });
    Ok(instants.filter(move |instant| *instant > after))
}

/// The longest time that a change of clocks leaves out, in minutes: a day, where a country has moved over the date line.
const GAP_MINUTES_MAX: i64 = 25 * 60;

/// The first instant of a wall time, or the next one that there is.
fn instant(zone: Tz, wall: NaiveDateTime) -> Option<DateTime<Tz>> {
    (0..=GAP_MINUTES_MAX).find_map(|minutes| {
        let wall = wall.checked_add_signed(chrono::TimeDelta::minutes(minutes))?;
        wall.and_local_timezone(zone).earliest()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(cron: &str, zone: &str) -> Schedule {
        serde_json::from_value(serde_json::json!({"cron": cron, "timezone": zone})).unwrap()
    }

    fn first(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let dates = dates(&schedule(cron, zone), after.parse().unwrap()).unwrap();
        dates.take(count).map(|date| date.to_rfc3339()).collect()
    }

    #[test]
    fn the_second_tuesday_is_that_of_the_place() {
        assert_eq!(
            first("0 10 * * TUE#2", "Europe/Helsinki", "2026-11-28T00:00:00Z", 2),
            ["2026-12-08T10:00:00+02:00", "2027-01-12T10:00:00+02:00"]
        );
        assert_eq!(first("0 9 * * FRI#L", "UTC", "2026-11-28T00:00:00Z", 1), ["2026-12-25T09:00:00+00:00"]);
        assert_eq!(first("0 9 L * *", "UTC", "2027-02-01T00:00:00Z", 1), ["2027-02-28T09:00:00+00:00"]);
    }

    #[test]
    fn a_time_that_is_left_out_falls_on_the_next_one_and_a_time_that_comes_twice_counts_once() {
        assert_eq!(
            first("30 3 * * *", "Europe/Helsinki", "2027-03-27T12:00:00Z", 2),
            ["2027-03-28T04:00:00+03:00", "2027-03-29T03:30:00+03:00"]
        );
        assert_eq!(
            first("30 3 * * *", "Europe/Helsinki", "2027-10-30T12:00:00Z", 2),
            ["2027-10-31T03:30:00+03:00", "2027-11-01T03:30:00+02:00"]
        );
        // Half an hour, in the south.
        assert_eq!(
            first("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T03:00:00Z", 1),
            ["2026-10-04T02:30:00+11:00"]
        );
        // Asked between the called time and the real one.
        assert_eq!(first("30 3 28 3 *", "Europe/Helsinki", "2027-03-28T00:59:59Z", 1), ["2027-03-28T04:00:00+03:00"]);
    }

    #[test]
    fn what_never_comes_has_no_date_and_what_is_wrong_is_told() {
        assert_eq!(first("0 10 31 2 *", "UTC", "2026-11-28T00:00:00Z", 1), [""; 0]);
        assert_eq!(first("0 10 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1), ["2104-02-29T10:00:00+00:00"]);
        let error = |cron: &str, zone: &str| dates(&schedule(cron, zone), Utc::now_for_tests()).err().unwrap();
        assert!(matches!(error("soon", "UTC"), ScheduleError::Pattern { .. }));
        assert!(matches!(error("0 10 * * *", "Mars/North"), ScheduleError::Zone(_)));
    }

    trait NowForTests {
        fn now_for_tests() -> DateTime<Utc>;
    }

    impl NowForTests for Utc {
        fn now_for_tests() -> DateTime<Utc> {
            "2026-11-28T00:00:00Z".parse().unwrap()
        }
    }
}
