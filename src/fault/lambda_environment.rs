//! `lambda_environment`: sets or takes away environment variables of a function.

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Variables;
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError, Reverted, Revertible};
use super::configuration::{Decision, converge, ready, reverted};
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
        let found = ready(environment, function).await?;
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

    fn by_hand(&self, undo: &Path) -> Vec<String> {
        // The former values may be secrets: they go from the private undo file to AWS without being shown.
        let function = &self.function;
        let undo = undo.display().to_string().replace('\'', r"'\''");
        let restore = ".undo.lambda_environment.variables[] as $it (\
                       $now; if $it.before == null then del(.[$it.name]) else .[$it.name] = $it.before end)";
        vec![format!(
            "(f=$(mktemp) && aws lambda get-function-configuration --function-name {function} \
             --query Environment.Variables --output json \
             | jq --slurpfile file '{undo}' '. as $now | reduce $file[0]{restore} | {{Variables: .}}' > \"$f\" \
             && aws lambda update-function-configuration --function-name {function} --environment \"file://$f\"; \
             rm -f \"$f\")"
        )]
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

#[cfg(test)]
mod tests {
    use super::super::owed;
    use super::super::testing::{FakeFunctions, Field, FunctionState, UPDATE_CONFIGURATION, Value};
    use super::*;
    use crate::fault::{FaultKind, Undo};

    fn change(set: &[(&str, &str)], unset: &[&str]) -> FaultKind {
        FaultKind::LambdaEnvironment(LambdaEnvironment {
            target: "checkout".parse().unwrap(),
            set: set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            unset: unset.iter().map(|name| (*name).to_owned()).collect(),
        })
    }

    /// Adds `URL` and changes `KEY`.
    fn fault() -> FaultKind {
        change(&[("URL", "injected-1"), ("KEY", "injected-2")], &[])
    }

    fn variable(name: &str) -> Field {
        Field::Variable(name.to_owned())
    }

    fn value(fake: &FakeFunctions, name: &str) -> Value {
        fake.state().value(&variable(name))
    }

    #[tokio::test(start_paused = true)]
    async fn its_own_settings_change_and_go_back_and_a_second_undo_changes_nothing() {
        owed::its_own_settings_change_and_go_back_once(&fault(), &[variable("URL"), variable("KEY")]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_answer_counts_as_applied_and_is_settled_by_reading() {
        owed::a_lost_answer_is_settled_by_reading(&fault()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_conflicts_and_failures_are_waited_for() {
        owed::what_passes_is_waited_for(&fault()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_that_never_ends_is_an_error_within_the_budget() {
        owed::what_never_passes_is_an_error_in_its_time(&fault()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn foreign_changes_of_other_settings_are_kept() {
        owed::foreign_changes_of_other_settings_are_kept(&fault(), &[variable("URL"), variable("KEY")]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_function_that_is_gone_has_nothing_to_undo() {
        owed::a_function_that_is_gone_has_nothing_to_undo(&fault()).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_variable_that_is_absent_is_not_one_that_is_empty() {
        let fake = FakeFunctions::checkout(FunctionState::with(&[("EMPTY", ""), ("GONE", "")]));
        let before = fake.state();
        let undo = fake.injected(&change(&[("EMPTY", "injected"), ("NEW", "")], &["GONE", "NEVER"])).await;
        let during = FunctionState::with(&[("EMPTY", "injected"), ("NEW", "")]);
        assert_eq!(fake.state(), during);
        assert_eq!(undo.revert(&fake.environment()).await.unwrap(), Reverted::Restored);
        assert_eq!(fake.state(), before);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_variable_goes_and_comes_back() {
        let fake = FakeFunctions::checkout(FunctionState::with(&[("KEY", "secret-1")]));
        let undo = fake.injected(&change(&[], &["KEY"])).await;
        assert_eq!(fake.state(), FunctionState::with(&[]));
        assert_eq!(undo.revert(&fake.environment()).await.unwrap(), Reverted::Restored);
        assert_eq!(fake.state(), FunctionState::with(&[("KEY", "secret-1")]));
    }

    #[tokio::test(start_paused = true)]
    async fn a_variable_that_somebody_else_changed_is_left_alone_and_the_others_go_back() {
        for (theirs, what) in [(Some("foreign-1".to_owned()), "was changed"), (None, "was taken away")] {
            let fake = owed::checkout();
            let undo = fake.injected(&fault()).await;
            let written = theirs.clone();
            fake.change(|state| {
                let variables = state.environment.as_mut().unwrap();
                match written {
                    Some(value) => variables.insert("KEY".to_owned(), value),
                    None => variables.remove("KEY"),
                };
            });
            for _ in 0..2 {
                let outcome = undo.revert(&fake.environment()).await.unwrap();
                let line = format!("variable KEY of `checkout` {what} by somebody else");
                assert_eq!(outcome, Reverted::Drift(vec![line]));
                assert_eq!((value(&fake, "KEY"), value(&fake, "URL")), (theirs.clone(), None));
                assert_eq!(fake.changing_calls(), 2, "one to inject and one to undo");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_variable_that_somebody_else_sets_in_the_middle_of_the_undo_is_left_alone() {
        let fake = owed::checkout();
        let undo = fake.injected(&fault()).await;
        let mut calls = 0;
        fake.second_writer(move |operation, function, hand| {
            calls += u32::from(operation == UPDATE_CONFIGURATION);
            if operation == UPDATE_CONFIGURATION && calls == 1 {
                hand.set_variable(function, "KEY", Some("foreign-1".to_owned()));
            }
        });
        let outcome = undo.revert(&fake.environment()).await.unwrap();
        assert!(matches!(outcome, Reverted::Drift(_)), "{outcome:?}");
        assert_eq!((value(&fake, "KEY"), value(&fake, "URL")), (Some("foreign-1".to_owned()), None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_variable_that_somebody_else_set_since_it_was_read_is_not_overwritten() {
        let lines = owed::what_was_changed_since_it_was_read_is_not_overwritten(&fault(), |state| {
            state.environment.as_mut().unwrap().insert("URL".to_owned(), "foreign-1".to_owned());
        })
        .await;
        assert_eq!(lines, ["variable URL of `checkout` was changed by somebody else"]);
    }

    #[tokio::test(start_paused = true)]
    async fn variables_that_can_not_be_read_are_never_written() {
        let is_refused = |outcome: &FaultError| matches!(outcome, FaultError::Unsafe { .. });
        let fake = owed::checkout();
        let undo = fake.injected(&fault()).await;
        fake.change(|state| state.environment = None);
        assert!(is_refused(&fault().prepare(&fake.environment()).await.unwrap_err()));
        assert!(is_refused(&undo.revert(&fake.environment()).await.unwrap_err()));
        let armed = super::super::testing::armed();
        assert!(is_refused(&undo.inject(&fake.environment(), &armed).await.unwrap_err()));
        assert_eq!((fake.changing_calls(), fake.state().environment), (1, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fresh_process_undoes_it_from_the_file_alone() {
        let fake = owed::checkout();
        let before = fake.state();
        let json = serde_json::to_string(&fake.injected(&fault()).await).unwrap();
        let undo: Undo = serde_json::from_str(&json).unwrap();
        assert_eq!(undo.revert(&fake.environment()).await.unwrap(), Reverted::Restored);
        assert_eq!(fake.state(), before);
    }

    #[tokio::test(start_paused = true)]
    async fn no_value_of_a_variable_is_told() {
        let fake = owed::checkout();
        let fault = change(&[("URL", "injected-1"), ("KEY", "injected-2")], &["OWNER"]);
        let undo = fake.injected(&fault).await;
        let mut told = format!(
            "{undo:?} {undo:#?} {:?} {:?} {:?}",
            undo.text(),
            fault.text(),
            undo.by_hand(Path::new("undo.json"))
        );
        fake.change(|state| {
            state.environment = Some([("KEY".to_owned(), "foreign-1".to_owned())].into());
        });
        told.push_str(&format!("{:?}", undo.revert(&fake.environment()).await));
        told.push_str(&format!("{:?}", fake.environment().functions.configuration("checkout").await));
        let armed = super::super::testing::armed();
        told.push_str(&format!("{:?}", undo.inject(&fake.environment(), &armed).await));
        fake.change(|state| state.environment = None);
        told.push_str(&format!("{:?}", undo.revert(&fake.environment()).await));
        assert!(told.contains("KEY") && told.contains("OWNER") && told.contains("Drift"), "{told}");
        for value in ["secret-", "injected-", "foreign-"] {
            assert!(!told.contains(value), "{value} in {told}");
        }
    }
}
