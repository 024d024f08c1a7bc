//! One alarm: what it watches, its state, and why it has it.
//!
//! Owns: the texts of a state's reason. Must not know: other alarms, requests.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ciborium::Value;
use serde_json::json;

use super::bucket::Bucket;
use super::document::{Members, time};
use super::evaluation::{Judgement, Missing, Rule};
use super::metrics::{MetricId, Metrics};
use super::statistic::Statistic;

/// How many data points a reason lists at most, so that its data stay below the 4,000 characters of the API.
const LISTED_MAX: usize = 10;

/// An alarm's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum AlarmState {
    Ok,
    Alarm,
    InsufficientData,
}

impl AlarmState {
    /// Reads the API's name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Ok, Self::Alarm, Self::InsufficientData].into_iter().find(|state| state.name() == text)
    }

    /// The API's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

/// What an alarm was told to do when it changes its state. The sandbox tells it back and does none of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Actions {
    pub is_enabled: bool,
    pub ok: Vec<String>,
    pub alarm: Vec<String>,
    pub insufficient_data: Vec<String>,
}

/// An alarm as `PutMetricAlarm` made it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Definition {
    pub name: String,
    pub description: Option<String>,
    pub actions: Actions,
    pub metric: MetricId,
    pub unit: Option<String>,
    pub statistic: Statistic,
    /// The statistic as it was written, and whether as `ExtendedStatistic`.
    pub statistic_text: String,
    pub is_extended: bool,
    pub period_seconds: i64,
    pub rule: Rule,
    /// Whether `DatapointsToAlarm` and `TreatMissingData` were written or are the defaults.
    pub has_datapoints_to_alarm: bool,
    pub has_missing: bool,
    pub low_sample_percentile: Option<String>,
}

/// A state and what it is due to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    pub value: AlarmState,
    pub reason: String,
    /// JSON.
    pub reason_data: Option<String>,
    /// When state or reason were last set.
    pub updated: DateTime<Utc>,
    /// When the state last became another.
    pub transitioned: DateTime<Utc>,
}

/// One alarm.
#[derive(Debug, Clone)]
pub(super) struct Alarm {
    pub definition: Definition,
    pub configured: DateTime<Utc>,
    pub state: State,
    /// `SetAlarmState` holds until then.
    pub held_until: Option<DateTime<Utc>>,
}

impl Alarm {
    /// A new alarm, which has insufficient data until it was looked at.
    pub(super) fn new(definition: Definition, now: DateTime<Utc>) -> Self {
        let state = State {
            value: AlarmState::InsufficientData,
            reason: "Unchecked: Initial alarm creation".to_owned(),
            reason_data: None,
            updated: now,
            transitioned: now,
        };
        Self { definition, configured: now, state, held_until: None }
    }

    /// The state that the metric's last complete periods call for. `None`: it stays as it is.
    pub(super) fn judge(&self, metrics: &Metrics, now: DateTime<Utc>) -> Option<(AlarmState, String, String)> {
        let definition = &self.definition;
        let period = definition.period_seconds;
        // A period counts once it is over.
        let end = now.timestamp() - now.timestamp().rem_euclid(period);
        let range = i64::try_from(definition.rule.range()).unwrap_or(i64::MAX);
        let from = end.saturating_sub(range.saturating_mul(period)).max(0);
        let periods = metrics.periods(&definition.metric, definition.unit.as_deref(), (from, end), period);
        let points: Vec<Option<f64>> =
            (1..=range).rev().map(|back| definition.statistic.of(periods.get(&(end - back * period))?)).collect();
        let state = match definition.rule.judge(&points) {
            Judgement::Alarm => AlarmState::Alarm,
            Judgement::Ok => AlarmState::Ok,
            Judgement::InsufficientData => AlarmState::InsufficientData,
            Judgement::Keep => return None,
        };
        (state != self.state.value).then(|| {
            let reason = self.reason(state, &periods);
            (state, reason, self.reason_data(&periods, (from, now)))
        })
    }

