//! All alarms and their history.
//!
//! Owns: changing states, and writing down that they changed. Must not know: requests, wire forms.

use std::collections::{BTreeMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::alarm::{Alarm, AlarmState, Definition};
use super::document::to_json;
use super::error::CloudWatchError;
use super::metrics::Metrics;

/// More alarms than this are refused. AWS: 5,000 a Region.
const ALARMS_MAX: usize = 1_000;
/// How many entries the history of all alarms has; older ones are dropped. AWS keeps them 30 days.
const HISTORY_MAX: usize = 2_000;
/// How long a state that was set by hand holds at least, in seconds. AWS: until the next evaluation, "often within seconds".
const HELD_SECONDS_MIN: i64 = 3;

/// What kind of entry it is. AWS has actions besides, which the sandbox does not carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HistoryKind {
    ConfigurationUpdate,
    StateUpdate,
}

impl HistoryKind {
    /// The API's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ConfigurationUpdate => "ConfigurationUpdate",
            Self::StateUpdate => "StateUpdate",
        }
    }
}

/// One entry of the history.
#[derive(Debug, Clone)]
pub(super) struct HistoryItem {
    pub alarm: String,
    pub at: DateTime<Utc>,
    pub kind: HistoryKind,
    pub summary: String,
    /// JSON.
    pub data: String,
}

/// All alarms of a sandbox.
#[derive(Debug)]
pub(super) struct Alarms {
    /// `arn:aws:cloudwatch:REGION:ACCOUNT:alarm:`
    arn_prefix: String,
    alarms: BTreeMap<String, Alarm>,
    history: VecDeque<HistoryItem>,
}

impl Alarms {
    /// No alarms. `arn_prefix` is what stands before an alarm's name in its ARN.
    pub(super) fn new(arn_prefix: String) -> Self {
        Self { arn_prefix, alarms: BTreeMap::new(), history: VecDeque::new() }
    }

    /// An alarm's ARN.
    pub(super) fn arn(&self, name: &str) -> String {
        format!("{}{name}", self.arn_prefix)
    }

    /// The state of the alarm that has this ARN.
    pub(super) fn state_of(&self, arn: &str) -> Option<AlarmState> {
        Some(self.alarms.get(arn.strip_prefix(&self.arn_prefix)?)?.state.value)
    }

    /// All alarms by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Alarm> {
        self.alarms.values()
    }

    /// The history, oldest first.
    pub(super) fn history(&self) -> impl DoubleEndedIterator<Item = &HistoryItem> {
        self.history.iter()
    }

    /// Makes or replaces an alarm. One that is replaced keeps its state, as in AWS.
    pub(super) fn put(&mut self, definition: Definition, now: DateTime<Utc>) -> Result<(), CloudWatchError> {
        let name = definition.name.clone();
        if !self.alarms.contains_key(&name) && self.alarms.len() >= ALARMS_MAX {
            return Err(CloudWatchError::TooManyAlarms(ALARMS_MAX));
        }
        let mut alarm = Alarm::new(definition, now);
        let (verb, kind, key) = match self.alarms.get(&name) {
            Some(old) => {
                alarm.state = old.state.clone();
                ("updated", "Update", "updatedAlarm")
            }
            None => ("created", "Create", "createdAlarm"),
        };
        let document = to_json(&alarm.document(&self.arn(&name)));
        self.write(HistoryItem {
            alarm: name.clone(),
            at: now,
            kind: HistoryKind::ConfigurationUpdate,
            summary: format!("Alarm \"{name}\" {verb}"),
            data: json!({"version": "1.0", "type": kind, key: document}).to_string(),
        });
        self.alarms.insert(name, alarm);
        Ok(())
    }

    /// Deletes the alarms that are there, as AWS does; their history stays.
    pub(super) fn delete(&mut self, names: &[String], now: DateTime<Utc>) {
        for name in names {
            if let Some(alarm) = self.alarms.remove(name) {
                let document = to_json(&alarm.document(&self.arn(name)));
                self.write(HistoryItem {
                    alarm: name.clone(),
                    at: now,
                    kind: HistoryKind::ConfigurationUpdate,
                    summary: format!("Alarm \"{name}\" deleted"),
                    data: json!({"version": "1.0", "type": "Delete", "deletedAlarm": document}).to_string(),
                });
            }
        }
    }

    /// Sets a state by hand. It holds until the present period is over, at least three seconds.
    pub(super) fn set_state(
        &mut self,
        name: &str,
        state: AlarmState,
        reason: String,
        reason_data: Option<String>,
        now: DateTime<Utc>,
    ) -> Result<(), CloudWatchError> {
        let alarm = self.alarms.get_mut(name).ok_or_else(|| CloudWatchError::UnknownAlarm(name.to_owned()))?;
        let period = alarm.definition.period_seconds;
        let rest = (period - now.timestamp().rem_euclid(period)).max(HELD_SECONDS_MIN);
        alarm.held_until = now.checked_add_signed(TimeDelta::seconds(rest));
        if alarm.state.value == state {
            alarm.state.reason = reason;
            alarm.state.reason_data = reason_data;
            alarm.state.updated = now;
            return Ok(());
        }
        let item = change(alarm, state, reason, reason_data, now);
        self.write(item);
        Ok(())
    }

    /// Looks at every alarm's metric, and changes the states that call for it.
    pub(super) fn evaluate(&mut self, metrics: &Metrics, now: DateTime<Utc>) {
        let mut items = Vec::new();
        for alarm in self.alarms.values_mut() {
            if alarm.held_until.is_some_and(|until| now < until) {
                continue;
            }
            alarm.held_until = None;
            if let Some((state, reason, data)) = alarm.judge(metrics, now) {
                items.push(change(alarm, state, reason, Some(data), now));
            }
        }
        items.into_iter().for_each(|item| self.write(item));
    }

    fn write(&mut self, item: HistoryItem) {
        if self.history.len() >= HISTORY_MAX {
            self.history.pop_front();
        }
        self.history.push_back(item);
    }
}

