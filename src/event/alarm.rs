//! The record of alarms: what state each was in over the run, and when none could be read.
//!
//! Owns: the one reading of the events about alarms, which verdicts and the report share. Must not know: what an alarm was
//! expected to do.

use std::collections::BTreeMap;

use super::{AlarmNote, AlarmNoteKind, Event, EventKind};
use crate::unit::{AlarmSettings, AlarmState, alarm_matches};

/// A stretch of time in which an alarm was in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AlarmStretch {
    /// From when on, in milliseconds since the run's start.
    pub(crate) from_ms: u64,
    /// Until when; the window's end, where it lasts longer.
    pub(crate) to_ms: u64,
    /// The state; none where it is not known.
    pub(crate) state: Option<AlarmState>,
    /// Whether it came into the state then; where it does not, it may have been in it before.
    pub(crate) has_begun: bool,
}

/// A moment at which an alarm came into `ALARM`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AlarmFiring {
    /// When, in milliseconds since the run's start.
    pub(crate) at_ms: u64,
    /// Whether AWS told the time; otherwise it is the latest that it can be.
    pub(crate) is_exact: bool,
    /// Why, in AWS's words; empty where that is not known.
    pub(crate) reason: String,
}

/// A time in which no alarm could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnreadTime {
    /// When they were last read before it, in milliseconds since the run's start.
    pub(crate) from_ms: u64,
    /// When they were read again; none while they are not.
    pub(crate) to_ms: Option<u64>,
    /// The error.
    pub(crate) why: String,
}

/// What is known of one alarm.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlarmRecord {
    changes: Vec<Change>,
    fired: Vec<AlarmFiring>,
    looks_back_ms: Option<u64>,
    settings: Option<Box<AlarmSettings>>,
    history: Option<AlarmHistory>,
    is_lost: bool,
}

/// What AWS tells of an alarm when the run is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AlarmHistory {
    /// Its entries, oldest first.
    pub(crate) notes: Vec<AlarmNote>,
    /// Whether there are more.
    pub(crate) is_cut: bool,
    /// The rules that muted it at the run's end.
    pub(crate) muted_by: Vec<String>,
    /// Why it could not be read, or not all of it.
    pub(crate) unknown: Option<String>,
}

impl AlarmHistory {
    /// The entries of a kind.
    pub(crate) fn of(&self, kind: AlarmNoteKind) -> impl Iterator<Item = &AlarmNote> {
        self.notes.iter().filter(move |note| note.kind == kind)
    }
}

/// A state with its beginning.
#[derive(Debug, Clone, Copy)]
struct Change {
    at_ms: u64,
    state: Option<AlarmState>,
    has_begun: bool,
}

/// Alarms by name, and the times in which none could be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct AlarmRecords {
    alarms: BTreeMap<String, AlarmRecord>,
    unread: Vec<UnreadTime>,
    /// Whether the run was ready: what is found after it was not there before.
    is_ready: bool,
}

impl AlarmRecord {
    /// How far back it looks, in milliseconds; none where that is not known.
    pub(crate) fn looks_back_ms(&self) -> Option<u64> {
        self.looks_back_ms
    }

    /// What it watches, how it decides, and whom it tells, as it was read first; old logs have none.
    pub(crate) fn settings(&self) -> Option<&AlarmSettings> {
        self.settings.as_deref()
    }

    /// What AWS told of it when the run was over; none where nobody asked.
    pub(crate) fn history(&self) -> Option<&AlarmHistory> {
        self.history.as_ref()
    }

    /// Whether it is no longer there.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether it was ever read.
    pub(crate) fn was_read(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Whether it has been in `OK` or `ALARM`, so that it had data once.
    pub(crate) fn had_data(&self) -> bool {
        self.changes.iter().any(|change| matches!(change.state, Some(AlarmState::Alarm | AlarmState::Ok)))
    }

    /// The moments at which it came into `ALARM`, in order.
    pub(crate) fn fired(&self) -> &[AlarmFiring] {
        &self.fired
    }

    /// The stretches that touch a window, both of whose ends count. Before it was first read it was not there.
    pub(crate) fn stretches(&self, window: (u64, u64)) -> impl Iterator<Item = AlarmStretch> {
        let ends = self.changes.iter().skip(1).map(|change| change.at_ms).chain(std::iter::once(u64::MAX));
        let all = self.changes.iter().zip(ends).map(|(change, end)| AlarmStretch {
            from_ms: change.at_ms,
            to_ms: end,
            state: change.state,
            has_begun: change.has_begun,
        });
        let touches = move |it: &AlarmStretch| it.from_ms <= window.1 && it.to_ms > window.0 && it.to_ms > it.from_ms;
        all.filter(touches).map(move |it| AlarmStretch { to_ms: it.to_ms.min(window.1), ..it })
    }

    /// The state at a moment; none where it is not known, and before it was there.
    pub(crate) fn state_at(&self, at_ms: u64) -> Option<AlarmState> {
        self.stretches((at_ms, at_ms)).last().and_then(|stretch| stretch.state)
    }

    /// Answers when the change counts from.
    fn change(&mut self, at_ms: u64, state: Option<AlarmState>, has_begun: bool) -> u64 {
        // A transition that AWS dates before one that was told already begins where that one did.
        let at_ms = self.changes.last().map_or(at_ms, |last| at_ms.max(last.at_ms));
        self.changes.push(Change { at_ms, state, has_begun });
        self.is_lost = false;
        at_ms
    }

    fn fire(&mut self, at_ms: u64, is_exact: bool, reason: &str) {
        self.fired.push(AlarmFiring { at_ms, is_exact, reason: reason.to_owned() });
    }
}

impl AlarmRecords {
    /// The record that a log's events make.
    pub(crate) fn fold(events: &[Event]) -> Self {
        let mut records = Self::default();
        events.iter().for_each(|event| records.apply(event));
        records
    }

