//! A local Amazon CloudWatch: metrics of the sandbox's functions and of whoever puts some, and alarms on them.
//!
//! Owns: metrics, alarms, and the API for both. Must not know: processes, experiments. Two protocols are spoken, both of the
//! service model `monitoring` 2010-08-01: Smithy RPC v2 in CBOR (AWS SDK for Rust) and JSON 1.0 (botocore). Alarms carry
//! out no actions; there are no metric math, no composite alarms, no anomaly detection: a request for them is refused by name.
//!
//! ```text
//! account::run ──▶ lambda ──▶ metrics ──▶ alarms ◀── evaluation (pure)
//!       protocol ──▶ operation ──┴───────────┘
//! ```

mod alarm;
mod alarms;
mod bucket;
mod document;
mod error;
mod evaluation;
mod lambda;
mod math;
mod metrics;
mod operation;
mod page;
mod protocol;
mod spec;
mod statistic;

use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, Utc};

pub(in crate::sandbox) use self::alarm::AlarmState;
use self::alarms::Alarms;
use self::lambda::{InFlight, record_in_flight};
use self::metrics::Metrics;
pub(in crate::sandbox) use self::protocol::{TARGET_PREFIX, json, router};
pub use self::spec::{AlarmSpec, ComparisonOperator, LambdaMetric};
use crate::unit::Clock;

#[derive(Debug)]
struct Data {
    metrics: Metrics,
    alarms: Alarms,
    in_flight: InFlight,
}

/// The CloudWatch of one sandbox.
#[derive(Debug)]
pub(in crate::sandbox) struct CloudWatch {
    clock: Clock,
    data: Mutex<Data>,
}

impl CloudWatch {
    /// No metrics and no alarms yet.
    pub(in crate::sandbox) fn new(region: &str, account_id: &str, clock: Clock) -> Self {
        let alarms = Alarms::new(format!("arn:aws:cloudwatch:{region}:{account_id}:alarm:"));
        Self { clock, data: Mutex::new(Data { metrics: Metrics::default(), alarms, in_flight: InFlight::new() }) }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().expect("invariant: nobody panics while holding metrics and alarms")
    }

    /// Once a second: records what runs, judges the alarms, forgets what is old.
    pub(in crate::sandbox) fn tick(&self) {
        let now = self.now();
        let Data { metrics, alarms, in_flight } = &mut *self.data();
        record_in_flight(metrics, in_flight, now.timestamp());
        alarms.evaluate(metrics, now);
        metrics.forget(now.timestamp());
    }

    /// The state of an alarm by its ARN. `None`: there is no such alarm.
    pub(in crate::sandbox) fn alarm_state(&self, arn: &str) -> Option<AlarmState> {
        self.data().alarms.state_of(arn)
    }
}
