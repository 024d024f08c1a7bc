//! `lambda_timeout`: shortens the time after which Lambda kills an invocation, for real timeouts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{ChangeText, Fault, FaultEnvironment, FaultError, Reverted, Revertible};
use super::configuration::{Decision, converge, reverted, settled};
use crate::aws::{FunctionConfiguration, FunctionUpdate};
use crate::unit::{DurationText, TargetId};

/// Sets a function's timeout. AWS: whole seconds, 1 to 900 (UpdateFunctionConfiguration).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaTimeout {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// The timeout while the fault lasts, in whole seconds.
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
    type Change = LambdaTimeoutChange;
    const CALLS: &'static [&'static str] = &["lambda:GetFunctionConfiguration", "lambda:UpdateFunctionConfiguration"];

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<LambdaTimeoutChange, FaultError> {
        let function = environment.function(&self.target)?;
        let before_seconds = settled(environment, function).await?.timeout_seconds;
        let injected_seconds = self.seconds().ok_or_else(|| FaultError::Unsafe {
            function: function.to_owned(),
            why: "the timeout of the fault is not in whole seconds from 1 to 900",
        })?;
        Ok(LambdaTimeoutChange { function: function.to_owned(), before_seconds, injected_seconds })
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("set the timeout of `{}` to {}", self.target, self.timeout),
            undo: "put the former timeout back".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec!["timeout".to_owned()]
    }
}

/// A function's timeout before and during the fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LambdaTimeoutChange {
    function: String,
    before_seconds: u32,
    injected_seconds: u32,
}

impl Revertible for LambdaTimeoutChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        converge(environment, &self.function, |found| {
            if found.timeout_seconds != self.before_seconds && found.timeout_seconds != self.injected_seconds {
                return Err(FaultError::changed_meanwhile(&self.function));
            }
            Ok(self.towards(found, self.injected_seconds))
        })
        .await
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        let mut drift = Vec::new();
        converge(environment, &self.function, |found| {
            drift.clear();
            if found.timeout_seconds == self.before_seconds || found.timeout_seconds == self.injected_seconds {
                *restoring |= found.timeout_seconds != self.before_seconds;
                return Ok(self.towards(found, self.before_seconds));
            }
            drift.push(format!(
                "timeout of `{}` is {} s; it was {} s before and {} s as injected",
                self.function, found.timeout_seconds, self.before_seconds, self.injected_seconds
            ));
            Ok(Decision::Done)
        })
        .await?;
        Ok(reverted(drift, *restoring))
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("timeout of `{}`: {} s → {} s", self.function, self.before_seconds, self.injected_seconds),
            undo: format!("put {} s back", self.before_seconds),
        }
    }

    fn by_hand(&self) -> Vec<String> {
        vec![format!(
            "aws lambda update-function-configuration --function-name {} --timeout {}",
            self.function, self.before_seconds
        )]
    }
}

impl LambdaTimeoutChange {
    fn towards(&self, found: &FunctionConfiguration, wanted_seconds: u32) -> Decision {
        if found.timeout_seconds == wanted_seconds {
            Decision::Done
        } else {
            Decision::Write(FunctionUpdate { timeout_seconds: Some(wanted_seconds), environment: None })
        }
    }
}
