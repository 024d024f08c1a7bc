//! PutMetricData.

use serde::Deserialize;

use super::{Dimension, dimensions, read, refuse};
use crate::sandbox::cloudwatch::CloudWatch;
use crate::sandbox::cloudwatch::bucket::Bucket;
use crate::sandbox::cloudwatch::document::time_of;
use crate::sandbox::cloudwatch::error::CloudWatchError;
use crate::sandbox::cloudwatch::metrics::{KEPT_SECONDS, MetricId};

/// How many data a request has at most. Source: AWS, `PutMetricData`.
const DATA_MAX: usize = 1_000;
/// How many values a datum has at most. Source: AWS, `MetricDatum`.
const VALUES_MAX: usize = 150;
/// How far in the future a time may lie, in seconds. Source: AWS, `MetricDatum`: two hours.
const AHEAD_SECONDS_MAX: i64 = 2 * 60 * 60;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    namespace: Option<String>,
    metric_data: Option<Vec<Datum>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datum {
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    timestamp: Option<f64>,
    value: Option<f64>,
    statistic_values: Option<StatisticSet>,
    values: Option<Vec<f64>>,
    counts: Option<Vec<f64>>,
    unit: Option<String>,
    storage_resolution: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticSet {
    sample_count: f64,
    sum: f64,
    minimum: f64,
    maximum: f64,
}

fn invalid(text: impl Into<String>) -> CloudWatchError {
    CloudWatchError::InvalidParameterValue(text.into())
}

/// Takes all data or, when one of them is wrong, none.
pub(super) fn put(cloudwatch: &CloudWatch, request: serde_json::Value) -> Result<(), CloudWatchError> {
    refuse(&request, &["EntityMetricData"])?;
    let request: Request = read(request)?;
    let namespace = request.namespace.ok_or(CloudWatchError::MissingParameter("Namespace"))?;
    if namespace.starts_with("AWS/") || namespace.starts_with(':') || namespace.is_empty() {
        return Err(invalid(format!("The value {namespace} for parameter Namespace is invalid.")));
    }
    let data = request.metric_data.ok_or(CloudWatchError::MissingParameter("MetricData"))?;
    if data.len() > DATA_MAX {
        return Err(invalid(format!("MetricData has at most {DATA_MAX} members")));
    }
    let now = cloudwatch.now().timestamp();
    let mut records = Vec::new();
    for datum in data {
        let bucket = bucket(&datum)?;
        let second = second(&datum, now)?;
        let name = datum.metric_name.ok_or(CloudWatchError::MissingParameter("MetricData.member.MetricName"))?;
        let id = MetricId { namespace: namespace.clone(), name, dimensions: dimensions(datum.dimensions)? };
        records.push((id, datum.unit.unwrap_or_else(|| "None".to_owned()), second, bucket));
    }
    let metrics = &mut cloudwatch.data().metrics;
    for (id, unit, second, bucket) in records {
        metrics.record(&id, &unit, second, bucket)?;
    }
    Ok(())
}

fn second(datum: &Datum, now: i64) -> Result<i64, CloudWatchError> {
    let resolution = datum.storage_resolution.unwrap_or(60);
    if !matches!(resolution, 1 | 60) {
        return Err(invalid(format!("StorageResolution must be 1 or 60, not {resolution}")));
    }
    let second = match datum.timestamp {
        None => now,
        Some(at) => time_of(at).map(|at| at.timestamp()).ok_or_else(|| invalid("Timestamp is not a time"))?,
    };
    if !(now - KEPT_SECONDS..=now + AHEAD_SECONDS_MAX).contains(&second) {
        return Err(invalid("Timestamp must be within the last three hours, which the sandbox keeps, or the next two"));
    }
    Ok(second - second.rem_euclid(resolution))
}

fn bucket(datum: &Datum) -> Result<Bucket, CloudWatchError> {
    match (datum.value, &datum.statistic_values, &datum.values) {
        (Some(value), None, None) if value.is_finite() => Ok(Bucket::of(value, 1.0)),
        (None, Some(set), None) => {
            let StatisticSet { sample_count, sum, minimum, maximum } = *set;
            let is_finite = [sample_count, sum, minimum, maximum].iter().all(|number| number.is_finite());
            if !is_finite || sample_count <= 0.0 || minimum > maximum {
                return Err(invalid("StatisticValues are not those of any values"));
            }
            Ok(Bucket::of_set(sample_count, sum, minimum, maximum))
        }
        (None, None, Some(values)) => of_values(values, datum.counts.as_deref()),
        (None, None, None) => Err(CloudWatchError::MissingParameter("MetricData.member.Value")),
        (Some(value), None, None) => Err(invalid(format!("The value {value} is not a number that can be counted"))),
        _ => Err(CloudWatchError::InvalidParameterCombination(
            "Value, Values and StatisticValues exclude each other".to_owned(),
        )),
    }
}

fn of_values(values: &[f64], counts: Option<&[f64]>) -> Result<Bucket, CloudWatchError> {
    if values.is_empty() || values.len() > VALUES_MAX {
        return Err(invalid(format!("Values has 1 to {VALUES_MAX} numbers")));
    }
    if counts.is_some_and(|counts| counts.len() != values.len()) {
        return Err(invalid("Values and Counts must be as long as each other"));
    }
    let count = |index: usize| counts.and_then(|counts| counts.get(index)).copied().unwrap_or(1.0);
    let mut all: Option<Bucket> = None;
    for (index, value) in values.iter().enumerate() {
        let count = count(index);
        if !value.is_finite() || !count.is_finite() || count <= 0.0 {
            return Err(invalid("Values and Counts must be numbers, and Counts above 0"));
        }
        let bucket = Bucket::of(*value, count);
        match &mut all {
            Some(all) => all.merge(&bucket),
            None => all = Some(bucket),
        }
    }
    Ok(all.expect("invariant: there is at least one value"))
}
