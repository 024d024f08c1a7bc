//! GetMetricData and ListMetrics.

use std::collections::{BTreeMap, BTreeSet};

use ciborium::Value;
use serde::Deserialize;

use super::{Dimension, check_period, dimensions, read};
use crate::sandbox::cloudwatch::CloudWatch;
use crate::sandbox::cloudwatch::alarm;
use crate::sandbox::cloudwatch::document::{Members, second, time_of};
use crate::sandbox::cloudwatch::error::CloudWatchError;
use crate::sandbox::cloudwatch::math;
use crate::sandbox::cloudwatch::metrics::{MetricId, Metrics};
use crate::sandbox::cloudwatch::page::{page, skipped};
use crate::sandbox::cloudwatch::statistic::Statistic;

/// How many queries a request has at most. Source: AWS, `GetMetricData`.
const QUERIES_MAX: usize = 500;
/// How many data points an answer has at most. Source: AWS, `GetMetricData`.
const DATAPOINTS_MAX: usize = 100_800;
/// How many metrics a page of `ListMetrics` has. Source: AWS.
const METRICS_PAGE: usize = 500;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Request {
    metric_data_queries: Vec<Query>,
    start_time: f64,
    end_time: f64,
    next_token: Option<String>,
    scan_by: Option<String>,
    max_datapoints: Option<i64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Query {
    id: String,
    metric_stat: Option<MetricStat>,
    expression: Option<String>,
    label: Option<String>,
    return_data: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct MetricStat {
    metric: Metric,
    period: i64,
    stat: String,
    unit: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
}

fn invalid(text: impl Into<String>) -> CloudWatchError {
    CloudWatchError::Validation(text.into())
}

/// One query's data points, in the order of the answer.
struct Found {
    id: String,
    label: String,
    points: Vec<(i64, f64)>,
}

pub(super) fn get(cloudwatch: &CloudWatch, request: serde_json::Value) -> Result<Value, CloudWatchError> {
    let asked: Request = read(request)?;
    let time = |seconds: f64| time_of(seconds).map(|at| at.timestamp()).ok_or_else(|| invalid("not a time"));
    let range = (time(asked.start_time)?, time(asked.end_time.ceil())?);
    if asked.start_time >= asked.end_time {
        return Err(invalid("The parameter StartTime must be less than the parameter EndTime"));
    }
    if asked.metric_data_queries.is_empty() || asked.metric_data_queries.len() > QUERIES_MAX {
        return Err(invalid(format!("MetricDataQueries has 1 to {QUERIES_MAX} members")));
    }
    let is_ascending = match asked.scan_by.as_deref() {
        None | Some("TimestampDescending") => false,
        Some("TimestampAscending") => true,
        Some(other) => return Err(invalid(format!("ScanBy can not be `{other}`"))),
    };
    let points_max = match asked.max_datapoints {
        None => DATAPOINTS_MAX,
        Some(most) => usize::try_from(most)
            .ok()
            .filter(|most| (1..=DATAPOINTS_MAX).contains(most))
            .ok_or_else(|| invalid(format!("MaxDatapoints must be between 1 and {DATAPOINTS_MAX}")))?,
    };
    let mut ids = BTreeSet::new();
    let (mut found, mut series, mut expressions) = (Vec::new(), BTreeMap::new(), Vec::new());
    let mut longest = 1;
    let data = cloudwatch.data();
    for (index, query) in asked.metric_data_queries.into_iter().enumerate() {
        if !is_id(&query.id) || !ids.insert(query.id.clone()) {
            return Err(invalid(format!(
                "The id `{}` must begin with a small letter, have letters, digits and `_`, and be there once",
                query.id
            )));
        }
        let is_returned = query.return_data.unwrap_or(true);
        match (query.metric_stat, query.expression) {
            (Some(wanted), None) => {
                longest = longest.max(wanted.period);
                let (name, points) = perform(&data.metrics, &query.id, wanted, range)?;
                series.insert(query.id.clone(), points.clone());
                found.extend(is_returned.then_some((index, query.id, query.label.unwrap_or(name), points)));
            }
            (None, Some(expression)) if is_returned => {
                expressions.push((index, query.label.unwrap_or_else(|| query.id.clone()), query.id, expression));
            }
            (None, Some(_)) => {
                return Err(invalid(format!("the sandbox has no expressions over others, such as `{}`", query.id)));
            }
            (Some(_), Some(_)) | (None, None) => {
                return Err(invalid(format!("the query `{}` has one of MetricStat and Expression", query.id)));
            }
        }
    }
    let filled = periods(range, longest.max(1));
    for (index, label, id, expression) in expressions {
        let points = math::evaluate(&expression, &series, &filled)
            .map_err(|why| invalid(format!("`Expression` is `{expression}`: {why}")))?;
        found.push((index, id, label, points));
    }
    found.sort_by_key(|(index, ..)| *index);
    let found: Vec<Found> = found
        .into_iter()
        .map(|(_, id, label, points)| {
            let mut points: Vec<(i64, f64)> = points.into_iter().collect();
            if !is_ascending {
                points.reverse();
            }
            Found { id, label, points }
        })
        .collect();
    let skipped = skipped(asked.next_token.as_deref())?;
    Ok(answer(found, skipped, points_max))
}

fn is_id(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The data points of a metric, by when their periods begin.
fn perform(
    metrics: &Metrics,
    id: &str,
    wanted: MetricStat,
    range: (i64, i64),
) -> Result<(String, BTreeMap<i64, f64>), CloudWatchError> {
    let period = check_period(wanted.period)?;
    let statistic = Statistic::parse(&wanted.stat)
        .ok_or_else(|| invalid(format!("`{}` is not a statistic that the sandbox serves", wanted.stat)))?;
    let required =
        |text: Option<String>, name: &str| text.ok_or_else(|| invalid(format!("{name} of `{id}` is required")));
    let metric = MetricId {
        namespace: required(wanted.metric.namespace, "Namespace")?,
        name: required(wanted.metric.metric_name, "MetricName")?,
        dimensions: dimensions(wanted.metric.dimensions)?,
    };
    let periods = metrics.periods(&metric, wanted.unit.as_deref(), range, period);
    let points = periods.iter().filter_map(|(begin, bucket)| Some((*begin, statistic.of(bucket)?))).collect();
    Ok((metric.name, points))
}

/// The beginnings of all periods in a range, which metric math fills.
fn periods(range: (i64, i64), seconds: i64) -> Vec<i64> {
    let first = range.0.div_euclid(seconds) * seconds;
    let count = usize::try_from((range.1 - first).div_euclid(seconds)).unwrap_or(0).min(DATAPOINTS_MAX);
    (0..).map(|index| first + index * seconds).take(count).collect()
}

/// The answer from the data point on that the token names; a result that goes on in the next page says so.
fn answer(found: Vec<Found>, skipped: usize, points_max: usize) -> Value {
    let total: usize = found.iter().map(|found| found.points.len()).sum();
    let end = skipped.saturating_add(points_max);
    let mut first = 0_usize;
    let mut results: Vec<Value> = Vec::new();
    for Found { id, label, points } in found {
        let last = first + points.len();
        let here: Vec<(i64, f64)> = points
            .into_iter()
            .enumerate()
            .filter(|(index, _)| (skipped..end).contains(&(first + index)))
            .map(|(_, point)| point)
            .collect();
        first = last;
        let times: Vec<Value> = here.iter().map(|(begin, _)| second(*begin)).collect();
        let values: Vec<Value> = here.iter().map(|(_, value)| (*value).into()).collect();
        let result = Members::default()
            .with("Id", id)
            .with("Label", label)
            .with("Timestamps", times)
            .with("Values", values)
            .with("StatusCode", if last > end { "PartialData" } else { "Complete" });
        results.push(result.into());
    }
    let next = (total > end).then(|| end.to_string());
    Members::default()
        .with("MetricDataResults", results)
        .with_some("NextToken", next)
        .with("Messages", Vec::<Value>::new())
        .into()
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct List {
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Vec<DimensionFilter>,
    next_token: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DimensionFilter {
    name: String,
    value: Option<String>,
}

impl List {
    fn wants(&self, id: &MetricId) -> bool {
        let has = |dimensions: &BTreeMap<String, String>, filter: &DimensionFilter| {
            dimensions.get(&filter.name).is_some_and(|found| filter.value.as_ref().is_none_or(|value| value == found))
        };
        self.namespace.as_ref().is_none_or(|namespace| *namespace == id.namespace)
            && self.metric_name.as_ref().is_none_or(|name| *name == id.name)
            && self.dimensions.iter().all(|filter| has(&id.dimensions, filter))
    }
}

/// The metrics of the last three hours, which are all that the sandbox keeps.
pub(super) fn list(cloudwatch: &CloudWatch, request: serde_json::Value) -> Result<Value, CloudWatchError> {
    let asked: List = read(request)?;
    let data = cloudwatch.data();
    let found = data.metrics.ids().filter(|id| asked.wants(id));
    let (ids, next) = page(found, asked.next_token.as_deref(), METRICS_PAGE)?;
    let metrics: Vec<Value> = ids
        .into_iter()
        .map(|id| {
            Members::default()
                .with("Namespace", id.namespace.as_str())
                .with("MetricName", id.name.as_str())
                .with("Dimensions", alarm::dimensions(id))
                .into()
        })
        .collect();
    Ok(Members::default().with("Metrics", metrics).with_some("NextToken", next).into())
}
