//! `lambda_canary`: a faulty version of a function for a share of an alias's traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Variables;
use super::about::{About, Calls, Objection, Step};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError, Reverted, Revertible};
use super::configuration::{Configuration, MEMORY, TIMEOUT, ready, settings, variable, wait_by_hand};
use super::lambda_environment::variable_objections;
use super::lambda_timeout::LambdaTimeout;
use super::settings::SettingsChange;
use super::switch::{Cover, Switch, SwitchCall};
use super::target::TargetNeed;
use crate::aws::Alias;
use crate::unit::{DurationText, Percent, TargetId};

const ROUTING: &str = "alias routing";

/// Publishes a version with a faulty configuration and leads a share of the alias's traffic to it. The good version stays
/// warm, and the undo is one `UpdateAlias`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaCanary {
    /// The function, a `lambda` target with an `alias`.
    #[schemars(extend("examples" = ["payments-live"]))]
    pub target: TargetId,
    /// The share of the alias's traffic that meets the faulty version: `10%`.
    pub weight: Percent,
    /// What is different in the faulty version.
    pub with: FaultyConfiguration,
}

/// What is different in a faulty version; everything else is as in the version that serves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FaultyConfiguration {
    /// The timeout, whole seconds from `1s` to `15m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
    /// The memory in MB, 128 to 10,240.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// Environment variables to set, by name.
    #[serde(skip_serializing_if = "Variables::is_empty")]
    pub set: Variables,
    /// Environment variables to take away.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unset: BTreeSet<String>,
}

impl FaultyConfiguration {
    fn injected(&self) -> BTreeMap<String, Option<Value>> {
        let timeout = self.timeout.map(|timeout| (TIMEOUT.to_owned(), Some(timeout.as_secs().into())));
        let memory = self.memory.map(|memory| (MEMORY.to_owned(), Some(memory.into())));
        let set = self.set.iter().map(|(name, value)| (variable(name), Some(value.clone().into())));
        let unset = self.unset.iter().map(|name| (variable(name), None));
        timeout.into_iter().chain(memory).chain(set).chain(unset).collect()
    }
}

impl Fault for LambdaCanary {
    type Change = CanaryChange;
    const ABOUT: About = About {
        effect: "a share of the requests meets a faulty version: timeouts, less memory, other settings",
        undo: "UpdateAlias without the faulty version, which is then deleted",
        blast_radius: "the share of one alias's traffic that `weight` says; for the seconds of publishing `$LATEST` as well",
    };
    const TARGET: TargetNeed = TargetNeed::Alias;
    const CALLS: Calls = Calls {
        inject: &[
            "lambda:DeleteFunction",
            "lambda:GetAlias",
            "lambda:GetFunctionConfiguration",
            "lambda:GetLayerVersion",
            "lambda:ListVersionsByFunction",
            "lambda:PublishVersion",
            "lambda:UpdateAlias",
            "lambda:UpdateFunctionConfiguration",
        ],
        undo: &[
            "lambda:DeleteFunction",
            "lambda:GetAlias",
            "lambda:GetFunctionConfiguration",
            "lambda:GetLayerVersion",
            "lambda:ListVersionsByFunction",
            "lambda:UpdateAlias",
            "lambda:UpdateFunctionConfiguration",
        ],
    };

