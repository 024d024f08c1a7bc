//! `slow_close`: data passes, and the end of the connection comes late.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Parcel, ToxicCounters, ToxicError, wait};

/// Delays the end of a stream, by whatever side, and lets data pass untouched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlowClose {
    /// How much later the end comes; the admin API counts it in milliseconds, at most a day.
    pub delay: Duration,
}

/// The settings as the admin API writes them, in milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Attributes {
    #[serde(with = "wait")]
    delay: Duration,
}

impl SlowClose {
    /// The type's name in the admin API.
    pub const TYPE: &'static str = "slow_close";
}

impl TryFrom<Attributes> for SlowClose {
    type Error = ToxicError;

    fn try_from(attributes: Attributes) -> Result<Self, ToxicError> {
        Ok(Self { delay: wait::checked("delay", attributes.delay)? })
    }
}

impl From<SlowClose> for Attributes {
    fn from(SlowClose { delay }: SlowClose) -> Self {
        Self { delay }
    }
}

/// Parcels in order; what is no data waits.
#[derive(Debug)]
pub(crate) struct LateEnd {
    settings: SlowClose,
    counters: Arc<ToxicCounters>,
    held: VecDeque<Held>,
}

#[derive(Debug)]
struct Held {
    came: Instant,
    due: Instant,
    parcel: Parcel,
}

impl LateEnd {
    pub(super) fn new(settings: SlowClose, counters: Arc<ToxicCounters>) -> Self {
        Self { settings, counters, held: VecDeque::new() }
    }

    pub(super) fn push(&mut self, parcel: Parcel, now: Instant) {
        let due = if parcel.bytes() > 0 {
            now
        } else {
            self.counters.hit(now);
            now + self.settings.delay
        };
        self.held.push_back(Held { came: now, due, parcel });
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<Parcel> {
        let held = self.held.pop_front_if(|held| held.due <= now)?;
        Some(self.let_go(held, now))
    }

    fn let_go(&self, held: Held, now: Instant) -> Parcel {
        if held.parcel.bytes() == 0 {
            self.counters.delays.add(now.saturating_duration_since(held.came));
        }
        held.parcel
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.held.front().map(|held| held.due)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held.iter().map(|held| held.parcel.bytes()).sum()
    }

    pub(super) fn adopt(&mut self, settings: SlowClose) {
        self.settings = settings;
    }

    pub(super) fn dissolve(mut self, now: Instant) -> VecDeque<Parcel> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().map(|held| self.let_go(held, now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Content;
    use super::super::testing::data;
    use super::*;

    #[test]
    fn data_passes_at_once_and_the_end_waits() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut close = LateEnd::new(SlowClose { delay: second }, Arc::default());
        close.push(data(b"x".to_vec()), start);
        close.push(Parcel { content: Content::End, unit: 0 }, start);
        assert_eq!(close.held_bytes(), 1);
        assert_eq!(close.pop(start).map(|parcel| parcel.bytes()), Some(1));
        assert_eq!((close.pop(start + second / 2), close.due()), (None, Some(start + second)));
        assert_eq!(close.pop(start + second).map(|parcel| parcel.content), Some(Content::End));
        assert_eq!(close.counters.hits.get(), 1, "only the end counts");
        assert_eq!(close.counters.delays.stats(None).map(|delays| (delays.count, delays.max_us)), Some((1, 1_000_000)));
    }
}
