//! `latency`: delays what passes and keeps its order and its bandwidth.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Content, Distribution, Parcel, ToxicCounters, ToxicError, wait};

/// Delays every chunk by `latency` and a deviation that `jitter` and `distribution` decide, counted from its receipt.
///
/// It is drawn once for a unit of traffic (an HTTP exchange, a burst of TCP chunks), so that a response keeps its shape;
/// a delay is never below zero. Toxiproxy draws for each chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// The delay without its deviation; the admin API counts it in milliseconds, at most a day.
    pub latency: Duration,
    /// How wide the deviation is, in the same unit.
    pub jitter: Duration,
    /// How the deviation is spread.
    pub distribution: Distribution,
}

/// The settings as the admin API writes them, in milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Attributes {
    #[serde(with = "wait")]
    latency: Duration,
    #[serde(with = "wait")]
    jitter: Duration,
    #[serde(skip_serializing_if = "Distribution::is_uniform")]
    distribution: Distribution,
}

impl Latency {
    /// The type's name in the admin API.
    pub const TYPE: &'static str = "latency";
}

impl TryFrom<Attributes> for Latency {
    type Error = ToxicError;

    fn try_from(attributes: Attributes) -> Result<Self, ToxicError> {
        Ok(Self {
            latency: wait::checked("latency", attributes.latency)?,
            jitter: wait::checked("jitter", attributes.jitter)?,
            distribution: attributes.distribution,
        })
    }
}

impl From<Latency> for Attributes {
    fn from(Latency { latency, jitter, distribution }: Latency) -> Self {
        Self { latency, jitter, distribution }
    }
}

/// Parcels in order, each with the moment at which it goes on. A parcel's wait starts with its own receipt, so the waits
/// of parcels that follow one another do not add up.
#[derive(Debug)]
pub(crate) struct DelayLine {
    settings: Latency,
    counters: Arc<ToxicCounters>,
    generator: ChaCha8Rng,
    drawn: Option<Drawn>,
    held: VecDeque<Held>,
    held_bytes: usize,
}

#[derive(Debug)]
struct Held {
    came: Instant,
    due: Instant,
    parcel: Parcel,
}

impl Held {
    /// Whether it is data that comes late.
    fn is_hit(&self) -> bool {
        matches!(self.parcel.content, Content::Data(_)) && self.due > self.came
    }
}

/// The delay of one unit of traffic.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    unit: u64,
    delay: Duration,
}

impl DelayLine {
    pub(super) fn new(settings: Latency, counters: Arc<ToxicCounters>, generator: ChaCha8Rng) -> Self {
        Self { settings, counters, generator, drawn: None, held: VecDeque::new(), held_bytes: 0 }
    }