    fn objections(&self) -> Vec<Objection> {
        let mut objections = Vec::new();
        let share = self.weight.ratio();
        if share <= 0.0 || share >= 1.0 {
            let message = format!("an alias can not give {} of its traffic to a second version", self.weight);
            objections.push(Objection::value(
                "weight",
                "out-of-range",
                message,
                "write more than 0% and less than 100%",
            ));
        }
        let with = &self.with;
        if with.injected().is_empty() {
            objections.push(Objection {
                path: vec![Step::Key("with".to_owned())],
                ..Objection::nothing("add `timeout: 1s`, `memory: 128`, `set: {NAME: \"value\"}` or `unset: [NAME]`")
            });
            return objections;
        }
        let mut inner = Vec::new();
        if let Some(timeout) = with.timeout {
            inner.extend(LambdaTimeout { target: self.target.clone(), timeout }.objections());
        }
        if let Some(memory) = with.memory {
            inner.extend(Objection::out_of("memory", memory, &super::lambda_memory::MEGABYTES, "Lambda"));
        }
        if !with.set.is_empty() || !with.unset.is_empty() {
            inner.extend(variable_objections(&with.set, &with.unset));
        }
        objections.extend(inner.into_iter().map(|mut objection| {
            objection.path.insert(0, Step::Key("with".to_owned()));
            objection
        }));
        objections
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<CanaryChange, FaultError> {
        let (function, alias_name) = environment.qualified(&self.target)?;
        let alias_name = alias_name.ok_or_else(|| FaultError::Target(self.target.clone()))?;
        let refuse = |why| FaultError::not_safe(function, why);
        let latest = ready(environment, function).await?;
        let alias = environment.aws.lambda.alias(function, alias_name).await?;
        if !alias.weights.is_empty() {
            return Err(refuse("its alias splits its traffic already (is a deployment under way?)"));
        }
        let good = environment.aws.functions.configuration(&format!("{function}:{}", alias.version)).await?;
        if good.code_sha256 != latest.code_sha256 {
            return Err(refuse("`$LATEST` has other code than the version that the alias serves"));
        }
        let code_sha256 = latest.code_sha256.clone();
        // The faulty version is the good one but for what is asked for, whatever `$LATEST` was changed to since.
        let (found, good) = (settings(&latest), settings(&good));
        let names = found.keys().chain(good.keys()).filter(|name| found.get(*name) != good.get(*name));
        let mut injected: BTreeMap<String, Option<Value>> =
            names.map(|name| (name.clone(), good.get(name).cloned())).collect();
        injected.extend(self.with.injected());
        injected.retain(|name, value| found.get(name) != value.as_ref());
        Ok(CanaryChange {
            function: function.to_owned(),
            alias: alias_name.to_owned(),
            good: alias.version,
            code_sha256,
            token: environment.occasion.token.clone(),
            weight: self.weight.ratio(),
            latest: SettingsChange::new(Configuration::of(function), &found, injected),
        })
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("lead {} of the traffic of `{}` to a faulty version", self.weight, self.target),
            undo: "lead all of it to the good version, and delete the faulty one".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        std::iter::once(ROUTING.to_owned()).chain(self.with.injected().into_keys()).collect()
    }

    fn cover(&self) -> Cover {
        Cover::Switch(&["lambda:UpdateAlias"])
    }
}

/// A faulty version of our own, known by its description, and its share of an alias that had no second version before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanaryChange {
    function: String,
    alias: String,
    /// The version that the alias serves.
    good: String,
    /// The digest of its code, which the faulty version has as well.
    code_sha256: String,
    /// The description of the faulty version.
    token: String,
    /// The share, between 0 and 1.
    weight: f64,
    /// What `$LATEST` is changed to while the faulty version is published, and back.
    latest: SettingsChange<Configuration>,
}

impl CanaryChange {
    /// The versions that are ours: one at most, but for calls that were made twice.
    async fn ours(&self, environment: &FaultEnvironment) -> Result<Vec<String>, FaultError> {
        let versions = environment.aws.lambda.versions(&self.function).await?;
        let ours = versions.into_iter().filter(|version| version.description == self.token);
        Ok(ours.map(|version| version.version).collect())
    }

    async fn alias(&self, environment: &FaultEnvironment) -> Result<Alias, FaultError> {
        Ok(environment.aws.lambda.alias(&self.function, &self.alias).await?)
    }

    async fn route(
        &self,
        environment: &FaultEnvironment,
        weights: &BTreeMap<String, f64>,
        found: &Alias,
    ) -> Result<(), FaultError> {
        let lambda = &environment.aws.lambda;
        lambda.route_alias(&self.function, &self.alias, weights, found.revision.as_deref()).await?;
        match self.alias(environment).await? {
            alias if alias.weights == *weights => Ok(()),
            _ => Err(self.not_applied("reading back shows another routing of the alias than the one written")),
        }
    }

    fn not_applied(&self, found: &str) -> FaultError {
        FaultError::NotApplied { target: self.function.clone(), found: found.to_owned() }
    }

    /// The faulty version, made where it is not there yet.
    async fn published(&self, environment: &FaultEnvironment) -> Result<String, FaultError> {
        if let Some(version) = self.ours(environment).await?.pop() {
            return Ok(version);
        }
        self.latest.try_inject(environment).await?;
        environment.aws.lambda.publish_version(&self.function, &self.token, &self.code_sha256).await?;
        let found = self.ours(environment).await?.pop();
        found.ok_or_else(|| self.not_applied("AWS published no version, since one like it is there already"))
    }
}

