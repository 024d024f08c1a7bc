//! PutMetricAlarm, DescribeAlarms, DeleteAlarms, SetAlarmState.

use ciborium::Value;
use serde::Deserialize;

use super::alarm_input::definition;
use super::{page_size, read, refuse};
use crate::sandbox::cloudwatch::CloudWatch;
use crate::sandbox::cloudwatch::alarm::{Alarm, AlarmState};
use crate::sandbox::cloudwatch::document::Members;
use crate::sandbox::cloudwatch::error::CloudWatchError;
use crate::sandbox::cloudwatch::page::page;

/// How many alarms a page has when nothing is asked for, and at most. Source: AWS, `DescribeAlarms`.
const PAGE_DEFAULT: usize = 50;
/// See [`PAGE_DEFAULT`]; also how many alarms a request may name.
const PAGE_MAX: usize = 100;

pub(super) fn put(cloudwatch: &CloudWatch, request: &serde_json::Value) -> Result<(), CloudWatchError> {
    let definition = definition(request)?;
    cloudwatch.data().alarms.put(definition, cloudwatch.now())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Describe {
    alarm_names: Option<Vec<String>>,
    alarm_name_prefix: Option<String>,
    alarm_types: Option<Vec<String>>,
    state_value: Option<String>,
    action_prefix: Option<String>,
    max_records: Option<i64>,
    next_token: Option<String>,
}

fn state(text: &str) -> Result<AlarmState, CloudWatchError> {
    AlarmState::parse(text).ok_or_else(|| {
        CloudWatchError::Validation(format!("StateValue must be OK, ALARM or INSUFFICIENT_DATA, not `{text}`"))
    })
}

impl Describe {
    fn wants(&self, alarm: &Alarm, wanted_state: Option<AlarmState>) -> bool {
        let name = alarm.definition.name.as_str();
        let actions = &alarm.definition.actions;
        let mut all = actions.ok.iter().chain(&actions.alarm).chain(&actions.insufficient_data);
        self.alarm_names.as_ref().is_none_or(|names| names.iter().any(|wanted| wanted == name))
            && self.alarm_name_prefix.as_deref().is_none_or(|prefix| name.starts_with(prefix))
            && self.alarm_types.as_ref().is_none_or(|types| types.iter().any(|kind| kind == "MetricAlarm"))
            && wanted_state.is_none_or(|wanted| alarm.state.value == wanted)
            && self.action_prefix.as_deref().is_none_or(|prefix| all.any(|action| action.starts_with(prefix)))
    }
}

pub(super) fn describe(cloudwatch: &CloudWatch, request: &serde_json::Value) -> Result<Value, CloudWatchError> {
    refuse(request, &["ChildrenOfAlarmName", "ParentsOfAlarmName"])?;
    let asked: Describe = read(request.clone())?;
    if asked.alarm_names.as_ref().is_some_and(|names| names.len() > PAGE_MAX) {
        return Err(CloudWatchError::Validation(format!("AlarmNames has at most {PAGE_MAX} names")));
    }
    if asked.alarm_names.is_some() && asked.alarm_name_prefix.is_some() {
        return Err(CloudWatchError::Validation("AlarmNames and AlarmNamePrefix exclude each other".to_owned()));
    }
    let wanted_state = asked.state_value.as_deref().map(state).transpose()?;
    let size = page_size(asked.max_records, PAGE_DEFAULT, PAGE_MAX)?;
    let data = cloudwatch.data();
    let found = data.alarms.iter().filter(|alarm| asked.wants(alarm, wanted_state));
    let (alarms, next) = page(found, asked.next_token.as_deref(), size)?;
    let alarms: Vec<Value> =
        alarms.into_iter().map(|alarm| alarm.document(&data.alarms.arn(&alarm.definition.name))).collect();
    Ok(Members::default()
        .with("CompositeAlarms", Vec::<Value>::new())
        .with("MetricAlarms", alarms)
        .with_some("NextToken", next)
        .into())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Delete {
    alarm_names: Vec<String>,
}

pub(super) fn delete(cloudwatch: &CloudWatch, request: serde_json::Value) -> Result<(), CloudWatchError> {
    let asked: Delete = read(request)?;
    if asked.alarm_names.len() > PAGE_MAX {
        return Err(CloudWatchError::Validation(format!("AlarmNames has at most {PAGE_MAX} names")));
    }
    let mut data = cloudwatch.data();
    // Source: AWS, `DeleteAlarms`: "If you specify an incorrect alarm name … no alarms are deleted."
    let unknown =
        asked.alarm_names.iter().find(|name| !data.alarms.iter().any(|alarm| &alarm.definition.name == *name));
    if let Some(name) = unknown {
        return Err(CloudWatchError::UnknownAlarm(name.clone()));
    }
    data.alarms.delete(&asked.alarm_names, cloudwatch.now());
    Ok(())
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetState {
    alarm_name: String,
    state_value: String,
    state_reason: String,
    state_reason_data: Option<String>,
}

pub(super) fn set_state(cloudwatch: &CloudWatch, request: serde_json::Value) -> Result<(), CloudWatchError> {
    let asked: SetState = read(request)?;
    let wanted = state(&asked.state_value)?;
    if let Some(data) = asked.state_reason_data.as_deref()
        && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(data)
    {
        return Err(CloudWatchError::InvalidFormat(format!("StateReasonData is not JSON: {error}")));
    }
    let now = cloudwatch.now();
    let (reason, data) = (asked.state_reason, asked.state_reason_data);
    cloudwatch.data().alarms.set_state(&asked.alarm_name, wanted, reason, data, now)
}
