//! The two policies as documents of IAM.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::grant::{Condition, Grant};

/// The longest document of a managed policy in characters, without white space (AWS: IAM and STS quotas).
pub const MANAGED_POLICY_CHARACTERS_MAX: usize = 6_144;
/// The version of the policy language (AWS: IAM JSON policy elements, `Version`).
const VERSION: &str = "2012-10-17";

/// What a run needs to be allowed, and what its recovery needs: never more than the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// For a whole run, which also undoes.
    pub inject: Policy,
    /// For `gameday recover` alone.
    pub rollback: Policy,
    /// For `gameday readiness`, which looks at the whole account. A run in an account looks at the weightiest of it as well.
    pub readiness: Policy,
    /// What the documents do not say by themselves, a sentence each.
    pub notes: Vec<String>,
}

/// Actions, each on one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    pub(super) needs: BTreeSet<(&'static str, Grant)>,
}

/// A statement of a policy: every action on every resource, under a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The actions, in order.
    pub actions: Vec<&'static str>,
    /// The ARNs, or `*` alone.
    pub resources: Vec<String>,
    /// When alone it is needed.
    pub condition: Option<Condition>,
}

impl Policies {
    /// A note on each document that is longer than a managed policy may be.
    pub(super) fn too_long(&self) -> Vec<String> {
        let documents = [("inject", &self.inject), ("rollback", &self.rollback)];
        let too_long = documents.iter().map(|(name, policy)| (name, policy.characters()));
        let too_long = too_long.filter(|(_, characters)| *characters > MANAGED_POLICY_CHARACTERS_MAX);
        too_long
            .map(|(name, characters)| {
                format!(
                    "`{name}` has {characters} characters, and a managed policy has at most {MANAGED_POLICY_CHARACTERS_MAX}: \
                     put its statements into two or more"
                )
            })
            .collect()
    }
}

impl Policy {
    /// Whether all that this one allows is allowed by the other.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.needs.is_subset(&other.needs)
    }

    /// Whether it has the action on the resource, under whatever condition.
    #[must_use]
    pub fn allows(&self, action: &str, resource: &str) -> bool {
        self.needs.iter().any(|(allowed, grant)| *allowed == action && grant.resource == resource)
    }

    /// The statements that say it: actions that share their resources stand together, and nothing is added.
    #[must_use]
    pub fn statements(&self) -> Vec<Statement> {
        let mut by_grant: BTreeMap<(&Option<Condition>, &String), Vec<&'static str>> = BTreeMap::new();
        for (action, Grant { resource, condition }) in &self.needs {
            by_grant.entry((condition, resource)).or_default().push(action);
        }
        let mut by_actions: BTreeMap<(&Option<Condition>, Vec<&'static str>), Vec<String>> = BTreeMap::new();
        for ((condition, resource), actions) in by_grant {
            by_actions.entry((condition, actions)).or_default().push(resource.clone());
        }
        let statement = |((condition, actions), resources): ((&Option<Condition>, _), _)| Statement {
            actions,
            resources,
            condition: condition.clone(),
        };
        by_actions.into_iter().map(statement).collect()
    }

    /// The document.
    #[must_use]
    pub fn document(&self) -> Value {
        let statements: Vec<Value> = self.statements().iter().map(Statement::json).collect();
        json!({"Version": VERSION, "Statement": statements})
    }

    /// How long the document is to IAM, which does not count white space.
    #[must_use]
    pub fn characters(&self) -> usize {
        self.document().to_string().chars().filter(|character| !character.is_whitespace()).count()
    }
}

impl Serialize for Policy {
    /// As IAM takes it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document().serialize(serializer)
    }
}

impl Statement {
    fn json(&self) -> Value {
        let mut statement = json!({"Effect": "Allow", "Action": self.actions, "Resource": self.resources});
        if let Some(condition) = &self.condition {
            statement["Condition"] = condition.json();
        }
        statement
    }
}
