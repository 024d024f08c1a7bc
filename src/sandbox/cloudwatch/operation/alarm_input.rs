//! `PutMetricAlarm`'s request, checked.

use serde::Deserialize;

use super::{Dimension, check_period, dimensions, read, refuse};
use crate::sandbox::cloudwatch::alarm::{Actions, Definition};
use crate::sandbox::cloudwatch::error::CloudWatchError;
use crate::sandbox::cloudwatch::evaluation::{Comparison, Missing, Rule};
use crate::sandbox::cloudwatch::metrics::MetricId;
use crate::sandbox::cloudwatch::statistic::Statistic;

/// Members that only other kinds of alarm have.
const UNSERVED: [&str; 6] = [
    "Metrics",
    "ThresholdMetricId",
    "EvaluationWindow",
    "WarmUpConfiguration",
    "EvaluationCriteria",
    "EvaluationInterval",
];

/// The longest time that an alarm looks back, in seconds: a day. Source: AWS, `PutMetricAlarm`.
const LOOK_BACK_SECONDS_MAX: i64 = 86_400;

const NAME_BYTES_MAX: usize = 255;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    alarm_name: Option<String>,
    alarm_description: Option<String>,
    actions_enabled: Option<bool>,
    #[serde(default, rename = "OKActions")]
    ok_actions: Vec<String>,
    #[serde(default)]
    alarm_actions: Vec<String>,
    #[serde(default)]
    insufficient_data_actions: Vec<String>,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    period: Option<i64>,
    unit: Option<String>,
    evaluation_periods: Option<i64>,
    datapoints_to_alarm: Option<i64>,
    threshold: Option<f64>,
    comparison_operator: Option<String>,
    treat_missing_data: Option<String>,
    evaluate_low_sample_count_percentile: Option<String>,
}

fn invalid(text: impl Into<String>) -> CloudWatchError {
    CloudWatchError::Validation(text.into())
}

fn required<T>(value: Option<T>, name: &str) -> Result<T, CloudWatchError> {
    value.ok_or_else(|| invalid(format!("The parameter {name} is required")))
}

/// Reads the request into an alarm's definition.
pub(super) fn definition(request: &serde_json::Value) -> Result<Definition, CloudWatchError> {
    refuse(request, &UNSERVED)?;
    let request: Request = read(request.clone())?;
    let name = required(request.alarm_name.clone(), "AlarmName")?;
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(invalid(format!("AlarmName must have 1 to {NAME_BYTES_MAX} characters")));
    }
    let (statistic, statistic_text, is_extended) = statistic(&request)?;
    let period_seconds = check_period(required(request.period, "Period")?)?;
    let rule = rule(&request)?;
    let looks_back = i64::try_from(rule.evaluation_periods).unwrap_or(i64::MAX).saturating_mul(period_seconds);
    if looks_back > LOOK_BACK_SECONDS_MAX {
        return Err(invalid(
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400)",
        ));
    }
    Ok(Definition {
        name,
        description: request.alarm_description,
        actions: Actions {
            is_enabled: request.actions_enabled.unwrap_or(true),
            ok: request.ok_actions,
            alarm: request.alarm_actions,
            insufficient_data: request.insufficient_data_actions,
        },
        metric: MetricId {
            namespace: required(request.namespace, "Namespace")?,
            name: required(request.metric_name, "MetricName")?,
            dimensions: dimensions(request.dimensions)?,
        },
        unit: request.unit,
        statistic,
        statistic_text,
        is_extended,
        period_seconds,
        rule,
        has_datapoints_to_alarm: request.datapoints_to_alarm.is_some(),
        has_missing: request.treat_missing_data.is_some(),
        low_sample_percentile: request.evaluate_low_sample_count_percentile,
    })
}

fn statistic(request: &Request) -> Result<(Statistic, String, bool), CloudWatchError> {
    let (text, is_extended) = match (&request.statistic, &request.extended_statistic) {
        (Some(text), None) => (text, false),
        (None, Some(text)) => (text, true),
        (None, None) => return Err(invalid("Exactly one of Statistic and ExtendedStatistic is required")),
        (Some(_), Some(_)) => return Err(invalid("Statistic and ExtendedStatistic exclude each other")),
    };
    let parsed = Statistic::parse(text)
        .filter(|statistic| matches!(statistic, Statistic::Percentile(_)) == is_extended)
        .ok_or_else(|| invalid(format!("`{text}` is not a statistic that the sandbox serves here")))?;
    Ok((parsed, text.clone(), is_extended))
}

fn rule(request: &Request) -> Result<Rule, CloudWatchError> {
    let operator = required(request.comparison_operator.as_deref(), "ComparisonOperator")?;
    let comparison = Comparison::parse(operator)
        .ok_or_else(|| invalid(format!("the sandbox does not serve the comparison `{operator}`")))?;
    let count = |value: i64, name: &str| {
        usize::try_from(value)
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| invalid(format!("{name} must be at least 1")))
    };
    let evaluation_periods = count(required(request.evaluation_periods, "EvaluationPeriods")?, "EvaluationPeriods")?;
    let datapoints_to_alarm = match request.datapoints_to_alarm {
        Some(value) => count(value, "DatapointsToAlarm")?,
        None => evaluation_periods,
    };
    if datapoints_to_alarm > evaluation_periods {
        return Err(invalid("DatapointsToAlarm must not be more than EvaluationPeriods"));
    }
    let missing = match request.treat_missing_data.as_deref() {
        None => Missing::Absent,
        Some(text) => Missing::parse(text).ok_or_else(|| {
            invalid(format!("TreatMissingData must be breaching, notBreaching, ignore or missing, not `{text}`"))
        })?,
    };
    let threshold = required(request.threshold, "Threshold")?;
    Ok(Rule { comparison, threshold, evaluation_periods, datapoints_to_alarm, missing })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request() -> serde_json::Value {
        json!({
            "AlarmName": "errors", "Namespace": "AWS/Lambda", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 2, "Threshold": 1, "ComparisonOperator": "GreaterThanThreshold"
        })
    }

    #[test]
    fn the_defaults_are_those_of_aws() {
        let definition = definition(&request()).expect("a good request");
        assert_eq!((definition.rule.datapoints_to_alarm, definition.rule.missing), (2, Missing::Absent));
        assert!(definition.actions.is_enabled && !definition.has_missing);
    }

    #[test]
    fn what_cloudwatch_refuses_and_what_the_sandbox_does_not_serve_is_refused_by_name() {
        for (member, value, part) in [
            ("AlarmName", json!(null), "AlarmName"),
            ("Metrics", json!([{"Id": "e1", "Expression": "m1/m2"}]), "Metrics"),
            ("Statistic", json!("p99"), "p99"),
            ("ExtendedStatistic", json!("p99"), "exclude"),
            ("Period", json!(7), "Period"),
            ("Period", json!(86_400), "more than a day"),
            ("EvaluationPeriods", json!(0), "EvaluationPeriods"),
            ("DatapointsToAlarm", json!(3), "DatapointsToAlarm"),
            ("ComparisonOperator", json!("GreaterThanUpperThreshold"), "GreaterThanUpperThreshold"),
            ("TreatMissingData", json!("Missing"), "TreatMissingData"),
            ("Threshold", json!(null), "Threshold"),
        ] {
            let mut request = request();
            request[member] = value;
            let error = definition(&request).expect_err(member).to_string();
            assert!(error.contains(part), "{member}: {error}");
        }
    }
}
