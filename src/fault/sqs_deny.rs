//! `sqs_deny`: denies the use of a queue, with a statement in its policy that expires by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::policy;
use super::settings::{Found, Resource, SettingChange, Settings, SettingsChange};
use super::shell::word;
use super::switch::{Cover, Switch};
use super::target::{AwsResource, TargetNeed};
use crate::unit::TargetId;

/// Why a policy that is not one as AWS writes them is never replaced.
const UNREADABLE: &str = "its policy can not be read as JSON with statements";

/// Denies the use of a queue. The queue's own settings are never denied: the undo goes through them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqsDeny {
    /// The queue, a `queue` target.
    #[schemars(example = &"orders-queue")]
    pub target: TargetId,
    /// What is denied; default all four.
    #[serde(default = "all_actions", skip_serializing_if = "is_all_actions")]
    pub actions: BTreeSet<QueueAction>,
    /// The role to which it is denied, by its name, with its path if it has one (`team/courier`), in the queue's account;
    /// default everybody, AWS's own services too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
}

/// What can be denied of a queue: what goes through it, and not how it is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum QueueAction {
    /// A receiver can not say that it needs longer, or shorter.
    ChangeMessageVisibility,
    /// What was received comes again.
    DeleteMessage,
    /// Nothing is received: messages pile up.
    ReceiveMessage,
    /// Nothing gets in.
    SendMessage,
}

impl QueueAction {
    const ALL: [Self; 4] =
        [Self::ChangeMessageVisibility, Self::DeleteMessage, Self::ReceiveMessage, Self::SendMessage];

    /// As AWS writes it, without its service.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChangeMessageVisibility => "ChangeMessageVisibility",
            Self::DeleteMessage => "DeleteMessage",
            Self::ReceiveMessage => "ReceiveMessage",
            Self::SendMessage => "SendMessage",
        }
    }
}

fn all_actions() -> BTreeSet<QueueAction> {
    QueueAction::ALL.into()
}

fn is_all_actions(actions: &BTreeSet<QueueAction>) -> bool {
    *actions == all_actions()
}

impl Fault for SqsDeny {
    type Change = SettingsChange<QueueStatement>;
    const ABOUT: About = About {
        effect: "within 60 s SQS refuses these calls with AccessDenied: senders fail, or messages pile up and come again",
        undo: "SetQueueAttributes with the policy without this statement, or with none, seen within 60 s; AWS forgets the \
               statement 5 min after the fault's time",
        blast_radius: "everybody who uses the queue, other AWS services too; with `principal` all that has the role",
    };
    const TARGET: TargetNeed = TargetNeed::Queue;
    const CALLS: Calls = Calls {
        inject: &["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SetQueueAttributes"],
        undo: &["sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:SetQueueAttributes"],
    };

