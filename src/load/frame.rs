//! What a load worker writes: one frame a second, and a record at its start and end; each is one line of JSON.
//!
//! Owns: the records and sums over them. Must not know: how load is made, what a signal is.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure::FailureKind;
use super::status::StatusClass;
use crate::unit::{Histogram, LoadId};

/// The version of the records below; a worker of another version is refused.
pub const FRAME_FORMAT: u32 = 4;

/// How many steps are kept apart by name; the rest count as journey `other`, step `other`.
pub const STEP_NAMES_MAX: usize = 200;

/// A line of a worker's output. The first is `ready`, the last `ended`; a worker that stops without it was lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "nearly all records are frames")]
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
    /// No request of its journeys begins any more: those in flight end, and the teardown is done.
    Closing,
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
    /// When the load's shape began, since the run's zero: what is started again begins at another moment, and counts from zero.
    #[serde(default)]
    pub began_ms: u64,
    /// How many milliseconds of this second the load was on: less than 1000 in the first and in the last.
    pub lasting_ms: u64,
    /// What is asked for at the end of this second, by the shape or as it was steered: users, or arrivals a second.
    pub target: f64,
    /// Users there are at the end of this second; in an open model those that are under way.
    pub users_active: u64,
    /// Requests sent and not yet answered at the end of this second.
    pub in_flight: u64,
    /// Requests sent since the load's start: those of all frames so far that ended, and those in flight.
    pub started: u64,
    /// The arrivals of an open model; none in a closed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<ArrivalFrame>,
    /// What ended in this second; a step with nothing is left out.
    pub steps: Vec<StepFrame>,
    /// The connections of this worker.
    pub connections: ConnectionFrame,
    /// Failures that were seen in this second, of each kind at most [`SAMPLES_MAX`] in all of the load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<FailureSample>,
    /// Whether there are more steps than [`STEP_NAMES_MAX`].
    pub names_folded: bool,
    /// Whether a latency was over 120 s, and counts as 120 s.
    pub latency_clipped: bool,
    /// How much later than its second's end the frame was made: a worker short of CPU time shows here.
    pub lag_ms: u64,
    /// CPU seconds that the worker used in this second: 1.0 is one core in full. None for a second not measured apart.
    pub worker_cpu_seconds: Option<f64>,
    /// Why the figures of this second may tell of the worker and not of the server.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<Doubt>,
}

/// Why the figures of a second may tell of the worker that made the load, and not of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// One in a hundred arrivals was noticed more than [`PACER_LAG_MAX`] too late.
    Late,
    /// Arrivals were not sent.
    NotSent,
    /// The worker had hardly any CPU time left: over [`WORKER_CPU_MAX`] of what it can use.
    Cpu,
    /// Requests failed because the worker's machine had no descriptor, port or memory left.
    Exhausted,
    /// Requests failed because there was nothing to sign them with.
    Credentials,
}

/// How late one in a hundred arrivals may be noticed.
pub const PACER_LAG_MAX: Duration = Duration::from_millis(5);

/// The share of its cores that a worker may use before it is the bottleneck.
pub const WORKER_CPU_MAX: f64 = 0.9;

impl Doubt {
    /// Its name in events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::NotSent => "not_sent",
            Self::Cpu => "cpu",
            Self::Exhausted => "exhausted",
            Self::Credentials => "credentials",
        }
    }
}

impl Frame {
    fn failed_with(&self, kind: FailureKind) -> bool {
        self.steps.iter().any(|step| step.failures.contains_key(&kind))
    }

    /// Takes note of what may not be trusted in it. `cores` is how many the worker can use.
    pub(crate) fn find_doubts(&mut self, cores: f64) {
        let lag = self.arrivals.as_ref().and_then(|arrivals| arrivals.pacer_lag.as_ref()?.quantile(0.99));
        let doubts = [
            (Doubt::Late, lag.is_some_and(|lag| lag > PACER_LAG_MAX)),
            (Doubt::NotSent, self.arrivals.as_ref().is_some_and(|arrivals| arrivals.not_sent_now > 0)),
            (Doubt::Exhausted, self.failed_with(FailureKind::Exhausted)),
            (Doubt::Credentials, self.failed_with(FailureKind::Credentials)),
            (Doubt::Cpu, self.worker_cpu_seconds.is_some_and(|seconds| seconds > WORKER_CPU_MAX * cores)),
        ];
        self.doubts = doubts.into_iter().filter_map(|(doubt, is_so)| is_so.then_some(doubt)).collect();
    }
}

/// How many failures of each kind are told with their details.
pub const SAMPLES_MAX: usize = 20;

/// The arrivals of an open model since the load's start: `planned = begun + waiting + not_sent`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrivalFrame {
    /// Arrivals whose time has come.
    pub planned: u64,
    /// Those that began their journey.
    pub begun: u64,
    /// Those that wait because as many users as may be are under way; they begin late, and their waiting is part of their
    /// response time.
    pub waiting: u64,
    /// Those that never began: they had waited for as long as their first step may take, or the load was over.
    pub not_sent: u64,
    /// How many of those were given up in this second.
    pub not_sent_now: u64,
    /// How late the pacer noticed arrivals in this second; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pacer_lag: Option<Histogram>,
}

