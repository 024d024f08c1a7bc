//! What AWS itself tells of a run's alarms when everything is undone: their history, and what muted them. It keeps no run from
//! ending: what can not be read is told.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::aws::{AlarmHistory, AlarmHistoryEntry, AlarmHistoryKind, CloudWatch, MuteList};
use crate::event::{AlarmNote, AlarmNoteKind, EventKind};
use crate::unit::{Clock, format_duration};

/// How long all of it may take.
const READ_WAIT: Duration = Duration::from_secs(30);
/// Of how many alarms the history is read, one call each as a rule.
const ALARMS_MAX: usize = 100;
/// How many entries of an alarm's history the log keeps: 300 characters each, they fit into a line.
const NOTES_MAX: usize = 40;

/// Reads the history of alarms from `since_ms` after the run's start on. `cloudwatch` has one short attempt a call.
pub(super) async fn read(cloudwatch: &CloudWatch, names: Vec<String>, clock: Clock, since_ms: u64) -> Vec<EventKind> {
    let end = tokio::time::Instant::now() + READ_WAIT;
    let late = || format!("no answer in {}", format_duration(READ_WAIT));
    let muted = match tokio::time::timeout_at(end, cloudwatch.mute_rules()).await {
        Ok(answer) => answer.map_err(|error| format!("what mutes it is not known: {error}")),
        Err(_) => Err(late()),
    };
    let since = TimeDelta::milliseconds(i64::try_from(since_ms).unwrap_or(0));
    let window = (clock.origin() + since, clock.now());
    let mut events = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        if index >= ALARMS_MAX {
            let why = format!("the history of {ALARMS_MAX} alarms is read");
            events.push(event(name, Err(why), &muted, clock.origin()));
            continue;
        }
        let answer = match tokio::time::timeout_at(end, cloudwatch.alarm_history(&name, window)).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(late()),
        };
        events.push(event(name, answer, &muted, clock.origin()));
    }
    events
}

fn event(
    alarm: String,
    answer: Result<AlarmHistory, String>,
    muted: &Result<MuteList, String>,
    origin: DateTime<Utc>,
) -> EventKind {
    let (rules, unknown) = match muted {
        Ok(list) => (list.rules.as_slice(), list.is_cut.then(|| "there are more mute rules than are read".to_owned())),
        Err(why) => (&[][..], Some(why.clone())),
    };
    let mutes = rules.iter().filter(|rule| rule.is_active && rule.alarms.contains(&alarm));
    let muted_by = mutes.map(|rule| rule.name.clone()).collect();
    match answer {
        Ok(AlarmHistory { entries, is_cut }) => {
            let is_cut = is_cut || entries.len() > NOTES_MAX;
            let notes = entries.into_iter().take(NOTES_MAX).map(|entry| note(entry, origin)).collect();
            EventKind::AlarmHistoryRead { alarm, notes, is_cut, muted_by, unknown }
        }
        Err(why) => {
            EventKind::AlarmHistoryRead { alarm, notes: Vec::new(), is_cut: false, muted_by, unknown: Some(why) }
        }
    }
}

fn note(entry: AlarmHistoryEntry, origin: DateTime<Utc>) -> AlarmNote {
    let AlarmHistoryEntry { at, kind, summary } = entry;
    let kind = match kind {
        AlarmHistoryKind::Transition => AlarmNoteKind::Transition,
        AlarmHistoryKind::Action => AlarmNoteKind::Action,
        AlarmHistoryKind::Edit => AlarmNoteKind::Edit,
    };
    let at_ms = u64::try_from(at.signed_duration_since(origin).num_milliseconds()).unwrap_or(0);
    AlarmNote { at_ms, kind, summary }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::MuteRule;

    fn origin() -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_000, 0).unwrap()
    }

    fn entry(second: i64, kind: AlarmHistoryKind) -> AlarmHistoryEntry {
        let at = DateTime::from_timestamp(1_700_000_000 + second, 0).unwrap();
        AlarmHistoryEntry { at, kind, summary: "s".to_owned() }
    }

    fn mutes(name: &str, is_active: bool) -> MuteList {
        let rule = MuteRule {
            name: name.to_owned(),
            is_active,
            alarms: vec!["pay".to_owned()],
            expression: "cron(0 2 * * *)".to_owned(),
            duration: "PT4H".to_owned(),
            time_zone: None,
            starts_at: None,
            expires_at: None,
        };
        MuteList { rules: vec![rule], is_cut: false }
    }

    fn told(
        answer: Result<AlarmHistory, String>,
        muted: &Result<MuteList, String>,
    ) -> (usize, bool, usize, Option<String>) {
        match event("pay".to_owned(), answer, muted, origin()) {
            EventKind::AlarmHistoryRead { notes, is_cut, muted_by, unknown, .. } => {
                (notes.len(), is_cut, muted_by.len(), unknown)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_can_not_be_read_is_told_and_what_is_active_mutes() {
        let entries = vec![entry(-5, AlarmHistoryKind::Edit), entry(30, AlarmHistoryKind::Action)];
        let history = AlarmHistory { entries, is_cut: false };
        assert_eq!(told(Ok(history.clone()), &Ok(mutes("night", true))), (2, false, 1, None));
        assert_eq!(told(Ok(history.clone()), &Ok(mutes("night", false))), (2, false, 0, None));
        let denied = Err("denied".to_owned());
        assert_eq!(told(Ok(history.clone()), &denied).3.as_deref(), Some("denied"));
        assert_eq!(told(Err("no route".to_owned()), &Ok(MuteList::default())).3.as_deref(), Some("no route"));
        let cut = MuteList { is_cut: true, ..MuteList::default() };
        assert!(told(Ok(history), &Ok(cut)).3.is_some());
    }

    #[test]
    fn a_long_history_is_cut_and_an_entry_from_before_the_run_stands_at_its_start() {
        let entries = (0..150).map(|second| entry(second - 1, AlarmHistoryKind::Transition)).collect();
        let history = AlarmHistory { entries, is_cut: false };
        let EventKind::AlarmHistoryRead { notes, is_cut, .. } =
            event("pay".to_owned(), Ok(history), &Ok(MuteList::default()), origin())
        else {
            panic!("a history")
        };
        assert_eq!((notes.len(), is_cut, notes[0].at_ms, notes[2].at_ms), (40, true, 0, 1_000));
    }
}
