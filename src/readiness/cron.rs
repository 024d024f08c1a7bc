//! When a mute rule mutes: `cron(0 2 * * MON-FRI)` and `at(2026-12-23T00:00)`, in its time zone. That one has begun already, AWS tells.
//!
//! Source: AWS, `PutAlarmMuteRule`: five fields (minute, hour, day of the month, month, day of the week).

use chrono::{DateTime, Datelike as _, NaiveDateTime, TimeDelta, Timelike as _, Utc};

use crate::aws::MuteRule;

/// How far ahead of a run's end it is looked for, in minutes: a run of more than a week is none.
const MINUTES_MAX: i64 = 8 * 24 * 60;

/// When a rule mutes, seen from a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Muting {
    /// It does.
    Now,
    /// It begins to within the stretch.
    From(DateTime<Utc>),
    /// Not in the stretch.
    No,
    /// Its expression or time zone is not understood here.
    Unread,
}

/// When a rule mutes within `now` and `until`.
pub(super) fn muting(rule: &MuteRule, (now, until): (DateTime<Utc>, DateTime<Utc>)) -> Muting {
    if rule.is_active {
        return Muting::Now;
    }
    let counts = |at: DateTime<Utc>| {
        rule.starts_at.is_none_or(|starts| at >= starts) && rule.expires_at.is_none_or(|expires| at < expires)
    };
    let Some(zone) = zone(rule) else { return Muting::Unread };
    let Some(expression) = Expression::read(&rule.expression) else { return Muting::Unread };
    let minutes = (until - now).num_minutes().clamp(0, MINUTES_MAX);
    for minute in 0..=minutes {
        let at = now + TimeDelta::minutes(minute);
        if counts(at) && expression.begins(at.with_timezone(&zone).naive_local()) {
            return Muting::From(at);
        }
    }
    Muting::No
}

fn zone(rule: &MuteRule) -> Option<chrono_tz::Tz> {
    rule.time_zone.as_deref().map_or(Some(chrono_tz::UTC), |name| name.parse().ok())
}

/// When it begins to mute.
enum Expression {
    At(NaiveDateTime),
    Cron([Field; 5]),
}

/// The numbers of a field; none is any.
struct Field(Option<Vec<u32>>);

impl Expression {
    fn read(text: &str) -> Option<Self> {
        let inside = |start: &str| text.trim().strip_prefix(start)?.strip_suffix(')');
        if let Some(at) = inside("at(") {
            let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"];
            return formats.iter().find_map(|format| NaiveDateTime::parse_from_str(at, format).ok()).map(Self::At);
        }
        let fields: Vec<&str> = inside("cron(")?.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
        Some(Self::Cron([
            Field::read(minute, (0, 59), &[])?,
            Field::read(hour, (0, 23), &[])?,
            Field::read(day, (1, 31), &[])?,
            Field::read(month, (1, 12), &MONTHS)?,
            Field::read(weekday, (0, 7), &WEEKDAYS)?,
        ]))
    }

    fn begins(&self, at: NaiveDateTime) -> bool {
        match self {
            Self::At(begin) => (begin.date(), begin.hour(), begin.minute()) == (at.date(), at.hour(), at.minute()),
            Self::Cron([minute, hour, day, month, weekday]) => {
                let sunday = at.weekday().num_days_from_sunday();
                let is_day = day.has(at.day());
                let is_weekday = weekday.has(sunday) || (sunday == 0 && weekday.has(7));
                // Where both are given, either is enough (POSIX, crontab).
                let is_today =
                    if day.0.is_some() && weekday.0.is_some() { is_day || is_weekday } else { is_day && is_weekday };
                minute.has(at.minute()) && hour.has(at.hour()) && month.has(at.month()) && is_today
            }
        }
    }
}

const MONTHS: [&str; 13] = ["", "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Field {
    fn read(text: &str, (least, most): (u32, u32), names: &[&str]) -> Option<Self> {
        if matches!(text, "*" | "?") {
            return Some(Self(None));
        }
        let number = |word: &str| {
            let named = names.iter().position(|name| !name.is_empty() && name.eq_ignore_ascii_case(word));
            let number = named.and_then(|index| u32::try_from(index).ok()).or_else(|| word.parse().ok())?;
            (least..=most).contains(&number).then_some(number)
        };
        let mut numbers = Vec::new();
        for part in text.split(',') {
            let (range, step) = part.split_once('/').unwrap_or((part, "1"));
            let step: usize = step.parse().ok().filter(|step| *step > 0)?;
            let (from, to) = match (range, range.split_once('-')) {
                ("*", _) => (least, most),
                (_, Some((from, to))) => (number(from)?, number(to)?),
                (_, None) if part.contains('/') => (number(range)?, most),
                (_, None) => (number(range)?, number(range)?),
            };
            numbers.extend((from..=to).step_by(step));
        }
        Some(Self(Some(numbers)))
    }

    fn has(&self, number: u32) -> bool {
        self.0.as_ref().is_none_or(|numbers| numbers.contains(&number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(expression: &str, zone: Option<&str>) -> MuteRule {
        MuteRule {
            name: "nights".to_owned(),
            is_active: false,
            alarms: Vec::new(),
            expression: expression.to_owned(),
            duration: "PT4H".to_owned(),
            time_zone: zone.map(str::to_owned),
            starts_at: None,
            expires_at: None,
        }
    }

    /// Saturday, 2026-11-28, 10:00 UTC, and an hour.
    fn hour() -> (DateTime<Utc>, DateTime<Utc>) {
        let now: DateTime<Utc> = "2026-11-28T10:00:00Z".parse().unwrap();
        (now, now + TimeDelta::hours(1))
    }

    #[test]
    fn a_rule_that_begins_within_the_run_is_told_with_when() {
        let at = |text: &str| Muting::From(text.parse().unwrap());
        for (expression, zone, expected) in [
            ("cron(30 10 * * *)", None, at("2026-11-28T10:30:00Z")),
            ("cron(30 11 * * *)", Some("Europe/Berlin"), at("2026-11-28T10:30:00Z")),
            ("cron(*/20 * * * SAT)", None, at("2026-11-28T10:00:00Z")),
            ("cron(45 10 28 NOV ?)", None, at("2026-11-28T10:45:00Z")),
            ("cron(0 2 * * *)", None, Muting::No),
            ("cron(30 10 * * MON-FRI)", None, Muting::No),
            ("at(2026-11-28T10:15)", None, at("2026-11-28T10:15:00Z")),
            ("at(2026-12-23T00:00:00)", None, Muting::No),
            ("cron(0 2 * *)", None, Muting::Unread),
            ("cron(61 2 * * *)", None, Muting::Unread),
            ("rate(1 hour)", None, Muting::Unread),
            ("cron(0 2 * * *)", Some("Mars/Olympus"), Muting::Unread),
        ] {
            assert_eq!(muting(&rule(expression, zone), hour()), expected, "{expression}");
        }
    }

    #[test]
    fn a_rule_that_is_active_mutes_now_and_one_that_expired_does_not() {
        let active = MuteRule { is_active: true, ..rule("rate(odd)", None) };
        assert_eq!(muting(&active, hour()), Muting::Now);
        let expired = MuteRule { expires_at: Some(hour().0), ..rule("cron(30 10 * * *)", None) };
        assert_eq!(muting(&expired, hour()), Muting::No);
    }
}
