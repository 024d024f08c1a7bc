//! Whether a run could do what it is meant to, without doing it. Owns: the look at permissions. What is not known is no pass.

use std::collections::BTreeSet;

use serde::Serialize;

use super::place::{Place, PlaceError};
use crate::aws::{Aws, AwsError, Decision, Simulated};
use crate::plan::{Plan, Policies, Statement};
use crate::unit::Failpoints;
use crate::workspace::{Environment, EnvironmentKind};

/// Why permissions could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum PermissionsError {
    /// The caller could not be told.
    #[error("failed to ask AWS who we are")]
    Identity(#[source] AwsError),
    /// Nothing may be asked there.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

/// What IAM says to one action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A policy allows it, and none denies it.
    Allowed,
    /// A policy denies it, or none allows it.
    Denied,
    /// IAM did not say.
    Unknown,
}

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permitted {
    /// The action: `lambda:PutFunctionConcurrency`.
    pub action: String,
    /// The ARN, or `*`.
    pub resource: String,
    /// Whether an undo needs it.
    pub is_for_undo: bool,
    /// What IAM says.
    pub verdict: Verdict,
    /// Why it is not allowed, or not known.
    pub why: Option<String>,
}

/// What IAM says to everything that a run needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Permissions {
    /// Whose policies were asked for: a user or a role.
    pub principal: String,
    /// Every action on every resource, in the order of the policies.
    pub permissions: Vec<Permitted>,
}

impl Permissions {
    /// Whether everything is allowed for certain.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.count(Verdict::Allowed) == self.permissions.len()
    }

    /// How many have the verdict.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.permissions.iter().filter(|permitted| permitted.verdict == verdict).count()
    }
}

/// Asks IAM for every permission that a run of `plan` needs, by `iam:SimulatePrincipalPolicy`; none for a sandbox, which
/// needs none. Changes nothing. Policies of sessions and of resources are not in the answers (AWS).
///
/// # Errors
/// The caller is not known, or belongs to another account. That IAM does not say is a verdict and no error.
pub async fn permissions(plan: &Plan, environment: &Environment) -> Result<Option<Permissions>, PermissionsError> {
    if let EnvironmentKind::Sandbox(_) = environment.kind() {
        return Ok(None);
    }
    let Place { aws, account, .. } =
        Place::connect(&plan.environment, None, "gameday-readiness", &Failpoints::default()).await?;
    let aws = match environment.rate {
        Some(rate) => aws.paced(rate),
        None => aws,
    };
    if let Some(guard) = &account {
        guard.check(&aws).await.map_err(PlaceError::from)?;
    }
    of_caller(&aws, plan, environment).await.map(Some)
}

/// What IAM says to everything that a run of `plan` needs.
pub(super) async fn of_caller(
    aws: &Aws,
    plan: &Plan,
    environment: &Environment,
) -> Result<Permissions, PermissionsError> {
    let caller = aws.caller_arn().await.map_err(PermissionsError::Identity)?;
    let found = caller.split(':').nth(4).unwrap_or_default();
    let policies = Policies::of(plan, environment, Some(found));
    Ok(ask(aws, &caller, &policies).await)
}

async fn ask(aws: &Aws, caller: &str, policies: &Policies) -> Permissions {
    let principal = Principal::of(aws, caller).await;
    let mut unknown = principal.unknown;
    let statements = policies.inject.statements();
    let keys = statements.iter().filter_map(|statement| statement.condition.as_ref());
    let told: BTreeSet<String> = keys.map(|condition| condition.key.to_lowercase()).collect();
    let mut permissions = Vec::new();
    for statement in statements {
        let answer = match &unknown {
            Some(_) => Ok(Vec::new()),
            None => simulate(aws, &principal.arn, &statement).await,
        };
        let simulated = answer.unwrap_or_else(|error| {
            // What failed once would fail again: whoever may not simulate is not asked any more.
            unknown = Some(error.to_string());
            Vec::new()
        });
        for action in &statement.actions {
            for resource in &statement.resources {
                let (verdict, why) = verdict(&simulated, (action, resource), &told, unknown.as_deref());
                let is_for_undo = policies.rollback.allows(action, resource);
                let (action, resource) = ((*action).to_owned(), resource.clone());
                permissions.push(Permitted { action, resource, is_for_undo, verdict, why });
            }
        }
    }
    Permissions { principal: principal.arn, permissions }
}

/// One resource a call: not every answer tells several apart.
async fn simulate(aws: &Aws, principal: &str, statement: &Statement) -> Result<Vec<Simulated>, AwsError> {
    let condition = statement.condition.as_ref();
    let value = condition.and_then(|condition| Some((condition.key, condition.values.first()?.as_str())));
    let context: Vec<(&str, &str)> = value.into_iter().collect();
    let mut simulated = Vec::new();
    for resource in &statement.resources {
        // No resource stands for `*`.
        let resources = Some(resource.as_str()).filter(|arn| *arn != "*");
        simulated.extend(aws.iam.simulate(principal, &statement.actions, resources.as_slice(), &context).await?);
    }
    Ok(simulated)
}

