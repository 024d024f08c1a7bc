//! `GetMetricData`: the data points of up to 500 metrics a call, in pages.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode};
use chrono::{DateTime, Utc};

use super::{CloudWatch, bad_answer, failed, next, sdk_time, time};
use crate::aws::AwsError;
use crate::unit::MetricName;

const OPERATION: &str = "GetMetricData";
/// How many metrics one call asks for. Source: AWS, `GetMetricData`.
pub const METRICS_MAX: usize = 500;
/// How many pages one call's answer may have: AWS has 100,800 data points in each.
const PAGES_MAX: usize = 20;

/// What is asked of CloudWatch.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricQuery {
    /// How the answer is known, and how math refers to it: a small letter, then letters, digits and `_`.
    pub id: String,
    /// What it is.
    pub source: MetricSource,
    /// How long a data point stands for, in seconds.
    pub period_seconds: u32,
    /// Whether its data points are answered, or only used by math.
    pub is_returned: bool,
}

/// Where the data points of a query come from.
#[derive(Debug, Clone, PartialEq)]
pub enum MetricSource {
    /// A statistic of a metric.
    Statistic {
        /// The metric.
        metric: MetricName,
        /// `Sum`, `Average`, `p99`.
        statistic: String,
    },
    /// Metric math over other queries of the same call.
    Expression(String),
}

/// The data points of one query, oldest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MetricSeries {
    /// When each period begins, and its value.
    pub points: BTreeMap<DateTime<Utc>, f64>,
    /// Why there may be more than these: AWS's words for an error, or for an answer that is only a part.
    pub trouble: Option<String>,
}

impl CloudWatch {
    /// The data points of metrics between two moments, by the queries' ids. `cloudwatch:GetMetricData`. Queries that belong together
    /// (math and its parts) must be in one call, of at most [`METRICS_MAX`].
    ///
    /// # Errors
    /// The call failed, it has no end, or an answer lacks values for its times, or one of the queries that are returned.
    pub async fn metric_data(
        &self,
        queries: &[MetricQuery],
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<BTreeMap<String, MetricSeries>, AwsError> {
        let asked: Vec<MetricDataQuery> = queries.iter().map(of_query).collect();
        let mut found: BTreeMap<String, MetricSeries> = BTreeMap::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let ask = self.client.get_metric_data().set_metric_data_queries(Some(asked.clone()));
            let ask = ask.start_time(sdk_time(from)).end_time(sdk_time(to)).scan_by(ScanBy::TimestampAscending);
            let output = ask.set_next_token(token).send().await.map_err(|error| failed(OPERATION, &error))?;
            output.metric_data_results().iter().try_for_each(|result| take(result, &mut found))?;
            token = next(output.next_token());
            if token.is_none() {
                let lacking = queries.iter().find(|query| query.is_returned && !found.contains_key(&query.id));
                return match lacking {
                    Some(query) => Err(bad_answer(OPERATION, format!("the answer has no result for `{}`", query.id))),
                    None => Ok(found),
                };
            }
            // A part of a page is whole with the next one.
            found.values_mut().for_each(|series| series.trouble = None);
        }
        Err(bad_answer(OPERATION, format!("the answer has more than {PAGES_MAX} pages")))
    }
}

fn of_query(query: &MetricQuery) -> MetricDataQuery {
    let asked = MetricDataQuery::builder().id(&query.id).return_data(query.is_returned);
    let period = i32::try_from(query.period_seconds).unwrap_or(i32::MAX);
    match &query.source {
        MetricSource::Statistic { metric, statistic } => {
            let dimension = |(name, value): (&String, &String)| Dimension::builder().name(name).value(value).build();
            let named = Metric::builder().namespace(&metric.namespace).metric_name(&metric.name);
            let named = named.set_dimensions(Some(metric.dimensions.iter().map(dimension).collect())).build();
            asked.metric_stat(MetricStat::builder().metric(named).period(period).stat(statistic).build()).build()
        }
        MetricSource::Expression(expression) => asked.expression(expression).period(period).build(),
    }
}

fn take(result: &MetricDataResult, found: &mut BTreeMap<String, MetricSeries>) -> Result<(), AwsError> {
    let id = result.id().ok_or_else(|| bad_answer(OPERATION, "a result has no id".to_owned()))?;
    let (times, values) = (result.timestamps(), result.values());
    if times.len() != values.len() {
        let (times, values) = (times.len(), values.len());
        return Err(bad_answer(OPERATION, format!("`{id}` has {times} times and {values} values")));
    }
    let series = found.entry(id.to_owned()).or_default();
    let mut is_odd = false;
    for (at, value) in times.iter().zip(values) {
        let at = time(at).ok_or_else(|| bad_answer(OPERATION, format!("`{id}` has a time that is none")))?;
        if value.is_finite() {
            series.points.insert(at, *value);
        } else {
            is_odd = true;
        }
    }
    if is_odd {
        series.trouble = Some("a value is no number".to_owned());
        return Ok(());
    }
    series.trouble = match result.status_code() {
        // Emulators may leave it out.
        None | Some(StatusCode::Complete) => None,
        Some(other) => {
            let words = result.messages().iter().filter_map(|message| message.value()).collect::<Vec<_>>().join("; ");
            Some(if words.is_empty() { other.to_string() } else { format!("{other}: {words}") })
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::primitives::DateTime as SdkTime;
    use aws_sdk_cloudwatch::types::MessageData;

    use super::*;

    fn result() -> aws_sdk_cloudwatch::types::builders::MetricDataResultBuilder {
        MetricDataResult::builder().id("m1")
    }

    #[test]
    fn pages_are_put_together_and_an_error_of_one_metric_is_told() {
        let mut found = BTreeMap::new();
        let first = result().timestamps(SdkTime::from_secs(60)).values(1.0).status_code(StatusCode::PartialData);
        take(&first.build(), &mut found).unwrap();
        assert_eq!(found["m1"].trouble.as_deref(), Some("PartialData"));
        let second = result().timestamps(SdkTime::from_secs(120)).values(2.0).status_code(StatusCode::Complete);
        take(&second.build(), &mut found).unwrap();
        assert_eq!(found["m1"].points.values().copied().collect::<Vec<_>>(), [1.0, 2.0]);
        assert_eq!(found["m1"].trouble, None);
        let message = MessageData::builder().code("c").value("no access").build();
        take(&result().status_code(StatusCode::Forbidden).messages(message).build(), &mut found).unwrap();
        assert_eq!(found["m1"].trouble.as_deref(), Some("Forbidden: no access"));
    }

    #[test]
    fn a_value_that_is_no_number_is_trouble_and_no_data_point() {
        let mut found = BTreeMap::new();
        let odd = result().timestamps(SdkTime::from_secs(60)).values(f64::NAN);
        take(&odd.timestamps(SdkTime::from_secs(120)).values(1.0).build(), &mut found).unwrap();
        assert_eq!((found["m1"].points.len(), found["m1"].trouble.as_deref()), (1, Some("a value is no number")));
    }

    #[test]
    fn times_without_values_are_no_answer() {
        let odd = result().timestamps(SdkTime::from_secs(60)).build();
        assert!(take(&odd, &mut BTreeMap::new()).unwrap_err().message.contains("1 times and 0 values"));
        assert!(take(&MetricDataResult::builder().build(), &mut BTreeMap::new()).is_err());
    }
}
