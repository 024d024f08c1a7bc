//! The metrics themselves: a record of each second for three hours, in bounded memory.
//!
//! Owns: storing, aggregating over aligned periods, forgetting. Must not know: protocols, alarms, Lambda.

use std::collections::BTreeMap;

use super::bucket::Bucket;

/// How long a second's record is kept, in seconds. Source: AWS keeps data points of less than a minute for three hours.
pub(super) const KEPT_SECONDS: i64 = 3 * 60 * 60;
/// More metrics than this are refused.
const METRICS_MAX: usize = 5_000;
/// When the records hold more numbers than this (16 bytes each), the oldest are forgotten before their time.
const CELLS_MAX: usize = 4_000_000;
/// How much more is forgotten at a time, in seconds.
const FORGET_SECONDS: i64 = 60;

/// Name → value.
pub(super) type Dimensions = BTreeMap<String, String>;

/// What tells one metric from another. A metric with other dimensions is another metric, as in AWS.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MetricId {
    pub namespace: String,
    pub name: String,
    pub dimensions: Dimensions,
}

/// There are [`METRICS_MAX`] metrics already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox keeps at most {METRICS_MAX} metrics")]
pub(super) struct TooManyMetrics;

#[derive(Debug)]
struct Series {
    unit: String,
    /// By second since 1970.
    seconds: BTreeMap<i64, Bucket>,
}

/// All metrics of a sandbox.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    series: BTreeMap<MetricId, Series>,
    cells: usize,
}

impl Metrics {
    /// Adds values to the record of a second since 1970. The unit of a metric is the one that was told first.
    pub(super) fn record(
        &mut self,
        id: &MetricId,
        unit: &str,
        second: i64,
        bucket: Bucket,
    ) -> Result<(), TooManyMetrics> {
        if !self.series.contains_key(id) {
            if self.series.len() >= METRICS_MAX {
                return Err(TooManyMetrics);
            }
            self.series.insert(id.clone(), Series { unit: unit.to_owned(), seconds: BTreeMap::new() });
        }
        let series = self.series.get_mut(id).expect("invariant: it was just put there");
        match series.seconds.get_mut(&second) {
            Some(known) => {
                self.cells -= known.cells();
                known.merge(&bucket);
                self.cells += known.cells();
            }
            None => {
                self.cells += bucket.cells();
                series.seconds.insert(second, bucket);
            }
        }
        Ok(())
    }

    /// The values of each period that has some, by the second at which the period begins, oldest first.
    ///
    /// `from` and `to` are seconds since 1970; periods begin at multiples of `period_seconds` and the last begins before
    /// `to`. Nothing is found when `unit` is given and is not the metric's.
    pub(super) fn periods(
        &self,
        id: &MetricId,
        unit: Option<&str>,
        (from, to): (i64, i64),
        period_seconds: i64,
    ) -> BTreeMap<i64, Bucket> {
        let mut periods: BTreeMap<i64, Bucket> = BTreeMap::new();
        let from = from - from.rem_euclid(period_seconds);
        let end = to + (-to).rem_euclid(period_seconds);
        let series = self.series.get(id).filter(|series| unit.is_none_or(|unit| unit == series.unit));
        let Some(series) = series.filter(|_| from < end) else { return periods };
        for (second, bucket) in series.seconds.range(from..end) {
            let begin = second - second.rem_euclid(period_seconds);
            periods.entry(begin).and_modify(|period| period.merge(bucket)).or_insert_with(|| bucket.clone());
        }
        periods
    }

