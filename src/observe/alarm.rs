//! Alarms: which are read, and what has changed since they were last read. One poll is one or two calls.
//!
//! The alarms that a scenario names are asked for by name, a hundred a call. All others are of interest only while they are in
//! `ALARM`: they are one call more, by state. One that goes to `ALARM` unnamed is asked for by name from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::aws::{ALARM_POLL_TIMEOUT, AlarmList, AlarmQuery, AlarmReading, AwsError, CloudWatch};
use crate::unit::AlarmState;

/// How many alarms are asked for by name: five calls a poll at the most.
pub const ALARMS_MAX: usize = 500;
/// How often alarms of an account are read. AWS evaluates a standard alarm once a minute, and a quick one every 10 s; nine calls
/// a second are let in for the whole account.
const ACCOUNT_INTERVAL: Duration = Duration::from_secs(5);
/// How often alarms are read behind an endpoint on this machine.
const LOCAL_INTERVAL: Duration = Duration::from_secs(1);

/// How often alarms are read.
#[must_use]
pub fn alarm_interval(is_local: bool) -> Duration {
    if is_local { LOCAL_INTERVAL } else { ACCOUNT_INTERVAL }
}

/// How long a poll that begins after a moment may take to come back: the one that is under way then, and the next, each of two
/// calls that take all their time.
#[must_use]
pub fn alarm_wait(is_local: bool) -> Duration {
    (alarm_interval(is_local) + ALARM_POLL_TIMEOUT * 2) * 2
}

/// What one poll answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlarmPoll {
    /// The alarms that were asked for by name, those of them that there are.
    pub named: AlarmList,
    /// All that are in `ALARM`.
    pub in_alarm: AlarmList,
}

/// What a poll says that the one before did not.
#[derive(Debug, Clone, PartialEq)]
pub enum AlarmChange {
    /// An alarm that is asked for by name was not there before.
    Found(AlarmReading),
    /// An alarm has another state, or has come into the same one again.
    Transitioned {
        /// As it is now.
        alarm: AlarmReading,
        /// As it was when it was last read; none for one that nobody named.
        from: Option<AlarmState>,
        /// Whether it has been in other states in between, or may have been.
        is_unseen: bool,
    },
    /// An alarm is in the same state as before a poll that failed, and may have been in others in between: what answers does not
    /// tell when it came into its state.
    Unseen(AlarmReading),
    /// An alarm that is asked for by name is no longer there.
    Lost(String),
}

/// The alarms of a run, as they were last read.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmWatch {
    names: BTreeSet<String>,
    last: BTreeMap<String, AlarmReading>,
    /// Alarms in `ALARM` that nobody named: those of the first poll are not of this run.
    others: BTreeSet<String>,
    /// What came into its state before this is not of this run.
    began_at: DateTime<Utc>,
    /// Whether the poll before this one failed.
    has_gap: bool,
}

impl AlarmWatch {
    /// Watches alarms by name, from a first poll on. `began_at` is when the run began.
    #[must_use]
    pub fn new(names: BTreeSet<String>, first: AlarmPoll, began_at: DateTime<Utc>) -> Self {
        let others = first.in_alarm.alarms.into_keys().collect();
        Self { names, last: first.named.alarms, others, began_at, has_gap: false }
    }

    /// The readings of the alarms that are there.
    pub fn readings(&self) -> impl Iterator<Item = &AlarmReading> {
        self.last.values()
    }

