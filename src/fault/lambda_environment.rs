//! `lambda_environment`: sets or takes away environment variables of a function.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Variables;
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError, Reverted, Revertible};
use super::configuration::{Decision, converge, reverted, settled};
use crate::aws::{EnvironmentVariables, FunctionConfiguration, FunctionUpdate};
use crate::unit::TargetId;

/// Changes single variables; all others stay as they are, although AWS replaces the whole map
/// (UpdateFunctionConfiguration).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaEnvironment {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// Variables to set, by name.
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub set: Variables,
    /// Variables to take away.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unset: BTreeSet<String>,
}

impl Fault for LambdaEnvironment {
    type Change = LambdaEnvironmentChange;
    const CALLS: &'static [&'static str] = &["lambda:GetFunctionConfiguration", "lambda:UpdateFunctionConfiguration"];

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<LambdaEnvironmentChange, FaultError> {
        let function = environment.function(&self.target)?;
        let found = settled(environment, function).await?;
        let present = shown(function, &found)?;
        let set = self.set.iter().map(|(name, value)| (name, Some(value.clone())));
        let unset = self.unset.iter().map(|name| (name, None));
        let variables = set
            .chain(unset)
            .map(|(name, injected)| VariableChange {
                name: name.clone(),
                before: present.0.get(name).cloned(),
                injected,
            })
            .collect();
        Ok(LambdaEnvironmentChange { function: function.to_owned(), variables })
    }

    fn text(&self) -> ChangeText {
        let names: Vec<&str> = self.set.keys().chain(&self.unset).map(String::as_str).collect();
        ChangeText {
            change: format!("change {} in the environment of `{}`", names.join(", "), self.target),
            undo: "put the former values back, and take away what was not there".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        self.set.keys().chain(&self.unset).map(|name| format!("variable {name}")).collect()
    }
}

/// Single variables before and during the fault; all others are left as they are found.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LambdaEnvironmentChange {
    function: String,
    variables: Vec<VariableChange>,
}

/// One variable; none means that it is not there. The values may be secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VariableChange {
    name: String,
    before: Option<String>,
    injected: Option<String>,
}

impl std::fmt::Debug for LambdaEnvironmentChange {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.variables.iter().map(|variable| variable.name.as_str()).collect();
        formatter
            .debug_struct("LambdaEnvironmentChange")
            .field("function", &self.function)
            .field("variables", &names)
            .finish()
    }
}

impl Revertible for LambdaEnvironmentChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        converge(environment, &self.function, |found| {
            let found = shown(&self.function, found)?;
            if !self.drift(found).is_empty() {
                return Err(FaultError::changed_meanwhile(&self.function));
            }
            let wanted = self.variables.iter().map(|variable| (variable, &variable.injected));
            Ok(towards(found, wanted))
        })
        .await
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        let mut drift = Vec::new();
        converge(environment, &self.function, |found| {
            let found = shown(&self.function, found)?;
            drift = self.drift(found);
            // A variable that somebody else changed is left alone; the others go back.
            let ours = |variable: &&VariableChange| found.0.get(&variable.name) == variable.injected.as_ref();
            let wanted = self.variables.iter().filter(ours).map(|variable| (variable, &variable.before));
            let decision = towards(found, wanted);
            *restoring |= matches!(decision, Decision::Write(_));
            Ok(decision)
        })
        .await?;
        Ok(reverted(drift, *restoring))
    }

    fn text(&self) -> ChangeText {
        let changes: Vec<String> = self
            .variables
            .iter()
            .map(|variable| match (&variable.before, &variable.injected) {
                (None, Some(_)) => format!("{} added", variable.name),
                (Some(_), None) => format!("{} taken away", variable.name),
                (Some(_), Some(_)) | (None, None) => format!("{} changed", variable.name),
            })
            .collect();
        ChangeText {
            change: format!("environment of `{}`: {}", self.function, changes.join(", ")),
            undo: "put the former values back, and take away what was not there".to_owned(),
        }
    }

    fn by_hand(&self) -> Vec<String> {
        // The former values may be secrets: they stand in the private undo file alone.
        Vec::new()
    }
}

impl LambdaEnvironmentChange {
    /// Variables that are neither as before nor as injected, one line each, without their values.
    fn drift(&self, found: &EnvironmentVariables) -> Vec<String> {
        let changed = |variable: &&VariableChange| {
            let value = found.0.get(&variable.name);
            value != variable.before.as_ref() && value != variable.injected.as_ref()
        };
        let line = |variable: &VariableChange| {
            let what = if found.0.contains_key(&variable.name) { "was changed" } else { "was taken away" };
            format!("variable {} of `{}` {what} by somebody else", variable.name, self.function)
        };
        self.variables.iter().filter(changed).map(line).collect()
    }
}

/// The variables, where AWS shows them: writing back a map that cannot be read would wipe it.
fn shown<'a>(function: &str, found: &'a FunctionConfiguration) -> Result<&'a EnvironmentVariables, FaultError> {
    found.environment.as_ref().ok_or_else(|| FaultError::Unsafe {
        function: function.to_owned(),
        why: "its environment variables cannot be read (is the KMS key denied?)",
    })
}

/// The whole map with single variables as wanted.
fn towards<'a>(
    found: &EnvironmentVariables,
    wanted: impl Iterator<Item = (&'a VariableChange, &'a Option<String>)>,
) -> Decision {
    let mut map = found.clone();
    for (variable, value) in wanted {
        match value {
            Some(value) => map.0.insert(variable.name.clone(), value.clone()),
            None => map.0.remove(&variable.name),
        };
    }
    if map == *found {
        Decision::Done
    } else {
        Decision::Write(FunctionUpdate { timeout_seconds: None, environment: Some(map) })
    }
}
