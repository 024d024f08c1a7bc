//! `slicer`: cuts what passes into small pieces, which arrive one by one.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Content, Parcel, TOXIC_WAIT_MS_MAX, ToxicCounters, ToxicError};

/// Cuts data into pieces of `average_size` ± `size_variation` bytes, each `delay` after the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slicer {
    /// The mean size of a piece, at least 1 byte.
    pub average_size: usize,
    /// How far a size may lie from the mean, evenly spread; at most the mean.
    pub size_variation: usize,
    /// The wait between two pieces; the admin API counts it in microseconds, at most a day.
    pub delay: Duration,
}

/// The settings as the admin API writes them: sizes in bytes, the delay in microseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Attributes {
    average_size: usize,
    size_variation: usize,
    delay: u64,
}

impl Slicer {
    /// The type's name in the admin API.
    pub const TYPE: &'static str = "slicer";
}

impl TryFrom<Attributes> for Slicer {
    type Error = ToxicError;

    fn try_from(attributes: Attributes) -> Result<Self, ToxicError> {
        let Attributes { average_size, size_variation, delay } = attributes;
        if average_size == 0 {
            return Err(ToxicError::NoSize);
        }
        if size_variation > average_size {
            return Err(ToxicError::Variation { average_size, size_variation });
        }
        if delay / 1_000 > TOXIC_WAIT_MS_MAX {
            return Err(ToxicError::TooLong { attribute: "delay", millis: delay / 1_000 });
        }
        Ok(Self { average_size, size_variation, delay: Duration::from_micros(delay) })
    }
}

impl From<Slicer> for Attributes {
    fn from(Slicer { average_size, size_variation, delay }: Slicer) -> Self {
        Self { average_size, size_variation, delay: u64::try_from(delay.as_micros()).unwrap_or(u64::MAX) }
    }
}

/// How many bytes wait to be cut before the sender is held up.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// What is still to be cut, in order.
#[derive(Debug)]
pub(crate) struct Knife {
    settings: Slicer,
    counters: Arc<ToxicCounters>,
    generator: ChaCha8Rng,
    /// Each with the moment at which it came.
    held: VecDeque<(Instant, Parcel)>,
    held_bytes: usize,
    /// When the next piece may leave.
    free_at: Instant,
}

impl Knife {
    pub(super) fn new(settings: Slicer, counters: Arc<ToxicCounters>, generator: ChaCha8Rng, now: Instant) -> Self {
        Self { settings, counters, generator, held: VecDeque::new(), held_bytes: 0, free_at: now }
    }

    pub(super) fn push(&mut self, parcel: Parcel, now: Instant) {
        if self.held.is_empty() {
            self.free_at = self.free_at.max(now);
        }
        self.held_bytes += parcel.bytes();
        self.held.push_back((now, parcel));
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<Parcel> {
        self.due().filter(|due| *due <= now)?;
        let Slicer { average_size, size_variation, delay } = self.settings;
        let (came, Parcel { content: Content::Data(data), unit }) = self.held.front_mut()? else {
            return self.held.pop_front().map(|(_, parcel)| parcel);
        };
        let waited = now.saturating_duration_since(*came);
        let size = self.generator.random_range(average_size - size_variation..=average_size + size_variation);
        let piece = data.split_to(size.clamp(1, data.len()));
        let piece = Parcel { content: Content::Data(piece), unit: *unit };
        if data.is_empty() {
            self.held.pop_front();
        }
        self.held_bytes -= piece.bytes();
        self.free_at += delay;
        self.counters.hit(now);
        self.counters.delays.add(waited);
        Some(piece)
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.held.front().map(|_| self.free_at)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn is_full(&self) -> bool {
        self.held_bytes >= HELD_BYTES_MAX
    }

    pub(super) fn adopt(&mut self, settings: Slicer, now: Instant) {
        self.settings = settings;
        self.free_at = self.free_at.min(now + settings.delay);
    }

    /// What is left of each chunk goes on as one piece, and has waited until `now`.
    pub(super) fn dissolve(self, now: Instant) -> VecDeque<Parcel> {
        let Self { held, counters, .. } = self;
        let let_go = |(came, parcel): (Instant, Parcel)| {
            if parcel.bytes() > 0 {
                counters.delays.add(now.saturating_duration_since(came));
            }
            parcel
        };
        held.into_iter().map(let_go).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::super::testing::{data, drain};
    use super::*;

    fn knife(average_size: usize, size_variation: usize, delay: Duration, now: Instant) -> Knife {
        let settings = Slicer { average_size, size_variation, delay };
        Knife::new(settings, Arc::default(), ChaCha8Rng::seed_from_u64(3), now)
    }

    #[test]
    fn pieces_have_the_size_and_the_distance_that_were_asked_for() {
        let start = Instant::now();
        let delay = Duration::from_micros(500);
        let mut knife = knife(100, 40, delay, start);
        knife.push(data(vec![0; 100_000]), start);
        let mut sizes = Vec::new();
        for index in 0_u32.. {
            let Some(due) = knife.due() else { break };
            assert_eq!(due, start + index * delay);
            assert_eq!(knife.pop(due - delay / 2), None);
            sizes.push(knife.pop(due).expect("a piece").bytes());
        }
        sizes.pop();
        assert!(sizes.iter().all(|size| (60..=140).contains(size)), "{sizes:?}");
        let mean = sizes.iter().sum::<usize>() / sizes.len();
        assert!((95..=105).contains(&mean), "{mean}");
        assert_eq!(knife.held_bytes(), 0);
    }

    #[test]
    fn what_is_let_go_on_removal_counts_with_the_time_for_which_it_was_held() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut knife = knife(1, 0, 3_600 * second, start);
        knife.push(data(b"abc".to_vec()), start);
        knife.push(data(b"d".to_vec()), start + second);
        knife.push(Parcel { content: Content::End, unit: 0 }, start + second);
        assert_eq!(knife.pop(start).map(|piece| piece.bytes()), Some(1));
        let counters = Arc::clone(&knife.counters);
        assert_eq!(drain(knife.dissolve(start + 3 * second)), b"bcd");
        let delays = counters.delays.stats(None).expect("three pieces");
        assert_eq!((delays.count, delays.max_us, delays.sum_us), (3, 3_000_000, 5_000_000));
    }

    #[test]
    fn sizes_that_can_not_be_are_refused() {
        for (average_size, size_variation) in [(0, 0), (10, 11)] {
            let attributes = Attributes { average_size, size_variation, delay: 0 };
            assert!(Slicer::try_from(attributes).is_err(), "{average_size} ± {size_variation}");
        }
    }
}
