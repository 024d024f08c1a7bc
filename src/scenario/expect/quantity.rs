//! What a signal measures: its unit and what its values are, from its source and statistic alone.

use crate::load::LoadStatistic;
use crate::observe::{CloudwatchSignal, HttpSignal, HttpStatistic, MetricUnit, SignalSource};

/// The unit of a signal's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share, 0 to 1; written in percent.
    Ratio,
    /// A span of time.
    Duration,
    /// Arrivals a second.
    Rate,
    /// A count, or a number whose unit nobody tells.
    Number,
}

/// What the values of a signal are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series {
    /// Histograms: percentiles over any window are exact.
    Distribution,
    /// One number a period.
    Plain,
    /// A percentile a period: a percentile of it means nothing.
    Percentile,
}

/// What a signal measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    /// The unit.
    pub unit: Unit,
    /// What the values are.
    pub series: Series,
}

/// The metrics of `AWS/Lambda` that are times. AWS: they are in milliseconds ("Types of metrics for Lambda functions").
const LAMBDA_DURATIONS: [&str; 5] =
    ["Duration", "PostRuntimeExtensionsDuration", "IteratorAge", "AsyncEventAge", "InitDuration"];

impl Quantity {
    /// What a signal from this source measures.
    #[must_use]
    pub fn of(source: SignalSource<'_>) -> Self {
        match source {
            SignalSource::Load(load) => {
                let unit = match load.stat {
                    LoadStatistic::Latency => Unit::Duration,
                    LoadStatistic::SuccessRatio | LoadStatistic::ErrorRatio => Unit::Ratio,
                    LoadStatistic::Rate => Unit::Rate,
                    LoadStatistic::InFlight => Unit::Number,
                };
                let series = if load.stat.is_distribution() { Series::Distribution } else { Series::Plain };
                Self { unit, series }
            }
            SignalSource::Http(HttpSignal { stat, .. }) => {
                let unit = match stat {
                    Some(HttpStatistic::Latency) => Unit::Duration,
                    Some(HttpStatistic::SuccessRatio) | None => Unit::Ratio,
                };
                Self { unit, series: Series::Plain }
            }
            SignalSource::Cloudwatch(signal) => Self::of_cloudwatch(signal),
            SignalSource::MetricMath(signal) => {
                let unit = match signal.unit.unwrap_or_default() {
                    MetricUnit::Number => Unit::Number,
                    MetricUnit::Ratio => Unit::Ratio,
                    MetricUnit::Milliseconds | MetricUnit::Seconds => Unit::Duration,
                };
                Self { unit, series: Series::Plain }
            }
        }
    }

    fn of_cloudwatch(signal: &CloudwatchSignal) -> Self {
        let is_lambda = signal.lambda.is_some() || signal.namespace.as_deref() == Some("AWS/Lambda");
        let counts = signal.stat.0 == "SampleCount";
        let is_duration = is_lambda && !counts && LAMBDA_DURATIONS.contains(&signal.metric.as_str());
        Self {
            unit: if is_duration { Unit::Duration } else { Unit::Number },
            series: if signal.stat.is_percentile() { Series::Percentile } else { Series::Plain },
        }
    }
}