/// `told` are the keys of our own policies' conditions: they come with the calls.
fn verdict(
    simulated: &[Simulated],
    (action, resource): (&str, &str),
    told: &BTreeSet<String>,
    unknown: Option<&str>,
) -> (Verdict, Option<String>) {
    let is_it = |it: &&Simulated| it.action.eq_ignore_ascii_case(action) && it.resource == resource;
    let own = |text: &str| Some(text.to_owned());
    let found = simulated.iter().find(is_it);
    let missing = found.into_iter().flat_map(|it| &it.missing_keys).find(|key| !told.contains(&key.to_lowercase()));
    match (found.map(|it| it.decision), missing) {
        // A denial under a condition on what is not told would not have shown.
        (Some(Decision::Allowed), Some(key)) => {
            (Verdict::Unknown, Some(format!("it depends on `{key}`, which IAM's simulation is not told")))
        }
        (Some(Decision::Allowed), None) => (Verdict::Allowed, None),
        (Some(Decision::ExplicitDeny), _) => (Verdict::Denied, own("a policy denies it")),
        (Some(Decision::ImplicitDeny), _) => (Verdict::Denied, own("no policy allows it")),
        (None, _) => (Verdict::Unknown, own(unknown.unwrap_or("IAM says nothing of it"))),
    }
}

/// Whose policies are asked for.
struct Principal {
    /// The ARN of a user or a role.
    arn: String,
    /// Why nobody can be asked.
    unknown: Option<String>,
}

impl Principal {
    /// The principal behind a caller: a session of a role stands for the role, whose path the session's ARN leaves out.
    async fn of(aws: &Aws, caller: &str) -> Self {
        let parts: Vec<&str> = caller.splitn(6, ':').collect();
        let [_, partition, service, _, account, name] = parts.as_slice() else {
            return Self { arn: caller.to_owned(), unknown: Some("it is not known what the caller is".to_owned()) };
        };
        match (*service, name.split('/').collect::<Vec<_>>().as_slice()) {
            ("sts", ["assumed-role", role, ..]) => {
                let without_path = || format!("arn:{partition}:iam::{account}:role/{role}");
                match aws.iam.role_arn(role).await {
                    Ok(arn) => Self { arn, unknown: None },
                    // Most roles have no path; where this one has, the simulation will say that there is no such role.
                    Err(_) => Self { arn: without_path(), unknown: None },
                }
            }
            ("iam", ["user", ..]) => Self { arn: caller.to_owned(), unknown: None },
            _ => {
                let unknown = "IAM simulates users and roles alone: take credentials of one of them".to_owned();
                Self { arn: caller.to_owned(), unknown: Some(unknown) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_iam_does_not_say_is_unknown_and_no_pass() {
        let of = |decision| Simulated {
            action: "sqs:getqueueurl".to_owned(),
            resource: "arn:1".to_owned(),
            decision,
            missing_keys: Vec::new(),
        };
        let told = BTreeSet::from(["aws:requesttag/gameday".to_owned()]);
        let simulated = [of(Decision::Allowed)];
        for (key, expected) in [("aws:RequestTag/gameday", Verdict::Allowed), ("aws:SourceIp", Verdict::Unknown)] {
            let conditional = Simulated { missing_keys: vec![key.to_owned()], ..of(Decision::Allowed) };
            assert_eq!(verdict(&[conditional], ("sqs:GetQueueUrl", "arn:1"), &told, None).0, expected, "{key}");
        }
        assert_eq!(verdict(&simulated, ("sqs:GetQueueUrl", "arn:1"), &told, None), (Verdict::Allowed, None));
        assert_eq!(verdict(&simulated, ("sqs:GetQueueUrl", "arn:2"), &told, None).0, Verdict::Unknown);
        let (unknown, why) = verdict(&[], ("sqs:GetQueueUrl", "arn:1"), &told, Some("may not simulate"));
        assert_eq!((unknown, why.as_deref()), (Verdict::Unknown, Some("may not simulate")));
        for denied in [Decision::ExplicitDeny, Decision::ImplicitDeny] {
            assert_eq!(verdict(&[of(denied)], ("sqs:GetQueueUrl", "arn:1"), &told, None).0, Verdict::Denied);
        }
        let permitted = |verdict| Permitted {
            action: String::new(),
            resource: String::new(),
            is_for_undo: false,
            verdict,
            why: None,
        };
        for (verdicts, is_ready) in [
            ([Verdict::Allowed, Verdict::Allowed], true),
            ([Verdict::Allowed, Verdict::Unknown], false),
            ([Verdict::Denied, Verdict::Allowed], false),
        ] {
            let permissions = Permissions { principal: String::new(), permissions: verdicts.map(permitted).to_vec() };
            assert_eq!(permissions.is_ready(), is_ready);
        }
    }
}
