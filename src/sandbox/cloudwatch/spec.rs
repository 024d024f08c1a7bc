//! Alarms that a sandbox has from its start, as files say them under `alarms`. Names and defaults are CloudFormation's.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::CloudWatch;
use super::operation;
use super::statistic::Statistic;
use crate::unit::{AlarmRule, AlarmSettings, AlarmSubject, DurationText, MetricName, MissingData};

/// How far back an alarm may look: a day. Source: AWS, `PutMetricAlarm`.
const LOOK_BACK_SECONDS_MAX: u64 = 86_400;

/// The namespace of Lambda's own metrics.
const NAMESPACE: &str = "AWS/Lambda";

/// An alarm on a metric of one of the sandbox's functions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlarmSpec {
    /// The function whose metric it watches.
    pub function: String,
    /// An alias of that function, whose invocations alone are counted. Default: all invocations of the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The metric.
    pub metric_name: LambdaMetric,
    /// `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount`, or a percentile such as `p99`. Default: `Sum`.
    #[serde(default = "default_statistic")]
    pub statistic: String,
    /// What the statistic is compared with; `Duration` is in milliseconds.
    pub threshold: f64,
    /// How it is compared. Default: `GreaterThanOrEqualToThreshold`.
    #[serde(default)]
    pub comparison_operator: ComparisonOperator,
    /// The length of a period: 10s, 20s, 30s, or a multiple of 1m (AWS). Default: 1m.
    #[serde(default = "default_period")]
    pub period: DurationText,
    /// How many periods are looked at, from 1. Default: 1. Together they are at most a day long.
    #[serde(default = "one")]
    pub evaluation_periods: u32,
    /// How many of them must be out of bounds. Default: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub datapoints_to_alarm: Option<u32>,
    /// What a period without data stands for. Default: `missing`.
    #[serde(default)]
    pub treat_missing_data: MissingData,
}

/// What Lambda reports of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LambdaMetric {
    /// Invocations that were let in.
    Invocations,
    /// Invocations that failed.
    Errors,
    /// Invocations that were refused for lack of concurrency.
    Throttles,
    /// How long invocations took, in milliseconds.
    Duration,
    /// How many run at the same time.
    ConcurrentExecutions,
}

/// How a statistic is compared with the threshold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ComparisonOperator {
    /// `>=`
    #[default]
    GreaterThanOrEqualToThreshold,
    /// `>`
    GreaterThanThreshold,
    /// `<`
    LessThanThreshold,
    /// `<=`
    LessThanOrEqualToThreshold,
}

fn default_statistic() -> String {
    "Sum".to_owned()
}

fn default_period() -> DurationText {
    DurationText(std::time::Duration::from_secs(60))
}

fn one() -> u32 {
    1
}

impl AlarmSpec {
    fn is_percentile(&self) -> bool {
        matches!(Statistic::parse(&self.statistic), Some(Statistic::Percentile(_)))
    }

    /// Every value that is out of its range: its key, and a text for a person. `aliases` are those of its function; none
    /// where there is no such function.
    pub(in crate::sandbox) fn problems(&self, aliases: Option<&BTreeSet<&str>>) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut tell = |key, text| problems.push((key, text));
        match (aliases, &self.alias) {
            (None, _) => {
                let text = format!("there is no function `{}` in this sandbox; name one of `functions`", self.function);
                tell("function", text);
            }
            (Some(aliases), Some(alias)) if !aliases.contains(alias.as_str()) => {
                tell("alias", format!("function `{}` has no alias `{alias}`", self.function));
            }
            (Some(_), _) => {}
        }
        if Statistic::parse(&self.statistic).is_none() {
            let help = "write `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount`, or a percentile such as `p99`";
            tell("statistic", format!("`{}` is not a statistic; {help}", self.statistic));
        }
        if !self.threshold.is_finite() {
            tell("threshold", format!("`threshold: {}` is no number to compare with", self.threshold));
        }
        let seconds = self.period.as_secs();
        let is_period = self.period.subsec_nanos() == 0
            && (matches!(seconds, 10 | 20 | 30) || (seconds > 0 && seconds.is_multiple_of(60)))
            && seconds <= LOOK_BACK_SECONDS_MAX;
        if !is_period {
            let text =
                format!("`period: {}` is none that an alarm has; write 10s, 20s, 30s or a multiple of 1m", self.period);
            tell("period", text);
        }
        if self.evaluation_periods == 0 {
            tell("evaluation_periods", "`evaluation_periods` must be at least 1".to_owned());
        } else if is_period && seconds.saturating_mul(u64::from(self.evaluation_periods)) > LOOK_BACK_SECONDS_MAX {
            tell("evaluation_periods", "the periods that are looked at are longer than a day together".to_owned());
        }
        if let Some(points) = self.datapoints_to_alarm
            && (points == 0 || points > self.evaluation_periods)
        {
            let most = self.evaluation_periods;
            let text = format!("`datapoints_to_alarm: {points}` is not between 1 and `evaluation_periods`, {most}");
            tell("datapoints_to_alarm", text);
        }
        problems
    }

    /// Its settings, as the sandbox's CloudWatch tells them.
    #[must_use]
    pub fn settings(&self) -> AlarmSettings {
        let dimensions = self.dimensions().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let metric = MetricName { namespace: NAMESPACE.to_owned(), name: name(&self.metric_name), dimensions };
        AlarmSettings {
            description: None,
            actions_enabled: true,
            actions: Vec::new(),
            configured_at: None,
            subject: AlarmSubject::Metric {
                metric,
                statistic: self.statistic.clone(),
                period_seconds: u32::try_from(self.period.as_secs()).unwrap_or(u32::MAX),
                rule: AlarmRule {
                    evaluation_periods: self.evaluation_periods,
                    datapoints_to_alarm: self.datapoints_to_alarm.unwrap_or(self.evaluation_periods),
                    threshold: Some(self.threshold),
                    comparison: name(&self.comparison_operator),
                    missing: self.treat_missing_data,
                },
            },
        }
    }

    fn dimensions(&self) -> Vec<(&'static str, String)> {
        let alias = self.alias.as_ref().map(|alias| ("Resource", format!("{}:{alias}", self.function)));
        std::iter::once(("FunctionName", self.function.clone())).chain(alias).collect()
    }

    /// The request that makes it.
    fn request(&self, name: &str) -> serde_json::Value {
        let dimension = |(name, value)| json!({"Name": name, "Value": value});
        let dimensions: Vec<serde_json::Value> = self.dimensions().into_iter().map(dimension).collect();
        let statistic = if self.is_percentile() { "ExtendedStatistic" } else { "Statistic" };
        let mut request = json!({
            "AlarmName": name,
            "Namespace": NAMESPACE,
            "MetricName": self.metric_name,
            "Dimensions": dimensions,
            "Period": self.period.as_secs(),
            "EvaluationPeriods": self.evaluation_periods,
            "Threshold": self.threshold,
            "ComparisonOperator": self.comparison_operator,
            "TreatMissingData": self.treat_missing_data,
        });
        request[statistic] = self.statistic.as_str().into();
        if let Some(points) = self.datapoints_to_alarm {
            request["DatapointsToAlarm"] = points.into();
        }
        request
    }
}

