//! The numbers of a load by window of the run and by part of the load.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a load did in a part of the run: in the seconds that lie wholly in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadWindow {
    /// `whole_load`, `phase`, `fault` (from when it was confirmed until its undo began) or `without_fault` (none is in place,
    /// or may be).
    pub kind: String,
    /// The phase or the fault.
    pub name: Option<String>,
    /// When it began; none of what is no single stretch of time.
    pub start_ms: Option<u64>,
    /// When it ended; none where it did not.
    pub end_ms: Option<u64>,
    /// Its seconds that were recorded. With none, nothing is known of it.
    pub seconds: u64,
    /// Its seconds that were not, while the load was on.
    pub missing_seconds: u64,
    /// Its recorded seconds that may tell of the load worker and not of the server.
    pub doubtful_seconds: u64,
    /// What of its seconds may keep its numbers from being believed, in words.
    pub note: Option<String>,
    /// What was asked for on the mean: users, or arrivals a second.
    pub asked: Option<f64>,
    /// Of an open model: arrivals that began, a second.
    pub begun_per_second: Option<f64>,
    /// What was measured.
    pub numbers: Numbers,
    /// The distribution of response times; empty where nothing was measured.
    #[serde(default)]
    pub quantiles: Vec<Quantile>,
}

/// A point of a distribution: so large a share of the response times is at most that long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quantile {
    /// The share, 0 to 1.
    pub share: f64,
    /// In milliseconds.
    pub ms: f64,
}

/// A figure of a load in a phase or under a fault, beside the same in the baseline phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadDifference {
    /// `phase` or `fault`.
    pub kind: String,
    /// The phase or the fault.
    pub name: Option<String>,
    /// `failed_ratio`; `per_second` (requests, of a closed model); `p50_ms` or `p99_ms`: that percentile of a second, on the mean.
    pub figure: String,
    /// In the baseline phase.
    pub baseline: f64,
    /// Here.
    pub value: f64,
    /// The lower end of the interval in which 95 of 100 differences lie that its seconds, drawn anew in blocks, come to.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// How many seconds the baseline phase gave.
    pub baseline_seconds: usize,
    /// How many this window gave.
    pub seconds: usize,
    /// Whether the interval leaves out that there is no difference.
    pub is_clear: bool,
}

/// A part of a load's requests, over all of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadPart {
    /// `journey`, `step`, `status` (class), or `stage` (of a request).
    pub kind: String,
    /// The journey; `journey / step`; `2xx`, `no_answer`, …; `connect`, `tls`, `first_byte`, `service` or
    /// `cold_start` (how long environments took to start for invocations that had to wait for that).
    pub name: String,
    /// Of how many requests it is known whether they had it, where not of all: of cold starts.
    #[serde(default)]
    pub told_count: Option<u64>,
    /// What was measured: response times, but of a stage how long that took.
    pub numbers: Numbers,
}

/// Counts and percentiles; none of them where nothing was measured. Times are in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Numbers {
    /// How many were measured; none where nothing is known of them.
    pub count: Option<u64>,
    /// How many of them failed; none of what does not tell.
    pub failed_count: Option<u64>,
    /// Their share, 0 to 1.
    pub failed_ratio: Option<f64>,
    /// How many a second.
    pub per_second: Option<f64>,
    /// The median.
    pub p50_ms: Option<f64>,
    /// The 95th percentile.
    pub p95_ms: Option<f64>,
    /// The 99th.
    pub p99_ms: Option<f64>,
    /// The 99.9th.
    pub p99_9_ms: Option<f64>,
    /// The 99.99th.
    pub p99_99_ms: Option<f64>,
    /// The largest.
    pub max_ms: Option<f64>,
}
