//! DescribeAlarmHistory.

use ciborium::Value;
use serde::Deserialize;

use super::{page_size, read};
use crate::sandbox::cloudwatch::CloudWatch;
use crate::sandbox::cloudwatch::alarms::HistoryItem;
use crate::sandbox::cloudwatch::document::{Members, seconds, time};
use crate::sandbox::cloudwatch::error::CloudWatchError;
use crate::sandbox::cloudwatch::page::page;

/// How many entries a page has at most, and when nothing is asked for. Source: AWS, `DescribeAlarmHistory`.
const PAGE_MAX: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Request {
    alarm_name: Option<String>,
    alarm_types: Option<Vec<String>>,
    history_item_type: Option<String>,
    start_date: Option<f64>,
    end_date: Option<f64>,
    max_records: Option<i64>,
    next_token: Option<String>,
    scan_by: Option<String>,
}

impl Request {
    fn wants(&self, item: &HistoryItem) -> bool {
        let at = seconds(item.at);
        self.alarm_name.as_ref().is_none_or(|name| *name == item.alarm)
            && self.alarm_types.as_ref().is_none_or(|types| types.iter().any(|kind| kind == "MetricAlarm"))
            && self.history_item_type.as_deref().is_none_or(|kind| kind == item.kind.name())
            && self.start_date.is_none_or(|start| at >= start)
            && self.end_date.is_none_or(|end| at <= end)
    }
}

/// The entries that were asked for, newest first unless told otherwise.
pub(super) fn describe(cloudwatch: &CloudWatch, request: serde_json::Value) -> Result<Value, CloudWatchError> {
    let asked: Request = read(request)?;
    let size = page_size(asked.max_records, PAGE_MAX, PAGE_MAX)?;
    let data = cloudwatch.data();
    let found = data.alarms.history().filter(|item| asked.wants(item));
    let token = asked.next_token.as_deref();
    let (items, next) = match asked.scan_by.as_deref() {
        None | Some("TimestampDescending") => page(found.rev(), token, size)?,
        Some("TimestampAscending") => page(found, token, size)?,
        Some(other) => return Err(CloudWatchError::Validation(format!("ScanBy can not be `{other}`"))),
    };
    let items: Vec<Value> = items
        .into_iter()
        .map(|item| {
            Members::default()
                .with("AlarmName", item.alarm.as_str())
                .with("AlarmType", "MetricAlarm")
                .with("Timestamp", time(item.at))
                .with("HistoryItemType", item.kind.name())
                .with("HistorySummary", item.summary.as_str())
                .with("HistoryData", item.data.as_str())
                .into()
        })
        .collect();
    Ok(Members::default().with("AlarmHistoryItems", items).with_some("NextToken", next).into())
}
