//! What a load worker writes: one frame a second, and a record at its start and end; each is one line of JSON.
//!
//! Owns: the records and sums over them. Must not know: how load is made, what a signal is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::unit::{Histogram, LoadId};

/// The version of the records below; a worker of another version is refused.
pub const FRAME_FORMAT: u32 = 1;

/// How many steps are kept apart by name; the rest count as journey `other`, step `other`.
pub const STEP_NAMES_MAX: usize = 200;

/// A line of a worker's output. The first is `ready`, the last `ended`; a worker that stops without it was lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WorkerRecord {
    /// The load begins now.
    Ready {
        /// [`FRAME_FORMAT`].
        format: u32,
        /// The load's name.
        load: LoadId,
        /// Milliseconds from the run's zero to the zero of the load's shape.
        started_ms: u64,
    },
    /// One second of load. Each second has its frame, so that a silence is seen.
    Frame(Frame),
    /// The load is over.
    Ended {
        /// Why.
        reason: EndReason,
        /// Requests that were sent, had no answer when the grace was over, and are in no frame.
        abandoned: u64,
    },
}

/// Why a load is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its shape came to its end.
    Finished,
    /// It was told to stop, or its controller died.
    Stopped,
}

/// One second of a load. A request counts in the second in which it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// The load's name.
    pub load: LoadId,
    /// Whole seconds from the run's zero to the start of this second. The first and the last frame may hold less than
    /// a whole second of load.
    pub second: u64,
    /// Users that the shape asks for at the end of this second.
    pub users_target: f64,
    /// Users there are at the end of this second.
    pub users_active: u64,
    /// Requests sent and not yet answered at the end of this second.
    pub in_flight: u64,
    /// What ended in this second; a step with nothing is left out.
    pub steps: Vec<StepFrame>,
    /// Whether there are more steps than [`STEP_NAMES_MAX`].
    pub names_folded: bool,
    /// Whether a latency was over 120 s, and counts as 120 s.
    pub latency_clipped: bool,
    /// How much later than its second's end the frame was made: a worker short of CPU time shows here.
    pub lag_ms: u64,
    /// CPU seconds that the worker used in this second: 1.0 is one core in full. None for a second not measured apart.
    pub worker_cpu_seconds: Option<f64>,
}

/// What ended of one step in one second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFrame {
    /// The journey's name.
    pub journey: String,
    /// The step's name.
    pub step: String,
    /// Time to the last byte of requests that met their expectations; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<Histogram>,
    /// Time to the end of requests that did not; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Histogram>,
    /// How many failed of each kind; together as many as `failed` holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<FailureKind, u64>,
    /// Bytes of body received.
    pub bytes: u64,
}

/// Why a request did not meet its expectations; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// No connection: refused, no such host, TLS.
    Connect,
    /// Given up at the step's `timeout`.
    Timeout,
    /// A status that was not expected.
    Status,
    /// A body that was not expected.
    Body,
    /// A value to capture was not in the body.
    Capture,
    /// All as expected, but later than `within`.
    Slow,
    /// A connection that broke off, or a request that could not be made of the captured values.
    Other,
}

impl FailureKind {
    /// The kind's name in frames and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Status => "status",
            Self::Body => "body",
            Self::Capture => "capture",
            Self::Slow => "slow",
            Self::Other => "other",
        }
    }
}

/// A sum over steps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    /// Requests that met their expectations.
    pub ok: u64,
    /// Requests that did not.
    pub failed: u64,
    /// Failures by kind.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Time to the last byte of all of them, failed ones included.
    pub latency: Histogram,
}

impl Totals {
    /// Adds a frame: all steps, or those of one name, in whichever journey.
    pub fn add(&mut self, frame: &Frame, step: Option<&str>) {
        for found in frame.steps.iter().filter(|found| step.is_none_or(|step| found.step == step)) {
            for histogram in found.ok.iter().chain(&found.failed) {
                self.latency.merge(histogram);
            }
            self.ok += found.ok.as_ref().map_or(0, Histogram::count);
            self.failed += found.failed.as_ref().map_or(0, Histogram::count);
            for (kind, count) in &found.failures {
                *self.failures.entry(*kind).or_default() += count;
            }
        }
    }

    /// All requests that ended.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ok + self.failed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn histogram(millis: &[u64]) -> Option<Histogram> {
        let mut histogram = Histogram::default();
        millis.iter().for_each(|millis| histogram.record(Duration::from_millis(*millis)));
        Some(histogram)
    }

    fn frame() -> Frame {
        let step = |journey: &str, step: &str, ok, failed, failures| StepFrame {
            journey: journey.to_owned(),
            step: step.to_owned(),
            ok,
            failed,
            failures,
            bytes: 10,
        };
        Frame {
            load: "users".parse().unwrap(),
            second: 3,
            users_target: 2.5,
            users_active: 2,
            in_flight: 1,
            steps: vec![
                step("buy", "browse", histogram(&[1, 2]), None, BTreeMap::new()),
                step("look", "browse", None, histogram(&[50]), BTreeMap::from([(FailureKind::Slow, 1)])),
                step("buy", "checkout", histogram(&[7]), None, BTreeMap::new()),
            ],
            names_folded: false,
            latency_clipped: false,
            lag_ms: 0,
            worker_cpu_seconds: Some(0.25),
        }
    }

    #[test]
    fn a_sum_over_a_step_takes_it_from_every_journey() {
        let mut browse = Totals::default();
        browse.add(&frame(), Some("browse"));
        assert_eq!((browse.ok, browse.failed, browse.latency.count()), (2, 1, 3));
        assert_eq!(browse.failures, BTreeMap::from([(FailureKind::Slow, 1)]));
        let mut all = Totals::default();
        all.add(&frame(), None);
        assert_eq!(all.count(), 4);
    }

    #[test]
    fn a_record_survives_its_line() {
        for record in [
            WorkerRecord::Ready { format: FRAME_FORMAT, load: "users".parse().unwrap(), started_ms: 12 },
            WorkerRecord::Frame(frame()),
            WorkerRecord::Ended { reason: EndReason::Stopped, abandoned: 2 },
        ] {
            let line = serde_json::to_string(&record).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<WorkerRecord>(&line).unwrap(), record);
        }
    }
}
