//! Log groups and their events, in the order in which they came, with one limit for all of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::unit::{Clock, LOG_LOSS_PREFIX};

/// How many bytes all events may take, their messages and what is kept beside each.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// What an event takes beside its message.
const EVENT_BYTES: usize = 96;
/// How many groups there may be; the sandbox has no more functions than this.
const GROUPS_MAX: usize = 200;
/// How many names of streams a group keeps; the oldest events' streams are forgotten with them.
const STREAMS_MAX: usize = 10_000;

/// One event.
#[derive(Debug, Clone)]
pub(super) struct LogEvent {
    /// Counts all events of the sandbox.
    pub number: u64,
    group: Arc<str>,
    pub stream: Arc<str>,
    /// Milliseconds since 1970.
    pub at_ms: i64,
    pub message: Arc<str>,
}

impl LogEvent {
    fn bytes(&self) -> usize {
        self.message.len() + EVENT_BYTES
    }
}

/// A group as it is described.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    /// Milliseconds since 1970.
    pub created_ms: i64,
    /// None: events are kept for ever, as in AWS.
    pub retention_days: Option<u32>,
    /// How many bytes its messages have.
    pub stored_bytes: usize,
    streams: BTreeSet<Arc<str>>,
    /// How many of its events were dropped, and the number and moment of the last of them.
    dropped: Option<(u64, u64, i64)>,
}

#[derive(Debug, Default)]
struct Data {
    groups: BTreeMap<Arc<str>, Group>,
    events: VecDeque<LogEvent>,
    bytes: usize,
    next: u64,
}

/// The CloudWatch Logs of one sandbox.
#[derive(Debug)]
pub(in crate::sandbox) struct Logs {
    clock: Clock,
    region: String,
    account_id: String,
    bytes_max: usize,
    data: Mutex<Data>,
}

/// Which events of a group are wanted.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub group: &'a str,
    /// From this moment on, in milliseconds since 1970.
    pub from_ms: i64,
    /// Up to and with this moment.
    pub until_ms: i64,
    /// From this event on.
    pub from_number: u64,
    pub is_in: &'a dyn Fn(&LogEvent) -> bool,
    pub events_max: usize,
    pub bytes_max: usize,
}

impl Logs {
    /// No groups yet.
    pub(in crate::sandbox) fn new(region: &str, account_id: &str, clock: Clock) -> Self {
        let (region, account_id) = (region.to_owned(), account_id.to_owned());
        Self { clock, region, account_id, bytes_max: BYTES_MAX, data: Mutex::default() }
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().expect("invariant: nobody panics while holding log events")
    }

    /// A group's ARN, without the `:*` that stands for its streams.
    pub(super) fn arn(&self, group: &str) -> String {
        format!("arn:aws:logs:{}:{}:log-group:{group}", self.region, self.account_id)
    }

    /// Adds events of one stream, all at this moment. Its group comes into being with the first one, as Lambda's do.
    pub(super) fn append(&self, group: &Arc<str>, stream: &Arc<str>, messages: impl IntoIterator<Item = String>) {
        let at_ms = self.clock.now().timestamp_millis();
        let data = &mut *self.data();
        if !data.groups.contains_key(group) {
            if data.groups.len() >= GROUPS_MAX {
                return;
            }
            data.groups.insert(Arc::clone(group), Group { created_ms: at_ms, ..Group::default() });
        }
        for message in messages {
            let (group, stream, number) = (Arc::clone(group), Arc::clone(stream), data.next);
            let event = LogEvent { number, group, stream, at_ms, message: message.into() };
            data.next += 1;
            data.bytes += event.bytes();
            if let Some(group) = data.groups.get_mut(&event.group) {
                group.stored_bytes += event.message.len();
                if group.streams.len() < STREAMS_MAX && !group.streams.contains(&event.stream) {
                    group.streams.insert(Arc::clone(&event.stream));
                }
            }
            data.events.push_back(event);
        }
        while data.bytes > self.bytes_max {
            let Some(oldest) = data.events.pop_front() else { return };
            data.bytes -= oldest.bytes();
            if let Some(group) = data.groups.get_mut(&oldest.group) {
                group.stored_bytes = group.stored_bytes.saturating_sub(oldest.message.len());
                let count = group.dropped.map_or(0, |(count, ..)| count) + 1;
                group.dropped = Some((count, oldest.number, oldest.at_ms));
            }
        }
    }

    /// The groups by name.
    pub(super) fn groups(&self) -> Vec<(Arc<str>, Group)> {
        self.data().groups.iter().map(|(name, group)| (Arc::clone(name), group.clone())).collect()
    }

