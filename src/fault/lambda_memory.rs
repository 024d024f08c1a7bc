//! `lambda_memory`: less memory for a function, and with it a smaller share of a CPU.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::configuration::{self, Configuration, MEMORY};
use super::settings::SettingsChange;
use super::switch::Cover;
use super::target::TargetNeed;
use crate::unit::TargetId;

/// AWS: the least and the most memory of a function, in MB (UpdateFunctionConfiguration).
pub(super) const MEGABYTES: RangeInclusive<u32> = 128..=10_240;

/// Sets a function's memory. AWS gives it a share of a CPU in proportion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaMemory {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// The memory while the fault lasts, in MB, 128 to 10,240.
    pub mb: u32,
}

impl Fault for LambdaMemory {
    type Change = SettingsChange<Configuration>;
    const ABOUT: About = About {
        effect: "invocations are slower, since the CPU shrinks with the memory, or end out of memory",
        undo: "UpdateFunctionConfiguration with the former memory",
        blast_radius: "every invocation of `$LATEST`; new environments start cold, twice",
    };
    const TARGET: TargetNeed = TargetNeed::Latest;
    const CALLS: Calls = configuration::CALLS;

    fn objections(&self) -> Vec<Objection> {
        Objection::out_of("mb", self.mb, &MEGABYTES, "Lambda").into_iter().collect()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<Configuration>, FaultError> {
        let injected = BTreeMap::from([(MEMORY.to_owned(), Some(self.mb.into()))]);
        Configuration::prepare(environment, &self.target, injected).await
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("set the memory of `{}` to {} MB", self.target, self.mb),
            undo: "put the former memory back".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec![MEMORY.to_owned()]
    }

    fn cover(&self) -> Cover {
        configuration::COVER
    }
}

#[cfg(test)]
mod tests {
    use super::super::owed;
    use super::super::testing::Field;
    use super::*;
    use crate::fault::FaultKind;

    fn fault() -> FaultKind {
        FaultKind::LambdaMemory(LambdaMemory { target: "checkout".parse().unwrap(), mb: 128 })
    }

    #[tokio::test(start_paused = true)]
    async fn it_owes_what_every_fault_on_a_function_owes() {
        owed::all(&fault(), &[Field::Memory]).await;
    }

    #[test]
    fn memory_that_lambda_does_not_sell_is_objected_to() {
        for (mb, is_good) in [(127, false), (128, true), (10_240, true), (10_241, false)] {
            let fault = LambdaMemory { target: "checkout".parse().unwrap(), mb };
            assert_eq!(fault.objections().is_empty(), is_good, "{mb}");
        }
    }
}
