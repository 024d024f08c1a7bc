//! All runs of one scenario over time: points, and a line at their median once there are three.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::figures::{Figures, RESPONSES};
use crate::report::metric::Metric;
use crate::report::number::duration;

/// Fewer points than this have no middle worth telling.
const MEDIAN_POINTS_MIN: usize = 3;

/// How a scenario went over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Trend {
    /// The scenario.
    pub scenario: String,
    /// Its runs, the oldest first.
    pub runs: Vec<Figures>,
    /// Each time of detection and response of each fault that any run knows.
    pub lines: Vec<TrendLine>,
}

/// One time over all runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrendLine {
    /// The fault.
    pub fault: String,
    /// The key of the time: `time_to_detect`.
    pub response: String,
    /// Each run that knows it, the oldest first.
    pub points: Vec<TrendPoint>,
    /// The middle of its points; none of fewer than three.
    pub median: Option<Median>,
}

/// One run's point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrendPoint {
    /// The run.
    pub run: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Its time.
    pub time: Metric,
}

/// The middle of three points or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Median {
    /// It is that long, in milliseconds.
    Is(u64),
    /// It lies between: how long some of the times were is not known, since nobody waited for their end.
    Between(u64, u64),
    /// It is longer than that: where it lies, nobody waited for the end.
    LongerThan(u64),
}

impl Median {
    /// In words: `2 min 10 s`, `> 18 min`.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Is(ms) => duration(ms),
            Self::Between(from_ms, to_ms) => format!("between {} and {}", duration(from_ms), duration(to_ms)),
            Self::LongerThan(ms) => format!("> {}", duration(ms)),
        }
    }
}

impl Trend {
    /// The trend of runs of one scenario, in whatever order they come.
    #[must_use]
    pub fn of(scenario: &str, mut runs: Vec<Figures>) -> Self {
        runs.sort_by(|one, other| (one.started_at, &one.run).cmp(&(other.started_at, &other.run)));
        let mut faults: Vec<&str> = Vec::new();
        for fault in runs.iter().rev().flat_map(|run| &run.faults) {
            if !faults.contains(&fault.fault.as_str()) {
                faults.push(&fault.fault);
            }
        }
        let lines = faults.iter().flat_map(|fault| RESPONSES.iter().map(move |(response, _)| (*fault, *response)));
        let lines: Vec<TrendLine> = lines.filter_map(|(fault, response)| line(&runs, fault, response)).collect();
        Self { scenario: scenario.to_owned(), lines, runs }
    }
}

fn line(runs: &[Figures], fault: &str, response: &str) -> Option<TrendLine> {
    let point = |run: &Figures| {
        let time = run.response(fault, response)?.clone();
        let is_something = !matches!(time, Metric::NotApplicable { .. });
        is_something.then(|| TrendPoint { run: run.run.clone(), started_at: run.started_at, time })
    };
    let points: Vec<TrendPoint> = runs.iter().filter_map(point).collect();
    let median = median(points.iter().map(|point| &point.time));
    (!points.is_empty()).then(|| TrendLine { fault: fault.to_owned(), response: response.to_owned(), points, median })
}

/// The lower middle of times. Of one that was not seen it is known that it is longer than the wait for it, and no more: the middle is
/// reckoned with each of them as short and as long as it may be.
fn median<'a>(times: impl Iterator<Item = &'a Metric>) -> Option<Median> {
    let (mut shortest, mut longest): (Vec<u64>, Vec<u64>) = times
        .filter_map(|time| match time {
            Metric::Measured { ms, .. } => Some((*ms, *ms)),
            Metric::Censored { after_ms, .. } => Some((*after_ms, u64::MAX)),
            Metric::NotApplicable { .. } => None,
        })
        .unzip();
    if shortest.len() < MEDIAN_POINTS_MIN {
        return None;
    }
    shortest.sort_unstable();
    longest.sort_unstable();
    let middle = (shortest.len() - 1) / 2;
    match (*shortest.get(middle)?, *longest.get(middle)?) {
        (from_ms, u64::MAX) => Some(Median::LongerThan(from_ms)),
        (from_ms, to_ms) if from_ms == to_ms => Some(Median::Is(to_ms)),
        (from_ms, to_ms) => Some(Median::Between(from_ms, to_ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(ms: u64) -> Metric {
        Metric::Measured { ms, uncertainty_ms: 0, source: String::new() }
    }

    fn censored(after_ms: u64) -> Metric {
        Metric::Censored { after_ms, text: String::new() }
    }

    #[test]
    fn fewer_than_three_points_have_no_median_and_what_was_not_seen_is_longer_than_what_was() {
        let of = |times: &[Metric]| median(times.iter());
        assert_eq!(of(&[measured(1), measured(2)]), None);
        assert_eq!(of(&[measured(1), measured(2), Metric::not_applicable("no")]), None);
        assert_eq!(of(&[measured(9), measured(1), measured(2)]), Some(Median::Is(2)));
        assert_eq!(of(&[measured(9), censored(1), measured(2)]), Some(Median::Between(2, 9)));
        assert_eq!(of(&[measured(9), censored(9), measured(2)]), Some(Median::Is(9)));
        let few_seen = [measured(1), measured(100), censored(5), censored(10)];
        assert_eq!(of(&few_seen), Some(Median::Between(5, 100)));
        assert_eq!(of(&[measured(9), censored(30), censored(20)]), Some(Median::LongerThan(20)));
        assert_eq!(of(&[measured(4), measured(1), measured(3), measured(2)]), Some(Median::Is(2)));
        assert_eq!(Median::LongerThan(60_000).text(), "> 1 min");
    }

    #[test]
    fn runs_are_put_in_order_and_each_fault_has_its_own_lines() {
        use crate::report::{Report, sample};
        let report = Report::from_facts(&sample::script().events(), &sample::facts(), &sample::evidence());
        let figures = Figures::of(&report);
        let later = |days: i64, run: &str| Figures {
            run: run.to_owned(),
            started_at: figures.started_at + chrono::TimeDelta::days(days),
            ..figures.clone()
        };
        let trend = Trend::of("s", vec![later(2, "c"), later(0, "a"), later(1, "b")]);
        assert_eq!(trend.runs.iter().map(|run| run.run.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
        let line = trend.lines.iter().find(|line| line.response == "time_to_detect").unwrap();
        assert_eq!(line.points.len(), 3);
        assert!(line.median.is_some());
        assert!(Trend::of("s", Vec::new()).lines.is_empty());
    }
}
