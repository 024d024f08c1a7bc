//! Alarms: from what was read of them to what they did in the run.

use std::collections::BTreeMap;

use super::Run;
use crate::event::{Event, EventKind, FaultProgress};
use crate::report::metric::Metric;
use crate::report::model::{Alarm, AlarmStretch};
use crate::report::number::duration;
use crate::unit::AlarmState;

/// An alarm that goes to `ALARM` as often as this is noisy.
const NOISY_COUNT_MIN: usize = 3;
/// Later than this after the undo of its fault an alarm is late to clear, in milliseconds: five of AWS's usual periods.
const CLEAR_LAG_MS_MAX: u64 = 300_000;

/// When an alarm went to `ALARM`.
#[derive(Debug, Clone)]
pub(super) struct Fired {
    pub(super) at_ms: u64,
    /// Whether AWS told the time.
    pub(super) is_exact: bool,
    reason: String,
}

/// What was read of one alarm: each state with its beginning, and none where it is not known.
#[derive(Debug, Clone, Default)]
pub(super) struct Record {
    states: Vec<(u64, Option<AlarmState>)>,
    pub(super) fired: Vec<Fired>,
    is_lost: bool,
    /// How far back it looks, in milliseconds.
    looks_back_ms: Option<u64>,
}

/// All alarms by name, and the times in which none could be read, of which the last may have no end.
#[derive(Debug, Clone, Default)]
pub(super) struct Records {
    pub(super) alarms: BTreeMap<String, Record>,
    unread: Vec<(u64, Option<u64>, String)>,
    is_ready: bool,
}

impl Record {
    fn state(&mut self, at_ms: u64, state: Option<AlarmState>) {
        let at_ms = self.states.last().map_or(at_ms, |(last, _)| at_ms.max(*last));
        self.states.push((at_ms, state));
    }

    /// When it was first `OK` again from a moment on.
    pub(super) fn cleared_ms(&self, from_ms: u64) -> Option<u64> {
        self.states.iter().find(|(at, state)| *at >= from_ms && *state == Some(AlarmState::Ok)).map(|(at, _)| *at)
    }

    /// Whether it was there to fire from one moment to another: not in `ALARM` at first, and known of all that time.
    pub(super) fn could_fire(&self, from_ms: u64, to_ms: u64) -> bool {
        let mut later = self.states.iter().filter(|(at, _)| (from_ms..to_ms).contains(at));
        self.at(from_ms).is_some_and(|state| state != AlarmState::Alarm) && later.all(|(_, state)| state.is_some())
    }

    /// The state at a moment.
    fn at(&self, at_ms: u64) -> Option<AlarmState> {
        self.states.iter().rev().find(|(from, _)| *from <= at_ms).and_then(|(_, state)| *state)
    }

    fn stretches(&self, end_ms: u64) -> Vec<AlarmStretch> {
        let ends = self.states.iter().skip(1).map(|(at, _)| *at).chain([end_ms]);
        let stretch = |((from, state), to): (&(u64, Option<AlarmState>), u64)| AlarmStretch {
            from_ms: *from,
            to_ms: to,
            state: state.map_or_else(|| "unknown".to_owned(), |state| state.to_string()),
        };
        self.states.iter().zip(ends).map(stretch).filter(|stretch| stretch.to_ms > stretch.from_ms).collect()
    }
}

impl Records {
    pub(super) fn of(events: &[Event]) -> Self {
        let mut records = Self::default();
        for event in events {
            match &event.kind {
                EventKind::ReadinessPassed { .. } => records.is_ready = true,
                EventKind::AlarmFound { alarm, state, looks_back_ms, .. } => {
                    let record = records.alarms.entry(alarm.clone()).or_default();
                    record.is_lost = false;
                    record.looks_back_ms = *looks_back_ms;
                    // What is found once the run is ready was not there before.
                    let at_ms = if records.is_ready { event.elapsed_ms } else { 0 };
                    record.state(at_ms, Some(*state));
                }
                EventKind::AlarmTransitioned { alarm, to, at_ms, is_exact, reason, unseen_from_ms, .. } => {
                    let record = records.alarms.entry(alarm.clone()).or_default();
                    record.is_lost = false;
                    if let Some(from_ms) = unseen_from_ms {
                        record.state(*from_ms, None);
                    }
                    record.state(*at_ms, Some(*to));
                    if *to == AlarmState::Alarm {
                        record.fired.push(Fired { at_ms: *at_ms, is_exact: *is_exact, reason: reason.clone() });
                    }
                }
                EventKind::AlarmLost { alarm } => {
                    let record = records.alarms.entry(alarm.clone()).or_default();
                    record.is_lost = true;
                    record.state(event.elapsed_ms, None);
                }
                EventKind::AlarmsUnread { since_ms, why } => records.unread.push((*since_ms, None, why.clone())),
                EventKind::AlarmsReread => {
                    if let Some((_, end, _)) = records.unread.last_mut() {
                        *end = Some(event.elapsed_ms);
                    }
                }
                _ => {}
            }
        }
        records
    }

