//! What speaks against a date: the window, freezes, other scenarios, too short a notice.

use std::fmt;
use std::path::Path;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::calendar::read_calendar;
use super::recurrence::{Recurrence, RecurrenceError};
use crate::document::Diagnostic;
use crate::scenario::{Freeze, Scenario, Schedule};
use crate::unit::{ScenarioId, format_duration};
use crate::workspace::{Opening, moment};

/// A time without game days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Its first moment.
    pub from: DateTime<Utc>,
    /// The first moment after it.
    pub to: DateTime<Utc>,
    /// Why, and who says so.
    pub why: String,
}

impl Span {
    /// Whether something that begins then and lasts so long touches it. What takes no time is its moment.
    #[must_use]
    pub fn touches(&self, start: DateTime<Utc>, length: TimeDelta) -> bool {
        start < self.to && (start >= self.from || start + length > self.from)
    }
}

/// What speaks against a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// The scenario's window is not open.
    OutsideWindow(String),
    /// It reaches into a freeze.
    Frozen(Span),
    /// Another scenario is too near.
    TooNear {
        /// Its id.
        of: ScenarioId,
        /// When that one is or was.
        at: DateTime<Utc>,
        /// How far the two stay apart.
        within: String,
    },
    /// It is nearer than the notice that people are given.
    TooSoon(String),
}

impl Objection {
    /// Its name for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutsideWindow(_) => "outside-window",
            Self::Frozen(_) => "frozen",
            Self::TooNear { .. } => "too-near",
            Self::TooSoon(_) => "too-soon",
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutsideWindow(window) => write!(formatter, "outside the window {window}"),
            Self::Frozen(Span { from, to, why }) => {
                let minutes = |at: &DateTime<Utc>| at.format("%Y-%m-%d %H:%M").to_string();
                write!(formatter, "frozen from {} to {} UTC: {why}", minutes(from), minutes(to))
            }
            Self::TooNear { of, at, within } => {
                write!(formatter, "within {within} of `{of}` on {}", at.format("%Y-%m-%d at %H:%M UTC"))
            }
            Self::TooSoon(notice) => write!(formatter, "too soon to invite: people are told {notice} before"),
        }
    }
}

/// Why it can not be said what speaks against a date. Nothing is allowed then: a freeze is never left out.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The pattern or the zone.
    #[error(transparent)]
    Recurrence(#[from] RecurrenceError),
    /// A calendar can not be read, or not be understood.
    #[error("a freeze calendar is not understood")]
    Calendars(Vec<Diagnostic>),
}

/// What a scenario's schedule says against a date, with its calendars read for one span of time.
#[derive(Debug, Clone)]
pub struct Guard {
    schedule: Schedule,
    freezes: Vec<Span>,
    /// How long the game day takes: what the schedule says, else its timeline.
    pub length: TimeDelta,
}

