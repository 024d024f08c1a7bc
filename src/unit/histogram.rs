//! Latency distributions that merge without loss: HDR histograms of microseconds, three significant digits.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::serialization::{Deserializer, Serializer as _, V2Serializer};

/// The longest latency kept apart, in microseconds (120 s); a longer one counts as this.
pub const LATENCY_MICROS_MAX: u64 = 120_000_000;

const SIGNIFICANT_DIGITS: u8 = 3;

/// Why a histogram could not be read back.
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// Not base64.
    #[error("failed to decode the histogram's base64")]
    Base64(#[source] base64::DecodeError),
    /// Not an HDR histogram in V2 encoding.
    #[error("failed to decode the histogram: {0}")]
    Encoding(String),
}

/// A distribution of latencies, 1 µs to 120 s, at most 0.1 % off; merging is exact.
#[derive(Clone, PartialEq)]
pub struct Histogram(pub(super) hdrhistogram::Histogram<u64>);

impl std::fmt::Debug for Histogram {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Histogram({} values, p99 {:?})", self.count(), self.quantile(0.99))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self(
            hdrhistogram::Histogram::new_with_bounds(1, LATENCY_MICROS_MAX, SIGNIFICANT_DIGITS)
                .expect("invariant: the bounds are valid"),
        )
    }
}

impl Histogram {
    /// An empty one of the same bounds that takes memory as it is filled: 16 KiB for what lies close together, where one
    /// by default takes 147 KiB from the start.
    #[must_use]
    pub fn growing() -> Self {
        Self(hdrhistogram::Histogram::new(SIGNIFICANT_DIGITS).expect("invariant: the digits are valid"))
    }

    /// Adds one latency; one over 120 s counts as 120 s.
    pub fn record(&mut self, latency: Duration) {
        self.add(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX), 1);
    }

    fn add(&mut self, micros: u64, count: u64) {
        let micros = micros.clamp(1, LATENCY_MICROS_MAX);
        self.0.record_n(micros, count).expect("invariant: what is clamped is within the bounds");
    }

    /// Its buckets that hold anything: a second of a long run is kept this way, in a few hundred bytes.
    #[must_use]
    pub fn to_sparse(&self) -> SparseHistogram {
        let bucket = |value: &hdrhistogram::iterators::IterationValue<u64>| {
            (value.value_iterated_to(), value.count_since_last_iteration())
        };
        let buckets = self.0.iter_recorded().map(|value| bucket(&value));
        SparseHistogram(buckets.flat_map(|(micros, count)| parts(micros, count)).collect())
    }

    /// Adds every value of `other`, bucket by bucket.
    pub fn merge_sparse(&mut self, other: &SparseHistogram) {
        for (micros, count) in &other.0 {
            self.add(u64::from(*micros), u64::from(*count));
        }
    }

    /// Adds every value of `other`, bucket by bucket.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("invariant: all histograms have the same bounds");
    }

    /// What came in since `before`, an earlier state of it; all that it holds where `before` is none.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut more = self.clone();
        match more.0.subtract(&before.0) {
            Ok(()) => more,
            Err(_) => self.clone(),
        }
    }

    /// How many values it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// How many of its values are at most `latency`, as exact as the values are.
    #[must_use]
    pub fn count_up_to(&self, latency: Duration) -> u64 {
        self.0.count_between(0, u64::try_from(latency.as_micros()).unwrap_or(u64::MAX))
    }

    /// The latency at or below which the share `quantile` (0 to 1) of the values lies; none when it is empty.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.0.value_at_quantile(quantile)))
    }

    /// The arithmetic mean; none when it is empty.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_secs_f64(self.0.mean() / 1_000_000.0))
    }

    /// The smallest value; none when it is empty.
    #[must_use]
    pub fn min(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.0.min()))
    }

    /// The largest value; none when it is empty.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then(|| Duration::from_micros(self.0.max()))
    }

    /// HDR V2 encoding in base64, as it stands in frame files.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&self.0, &mut bytes).expect("invariant: serialising to memory does not fail");
        STANDARD.encode(bytes)
    }

    /// Reads what [`Histogram::encode`] wrote.
    ///
    /// # Errors
    /// Text that is not base64 of an HDR V2 histogram.
    pub fn decode(text: &str) -> Result<Self, HistogramError> {
        let bytes = STANDARD.decode(text).map_err(HistogramError::Base64)?;
        let read: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| HistogramError::Encoding(format!("{error:?}")))?;
        let mut histogram = Self::default();
        histogram.0.add(&read).map_err(|error| HistogramError::Encoding(format!("{error:?}")))?;
        Ok(histogram)
    }
}

