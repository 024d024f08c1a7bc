//! EventBridge Scheduler's one-time schedules, by signed requests.

use async_trait::async_trait;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::signed::{Answer, Call, Input, Method, Service, Signed};
use super::{AwsError, ScheduleControl};
use crate::unit::Secret;

const SERVICE: Service = Service { name: "scheduler", id: "Scheduler", is_global: false };
/// How a moment stands in `at(…)`; Scheduler knows whole seconds, and starts within a minute of them (AWS).
const MOMENT: &str = "%Y-%m-%dT%H:%M:%S";

/// How long a call that fails is tried again; AWS's own default is a day, in which others may have changed what it is about.
const RETRY_SECONDS: u32 = 3_600;

/// EventBridge Scheduler of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Scheduler {
    signed: Signed,
}

/// A schedule that calls its target once, and then is no more. `Debug` does not show the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Its name in the group: up to 64 letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// The group, which must exist: `default` does.
    pub group: String,
    /// When it calls its target; parts of a second are left out.
    pub at: DateTime<Utc>,
    /// What is called: a function, or an operation of a service (`arn:aws:scheduler:::aws-sdk:ssm:putParameter`).
    pub target_arn: String,
    /// The role that Scheduler takes on to call it.
    pub role_arn: String,
    /// What the target is sent. It may hold secrets, and does not stand in errors.
    pub input: Secret,
}

/// A schedule as Scheduler has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// The schedule.
    pub schedule: Schedule,
    /// Whether it will be carried out.
    pub is_enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetScheduleAnswer {
    schedule_expression: String,
    schedule_expression_timezone: Option<String>,
    state: State,
    target: Target,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum State {
    Enabled,
    Disabled,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    arn: String,
    role_arn: String,
    input: Option<String>,
}

impl Scheduler {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    async fn write(
        &self,
        operation: &'static str,
        method: Method,
        schedule: &Schedule,
        client_token: Option<&str>,
    ) -> Result<(), AwsError> {
        let Schedule { name, group, at, target_arn, role_arn, input } = schedule;
        let mut body = json!({
            "GroupName": group,
            "ScheduleExpression": format!("at({})", at.format(MOMENT)),
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "State": "ENABLED",
            "Target": {
                "Arn": target_arn, "RoleArn": role_arn, "Input": input.reveal(),
                "RetryPolicy": {"MaximumEventAgeInSeconds": RETRY_SECONDS},
            },
        });
        if let Some(token) = client_token {
            body["ClientToken"] = Value::from(token);
        }
        self.call(operation, method, name, &[], Some(body), &[input.reveal()]).await.map(drop)
    }

    async fn call(
        &self,
        operation: &'static str,
        method: Method,
        name: &str,
        query: &[(&str, &str)],
        body: Option<Value>,
        secrets: &[&str],
    ) -> Result<Answer, AwsError> {
        let input = Input::Rest { method, path: &["schedules", name], query, body };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets }).await
    }
}

#[async_trait]
impl ScheduleControl for Scheduler {
    async fn create(&self, schedule: &Schedule, client_token: &str) -> Result<(), AwsError> {
        self.write("CreateSchedule", Method::Post, schedule, Some(client_token)).await
    }

    async fn update(&self, schedule: &Schedule) -> Result<(), AwsError> {
        self.write("UpdateSchedule", Method::Put, schedule, None).await
    }

