//! What a load came to, from its frames: the numbers that a person looks for first. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::failure::FailureKind;
use super::frame::{FailureSample, Frame};
use super::status::StatusClass;
use super::sum::{FrameSum, StepSum};
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
    /// Each journey with all of its steps.
    pub journeys: BTreeMap<String, StepSummary>,
    /// The answers by the class of their status: `2xx`, `5xx`, `no_answer`.
    pub classes: BTreeMap<StatusClass, ClassSummary>,
    /// Each step, in order of its first request.
    pub steps: Vec<StepSummary>,
    /// How long name look-up and TCP took for new connections, in milliseconds.
    pub connect_ms: Times,
    /// How long their TLS handshakes took.
    pub tls_ms: Times,
    /// The most connections that were open at the end of a second.
    pub connections_max: u64,
    /// How many were opened.
    pub connections_opened: u64,
    /// The first failures of each kind.
    pub samples: Vec<FailureSample>,
}

/// The answers of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassSummary {
    /// How many.
    pub count: u64,
    /// Response times in milliseconds; none where frames of an older version do not tell the classes apart.
    pub response_ms: Option<Times>,
}

/// The requests of one step, of a journey, or of all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepSummary {
    /// The journey and the step; none of several of them.
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
    /// Invocations that had to wait for an environment to start; none where no answer told of that.
    pub cold_start_count: Option<u64>,
    /// Of how many invocations is known whether they had to.
    pub cold_start_told_count: u64,
    /// How long environments took to start.
    pub cold_start_ms: Times,
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

impl StepSummary {
    fn of(sum: &StepSum, name: Option<(String, String)>) -> Self {
        Self {
            name,
            ok_count: sum.ok_count,
            failed_count: sum.failed_count,
            failures: sum.failures.clone(),
            statuses: sum.statuses.clone(),
            bytes: sum.bytes,
            response_ms: Times::of(&sum.response()),
            service_ms: Times::of(&sum.service),
            first_byte_ms: Times::of(&sum.first_byte),
            cold_start_count: (sum.init_told > 0).then(|| sum.init.count()),
            cold_start_told_count: sum.init_told,
            cold_start_ms: Times::of(&sum.init),
        }
    }
}

impl LoadSummary {
    /// Sums up the frames of one load; none where there is no frame.
    ///
    /// # Errors
    /// The first frame that is an error.
    pub fn of<E>(frames: impl IntoIterator<Item = Result<Frame, E>>) -> Result<Option<Self>, E> {
        let mut sum = FrameSum::default();
        let mut doubts: BTreeMap<&'static str, u64> = BTreeMap::new();
        let (mut seconds, mut seconds_doubtful, mut connections_max, mut weighted) = (0, 0, 0, 0.0);
        let mut samples = Vec::new();
        let (mut first_second, mut last): (Option<u64>, Option<Frame>) = (None, None);
        for frame in frames {
            let mut frame = frame?;
            sum.add(&frame);
            frame.doubts.iter().for_each(|doubt| *doubts.entry(doubt.as_str()).or_default() += 1);
            seconds += 1;
            seconds_doubtful += u64::from(!frame.doubts.is_empty());
            connections_max = connections_max.max(frame.connections.open);
            weighted += frame.target * number(frame.lasting_ms) / 1_000.0;
            samples.append(&mut frame.samples);
            first_second.get_or_insert(frame.second);
            last = Some(frame);
        }
        let (Some(first_second), Some(last)) = (first_second, last) else { return Ok(None) };
        let span = last.second + 1 - first_second.min(last.second);
        let lasting = number(sum.lasting_ms.max(1)) / 1_000.0;
        let all = sum.all();
        let class = |(class, (count, response)): (StatusClass, (u64, Option<&Histogram>))| {
            (class, ClassSummary { count, response_ms: response.map(Times::of) })
        };
        Ok(Some(Self {
            load: last.load.clone(),
            lasting_seconds: lasting,
            seconds,
            seconds_missing: span.saturating_sub(seconds),
            seconds_doubtful,
            doubts,
            rate: number(all.count()) / lasting,
            target: last.arrivals.as_ref().map_or(weighted, |arrivals| number(arrivals.planned)) / lasting,
            not_sent_count: last.arrivals.as_ref().map(|arrivals| arrivals.not_sent),
            all: StepSummary::of(&all, None),
            journeys: sum
                .journeys()
                .into_iter()
                .map(|(journey, sum)| (journey.to_owned(), StepSummary::of(&sum, None)))
                .collect(),
            classes: all.classes().into_iter().map(class).collect(),
            steps: sum.steps.iter().map(|(name, sum)| StepSummary::of(sum, Some(name.clone()))).collect(),
            connect_ms: Times::of(&sum.connect),
            tls_ms: Times::of(&sum.tls),
            connections_max,
            connections_opened: last.connections.opened,
            samples,
        }))
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a load are far below 2^52")]
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

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
            began_ms: 0,
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
                statuses: BTreeMap::from([(200, u64::try_from(millis.len()).unwrap())]),
                classes: BTreeMap::new(),
                bytes: 10,
                init: None,
                init_told: 0,
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
        let of = |frames: Vec<Frame>| LoadSummary::of(frames.into_iter().map(Ok::<_, Infallible>)).unwrap();
        let summary = of(frames.to_vec()).unwrap();
        assert_eq!((summary.lasting_seconds, summary.rate, summary.target), (2.0, 4.0, 4.5));
        assert_eq!((summary.seconds, summary.seconds_missing, summary.seconds_doubtful), (3, 1, 2));
        assert_eq!(summary.doubts, BTreeMap::from([("late", 2), ("cpu", 1)]));
        assert_eq!((summary.not_sent_count, summary.connections_max, summary.connections_opened), (Some(1), 6, 5));
        let [browse] = summary.steps.as_slice() else { panic!("one step") };
        assert_eq!((browse.ok_count, browse.bytes), (8, 30));
        assert_eq!(browse.response_ms.get("max").map(f64::round), Some(200.0));
        assert_eq!(browse.service_ms.get("p99").map(f64::round), Some(1.0));
        assert_eq!(browse.first_byte_ms, Times::default());
        assert_eq!(summary.journeys["buy"].ok_count, 8);
        assert_eq!(summary.classes[&StatusClass::Success].count, 8);
        assert_eq!(of(Vec::new()), None);
    }
}
