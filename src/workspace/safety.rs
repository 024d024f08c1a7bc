//! What of an environment outlives a run's own machine: the dead man's switch, and the lock that other machines see.
//!
//! Owns: what these keys must fulfil. Must not know: when a switch is set, and when a lock is taken.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::environment::{EnvironmentKind, EnvironmentProblem, EnvironmentSpec};
use super::role::account_of;

/// The group of schedules that every account has.
const GROUP_DEFAULT: &str = "default";
/// EventBridge Scheduler: the longest name of a group (CreateScheduleGroup, `Name`).
const GROUP_CHARACTERS_MAX: usize = 64;
/// Systems Manager: the longest name of a parameter (PutParameter, `Name`).
const PARAMETER_CHARACTERS_MAX: usize = 1_011;

/// Whether faults are undone in AWS itself when nobody of ours is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deadman {
    /// Each fault that one call undoes, where there is a `scheduler_role`. A switch that can not be set is told of.
    #[default]
    Auto,
    /// A fault that neither expires by itself nor has a switch is not injected.
    Required,
    /// None.
    Off,
}

/// How faults are undone in AWS itself when nobody of ours is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadmanSwitch {
    /// The role that EventBridge Scheduler takes on.
    pub role_arn: String,
    /// The group of schedules.
    pub group: String,
    /// Whether a fault without a switch is refused.
    pub is_required: bool,
}

impl DeadmanSwitch {
    /// The partition of the role, and so of the switch's target: `aws`, `aws-cn`, `aws-us-gov`.
    #[must_use]
    pub fn partition(&self) -> &str {
        self.role_arn.split(':').nth(1).unwrap_or("aws")
    }
}

/// Reads the keys; every problem is told.
pub(super) fn resolve(
    spec: &EnvironmentSpec,
    kind: Option<&EnvironmentKind>,
    problems: &mut Vec<EnvironmentProblem>,
) -> (Option<DeadmanSwitch>, Option<String>) {
    let mut tell = |key, message: String, help: &str| {
        problems.push(EnvironmentProblem { key, message, help: help.to_owned(), is_missing: false });
    };
    let given = [
        ("scheduler_role", spec.scheduler_role.is_some()),
        ("scheduler_group", spec.scheduler_group.is_some()),
        ("deadman", spec.deadman.is_some_and(|deadman| deadman != Deadman::Off)),
        ("lock", spec.lock.is_some()),
    ];
    if let Some(EnvironmentKind::Sandbox(_)) = kind {
        for (key, _) in given.iter().filter(|(_, is_given)| *is_given) {
            let message = format!("`{key}` has no meaning in a sandbox, which ends with its run");
            tell(key, message, "leave it out, or name an `endpoint` or an `account`");
        }
        return (None, None);
    }
    let account = match kind {
        Some(EnvironmentKind::Account(binding)) => Some(binding.account.as_str()),
        Some(EnvironmentKind::Endpoint(binding)) => binding.account.as_deref(),
        Some(EnvironmentKind::Sandbox(_)) | None => None,
    };
    let role = spec.scheduler_role.as_ref();
    if let Some(problem) = role.and_then(|role| role_problem(role, account)) {
        tell(
            "scheduler_role",
            problem,
            "write the whole ARN of a role in the environment's account: `arn:aws:iam::123456789012:role/gameday-undo`",
        );
    }
    if let Some(group) = spec.scheduler_group.as_ref().filter(|group| !is_name(group)) {
        let message = format!("`{group}` is not the name of a group of schedules");
        tell("scheduler_group", message, "use up to 64 letters, digits, `-`, `_` and `.`");
    }
    let deadman = spec.deadman.unwrap_or_default();
    if role.is_none() && deadman == Deadman::Required {
        let message = "a dead man's switch is required, and there is no role that could throw it".to_owned();
        tell(
            "deadman",
            message,
            "add `scheduler_role: arn:aws:iam::ACCOUNT:role/NAME`, which EventBridge Scheduler takes on",
        );
    }
    if let Some(name) = spec.lock.as_ref().filter(|name| !is_parameter(name)) {
        let message = format!("`{name}` is not the name of a Systems Manager parameter");
        let help = "write a path of letters, digits, `_`, `.`, `-` that does not begin with `aws` or `ssm`, which AWS keeps for itself: \
                    `/gameday/staging`";
        tell("lock", message, help);
    }
    let group = spec.scheduler_group.clone().unwrap_or_else(|| GROUP_DEFAULT.to_owned());
    let is_required = deadman == Deadman::Required;
    let switch = role.filter(|_| deadman != Deadman::Off);
    let switch = switch.map(|role| DeadmanSwitch { role_arn: role.clone(), group, is_required });
    (switch, spec.lock.clone())
}

