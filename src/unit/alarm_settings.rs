//! What a CloudWatch alarm is set to: what it watches, how it decides, and whom it tells.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An alarm's settings. Source: AWS, `DescribeAlarms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmSettings {
    /// What it is about, in its owner's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it does anything when it changes its state: tells somebody.
    pub actions_enabled: bool,
    /// The ARNs that are told when it goes to `ALARM`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// When somebody last changed its settings, by AWS's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configured_at: Option<DateTime<Utc>>,
    /// What it watches, and how it decides.
    pub subject: AlarmSubject,
}

/// What an alarm watches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmSubject {
    /// A statistic of one metric.
    Metric {
        /// The metric.
        metric: MetricName,
        /// `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount`, or a percentile such as `p99`.
        statistic: String,
        /// How many seconds a data point stands for.
        period_seconds: u32,
        /// How data points decide.
        rule: AlarmRule,
    },
    /// Metric math.
    Math {
        /// The metrics that it is made of.
        metrics: Vec<MetricName>,
        /// How many seconds a data point stands for: the longest period of its parts.
        period_seconds: u32,
        /// Whether a band of an anomaly detector is its threshold.
        is_anomaly: bool,
        /// How data points decide.
        rule: AlarmRule,
    },
    /// Other alarms.
    Composite {
        /// The rule: `ALARM("a") OR ALARM("b")`.
        rule: String,
        /// The alarm that keeps its actions back while it is in `ALARM`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        suppressor: Option<String>,
    },
    /// Something that is not read here, such as a query of logs.
    Other,
}

/// How the data points of an alarm decide: M of the last N.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlarmRule {
    /// N: how many of the last data points are looked at.
    pub evaluation_periods: u32,
    /// M: how many of them must breach.
    pub datapoints_to_alarm: u32,
    /// What they are compared with; none for the band of an anomaly detector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// AWS's `ComparisonOperator`: `GreaterThanThreshold`.
    pub comparison: String,
    /// What a period without data stands for.
    pub missing: MissingData,
}

/// What a period without data stands for. AWS: `TreatMissingData`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MissingData {
    /// Nothing; an alarm without any data has insufficient data.
    #[default]
    Missing,
    /// The alarm keeps its state.
    Ignore,
    /// Out of bounds.
    Breaching,
    /// In bounds.
    NotBreaching,
}

impl MissingData {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Missing, Self::Ignore, Self::Breaching, Self::NotBreaching];

    /// As AWS writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Ignore => "ignore",
            Self::Breaching => "breaching",
            Self::NotBreaching => "notBreaching",
        }
    }

    /// Reads AWS's word; none for one that is not known.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }
}

/// A metric of CloudWatch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct MetricName {
    /// The namespace: `AWS/Lambda`.
    pub namespace: String,
    /// Its name: `Errors`.
    pub name: String,
    /// Dimensions by name: `FunctionName`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dimensions: BTreeMap<String, String>,
}

impl MetricName {
    /// Whether AWS makes it, and not somebody's program.
    #[must_use]
    pub fn is_vended(&self) -> bool {
        self.namespace.starts_with("AWS/")
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.namespace, self.name)?;
        self.dimensions.iter().try_for_each(|(name, value)| write!(formatter, " {name}={value}"))
    }
}

impl AlarmSettings {
    /// How long a data point stands for, and how they decide; none for a composite alarm and for what is not read here.
    #[must_use]
    pub fn rule(&self) -> Option<(Duration, &AlarmRule)> {
        match &self.subject {
            AlarmSubject::Metric { period_seconds, rule, .. } | AlarmSubject::Math { period_seconds, rule, .. } => {
                Some((Duration::from_secs(u64::from(*period_seconds)), rule))
            }
            AlarmSubject::Composite { .. } | AlarmSubject::Other => None,
        }
    }

    /// How far back it looks: evaluation periods times period. None where [`Self::rule`] has none.
    #[must_use]
    pub fn looks_back(&self) -> Option<Duration> {
        self.rule().map(|(period, rule)| period.saturating_mul(rule.evaluation_periods))
    }

