//! The dates of several scenarios together: each with what speaks against it, and which meet.

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use super::guard::{Guard, Objection};
use super::recurrence::Recurrence;
use crate::scenario::Scenario;

/// How many dates of one scenario are looked at for one question.
pub const DATES_MAX: usize = 10_000;

/// A scenario that has a schedule.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The scenario.
    pub scenario: Scenario,
    /// Its file, relative to the workspace.
    pub file: PathBuf,
    /// Its dates.
    pub recurrence: Recurrence,
    /// What speaks against one.
    pub guard: Guard,
    /// The environments in which it may run, the embedded sandbox left out: there everybody is alone.
    pub environments: BTreeSet<String>,
}

/// A date of a scenario.
#[derive(Debug, Clone)]
pub struct Dated {
    /// When it begins.
    pub at: DateTime<Tz>,
    /// What speaks against it.
    pub objections: Vec<Objection>,
}

impl Dated {
    /// Whether nothing speaks against it.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.objections.is_empty()
    }
}

impl Entry {
    /// The dates from `from` on and before `to`, at most [`DATES_MAX`], with what speaks against each. `all` are the entries of the
    /// workspace, among which those stand that this one keeps away from; what speaks for or against neighbours of theirs is not
    /// looked at.
    pub fn dates<'a>(
        &'a self,
        all: &'a [Self],
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> impl Iterator<Item = Dated> + 'a {
        self.recurrence.from(from).take(DATES_MAX).take_while(move |at| *at < to).map(move |at| {
            let start = at.to_utc();
            let mut objections = self.guard.objections(start);
            objections.extend(too_near(&self.guard, all, start, DateTime::<Utc>::MIN_UTC));
            objections.extend(self.guard.too_soon(start, now));
            Dated { at, objections }
        })
    }
}

/// The scenario from which one with this guard keeps away and which is planned too near to a start, at a date from `since` on against
/// which nothing else speaks.
#[must_use]
pub fn too_near(guard: &Guard, all: &[Entry], start: DateTime<Utc>, since: DateTime<Utc>) -> Option<Objection> {
    guard.neighbours().find_map(|(of, within)| {
        let other = all.iter().find(|entry| entry.scenario.id == *of)?;
        let dates = other.recurrence.from(since.max(start - within)).map(|at| at.to_utc());
        let dates = dates.take_while(|at| *at < start + within);
        let mut held = dates.filter(|at| other.guard.objections(*at).is_empty());
        held.find_map(|at| guard.nearness(start, of, at))
    })
}

/// A date that is allowed, of a scenario.
#[derive(Debug, Clone)]
pub struct Booking<'a> {
    /// The scenario.
    pub entry: &'a Entry,
    /// When it begins.
    pub at: DateTime<Tz>,
}

/// Two game days in one environment at one time.
#[derive(Debug, Clone)]
pub struct Collision<'a> {
    /// The one that begins first.
    pub first: Booking<'a>,
    /// The other one.
    pub second: Booking<'a>,
    /// The environments that both may use.
    pub environments: Vec<String>,
}

/// The bookings that meet, in order. `bookings` are in order.
#[must_use]
pub fn collisions<'a>(bookings: &[Booking<'a>]) -> Vec<Collision<'a>> {
    let mut found = Vec::new();
    for (index, first) in bookings.iter().enumerate() {
        let end = first.at.to_utc() + first.entry.guard.length;
        let later = bookings.iter().skip(index + 1);
        for second in later.take_while(|second| second.at == first.at || second.at.to_utc() < end) {
            let both = first.entry.environments.intersection(&second.entry.environments);
            let environments: Vec<String> = both.cloned().collect();
            if !environments.is_empty() {
                found.push(Collision { first: first.clone(), second: second.clone(), environments });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::testing::entry;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_told_with_what_speaks_against_them() {
        let all = [
            entry("a", "{cron: 0 10 * * MON, not_within: [{of: b, within: 24h}], min_notice: 72h}"),
            entry("b", "{cron: 0 9 8 12 *, duration: 1h}"),
        ];
        let dates =
            all[0].dates(&all, at("2026-12-01T00:00:00Z"), at("2026-12-29T00:00:00Z"), at("2026-12-12T00:00:00Z"));
        let told: Vec<(String, Vec<&str>)> = dates
            .map(|date| (date.at.format("%F").to_string(), date.objections.iter().map(Objection::code).collect()))
            .collect();
        let of = |day: &str, codes: &[&'static str]| (day.to_owned(), codes.to_vec());
        let expected = [
            of("2026-12-07", &["too-near", "too-soon"]),
            of("2026-12-14", &["too-soon"]),
            of("2026-12-21", &[]),
            of("2026-12-28", &[]),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn two_scenarios_meet_where_they_share_an_environment() {
        let all = [entry("a", "{cron: 0 10 * * *, duration: 2h}"), entry("b", "{cron: 30 11 * * *, duration: 1h}")];
        let booking = |entry, text: &str| Booking { entry, at: at(text).with_timezone(&Tz::UTC) };
        let meet = [booking(&all[0], "2026-12-01T10:00:00Z"), booking(&all[1], "2026-12-01T11:30:00Z")];
        assert_eq!(collisions(&meet).len(), 1);
        assert_eq!(collisions(&meet)[0].environments, ["staging"]);
        let apart = [booking(&all[0], "2026-12-01T10:00:00Z"), booking(&all[1], "2026-12-01T12:00:00Z")];
        assert!(collisions(&apart).is_empty(), "one ends as the other begins");
    }
}
