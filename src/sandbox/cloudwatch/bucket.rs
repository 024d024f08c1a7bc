//! What is kept of the values of one metric in one second, and how such records become one of a longer period.
//!
//! Owns: sums, extremes, and the shape that percentiles are read from. Must not know: metrics' names, time.

/// Bits of a value's binary form that percentiles do without: what is left tells values apart that differ by 1.6 %.
const DROPPED_BITS: u32 = 46;

const SIGN_BIT: u64 = 1 << 63;

/// The values of one metric in one second or in one period. There is always at least one value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bucket {
    /// How many values, as `SampleCount`; a caller may report fractions of one.
    pub count: f64,
    /// Their sum, in the metric's unit.
    pub sum: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// Value (shortened, in order) and how often. `None` when a caller reported a statistic set: its values are unknown.
    histogram: Option<Vec<(u64, f64)>>,
}

impl Bucket {
    /// `count` times the same value.
    pub(super) fn of(value: f64, count: f64) -> Self {
        Self { count, sum: value * count, min: value, max: value, histogram: Some(vec![(key(value), count)]) }
    }

    /// A statistic set, as `PutMetricData` takes it. Percentiles can be told only where all values are the same, as in AWS.
    pub(super) fn of_set(count: f64, sum: f64, min: f64, max: f64) -> Self {
        let is_one_value = min.total_cmp(&max).is_eq();
        Self { count, sum, min, max, histogram: is_one_value.then(|| vec![(key(min), count)]) }
    }

    /// Takes the values of another bucket in.
    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        let (Some(own), Some(theirs)) = (self.histogram.as_mut(), other.histogram.as_ref()) else {
            self.histogram = None;
            return;
        };
        for (key, count) in theirs {
            match own.binary_search_by_key(key, |(key, _)| *key) {
                Ok(index) => own[index].1 += count,
                Err(index) => own.insert(index, (*key, *count)),
            }
        }
    }

    /// The mean of the values.
    pub(super) fn average(&self) -> f64 {
        self.sum / self.count
    }

    /// The value that `percent` (0 to 100) of all values do not exceed, at most 1.6 % too small. `None`: see
    /// [`Bucket::of_set`].
    pub(super) fn percentile(&self, percent: f64) -> Option<f64> {
        let histogram = self.histogram.as_ref()?;
        let wanted = self.count * percent / 100.0;
        let mut seen = 0.0;
        for (key, count) in histogram {
            seen += count;
            if seen >= wanted {
                return Some(value(*key).clamp(self.min, self.max));
            }
        }
        Some(self.max)
    }

    /// A measure of the memory that it takes: how many numbers it holds, roughly.
    pub(super) fn cells(&self) -> usize {
        2 + self.histogram.as_ref().map_or(0, Vec::len)
    }
}

/// A number that sorts as the value does, without the value's last bits.
fn key(value: f64) -> u64 {
    let bits = value.to_bits();
    (if bits & SIGN_BIT == 0 { bits | SIGN_BIT } else { !bits }) >> DROPPED_BITS
}

/// The value that a key stands for: for one that is not negative, the smallest of those that it may have come from.
fn value(key: u64) -> f64 {
    let bits = key << DROPPED_BITS;
    f64::from_bits(if bits & SIGN_BIT == 0 { !bits } else { bits ^ SIGN_BIT })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(values: impl IntoIterator<Item = f64>) -> Bucket {
        let mut buckets = values.into_iter().map(|value| Bucket::of(value, 1.0));
        let mut all = buckets.next().expect("a value");
        buckets.for_each(|bucket| all.merge(&bucket));
        all
    }

    #[test]
    fn sums_and_extremes_are_exact() {
        let all = bucket([3.0, -1.5, 10.25]);
        assert_eq!((all.count, all.sum, all.min, all.max), (3.0, 11.75, -1.5, 10.25));
        assert_eq!(bucket([1.0, 2.0, 6.0]).average(), 3.0);
    }

    #[test]
    fn a_percentile_is_near_the_value_at_its_rank() {
        let all = bucket((1..=1_000_u32).rev().map(f64::from));
        for (percent, exact) in [(50.0, 500.0), (99.0, 990.0), (99.9, 999.0), (100.0, 1_000.0), (0.0, 1.0)] {
            let found = all.percentile(percent).expect("known values");
            assert!(found <= exact && found > exact * 0.984, "p{percent}: {found}, exactly {exact}");
        }
        assert_eq!(bucket([-2.0, 0.0, 2.0]).percentile(50.0), Some(0.0));
        assert_eq!(bucket([-2.0, 0.0, 2.0]).percentile(1.0), Some(-2.0));
    }

    #[test]
    fn a_statistic_set_has_percentiles_only_when_its_values_are_known() {
        assert_eq!(Bucket::of_set(4.0, 10.0, 1.0, 4.0).percentile(50.0), None);
        assert_eq!(Bucket::of_set(4.0, 8.0, 2.0, 2.0).percentile(50.0), Some(2.0));
        let mut mixed = bucket([1.0]);
        mixed.merge(&Bucket::of_set(4.0, 10.0, 1.0, 4.0));
        assert_eq!((mixed.percentile(50.0), mixed.count), (None, 5.0));
    }
}