    /// The names that are asked for.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.names.iter().cloned().collect()
    }

    /// Asks once.
    ///
    /// # Errors
    /// A call failed.
    pub async fn poll(cloudwatch: &CloudWatch, names: &[String]) -> Result<AlarmPoll, AwsError> {
        let named = match names.is_empty() {
            true => AlarmList::default(),
            false => cloudwatch.alarms(&AlarmQuery::Names(names)).await?,
        };
        Ok(AlarmPoll { named, in_alarm: cloudwatch.alarms(&AlarmQuery::InAlarm).await? })
    }

    /// A poll failed: what happens until the next one may not be seen.
    pub fn missed(&mut self) {
        self.has_gap = true;
    }

    /// Takes in a poll, and says what has changed.
    pub fn take(&mut self, poll: AlarmPoll) -> Vec<AlarmChange> {
        let mut changes = Vec::new();
        for (name, alarm) in &poll.named.alarms {
            match self.last.get(name) {
                None => changes.push(AlarmChange::Found(alarm.clone())),
                Some(last) => changes.extend(self.change(last, alarm)),
            }
        }
        let lost = self.last.keys().filter(|name| !poll.named.alarms.contains_key(*name));
        changes.extend(lost.cloned().map(AlarmChange::Lost));
        self.last = poll.named.alarms;
        self.take_others(poll.in_alarm, &mut changes);
        self.has_gap = false;
        changes
    }

    fn change(&self, last: &AlarmReading, alarm: &AlarmReading) -> Option<AlarmChange> {
        let is_other = last.state != alarm.state;
        // In the same state, and since another time: it has been elsewhere. A time of an update says nothing of that kind.
        let is_back = !is_other && alarm.is_exact && last.is_exact && last.transitioned_at != alarm.transitioned_at;
        if is_other || is_back {
            let is_unseen = is_back || self.has_gap;
            return Some(AlarmChange::Transitioned { alarm: alarm.clone(), from: Some(last.state), is_unseen });
        }
        // The same time of the same kind: nothing was updated.
        let is_same = alarm.is_exact == last.is_exact && alarm.transitioned_at == last.transitioned_at;
        let is_unsure = self.has_gap && !is_same && !(alarm.is_exact && last.is_exact);
        is_unsure.then(|| AlarmChange::Unseen(alarm.clone()))
    }

    /// Alarms that nobody named, and that have gone to `ALARM` since the run began.
    fn take_others(&mut self, in_alarm: AlarmList, changes: &mut Vec<AlarmChange>) {
        // A list that is cut says of no alarm that it is not in it.
        if !in_alarm.is_cut {
            self.others.retain(|name| in_alarm.alarms.contains_key(name));
        }
        for (name, alarm) in in_alarm.alarms {
            if self.names.contains(&name) || self.others.contains(&name) {
                continue;
            }
            self.others.insert(name.clone());
            if alarm.transitioned_at < self.began_at {
                continue;
            }
            // From now on it is asked for by name, while there is room, so that its way back is seen.
            if self.names.len() < ALARMS_MAX {
                self.names.insert(name.clone());
                self.last.insert(name, alarm.clone());
            }
            changes.push(AlarmChange::Transitioned { alarm, from: None, is_unseen: false });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::{AlarmSettings, AlarmSubject};

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap()
    }

    fn alarm(name: &str, state: AlarmState, second: i64) -> AlarmReading {
        AlarmReading {
            name: name.to_owned(),
            state,
            transitioned_at: at(second),
            is_exact: true,
            reason: String::new(),
            settings: AlarmSettings {
                description: None,
                actions_enabled: true,
                actions: Vec::new(),
                configured_at: None,
                subject: AlarmSubject::Other,
            },
        }
    }

    fn list(alarms: &[AlarmReading]) -> AlarmList {
        AlarmList { alarms: alarms.iter().map(|alarm| (alarm.name.clone(), alarm.clone())).collect(), is_cut: false }
    }

    fn poll(named: &[AlarmReading], others: &[AlarmReading]) -> AlarmPoll {
        let in_alarm = named.iter().filter(|alarm| alarm.state == AlarmState::Alarm).chain(others).cloned();
        AlarmPoll { named: list(named), in_alarm: list(&in_alarm.collect::<Vec<_>>()) }
    }

    fn watch(named: &[AlarmReading], others: &[AlarmReading]) -> AlarmWatch {
        let names = named.iter().map(|alarm| alarm.name.clone()).collect();
        AlarmWatch::new(names, poll(named, others), at(0))
    }

    use AlarmState::{Alarm, InsufficientData, Ok};

    #[test]
    fn only_what_has_changed_is_told() {
        let mut watch = watch(&[alarm("a", Ok, -60), alarm("b", InsufficientData, -60)], &[]);
        assert_eq!(watch.take(poll(&[alarm("a", Ok, -60), alarm("b", InsufficientData, -60)], &[])), []);
        let fired = alarm("a", Alarm, 20);
        let change =
            |alarm: &AlarmReading, from, is_unseen| AlarmChange::Transitioned { alarm: alarm.clone(), from, is_unseen };
        let told = watch.take(poll(&[fired.clone(), alarm("b", InsufficientData, -60)], &[]));
        assert_eq!(told, [change(&fired, Some(Ok), false)]);
        // It went away and came back between two polls.
        let again = alarm("a", Alarm, 40);
        let told = watch.take(poll(&[again.clone(), alarm("b", InsufficientData, -60)], &[]));
        assert_eq!(told, [change(&again, Some(Alarm), true)]);
        assert_eq!(watch.take(poll(std::slice::from_ref(&again), &[])), [AlarmChange::Lost("b".to_owned())]);
        let back = alarm("b", Ok, 50);
        assert_eq!(watch.take(poll(&[again, back.clone()], &[])), [AlarmChange::Found(back)]);
    }

    #[test]
    fn a_change_behind_a_failed_poll_may_not_have_been_the_only_one() {
        let mut watch = watch(&[alarm("a", Ok, -60)], &[]);
        watch.missed();
        assert_eq!(watch.take(poll(&[alarm("a", Ok, -60)], &[])), [], "its time says that it never left");
        watch.missed();
        let fired = alarm("a", Alarm, 30);
        let told = watch.take(poll(std::slice::from_ref(&fired), &[]));
        assert_eq!(told, [AlarmChange::Transitioned { alarm: fired, from: Some(Ok), is_unseen: true }]);
    }

    #[test]
    fn an_update_without_a_time_of_its_change_is_no_change() {
        let vague = |second| AlarmReading { is_exact: false, ..alarm("a", Ok, second) };
        let mut watch = watch(&[vague(-60)], &[]);
        assert_eq!(watch.take(poll(&[vague(10)], &[])), []);
    }

    #[test]
    fn an_alarm_that_does_not_say_since_when_may_have_changed_behind_a_failed_poll() {
        let vague = || AlarmReading { is_exact: false, ..alarm("a", Ok, -60) };
        let later = || AlarmReading { transitioned_at: at(10), ..vague() };
        for (before, after) in [(vague(), later()), (alarm("a", Ok, -60), vague()), (vague(), alarm("a", Ok, -60))] {
            let mut watch = watch(&[before], &[]);
            watch.missed();
            assert_eq!(watch.take(poll(std::slice::from_ref(&after), &[])), [AlarmChange::Unseen(after.clone())]);
            assert_eq!(watch.take(poll(std::slice::from_ref(&after), &[])), [], "told once");
        }
    }

    #[test]
    fn an_alarm_that_nobody_named_is_told_of_when_it_fires_in_the_run_and_followed_from_then_on() {
        let old = alarm("old", Alarm, -600);
        let mut watch = watch(&[alarm("a", Ok, -60)], std::slice::from_ref(&old));
        assert_eq!(watch.names(), ["a"]);
        let stale = alarm("stale", Alarm, -5);
        let late = alarm("late", Alarm, 15);
        let told = watch.take(poll(&[alarm("a", Ok, -60)], &[old.clone(), stale, late.clone()]));
        assert_eq!(told, [AlarmChange::Transitioned { alarm: late, from: None, is_unseen: false }]);
        assert_eq!(watch.names(), ["a", "late"]);
        let over = alarm("late", Ok, 40);
        let told = watch.take(poll(&[alarm("a", Ok, -60), over.clone()], &[]));
        assert_eq!(told, [AlarmChange::Transitioned { alarm: over, from: Some(Alarm), is_unseen: false }]);
        // What was in ALARM before the run and fires again in it is of this run.
        let again = alarm("old", Alarm, 60);
        let told = watch.take(poll(&[alarm("a", Ok, -60), alarm("late", Ok, 40)], std::slice::from_ref(&again)));
        assert_eq!(told, [AlarmChange::Transitioned { alarm: again, from: None, is_unseen: false }]);
    }
}
