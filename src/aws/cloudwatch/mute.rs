//! Alarm mute rules: what keeps the actions of alarms back for a time.

use aws_sdk_cloudwatch::types::AlarmMuteRuleStatus;
use chrono::{DateTime, Utc};

use super::{CloudWatch, bad_answer, failed, next, time};
use crate::aws::AwsError;

const LIST: &str = "ListAlarmMuteRules";
const GET: &str = "GetAlarmMuteRule";
/// How many rules a page has.
const PAGE_RULES_MAX: i32 = 100;
/// How many pages are read.
const PAGES_MAX: usize = 10;
/// What stands before the name in a rule's ARN.
const ARN_MARK: &str = ":alarm-mute-rule:";

/// A rule that mutes alarms now, or will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuteRule {
    /// Its name.
    pub name: String,
    /// Whether it mutes now; otherwise it is scheduled to.
    pub is_active: bool,
    /// The alarms that it mutes.
    pub alarms: Vec<String>,
    /// When it begins to mute: `cron(0 2 * * *)` or `at(2026-12-23T00:00)`.
    pub expression: String,
    /// How long each time, in ISO 8601: `PT4H`.
    pub duration: String,
    /// The time zone of the expression; AWS takes UTC where there is none.
    pub time_zone: Option<String>,
    /// From when on it counts, where that is said.
    pub starts_at: Option<DateTime<Utc>>,
    /// Until when it counts, where that is said.
    pub expires_at: Option<DateTime<Utc>>,
}

/// The rules that are not over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MuteList {
    /// The rules.
    pub rules: Vec<MuteRule>,
    /// Whether there are more than the 1,000 that are read.
    pub is_cut: bool,
}

impl CloudWatch {
    /// The rules that mute alarms now or will. `cloudwatch:ListAlarmMuteRules`, and `cloudwatch:GetAlarmMuteRule` for each.
    ///
    /// # Errors
    /// A call failed, or a rule lacks its name, schedule or status.
    pub async fn mute_rules(&self) -> Result<MuteList, AwsError> {
        let mut list = MuteList::default();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let ask = self.client.list_alarm_mute_rules().max_records(PAGE_RULES_MAX);
            let ask = ask.statuses(AlarmMuteRuleStatus::Active).statuses(AlarmMuteRuleStatus::Scheduled);
            let output = ask.set_next_token(token).send().await.map_err(|error| failed(LIST, &error))?;
            for summary in output.alarm_mute_rule_summaries() {
                let name = summary.alarm_mute_rule_arn().and_then(|arn| arn.split_once(ARN_MARK)).map(|(_, name)| name);
                let name = name.ok_or_else(|| bad_answer(LIST, "a mute rule has no name in its ARN".to_owned()))?;
                list.rules.extend(self.mute_rule(name).await?);
            }
            token = next(output.next_token());
            if token.is_none() {
                return Ok(list);
            }
        }
        list.is_cut = true;
        Ok(list)
    }

    /// One rule; none where it is over.
    async fn mute_rule(&self, name: &str) -> Result<Option<MuteRule>, AwsError> {
        let ask = self.client.get_alarm_mute_rule().alarm_mute_rule_name(name);
        let rule = ask.send().await.map_err(|error| failed(GET, &error))?;
        let lacks = |what: &str| bad_answer(GET, format!("mute rule `{name}` has no {what}"));
        let is_active = match rule.status().ok_or_else(|| lacks("status"))? {
            AlarmMuteRuleStatus::Active => true,
            AlarmMuteRuleStatus::Scheduled => false,
            AlarmMuteRuleStatus::Expired => return Ok(None),
            other => return Err(bad_answer(GET, format!("mute rule `{name}` has the unknown status `{other}`"))),
        };
        let schedule = rule.rule().and_then(|rule| rule.schedule()).ok_or_else(|| lacks("schedule"))?;
        let text = |text: Option<&str>, what| text.map(str::to_owned).ok_or_else(|| lacks(what));
        Ok(Some(MuteRule {
            name: name.to_owned(),
            is_active,
            alarms: rule.mute_targets().map(|targets| targets.alarm_names().to_vec()).unwrap_or_default(),
            expression: text(schedule.expression(), "expression")?,
            duration: text(schedule.duration(), "duration")?,
            time_zone: schedule.timezone().map(str::to_owned),
            starts_at: rule.start_date().and_then(time),
            expires_at: rule.expire_date().and_then(time),
        }))
    }
}
