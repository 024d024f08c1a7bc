//! [`Feed`]: the events of a run for one viewer, in order and without a gap: from the log's file, and then as they come.
//!
//! A viewer that is slow misses what is broadcast and reads it from the file. Nobody waits for a viewer.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;

use super::{Event, EventLog, LogError, LogPart, LogTail};
use crate::unit::FileError;

/// How many events are read from the file at a time: as much of a long log as one viewer may hold.
const PART_EVENTS_MAX: usize = 1_000;

/// The events of a run for one viewer.
#[derive(Debug)]
pub struct Feed {
    tail: LogTail,
    waiting: VecDeque<Arc<Event>>,
    next_seq: u64,
    live: broadcast::Receiver<Arc<Event>>,
    must_read: bool,
    /// A part that is being read: whoever waited for it may have gone away, and comes back.
    reading: Option<JoinHandle<(LogTail, Result<LogPart, LogError>)>>,
    is_closed: bool,
}

impl Feed {
    /// The events behind the number `after`, or from the first on, of the run in `directory`; `live` is what its log tells from now on.
    #[must_use]
    pub fn new(directory: &Path, live: broadcast::Receiver<Arc<Event>>, after: Option<u64>) -> Self {
        Self::begin(directory, live, after, true)
    }

    /// The events of a log from now on.
    #[must_use]
    pub fn of_future(log: &EventLog) -> Self {
        // What comes between the two is told of, and of no number that is wanted.
        let live = log.subscribe();
        Self::begin(log.directory(), live, log.last_seq(), false)
    }

    fn begin(directory: &Path, live: broadcast::Receiver<Arc<Event>>, after: Option<u64>, must_read: bool) -> Self {
        Self {
            tail: LogTail::new(directory),
            waiting: VecDeque::new(),
            next_seq: after.map_or(0, |after| after.saturating_add(1)),
            live,
            must_read,
            reading: None,
            is_closed: false,
        }
    }

    /// The next event; none once whoever tells of the run has gone away and everything was read. It may be dropped while it waits.
    ///
    /// # Errors
    /// The log can not be read.
    pub async fn next(&mut self) -> Result<Option<Arc<Event>>, LogError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.next_seq = event.seq.saturating_add(1);
                return Ok(Some(event));
            }
            if self.must_read {
                self.read().await?;
                continue;
            }
            if self.is_closed {
                return Ok(None);
            }
            match self.live.recv().await {
                // What no file has: the log can not be written any more.
                Ok(event) if event.seq == u64::MAX => return Ok(Some(event)),
                Ok(event) if event.seq == self.next_seq => self.waiting.push_back(event),
                Ok(event) => self.must_read = event.seq > self.next_seq,
                Err(RecvError::Lagged(_)) => self.must_read = true,
                Err(RecvError::Closed) => (self.must_read, self.is_closed) = (true, true),
            }
        }
    }

    /// Reads a part of what the file has beyond what was told.
    async fn read(&mut self) -> Result<(), LogError> {
        let (tail, from) = (&self.tail, self.next_seq);
        let reading = self.reading.get_or_insert_with(|| {
            let mut tail = tail.clone();
            tokio::task::spawn_blocking(move || {
                let part = tail.read_part(from, PART_EVENTS_MAX);
                (tail, part)
            })
        });
        let read = reading.await;
        self.reading = None;
        let path = self.tail.path();
        let (tail, part) = read.map_err(std::io::Error::other).map_err(FileError::on("read", path))?;
        let part = part?;
        self.tail = tail;
        self.must_read = !part.is_end;
        self.waiting.extend(part.events.into_iter().map(Arc::new));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::event::{EventKind, EventLog, LOG_FORMAT};
    use crate::unit::Clock;

    fn log() -> (tempfile::TempDir, EventLog) {
        let directory = tempfile::tempdir().unwrap();
        let log = EventLog::create(directory.path(), Clock::with_origin(DateTime::UNIX_EPOCH)).unwrap();
        log.append(EventKind::RunStarted {
            format: LOG_FORMAT,
            run: "r".parse().unwrap(),
            scenario: "s".parse().unwrap(),
            title: String::new(),
            environment: String::new(),
            version: String::new(),
            seed: 1,
            plan_sha256: String::new(),
            process: 1,
        })
        .unwrap();
        (directory, log)
    }

    fn note(log: &EventLog, number: u64) {
        log.append(EventKind::Noted { text: number.to_string(), by: None }).unwrap();
    }

    async fn take(feed: &mut Feed, count: u64) -> Vec<u64> {
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(feed.next().await.unwrap().unwrap().seq);
        }
        numbers
    }

    #[tokio::test]
    async fn a_viewer_sees_each_event_once_and_in_order_wherever_it_came_from() {
        let (directory, log) = log();
        (1..=3).for_each(|number| note(&log, number));
        let mut feed = Feed::new(directory.path(), log.subscribe(), None);
        // Told of and in the file: it comes once.
        note(&log, 4);
        assert_eq!(take(&mut feed, 5).await, [0, 1, 2, 3, 4]);
        note(&log, 5);
        assert_eq!(take(&mut feed, 1).await, [5]);
        let mut late = Feed::new(directory.path(), log.subscribe(), Some(3));
        assert_eq!(take(&mut late, 2).await, [4, 5]);
    }

    #[tokio::test]
    async fn a_viewer_that_lags_catches_up_from_the_file() {
        let (directory, log) = log();
        let mut feed = Feed::new(directory.path(), log.subscribe(), None);
        assert_eq!(take(&mut feed, 1).await, [0]);
        (1..=10_000).for_each(|number| note(&log, number));
        let numbers = take(&mut feed, 10_000).await;
        assert!(numbers.iter().copied().eq(1..=10_000));
    }

    #[tokio::test]
    async fn a_feed_ends_with_the_run_and_not_before_everything_was_read() {
        let (directory, log) = log();
        let mut feed = Feed::new(directory.path(), log.subscribe(), None);
        (1..=5).for_each(|number| note(&log, number));
        drop(log);
        assert_eq!(take(&mut feed, 6).await, [0, 1, 2, 3, 4, 5]);
        assert!(feed.next().await.unwrap().is_none());
    }
}
