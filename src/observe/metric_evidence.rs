//! What is kept of CloudWatch's metrics when a run is over: `evidence/metrics/metrics.json`.

use serde::{Deserialize, Serialize};

use crate::unit::{MetricName, SignalId, TargetId};

/// The metrics of a run, read once more when everything was undone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricEvidence {
    /// From when, in milliseconds since the run's start.
    pub from_ms: u64,
    /// Until when, in milliseconds since the run's start.
    pub to_ms: u64,
    /// Until when all data points had arrived; later ones may be parts, or missing.
    pub known_ms: u64,
    /// One for each metric and statistic.
    pub series: Vec<EvidenceSeries>,
}

/// The data points of one statistic of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceSeries {
    /// The metric; none for metric math.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<MetricName>,
    /// The expression of metric math.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expression: Option<String>,
    /// `Sum`, `Maximum`, `p99`; empty for metric math.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub statistic: String,
    /// How many seconds a data point stands for.
    pub period_seconds: u32,
    /// The target that it is a metric of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetId>,
    /// The signal that it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<SignalId>,
    /// When each period began, in milliseconds since the run's start, and its value, as CloudWatch tells it. Periods without a data
    /// point are not there.
    pub points: Vec<(u64, f64)>,
    /// What CloudWatch says of why there may be more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}