    /// The metrics that it watches.
    #[must_use]
    pub fn metrics(&self) -> &[MetricName] {
        match &self.subject {
            AlarmSubject::Metric { metric, .. } => std::slice::from_ref(metric),
            AlarmSubject::Math { metrics, .. } => metrics,
            AlarmSubject::Composite { .. } | AlarmSubject::Other => &[],
        }
    }

    /// The alarms that a composite alarm's rule names, each once, in order.
    #[must_use]
    pub fn children(&self) -> Vec<String> {
        match &self.subject {
            AlarmSubject::Composite { rule, .. } => children(rule),
            AlarmSubject::Metric { .. } | AlarmSubject::Math { .. } | AlarmSubject::Other => Vec::new(),
        }
    }
}

/// What separates alarms from an account's ARN in front of them.
const ARN_MARK: &str = ":alarm:";

/// `ALARM(name)`, `OK("name")` and `INSUFFICIENT_DATA('arn:…:alarm:name')`. Source: AWS, `PutCompositeAlarm`, `AlarmRule`.
fn children(rule: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for state in ["ALARM", "OK", "INSUFFICIENT_DATA"] {
        for (at, _) in rule.match_indices(state) {
            let Some(rest) = rule.get(at + state.len()..) else { continue };
            let Some(inner) = rest.trim_start().strip_prefix('(') else { continue };
            let inner = inner.trim_start();
            let name = match inner.chars().next() {
                Some(quote @ ('"' | '\'')) => inner.trim_start_matches(quote).split(quote).next(),
                _ => inner.split([')', ' ']).next(),
            };
            let name = name.unwrap_or_default();
            let name = name.split_once(ARN_MARK).map_or(name, |(_, behind)| behind);
            if !name.is_empty() && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composite(rule: &str) -> AlarmSettings {
        AlarmSettings {
            description: None,
            actions_enabled: true,
            actions: Vec::new(),
            configured_at: None,
            subject: AlarmSubject::Composite { rule: rule.to_owned(), suppressor: None },
        }
    }

    #[test]
    fn the_children_of_a_composite_alarm_are_found_however_they_are_written() {
        for (rule, names) in [
            ("ALARM(cpu) AND NOT OK( \"a b\" )", &["cpu", "a b"][..]),
            ("ALARM('x') OR ALARM('x')", &["x"]),
            ("(ALARM(\"arn:aws:cloudwatch:eu-west-1:111122223333:alarm:pay\"))", &["pay"]),
            ("TRUE", &[]),
            ("ALARM(", &[]),
            ("ALARM(\"", &[]),
        ] {
            assert_eq!(composite(rule).children(), names, "{rule}");
        }
    }

    #[test]
    fn an_alarm_looks_back_over_all_its_periods() {
        let rule = AlarmRule {
            evaluation_periods: 3,
            datapoints_to_alarm: 2,
            threshold: Some(1.0),
            comparison: "GreaterThanThreshold".to_owned(),
            missing: MissingData::NotBreaching,
        };
        let metric =
            MetricName { namespace: "AWS/Lambda".to_owned(), name: "Errors".to_owned(), dimensions: BTreeMap::new() };
        let subject = AlarmSubject::Metric { metric, statistic: "Sum".to_owned(), period_seconds: 60, rule };
        let settings = AlarmSettings { subject, ..composite("") };
        assert_eq!(settings.looks_back(), Some(Duration::from_secs(180)));
        assert_eq!(composite("ALARM(a)").looks_back(), None);
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<AlarmSettings>(&text).unwrap(), settings);
        assert!(text.contains("\"notBreaching\""), "{text}");
    }

    #[test]
    fn the_words_for_missing_data_are_awss() {
        for known in MissingData::ALL {
            assert_eq!(MissingData::read(known.as_str()), Some(known));
            assert_eq!(serde_json::to_value(known).unwrap(), known.as_str());
        }
        assert_eq!(MissingData::read("breach"), None);
    }
}
