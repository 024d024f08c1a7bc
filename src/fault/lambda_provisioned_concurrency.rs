//! `lambda_provisioned_concurrency`: takes warm environments of an alias away.

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

const PROVISIONED: &str = "provisioned concurrency";

/// Changes how many environments of an alias are kept warm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaProvisionedConcurrency {
    /// The function, a `lambda` target with an `alias`.
    #[schemars(extend("examples" = ["payments-live"]))]
    pub target: TargetId,
    /// How many environments stay warm while the fault lasts; 0 is none.
    pub provisioned: u32,
}

impl Fault for LambdaProvisionedConcurrency {
    type Change = SettingsChange<Warm>;
    const ABOUT: About = About {
        effect: "requests meet cold starts, and bursts meet the limits of scaling",
        undo: "PutProvisionedConcurrencyConfig with the former number; AWS takes minutes to warm them again",
        blast_radius: "the alias; other aliases and versions keep what they have",
    };
    const TARGET: TargetNeed = TargetNeed::Alias;
    const CALLS: Calls = Calls {
        inject: &[
            "lambda:DeleteProvisionedConcurrencyConfig",
            "lambda:GetFunctionConfiguration",
            "lambda:GetProvisionedConcurrencyConfig",
            "lambda:PutProvisionedConcurrencyConfig",
        ],
        undo: &[
            "lambda:DeleteProvisionedConcurrencyConfig",
            "lambda:GetProvisionedConcurrencyConfig",
            "lambda:PutProvisionedConcurrencyConfig",
        ],
    };

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<Warm>, FaultError> {
        let (function, alias) = environment.qualified(&self.target)?;
        ready(environment, function).await?;
        let alias = alias.ok_or_else(|| FaultError::Target(self.target.clone()))?;
        let resource = Warm { function: function.to_owned(), alias: alias.to_owned() };
        let found = resource.read(environment, &[]).await?;
        // AWS: "none" is the absence of the configuration; 0 is not taken.
        let injected = (self.provisioned > 0).then(|| self.provisioned.into());
        Ok(SettingsChange::new(resource, &found.settings, BTreeMap::from([(PROVISIONED.to_owned(), injected)])))
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("set the provisioned concurrency of `{}` to {}", self.target, self.provisioned),
            undo: "put the former number back".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec![PROVISIONED.to_owned()]
    }

    fn cover(&self) -> Cover {
        Cover::Switch(&["lambda:DeleteProvisionedConcurrencyConfig", "lambda:PutProvisionedConcurrencyConfig"])
    }
}

/// Environments of an alias that are kept warm. AWS has no lock for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Warm {
    function: String,
    alias: String,
}

impl Resource for Warm {
    fn name(&self) -> &str {
        &self.function
    }

    async fn read(&self, environment: &FaultEnvironment, _names: &[&str]) -> Result<Found, FaultError> {
        // What is asked for is the setting: AWS takes minutes to follow, and an undo need not wait for it.
        let found = environment.aws.lambda.provisioned(&self.function, &self.alias).await?;
        let settings = found.map(|found| (PROVISIONED.to_owned(), found.requested.into()));
        Ok(Found { settings: settings.into_iter().collect(), revision: None, is_failed: false })
    }

    async fn write(&self, environment: &FaultEnvironment, _found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        let lambda = &environment.aws.lambda;
        Ok(lambda.provision(&self.function, &self.alias, number(wanted, PROVISIONED)).await?)
    }

    fn by_hand(&self, changes: &[SettingChange], _undo: &Path) -> Vec<String> {
        let of = format!("--function-name {} --qualifier {}", self.function, self.alias);
        let command = |change: &SettingChange| match &change.before {
            Some(before) => format!(
                "aws lambda put-provisioned-concurrency-config {of} --provisioned-concurrent-executions {before}"
            ),
            None => format!("aws lambda delete-provisioned-concurrency-config {of}"),
        };
        changes.iter().map(command).collect()
    }

    fn switch(&self, changes: &[SettingChange]) -> Switch {
        let before = changes.first().and_then(|change| change.before.clone());
        let action =
            if before.is_some() { "putProvisionedConcurrencyConfig" } else { "deleteProvisionedConcurrencyConfig" };
        Switch::Call(SwitchCall::lambda(
            action,
            [
                ("FunctionName", Some(self.function.as_str().into())),
                ("Qualifier", Some(self.alias.as_str().into())),
                ("ProvisionedConcurrentExecutions", before),
            ],
        ))
    }
}