/// A distribution as its non-empty buckets: what [`Histogram::to_sparse`] keeps and [`Histogram::merge_sparse`] adds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SparseHistogram(Box<[(u32, u32)]>);

/// A bucket in numbers that are half as long, since a run keeps one for each second: more than fit into one stand in several.
fn parts(micros: u64, count: u64) -> impl Iterator<Item = (u32, u32)> {
    let micros = u32::try_from(micros).unwrap_or(u32::MAX);
    let whole = usize::try_from(count / u64::from(u32::MAX)).unwrap_or(usize::MAX);
    let rest = u32::try_from(count % u64::from(u32::MAX)).unwrap_or(u32::MAX);
    std::iter::repeat_n((micros, u32::MAX), whole).chain((rest > 0).then_some((micros, rest)))
}

impl SparseHistogram {
    /// How many values it holds.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, count)| u64::from(*count)).sum()
    }
}

impl serde::Serialize for Histogram {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.encode())
    }
}

impl<'de> serde::Deserialize<'de> for Histogram {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::decode(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn merging_frames_equals_recording_at_once(
            latencies in prop::collection::vec(1_u64..200_000_000, 1..200),
            cut in 0_usize..200,
        ) {
            let mut whole = Histogram::default();
            let mut parts = [Histogram::default(), Histogram::default()];
            for (index, micros) in latencies.iter().enumerate() {
                whole.record(Duration::from_micros(*micros));
                parts[usize::from(index >= cut)].record(Duration::from_micros(*micros));
            }
            let decoded = Histogram::decode(&parts[1].encode()).expect("what was encoded decodes");
            parts[0].merge_sparse(&decoded.to_sparse());
            prop_assert!(parts[0] == whole);
        }
    }

    proptest! {
        #[test]
        fn one_that_grows_holds_the_same_and_tells_what_is_new(
            before in prop::collection::vec(1_u64..200_000_000, 0..100),
            after in prop::collection::vec(1_u64..200_000_000, 1..100),
        ) {
            let mut histogram = Histogram::growing();
            let mut whole = Histogram::default();
            for micros in &before {
                histogram.record(Duration::from_micros(*micros));
                whole.record(Duration::from_micros(*micros));
            }
            let earlier = Histogram::decode(&histogram.encode()).expect("what was encoded decodes");
            let mut new = Histogram::default();
            for micros in &after {
                histogram.record(Duration::from_micros(*micros));
                whole.record(Duration::from_micros(*micros));
                new.record(Duration::from_micros(*micros));
            }
            let now = Histogram::decode(&histogram.encode()).expect("what was encoded decodes");
            prop_assert!(now == whole);
            prop_assert_eq!(now.since(&earlier).to_sparse(), new.to_sparse());
            prop_assert_eq!(earlier.since(&now).to_sparse(), earlier.to_sparse());
            let most = u64::try_from(after.len() + before.len()).expect("a few");
            prop_assert_eq!(histogram.count_up_to(Duration::from_secs(3_600)), most);
        }
    }

    #[test]
    fn values_up_to_a_latency_are_counted() {
        let mut histogram = Histogram::growing();
        for millis in [1, 10, 10, 250, 500_000] {
            histogram.record(Duration::from_millis(millis));
        }
        let up_to = |millis| histogram.count_up_to(Duration::from_millis(millis));
        assert_eq!((up_to(0), up_to(1), up_to(10), up_to(249), up_to(251), up_to(120_000)), (0, 1, 3, 3, 4, 5));
    }

    #[test]
    fn an_empty_histogram_has_no_percentile() {
        assert_eq!(Histogram::default().quantile(0.99), None);
        assert!(Histogram::decode("???").is_err());
        assert!(Histogram::decode("AAAA").is_err());
    }
}
