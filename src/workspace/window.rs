//! A span of the week. Owns: its words, and when it is open. Must not know: public holidays.

use chrono::{DateTime, Datelike as _, Days, NaiveDateTime, NaiveTime, TimeDelta, TimeZone as _, Utc, Weekday};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{UnitError, nearest};

const DAYS: [(&str, Weekday); 7] = [
    ("MON", Weekday::Mon),
    ("TUE", Weekday::Tue),
    ("WED", Weekday::Wed),
    ("THU", Weekday::Thu),
    ("FRI", Weekday::Fri),
    ("SAT", Weekday::Sat),
    ("SUN", Weekday::Sun),
];

/// A span of the week in which runs may start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days: `MON-THU`, or `MON,WED`.
    pub days: String,
    /// The first time of day: `09:00`.
    pub from: String,
    /// The last time of day: `15:00`.
    pub to: String,
    /// An IANA time zone; default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// When a window is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// It is.
    Now,
    /// It opens next at this moment.
    At(DateTime<chrono_tz::Tz>),
}

/// How many days ahead a window is looked for: a week, and one in which the clocks change.
const DAYS_AHEAD: u64 = 8;

/// How long a change of clocks leaves time out at most. An hour is usual, and two have been.
const CHANGE_MINUTES_MAX: i64 = 180;

impl std::fmt::Display for Window {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { days, from, to, timezone } = self;
        write!(formatter, "{days} from {from} to {to} ({})", timezone.as_deref().unwrap_or("UTC"))
    }
}

/// What is wrong with the value of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The key.
    pub key: &'static str,
    /// What is wrong, and what to write.
    pub problem: UnitError,
}

impl Window {
    /// The days, in the order of the text.
    ///
    /// # Errors
    /// A word that is no day.
    pub fn weekdays(&self) -> Result<Vec<Weekday>, UnitError> {
        let mut days = Vec::new();
        for part in self.days.split(',') {
            match part.split_once('-') {
                None => days.push(weekday(part)?),
                Some((first, last)) => {
                    let (mut day, last) = (weekday(first)?, weekday(last)?);
                    days.push(day);
                    while day != last {
                        day = day.succ();
                        days.push(day);
                    }
                }
            }
        }
        Ok(days)
    }

    /// The first and the last time of day.
    ///
    /// # Errors
    /// The key whose text is no time.
    pub fn times(&self) -> Result<(NaiveTime, NaiveTime), FieldProblem> {
        let time = |key: &'static str, text: &str| {
            NaiveTime::parse_from_str(text, "%H:%M").map_err(|_| FieldProblem {
                key,
                problem: UnitError::new(format!("`{text}` is not a time of day"), "write it as `09:00`"),
            })
        };
        Ok((time("from", &self.from)?, time("to", &self.to)?))
    }

    /// Whether it is open at `now`, or when it opens next, in its own time zone; none where it never does, which `check` tells.
    #[must_use]
    pub fn opening(&self, now: DateTime<Utc>) -> Option<Opening> {
        let (days, (from, to)) = (self.weekdays().ok()?, self.times().ok()?);
        let zone = self.timezone.as_deref().map_or(Ok(chrono_tz::UTC), check_timezone).ok()?;
        let local = now.with_timezone(&zone);
        for ahead in 0..=DAYS_AHEAD {
            let date = local.date_naive().checked_add_days(Days::new(ahead))?;
            let (Some(opens), Some(closes)) = (moment(zone, date.and_time(from)), moment(zone, date.and_time(to)))
            else {
                continue;
            };
            if !days.contains(&date.weekday()) || closes <= local {
                continue;
            }
            return Some(if opens <= local { Opening::Now } else { Opening::At(opens) });
        }
        None
    }

    /// Everything that is wrong with it.
    #[must_use]
    pub fn problems(&self) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        problems.extend(self.weekdays().err().map(|problem| FieldProblem { key: "days", problem }));
        match self.times() {
            Err(problem) => problems.push(problem),
            Ok((from, to)) if to <= from => problems.push(FieldProblem {
                key: "to",
                problem: UnitError::new(
                    format!("the window ends at {} before it starts at {}", self.to, self.from),
                    "a window lies within one day; write two environments or a later end",
                ),
            }),
            Ok(_) => {}
        }
        let timezone = self.timezone.as_deref().map(check_timezone).and_then(Result::err);
        problems.extend(timezone.map(|problem| FieldProblem { key: "timezone", problem }));
        problems
    }
}