impl Guard {
    /// The guard of a scenario that has a schedule; none where it has none. Calendars are read below `root`, for dates from `from`
    /// to `to`.
    ///
    /// # Errors
    /// See [`GuardError`].
    pub fn of(
        scenario: &Scenario,
        root: &Path,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Option<Self>, GuardError> {
        let Some(schedule) = &scenario.schedule else { return Ok(None) };
        let zone = Recurrence::of(schedule)?.zone;
        let schedule = &in_its_zone(schedule);
        let length = length(scenario, schedule);
        let mut freezes: Vec<Span> = schedule.freeze.iter().filter_map(|freeze| inline(freeze, zone)).collect();
        let mut problems = Vec::new();
        for path in &schedule.freeze_calendars {
            match read_calendar(root, path, zone, from, to + length) {
                Ok(spans) => freezes.extend(spans),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(Some(Self { schedule: schedule.clone(), freezes, length }))
        } else {
            Err(GuardError::Calendars(problems))
        }
    }

    /// What speaks against a start then, other scenarios and notice left out.
    #[must_use]
    pub fn objections(&self, start: DateTime<Utc>) -> Vec<Objection> {
        let mut objections = Vec::new();
        if let Some(window) = &self.schedule.window {
            match window.opening(start) {
                Some(Opening::Now) => {}
                Some(Opening::At(_)) | None => objections.push(Objection::OutsideWindow(window.to_string())),
            }
        }
        let touching = self.freezes.iter().filter(|freeze| freeze.touches(start, self.length));
        objections.extend(touching.cloned().map(Objection::Frozen));
        objections
    }

    /// What another scenario at `at` says against a start, where this one keeps away from it.
    #[must_use]
    pub fn nearness(&self, start: DateTime<Utc>, of: &ScenarioId, at: DateTime<Utc>) -> Option<Objection> {
        let rules = self.schedule.not_within.iter().filter(|rule| rule.of == *of);
        let near = |within: &crate::unit::DurationText| (start - at).abs().to_std().is_ok_and(|gap| gap < within.0);
        let rule = rules.into_iter().find(|rule| near(&rule.within))?;
        Some(Objection::TooNear { of: of.clone(), at, within: format_duration(rule.within.0) })
    }

    /// The scenarios from which this one keeps away, and how far.
    pub fn neighbours(&self) -> impl Iterator<Item = (&ScenarioId, TimeDelta)> {
        let rules = self.schedule.not_within.iter();
        rules.map(|rule| (&rule.of, TimeDelta::from_std(rule.within.0).unwrap_or_default()))
    }

    /// Whether a start is nearer to `now` than the notice that people are given.
    #[must_use]
    pub fn too_soon(&self, start: DateTime<Utc>, now: DateTime<Utc>) -> Option<Objection> {
        let notice = self.schedule.min_notice?;
        let is_soon = (start - now).to_std().map_or(true, |ahead| ahead < notice.0);
        is_soon.then(|| Objection::TooSoon(format_duration(notice.0)))
    }
}

fn length(scenario: &Scenario, schedule: &Schedule) -> TimeDelta {
    let timeline = || scenario.timeline.iter().map(|phase| phase.length.0).sum();
    let length = schedule.duration.map_or_else(timeline, |duration| duration.0);
    TimeDelta::from_std(length).unwrap_or_default()
}

/// The schedule, whose window is one of its own zone where it names none.
fn in_its_zone(schedule: &Schedule) -> Schedule {
    let mut schedule = schedule.clone();
    let Schedule { window, timezone, .. } = &mut schedule;
    if let Some(window) = window.as_mut().filter(|window| window.timezone.is_none()) {
        window.timezone.clone_from(timezone);
    }
    schedule
}

/// Whole days in the schedule's zone, the last one included.
fn inline(freeze: &Freeze, zone: Tz) -> Option<Span> {
    let from = moment(zone, freeze.from.and_time(NaiveTime::MIN))?;
    let to = moment(zone, freeze.to.succ_opt()?.and_time(NaiveTime::MIN))?;
    let why = freeze.why.clone().unwrap_or_else(|| "the scenario says so".to_owned());
    Some(Span { from: from.to_utc(), to: to.to_utc(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::testing::scenario;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn guard(schedule: &str) -> Guard {
        let scenario = scenario("a", schedule);
        Guard::of(&scenario, Path::new("."), at("2026-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z")).unwrap().unwrap()
    }

    fn codes(guard: &Guard, start: &str) -> Vec<&'static str> {
        guard.objections(at(start)).iter().map(Objection::code).collect()
    }

    #[test]
    fn a_freeze_holds_for_whole_days_of_the_zone_and_for_what_reaches_into_it() {
        let guard = guard(
            "{cron: 0 10 * * *, timezone: Europe/Helsinki, duration: 2h, freeze: [{from: 2026-12-15, to: 2026-12-16, why: campaign}]}",
        );
        // Midnight in Helsinki is 22:00 UTC of the day before.
        assert_eq!(codes(&guard, "2026-12-14T20:00:00Z"), Vec::<&str>::new(), "it ends as the freeze begins");
        assert_eq!(codes(&guard, "2026-12-14T20:01:00Z"), ["frozen"]);
        assert_eq!(codes(&guard, "2026-12-16T21:59:00Z"), ["frozen"], "the last day is included");
        assert_eq!(codes(&guard, "2026-12-16T22:00:00Z"), Vec::<&str>::new());
        let told = guard.objections(at("2026-12-15T00:00:00Z"))[0].to_string();
        assert_eq!(told, "frozen from 2026-12-14 22:00 to 2026-12-16 22:00 UTC: campaign");
    }

    #[test]
    fn the_window_and_the_neighbours_and_the_notice_are_kept() {
        let guard = guard(
            "{cron: 0 10 * * *, window: {days: MON-THU, from: '09:00', to: '15:00'}, min_notice: 72h, not_within: [{of: b, within: 24h}]}",
        );
        assert_eq!(codes(&guard, "2026-12-04T10:00:00Z"), ["outside-window"], "a Friday");
        let start = at("2026-12-07T10:00:00Z");
        let near = |of: &str, other: &str| guard.nearness(start, &of.parse().unwrap(), at(other)).is_some();
        assert!(near("b", "2026-12-06T10:00:01Z") && near("b", "2026-12-08T09:59:59Z"), "before and after");
        assert!(!near("b", "2026-12-06T10:00:00Z") && !near("c", "2026-12-07T10:00:00Z"));
        assert!(guard.too_soon(start, at("2026-12-04T10:00:01Z")).is_some());
        assert!(guard.too_soon(start, at("2026-12-04T10:00:00Z")).is_none());
        assert!(guard.too_soon(start, at("2026-12-08T10:00:00Z")).is_some(), "it is over");
    }

    #[test]
    fn a_window_without_a_zone_is_one_of_the_schedules_zone() {
        let window = |zone: &str| {
            format!(
                "{{cron: '0 10 * * TUE#2', timezone: Europe/Helsinki, window: {{days: MON-THU, from: '09:00', to: '15:00'{zone}}}}}"
            )
        };
        // Ten o'clock in Helsinki is eight in UTC.
        assert_eq!(codes(&guard(&window("")), "2026-12-08T08:00:00Z"), Vec::<&str>::new());
        assert_eq!(codes(&guard(&window(", timezone: UTC")), "2026-12-08T08:00:00Z"), ["outside-window"]);
    }

    #[test]
    fn without_a_duration_the_timeline_says_how_long() {
        assert_eq!(guard("{cron: 0 10 * * *}").length, TimeDelta::minutes(30));
    }
}