/// Gives an alarm another state, and says so.
fn change(
    alarm: &mut Alarm,
    value: AlarmState,
    reason: String,
    reason_data: Option<String>,
    now: DateTime<Utc>,
) -> HistoryItem {
    let told = |value: AlarmState, reason: &str, data: Option<&str>| {
        let mut told = json!({"stateValue": value.name(), "stateReason": reason});
        if let Some(data) = data.and_then(|data| serde_json::from_str::<Value>(data).ok()) {
            told["stateReasonData"] = data;
        }
        told
    };
    let old = &alarm.state;
    // The data of the old state are those that make an entry too long.
    let data = json!({
        "version": "1.0",
        "oldState": told(old.value, &old.reason, None),
        "newState": told(value, &reason, reason_data.as_deref()),
    });
    let summary = format!("Alarm updated from {} to {}", old.value.name(), value.name());
    alarm.state = super::alarm::State { value, reason, reason_data, updated: now, transitioned: now };
    HistoryItem {
        alarm: alarm.definition.name.clone(),
        at: now,
        kind: HistoryKind::StateUpdate,
        summary,
        data: data.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::alarm::Actions;
    use super::super::bucket::Bucket;
    use super::super::evaluation::{Comparison, Missing, Rule};
    use super::super::metrics::{Dimensions, MetricId};
    use super::super::statistic::Statistic;
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_000_040 + second, 0).expect("a time")
    }

    fn metric() -> MetricId {
        MetricId { namespace: "AWS/Lambda".to_owned(), name: "Errors".to_owned(), dimensions: Dimensions::new() }
    }

    /// More than one error in a period of ten seconds.
    fn definition(evaluation_periods: usize, datapoints_to_alarm: usize, missing: Missing) -> Definition {
        Definition {
            name: "errors".to_owned(),
            description: None,
            actions: Actions { is_enabled: true, ok: Vec::new(), alarm: Vec::new(), insufficient_data: Vec::new() },
            metric: metric(),
            unit: None,
            statistic: Statistic::Sum,
            statistic_text: "Sum".to_owned(),
            is_extended: false,
            period_seconds: 10,
            rule: Rule {
                comparison: Comparison::Greater,
                threshold: 1.0,
                evaluation_periods,
                datapoints_to_alarm,
                missing,
            },
            has_datapoints_to_alarm: true,
            has_missing: true,
            low_sample_percentile: None,
        }
    }

    fn record(metrics: &mut Metrics, second: i64, value: f64) {
        metrics.record(&metric(), "Count", at(second).timestamp(), Bucket::of(value, 1.0)).expect("room");
    }

    fn alarms(definition: Definition) -> Alarms {
        let mut alarms = Alarms::new("arn:aws:cloudwatch:us-east-1:000000000000:alarm:".to_owned());
        alarms.put(definition, at(0)).expect("room");
        alarms
    }

    fn state(alarms: &Alarms) -> &super::super::alarm::State {
        &alarms.iter().next().expect("an alarm").state
    }

    #[test]
    fn a_period_counts_once_it_is_over() {
        let mut metrics = Metrics::default();
        let mut alarms = alarms(definition(1, 1, Missing::Absent));
        assert_eq!(state(&alarms).value, AlarmState::InsufficientData);
        record(&mut metrics, 3, 1.0);
        record(&mut metrics, 8, 1.0);
        alarms.evaluate(&metrics, at(9));
        assert_eq!(state(&alarms).value, AlarmState::InsufficientData);
        alarms.evaluate(&metrics, at(10));
        let state = state(&alarms);
        assert_eq!((state.value, state.updated, state.transitioned), (AlarmState::Alarm, at(10), at(10)));
        assert_eq!(
            state.reason,
            "Threshold Crossed: 1 out of the last 1 datapoints [2.0 (14/11/23 22:14:00)] was greater than the threshold \
             (1.0) (minimum 1 datapoint for OK -> ALARM transition)."
        );
        let data: Value = serde_json::from_str(state.reason_data.as_deref().expect("data")).expect("JSON");
        assert_eq!((&data["recentDatapoints"], &data["statistic"]), (&json!([2.0]), &json!("Sum")));
    }

    #[test]
    fn two_of_three_periods_make_an_alarm_and_its_end_is_told() {
        let mut metrics = Metrics::default();
        let mut alarms = alarms(definition(3, 2, Missing::NotBreaching));
        for (second, value) in [(0, 5.0), (10, 0.0), (20, 5.0), (30, 0.0), (40, 0.0)] {
            record(&mut metrics, second, value);
        }
        let mut states = Vec::new();
        for second in (10..=70).step_by(10) {
            alarms.evaluate(&metrics, at(second));
            states.push(state(&alarms).value);
        }
        use AlarmState::{Alarm, Ok};
        assert_eq!(states, [Ok, Ok, Alarm, Ok, Ok, Ok, Ok]);
        let told: Vec<(HistoryKind, &str)> = alarms.history().map(|item| (item.kind, item.summary.as_str())).collect();
        assert_eq!(
            told,
            [
                (HistoryKind::ConfigurationUpdate, "Alarm \"errors\" created"),
                (HistoryKind::StateUpdate, "Alarm updated from INSUFFICIENT_DATA to OK"),
                (HistoryKind::StateUpdate, "Alarm updated from OK to ALARM"),
                (HistoryKind::StateUpdate, "Alarm updated from ALARM to OK"),
            ]
        );
        let data: Value = serde_json::from_str(&alarms.history().nth(2).expect("an entry").data).expect("JSON");
        assert_eq!((&data["oldState"]["stateValue"], &data["newState"]["stateValue"]), (&json!("OK"), &json!("ALARM")));
        assert_eq!(data["newState"]["stateReasonData"]["recentDatapoints"], json!([5.0, 0.0, 5.0]));
    }

    #[test]
    fn missing_data_are_treated_as_the_alarm_says() {
        for (missing, expected) in [
            (Missing::Absent, AlarmState::InsufficientData),
            (Missing::Ignore, AlarmState::Alarm),
            (Missing::Breaching, AlarmState::Alarm),
            (Missing::NotBreaching, AlarmState::Ok),
        ] {
            let mut metrics = Metrics::default();
            let mut alarms = alarms(definition(1, 1, missing));
            record(&mut metrics, 0, 5.0);
            alarms.evaluate(&metrics, at(10));
            assert_eq!(state(&alarms).value, AlarmState::Alarm);
            alarms.evaluate(&metrics, at(39));
            assert_eq!(state(&alarms).value, AlarmState::Alarm, "one real data point is still in sight");
            alarms.evaluate(&metrics, at(40));
            assert_eq!(state(&alarms).value, expected, "{missing:?}");
        }
    }

    #[test]
    fn a_state_set_by_hand_holds_until_the_period_is_over() {
        let mut metrics = Metrics::default();
        let mut alarms = alarms(definition(1, 1, Missing::Absent));
        record(&mut metrics, 0, 0.0);
        record(&mut metrics, 10, 0.0);
        alarms.evaluate(&metrics, at(10));
        assert_eq!(state(&alarms).value, AlarmState::Ok);
        alarms.set_state("errors", AlarmState::Alarm, "a drill".to_owned(), None, at(12)).expect("it is there");
        let arn = alarms.arn("errors");
        assert_eq!(alarms.state_of(&arn), Some(AlarmState::Alarm));
        alarms.evaluate(&metrics, at(19));
        assert_eq!(state(&alarms).reason, "a drill");
        alarms.evaluate(&metrics, at(20));
        assert_eq!(state(&alarms).value, AlarmState::Ok);
        alarms.delete(&["errors".to_owned(), "nobody".to_owned()], at(21));
        assert_eq!((alarms.state_of(&arn), alarms.history().count()), (None, 5));
        assert!(alarms.set_state("errors", AlarmState::Ok, String::new(), None, at(22)).is_err());
    }

    #[test]
    fn an_alarm_that_is_replaced_keeps_its_state() {
        let mut metrics = Metrics::default();
        let mut alarms = alarms(definition(1, 1, Missing::Absent));
        record(&mut metrics, 0, 5.0);
        alarms.evaluate(&metrics, at(10));
        alarms.put(definition(2, 2, Missing::Absent), at(11)).expect("room");
        assert_eq!(state(&alarms).value, AlarmState::Alarm);
        assert_eq!(alarms.history().last().map(|item| item.summary.as_str()), Some("Alarm \"errors\" updated"));
    }
}
