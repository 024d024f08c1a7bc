//! `lambda_concurrency`: sets a function's reserved concurrency, so that Lambda throttles what is above it.

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::configuration::ready;
use super::settings::{Found, Resource, SettingChange, Settings, SettingsChange, number};
use super::switch::{Cover, Switch, SwitchCall};
use super::target::TargetNeed;
use crate::unit::TargetId;

/// Sets reserved concurrency. AWS: 0 stops all invocations (PutFunctionConcurrency); callers see 429.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaConcurrency {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// How many invocations may run at once; 0 throttles all.
    pub reserved: u32,
}

impl Fault for LambdaConcurrency {
    type Change = SettingsChange<Reservation>;
    const ABOUT: About = About {
        effect: "callers of what is above the reservation see 429; queues and retries hold events back",
        undo: "PutFunctionConcurrency with the former number, or DeleteFunctionConcurrency where there was none",
        blast_radius: "the whole function, at once, with all its versions and aliases",
    };
    const TARGET: TargetNeed = TargetNeed::Function;
    const CALLS: Calls = Calls {
        inject: &[
            "lambda:DeleteFunctionConcurrency",
            "lambda:GetFunctionConcurrency",
            "lambda:GetFunctionConfiguration",
            "lambda:PutFunctionConcurrency",
        ],
        undo: &["lambda:DeleteFunctionConcurrency", "lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency"],
    };

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<Reservation>, FaultError> {
        let function = environment.function(&self.target)?;
        ready(environment, function).await?;
        let resource = Reservation { function: function.to_owned() };
        let found = resource.read(environment, &[RESERVED]).await?;
        let injected = BTreeMap::from([(RESERVED.to_owned(), Some(self.reserved.into()))]);
        Ok(SettingsChange::new(resource, &found.settings, injected))
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("set the reserved concurrency of `{}` to {}", self.target, self.reserved),
            undo: "put the former reservation back, or delete it where there was none".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec![RESERVED.to_owned()]
    }

    fn cover(&self) -> Cover {
        Cover::Switch(&["lambda:DeleteFunctionConcurrency", "lambda:PutFunctionConcurrency"])
    }
}

const RESERVED: &str = "reserved concurrency";

/// What is reserved for a function. AWS has no lock for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reservation {
    function: String,
}

impl Resource for Reservation {
    fn name(&self) -> &str {
        &self.function
    }

    async fn read(&self, environment: &FaultEnvironment, _names: &[&str]) -> Result<Found, FaultError> {
        let reserved = environment.aws.functions.reserved_concurrency(&self.function).await?;
        let settings = reserved.map(|reserved| (RESERVED.to_owned(), reserved.into()));
        Ok(Found { settings: settings.into_iter().collect(), revision: None, is_failed: false })
    }

    async fn write(&self, environment: &FaultEnvironment, _found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        let reserved = number(wanted, RESERVED);
        Ok(environment.aws.functions.reserve_concurrency(&self.function, reserved).await?)
    }

    fn by_hand(&self, changes: &[SettingChange], _undo: &Path) -> Vec<String> {
        let command = |change: &SettingChange| match &change.before {
            Some(before) => format!(
                "aws lambda put-function-concurrency --function-name {} --reserved-concurrent-executions {before}",
                self.function
            ),
            None => format!("aws lambda delete-function-concurrency --function-name {}", self.function),
        };
        changes.iter().map(command).collect()
    }

    fn switch(&self, changes: &[SettingChange]) -> Switch {
        let before = changes.first().and_then(|change| change.before.clone());
        let action = if before.is_some() { "putFunctionConcurrency" } else { "deleteFunctionConcurrency" };
        let function = Some(self.function.as_str().into());
        Switch::Call(SwitchCall::lambda(action, [("FunctionName", function), ("ReservedConcurrentExecutions", before)]))
    }
}

#[cfg(test)]
mod tests {
    use super::super::owed;
    use super::super::testing::{DELETE_CONCURRENCY, Field, PUT_CONCURRENCY, Trouble};
    use super::*;
    use crate::fault::{FaultKind, Reverted};

