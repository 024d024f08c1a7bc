//! What each load did, second by second.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LoadDifference, LoadPart, LoadWindow};

/// A load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Load {
    /// Its name.
    pub load: String,
    /// What its target counts: `users` or `per_second`; none where the plan does not say.
    pub target_unit: Option<String>,
    /// When it was started.
    pub start_ms: u64,
    /// When it ended; none in a run that ended before it did.
    pub end_ms: Option<u64>,
    /// Why it was lost.
    pub lost: Option<String>,
    /// Every request that ended.
    pub request_count: u64,
    /// Those that did not end as expected.
    pub failed_count: u64,
    /// Their share, 0 to 1; none without requests.
    pub failed_ratio: Option<f64>,
    /// The failures by kind, most frequent first.
    pub failures: Vec<FailureCount>,
    /// Some of them as they were seen, each once: at most three of each kind.
    #[serde(default)]
    pub failure_samples: Vec<FailureSeen>,
    /// The largest target.
    pub target_max: Option<f64>,
    /// Requests that ended, a second, over all recorded seconds.
    pub achieved_mean_per_second: Option<f64>,
    /// The same in the best second.
    pub achieved_max_per_second: Option<f64>,
    /// Of an open model: the share of the arrivals that the shape asked for which were sent.
    pub achieved_ratio: Option<f64>,
    /// Of an open model: arrivals that were never sent.
    #[serde(default)]
    pub not_sent_count: u64,
    /// Seconds whose figures may tell of the load worker and not of the server.
    #[serde(default)]
    pub doubtful_seconds: u64,
    /// Why, with how many of them for each reason: `late`, `not_sent`, `cpu`, `exhausted`.
    #[serde(default)]
    pub doubts: Vec<DoubtCount>,
    /// The median of the worst second.
    pub p50_worst: Option<WorstSecond>,
    /// The 99th percentile of the worst second.
    pub p99_worst: Option<WorstSecond>,
    /// The share of failures in the worst second.
    pub failed_worst: Option<WorstSecond>,
    /// Seconds between the first and the last for which nothing was recorded.
    pub missing_seconds: u64,
    /// Each second.
    pub seconds: Vec<Second>,
    /// The steps of its journeys that a hypothesis looks at, by name.
    pub steps: Vec<LoadStep>,
    /// All of it, each phase, each fault, and the time without any; empty where no frame was kept.
    #[serde(default)]
    pub windows: Vec<LoadWindow>,
    /// Each phase and fault beside the baseline phase, where each has ten seconds and more.
    #[serde(default)]
    pub differences: Vec<LoadDifference>,
    /// All of it by journey, step, class of status and stage.
    #[serde(default)]
    pub parts: Vec<LoadPart>,
    /// Why its frames could not be read.
    #[serde(default)]
    pub frames_unread: Option<String>,
}

/// A failure as it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureSeen {
    /// The journey; `teardown` of a step that is taken once, at the end.
    pub journey: String,
    /// The step.
    pub step: String,
    /// What it counts as.
    pub kind: String,
    /// What was seen: a status, an error's text, which expectation was not met. Nothing of a body.
    pub detail: String,
}

/// A step of a load's journeys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadStep {
    /// Its name.
    pub step: String,
    /// Each second in which it had requests.
    pub seconds: Vec<StepSecond>,
}

/// One second of a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepSecond {
    /// Which, in whole seconds since the run's start.
    pub second: u64,
    /// Requests that ended as expected.
    pub ok_count: u64,
    /// Requests that did not.
    pub failed_count: u64,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: Option<f64>,
}

/// Failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailureCount {
    /// The kind: `status`, `slow`, `timeout`, …
    pub kind: String,
    /// How many.
    pub count: u64,
}

/// Why seconds are doubtful.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoubtCount {
    /// The reason.
    pub doubt: String,
    /// In how many seconds.
    pub seconds: u64,
}

/// The worst second of a load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WorstSecond {
    /// Which, in whole seconds since the run's start.
    pub second: u64,
    /// The value: milliseconds, or a ratio.
    pub value: f64,
}

/// One second of a load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Second {
    /// Which, in whole seconds since the run's start.
    pub second: u64,
    /// The shape's level.
    pub target: f64,
    /// Requests that ended as expected.
    pub ok_count: u64,
    /// Requests that did not.
    pub failed_count: u64,
    /// Requests still under way at its end.
    pub in_flight_count: u64,
    /// The median, in milliseconds.
    pub p50_ms: Option<f64>,
    /// The 99th percentile, in milliseconds.
    pub p99_ms: Option<f64>,
}
