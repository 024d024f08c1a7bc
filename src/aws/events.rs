//! EventBridge's rules, by signed requests.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::AwsError;
use super::signed::{Answer, Call, Input, JsonVersion, Service, Signed};
use super::tag::{Tag, by_key};

pub(super) const SERVICE: Service = Service { name: "events", id: "EventBridge", is_global: false };

/// EventBridge of one Region. Clones share their connections. Changes of rules take some seconds to be seen (AWS).
#[derive(Debug, Clone)]
pub struct Events {
    signed: Signed,
}

/// A rule as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The rule's ARN.
    pub arn: String,
    /// Whether it matches events; both kinds of `ENABLED` do.
    pub is_enabled: bool,
    /// Whether it also matches every management event of CloudTrail (`ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`), which
    /// EnableRule does not bring back.
    pub matches_all_management_events: bool,
    /// The AWS service that made it, for a rule that only this service may change.
    pub managed_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeRuleAnswer {
    arn: String,
    state: State,
    managed_by: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DescribeBusAnswer {
    arn: String,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum State {
    Enabled,
    Disabled,
    #[serde(rename = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")]
    EnabledWithAllManagementEvents,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagsAnswer {
    #[serde(default)]
    tags: Vec<Tag>,
}

impl Events {
    pub(super) fn new(signed: &Signed) -> Self {
        Self { signed: signed.clone() }
    }

    /// A rule by its name on a bus by its name or ARN; none is the account's `default` bus. `events:DescribeRule`.
    ///
    /// # Errors
    /// The call failed, also where there is no such rule.
    pub async fn rule(&self, name: &str, bus: Option<&str>) -> Result<Rule, AwsError> {
        let DescribeRuleAnswer { arn, state, managed_by } = self.call("DescribeRule", name, bus).await?.json()?;
        Ok(Rule {
            arn,
            is_enabled: state != State::Disabled,
            matches_all_management_events: state == State::EnabledWithAllManagementEvents,
            managed_by,
        })
    }

    /// The ARN of a bus, by its name. `events:DescribeEventBus`.
    ///
    /// # Errors
    /// The call failed, also where there is no such bus.
    pub async fn bus_arn(&self, name: &str) -> Result<String, AwsError> {
        Ok(self.send("DescribeEventBus", json!({"Name": name})).await?.json::<DescribeBusAnswer>()?.arn)
    }

    /// The tags of a rule or a bus, by its ARN. `events:ListTagsForResource`.
    ///
    /// # Errors
    /// The call failed, also where there is no such rule.
    pub async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let answer = self.send("ListTagsForResource", json!({"ResourceARN": arn})).await?;
        Ok(by_key(answer.json::<TagsAnswer>()?.tags))
    }

    /// Lets a rule match events again. `events:EnableRule`.
    ///
    /// # Errors
    /// The call failed: `ManagedRuleException` for a rule of another service.
    pub async fn enable_rule(&self, name: &str, bus: Option<&str>) -> Result<(), AwsError> {
        self.call("EnableRule", name, bus).await.map(drop)
    }

    /// Lets a rule match no events: those that come meanwhile are lost to it. `events:DisableRule`.
    ///
    /// # Errors
    /// The call failed: `ManagedRuleException` for a rule of another service.
    pub async fn disable_rule(&self, name: &str, bus: Option<&str>) -> Result<(), AwsError> {
        self.call("DisableRule", name, bus).await.map(drop)
    }

    async fn call(&self, operation: &'static str, name: &str, bus: Option<&str>) -> Result<Answer, AwsError> {
        let mut body = json!({"Name": name});
        if let Some(bus) = bus {
            body["EventBusName"] = Value::from(bus);
        }
        self.send(operation, body).await
    }

    async fn send(&self, operation: &'static str, body: Value) -> Result<Answer, AwsError> {
        let input = Input::Json { version: JsonVersion::V1_1, target: "AWSEvents", body };
        self.signed.send(&Call { service: &SERVICE, operation, input, secrets: &[] }).await
    }
}

#[cfg(test)]
mod tests {
    use super::super::signed::{Reply, Server};
    use super::*;

    async fn rule(state: &str) -> Result<Rule, AwsError> {
        let body = json!({"Name": "nightly", "Arn": "arn", "State": state, "EventBusName": "default"}).to_string();
        Events::new(&Server::start([Reply::new(200, &body)]).await.signed()).rule("nightly", None).await
    }

    #[tokio::test]
    async fn both_kinds_of_enabled_are_enabled_and_told_apart() {
        let of = |is_enabled, matches_all_management_events| {
            Ok(Rule { arn: "arn".to_owned(), is_enabled, matches_all_management_events, managed_by: None })
        };
        assert_eq!(rule("ENABLED").await, of(true, false));
        assert_eq!(rule("DISABLED").await, of(false, false));
        assert_eq!(rule("ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS").await, of(true, true));
        assert_eq!(rule("RESTING").await.unwrap_err().code, "BadAnswer");
    }

    #[tokio::test]
    async fn a_rule_is_disabled_and_enabled_on_its_bus() {
        let server = Server::start([Reply::new(200, "")]).await;
        let events = Events::new(&server.signed());
        events.disable_rule("nightly", None).await.unwrap();
        events.enable_rule("nightly", Some("shop")).await.unwrap();
        let [disable, enable] = server.recorded().try_into().unwrap();
        assert_eq!(disable.header("x-amz-target"), Some("AWSEvents.DisableRule"));
        assert_eq!(disable.json(), json!({"Name": "nightly"}));
        assert_eq!(enable.header("x-amz-target"), Some("AWSEvents.EnableRule"));
        assert_eq!(enable.json(), json!({"Name": "nightly", "EventBusName": "shop"}));
    }
}