    fn reserve(reserved: u32) -> FaultKind {
        FaultKind::LambdaConcurrency(LambdaConcurrency { target: "checkout".parse().unwrap(), reserved })
    }

    fn fault() -> FaultKind {
        reserve(0)
    }

    #[tokio::test(start_paused = true)]
    async fn it_owes_what_every_fault_on_a_function_owes() {
        owed::all(&fault(), &[Field::Concurrency]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn no_reservation_is_deleted_again_and_a_reservation_of_zero_is_put_back() {
        for (before, deletes) in [(None, 1), (Some(0), 0), (Some(7), 0)] {
            let fake = owed::checkout();
            fake.change(|state| state.reserved = before);
            let undo = fake.injected(&reserve(5)).await;
            assert_eq!(fake.state().reserved, Some(5));
            assert_eq!(undo.revert(&fake.environment()).await.unwrap(), Reverted::Restored);
            assert_eq!(fake.state().reserved, before);
            assert_eq!((fake.calls(DELETE_CONCURRENCY), fake.calls(PUT_CONCURRENCY)), (deletes, 2 - deletes));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reservation_that_is_as_injected_already_is_not_made_and_not_undone() {
        let fake = owed::checkout();
        fake.change(|state| state.reserved = Some(0));
        let undo = fake.injected(&fault()).await;
        assert_eq!(undo.revert(&fake.environment()).await.unwrap(), Reverted::AsBefore);
        assert_eq!((fake.changing_calls(), fake.state().reserved), (0, Some(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_reservation_that_somebody_else_made_is_left_alone() {
        for theirs in [Some(9), None] {
            let fake = owed::checkout();
            fake.change(|state| state.reserved = Some(50));
            let undo = fake.injected(&fault()).await;
            fake.change(|state| state.reserved = theirs);
            let Reverted::Drift(lines) = undo.revert(&fake.environment()).await.unwrap() else { panic!("no drift") };
            assert_eq!(
                lines,
                [format!(
                    "reserved concurrency of `checkout` is {}; it was 50 before and 0 as injected",
                    theirs.map_or("none".to_owned(), |it| it.to_string())
                )]
            );
            assert_eq!((fake.changing_calls(), fake.state().reserved), (1, theirs));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_somebody_else_reserved_since_it_was_read_is_not_overwritten() {
        let lines =
            owed::what_was_changed_since_it_was_read_is_not_overwritten(&fault(), |state| state.reserved = Some(9))
                .await;
        assert_eq!(lines.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_somebody_else_reserved_while_the_injection_was_throttled_is_not_overwritten() {
        let fake = owed::checkout();
        let undo = fault().prepare(&fake.environment()).await.unwrap();
        fake.script(PUT_CONCURRENCY, [Trouble::Throttled]);
        let mut calls = 0;
        fake.second_writer(move |_, function, hand| {
            calls += 1;
            if calls == 3 {
                hand.reserve(function, Some(9));
            }
        });
        let outcome = undo.inject(&fake.environment(), &super::super::testing::armed()).await;
        assert!(matches!(outcome, Err(FaultError::Unsafe { .. })), "{outcome:?}");
        assert_eq!(fake.state().reserved, Some(9));
    }

    #[tokio::test(start_paused = true)]
    async fn by_hand_is_a_delete_where_there_was_no_reservation() {
        let fake = owed::checkout();
        let by_hand = fault().prepare(&fake.environment()).await.unwrap().by_hand(Path::new("undo.json"));
        assert_eq!(by_hand, ["aws lambda delete-function-concurrency --function-name checkout"]);
        fake.change(|state| state.reserved = Some(0));
        let by_hand = reserve(3).prepare(&fake.environment()).await.unwrap().by_hand(Path::new("undo.json"));
        let put = "aws lambda put-function-concurrency --function-name checkout --reserved-concurrent-executions 0";
        assert_eq!(by_hand, [put]);
    }
}