    pub(super) fn push(&mut self, parcel: Parcel, now: Instant) {
        let delay = self.delay_of(parcel.unit);
        // A short delay must not let a parcel overtake one that drew a long delay.
        let due = self.held.back().map_or(now + delay, |before| (now + delay).max(before.due));
        self.held_bytes += parcel.bytes();
        let held = Held { came: now, due, parcel };
        if held.is_hit() {
            self.counters.hit(now);
        }
        self.held.push_back(held);
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<Parcel> {
        let held = self.held.pop_front_if(|held| held.due <= now)?;
        self.held_bytes -= held.parcel.bytes();
        Some(self.let_go(held, now))
    }

    fn let_go(&self, held: Held, now: Instant) -> Parcel {
        if held.is_hit() {
            self.counters.delays.add(now.saturating_duration_since(held.came));
        }
        held.parcel
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.held.front().map(|held| held.due)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn adopt(&mut self, settings: Latency) {
        self.settings = settings;
        self.drawn = None;
    }

    pub(super) fn dissolve(mut self, now: Instant) -> VecDeque<Parcel> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().map(|held| self.let_go(held, now)).collect()
    }

    fn delay_of(&mut self, unit: u64) -> Duration {
        match self.drawn {
            Some(drawn) if drawn.unit == unit => drawn.delay,
            Some(_) | None => {
                let Latency { latency, jitter, distribution } = self.settings;
                let delay = distribution.draw(latency, jitter, &mut self.generator);
                self.drawn = Some(Drawn { unit, delay });
                delay
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use tokio_util::bytes::Bytes;

    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    fn line(latency_ms: u64, jitter_ms: u64) -> DelayLine {
        let settings = Latency {
            latency: Duration::from_millis(latency_ms),
            jitter: Duration::from_millis(jitter_ms),
            distribution: Distribution::Uniform,
        };
        DelayLine::new(settings, Arc::default(), ChaCha8Rng::seed_from_u64(7))
    }

    fn parcel(unit: u64, bytes: &'static str) -> Parcel {
        Parcel { content: Content::Data(Bytes::from_static(bytes.as_bytes())), unit }
    }

    #[test]
    fn the_waits_of_consecutive_chunks_do_not_add_up() {
        let start = Instant::now();
        let mut line = line(100, 0);
        for index in 0..50 {
            line.push(parcel(0, "x"), start + index * MILLISECOND);
        }
        for index in 0..50 {
            let due = start + (100 + index) * MILLISECOND;
            assert_eq!(line.due(), Some(due));
            assert_eq!(line.pop(due - MILLISECOND), None);
            assert_eq!(line.pop(due), Some(parcel(0, "x")));
        }
        assert_eq!((line.due(), line.held_bytes()), (None, 0));
        assert_eq!(line.counters.hits.get(), 50);
    }

    #[test]
    fn what_was_added_is_measured_and_not_what_was_asked() {
        let start = Instant::now();
        let mut line = line(100, 0);
        for part in ["a", "b", "c"] {
            line.push(parcel(0, part), start);
        }
        line.push(Parcel { content: Content::End, unit: 0 }, start);
        // A timer that is late adds to the delay, and a removal lets go before its time.
        assert!(line.pop(start + 103 * MILLISECOND).is_some());
        let counters = Arc::clone(&line.counters);
        assert_eq!(counters.delays.stats(None).map(|delays| (delays.count, delays.max_us)), Some((1, 103_000)));
        assert_eq!(line.dissolve(start + 20 * MILLISECOND).len(), 3);
        let delays = counters.delays.stats(None).expect("three delays");
        assert_eq!((delays.count, delays.sum_us), (3, 143_000), "and the end is none");
    }

    #[test]
    fn a_unit_draws_once_and_jitter_stays_in_its_bounds_around_the_mean() {
        let start = Instant::now();
        let mut sum = Duration::ZERO;
        let mut least = Duration::MAX;
        let mut most = Duration::ZERO;
        for unit in 0..2_000 {
            // A line for itself, so that no parcel is held up by the one before it.
            let mut line = DelayLine { generator: ChaCha8Rng::seed_from_u64(unit), ..line(50, 10) };
            line.push(parcel(unit, "a"), start);
            line.push(parcel(unit, "b"), start);
            let due = line.due().expect("a parcel is held");
            assert!(line.pop(due).is_some() && line.pop(due).is_some(), "both chunks of a unit wait equally");
            let delay = due - start;
            sum += delay;
            least = least.min(delay);
            most = most.max(delay);
        }
        assert!(least >= 40 * MILLISECOND && least < 41 * MILLISECOND, "{least:?}");
        assert!(most <= 60 * MILLISECOND && most > 59 * MILLISECOND, "{most:?}");
        let mean_micros = sum.as_micros() / 2_000;
        assert!((49_500..=50_500).contains(&mean_micros), "{mean_micros} µs");
    }

    #[test]
    fn jitter_larger_than_the_latency_never_reorders() {
        let start = Instant::now();
        let mut line = line(5, 50);
        for unit in 0..200 {
            line.push(Parcel { content: Content::Data(Bytes::from(vec![0; 3])), unit }, start);
        }
        let end = start + Duration::from_millis(55);
        let units: Vec<u64> = std::iter::from_fn(|| line.pop(end)).map(|parcel| parcel.unit).collect();
        assert_eq!(units, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn the_end_waits_behind_the_data() {
        let start = Instant::now();
        let mut line = line(100, 0);
        line.push(parcel(0, "x"), start);
        line.push(Parcel { content: Content::End, unit: 0 }, start);
        assert_eq!(line.pop(start + 99 * MILLISECOND), None);
        let later = start + 100 * MILLISECOND;
        assert_eq!(line.pop(later).map(|parcel| parcel.bytes()), Some(1));
        assert_eq!(line.pop(later).map(|parcel| parcel.content), Some(Content::End));
        assert_eq!(line.counters.hits.get(), 1, "only data counts");
    }
}
