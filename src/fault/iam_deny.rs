//! `iam_deny`: denies a role some actions, with an inline policy that expires by itself.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::about::{About, Calls, Objection, Step};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::policy;
use super::settings::{Found, Resource, SettingChange, Settings, SettingsChange};
use super::shell::word;
use super::switch::{Cover, Switch};
use super::target::{AwsResource, TargetNeed};
use crate::unit::TargetId;

/// Services that no role is denied: if `gameday` itself has the role, it could not undo the fault any more.
const KEPT_SERVICES: &[&str] = &["iam", "sts"];

/// Denies a role actions on resources. AWS: what a policy denies, no other policy allows (policy evaluation logic).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IamDeny {
    /// The role, a `role` target.
    #[schemars(example = &"orders-role")]
    pub target: TargetId,
    /// What is denied: `dynamodb:PutItem`, `sqs:Send*`, `s3:*`.
    pub actions: Vec<String>,
    /// On what, as ARNs, also with `*`; default `["*"]`, everything.
    #[serde(default = "everything", skip_serializing_if = "is_everything")]
    pub resources: Vec<String>,
}

fn everything() -> Vec<String> {
    vec!["*".to_owned()]
}

fn is_everything(resources: &[String]) -> bool {
    resources == everything()
}

impl Fault for IamDeny {
    type Change = SettingsChange<InlinePolicy>;
    const ABOUT: About = About {
        effect: "some seconds later AWS refuses these actions with AccessDenied, also to sessions that exist already",
        undo: "DeleteRolePolicy, seen everywhere some seconds later; AWS forgets the policy 5 min after the fault's time",
        blast_radius: "everything that has the role: other functions too, if they share it",
    };
    const TARGET: TargetNeed = TargetNeed::Role;
    const CALLS: Calls = Calls {
        inject: &["iam:DeleteRolePolicy", "iam:GetRole", "iam:GetRolePolicy", "iam:PutRolePolicy"],
        undo: &["iam:DeleteRolePolicy", "iam:GetRolePolicy"],
    };

    fn objections(&self) -> Vec<Objection> {
        if self.actions.is_empty() {
            return vec![Objection::nothing("name at least one action: `actions: [\"dynamodb:PutItem\"]`")];
        }
        let action = |(index, action): (usize, &String)| {
            let (message, help) = action_problem(action)?;
            Some(objection("actions", index, message, help))
        };
        let resource = |(index, resource): (usize, &String)| {
            let is_right = resource == "*" || resource.starts_with("arn:");
            let message = format!("`{resource}` is not an ARN");
            let help = "write `*` or an ARN: `arn:aws:sqs:eu-west-1:123456789012:orders`";
            (!is_right).then(|| objection("resources", index, message, help))
        };
        let nowhere = Objection::value(
            "resources",
            "invalid-value",
            "a policy on no resource denies nothing".to_owned(),
            "leave `resources` out for all of them",
        );
        let actions = self.actions.iter().enumerate().filter_map(action);
        let resources = self.resources.iter().enumerate().filter_map(resource);
        actions.chain(resources).chain(self.resources.is_empty().then_some(nowhere)).collect()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<InlinePolicy>, FaultError> {
        let AwsResource::Role(role) = environment.resource(&self.target)? else {
            return Err(FaultError::Target(self.target.clone()));
        };
        // An absent policy does not tell whether there is such a role.
        environment.aws.iam.role_arn(role).await?;
        let occasion = &environment.occasion;
        let resource = InlinePolicy { role: role.clone(), policy: policy::policy_name(&occasion.token) };
        let found = resource.read(environment, &[]).await?;
        if !found.settings.is_empty() {
            return Err(FaultError::not_safe(
                role,
                "it has a policy of the name that this fault would give to its own",
            ));
        }
        let statement = policy::deny(occasion, &self.actions, &self.resources);
        let document = policy::normal(&json!({"Version": policy::VERSION, "Statement": [statement]}));
        let injected = BTreeMap::from([(resource.setting(), Some(document))]);
        Ok(SettingsChange::new(resource, &found.settings, injected))
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("deny {} to the role `{}`", self.actions.join(", "), self.target),
            undo: "delete the inline policy that denies it".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        self.actions.iter().map(|action| format!("permission of {action}")).collect()
    }

    fn cover(&self) -> Cover {
        policy::COVER
    }
}

fn objection(key: &str, index: usize, message: String, help: &str) -> Objection {
    let path = vec![Step::Key(key.to_owned()), Step::Item(index)];
    Objection { path, ..Objection::value(key, "invalid-value", message, help) }
}

/// Why an action is not denied: the problem, and what to do.
fn action_problem(action: &str) -> Option<(String, &'static str)> {
    const FORM: &str = "write one service and its action: `dynamodb:PutItem`, `sqs:Send*`, `s3:*`";
    if action == "*" {
        return Some(("`*` would deny everything, and the cause of what is seen could not be told".to_owned(), FORM));
    }
    let is_service = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_action = |c: char| c.is_ascii_alphanumeric() || c == '*' || c == '?';
    match action.split_once(':') {
        Some((service, name))
            if !service.is_empty()
                && service.chars().all(is_service)
                && !name.is_empty()
                && name.chars().all(is_action) =>
        {
            let is_kept = KEPT_SERVICES.iter().any(|kept| kept.eq_ignore_ascii_case(service));
            let message =
                format!("`{action}` is not denied: if `gameday` has this role itself, it could not undo the fault");
            is_kept.then_some((message, "deny the actions of another service"))
        }
        _ => Some((format!("`{action}` is not an action of one service"), FORM)),
    }
}

/// An inline policy of a role. AWS has no lock for it; nobody else uses its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InlinePolicy {
    role: String,
    policy: String,
}

