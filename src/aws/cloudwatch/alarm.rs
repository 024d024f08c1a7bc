//! `DescribeAlarms` in pages: states, since when they hold, and settings.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::operation::describe_alarms::builders::DescribeAlarmsFluentBuilder as Ask;
use aws_sdk_cloudwatch::primitives::DateTime as SdkTime;
use aws_sdk_cloudwatch::types::{AlarmType, CompositeAlarm, MetricAlarm, StateValue};
use chrono::{DateTime, Utc};

use super::{CloudWatch, failed, next, setting, time};
use crate::aws::AwsError;
use crate::unit::{AlarmSettings, AlarmState};

const OPERATION: &str = "DescribeAlarms";
/// How many alarms a page has, and how many names a call may carry. Source: AWS, `DescribeAlarms`.
const PAGE_ALARMS_MAX: usize = 100;
/// How many pages are read of a list whose length nobody knows.
const PAGES_MAX: usize = 10;
/// How many pages are read of all alarms.
const ALL_PAGES_MAX: usize = 50;
/// How many characters of AWS's reason are kept.
const REASON_CHARACTERS_MAX: usize = 300;

/// An alarm as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmReading {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: AlarmState,
    /// When it came into this state, by AWS's clock.
    pub transitioned_at: DateTime<Utc>,
    /// Whether that is AWS's `StateTransitionedTimestamp`. Emulators may lack it; then it is `StateUpdatedTimestamp`, which
    /// also moves when the reason alone changes.
    pub is_exact: bool,
    /// Why it is in this state, in AWS's words, cut to 300 characters.
    pub reason: String,
    /// What it watches, how it decides, and whom it tells.
    pub settings: AlarmSettings,
}

/// Which alarms are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmQuery<'a> {
    /// Those of these names that there are.
    Names(&'a [String]),
    /// Those whose name begins so; all for no text.
    Prefix(&'a str),
    /// Those that are in `ALARM`.
    InAlarm,
    /// All of them, up to 5,000.
    All,
}

/// The answer to a query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlarmList {
    /// The alarms, by name.
    pub alarms: BTreeMap<String, AlarmReading>,
    /// Whether there are more than the 1,000 that are read (5,000 of all). Never where they were asked for by name.
    pub is_cut: bool,
}

impl CloudWatch {
    /// Metric and composite alarms. `cloudwatch:DescribeAlarms`; up to a hundred names are one call.
    ///
    /// # Errors
    /// A call failed, or an answer lacks an alarm's name, state or time.
    pub async fn alarms(&self, query: &AlarmQuery<'_>) -> Result<AlarmList, AwsError> {
        let mut list = AlarmList::default();
        match query {
            AlarmQuery::Names(names) => {
                for names in names.chunks(PAGE_ALARMS_MAX) {
                    let ask = self.ask().set_alarm_names(Some(names.to_vec()));
                    read(&ask.send().await.map_err(|error| failed(OPERATION, &error))?, &mut list.alarms)?;
                }
            }
            AlarmQuery::Prefix(prefix) => {
                let prefix = Some((*prefix).to_owned()).filter(|prefix| !prefix.is_empty());
                self.pages(|ask| ask.set_alarm_name_prefix(prefix.clone()), PAGES_MAX, &mut list).await?;
            }
            AlarmQuery::InAlarm => self.pages(|ask| ask.state_value(StateValue::Alarm), PAGES_MAX, &mut list).await?,
            AlarmQuery::All => self.pages(|ask| ask, ALL_PAGES_MAX, &mut list).await?,
        }
        Ok(list)
    }

    /// Without the types AWS answers metric alarms alone.
    fn ask(&self) -> Ask {
        let ask = self.client.describe_alarms().max_records(i32::try_from(PAGE_ALARMS_MAX).unwrap_or(i32::MAX));
        ask.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm)
    }

    async fn pages(&self, of: impl Fn(Ask) -> Ask, pages_max: usize, list: &mut AlarmList) -> Result<(), AwsError> {
        let mut token = None;
        for _ in 0..pages_max {
            let output =
                of(self.ask()).set_next_token(token).send().await.map_err(|error| failed(OPERATION, &error))?;
            read(&output, &mut list.alarms)?;
            token = next(output.next_token());
            if token.is_none() {
                return Ok(());
            }
        }
        list.is_cut = true;
        Ok(())
    }
}

fn bad_answer(message: String) -> AwsError {
    super::bad_answer(OPERATION, message)
}

