//! What a load came to, from its frames: the numbers that a person looks for first. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::frame::{FailureKind, FailureSample, Frame};
use crate::unit::{Histogram, LoadId};

/// The percentiles that are told, with their names.
const PERCENTILES: [(&str, f64); 6] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999), ("p99.99", 0.9999)];

/// A load from its first frame to its last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadSummary {
    /// The load.
    pub load: LoadId,
    /// How many seconds the load was on.
    pub lasting_seconds: f64,
    /// How many seconds have a frame; the first and the last may be parts of one.
    pub seconds: u64,
    /// How many between the first and the last have none.
    pub seconds_missing: u64,
    /// How many may tell of the load worker and not of the server.
    pub seconds_doubtful: u64,
    /// Why, with how many seconds for each reason.
    pub doubts: BTreeMap<&'static str, u64>,
    /// Requests that ended, a second.
    pub rate: f64,
    /// What the shape asked for on the mean: users, or arrivals a second, each of which is a journey of one request or more.
    pub target: f64,
    /// Arrivals that were never sent; none in a closed model.
    pub not_sent_count: Option<u64>,
    /// All steps together.
    pub all: StepSummary,
    /// Each step, in order of its first request.
    pub steps: Vec<StepSummary>,
    /// The most connections that were open at the end of a second.
    pub connections_max: u64,
    /// How many were opened.
    pub connections_opened: u64,
    /// The first failures of each kind.
    pub samples: Vec<FailureSample>,
}

/// The requests of one step, or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepSummary {
    /// The journey and the step; none of all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<(String, String)>,
    /// Requests that met their expectations.
    pub ok_count: u64,
    /// Requests that did not.
    pub failed_count: u64,
    /// Failures by kind.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Bytes of body received.
    pub bytes: u64,
    /// Response times in milliseconds, failed requests included: from when a request was meant to be sent to the last byte.
    pub response_ms: Times,
    /// Service times: from when it was sent. Of a closed model they are the response times.
    pub service_ms: Times,
    /// From when it was sent to the head of its answer.
    pub first_byte_ms: Times,
}