    /// The times in which alarms could not be read: from, to and why.
    pub(super) fn unread(&self, end_ms: u64) -> impl Iterator<Item = (u64, u64, &str)> {
        self.unread.iter().map(move |(from, to, why)| (*from, to.unwrap_or(end_ms), why.as_str()))
    }

    /// Why alarms could not be read at the run's end.
    fn unread_at_end(&self) -> Option<&str> {
        self.unread.last().filter(|(_, end, _)| end.is_none()).map(|(_, _, why)| why.as_str())
    }
}

/// The fault that an alarm belongs to. Of those that were in when it fired it is the latest that was effective by then, or
/// else the latest that was not yet proven; where none was in, the latest that had been effective.
pub(super) fn owner<'r>(run: &'r Run<'_>, at_ms: u64) -> Option<&'r FaultProgress> {
    let requested = || {
        let faults = run.state.faults.iter().filter(|fault| !fault.identity.is_route() && fault.applied_ms.is_some());
        faults.filter(|fault| fault.requested_ms <= at_ms)
    };
    let is_in = |fault: &&FaultProgress| fault.ended_ms.is_none_or(|ended| ended >= at_ms);
    let is_effective = |fault: &&FaultProgress| fault.effective_ms.is_some_and(|effective| effective <= at_ms);
    let latest = requested().filter(is_in).filter(is_effective).max_by_key(|fault| fault.effective_ms);
    latest
        .or_else(|| requested().filter(is_in).max_by_key(|fault| fault.requested_ms))
        .or_else(|| requested().filter(is_effective).max_by_key(|fault| fault.effective_ms))
}

/// The alarms of the run: expected ones first, then those that nobody named, then the others.
pub(super) fn alarms(run: &Run<'_>) -> Vec<Alarm> {
    let records = &run.alarms;
    let Some(facts) = &run.facts.alarms else { return Vec::new() };
    let mut names: Vec<&str> =
        facts.expected.iter().chain(&facts.tolerated).chain(&facts.watched).map(String::as_str).collect();
    let others = records.alarms.keys().map(String::as_str).filter(|name| !names.contains(name)).collect::<Vec<_>>();
    names.extend(others);
    let role = |name: &str| {
        let is_in = |list: &[String]| list.iter().any(|listed| listed == name);
        if is_in(&facts.expected) {
            "expected"
        } else if is_in(&facts.tolerated) {
            "tolerated"
        } else if is_in(&facts.watched)
            || facts.patterns.iter().any(|pattern| crate::unit::alarm_matches(pattern, name))
        {
            "watched"
        } else {
            "unnamed"
        }
    };
    let mut alarms: Vec<Alarm> = names.into_iter().map(|name| alarm(run, records, name, role(name))).collect();
    alarms.sort_by_key(|alarm| match alarm.role.as_str() {
        "expected" => 0,
        "unnamed" => 1,
        _ => 2,
    });
    alarms
}

