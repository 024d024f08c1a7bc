//! `DescribeAlarmHistory`: what became of an alarm, whom it told, and who changed its settings.

use aws_sdk_cloudwatch::types::{AlarmHistoryItem, AlarmType, HistoryItemType, ScanBy};
use chrono::{DateTime, Utc};

use super::{CloudWatch, bad_answer, failed, next, sdk_time, time};
use crate::aws::AwsError;

const OPERATION: &str = "DescribeAlarmHistory";
/// How many entries a page has. Source: AWS, `DescribeAlarmHistory`.
const PAGE_ENTRIES_MAX: i32 = 100;
/// How many pages are read of one alarm's history.
const PAGES_MAX: usize = 5;
/// How many characters of a summary are kept.
const SUMMARY_CHARACTERS_MAX: usize = 300;

/// What an entry of the history is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmHistoryKind {
    /// The alarm changed its state.
    Transition,
    /// It told somebody, or tried to.
    Action,
    /// Somebody made, changed or deleted it.
    Edit,
}

/// An entry of an alarm's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlarmHistoryEntry {
    /// When, by AWS's clock.
    pub at: DateTime<Utc>,
    /// What it is about.
    pub kind: AlarmHistoryKind,
    /// AWS's words, cut to 300 characters.
    pub summary: String,
}

/// The history of one alarm in a window, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlarmHistory {
    /// Its entries.
    pub entries: Vec<AlarmHistoryEntry>,
    /// Whether there are more than the 500 that are read.
    pub is_cut: bool,
}

impl CloudWatch {
    /// The history of an alarm between two moments. `cloudwatch:DescribeAlarmHistory`; of a composite alarm AWS wants it permitted for `*`.
    ///
    /// # Errors
    /// The call failed, or an entry lacks its time or kind.
    pub async fn alarm_history(
        &self,
        name: &str,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<AlarmHistory, AwsError> {
        let mut history = AlarmHistory::default();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let ask = self.client.describe_alarm_history().alarm_name(name).max_records(PAGE_ENTRIES_MAX);
            // Without the types AWS answers metric alarms alone.
            let ask = ask.alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm);
            let ask = ask.start_date(sdk_time(from)).end_date(sdk_time(to)).scan_by(ScanBy::TimestampAscending);
            let output = ask.set_next_token(token).send().await.map_err(|error| failed(OPERATION, &error))?;
            for item in output.alarm_history_items() {
                history.entries.extend(entry(item)?);
            }
            token = next(output.next_token());
            if token.is_none() {
                return Ok(history);
            }
        }
        history.is_cut = true;
        Ok(history)
    }
}

/// An entry as it is kept; none for what single contributors of an alarm did.
fn entry(item: &AlarmHistoryItem) -> Result<Option<AlarmHistoryEntry>, AwsError> {
    let lacks = |what: &str| bad_answer(OPERATION, format!("an entry of the history has no {what}"));
    let kind = match item.history_item_type().ok_or_else(|| lacks("kind"))? {
        HistoryItemType::StateUpdate => AlarmHistoryKind::Transition,
        HistoryItemType::Action | HistoryItemType::AlarmContributorAction => AlarmHistoryKind::Action,
        HistoryItemType::ConfigurationUpdate => AlarmHistoryKind::Edit,
        _ => return Ok(None),
    };
    let at = item.timestamp().and_then(time).ok_or_else(|| lacks("time"))?;
    let summary = item.history_summary().unwrap_or_default().chars().take(SUMMARY_CHARACTERS_MAX).collect();
    Ok(Some(AlarmHistoryEntry { at, kind, summary }))
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::primitives::DateTime as SdkTime;

    use super::*;

    #[test]
    fn entries_are_told_apart_and_what_lacks_a_time_is_an_error() {
        let item = |kind: HistoryItemType| {
            AlarmHistoryItem::builder().history_item_type(kind).timestamp(SdkTime::from_secs(5)).history_summary("s")
        };
        for (kind, expected) in [
            (HistoryItemType::StateUpdate, Some(AlarmHistoryKind::Transition)),
            (HistoryItemType::Action, Some(AlarmHistoryKind::Action)),
            (HistoryItemType::ConfigurationUpdate, Some(AlarmHistoryKind::Edit)),
            (HistoryItemType::AlarmContributorStateUpdate, None),
            ("Newer".into(), None),
        ] {
            assert_eq!(entry(&item(kind).build()).unwrap().map(|entry| entry.kind), expected);
        }
        let timeless = AlarmHistoryItem::builder().history_item_type(HistoryItemType::Action).build();
        assert!(entry(&timeless).unwrap_err().message.contains("no time"));
        assert!(entry(&AlarmHistoryItem::builder().build()).unwrap_err().message.contains("no kind"));
    }
}