    fn objections(&self) -> Vec<Objection> {
        let nothing = Objection::nothing("leave `actions` out for all, or name one: `actions: [SendMessage]`");
        // IAM: CreateRole, `RoleName` and `Path`.
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
        let principal = self.principal.as_ref().filter(|name| {
            name.is_empty() || name.starts_with('/') || name.ends_with('/') || !name.chars().all(is_allowed)
        });
        let principal = principal.map(|name| {
            let message = format!("`{name}` is not the name of a role");
            Objection::value("principal", "invalid-value", message, "write a name, and not an ARN: `courier`")
        });
        self.actions.is_empty().then_some(nothing).into_iter().chain(principal).collect()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<QueueStatement>, FaultError> {
        let AwsResource::Queue(queue) = environment.resource(&self.target)? else {
            return Err(FaultError::Target(self.target.clone()));
        };
        let occasion = &environment.occasion;
        let resource = QueueStatement { queue: queue.clone(), sid: policy::sid(&occasion.token) };
        let found = resource.read(environment, &[]).await?;
        if !found.settings.is_empty() {
            return Err(FaultError::not_safe(
                queue,
                "its policy has a statement of the name that this fault would use",
            ));
        }
        let sqs = &environment.aws.sqs;
        let arn = sqs.arn(&sqs.queue_url(queue).await?).await?;
        let principal = match &self.principal {
            None => json!("*"),
            Some(role) => {
                json!({"AWS": role_arn(&arn, role).ok_or_else(|| FaultError::not_safe(queue, "its ARN is none"))?})
            }
        };
        let actions: Vec<String> = self.actions.iter().map(|action| format!("sqs:{}", action.as_str())).collect();
        let mut statement = policy::deny(occasion, &actions, &[arn]);
        statement["Principal"] = principal;
        let injected = BTreeMap::from([(resource.setting(), Some(policy::normal(&statement)))]);
        Ok(SettingsChange::new(resource, &found.settings, injected))
    }

    fn text(&self) -> ChangeText {
        let actions: Vec<&str> = self.actions.iter().map(|action| action.as_str()).collect();
        let to = self.principal.as_ref().map(|role| format!(" to the role `{role}`")).unwrap_or_default();
        ChangeText {
            change: format!("deny {} on the queue `{}`{to}", actions.join(", "), self.target),
            undo: "take the statement that denies it out of the queue's policy".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        self.actions.iter().map(|action| format!("permission of {}", action.as_str())).collect()
    }

    fn cover(&self) -> Cover {
        policy::COVER
    }
}

/// The ARN of a role in the partition and the account of a queue: `arn:aws:sqs:REGION:ACCOUNT:NAME`.
fn role_arn(queue_arn: &str, role: &str) -> Option<String> {
    let mut parts = queue_arn.split(':');
    let (partition, account) = (parts.nth(1)?, parts.nth(2)?);
    Some(format!("arn:{partition}:iam::{account}:role/{role}"))
}

/// One statement of a queue's policy. AWS has no lock for the policy: it is read right before it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueStatement {
    queue: String,
    sid: String,
}

impl QueueStatement {
    fn setting(&self) -> String {
        format!("statement {}", self.sid)
    }

    async fn policy(&self, environment: &FaultEnvironment) -> Result<(String, Option<Value>), FaultError> {
        let sqs = &environment.aws.sqs;
        let url = sqs.queue_url(&self.queue).await?;
        let Some(text) = sqs.policy(&url).await? else { return Ok((url, None)) };
        let policy: Option<Value> = serde_json::from_str(&text).ok();
        // Writing back what cannot be read would wipe it.
        match policy.filter(|policy| statements(policy).is_some()) {
            Some(policy) => Ok((url, Some(policy))),
            None => Err(FaultError::not_safe(&self.queue, UNREADABLE)),
        }
    }
}

/// The statements of a policy, which AWS also takes as one alone; none for what is no policy.
fn statements(policy: &Value) -> Option<Vec<Value>> {
    match policy.as_object()?.get("Statement") {
        None => Some(Vec::new()),
        Some(Value::Array(statements)) => Some(statements.clone()),
        Some(statement) => statement.is_object().then(|| vec![statement.clone()]),
    }
}

fn has_sid(statement: &Value, sid: &str) -> bool {
    statement.get("Sid").and_then(Value::as_str) == Some(sid)
}

/// A policy with its statement `sid` as wanted and all others as they are; none where none would be left.
fn merged(policy: Option<Value>, sid: &str, wanted: Option<&Value>) -> Option<Value> {
    let mut policy = policy.unwrap_or_else(|| json!({"Version": policy::VERSION}));
    let mut statements = statements(&policy).unwrap_or_default();
    statements.retain(|statement| !has_sid(statement, sid));
    statements.extend(wanted.cloned());
    let is_empty = statements.is_empty();
    policy["Statement"] = Value::Array(statements);
    (!is_empty).then_some(policy)
}

impl Resource for QueueStatement {
    fn name(&self) -> &str {
        &self.queue
    }

    async fn read(&self, environment: &FaultEnvironment, _names: &[&str]) -> Result<Found, FaultError> {
        let (_, policy) = self.policy(environment).await?;
        let statements = policy.as_ref().and_then(statements).unwrap_or_default();
        let ours = statements.iter().find(|statement| has_sid(statement, &self.sid));
        let settings = ours.map(|statement| (self.setting(), policy::normal(statement)));
        Ok(Found { settings: settings.into_iter().collect(), revision: None, is_failed: false })
    }