/// The members that both kinds of alarm have.
struct Members<'a> {
    name: Option<&'a str>,
    state: Option<&'a StateValue>,
    transitioned: Option<&'a SdkTime>,
    updated: Option<&'a SdkTime>,
    reason: Option<&'a str>,
    settings: AlarmSettings,
}

fn read(output: &DescribeAlarmsOutput, alarms: &mut BTreeMap<String, AlarmReading>) -> Result<(), AwsError> {
    let metric = output.metric_alarms().iter().map(of_metric);
    for members in metric.chain(output.composite_alarms().iter().map(of_composite)) {
        let alarm = reading(members)?;
        alarms.insert(alarm.name.clone(), alarm);
    }
    Ok(())
}

fn of_metric(alarm: &MetricAlarm) -> Members<'_> {
    Members {
        name: alarm.alarm_name(),
        state: alarm.state_value(),
        transitioned: alarm.state_transitioned_timestamp(),
        updated: alarm.state_updated_timestamp(),
        reason: alarm.state_reason(),
        settings: setting::of_metric(alarm),
    }
}

fn of_composite(alarm: &CompositeAlarm) -> Members<'_> {
    Members {
        name: alarm.alarm_name(),
        state: alarm.state_value(),
        transitioned: alarm.state_transitioned_timestamp(),
        updated: alarm.state_updated_timestamp(),
        reason: alarm.state_reason(),
        settings: setting::of_composite(alarm),
    }
}

fn reading(members: Members<'_>) -> Result<AlarmReading, AwsError> {
    let name = members.name.ok_or_else(|| bad_answer("an alarm has no name".to_owned()))?.to_owned();
    let word = members.state.map_or("", |state| state.as_str());
    let known = [AlarmState::Alarm, AlarmState::Ok, AlarmState::InsufficientData];
    let state = known
        .into_iter()
        .find(|state| state.to_string() == word)
        .ok_or_else(|| bad_answer(format!("alarm `{name}` is in the unknown state `{word}`")))?;
    let exact = members.transitioned.and_then(time);
    let transitioned_at = exact
        .or_else(|| members.updated.and_then(time))
        .ok_or_else(|| bad_answer(format!("alarm `{name}` does not say since when it is `{word}`")))?;
    Ok(AlarmReading {
        name,
        state,
        transitioned_at,
        is_exact: exact.is_some(),
        reason: members.reason.unwrap_or_default().chars().take(REASON_CHARACTERS_MAX).collect(),
        settings: members.settings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_the_time_of_the_change_goes_before_that_of_the_update() {
        let metric = MetricAlarm::builder()
            .alarm_name("errors")
            .state_value(StateValue::Alarm)
            .state_reason("x".repeat(400))
            .state_updated_timestamp(SdkTime::from_secs(200))
            .state_transitioned_timestamp(SdkTime::from_millis(100_500))
            .build();
        let composite = CompositeAlarm::builder()
            .alarm_name("all")
            .state_value(StateValue::InsufficientData)
            .state_updated_timestamp(SdkTime::from_secs(200))
            .actions_enabled(false)
            .build();
        let output = DescribeAlarmsOutput::builder().metric_alarms(metric).composite_alarms(composite).build();
        let mut alarms = BTreeMap::new();
        read(&output, &mut alarms).unwrap();
        let errors = &alarms["errors"];
        assert_eq!((errors.state, errors.is_exact, errors.settings.actions_enabled), (AlarmState::Alarm, true, true));
        assert_eq!(errors.transitioned_at, DateTime::from_timestamp_millis(100_500).unwrap());
        assert_eq!(errors.reason.len(), 300);
        let all = &alarms["all"];
        let known = (all.state, all.is_exact, all.settings.actions_enabled, all.transitioned_at.timestamp());
        assert_eq!(known, (AlarmState::InsufficientData, false, false, 200));
    }

    #[test]
    fn an_answer_that_lacks_something_is_an_error_and_no_guess() {
        let alarm = MetricAlarm::builder().alarm_name("errors").state_updated_timestamp(SdkTime::from_secs(1));
        for (alarm, part) in [
            (alarm.clone(), "unknown state"),
            (alarm.clone().state_value("MUTED".into()), "unknown state `MUTED`"),
            (MetricAlarm::builder().alarm_name("errors").state_value(StateValue::Ok), "since when"),
            (MetricAlarm::builder().state_value(StateValue::Ok), "no name"),
        ] {
            let output = DescribeAlarmsOutput::builder().metric_alarms(alarm.build()).build();
            let error = read(&output, &mut BTreeMap::new()).unwrap_err();
            assert!(error.message.contains(part), "{error}");
        }
    }
}
