//! For how long a toxic or a rule has really held things back: a histogram that costs nothing before the first delay.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::unit::{Histogram, LATENCY_MICROS_MAX};

/// The delays that one toxic or rule has added.
#[derive(Debug, Default)]
pub(crate) struct Delays(Mutex<Option<Box<Added>>>);

#[derive(Debug)]
struct Added {
    histogram: Histogram,
    sum: Duration,
    longest: Duration,
    over: u64,
}

impl Delays {
    /// Counts one: for how long something was held back, from when it was there to when it went on.
    pub(crate) fn add(&self, delay: Duration) {
        let mut added = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let added = added.get_or_insert_with(|| {
            let (sum, longest) = (Duration::ZERO, Duration::ZERO);
            Box::new(Added { histogram: Histogram::growing(), sum, longest, over: 0 })
        });
        added.histogram.record(delay);
        added.sum = added.sum.saturating_add(delay);
        added.longest = added.longest.max(delay);
        added.over += u64::from(delay > Duration::from_micros(LATENCY_MICROS_MAX));
    }

    /// All delays together.
    pub(crate) fn sum(&self) -> Duration {
        let added = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        added.as_ref().map_or(Duration::ZERO, |added| added.sum)
    }

    /// What was added, beside what was asked for; none before the first delay.
    pub(crate) fn stats(&self, asked: Option<Asked>) -> Option<DelayStats> {
        let added = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Added { histogram, sum, longest, over } = added.as_deref()?;
        // A percentile is the upper end of its bucket, which may lie above the longest of all.
        let quantile = |quantile| micros(histogram.quantile(quantile).unwrap_or_default().min(*longest));
        let count = histogram.count();
        Some(DelayStats {
            asked,
            count,
            sum_us: micros(*sum),
            mean_us: micros(*sum).checked_div(count).unwrap_or_default(),
            p50_us: quantile(0.5),
            p99_us: quantile(0.99),
            max_us: micros(*longest),
            over_count: *over,
            histogram: histogram.clone(),
        })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The delay that a toxic or a rule was told to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The delay, in microseconds.
    pub delay_us: u64,
    /// How far it may lie from it, in microseconds.
    pub jitter_us: u64,
}

impl Asked {
    pub(crate) fn new(delay: Duration, jitter: Duration) -> Self {
        Self { delay_us: micros(delay), jitter_us: micros(jitter) }
    }
}

/// The delays that one toxic or rule has added, as measured from when something was there to when it went on: what was
/// let go before its time counts with the time for which it was held, and what was never let go does not count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DelayStats {
    /// What it is told to add, where that is one delay: of latencies, late ends and the pauses of slow bodies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
    /// How many delays there were.
    pub count: u64,
    /// All of them together, in microseconds.
    pub sum_us: u64,
    /// Their arithmetic mean, in microseconds.
    pub mean_us: u64,
    /// Their 50th percentile, in microseconds, at most 0.1 % off; one above 120 s is told as 120 s.
    pub p50_us: u64,
    /// Their 99th percentile, in the same way.
    pub p99_us: u64,
    /// The longest, in microseconds, exact.
    pub max_us: u64,
    /// Of them those above 120 s, which the percentiles and the histogram take for 120 s.
    #[serde(default)]
    pub over_count: u64,
    /// Their distribution in microseconds: an HDR histogram of three digits in V2 encoding, in base64.
    pub histogram: Histogram,
}

impl DelayStats {
    /// How many of them were at most `delay`, as exact as the histogram is; those above 120 s were not.
    pub(crate) fn count_up_to(&self, delay: Duration) -> u64 {
        self.histogram.count_up_to(delay).min(self.count.saturating_sub(self.over_count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_told_beside_what_was_asked_and_none_before_the_first() {
        let delays = Delays::default();
        assert_eq!((delays.stats(None), delays.sum()), (None, Duration::ZERO));
        for millis in [200, 201, 202] {
            delays.add(Duration::from_millis(millis));
        }
        let asked = Asked::new(Duration::from_millis(200), Duration::ZERO);
        let stats = delays.stats(Some(asked)).expect("three delays");
        assert_eq!(stats.asked, Some(Asked { delay_us: 200_000, jitter_us: 0 }));
        assert_eq!((stats.count, stats.sum_us, stats.mean_us, stats.max_us), (3, 603_000, 201_000, 202_000));
        assert!(stats.p50_us.abs_diff(201_000) <= 201, "{}", stats.p50_us);
        assert_eq!(stats.p99_us, 202_000, "no percentile is above the longest");
        let json = serde_json::to_value(&stats).expect("JSON");
        assert!(json["histogram"].is_string(), "{json}");
        assert_eq!(serde_json::from_value::<DelayStats>(json).expect("it reads back").over_count, 0);
    }

    #[test]
    fn a_delay_of_a_day_is_not_lost_but_told_to_be_beyond_the_histogram() {
        let delays = Delays::default();
        let day = Duration::from_secs(24 * 3_600);
        delays.add(Duration::from_secs(120));
        delays.add(day);
        let stats = delays.stats(None).expect("two delays");
        assert_eq!((stats.count, stats.over_count, stats.max_us), (2, 1, 86_400_000_000));
        assert_eq!(stats.mean_us, 43_260_000_000);
        assert!(stats.p99_us.abs_diff(120_000_000) <= 120_000, "{}", stats.p99_us);
        assert_eq!(delays.sum(), day + Duration::from_secs(120));
        let up_to = |seconds| stats.count_up_to(Duration::from_secs(seconds));
        assert_eq!((up_to(60), up_to(120)), (0, 1));
    }
}