impl InlinePolicy {
    fn setting(&self) -> String {
        format!("policy {}", self.policy)
    }
}

impl Resource for InlinePolicy {
    fn name(&self) -> &str {
        &self.role
    }

    async fn read(&self, environment: &FaultEnvironment, _names: &[&str]) -> Result<Found, FaultError> {
        let document = environment.aws.iam.role_policy(&self.role, &self.policy).await?;
        // What is not JSON is not ours either: it stays what it is, text.
        let document = document.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        let settings = document.map(|document| (self.setting(), policy::normal(&document)));
        Ok(Found { settings: settings.into_iter().collect(), revision: None, is_failed: false })
    }

    async fn write(&self, environment: &FaultEnvironment, _found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        let iam = &environment.aws.iam;
        match wanted.get(&self.setting()) {
            Some(document) => iam.put_role_policy(&self.role, &self.policy, &document.to_string()).await?,
            None => iam.delete_role_policy(&self.role, &self.policy).await?,
        }
        Ok(())
    }

    fn show(&self, _name: &str, value: &Value) -> String {
        policy::show(value)
    }

    fn by_hand(&self, _changes: &[SettingChange], _undo: &Path) -> Vec<String> {
        let (role, policy) = (word(&self.role), word(&self.policy));
        vec![format!("aws iam delete-role-policy --role-name {role} --policy-name {policy}")]
    }

    fn switch(&self, _changes: &[SettingChange]) -> Switch {
        Switch::Needless
    }
}

#[cfg(test)]
mod tests {
    use super::super::change::Revertible as _;
    use super::*;

    fn deny(actions: &[&str], resources: &[&str]) -> IamDeny {
        let own = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        IamDeny { target: "courier".parse().unwrap(), actions: own(actions), resources: own(resources) }
    }

    #[test]
    fn actions_of_one_service_are_denied_and_never_those_that_an_undo_needs() {
        let good =
            deny(&["dynamodb:PutItem", "sqs:Send*", "s3:*", "execute-api:Invoke"], &["*", "arn:aws:s3:::shop/*"]);
        assert_eq!(good.objections(), []);
        for action in
            ["*", "*:*", "PutItem", "iam:*", "sts:AssumeRole", "IAM:Get*", "s*s:x", "sqs:", ":x", "sqs:a b", "a:b:c"]
        {
            let found = deny(&["s3:*", action], &["*"]).objections();
            let [only] = found.as_slice() else { panic!("{action}: {found:?}") };
            assert_eq!(only.path, [Step::Key("actions".to_owned()), Step::Item(1)], "{action}");
        }
        for wrong in [deny(&[], &["*"]), deny(&["s3:*"], &[]), deny(&["s3:*"], &["shop"])] {
            assert_eq!(wrong.objections().len(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn it_is_told_in_words_and_undone_by_one_command() {
        let resource = InlinePolicy { role: "courier".to_owned(), policy: "gameday-1".to_owned() };
        let statement = json!({
            "Effect": "Deny", "Action": "s3:*", "Resource": "*",
            "Condition": {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}},
        });
        let injected = BTreeMap::from([(resource.setting(), Some(json!({"Statement": statement})))]);
        let change = SettingsChange::new(resource, &Settings::new(), injected);
        let text = change.text();
        let expected = "policy gameday-1 of `courier`: none → a deny of s3:* until 2026-01-01T00:00:00Z";
        assert_eq!(text.change, expected);
        assert_eq!(text.undo, "take the policy gameday-1 away: there was none");
        let command = "aws iam delete-role-policy --role-name courier --policy-name gameday-1";
        assert_eq!(change.by_hand(Path::new("undo.json")), [command]);
    }
}
