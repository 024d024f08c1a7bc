//! `lambda_concurrency`: sets a function's reserved concurrency, so that Lambda throttles what is above it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{ChangeText, Fault, FaultEnvironment, FaultError, Reverted, Revertible};
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
    type Change = LambdaConcurrencyChange;
    const CALLS: &'static [&'static str] =
        &["lambda:DeleteFunctionConcurrency", "lambda:GetFunctionConcurrency", "lambda:PutFunctionConcurrency"];

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<LambdaConcurrencyChange, FaultError> {
        let function = environment.function(&self.target)?;
        let before = environment.functions.reserved_concurrency(function).await?;
        Ok(LambdaConcurrencyChange { function: function.to_owned(), before, injected: self.reserved })
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("set the reserved concurrency of `{}` to {}", self.target, self.reserved),
            undo: "put the former reservation back, or delete it where there was none".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec!["reserved concurrency".to_owned()]
    }
}

/// Reserved concurrency before and during the fault. None before is not 0: it means that nothing was reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LambdaConcurrencyChange {
    function: String,
    before: Option<u32>,
    injected: u32,
}

impl Revertible for LambdaConcurrencyChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        // Lambda has no lock for it, so it is read right before: what others reserved meanwhile is not overwritten.
        let found = environment.functions.reserved_concurrency(&self.function).await?;
        if found == Some(self.injected) {
            return Ok(());
        }
        if found != self.before {
            return Err(FaultError::changed_meanwhile(&self.function));
        }
        environment.functions.reserve_concurrency(&self.function, Some(self.injected)).await?;
        let found = environment.functions.reserved_concurrency(&self.function).await?;
        self.expect(found, Some(self.injected))
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        let found = environment.functions.reserved_concurrency(&self.function).await?;
        if found == self.before {
            return Ok(if *restoring { Reverted::Restored } else { Reverted::AsBefore });
        }
        if found != Some(self.injected) {
            return Ok(Reverted::Drift(vec![format!(
                "reserved concurrency of `{}` is {}; it was {} before and {} as injected",
                self.function,
                show(found),
                show(self.before),
                self.injected
            )]));
        }
        *restoring = true;
        environment.functions.reserve_concurrency(&self.function, self.before).await?;
        let found = environment.functions.reserved_concurrency(&self.function).await?;
        self.expect(found, self.before).map(|()| Reverted::Restored)
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("reserved concurrency of `{}`: {} → {}", self.function, show(self.before), self.injected),
            undo: match self.before {
                Some(before) => format!("put {before} back"),
                None => "delete the reservation: there was none".to_owned(),
            },
        }
    }

    fn by_hand(&self) -> Vec<String> {
        vec![match self.before {
            Some(before) => format!(
                "aws lambda put-function-concurrency --function-name {} --reserved-concurrent-executions {before}",
                self.function
            ),
            None => format!("aws lambda delete-function-concurrency --function-name {}", self.function),
        }]
    }
}

impl LambdaConcurrencyChange {
    fn expect(&self, found: Option<u32>, wanted: Option<u32>) -> Result<(), FaultError> {
        if found == wanted {
            return Ok(());
        }
        Err(FaultError::NotApplied {
            target: self.function.clone(),
            found: format!("reserved concurrency is {} and not {}", show(found), show(wanted)),
        })
    }
}

fn show(reserved: Option<u32>) -> String {
    reserved.map_or_else(|| "none".to_owned(), |reserved| reserved.to_string())
}
