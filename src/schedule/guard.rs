//! Which dates are allowed, and what refuses one.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::date::{ScheduleError, zone};
use super::freeze::{Freeze, inline_freezes};
use crate::scenario::Schedule;
use crate::unit::{ScenarioId, format_duration};
use crate::workspace::{Opening, Window};

/// When a scenario was last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// The scenario.
    pub scenario: ScenarioId,
    /// When its last run began.
    pub at: DateTime<Utc>,
}

/// What a schedule allows.
#[derive(Debug, Clone)]
pub struct Guard {
    zone: chrono_tz::Tz,
    window: Option<Window>,
    freezes: Vec<Freeze>,
    not_within: Vec<(ScenarioId, Duration)>,
    min_notice: Option<Duration>,
}

/// What refuses a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The window is shut.
    Window(String),
    /// There are no game days then.
    Frozen {
        /// Why.
        why: String,
        /// Until when, in the schedule's time zone.
        until: String,
    },
    /// Another scenario runs, or ran, too near.
    TooNear {
        /// The scenario.
        scenario: ScenarioId,
        /// When it was.
        at: String,
        /// How far apart they must be.
        apart: Duration,
    },
    /// It is too near to invite people.
    ShortNotice(Duration),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window(window) => write!(formatter, "outside the schedule's window: {window}"),
            Self::Frozen { why, until } => write!(formatter, "frozen until {until}: {why}"),
            Self::TooNear { scenario, at, apart } => {
                write!(formatter, "within {} of `{scenario}` on {at}", format_duration(*apart))
            }
            Self::ShortNotice(notice) => {
                write!(formatter, "too near: people are told at least {} before", format_duration(*notice))
            }
        }
    }
}

impl Guard {
    /// What a schedule allows; `of_calendars` are the freezes of the calendars that it names.
    ///
    /// # Errors
    /// The schedule's time zone is none.
    pub fn of(schedule: &Schedule, of_calendars: Vec<Freeze>) -> Result<Self, ScheduleError> {
        let mut freezes = inline_freezes(schedule)?;
        freezes.extend(of_calendars);
        // A window without a zone is one of the schedule's.
        let window = schedule
            .window
            .clone()
            .map(|window| Window { timezone: window.timezone.or_else(|| schedule.timezone.clone()), ..window });
        Ok(Self {
            zone: zone(schedule)?,
            window,
            freezes,
            not_within: schedule.not_within.iter().map(|(scenario, apart)| (scenario.clone(), apart.0)).collect(),
            min_notice: schedule.min_notice.map(|notice| notice.0),
        })
    }

    /// The scenarios that it keeps away from.
    pub fn neighbours(&self) -> impl Iterator<Item = &ScenarioId> {
        self.not_within.iter().map(|(scenario, _)| scenario)
    }

    /// What refuses a run that begins at a moment; `others` are runs of other scenarios, past or planned.
    #[must_use]
    pub fn refusal(&self, at: DateTime<Utc>, others: &[LastRun]) -> Option<Refusal> {
        let shown = |moment: DateTime<Utc>| moment.with_timezone(&self.zone).format("%a %Y-%m-%d %H:%M %Z").to_string();
        // The freeze that lasts longest is the one worth knowing.
        let frozen =
            self.freezes.iter().filter(|freeze| (freeze.from..freeze.to).contains(&at)).max_by_key(|freeze| freeze.to);
        if let Some(freeze) = frozen {
            return Some(Refusal::Frozen { why: freeze.why.clone(), until: shown(freeze.to) });
        }
        if let Some(window) = &self.window
            && window.opening(at) != Some(Opening::Now)
        {
            return Some(Refusal::Window(window.to_string()));
        }
        self.not_within.iter().find_map(|(scenario, apart)| {
            let apart_delta = TimeDelta::from_std(*apart).unwrap_or(TimeDelta::MAX);
            let near = others.iter().find(|run| run.scenario == *scenario && (run.at - at).abs() < apart_delta)?;
            Some(Refusal::TooNear { scenario: scenario.clone(), at: shown(near.at), apart: *apart })
        })
    }

    /// What refuses to invite people to a moment, when it is `now`: what refuses the run itself, or too short a notice.
    #[must_use]
    pub fn refusal_to_invite(&self, at: DateTime<Utc>, now: DateTime<Utc>, others: &[LastRun]) -> Option<Refusal> {
        let notice = self.min_notice.filter(|notice| (at - now).to_std().is_ok_and(|ahead| ahead < *notice));
        self.refusal(at, others).or(notice.map(Refusal::ShortNotice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_refused_by_the_first_thing_that_stands_against_it() {
        let schedule: Schedule = serde_json::from_value(serde_json::json!({
            "cron": "0 10 * * *", "timezone": "Europe/Helsinki", "min_notice": "72h",
            "window": {"days": "MON-THU", "from": "09:00", "to": "15:00"},
            "freeze": [{"from": "2026-12-15", "to": "2027-01-07", "why": "campaign"}],
            "not_within": {"orders-slow": "24h"},
        }))
        .unwrap();
        let guard = Guard::of(&schedule, Vec::new()).unwrap();
        let other = [LastRun { scenario: "orders-slow".parse().unwrap(), at: "2026-12-09T08:00:00Z".parse().unwrap() }];
        let told = |at: &str| {
            guard.refusal(at.parse().unwrap(), &other).map(|refusal| refusal.to_string()).unwrap_or_default()
        };
        assert_eq!(told("2026-12-07T08:00:00Z"), "");
        // The window is one of the schedule's zone: seven in UTC is nine in Helsinki.
        assert_eq!(told("2026-12-07T07:00:00Z"), "");
        assert!(told("2026-12-07T06:59:00Z").starts_with("outside the schedule's window"));
        assert!(told("2026-12-11T08:00:00Z").starts_with("outside"), "a Friday");
        assert_eq!(told("2026-12-15T08:00:00Z"), "frozen until Fri 2027-01-08 00:00 EET: campaign");
        assert_eq!(told("2026-12-08T08:00:01Z"), "within 1d of `orders-slow` on Wed 2026-12-09 10:00 EET");
        assert_eq!(told("2026-12-08T08:00:00Z"), "", "a day is far enough");
        let invite =
            |now: &str| guard.refusal_to_invite("2026-12-07T08:00:00Z".parse().unwrap(), now.parse().unwrap(), &[]);
        assert_eq!(invite("2026-12-04T08:00:00Z"), None);
        assert!(matches!(invite("2026-12-04T08:00:01Z"), Some(Refusal::ShortNotice(_))));
    }
}
