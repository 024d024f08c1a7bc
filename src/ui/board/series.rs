//! What a load did over time, in a bounded number of points: when they are too many, two become one.

use serde::Serialize;

use crate::event::LoadSecond;

/// How many points are kept.
const POINTS_MAX: usize = 600;
/// How many of the newest seconds are kept one by one.
const RECENT_MAX: usize = 120;

/// A stretch of a load's life.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// Where it begins, in whole seconds since the run's start.
    pub second: u64,
    /// What was asked for: the largest of its seconds, in users or arrivals a second.
    pub target: f64,
    /// Requests that ended as expected, a second.
    pub ok: f64,
    /// Requests that did not, a second.
    pub failed: f64,
    /// The worst 99th percentile of its seconds, in milliseconds.
    pub p99_ms: Option<f64>,
}

impl Point {
    fn of(second: &LoadSecond) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "requests of one second are far below 2^52")]
        let number = |count: u64| count as f64;
        Self {
            second: second.second,
            target: second.target,
            ok: number(second.ok_count),
            failed: number(second.failed_count),
            p99_ms: second.p99_ms,
        }
    }

    /// The share of requests that failed; none without requests.
    #[must_use]
    pub fn error_ratio(&self) -> Option<f64> {
        let all = self.ok + self.failed;
        (all > 0.0).then(|| self.failed / all)
    }

    fn merged(self, later: Self) -> Self {
        Self {
            second: self.second,
            target: self.target.max(later.target),
            ok: f64::midpoint(self.ok, later.ok),
            failed: f64::midpoint(self.failed, later.failed),
            p99_ms: self.p99_ms.into_iter().chain(later.p99_ms).reduce(f64::max),
        }
    }
}

/// The points of one load, the newest last.
#[derive(Debug, Clone, Default)]
pub struct Series {
    points: Vec<Point>,
    /// How many seconds a point stands for; 0 before the first.
    step: u64,
    recent: std::collections::VecDeque<Point>,
}

impl Series {
    pub(super) fn add(&mut self, second: &LoadSecond) {
        let point = Point::of(second);
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(point);
        self.step = self.step.max(1);
        match self.points.last_mut() {
            // Its average weighs what came later more, which no chart shows.
            Some(last) if point.second < last.second + self.step => *last = last.merged(point),
            Some(_) | None => self.points.push(point),
        }
        if self.points.len() > POINTS_MAX {
            self.points = self.points.chunks(2).filter_map(|pair| pair.iter().copied().reduce(Point::merged)).collect();
            self.step *= 2;
        }
    }

    /// The whole life of the load, at most 600 points.
    #[must_use]
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// How many seconds each of [`Self::points`] stands for.
    #[must_use]
    pub fn step_seconds(&self) -> u64 {
        self.step
    }

    /// The newest seconds, at most 120, one by one.
    pub fn recent(&self) -> impl DoubleEndedIterator<Item = &Point> + ExactSizeIterator {
        self.recent.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: u64, failed_count: u64) -> LoadSecond {
        let second = serde_json::json!({
            "load": "users", "second": second, "target": 9.0, "ok_count": 9, "failed_count": failed_count,
            "in_flight_count": 0, "p50_ms": null, "p99_ms": if second == 5_000 { 900.0 } else { 80.0 },
        });
        serde_json::from_value(second).unwrap()
    }

    #[test]
    fn eight_hours_are_a_few_hundred_points_and_no_peak_is_lost() {
        let mut series = Series::default();
        for at in 0..8 * 3_600 {
            series.add(&second(at, 1));
        }
        let points = series.points();
        assert!((POINTS_MAX / 2..=POINTS_MAX).contains(&points.len()), "{}", points.len());
        assert!(points.windows(2).all(|pair| pair[0].second < pair[1].second));
        assert!(points.iter().any(|point| point.p99_ms == Some(900.0)));
        assert!(points.iter().all(|point| (point.ok - 9.0).abs() < 1e-9));
        assert_eq!(series.recent().len(), RECENT_MAX);
        assert_eq!(series.recent().last().map(|point| point.second), Some(8 * 3_600 - 1));
        assert_eq!(series.step_seconds(), 64);
    }
}