/// A unit variant's name, as the API writes it.
fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

impl CloudWatch {
    /// Makes the alarms of a specification. The error is a text for a person.
    pub(in crate::sandbox) fn put_alarms<'a>(
        &self,
        alarms: impl IntoIterator<Item = (&'a String, &'a AlarmSpec)>,
    ) -> Result<(), String> {
        let refused = |name: &String, error| format!("alarm `{name}`: {error}");
        let mut alarms = alarms.into_iter();
        alarms.try_for_each(|(name, spec)| {
            let made = operation::call(self, "PutMetricAlarm", spec.request(name));
            made.map(drop).map_err(|error| refused(name, error))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::Clock;

    fn spec(text: &str) -> AlarmSpec {
        serde_yaml::from_str(text).expect(text)
    }

    #[test]
    fn an_alarm_of_a_file_is_one_of_the_api() {
        let cloudwatch = CloudWatch::new("us-east-1", "000000000000", Clock::start());
        let text = "{function: pay, alias: live, metric_name: Duration, statistic: p99, threshold: 800, period: 30s, \
                    evaluation_periods: 3, datapoints_to_alarm: 2, treat_missing_data: notBreaching, \
                    comparison_operator: LessThanThreshold}";
        let plain = "{function: pay, metric_name: Throttles, threshold: 1}";
        let alarms = [("slow".to_owned(), spec(text)), ("throttled".to_owned(), spec(plain))];
        cloudwatch.put_alarms(alarms.iter().map(|(name, spec)| (name, spec))).expect("both are good");
        let described = operation::call(&cloudwatch, "DescribeAlarms", json!({})).expect("an answer").expect("a value");
        let described = super::super::document::to_json(&described);
        let (slow, throttled) = (&described["MetricAlarms"][0], &described["MetricAlarms"][1]);
        assert_eq!((&slow["ExtendedStatistic"], &slow["Period"]), (&json!("p99"), &json!(30)));
        assert_eq!((&slow["DatapointsToAlarm"], &slow["Dimensions"][1]["Value"]), (&json!(2), &json!("pay:live")));
        assert_eq!(slow["TreatMissingData"], "notBreaching");
        assert_eq!((&throttled["Statistic"], &throttled["Period"]), (&json!("Sum"), &json!(60)));
        assert_eq!(throttled["ComparisonOperator"], "GreaterThanOrEqualToThreshold");
    }

    #[test]
    fn each_value_out_of_range_is_named() {
        let aliases = BTreeSet::from(["live"]);
        for (more, key) in [
            ("alias: other", "alias"),
            ("statistic: Middle", "statistic"),
            ("threshold: .inf", "threshold"),
            ("period: 15s", "period"),
            ("period: 500ms", "period"),
            ("period: 48h", "period"),
            ("evaluation_periods: 0", "evaluation_periods"),
            ("evaluation_periods: 2000", "evaluation_periods"),
            ("datapoints_to_alarm: 2", "datapoints_to_alarm"),
        ] {
            let threshold = if more.starts_with("threshold") { "" } else { "threshold: 1, " };
            let text = format!("{{function: pay, metric_name: Errors, {threshold}{more}}}");
            let problems = spec(&text).problems(Some(&aliases));
            assert_eq!(problems.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [key], "{text}: {problems:?}");
        }
        let text = "{function: pay, alias: live, metric_name: Errors, threshold: 1}";
        assert_eq!(spec(text).problems(Some(&aliases)), []);
        assert_eq!(spec(text).problems(None).len(), 1);
    }
}