    /// Takes in one event.
    pub(crate) fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::ReadinessPassed { .. } => self.is_ready = true,
            EventKind::AlarmFound { alarm, state, looks_back_ms, settings, .. } => {
                // What is read before the first phase was so since the run's start.
                let (at_ms, has_begun) = if self.is_ready { (event.elapsed_ms, true) } else { (0, false) };
                let record = self.record(alarm);
                record.looks_back_ms = *looks_back_ms;
                if record.settings.is_none() {
                    record.settings.clone_from(settings);
                }
                let at_ms = record.change(at_ms, Some(*state), has_begun);
                if has_begun && *state == AlarmState::Alarm {
                    record.fire(at_ms, false, "");
                }
            }
            EventKind::AlarmTransitioned { alarm, to, at_ms, is_exact, reason, unseen_from_ms, .. } => {
                let record = self.record(alarm);
                if let Some(from_ms) = unseen_from_ms {
                    record.change((*from_ms).min(*at_ms), None, true);
                }
                let at_ms = record.change(*at_ms, Some(*to), true);
                if *to == AlarmState::Alarm {
                    record.fire(at_ms, *is_exact, reason);
                }
            }
            EventKind::AlarmUnseen { alarm, state, from_ms } => {
                let record = self.record(alarm);
                record.change(*from_ms, None, true);
                record.change(event.elapsed_ms, Some(*state), false);
            }
            EventKind::AlarmLost { alarm, from_ms } => {
                let record = self.record(alarm);
                record.change(*from_ms, None, true);
                record.is_lost = true;
            }
            EventKind::AlarmHistoryRead { alarm, notes, is_cut, muted_by, unknown } => {
                let (notes, muted_by, unknown) = (notes.clone(), muted_by.clone(), unknown.clone());
                self.record(alarm).history = Some(AlarmHistory { notes, is_cut: *is_cut, muted_by, unknown });
            }
            // It counts from the first that is told.
            EventKind::AlarmsUnread { since_ms, why } if self.unread_now().is_none() => {
                self.unread.push(UnreadTime { from_ms: *since_ms, to_ms: None, why: why.clone() });
            }
            EventKind::AlarmsReread => self.unread.iter_mut().for_each(|time| {
                time.to_ms.get_or_insert(event.elapsed_ms);
            }),
            _ => {}
        }
    }

    /// The alarm of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&AlarmRecord> {
        self.alarms.get(name)
    }

    /// The names of all alarms that were read.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.alarms.keys().map(String::as_str)
    }

    /// The alarms whose names fit a pattern.
    pub(crate) fn matching<'a>(&'a self, pattern: &'a str) -> impl Iterator<Item = (&'a str, &'a AlarmRecord)> {
        let fits = self.alarms.iter().filter(move |(name, _)| alarm_matches(pattern, name));
        fits.map(|(name, record)| (name.as_str(), record))
    }

    /// The times in which none could be read, in order; the last may have no end yet.
    pub(crate) fn unread(&self) -> &[UnreadTime] {
        &self.unread
    }

    /// The time that has no end yet.
    pub(crate) fn unread_now(&self) -> Option<&UnreadTime> {
        self.unread.last().filter(|time| time.to_ms.is_none())
    }

    fn record(&mut self, alarm: &str) -> &mut AlarmRecord {
        self.alarms.entry(alarm.to_owned()).or_default()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use AlarmState::{Alarm, Ok};

    fn found(state: AlarmState) -> EventKind {
        EventKind::AlarmFound {
            alarm: "pay".to_owned(),
            state,
            transitioned_at: DateTime::UNIX_EPOCH,
            actions_enabled: true,
            looks_back_ms: Some(20_000),
            settings: None,
        }
    }

    fn goes(to: AlarmState, at_ms: u64, unseen_from_ms: Option<u64>) -> EventKind {
        EventKind::AlarmTransitioned {
            alarm: "pay".to_owned(),
            from: None,
            to,
            at_ms,
            transitioned_at: DateTime::UNIX_EPOCH,
            is_exact: true,
            reason: "too slow".to_owned(),
            unseen_from_ms,
        }
    }

    fn records(events: &[(u64, EventKind)]) -> AlarmRecords {
        let event = |(seq, (elapsed_ms, kind)): (u64, &(u64, EventKind))| Event {
            seq,
            at: DateTime::UNIX_EPOCH,
            elapsed_ms: *elapsed_ms,
            kind: kind.clone(),
        };
        AlarmRecords::fold(&(0..).zip(events).map(event).collect::<Vec<Event>>())
    }

    fn pay(events: &[(u64, EventKind)]) -> AlarmRecord {
        let ready = [(500, found(Ok)), (900, EventKind::ReadinessPassed { checks: Vec::new() })];
        records(&[ready.as_slice(), events].concat()).get("pay").unwrap().clone()
    }

    fn told(record: &AlarmRecord, window: (u64, u64)) -> Vec<(u64, u64, Option<AlarmState>)> {
        record.stretches(window).map(|it| (it.from_ms, it.to_ms, it.state)).collect()
    }

    #[test]
    fn what_is_read_before_the_first_phase_was_so_since_the_start() {
        let record = pay(&[(32_000, goes(Alarm, 30_000, None)), (52_000, goes(Ok, 50_000, None))]);
        let all = [(0, 30_000, Some(Ok)), (30_000, 50_000, Some(Alarm)), (50_000, 90_000, Some(Ok))];
        assert_eq!(told(&record, (0, 90_000)), all);
        assert_eq!(told(&record, (30_000, 40_000)), [(30_000, 40_000, Some(Alarm))], "an end that only touches");
        assert_eq!((record.state_at(29_999), record.state_at(30_000)), (Some(Ok), Some(Alarm)));
        let firing = AlarmFiring { at_ms: 30_000, is_exact: true, reason: "too slow".to_owned() };
        assert_eq!(record.fired(), [firing]);
    }

    #[test]
    fn what_is_found_in_the_middle_of_a_run_came_then_and_was_not_there_before() {
        let record =
            pay(&[(10_000, EventKind::AlarmLost { alarm: "pay".to_owned(), from_ms: 10_000 }), (20_000, found(Alarm))]);
        assert_eq!(told(&record, (5_000, 30_000)).len(), 3);
        assert_eq!((record.state_at(15_000), record.is_lost()), (None, false));
        assert_eq!(record.fired(), [AlarmFiring { at_ms: 20_000, is_exact: false, reason: String::new() }]);
        let early = records(&[(500, found(Alarm))]);
        assert_eq!(early.get("pay").unwrap().fired(), [], "it was on before the run");
    }

    #[test]
    fn a_time_that_was_not_seen_is_not_known_and_order_is_kept() {
        let record = pay(&[(42_000, goes(Alarm, 40_000, Some(20_000)))]);
        assert_eq!((record.state_at(19_999), record.state_at(20_000)), (Some(Ok), None));
        assert_eq!(record.state_at(40_000), Some(Alarm));
        // AWS dates it before what was told already.
        let record = pay(&[(42_000, goes(Alarm, 40_000, None)), (43_000, goes(Ok, 39_000, None))]);
        assert_eq!((record.state_at(39_500), record.state_at(40_000)), (Some(Ok), Some(Ok)));
    }

    #[test]
    fn an_alarm_that_may_have_left_its_state_unseen_is_not_known_in_between_and_has_not_fired() {
        let unseen = EventKind::AlarmUnseen { alarm: "pay".to_owned(), state: Alarm, from_ms: 20_000 };
        let record = pay(&[(12_000, goes(Alarm, 10_000, None)), (40_000, unseen)]);
        assert_eq!((record.state_at(20_000), record.state_at(40_000)), (None, Some(Alarm)));
        assert_eq!(record.fired().len(), 1, "it may have stayed as it was");
        assert_eq!(record.stretches((40_000, 50_000)).map(|it| it.has_begun).collect::<Vec<_>>(), [false]);
    }

    #[test]
    fn a_time_without_readings_counts_from_the_first_that_is_told_to_the_next_that_goes_through() {
        let unread = |since_ms| EventKind::AlarmsUnread { since_ms, why: "no route".to_owned() };
        let mut events = vec![(6_000, unread(5_000)), (8_000, unread(7_000))];
        assert_eq!(records(&events).unread_now().map(|time| time.from_ms), Some(5_000));
        events.push((9_000, EventKind::AlarmsReread));
        let all = records(&events);
        assert_eq!((all.unread_now(), all.unread().len(), all.unread()[0].to_ms), (None, 1, Some(9_000)));
    }
}