    /// Changes how long a group keeps its events; says whether there is such a group. Nothing is deleted for it: no sandbox lives
    /// for a day.
    pub(super) fn retain(&self, group: &str, days: Option<u32>) -> bool {
        match self.data().groups.get_mut(group) {
            Some(group) => {
                group.retention_days = days;
                true
            }
            None => false,
        }
    }

    /// A page of a group's events, and the number from which the next page goes on. `None`: there is no such group.
    ///
    /// Where events of the range were dropped, an event that says so stands in their place: nobody is to count what is left for all.
    pub(super) fn page(&self, wanted: Wanted<'_>) -> Option<(Vec<LogEvent>, Option<u64>)> {
        let data = self.data();
        let group = data.groups.get(wanted.group)?;
        let mut page = Vec::new();
        let mut bytes = 0;
        if let Some((count, number, at_ms)) = group.dropped
            && wanted.from_ms <= at_ms
            && wanted.from_number <= number
        {
            let message = format!("{LOG_LOSS_PREFIX}{count} older events of this group are not kept any more");
            let (group, stream) = (Arc::from(wanted.group), Arc::from("sandbox"));
            page.push(LogEvent { number, group, stream, at_ms, message: message.into() });
        }
        let start = data.events.partition_point(|event| event.number < wanted.from_number);
        for event in data.events.range(start..) {
            let is_in_range = event.at_ms >= wanted.from_ms && event.at_ms <= wanted.until_ms;
            if *event.group != *wanted.group || !is_in_range || !(wanted.is_in)(event) {
                continue;
            }
            bytes += event.bytes();
            if page.len() >= wanted.events_max || (bytes > wanted.bytes_max && !page.is_empty()) {
                return Some((page, Some(event.number)));
            }
            page.push(event.clone());
        }
        Some((page, None))
    }

    #[cfg(test)]
    fn with_room_for(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::new("us-east-1", "000000000000", Clock::start()) }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn everything(group: &str) -> Wanted<'_> {
        Wanted {
            group,
            from_ms: 0,
            until_ms: i64::MAX,
            from_number: 0,
            is_in: &|_| true,
            events_max: 10_000,
            bytes_max: 1 << 20,
        }
    }

    fn messages(page: &[LogEvent]) -> Vec<&str> {
        page.iter().map(|event| &*event.message).collect()
    }

    #[test]
    fn events_come_back_in_their_order_page_by_page() {
        let logs = Logs::with_room_for(10_000);
        let (one, other, stream) = (Arc::from("/aws/lambda/a"), Arc::from("/aws/lambda/b"), Arc::from("s"));
        for number in 0..3 {
            logs.append(&one, &stream, [format!("a{number}")]);
            logs.append(&other, &stream, [format!("b{number}")]);
        }
        let two = Wanted { events_max: 2, ..everything("/aws/lambda/a") };
        let (page, next) = logs.page(two).unwrap();
        assert_eq!(messages(&page), ["a0", "a1"]);
        let (page, next) = logs.page(Wanted { from_number: next.unwrap(), ..two }).unwrap();
        assert_eq!((messages(&page), next), (vec!["a2"], None));
        assert!(logs.page(everything("/aws/lambda/none")).is_none());
    }

    #[test]
    fn what_is_dropped_is_told_where_it_would_have_stood() {
        let logs = Logs::with_room_for(4 * (EVENT_BYTES + 2));
        let (group, stream) = (Arc::from("g"), Arc::from("s"));
        logs.append(&group, &stream, (0..6).map(|number| format!("m{number}")));
        let (page, _) = logs.page(everything("g")).unwrap();
        let lost = format!("{LOG_LOSS_PREFIX}2 older events of this group are not kept any more");
        assert_eq!(messages(&page), [lost.as_str(), "m2", "m3", "m4", "m5"]);
        let after = page.last().unwrap().number;
        let (page, _) = logs.page(Wanted { from_number: after, ..everything("g") }).unwrap();
        assert_eq!(messages(&page), ["m5"], "a later page does not say so again");
        assert_eq!(logs.groups().first().map(|(_, group)| group.stored_bytes), Some(8));
    }

    #[test]
    fn a_page_ends_where_its_bytes_do() {
        let logs = Logs::with_room_for(1 << 20);
        logs.append(&Arc::from("g"), &Arc::from("s"), ["x".repeat(500), "y".repeat(500), "z".repeat(500)]);
        let (page, next) = logs.page(Wanted { bytes_max: 1_300, ..everything("g") }).unwrap();
        assert_eq!((page.len(), next), (2, Some(2)));
    }
}