fn alarm(run: &Run<'_>, records: &Records, name: &str, role: &str) -> Alarm {
    let nothing = Record::default();
    let record = records.alarms.get(name).unwrap_or(&nothing);
    let injected_ms =
        run.state.faults.iter().filter(|fault| !fault.identity.is_route()).map(|it| it.requested_ms).min();
    let fired = record.fired.iter().find(|fired| injected_ms.is_none_or(|injected| fired.at_ms >= injected));
    let (outcome, why) = outcome(run, records, record, role, fired.is_some(), injected_ms);
    let fault = fired.and_then(|fired| owner(run, fired.at_ms));
    let cleared_ms = record.fired.last().and_then(|fired| record.cleared_ms(fired.at_ms));
    let clear_lag = match fired {
        None => Metric::not_applicable("it did not fire"),
        Some(_) => clear_lag(run, fault, cleared_ms),
    };
    let is_late_to_clear = match &clear_lag {
        Metric::Measured { ms, .. } => *ms > CLEAR_LAG_MS_MAX,
        Metric::Censored { .. } => true,
        Metric::NotApplicable { .. } => false,
    };
    Alarm {
        alarm: name.to_owned(),
        role: role.to_owned(),
        outcome: outcome.to_owned(),
        why,
        fired_ms: fired.map(|fired| fired.at_ms),
        fired_count: record.fired.len(),
        is_noisy: record.fired.len() >= NOISY_COUNT_MIN,
        fault: fault.map(|fault| fault.identity.fault.to_string()),
        cleared_ms,
        clear_lag,
        is_late_to_clear,
        reason: fired.map(|fired| fired.reason.clone()).filter(|reason| !reason.is_empty()),
        stretches: record.stretches(run.end_ms),
    }
}

fn outcome(
    run: &Run<'_>,
    records: &Records,
    record: &Record,
    role: &str,
    has_fired: bool,
    injected_ms: Option<u64>,
) -> (&'static str, Option<String>) {
    if has_fired {
        return (if role == "unnamed" { "unexpected" } else { "fired" }, None);
    }
    let unknown = |why: String| ("unknown", Some(why));
    if role != "expected" {
        return match (records.unread_at_end(), record.states.is_empty(), record.is_lost) {
            (_, true, _) => ("quiet", Some("it was not there".to_owned())),
            (_, _, true) => unknown("it was deleted while the run lasted".to_owned()),
            (Some(why), ..) => unknown(format!("alarms could not be read: {why}")),
            (None, false, false) => ("quiet", None),
        };
    }
    let Some(injected_ms) = injected_ms else { return unknown("no fault was injected".to_owned()) };
    let waited_ms = run.end_ms.saturating_sub(injected_ms);
    let is_unseen = record.states.iter().any(|(at, state)| state.is_none() && *at >= injected_ms);
    if record.states.is_empty() {
        unknown("it was not read".to_owned())
    } else if record.at(injected_ms) == Some(AlarmState::Alarm) {
        unknown("it was in ALARM already when the first fault was injected".to_owned())
    } else if record.is_lost {
        unknown("it was deleted while the run lasted".to_owned())
    } else if let Some(why) = records.unread_at_end() {
        unknown(format!("alarms could not be read: {why}"))
    } else if is_unseen {
        unknown("its state is not known of all the time since the first injection".to_owned())
    } else if !run.state.faults.iter().any(|fault| fault.applied_ms.is_some() && !fault.identity.is_route()) {
        unknown("no fault came to be in place".to_owned())
    } else if let Some(looks_back_ms) = record.looks_back_ms.filter(|looks_back| *looks_back > waited_ms) {
        let (waited, looks_back) = (duration(waited_ms), duration(looks_back_ms));
        unknown(format!("the run ended {waited} after the first injection, and it looks back over {looks_back}"))
    } else {
        let at_end = record.at(run.end_ms).filter(|state| *state == AlarmState::InsufficientData);
        ("silent", at_end.map(|_| "it had insufficient data".to_owned()))
    }
}

/// From the undo of a fault to the alarm's `OK`.
pub(super) fn clear_lag(run: &Run<'_>, fault: Option<&FaultProgress>, cleared_ms: Option<u64>) -> Metric {
    let Some(undone_ms) = fault.and_then(|fault| fault.ended_ms) else {
        return Metric::not_applicable("it belongs to no fault that was undone");
    };
    match cleared_ms {
        // It may be over before its fault is.
        Some(cleared_ms) => Metric::Measured {
            ms: cleared_ms.saturating_sub(undone_ms),
            uncertainty_ms: 0,
            source: "from the undo of its fault to OK".to_owned(),
        },
        None => {
            let after_ms = run.end_ms.saturating_sub(undone_ms);
            Metric::Censored { after_ms, text: format!("not OK in {}; then the run ended", duration(after_ms)) }
        }
    }
}