/// When a clock on the wall first shows a time; where the change of clocks leaves it out, the first minute after the change. None
/// where no change of clocks is that long.
#[must_use]
pub fn moment(zone: chrono_tz::Tz, time: NaiveDateTime) -> Option<DateTime<chrono_tz::Tz>> {
    (0..=CHANGE_MINUTES_MAX)
        .find_map(|minutes| zone.from_local_datetime(&time.checked_add_signed(TimeDelta::minutes(minutes))?).earliest())
}

fn weekday(text: &str) -> Result<Weekday, UnitError> {
    let text = text.trim();
    let found = DAYS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    found
        .map(|(_, day)| *day)
        .ok_or_else(|| UnitError::new(format!("`{text}` is not a day"), "write days as `MON-THU` or `MON,WED,FRI`"))
}

/// Reads the name of an IANA time zone, such as `Europe/Helsinki`.
///
/// # Errors
/// A name that the time zone database has not, with the nearest that it has.
pub fn check_timezone(name: &str) -> Result<chrono_tz::Tz, UnitError> {
    name.parse().map_err(|_| {
        let near = nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        let problem = match near {
            Some(near) => format!("`{name}` is not a time zone, but `{near}` is one"),
            None => format!("`{name}` is not a time zone"),
        };
        UnitError::new(problem, "write an IANA name such as `Europe/Helsinki`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(days: &str, from: &str, to: &str, timezone: &str) -> Window {
        let timezone = Some(timezone.to_owned());
        Window { days: days.to_owned(), from: from.to_owned(), to: to.to_owned(), timezone }
    }

    #[test]
    fn days_are_a_range_or_a_list() {
        let count = |days: &str| window(days, "09:00", "15:00", "UTC").weekdays().map(|days| days.len());
        assert_eq!(count("MON-THU"), Ok(4));
        assert_eq!(count("mon, wed"), Ok(2));
        assert_eq!(count("SAT-MON"), Ok(3));
        assert!(count("MON-FRY").is_err());
        assert!(count("").is_err());
    }

    #[test]
    fn a_window_is_open_in_its_own_time_zone_or_says_when_it_opens() {
        let window = window("MON-THU", "09:00", "15:00", "Europe/Helsinki");
        let opening = |text: &str| match window.opening(text.parse().unwrap()) {
            Some(Opening::Now) => "now".to_owned(),
            Some(Opening::At(at)) => at.format("%F %H:%M %Z").to_string(),
            None => "never".to_owned(),
        };
        // A Monday in winter: Helsinki is two hours ahead of UTC.
        assert_eq!(opening("2026-11-30T06:59:59Z"), "2026-11-30 09:00 EET");
        assert_eq!(opening("2026-11-30T07:00:00Z"), "now");
        assert_eq!(opening("2026-11-30T12:59:59Z"), "now");
        assert_eq!(opening("2026-11-30T13:00:00Z"), "2026-12-01 09:00 EET");
        // A Thursday after it has closed: the next is Monday's, in summer three hours ahead.
        assert_eq!(opening("2026-07-02T12:00:00Z"), "2026-07-06 09:00 EEST");
    }

    #[test]
    fn a_window_is_kept_on_the_days_on_which_the_clocks_change() {
        let opening = |window: &Window, now: &str| match window.opening(now.parse().unwrap()) {
            Some(Opening::Now) => "now".to_owned(),
            Some(Opening::At(at)) => at.format("%F %H:%M %Z").to_string(),
            None => "never".to_owned(),
        };
        // Half past three does not come on 2027-03-28 in Helsinki: at three it is four.
        let gap = window("SUN", "03:30", "06:00", "Europe/Helsinki");
        assert_eq!(opening(&gap, "2027-03-28T00:00:00Z"), "2027-03-28 04:00 EEST");
        assert_eq!(opening(&gap, "2027-03-28T01:00:00Z"), "now");
        assert_eq!(opening(&gap, "2027-03-28T03:00:00Z"), "2027-04-04 03:30 EEST");
        // It comes twice on 2026-10-25: the window opens at the first.
        let twice = window("SUN", "03:30", "06:00", "Europe/Helsinki");
        assert_eq!(opening(&twice, "2026-10-25T00:29:59Z"), "2026-10-25 03:30 EEST");
        assert_eq!(opening(&twice, "2026-10-25T01:00:00Z"), "now");
    }

    #[test]
    fn every_key_that_is_wrong_is_named() {
        let keys = |window: Window| window.problems().iter().map(|problem| problem.key).collect::<Vec<_>>();
        assert_eq!(keys(window("MON-THU", "09:00", "15:00", "Europe/Helsinki")), Vec::<&str>::new());
        assert_eq!(keys(window("X", "9 am", "15:00", "Europe/Helsinky")), ["days", "from", "timezone"]);
        assert_eq!(keys(window("MON", "15:00", "09:00", "UTC")), ["to"]);
    }
}