    async fn get(&self, name: &str, group: &str) -> Result<Option<Scheduled>, AwsError> {
        let answer = match self.call("GetSchedule", Method::Get, name, &[("groupName", group)], None, &[]).await {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let GetScheduleAnswer { schedule_expression, schedule_expression_timezone, state, target } = answer.json()?;
        let is_utc = schedule_expression_timezone.is_none_or(|zone| zone == "UTC");
        let at = moment(&schedule_expression).filter(|_| is_utc);
        let at = at.ok_or_else(|| answer.bad("the schedule is not one for a moment in UTC"))?;
        let Target { arn: target_arn, role_arn, input } = target;
        let input = Secret::new(input.unwrap_or_default());
        let schedule = Schedule { name: name.to_owned(), group: group.to_owned(), at, target_arn, role_arn, input };
        Ok(Some(Scheduled { schedule, is_enabled: state == State::Enabled }))
    }

    async fn delete(&self, name: &str, group: &str) -> Result<(), AwsError> {
        match self.call("DeleteSchedule", Method::Delete, name, &[("groupName", group)], None, &[]).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// The moment of `at(2026-12-15T14:00:00)`.
fn moment(expression: &str) -> Option<DateTime<Utc>> {
    let text = expression.strip_prefix("at(")?.strip_suffix(')')?;
    NaiveDateTime::parse_from_str(text, MOMENT).ok().map(|moment| moment.and_utc())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::signed::{Reply, Server};
    use super::*;

    fn schedule() -> Schedule {
        Schedule {
            name: "undo-1".to_owned(),
            group: "game days".to_owned(),
            at: "2026-12-15T14:00:05Z".parse().unwrap(),
            target_arn: "arn:aws:scheduler:::aws-sdk:ssm:putParameter".to_owned(),
            role_arn: "arn:aws:iam::123456789012:role/undo".to_owned(),
            input: Secret::new(r#"{"Name":"/shop/mode","Value":"s3cr3t"}"#),
        }
    }

    #[tokio::test]
    async fn a_schedule_is_created_and_replaced_whole() {
        let server = Server::start([Reply::new(200, r#"{"ScheduleArn": "arn"}"#)]).await;
        let scheduler = Scheduler::new(&server.signed());
        let with_parts = Schedule { at: schedule().at + TimeDelta::milliseconds(900), ..schedule() };
        scheduler.create(&with_parts, "run-1-undo").await.unwrap();
        scheduler.update(&schedule()).await.unwrap();
        let [create, update] = server.recorded().try_into().unwrap();
        assert_eq!(
            (create.line.as_str(), update.line.as_str()),
            ("POST /schedules/undo-1 HTTP/1.1", "PUT /schedules/undo-1 HTTP/1.1")
        );
        assert_eq!(create.header("content-type"), Some("application/json"));
        let mut expected = json!({
            "GroupName": "game days",
            "ScheduleExpression": "at(2026-12-15T14:00:05)",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "ActionAfterCompletion": "DELETE",
            "State": "ENABLED",
            "Target": {
                "Arn": "arn:aws:scheduler:::aws-sdk:ssm:putParameter",
                "RoleArn": "arn:aws:iam::123456789012:role/undo",
                "Input": r#"{"Name":"/shop/mode","Value":"s3cr3t"}"#,
                "RetryPolicy": {"MaximumEventAgeInSeconds": 3600},
            },
        });
        assert_eq!(update.json(), expected);
        expected["ClientToken"] = json!("run-1-undo");
        assert_eq!(create.json(), expected);
    }

    #[tokio::test]
    async fn a_schedule_is_read_back_as_it_was_written() {
        let answer = |expression: &str, zone: &str, state: &str| {
            let Schedule { target_arn, role_arn, input, .. } = schedule();
            let target = json!({"Arn": target_arn, "RoleArn": role_arn, "Input": input.reveal()});
            let body = json!({
                "Name": "undo-1", "GroupName": "game days", "ScheduleExpression": expression,
                "ScheduleExpressionTimezone": zone, "State": state, "Target": target, "CreationDate": 1.7e9,
            });
            Reply::new(200, &body.to_string())
        };
        let server = Server::start([
            answer("at(2026-12-15T14:00:05)", "UTC", "ENABLED"),
            answer("at(2026-12-15T14:00:05)", "UTC", "DISABLED"),
            answer("at(2026-12-15T14:00:05)", "Europe/Berlin", "ENABLED"),
            answer("rate(5 minutes)", "UTC", "ENABLED"),
        ])
        .await;
        let scheduler = Scheduler::new(&server.signed());
        let get = || scheduler.get("undo-1", "game days");
        assert_eq!(get().await, Ok(Some(Scheduled { schedule: schedule(), is_enabled: true })));
        assert_eq!(get().await, Ok(Some(Scheduled { schedule: schedule(), is_enabled: false })));
        for _ in 0..2 {
            assert_eq!(get().await.unwrap_err().message, "the schedule is not one for a moment in UTC");
        }
        assert_eq!(server.recorded()[0].line, "GET /schedules/undo-1?groupName=game%20days HTTP/1.1");
    }

    #[tokio::test]
    async fn an_absent_schedule_is_none_and_need_not_be_deleted() {
        let absent = Reply::Answer {
            status: 404,
            headers: "x-amzn-errortype: ResourceNotFoundException\r\n".to_owned(),
            body: r#"{"Message": "Schedule undo-1 does not exist."}"#.to_owned(),
        };
        let server = Server::start([absent]).await;
        let scheduler = Scheduler::new(&server.signed());
        assert_eq!(scheduler.get("undo-1", "default").await, Ok(None));
        assert_eq!(scheduler.delete("undo-1", "default").await, Ok(()));
        assert_eq!(server.recorded()[1].line, "DELETE /schedules/undo-1?groupName=default HTTP/1.1");
        let error = scheduler.update(&schedule()).await.unwrap_err();
        assert_eq!((error.operation, error.is_not_found()), ("UpdateSchedule", true));
    }

    #[tokio::test]
    async fn the_input_is_not_shown() {
        let quoted = json!({"Message": format!("Value '{}' at 'target.input'", schedule().input.reveal())}).to_string();
        let server = Server::start([Reply::new(400, &quoted)]).await;
        let error = Scheduler::new(&server.signed()).create(&schedule(), "token").await.unwrap_err();
        assert_eq!(error.message, "Value '***' at 'target.input'");
        assert!(!format!("{:?}", schedule()).contains("s3cr3t"));
    }
}