/// A distribution of times in milliseconds; empty where there was none.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(transparent)]
pub struct Times(pub BTreeMap<&'static str, f64>);

impl Times {
    fn of(histogram: &Histogram) -> Self {
        let millis = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let named = PERCENTILES.iter().map(|(name, quantile)| (*name, histogram.quantile(*quantile)));
        let ends = [("min", histogram.min()), ("mean", histogram.mean()), ("max", histogram.max())];
        Self(named.chain(ends).filter_map(|(name, time)| Some((name, millis(time?)))).collect())
    }

    /// One of them, by its name: `p99`, `max`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }
}

#[derive(Debug, Default)]
struct Sum {
    ok_count: u64,
    failed_count: u64,
    failures: BTreeMap<FailureKind, u64>,
    statuses: BTreeMap<u16, u64>,
    bytes: u64,
    response: Histogram,
    service: Histogram,
    first_byte: Histogram,
}

impl Sum {
    fn add(&mut self, step: &super::StepFrame) {
        for histogram in step.ok.iter().chain(&step.failed) {
            self.response.merge(histogram);
        }
        match &step.service {
            Some(service) => self.service.merge(service),
            None => step.ok.iter().chain(&step.failed).for_each(|histogram| self.service.merge(histogram)),
        }
        step.first_byte.iter().for_each(|histogram| self.first_byte.merge(histogram));
        self.ok_count += step.ok.as_ref().map_or(0, Histogram::count);
        self.failed_count += step.failed.as_ref().map_or(0, Histogram::count);
        for (kind, count) in &step.failures {
            *self.failures.entry(*kind).or_default() += count;
        }
        for (status, count) in &step.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.bytes += step.bytes;
    }

    fn finish(self, name: Option<(String, String)>) -> StepSummary {
        StepSummary {
            name,
            ok_count: self.ok_count,
            failed_count: self.failed_count,
            failures: self.failures,
            statuses: self.statuses,
            bytes: self.bytes,
            response_ms: Times::of(&self.response),
            service_ms: Times::of(&self.service),
            first_byte_ms: Times::of(&self.first_byte),
        }
    }
}

impl LoadSummary {
    /// Sums up the frames of one load; none where there is no frame.
    #[must_use]
    pub fn of(frames: &[Frame]) -> Option<Self> {
        let (first, last) = (frames.first()?, frames.last()?);
        let mut all = Sum::default();
        let mut steps: Vec<((String, String), Sum)> = Vec::new();
        for step in frames.iter().flat_map(|frame| &frame.steps) {
            all.add(step);
            let is_it = |(name, _): &((String, String), Sum)| name.0 == step.journey && name.1 == step.step;
            match steps.iter().position(is_it).and_then(|index| steps.get_mut(index)) {
                Some((_, sum)) => sum.add(step),
                None => {
                    let mut sum = Sum::default();
                    sum.add(step);
                    steps.push(((step.journey.clone(), step.step.clone()), sum));
                }
            }
        }
        let mut doubts: BTreeMap<&'static str, u64> = BTreeMap::new();
        for doubt in frames.iter().flat_map(|frame| &frame.doubts) {
            *doubts.entry(doubt.as_str()).or_default() += 1;
        }
        let seconds = count(frames.len());
        let span = last.second + 1 - first.second.min(last.second);
        let lasting = number(frames.iter().map(|frame| frame.lasting_ms).sum::<u64>().max(1)) / 1_000.0;
        Some(Self {
            load: first.load.clone(),
            lasting_seconds: lasting,
            seconds,
            seconds_missing: span.saturating_sub(seconds),
            seconds_doubtful: count(frames.iter().filter(|frame| !frame.doubts.is_empty()).count()),
            doubts,
            rate: number(all.ok_count + all.failed_count) / lasting,
            target: match &last.arrivals {
                Some(arrivals) => number(arrivals.planned) / lasting,
                None => weighted(frames) / lasting,
            },
            not_sent_count: last.arrivals.as_ref().map(|arrivals| arrivals.not_sent),
            all: all.finish(None),
            steps: steps.into_iter().map(|(name, sum)| sum.finish(Some(name))).collect(),
            connections_max: frames.iter().map(|frame| frame.connections.open).max().unwrap_or_default(),
            connections_opened: last.connections.opened,
            samples: frames.iter().flat_map(|frame| frame.samples.iter().cloned()).collect(),
        })
    }
}

/// The sum of what was asked for, each second by how long it lasted.
fn weighted(frames: &[Frame]) -> f64 {
    frames.iter().map(|frame| frame.target * number(frame.lasting_ms) / 1_000.0).sum()
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "counts of a load are far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::frame::{ArrivalFrame, ConnectionFrame, Doubt, StepFrame};

    fn frame(second: u64, lasting_ms: u64, millis: &[u64], doubts: &[Doubt]) -> Frame {
        let mut ok = Histogram::default();
        millis.iter().for_each(|millis| ok.record(Duration::from_millis(*millis)));
        let mut service = Histogram::default();
        millis.iter().for_each(|_| service.record(Duration::from_millis(1)));
        let arrivals = ArrivalFrame { planned: 9, begun: 8, waiting: 0, not_sent: 1, not_sent_now: 0, pacer_lag: None };
        Frame {
            load: "users".parse().unwrap(),
            second,
            lasting_ms,
            target: 4.0,
            users_active: 1,
            in_flight: 0,
            started: 8,
            arrivals: Some(arrivals),
            steps: vec![StepFrame {
                journey: "buy".to_owned(),
                step: "browse".to_owned(),
                ok: Some(ok),
                failed: None,
                service: Some(service),
                first_byte: None,
                failures: BTreeMap::new(),
                statuses: BTreeMap::from([(200, count(millis.len()))]),
                bytes: 10,
            }],
            connections: ConnectionFrame { open: second, opened: 5, ..ConnectionFrame::default() },
            samples: Vec::new(),
            names_folded: false,
            latency_clipped: false,
            lag_ms: 0,
            worker_cpu_seconds: None,
            doubts: doubts.to_vec(),
        }
    }

    #[test]
    fn a_summary_is_over_the_time_that_the_load_was_on() {
        let frames = [
            frame(3, 500, &[10, 20], &[]),
            frame(4, 1_000, &[10, 20, 30, 40], &[Doubt::Late]),
            frame(6, 500, &[100, 200], &[Doubt::Late, Doubt::Cpu]),
        ];
        let summary = LoadSummary::of(&frames).unwrap();
        assert_eq!((summary.lasting_seconds, summary.rate, summary.target), (2.0, 4.0, 4.5));
        assert_eq!((summary.seconds, summary.seconds_missing, summary.seconds_doubtful), (3, 1, 2));
        assert_eq!(summary.doubts, BTreeMap::from([("late", 2), ("cpu", 1)]));
        assert_eq!((summary.not_sent_count, summary.connections_max, summary.connections_opened), (Some(1), 6, 5));
        let [browse] = summary.steps.as_slice() else { panic!("one step") };
        assert_eq!((browse.ok_count, browse.bytes), (8, 30));
        assert_eq!(browse.response_ms.get("max").map(f64::round), Some(200.0));
        assert_eq!(browse.service_ms.get("p99").map(f64::round), Some(1.0));
        assert_eq!(browse.first_byte_ms, Times::default());
        assert_eq!(LoadSummary::of(&[]), None);
    }
}
