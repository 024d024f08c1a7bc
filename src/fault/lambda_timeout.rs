//! `lambda_timeout`: shortens the time after which Lambda kills an invocation, for real timeouts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::configuration::{self, Configuration, TIMEOUT};
use super::settings::SettingsChange;
use super::switch::Cover;
use super::target::TargetNeed;
use crate::unit::{DurationText, TargetId};

/// Sets a function's timeout. AWS: whole seconds, 1 to 900 (UpdateFunctionConfiguration).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaTimeout {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// The timeout while the fault lasts, in whole seconds.
    #[schemars(example = &"2s")]
    pub timeout: DurationText,
}

impl LambdaTimeout {
    /// AWS: the shortest and the longest timeout of a function, in seconds (UpdateFunctionConfiguration).
    pub const SECONDS: std::ops::RangeInclusive<u32> = 1..=900;

    /// The timeout in whole seconds, where AWS would take it.
    #[must_use]
    pub fn seconds(&self) -> Option<u32> {
        let seconds = u32::try_from(self.timeout.as_secs()).ok()?;
        (self.timeout.subsec_nanos() == 0 && Self::SECONDS.contains(&seconds)).then_some(seconds)
    }
}

impl Fault for LambdaTimeout {
    type Change = SettingsChange<Configuration>;
    const ABOUT: About = About {
        effect: "Lambda kills invocations that take longer, in the middle of their work",
        undo: "UpdateFunctionConfiguration with the former timeout",
        blast_radius: "every invocation of `$LATEST`; new environments start cold, twice",
    };
    const TARGET: TargetNeed = TargetNeed::Latest;
    const CALLS: Calls = configuration::CALLS;

    fn objections(&self) -> Vec<Objection> {
        let message = format!("Lambda takes no timeout of `{}`", self.timeout);
        let help = "write whole seconds from `1s` to `15m`";
        let objection = Objection::value("timeout", "out-of-range", message, help);
        self.seconds().is_none().then_some(objection).into_iter().collect()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<Configuration>, FaultError> {
        let why = "the timeout of the fault is not in whole seconds from 1 to 900";
        let seconds = self.seconds().ok_or_else(|| FaultError::not_safe(self.target.as_str(), why))?;
        let injected = BTreeMap::from([(TIMEOUT.to_owned(), Some(seconds.into()))]);
        Configuration::prepare(environment, &self.target, injected).await
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("set the timeout of `{}` to {}", self.target, self.timeout),
            undo: "put the former timeout back".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec![TIMEOUT.to_owned()]
    }

    fn cover(&self) -> Cover {
        configuration::COVER
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::owed;
    use super::super::testing::{Field, UPDATE_CONFIGURATION};
    use super::*;
    use crate::fault::{FaultKind, Reverted};

    fn shorten(timeout: Duration) -> FaultKind {
        let timeout = DurationText(timeout);
        FaultKind::LambdaTimeout(LambdaTimeout { target: "checkout".parse().unwrap(), timeout })
    }

    fn fault() -> FaultKind {
        shorten(Duration::from_secs(1))
    }

    #[tokio::test(start_paused = true)]
    async fn it_owes_what_every_fault_on_a_function_owes() {
        owed::all(&fault(), &[Field::Timeout]).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_that_somebody_else_set_is_left_alone() {
        let fake = owed::checkout();
        let undo = fake.injected(&fault()).await;
        fake.change(|state| state.timeout_seconds = 12);
        let Reverted::Drift(lines) = undo.revert(&fake.environment()).await.unwrap() else { panic!("no drift") };
        assert_eq!(lines, ["timeout of `checkout` is 12 s; it was 30 s before and 1 s as injected"]);
        assert_eq!((fake.changing_calls(), fake.state().timeout_seconds), (1, 12));
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_that_somebody_else_sets_in_the_middle_of_the_undo_is_left_alone() {
        let fake = owed::checkout();
        let undo = fake.injected(&fault()).await;
        fake.second_writer(|operation, function, hand| {
            if operation == UPDATE_CONFIGURATION {
                hand.set_timeout(function, 12);
            }
        });
        let outcome = undo.revert(&fake.environment()).await.unwrap();
        assert!(matches!(outcome, Reverted::Drift(_)), "{outcome:?}");
        assert_eq!(fake.state().timeout_seconds, 12);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_that_somebody_else_set_since_it_was_read_is_not_overwritten() {
        let lines =
            owed::what_was_changed_since_it_was_read_is_not_overwritten(&fault(), |state| state.timeout_seconds = 12)
                .await;
        assert_eq!(lines.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_that_somebody_else_put_back_is_as_before() {
        let fake = owed::checkout();
        let undo = fake.injected(&fault()).await;
        fake.change(|state| state.timeout_seconds = 30);
        assert_eq!(undo.revert(&fake.environment()).await.unwrap(), Reverted::AsBefore);
        assert_eq!(fake.changing_calls(), 1);
    }

    /// An update that AWS makes anyway may fail for want of the key, and no undo would be certain then.
    #[tokio::test(start_paused = true)]
    async fn a_function_whose_variables_can_not_be_read_is_refused_and_one_that_lost_its_key_later_is_undone() {
        let fake = owed::checkout();
        fake.change(|state| state.environment = None);
        let refused = fault().prepare(&fake.environment()).await;
        assert!(matches!(refused, Err(FaultError::Unsafe { .. })), "{refused:?}");
        assert_eq!(fake.changing_calls(), 0);

        let fake = owed::checkout();
        let undo = fake.injected(&fault()).await;
        fake.change(|state| state.environment = None);
        assert_eq!(undo.revert(&fake.environment()).await.unwrap(), Reverted::Restored);
        assert_eq!((fake.state().timeout_seconds, fake.state().environment), (30, None));
    }

    /// What is read is what was asked for, while something else serves.
    #[tokio::test(start_paused = true)]
    async fn an_update_that_aws_could_not_carry_out_counts_neither_as_injected_nor_as_undone() {
        let fake = owed::checkout();
        let undo = fault().prepare(&fake.environment()).await.unwrap();
        fake.change(|state| state.is_failed = true);
        let armed = super::super::testing::armed();
        let injected = undo.inject(&fake.environment(), &armed).await;
        assert!(matches!(injected, Err(FaultError::NotApplied { .. })), "{injected:?}");
        let reverted = undo.revert(&fake.environment()).await;
        assert!(matches!(reverted, Err(FaultError::NotApplied { .. })), "{reverted:?}");
        fake.change(|state| state.is_failed = false);
        assert_eq!(undo.revert(&fake.environment()).await.unwrap(), Reverted::AsBefore);
        assert_eq!(fake.state().timeout_seconds, 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_timeout_that_aws_would_not_take_is_refused_before_anything_changes() {
        for timeout in [0, 500, 1_500, 901_000] {
            let fake = owed::checkout();
            let outcome = shorten(Duration::from_millis(timeout)).prepare(&fake.environment()).await;
            assert!(matches!(outcome, Err(FaultError::Unsafe { .. })), "{timeout}: {outcome:?}");
            assert_eq!(fake.changing_calls(), 0);
        }
    }
}