impl Revertible for CanaryChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        let ours = self.ours(environment).await?;
        let alias = self.alias(environment).await?;
        // Before anything is published: what others route or deploy meanwhile is not overwritten.
        if alias.version != self.good || alias.weights.keys().any(|version| !ours.contains(version)) {
            return Err(FaultError::changed_meanwhile(&self.function));
        }
        let version = self.published(environment).await?;
        if let Reverted::Drift(_) = self.latest.try_revert(environment, &mut false).await? {
            return Err(FaultError::changed_meanwhile(&self.function));
        }
        let weights = BTreeMap::from([(version, self.weight)]);
        if alias.weights == weights {
            return Ok(());
        }
        self.route(environment, &weights, &alias).await
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        let ours = self.ours(environment).await?;
        let mut drift = Vec::new();
        // Only the function's own absence means that there is nothing left: that is what the versions tell.
        let alias = match self.alias(environment).await {
            Ok(alias) => Some(alias),
            Err(FaultError::Aws(error)) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        match &alias {
            None => drift.push(format!("alias `{}` of `{}` was deleted by somebody else", self.alias, self.function)),
            Some(alias) if ours.contains(&alias.version) => {
                drift.push(format!("alias `{}` of `{}` serves the faulty version alone", self.alias, self.function));
            }
            Some(alias) if alias.weights.keys().any(|version| ours.contains(version)) => {
                *restoring = true;
                self.route(environment, &BTreeMap::new(), alias).await?;
            }
            Some(alias) if !alias.weights.is_empty() => {
                drift.push(format!("alias `{}` of `{}` was routed by somebody else", self.alias, self.function));
            }
            Some(_) => {}
        }
        if let Reverted::Drift(lines) = self.latest.try_revert(environment, restoring).await? {
            drift.extend(lines);
        }
        let serves = alias.map(|alias| alias.version);
        for version in ours.iter().filter(|version| serves.as_ref() != Some(*version)) {
            *restoring = true;
            environment.aws.lambda.delete_version(&self.function, version).await?;
        }
        Ok(match (drift.is_empty(), *restoring) {
            (false, _) => Reverted::Drift(drift),
            (true, true) => Reverted::Restored,
            (true, false) => Reverted::AsBefore,
        })
    }

    fn text(&self) -> ChangeText {
        let percent = self.weight * 100.0;
        ChangeText {
            change: format!(
                "{percent:.0} % of alias `{}` of `{}` to a version with {}",
                self.alias,
                self.function,
                self.latest.list()
            ),
            undo: "lead all of it to the good version, and delete the faulty one".to_owned(),
        }
    }

    fn by_hand(&self, undo: &Path) -> Vec<String> {
        let Self { function, alias, token, .. } = self;
        let mut commands = vec![format!(
            "aws lambda update-alias --function-name {function} --name {alias} \
             --routing-config AdditionalVersionWeights={{}}"
        )];
        commands.extend(self.latest.by_hand(undo));
        commands.push(format!(
            "{} && aws lambda delete-function --function-name {function} --qualifier $(aws lambda list-versions-by-function \
             --function-name {function} --query \"Versions[?Description=='{token}'].Version\" --output text)",
            wait_by_hand(function)
        ));
        commands
    }

    /// All traffic meets the good version again. The faulty one, which then serves nobody, waits for `gameday recover`.
    fn switch(&self) -> Switch {
        Switch::Call(SwitchCall::lambda(
            "updateAlias",
            [
                ("FunctionName", Some(self.function.as_str().into())),
                ("Name", Some(self.alias.as_str().into())),
                ("RoutingConfig", Some(json!({"AdditionalVersionWeights": {}}))),
            ],
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn canary(weight: &str, with: FaultyConfiguration) -> LambdaCanary {
        LambdaCanary { target: "checkout".parse().unwrap(), weight: weight.parse().unwrap(), with }
    }

    #[test]
    fn a_share_that_no_alias_can_have_and_a_version_like_the_good_one_are_objected_to() {
        let slow = FaultyConfiguration { timeout: Some(DurationText(Duration::from_secs(1))), ..Default::default() };
        assert_eq!(canary("30%", slow.clone()).objections(), []);
        for weight in ["0%", "100%"] {
            assert_eq!(canary(weight, slow.clone()).objections().len(), 1, "{weight}");
        }
        assert_eq!(canary("30%", FaultyConfiguration::default()).objections().len(), 1);
        let wrong = FaultyConfiguration {
            timeout: Some(DurationText(Duration::from_millis(1_500))),
            memory: Some(64),
            set: Variables::from([("AWS_REGION".to_owned(), "mars-1".to_owned())]),
            unset: BTreeSet::new(),
        };
        let objections = canary("30%", wrong).objections();
        assert_eq!(objections.len(), 3);
        assert!(objections.iter().all(|objection| objection.path.first() == Some(&Step::Key("with".to_owned()))));
    }
}
