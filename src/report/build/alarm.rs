//! Alarms: from what was read of them to what they did in the run.

use super::Run;
use super::detection::detection;
use crate::event::{self, AlarmHistory, AlarmNote, AlarmNoteKind, AlarmRecord, FaultProgress};
use crate::report::metric::Metric;
use crate::report::model::{Alarm, AlarmEntry, AlarmStretch};
use crate::report::number::duration;
use crate::unit::AlarmState;

/// An alarm that goes to `ALARM` as often as this is noisy.
const NOISY_COUNT_MIN: usize = 3;
/// Later than this after the undo of its fault an alarm is late to clear, in milliseconds: five of AWS's usual periods.
const CLEAR_LAG_MS_MAX: u64 = 300_000;

/// When an alarm was first `OK` again from a moment on.
fn cleared_ms(record: &AlarmRecord, from_ms: u64) -> Option<u64> {
    let mut later = record.stretches((from_ms, u64::MAX)).filter(|stretch| stretch.from_ms >= from_ms);
    later.find(|stretch| stretch.state == Some(AlarmState::Ok)).map(|stretch| stretch.from_ms)
}

/// Whether an alarm was there to fire from one moment to another: not in `ALARM` at first, and known of all that time.
pub(super) fn could_fire(record: &AlarmRecord, from_ms: u64, to_ms: u64) -> bool {
    let is_free = record.state_at(from_ms).is_some_and(|state| state != AlarmState::Alarm);
    is_free && !is_unseen(record, (from_ms, to_ms))
}

/// Whether the state of an alarm is not known of all of a window.
pub(super) fn is_unseen(record: &AlarmRecord, window: (u64, u64)) -> bool {
    record.stretches(window).any(|stretch| stretch.state.is_none() && stretch.from_ms < window.1)
}

fn stretches(record: &AlarmRecord, end_ms: u64) -> Vec<AlarmStretch> {
    let all = record.stretches((0, end_ms)).filter(|stretch| stretch.to_ms > stretch.from_ms);
    let as_told = |stretch: event::AlarmStretch| AlarmStretch {
        from_ms: stretch.from_ms,
        to_ms: stretch.to_ms,
        state: stretch.state.map_or_else(|| "unknown".to_owned(), |state| state.to_string()),
    };
    all.map(as_told).collect()
}

/// The times in which alarms could not be read: from, to and why.
pub(super) fn unread<'r>(run: &'r Run<'_>) -> impl Iterator<Item = (u64, u64, &'r str)> {
    let times = run.alarms.unread().iter();
    times.map(|time| (time.from_ms, time.to_ms.unwrap_or(run.end_ms), time.why.as_str()))
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
    let Some(facts) = &run.facts.alarms else { return Vec::new() };
    let mut names: Vec<&str> =
        facts.expected.iter().chain(&facts.tolerated).chain(&facts.watched).map(String::as_str).collect();
    let others = run.alarms.names().filter(|name| !names.contains(name)).collect::<Vec<_>>();
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
    let mut alarms: Vec<Alarm> = names.into_iter().map(|name| alarm(run, name, role(name))).collect();
    alarms.sort_by_key(|alarm| match alarm.role.as_str() {
        "expected" => 0,
        "unnamed" => 1,
        _ => 2,
    });
    alarms
}

fn alarm(run: &Run<'_>, name: &str, role: &str) -> Alarm {
    let nothing = AlarmRecord::default();
    let record = run.alarms.get(name).unwrap_or(&nothing);
    let injected_ms =
        run.state.faults.iter().filter(|fault| !fault.identity.is_route()).map(|it| it.requested_ms).min();
    let fired = record.fired().iter().find(|fired| injected_ms.is_none_or(|injected| fired.at_ms >= injected));
    let (outcome, why) = outcome(run, record, role, fired.is_some(), injected_ms);
    let fault = fired.and_then(|fired| owner(run, fired.at_ms));
    let last = record.fired().last().filter(|_| fired.is_some());
    let clear_lag = last
        .map_or_else(|| Metric::not_applicable("it did not fire"), |last| clear_lag(run, fault, record, last.at_ms));
    let is_late_to_clear = match &clear_lag {
        Metric::Measured { ms, .. } => *ms > CLEAR_LAG_MS_MAX,
        // The lag is longer than that, however long the alarm goes on.
        Metric::Censored { after_ms, .. } => *after_ms > CLEAR_LAG_MS_MAX,
        Metric::NotApplicable { .. } => false,
    };
    let (prediction, bounds) = detection(run, name, record);
    let effective_ms = fault.and_then(|fault| fault.effective_ms);
    let history = record.history();
    Alarm {
        alarm: name.to_owned(),
        role: role.to_owned(),
        outcome: outcome.to_owned(),
        why,
        fired_ms: fired.map(|fired| fired.at_ms),
        fired_count: record.fired().len(),
        is_noisy: record.fired().len() >= NOISY_COUNT_MIN,
        fault: fault.map(|fault| fault.identity.fault.to_string()),
        cleared_ms: record.fired().last().and_then(|fired| cleared_ms(record, fired.at_ms)),
        clear_lag,
        is_late_to_clear,
        prediction,
        bounds,
        after_effect_ms: fired.zip(effective_ms).map(|(fired, effective)| fired.at_ms.saturating_sub(effective)),
        muted_by: muted_by(record),
        has_acted: history.is_some_and(|history| history.of(AlarmNoteKind::Action).next().is_some()),
        history: history.map(entries).unwrap_or_default(),
        history_unknown: history.and_then(|history| history.unknown.clone()),
        reason: fired.map(|fired| fired.reason.clone()).filter(|reason| !reason.is_empty()),
        stretches: stretches(record, run.end_ms),
    }
}