    fn listed<'a>(&self, periods: &'a BTreeMap<i64, Bucket>) -> impl Iterator<Item = (DateTime<Utc>, &'a Bucket, f64)> {
        let statistic = self.definition.statistic;
        periods
            .iter()
            .rev()
            .filter_map(move |(begin, bucket)| {
                Some((DateTime::from_timestamp(*begin, 0)?, bucket, statistic.of(bucket)?))
            })
            .take(self.definition.rule.evaluation_periods)
    }

    /// The reason in AWS's words.
    fn reason(&self, state: AlarmState, periods: &BTreeMap<i64, Bucket>) -> String {
        let rule = &self.definition.rule;
        let total = rule.evaluation_periods;
        let plural = |count: usize| if count == 1 { "" } else { "s" };
        let points: Vec<(DateTime<Utc>, f64)> = self.listed(periods).map(|(begin, _, value)| (begin, value)).collect();
        let missing = total - points.len();
        if state == AlarmState::InsufficientData {
            let verb = if missing == 1 { "was" } else { "were" };
            return format!("Insufficient Data: {missing} datapoint{} {verb} unknown.", plural(missing));
        }
        let (words, threshold) = (rule.comparison.words(), rule.threshold);
        if points.is_empty() {
            let meaning = match rule.missing {
                Missing::Breaching => "Breaching",
                Missing::NotBreaching | Missing::Absent | Missing::Ignore => "NonBreaching",
            };
            return format!(
                "Threshold Crossed: no datapoints were received for {total} period{} and {total} missing datapoint{} \
                 treated as [{meaning}].",
                plural(total),
                if total == 1 { " was" } else { "s were" },
            );
        }
        let is_alarm = state == AlarmState::Alarm;
        let told: Vec<&(DateTime<Utc>, f64)> =
            points.iter().filter(|(_, value)| rule.is_breached_by(*value) == is_alarm).collect();
        let list: Vec<String> = told
            .iter()
            .take(LISTED_MAX)
            .map(|(begin, value)| format!("{value:?} ({})", begin.format("%d/%m/%y %H:%M:%S")))
            .collect();
        let verb = if told.len() == 1 { "was" } else { "were" };
        let (not, transition) = if is_alarm { ("", "OK -> ALARM") } else { (" not", "ALARM -> OK") };
        let minimum = if is_alarm { rule.datapoints_to_alarm } else { total - rule.datapoints_to_alarm + 1 };
        format!(
            "Threshold Crossed: {} out of the last {total} datapoints [{}] {verb}{not} {words} the threshold \
             ({threshold:?}) (minimum {minimum} datapoint{} for {transition} transition).",
            told.len(),
            list.join(", "),
            plural(minimum),
        )
    }

    fn reason_data(&self, periods: &BTreeMap<i64, Bucket>, (from, now): (i64, DateTime<Utc>)) -> String {
        let text = |at: DateTime<Utc>| at.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string();
        let points: Vec<(DateTime<Utc>, &Bucket, f64)> = self.listed(periods).take(LISTED_MAX).collect();
        let start = points.last().map(|(begin, _, _)| *begin).or_else(|| DateTime::from_timestamp(from, 0));
        json!({
            "version": "1.0",
            "queryDate": text(now),
            "startDate": text(start.unwrap_or_default()),
            "statistic": self.definition.statistic_text,
            "period": self.definition.period_seconds,
            "recentDatapoints": points.iter().rev().map(|(_, _, value)| *value).collect::<Vec<_>>(),
            "threshold": self.definition.rule.threshold,
            "evaluatedDatapoints": points
                .iter()
                .map(|(begin, bucket, value)| {
                    json!({"timestamp": text(*begin), "sampleCount": bucket.count, "value": value})
                })
                .collect::<Vec<_>>(),
        })
        .to_string()
    }

    /// The alarm as `DescribeAlarms` answers it.
    pub(super) fn document(&self, arn: &str) -> Value {
        let Definition { actions, metric, rule, .. } = &self.definition;
        let definition = &self.definition;
        let (statistic, extended) = match definition.is_extended {
            false => (Some(definition.statistic_text.as_str()), None),
            true => (None, Some(definition.statistic_text.as_str())),
        };
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        Members::default()
            .with("AlarmName", definition.name.as_str())
            .with("AlarmArn", arn)
            .with_some("AlarmDescription", definition.description.as_deref())
            .with("AlarmConfigurationUpdatedTimestamp", time(self.configured))
            .with("ActionsEnabled", actions.is_enabled)
            .with_texts("OKActions", &actions.ok)
            .with_texts("AlarmActions", &actions.alarm)
            .with_texts("InsufficientDataActions", &actions.insufficient_data)
            .with("StateValue", self.state.value.name())
            .with("StateReason", self.state.reason.as_str())
            .with_some("StateReasonData", self.state.reason_data.as_deref())
            .with("StateUpdatedTimestamp", time(self.state.updated))
            .with("StateTransitionedTimestamp", time(self.state.transitioned))
            .with("MetricName", metric.name.as_str())
            .with("Namespace", metric.namespace.as_str())
            .with_some("Statistic", statistic)
            .with_some("ExtendedStatistic", extended)
            .with("Dimensions", dimensions(metric))
            .with("Period", definition.period_seconds)
            .with_some("Unit", definition.unit.as_deref())
            .with("EvaluationPeriods", count(rule.evaluation_periods))
            .with_some("DatapointsToAlarm", definition.has_datapoints_to_alarm.then(|| count(rule.datapoints_to_alarm)))
            .with("Threshold", rule.threshold)
            .with("ComparisonOperator", rule.comparison.name())
            .with_some("TreatMissingData", definition.has_missing.then(|| rule.missing.name()))
            .with_some("EvaluateLowSampleCountPercentile", definition.low_sample_percentile.as_deref())
            .into()
    }
}

/// A metric's dimensions as the API lists them.
pub(super) fn dimensions(metric: &MetricId) -> Vec<Value> {
    let pairs = metric.dimensions.iter();
    pairs
        .map(|(name, value)| Members::default().with("Name", name.as_str()).with("Value", value.as_str()).into())
        .collect()
}