    async fn write(&self, environment: &FaultEnvironment, _found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        let (url, policy) = self.policy(environment).await?;
        let policy = merged(policy, &self.sid, wanted.get(&self.setting())).map(|policy| policy.to_string());
        Ok(environment.aws.sqs.set_policy(&url, policy.as_deref()).await?)
    }

    fn show(&self, _name: &str, value: &Value) -> String {
        policy::show(value)
    }

    fn by_hand(&self, _changes: &[SettingChange], _undo: &Path) -> Vec<String> {
        let (queue, sid) = (word(&self.queue), &self.sid);
        vec![format!(
            "(f=$(mktemp) && trap 'rm -f \"$f\"' EXIT \
             && u=$(aws sqs get-queue-url --queue-name {queue} --query QueueUrl --output text) \
             && aws sqs get-queue-attributes --queue-url \"$u\" --attribute-names Policy --query Attributes.Policy \
             --output text | jq '.Statement |= ([.] | flatten | map(select(.Sid != \"{sid}\"))) \
             | {{Policy: (if .Statement == [] then \"\" else tojson end)}}' > \"$f\" \
             && aws sqs set-queue-attributes --queue-url \"$u\" --attributes \"file://$f\")"
        )]
    }

    fn switch(&self, _changes: &[SettingChange]) -> Switch {
        Switch::Needless
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deny(fault: Value) -> SqsDeny {
        serde_json::from_value(fault).unwrap()
    }

    #[test]
    fn all_four_actions_are_denied_unless_some_are_named_and_no_other_can_be() {
        assert_eq!(deny(json!({"target": "orders"})).actions.len(), 4);
        assert_eq!(deny(json!({"target": "orders"})).objections(), []);
        let setting = json!({"target": "orders", "actions": ["SetQueueAttributes"]});
        assert!(serde_json::from_value::<SqsDeny>(setting).is_err());
        assert_eq!(deny(json!({"target": "orders", "actions": []})).objections().len(), 1);
        for (principal, problems) in
            [("courier", 0), ("team/courier", 0), ("arn:aws:iam::1:role/x", 1), ("*", 1), ("", 1)]
        {
            let fault = deny(json!({"target": "orders", "principal": principal}));
            assert_eq!(fault.objections().len(), problems, "{principal}");
        }
    }

    #[test]
    fn a_role_is_one_of_the_queues_account_and_partition() {
        let arn = role_arn("arn:aws-cn:sqs:cn-north-1:123456789012:orders", "courier");
        assert_eq!(arn.as_deref(), Some("arn:aws-cn:iam::123456789012:role/courier"));
        assert_eq!(role_arn("orders", "courier"), None);
    }

    #[test]
    fn other_statements_stay_and_no_policy_is_left_where_none_was() {
        let (theirs, ours) = (json!({"Sid": "theirs", "Effect": "Allow"}), json!({"Sid": "ours", "Effect": "Deny"}));
        let before = json!({"Version": "2008-10-17", "Id": "shop", "Statement": [theirs]});
        let during = merged(Some(before.clone()), "ours", Some(&ours)).unwrap();
        assert_eq!(during, json!({"Version": "2008-10-17", "Id": "shop", "Statement": [theirs, ours]}));
        assert_eq!(merged(Some(during.clone()), "ours", Some(&ours)), Some(during.clone()));
        assert_eq!(merged(Some(during), "ours", None), Some(before));

        let alone = merged(None, "ours", Some(&ours)).unwrap();
        assert_eq!(alone, json!({"Version": "2012-10-17", "Statement": [ours]}));
        assert_eq!(merged(Some(alone), "ours", None), None);
        let single = merged(Some(json!({"Statement": theirs})), "ours", Some(&ours));
        assert_eq!(single, Some(json!({"Statement": [theirs, ours]})));
        for wrong in [json!([]), json!("x"), json!({"Statement": "x"})] {
            assert_eq!(statements(&wrong), None, "{wrong}");
        }
    }
}