    /// Every metric that has a record, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &MetricId> {
        self.series.keys()
    }

    /// Forgets what is older than three hours, and more where that is too much.
    pub(super) fn forget(&mut self, now_second: i64) {
        self.forget_down_to(CELLS_MAX, now_second);
    }

    fn forget_down_to(&mut self, cells_max: usize, now_second: i64) {
        let mut horizon = now_second - KEPT_SECONDS;
        self.forget_before(horizon);
        while self.cells > cells_max && horizon < now_second {
            horizon += FORGET_SECONDS;
            self.forget_before(horizon);
        }
    }

    fn forget_before(&mut self, horizon: i64) {
        let cells = &mut self.cells;
        self.series.retain(|_, series| {
            while let Some(oldest) = series.seconds.first_entry().filter(|oldest| *oldest.key() < horizon) {
                *cells -= oldest.remove().cells();
            }
            !series.seconds.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> MetricId {
        MetricId { namespace: "Shop".to_owned(), name: name.to_owned(), dimensions: Dimensions::new() }
    }

    fn metrics(values: &[(i64, f64)]) -> Metrics {
        let mut metrics = Metrics::default();
        for (second, value) in values {
            metrics.record(&id("orders"), "Count", *second, Bucket::of(*value, 1.0)).expect("room");
        }
        metrics
    }

    fn sums(metrics: &Metrics, range: (i64, i64), period_seconds: i64) -> Vec<(i64, f64)> {
        let periods = metrics.periods(&id("orders"), None, range, period_seconds);
        periods.into_iter().map(|(begin, bucket)| (begin, bucket.sum)).collect()
    }

    #[test]
    fn periods_begin_at_multiples_of_their_length() {
        let metrics = metrics(&[(59, 1.0), (60, 2.0), (60, 3.0), (119, 4.0), (120, 5.0), (190, 6.0)]);
        assert_eq!(sums(&metrics, (60, 180), 60), [(60, 9.0), (120, 5.0)]);
        assert_eq!(sums(&metrics, (61, 119), 60), [(60, 9.0)], "a start within a period begins with that period");
        assert_eq!(sums(&metrics, (60, 121), 60), [(60, 9.0), (120, 5.0)]);
        assert_eq!(sums(&metrics, (59, 62), 1), [(59, 1.0), (60, 5.0)]);
        assert_eq!(sums(&metrics, (0, 1_000), 300), [(0, 21.0)]);
        assert_eq!(sums(&metrics, (120, 120), 60), []);
    }

    #[test]
    fn other_dimensions_and_other_units_are_other_metrics() {
        let metrics = metrics(&[(60, 1.0)]);
        let mut other = id("orders");
        other.dimensions.insert("Shop".to_owned(), "a".to_owned());
        assert!(metrics.periods(&other, None, (0, 120), 60).is_empty());
        assert!(metrics.periods(&id("orders"), Some("Seconds"), (0, 120), 60).is_empty());
        assert_eq!(metrics.periods(&id("orders"), Some("Count"), (0, 120), 60).len(), 1);
    }

    #[test]
    fn what_is_older_than_three_hours_is_forgotten_with_its_metric() {
        let mut metrics = metrics(&[(100, 1.0), (200, 2.0)]);
        metrics.forget(100 + KEPT_SECONDS);
        assert_eq!(metrics.ids().count(), 1);
        metrics.forget(101 + KEPT_SECONDS);
        assert_eq!(sums(&metrics, (0, 1_000), 60), [(180, 2.0)]);
        metrics.forget(201 + KEPT_SECONDS);
        assert_eq!((metrics.ids().count(), metrics.cells), (0, 0));
    }

    #[test]
    fn too_much_is_forgotten_oldest_first_before_its_time() {
        let values: Vec<(i64, f64)> = (0..600).map(|second| (second, 1.0)).collect();
        let mut metrics = metrics(&values);
        let cells = metrics.cells;
        metrics.forget_down_to(cells, 600);
        assert_eq!(metrics.cells, cells);
        metrics.forget_down_to(cells / 2, 600);
        let kept = sums(&metrics, (0, 600), 1);
        assert!(metrics.cells <= cells / 2 && kept.len() >= 240, "{} left", kept.len());
        assert_eq!(kept.last(), Some(&(599, 1.0)));
    }

    #[test]
    fn there_are_only_so_many_metrics() {
        let mut metrics = Metrics::default();
        for number in 0..METRICS_MAX {
            metrics.record(&id(&number.to_string()), "None", 0, Bucket::of(1.0, 1.0)).expect("room");
        }
        assert_eq!(metrics.record(&id("more"), "None", 0, Bucket::of(1.0, 1.0)), Err(TooManyMetrics));
        assert_eq!(metrics.record(&id("0"), "None", 0, Bucket::of(1.0, 1.0)), Ok(()));
    }
}
