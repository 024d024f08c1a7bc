//! `lambda_environment`: sets or takes away environment variables of a function.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Variables;
use super::about::{About, Calls, Objection, Step};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::configuration::{self, Configuration, variable};
use super::settings::SettingsChange;
use super::switch::Cover;
use super::target::TargetNeed;
use crate::unit::{LAMBDA_RESERVED_VARIABLES, TargetId};

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
    type Change = SettingsChange<Configuration>;
    const ABOUT: About = About {
        effect: "the function's code reads other settings: a flag, a table, where a dependency is",
        undo: "UpdateFunctionConfiguration with the former values of these variables alone",
        blast_radius: "every invocation of `$LATEST`; new environments start cold, twice",
    };
    const TARGET: TargetNeed = TargetNeed::Latest;
    const CALLS: Calls = configuration::CALLS;

    fn objections(&self) -> Vec<Objection> {
        variable_objections(&self.set, &self.unset)
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<Configuration>, FaultError> {
        let set = self.set.iter().map(|(name, value)| (variable(name), Some(value.clone().into())));
        let unset = self.unset.iter().map(|name| (variable(name), None));
        Configuration::prepare(environment, &self.target, set.chain(unset).collect()).await
    }

    fn text(&self) -> ChangeText {
        let names: Vec<&str> = self.set.keys().chain(&self.unset).map(String::as_str).collect();
        ChangeText {
            change: format!("change {} in the environment of `{}`", names.join(", "), self.target),
            undo: "put the former values back, and take away what was not there".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        self.set.keys().chain(&self.unset).map(|name| variable(name)).collect()
    }

    fn cover(&self) -> Cover {
        Cover::None(configuration::VARIABLES_UNCOVERED)
    }
}

/// Variables that Lambda does not let anybody change, that are set and taken away at once, or that are none at all.
pub(super) fn variable_objections(set: &Variables, unset: &BTreeSet<String>) -> Vec<Objection> {
    if set.is_empty() && unset.is_empty() {
        let nothing = Objection::nothing("add `set: {NAME: \"value\"}` or `unset: [NAME]`");
        return vec![Objection {
            message: "nothing is set or unset: the fault would change nothing".to_owned(),
            ..nothing
        }];
    }
    let objection = |path: [Step; 2], is_about_key, (code, message, help): (_, String, Option<&str>)| Objection {
        path: path.into(),
        is_about_key,
        code,
        message,
        help: help.map(str::to_owned),
    };
    let named = |name: &String| {
        let path = [Step::Key("set".to_owned()), Step::Key(name.clone())];
        let both = unset.contains(name).then(|| ("contradiction", format!("`{name}` is set and unset at once"), None));
        let wrong = variable_problem(name).map(|(code, message, help)| (code, message, Some(help)));
        [wrong, both].into_iter().flatten().map(move |it| objection(path.clone(), true, it)).collect::<Vec<_>>()
    };
    let listed = |(index, name): (usize, &String)| {
        let (code, message, help) = variable_problem(name)?;
        let path = [Step::Key("unset".to_owned()), Step::Item(index)];
        Some(objection(path, false, (code, message, Some(help))))
    };
    set.keys().flat_map(named).chain(unset.iter().enumerate().filter_map(listed)).collect()
}

/// Why Lambda does not let a variable be changed: a code, the problem, and what to do.
#[must_use]
pub fn variable_problem(name: &str) -> Option<(&'static str, String, &'static str)> {
    if LAMBDA_RESERVED_VARIABLES.contains(&name) {
        let message = format!("`{name}` is a variable of Lambda's own, which no configuration may change");
        return Some(("reserved-variable", message, "choose a variable that the function's code reads"));
    }
    // AWS: UpdateFunctionConfiguration, `Environment`: [a-zA-Z]([a-zA-Z0-9_])+
    let is_name = name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let message = format!("`{name}` is not an environment variable's name");
    (!is_name).then_some(("invalid-value", message, "use a letter, then letters, digits and `_`"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::owed;
    use super::super::testing::{FakeFunctions, Field, FunctionState, UPDATE_CONFIGURATION, Value};
    use super::*;
    use crate::fault::{FaultKind, Reverted, Undo};

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
    async fn it_owes_what_every_fault_on_a_function_owes() {
        owed::all(&fault(), &[variable("URL"), variable("KEY")]).await;
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
        told.push_str(&format!("{:?}", fake.environment().aws.functions.configuration("checkout").await));
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
