//! [`Lines`]: the connections of a server. When there is no place left, the one that has been silent for longest makes room; one that
//! carries a stream never does.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// A connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    end: CancellationToken,
    state: std::sync::Arc<LineState>,
}

#[derive(Debug, Default)]
struct LineState {
    has_stream: AtomicBool,
    /// When it asked last, as the count of what all have asked.
    used: AtomicU64,
}

impl Line {
    /// Is cancelled when the connection is to end.
    pub(super) fn end(&self) -> &CancellationToken {
        &self.end
    }

    /// Whether it carries a stream.
    pub(super) fn has_stream(&self) -> bool {
        self.state.has_stream.load(Ordering::Relaxed)
    }

    pub(super) fn set_stream(&self, has_stream: bool) {
        self.state.has_stream.store(has_stream, Ordering::Relaxed);
    }
}

/// The connections of a server.
#[derive(Debug)]
pub(super) struct Lines {
    known: Mutex<BTreeMap<u64, Line>>,
    count: AtomicU64,
    max: usize,
}

impl Lines {
    /// Places for `max` connections.
    pub(super) fn new(max: usize) -> Self {
        Self { known: Mutex::default(), count: AtomicU64::new(0), max }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Line>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, with its number; none where streams have them all.
    pub(super) fn take(&self) -> Option<(u64, Line)> {
        let mut known = self.lock();
        if known.len() >= self.max {
            known.retain(|_, line| !line.end.is_cancelled());
        }
        if known.len() >= self.max {
            let silent = known.iter().filter(|(_, line)| !line.has_stream());
            let (number, _) = silent.min_by_key(|(_, line)| line.state.used.load(Ordering::Relaxed))?;
            let number = *number;
            known.remove(&number)?.end.cancel();
        }
        let line = Line::default();
        self.touch(&line);
        let number = line.state.used.load(Ordering::Relaxed);
        known.insert(number, line.clone());
        Some((number, line))
    }

    /// Somebody asks something on a line.
    pub(super) fn touch(&self, line: &Line) {
        line.state.used.store(self.count.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
    }

    /// A connection has ended.
    pub(super) fn leave(&self, number: u64) {
        self.lock().remove(&number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_silent_for_longest_makes_room_and_a_stream_never_does() {
        let lines = Lines::new(3);
        let [(_, stream), (_, asks), (_, silent)] = [(); 3].map(|()| lines.take().unwrap());
        stream.set_stream(true);
        lines.touch(&asks);
        let ended = || [&stream, &asks, &silent].map(|line| line.end().is_cancelled());
        let (number, newest) = lines.take().unwrap();
        assert_eq!(ended(), [false, false, true]);
        lines.leave(number);
        drop(newest);
        lines.take().unwrap();
        assert_eq!(ended(), [false, false, true], "there was a place");
        lines.take().unwrap();
        assert_eq!(ended(), [false, true, true]);
    }

    #[test]
    fn where_streams_have_every_place_nobody_else_comes_in_and_one_that_ends_makes_room() {
        let lines = Lines::new(2);
        let taken = [(); 2].map(|()| lines.take().unwrap());
        taken.iter().for_each(|(_, line)| line.set_stream(true));
        assert!(lines.take().is_none());
        taken[0].1.end().cancel();
        assert!(lines.take().is_some());
    }
}