/// What keeps the actions of an alarm back.
fn muted_by(record: &AlarmRecord) -> Option<String> {
    let rules = record.history().map(|history| history.muted_by.as_slice()).unwrap_or_default();
    let settings = record.settings()?;
    if !settings.actions_enabled {
        Some("its actions are disabled".to_owned())
    } else if !rules.is_empty() {
        Some(format!("by the mute rule {}", rules.join(", ")))
    } else {
        None
    }
}

fn entries(history: &AlarmHistory) -> Vec<AlarmEntry> {
    let entry = |note: &AlarmNote| AlarmEntry {
        at_ms: note.at_ms,
        kind: match note.kind {
            AlarmNoteKind::Transition => "transition",
            AlarmNoteKind::Action => "action",
            AlarmNoteKind::Edit => "edit",
        }
        .to_owned(),
        summary: note.summary.clone(),
    };
    history.notes.iter().map(entry).collect()
}

fn outcome(
    run: &Run<'_>,
    record: &AlarmRecord,
    role: &str,
    has_fired: bool,
    injected_ms: Option<u64>,
) -> (&'static str, Option<String>) {
    if has_fired {
        return (if role == "unnamed" { "unexpected" } else { "fired" }, None);
    }
    let unknown = |why: String| ("unknown", Some(why));
    let unread_at_end = run.alarms.unread_now().map(|time| &time.why);
    if role != "expected" {
        return match (unread_at_end, record.was_read(), record.is_lost()) {
            (_, false, _) => ("quiet", Some("it was not there".to_owned())),
            (_, _, true) => unknown("it was deleted while the run lasted".to_owned()),
            (Some(why), ..) => unknown(format!("alarms could not be read: {why}")),
            (None, true, false) if is_unseen(record, (0, run.end_ms)) => {
                unknown("its state is not known of all the time".to_owned())
            }
            (None, true, false) => ("quiet", None),
        };
    }
    let Some(injected_ms) = injected_ms else { return unknown("no fault was injected".to_owned()) };
    let waited_ms = run.end_ms.saturating_sub(injected_ms);
    if !record.was_read() {
        unknown("it was not read".to_owned())
    } else if record.state_at(injected_ms) == Some(AlarmState::Alarm) {
        unknown("it was in ALARM already when the first fault was injected".to_owned())
    } else if record.is_lost() {
        unknown("it was deleted while the run lasted".to_owned())
    } else if let Some(why) = unread_at_end {
        unknown(format!("alarms could not be read: {why}"))
    } else if is_unseen(record, (injected_ms, run.end_ms)) {
        unknown("its state is not known of all the time since the first injection".to_owned())
    } else if !run.state.faults.iter().any(|fault| fault.applied_ms.is_some() && !fault.identity.is_route()) {
        unknown("no fault came to be in place".to_owned())
    } else if let Some(looks_back_ms) = record.looks_back_ms().filter(|looks_back| *looks_back > waited_ms) {
        let (waited, looks_back) = (duration(waited_ms), duration(looks_back_ms));
        unknown(format!("the run ended {waited} after the first injection, and it looks back over {looks_back}"))
    } else {
        let at_end = record.state_at(run.end_ms).filter(|state| *state == AlarmState::InsufficientData);
        ("silent", at_end.map(|_| "it had insufficient data".to_owned()))
    }
}

/// From the undo of a fault to the `OK` of an alarm that fired at `fired_ms`.
pub(super) fn clear_lag(run: &Run<'_>, fault: Option<&FaultProgress>, record: &AlarmRecord, fired_ms: u64) -> Metric {
    let Some(undone_ms) = fault.and_then(|fault| fault.ended_ms) else {
        return Metric::not_applicable("it belongs to no fault that was undone");
    };
    match cleared_ms(record, fired_ms) {
        // It may be over before its fault is.
        Some(cleared_ms) => Metric::Measured {
            ms: cleared_ms.saturating_sub(undone_ms),
            uncertainty_ms: 0,
            source: "from the undo of its fault to OK".to_owned(),
        },
        None if is_unseen(record, (fired_ms, run.end_ms)) || run.alarms.unread_now().is_some() => {
            Metric::not_applicable("its state is not known of all the time since it fired")
        }
        None => {
            let after_ms = run.end_ms.saturating_sub(undone_ms);
            Metric::Censored { after_ms, text: format!("not OK in {}; then the run ended", duration(after_ms)) }
        }
    }
}
