//! `bandwidth`: lets no more than so many bytes pass in a second.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Content, Parcel, ToxicCounters};

/// Limits one direction of each connection to `rate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bandwidth {
    /// Kilobytes a second, of 1000 bytes each; 0, the default, lets no byte pass (Toxiproxy's semantics).
    pub rate: u64,
}

impl Bandwidth {
    /// The type's name in the admin API.
    pub const TYPE: &'static str = "bandwidth";

    /// How long the line is busy with so many bytes; none if it never moves.
    fn takes(self, bytes: usize) -> Option<Duration> {
        let nanos = u128::try_from(bytes).ok()? * 1_000_000;
        let nanos = nanos.checked_div(self.rate.into())?;
        Some(Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// The bytes of one step: what passes in 10 ms, so that a slow line flows and does not tick.
    fn step(self) -> usize {
        usize::try_from(self.rate.saturating_mul(10)).unwrap_or(usize::MAX).max(1)
    }
}

/// How many bytes a slow line holds before its sender is held up.
const HELD_BYTES_MIN: usize = 64 * 1024;

/// How many steps a fast line holds at most: 100 ms of it.
const HELD_STEPS_MAX: usize = 10;

/// A line that is busy with each piece for as long as its rate says. Steps are timed from one another, so that a timer
/// that is late costs no bandwidth.
#[derive(Debug)]
pub(crate) struct PacedLine {
    settings: Bandwidth,
    counters: Arc<ToxicCounters>,
    /// Each with the moment at which it came.
    held: VecDeque<(Instant, Parcel)>,
    held_bytes: usize,
    /// When the line is done with what has left it.
    free_at: Instant,
}

impl PacedLine {
    pub(super) fn new(settings: Bandwidth, counters: Arc<ToxicCounters>, now: Instant) -> Self {
        Self { settings, counters, held: VecDeque::new(), held_bytes: 0, free_at: now }
    }

    pub(super) fn push(&mut self, parcel: Parcel, now: Instant) {
        if self.held.is_empty() {
            self.free_at = self.free_at.max(now);
        }
        if parcel.bytes() > 0 {
            self.counters.hit(now);
        }
        self.held_bytes += parcel.bytes();
        self.held.push_back((now, parcel));
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<Parcel> {
        let due = self.due().filter(|due| *due <= now)?;
        self.free_at = due;
        let step = self.settings.step();
        match self.held.front_mut()? {
            (_, Parcel { content: Content::Data(data), unit }) if data.len() > step => {
                self.held_bytes -= step;
                Some(Parcel { content: Content::Data(data.split_to(step)), unit: *unit })
            }
            (_, Parcel { .. }) => {
                let held = self.held.pop_front()?;
                self.held_bytes -= held.1.bytes();
                Some(self.let_go(held, now))
            }
        }
    }

    /// A chunk has waited until its last byte goes on; what waits in front of a full line is not seen.
    fn let_go(&self, (came, parcel): (Instant, Parcel), now: Instant) -> Parcel {
        if parcel.bytes() > 0 {
            self.counters.delays.add(now.saturating_duration_since(came));
        }
        parcel
    }

    pub(super) fn due(&self) -> Option<Instant> {
        match self.held.front()?.1.bytes() {
            0 => Some(self.free_at),
            bytes => self.settings.takes(bytes.min(self.settings.step())).map(|wait| self.free_at + wait),
        }
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn is_full(&self) -> bool {
        self.held_bytes >= self.settings.step().saturating_mul(HELD_STEPS_MAX).max(HELD_BYTES_MIN)
    }

    /// The new rate counts from the change.
    pub(super) fn adopt(&mut self, settings: Bandwidth, now: Instant) {
        self.settings = settings;
        self.free_at = self.free_at.max(now);
    }

    pub(super) fn dissolve(mut self, now: Instant) -> VecDeque<Parcel> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().map(|held| self.let_go(held, now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{data, drain};
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn line(rate: u64, now: Instant) -> PacedLine {
        PacedLine::new(Bandwidth { rate }, Arc::default(), now)
    }

    #[test]
    fn a_rate_is_kept_to_the_nanosecond_also_by_a_timer_that_is_late() {
        for rate in [10, 1_000, 100_000] {
            let start = Instant::now();
            let mut line = line(rate, start);
            let bytes = usize::try_from(rate * 1_000).expect("small");
            line.push(data(vec![0; bytes]), start);
            let (mut passed, mut last) = (0, start);
            while let Some(due) = line.due() {
                let late = due + MILLISECOND / 2;
                while let Some(parcel) = line.pop(late) {
                    passed += parcel.bytes();
                    last = due;
                }
            }
            assert_eq!(passed, bytes, "{rate} KB/s");
            let error = (start + Duration::from_secs(1)).duration_since(last);
            assert!(error < 10 * MILLISECOND, "{rate} KB/s: {error:?}");
            assert_eq!(line.held_bytes(), 0);
        }
    }

    #[test]
    fn a_pause_saves_up_nothing_and_a_change_counts_from_then_on() {
        let start = Instant::now();
        let mut line = line(1, start);
        let later = start + Duration::from_secs(60);
        line.push(data(vec![0; 1_000]), later);
        assert_eq!(line.due(), Some(later + 10 * MILLISECOND), "10 bytes at 1 KB/s");
        line.adopt(Bandwidth { rate: 100 }, later);
        assert_eq!(line.due(), Some(later + 10 * MILLISECOND), "all 1000 bytes at 100 KB/s");
        assert_eq!(line.pop(later + 10 * MILLISECOND).map(|parcel| parcel.bytes()), Some(1_000));
    }

    #[test]
    fn a_rate_of_zero_holds_all_and_the_sender_until_it_is_raised_or_removed() {
        let start = Instant::now();
        let mut line = line(0, start);
        line.push(data(vec![7; HELD_BYTES_MIN]), start);
        assert_eq!((line.due(), line.pop(start + Duration::from_secs(3_600))), (None, None));
        assert!(line.is_full());
        let counters = Arc::clone(&line.counters);
        assert_eq!(drain(line.dissolve(start + MILLISECOND)), vec![7; HELD_BYTES_MIN]);
        assert_eq!(counters.delays.stats(None).map(|delays| (delays.count, delays.max_us)), Some((1, 1_000)));
    }

    #[test]
    fn the_end_comes_when_the_last_byte_has_passed() {
        let start = Instant::now();
        let mut line = line(1, start);
        line.push(data(vec![0; 5]), start);
        line.push(Parcel { content: Content::End, unit: 0 }, start);
        assert_eq!(line.pop(start + 4 * MILLISECOND), None);
        let end = start + 5 * MILLISECOND;
        assert_eq!(line.pop(end).map(|parcel| parcel.bytes()), Some(5));
        assert_eq!(line.pop(end).map(|parcel| parcel.content), Some(Content::End));
        let delays = line.counters.delays.stats(None).expect("one chunk");
        assert_eq!((delays.count, delays.max_us), (1, 5_000));
    }
}