/// Connections.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionFrame {
    /// Those that are open at the end of the second.
    pub open: u64,
    /// All that were opened since the load's start.
    pub opened: u64,
    /// How long name look-up and TCP took for those opened in this second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<Histogram>,
    /// How long their TLS handshakes took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Histogram>,
}

/// A failure as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureSample {
    /// The journey's name.
    pub journey: String,
    /// The step's name.
    pub step: String,
    /// What it counts as.
    pub kind: FailureKind,
    /// What was seen: an error's text, a status, which expectation was not met, which host is not the load's.
    /// Nothing else of a request, and nothing of a body.
    pub detail: String,
}

/// What ended of one step in one second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFrame {
    /// The journey's name.
    pub journey: String,
    /// The step's name.
    pub step: String,
    /// Response time of requests that met their expectations: from when the request was meant to be sent to the last byte of
    /// its answer; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ok: Option<Histogram>,
    /// Response time of requests that did not; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Histogram>,
    /// Service time of all of them: from when the request was sent. None in a closed model, where both are the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Histogram>,
    /// From when the request was sent to the head of its answer; none when no answer came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte: Option<Histogram>,
    /// How many failed of each kind; together as many as `failed` holds.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<FailureKind, u64>,
    /// How many answers had each status.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub statuses: BTreeMap<u16, u64>,
    /// Response times by class of status; left out where all are of one, which `statuses` tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<StatusClass, Histogram>,
    /// Bytes of body received.
    pub bytes: u64,
    /// How long environments of the function took to start for invocations that had to wait for that; none when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Histogram>,
    /// Of how many invocations is known whether they had to.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub init_told: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl StepFrame {
    /// How many requests ended.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.ok.iter().chain(&self.failed).map(Histogram::count).sum()
    }

    /// The class that all answers are of; none where there are several.
    #[must_use]
    pub fn only_class(&self) -> Option<StatusClass> {
        let answered: u64 = self.statuses.values().sum();
        let silent = (answered < self.count()).then_some(StatusClass::NoAnswer);
        let mut classes = self.statuses.keys().map(|status| StatusClass::of(Some(*status))).chain(silent);
        let first = classes.next()?;
        classes.all(|class| class == first).then_some(first)
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
    /// Response times of all of them, failed ones included.
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

    /// Adds what another one holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.ok += other.ok;
        self.failed += other.failed;
        self.latency.merge(&other.latency);
        for (kind, count) in &other.failures {
            *self.failures.entry(*kind).or_default() += count;
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
            service: None,
            first_byte: None,
            failures,
            statuses: BTreeMap::from([(200, 1)]),
            classes: BTreeMap::new(),
            bytes: 10,
            init: None,
            init_told: 0,
        };
        Frame {
            load: "users".parse().unwrap(),
            second: 3,
            began_ms: 0,
            lasting_ms: 1_000,
            target: 2.5,
            users_active: 2,
            in_flight: 1,
            started: 5,
            arrivals: None,
            steps: vec![
                step("buy", "browse", histogram(&[1, 2]), None, BTreeMap::new()),
                step("look", "browse", None, histogram(&[50]), BTreeMap::from([(FailureKind::Slow, 1)])),
                step("buy", "checkout", histogram(&[7]), None, BTreeMap::new()),
            ],
            connections: ConnectionFrame { open: 1, opened: 2, ..ConnectionFrame::default() },
            samples: vec![FailureSample {
                journey: "look".to_owned(),
                step: "browse".to_owned(),
                kind: FailureKind::Slow,
                detail: "50 ms".to_owned(),
            }],
            names_folded: false,
            latency_clipped: false,
            lag_ms: 0,
            worker_cpu_seconds: Some(0.25),
            doubts: Vec::new(),
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
    fn a_second_is_doubtful_for_each_reason_alone() {
        let doubts = |lag_ms, not_sent_now, cpu| {
            let mut frame = frame();
            let lag = histogram(&[lag_ms]);
            frame.arrivals =
                Some(ArrivalFrame { planned: 9, begun: 9, waiting: 0, not_sent: 0, not_sent_now, pacer_lag: lag });
            frame.worker_cpu_seconds = Some(cpu);
            frame.find_doubts(1.0);
            frame.doubts
        };
        assert_eq!(doubts(4, 0, 0.8), []);
        assert_eq!(doubts(6, 0, 0.8), [Doubt::Late]);
        assert_eq!(doubts(4, 1, 0.8), [Doubt::NotSent]);
        assert_eq!(doubts(4, 0, 0.95), [Doubt::Cpu]);
        let mut closed = frame();
        closed.find_doubts(2.0);
        assert_eq!(closed.doubts, []);
    }

    #[test]
    fn a_record_survives_its_line() {
        for record in [
            WorkerRecord::Ready { format: FRAME_FORMAT, load: "users".parse().unwrap(), started_ms: 12 },
            WorkerRecord::Frame(frame()),
            WorkerRecord::Closing,
            WorkerRecord::Ended { reason: EndReason::Stopped, abandoned: 2 },
        ] {
            let line = serde_json::to_string(&record).unwrap();
            assert!(!line.contains('\n'));
            assert_eq!(serde_json::from_str::<WorkerRecord>(&line).unwrap(), record);
        }
    }
}