/// Why a text is not a role that EventBridge Scheduler could take on in this account.
fn role_problem(role: &str, account: Option<&str>) -> Option<String> {
    match (account_of(role), account) {
        (None, _) => Some(format!("`{role}` is not the ARN of a role")),
        // AWS: Scheduler takes on roles of the account of the schedule alone.
        (Some(owner), Some(account)) if account != owner => {
            Some(format!("the role is in account `{owner}`, and the environment is account `{account}`"))
        }
        (Some(_), _) => None,
    }
}

/// AWS: `[0-9a-zA-Z-_.]+` (CreateScheduleGroup, `Name`).
fn is_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=GROUP_CHARACTERS_MAX).contains(&text.len()) && text.chars().all(is_allowed)
}

/// AWS: letters, digits, `_.-/`; with a `/` it begins with one; no part may begin with `aws` or `ssm` (PutParameter, `Name`).
fn is_parameter(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let first = text.trim_start_matches('/').to_ascii_lowercase();
    (1..=PARAMETER_CHARACTERS_MAX).contains(&text.len())
        && text.chars().all(is_allowed)
        && (text.starts_with('/') || !text.contains('/'))
        && !text.ends_with('/')
        && !text.contains("//")
        && !first.starts_with("aws")
        && !first.starts_with("ssm")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn resolved(json: Value) -> Result<(Option<DeadmanSwitch>, Option<String>), Vec<&'static str>> {
        let spec: EnvironmentSpec = serde_json::from_value(json).unwrap();
        let problems = |problems: Vec<EnvironmentProblem>| problems.into_iter().map(|problem| problem.key).collect();
        spec.resolve("x").map(|environment| (environment.deadman, environment.lock)).map_err(problems)
    }

    #[test]
    fn a_role_switches_it_on_and_off_switches_it_off() {
        let endpoint = "http://127.0.0.1:4566";
        let role = "arn:aws:iam::000000000000:role/undo";
        let switch = DeadmanSwitch { role_arn: role.to_owned(), group: "default".to_owned(), is_required: false };
        assert_eq!(resolved(json!({"endpoint": endpoint})), Ok((None, None)));
        assert_eq!(resolved(json!({"endpoint": endpoint, "deadman": "auto"})), Ok((None, None)));
        let with = |deadman: &str| resolved(json!({"endpoint": endpoint, "scheduler_role": role, "deadman": deadman}));
        assert_eq!(with("auto"), Ok((Some(switch.clone()), None)));
        assert_eq!(with("required"), Ok((Some(DeadmanSwitch { is_required: true, ..switch }), None)));
        assert_eq!(with("off"), Ok((None, None)));
        let locked = resolved(json!({"endpoint": endpoint, "lock": "/gameday/staging"}));
        assert_eq!(locked, Ok((None, Some("/gameday/staging".to_owned()))));
    }

    #[test]
    fn what_aws_would_not_take_is_told_with_its_key() {
        let endpoint = "http://127.0.0.1:4566";
        let account = json!({"account": "111122223333", "region": "eu-west-1", "class": "production"});
        let with = |base: &Value, key: &str, value: Value| {
            let mut all = base.clone();
            all[key] = value;
            resolved(all)
        };
        let endpoint = json!({"endpoint": endpoint});
        let role = |account: &str| json!(format!("arn:aws:iam::{account}:role/team/undo"));
        assert!(with(&account, "scheduler_role", role("111122223333")).is_ok());
        for (base, key, value) in [
            (&account, "scheduler_role", role("999999999999")),
            (&endpoint, "scheduler_role", json!("undo")),
            (&endpoint, "scheduler_role", json!("arn:aws:iam::000000000000:user/undo")),
            (&endpoint, "scheduler_group", json!("a b")),
            (&endpoint, "deadman", json!("required")),
            (&endpoint, "lock", json!("gameday/staging")),
            (&endpoint, "lock", json!("/aws/lock")),
            (&endpoint, "lock", json!("/gameday/")),
            (&json!({}), "lock", json!("/gameday/sandbox")),
            (&json!({}), "scheduler_role", role("000000000000")),
        ] {
            assert_eq!(with(base, key, value.clone()), Err(vec![key]), "{value}");
        }
    }
}
