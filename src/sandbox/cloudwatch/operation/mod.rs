//! The operations, one function each: a request in JSON to an answer or a refusal.
//!
//! Owns: what a request must have, and AWS's words when it does not. Must not know: wire forms, HTTP.

mod alarm;
mod alarm_input;
mod data;
mod history;
mod put_data;

use ciborium::Value;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::CloudWatch;
use super::document::Members;
use super::error::CloudWatchError;
use super::metrics::Dimensions;

/// The most dimensions that a metric has. Source: AWS, `PutMetricData`.
const DIMENSIONS_MAX: usize = 30;

/// Performs an operation. `Ok(None)`: it has no output.
pub(super) fn call(
    cloudwatch: &CloudWatch,
    operation: &str,
    request: serde_json::Value,
) -> Result<Option<Value>, CloudWatchError> {
    match operation {
        "PutMetricAlarm" => alarm::put(cloudwatch, &request).map(|()| None),
        "DescribeAlarms" => alarm::describe(cloudwatch, &request).map(Some),
        "DeleteAlarms" => alarm::delete(cloudwatch, request).map(|()| None),
        "SetAlarmState" => alarm::set_state(cloudwatch, request).map(|()| None),
        "DescribeAlarmHistory" => history::describe(cloudwatch, request).map(Some),
        // It has none, and can be given none.
        "ListAlarmMuteRules" => Ok(Some(Members::default().with("AlarmMuteRuleSummaries", Vec::<Value>::new()).into())),
        "PutMetricData" => put_data::put(cloudwatch, request).map(|()| None),
        "GetMetricData" => data::get(cloudwatch, request).map(Some),
        "ListMetrics" => data::list(cloudwatch, request).map(Some),
        other => Err(CloudWatchError::UnknownOperation(other.to_owned())),
    }
}

/// Reads a request into its type.
fn read<T: DeserializeOwned>(request: serde_json::Value) -> Result<T, CloudWatchError> {
    serde_json::from_value(request).map_err(|error| CloudWatchError::Validation(error.to_string()))
}

/// Refuses a request that has a member which the sandbox does not serve: to take it and do nothing would be a lie.
fn refuse(request: &serde_json::Value, members: &[&str]) -> Result<(), CloudWatchError> {
    match members.iter().find(|member| request.get(**member).is_some_and(|value| !value.is_null())) {
        Some(member) => Err(CloudWatchError::Validation(format!("the sandbox does not serve `{member}`"))),
        None => Ok(()),
    }
}

/// How many items a page has: what was asked for, 1 to `most`, or else `default`.
fn page_size(asked: Option<i64>, default: usize, most: usize) -> Result<usize, CloudWatchError> {
    let Some(asked) = asked else { return Ok(default) };
    let size = usize::try_from(asked).ok().filter(|size| (1..=most).contains(size));
    size.ok_or_else(|| CloudWatchError::Validation(format!("MaxRecords must be between 1 and {most}, not {asked}")))
}

/// A dimension of a request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Dimension {
    name: String,
    value: String,
}

/// The dimensions as a metric has them.
fn dimensions(list: Vec<Dimension>) -> Result<Dimensions, CloudWatchError> {
    if list.len() > DIMENSIONS_MAX {
        return Err(CloudWatchError::Validation(format!("a metric has at most {DIMENSIONS_MAX} dimensions")));
    }
    Ok(list.into_iter().map(|dimension| (dimension.name, dimension.value)).collect())
}

/// Whether a period is one that CloudWatch has. Source: AWS, `GetMetricData`: 1, 5, 10, 20, 30, and multiples of 60.
fn check_period(seconds: i64) -> Result<i64, CloudWatchError> {
    if matches!(seconds, 1 | 5 | 10 | 20 | 30) || (seconds > 0 && seconds % 60 == 0 && seconds <= 86_400) {
        return Ok(seconds);
    }
    let text = format!("Period must be 1, 5, 10, 20, 30 or a multiple of 60 up to 86400, not {seconds}");
    Err(CloudWatchError::Validation(text))
}
