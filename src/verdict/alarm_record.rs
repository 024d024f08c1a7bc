//! The states of alarms over the run, as they were read: stretches of time, each with a state or with "not known".

use std::collections::BTreeMap;

use crate::event::{Event, EventKind};
use crate::unit::{AlarmState, alarm_matches};

use super::recording::WindowMs;

/// A stretch of time in which an alarm was in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// From when on, in milliseconds since the run's start.
    pub(super) from_ms: u64,
    /// Until when; the window's end, where it lasts longer.
    pub(super) to_ms: u64,
    /// The state; none where it is not known.
    pub(super) state: Option<AlarmState>,
}

/// What is known of one alarm.
#[derive(Debug, Clone, Default)]
pub(super) struct AlarmRecord {
    /// Each state with its beginning, in order.
    changes: Vec<(u64, Option<AlarmState>)>,
    /// How far back it looks, in milliseconds.
    pub(super) looks_back_ms: Option<u64>,
    /// Whether it has been in `OK` or `ALARM`, so that it had data once.
    pub(super) had_data: bool,
    /// Whether it is no longer there.
    pub(super) is_lost: bool,
}

/// Alarms by name, and whether they can be read.
#[derive(Debug, Clone, Default)]
pub(super) struct AlarmRecords {
    alarms: BTreeMap<String, AlarmRecord>,
    /// When they were last read, while they can not be, and why.
    unread: Option<(u64, String)>,
    /// Whether the run was ready: what is found after it was not there before.
    is_ready: bool,
}

impl AlarmRecord {
    fn change(&mut self, at_ms: u64, state: Option<AlarmState>) {
        // A transition that AWS dates before one that was told already begins where that one did.
        let at_ms = self.changes.last().map_or(at_ms, |(last, _)| at_ms.max(*last));
        self.changes.push((at_ms, state));
        self.had_data |= matches!(state, Some(AlarmState::Alarm | AlarmState::Ok));
    }

    /// The stretches that touch a window, both of whose ends count. Before it was first read it was not there.
    pub(super) fn stretches(&self, window: WindowMs) -> impl Iterator<Item = Stretch> {
        let ends = self.changes.iter().skip(1).map(|(at, _)| *at).chain(std::iter::once(u64::MAX));
        let all = self.changes.iter().zip(ends);
        let within = all.filter(move |((from, _), end)| *from <= window.1 && *end > window.0 && end > from);
        within.map(move |((from, state), end)| Stretch { from_ms: *from, to_ms: end.min(window.1), state: *state })
    }

    /// When it went to `ALARM`, in order: the moments at which it was seen to come into that state.
    pub(super) fn fired(&self) -> impl Iterator<Item = u64> {
        let before = std::iter::once(None).chain(self.changes.iter().map(Some));
        let pairs = self.changes.iter().zip(before);
        let into = pairs.filter(|((at, state), before)| {
            *state == Some(AlarmState::Alarm)
                && before.map_or(*at > 0, |(_, before)| *before != Some(AlarmState::Alarm))
        });
        into.map(|((at, _), _)| *at)
    }
}

impl AlarmRecords {
    pub(super) fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::ReadinessPassed { .. } => self.is_ready = true,
            EventKind::AlarmFound { alarm, state, looks_back_ms, .. } => {
                let record = self.alarms.entry(alarm.clone()).or_default();
                (record.looks_back_ms, record.is_lost) = (*looks_back_ms, false);
                // What is read before the first phase was so since the run's start.
                let at_ms = if self.is_ready { event.elapsed_ms } else { 0 };
                record.change(at_ms, Some(*state));
            }
            EventKind::AlarmTransitioned { alarm, to, at_ms, unseen_from_ms, .. } => {
                let record = self.alarms.entry(alarm.clone()).or_default();
                record.is_lost = false;
                if let Some(from_ms) = unseen_from_ms {
                    record.change((*from_ms).min(*at_ms), None);
                }
                record.change(*at_ms, Some(*to));
            }
            EventKind::AlarmLost { alarm } => {
                let record = self.alarms.entry(alarm.clone()).or_default();
                record.is_lost = true;
                record.change(event.elapsed_ms, None);
            }
            EventKind::AlarmsUnread { since_ms, why } => self.unread = Some((*since_ms, why.clone())),
            EventKind::AlarmsReread => self.unread = None,
            _ => {}
        }
    }

    /// The alarm of that name.
    pub(super) fn get(&self, name: &str) -> Option<&AlarmRecord> {
        self.alarms.get(name)
    }

    /// The alarms whose names fit a pattern.
    pub(super) fn matching<'a>(&'a self, pattern: &'a str) -> impl Iterator<Item = (&'a str, &'a AlarmRecord)> {
        let fits = self.alarms.iter().filter(move |(name, _)| alarm_matches(pattern, name));
        fits.map(|(name, record)| (name.as_str(), record))
    }

    /// When they were last read and why they can not be, while that is so.
    pub(super) fn unread(&self) -> Option<(u64, &str)> {
        self.unread.as_ref().map(|(since_ms, why)| (*since_ms, why.as_str()))
    }
}
