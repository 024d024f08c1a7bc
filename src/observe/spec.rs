//! What a scenario says of a signal: its level, its source and that source's parameters.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::LoadStatistic;
use crate::unit::{DurationText, LoadId, TargetId};

/// Whose view a signal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignalLevel {
    /// What the business counts: orders placed.
    Business,
    /// What a user feels: time to check out.
    Ux,
    /// What the team handles: open issues, queue age.
    Operational,
    /// What a part of the system reports: duration, throttles.
    System,
}

/// A signal as a file has it: exactly one source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalSpec {
    /// Whose view the signal is; default `system`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<SignalLevel>,
    /// What the load generator saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadSignal>,
    /// An HTTP probe of our own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSignal>,
    /// A CloudWatch metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloudwatch: Option<CloudwatchSignal>,
    /// Metric math of CloudWatch over several metrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric_math: Option<MetricMathSignal>,
}

/// The one source of a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SignalSource<'a> {
    /// What the load generator saw.
    Load(&'a LoadSignal),
    /// An HTTP probe of our own.
    Http(&'a HttpSignal),
    /// A CloudWatch metric.
    Cloudwatch(&'a CloudwatchSignal),
    /// Metric math of CloudWatch over several metrics.
    MetricMath(&'a MetricMathSignal),
}

impl SignalSource<'_> {
    /// How long a data point of CloudWatch stands for, default 60 s; none for other sources.
    #[must_use]
    pub fn metric_period(&self) -> Option<Duration> {
        let period = match self {
            Self::Cloudwatch(signal) => signal.period,
            Self::MetricMath(signal) => signal.period,
            Self::Load(_) | Self::Http(_) => return None,
        };
        Some(period.map_or(METRIC_PERIOD_DEFAULT, |period| period.0))
    }
}

/// How long a data point of CloudWatch stands for, unless the signal says otherwise.
const METRIC_PERIOD_DEFAULT: Duration = Duration::from_secs(60);

impl SignalSpec {
    /// The keys that name a source, as files write them.
    pub const SOURCES: &[&str] = &["load", "http", "cloudwatch", "metric_math"];

    /// The one source.
    ///
    /// # Errors
    /// The sources that were given, where there is not exactly one.
    pub fn source(&self) -> Result<SignalSource<'_>, Vec<&'static str>> {
        match (&self.load, &self.http, &self.cloudwatch, &self.metric_math) {
            (Some(load), None, None, None) => Ok(SignalSource::Load(load)),
            (None, Some(http), None, None) => Ok(SignalSource::Http(http)),
            (None, None, Some(cloudwatch), None) => Ok(SignalSource::Cloudwatch(cloudwatch)),
            (None, None, None, Some(math)) => Ok(SignalSource::MetricMath(math)),
            (load, http, cloudwatch, math) => {
                let given = [load.is_some(), http.is_some(), cloudwatch.is_some(), math.is_some()];
                Err(Self::SOURCES.iter().zip(given).filter(|(_, given)| *given).map(|(name, _)| *name).collect())
            }
        }
    }
}

/// A statistic of a load, second by second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadSignal {
    /// The load.
    pub of: LoadId,
    /// Only this step of its journeys; default all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Which statistic.
    pub stat: LoadStatistic,
}

/// What an HTTP probe reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HttpStatistic {
    /// 1 for an answer with a status below 400 in time, else 0.
    SuccessRatio,
    /// Time to the end of the answer; failed probes have none.
    Latency,
}

/// An HTTP probe: a GET at a fixed interval, outside the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSignal {
    /// The URL; `${target.url}` stands for a target's.
    pub get: String,
    /// The interval; default 1s, at least 100ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<DurationText>,
    /// How long a probe may take; default 2s, or the interval where that is shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// What is reported; default `success_ratio`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stat: Option<HttpStatistic>,
}

impl HttpSignal {
    /// How often the probe asks, unless the signal says otherwise.
    const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);
    /// The shortest interval.
    const INTERVAL_MIN: Duration = Duration::from_millis(100);
    /// How long an answer may take at most, unless the signal says otherwise.
    const TIMEOUT_DEFAULT: Duration = Duration::from_secs(2);

    /// How often the probe asks; default 1 s, at least 100 ms.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.every.map_or(Self::INTERVAL_DEFAULT, |every| every.0).max(Self::INTERVAL_MIN)
    }

    /// How long an answer may take; default 2 s, or the interval where that is shorter: a service that hangs is then sampled
    /// as often as one that answers.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or_else(|| Self::TIMEOUT_DEFAULT.min(self.interval()), |timeout| timeout.0)
    }

    /// What is reported; default whether the probe was a success.
    #[must_use]
    pub fn statistic(&self) -> HttpStatistic {
        self.stat.unwrap_or(HttpStatistic::SuccessRatio)
    }
}

/// A CloudWatch statistic: `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount`, or a percentile such as `p99`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CloudwatchStatistic(pub String);

impl CloudwatchStatistic {
    /// The statistics that are not percentiles. AWS: GetMetricData, `Stat`.
    pub const NAMES: &[&str] = &["Sum", "Average", "Minimum", "Maximum", "SampleCount"];

    /// Whether CloudWatch knows the statistic.
    #[must_use]
    pub fn is_known(&self) -> bool {
        Self::NAMES.contains(&self.0.as_str()) || self.is_percentile()
    }

    /// Whether it is a percentile, `p0` to `p100`: a percentile over such a series means nothing.
    #[must_use]
    pub fn is_percentile(&self) -> bool {
        self.0
            .strip_prefix('p')
            .and_then(|number| number.parse::<f64>().ok())
            .is_some_and(|percentile| (0.0..=100.0).contains(&percentile))
    }
}

/// A CloudWatch metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloudwatchSignal {
    /// The namespace; left out where `lambda` is given (`AWS/Lambda`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A `lambda` target or a function's name: namespace and dimension follow from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda: Option<TargetId>,
    /// The metric's name.
    pub metric: String,
    /// The statistic.
    pub stat: CloudwatchStatistic,
    /// The period; default 60s. AWS: 1, 5, 10, 20, 30 or a multiple of 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<DurationText>,
    /// Dimensions by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
    /// What a period without a data point counts as, once CloudWatch has had its time: `0` for what is only counted when it
    /// happens. Default: such a period is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<f64>,
}

/// The unit of what metric math gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MetricUnit {
    /// A plain number.
    #[default]
    Number,
    /// A share from 0 to 1, which expectations write in percent.
    Ratio,
    /// A time in milliseconds, as Lambda's `Duration` is.
    Milliseconds,
    /// A time in seconds.
    Seconds,
}

/// Metric math: `errors / invocations`. AWS: GetMetricData, `Expression`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MetricMathSignal {
    /// The expression over the names of `metrics`.
    pub expression: String,
    /// The metrics by the names that the expression has for them: a small letter, then letters, digits and `_`.
    pub metrics: BTreeMap<String, MathMetric>,
    /// The period of all of them; default 60s. AWS: 1, 5, 10, 20, 30 or a multiple of 60 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<DurationText>,
    /// The unit of the result; default `number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<MetricUnit>,
    /// What a period without a data point counts as, once CloudWatch has had its time. Default: such a period is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<f64>,
}

/// A metric that an expression is made of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MathMetric {
    /// The namespace; left out where `lambda` is given (`AWS/Lambda`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// A `lambda` target or a function's name: namespace and dimension follow from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda: Option<TargetId>,
    /// The metric's name.
    pub metric: String,
    /// The statistic.
    pub stat: CloudwatchStatistic,
    /// Dimensions by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
}
