//! `lambda_async`: what becomes of asynchronous events of a function that fail.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::configuration::ready;
use super::settings::{Found, Resource, SettingChange, Settings, SettingsChange, number};
use super::switch::{Cover, Switch, SwitchCall};
use super::target::TargetNeed;
use crate::aws::InvokeConfiguration;
use crate::unit::{DurationText, TargetId};

const RETRIES: &str = "retries";
const MAX_AGE: &str = "maximum age";
const ON_FAILURE: &str = "destination of failed events";
const ON_SUCCESS: &str = "destination of results";
/// AWS: `MaximumRetryAttempts`.
const RETRIES_RANGE: RangeInclusive<u32> = 0..=2;
/// AWS: `MaximumEventAgeInSeconds`.
const MAX_AGE_SECONDS: RangeInclusive<u64> = 60..=21_600;

/// Changes how often Lambda tries a failed event again, how old it may get, and where it goes in the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaAsync {
    /// The function, a `lambda` target; with an `alias`, that alias alone.
    pub target: TargetId,
    /// How often a failed event is tried again, 0 to 2; default as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// How old an event may get, `1m` to `6h`; default as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<DurationText>,
    /// `remove`: failed events go nowhere; default as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailureChange>,
}

/// What happens to the destination of failed events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailureChange {
    /// It is taken away: events that fail are lost.
    Remove,
}

impl LambdaAsync {
    fn injected(&self) -> BTreeMap<String, Option<Value>> {
        let retries = self.retries.map(|retries| (RETRIES.to_owned(), Some(retries.into())));
        let max_age = self.max_age.map(|age| (MAX_AGE.to_owned(), Some(age.as_secs().into())));
        let on_failure = self.on_failure.map(|OnFailureChange::Remove| (ON_FAILURE.to_owned(), None));
        [retries, max_age, on_failure].into_iter().flatten().collect()
    }
}

impl Fault for LambdaAsync {
    type Change = SettingsChange<Asynchronous>;
    const ABOUT: About = About {
        effect: "events that fail are given up sooner, or are lost instead of going to their destination",
        undo: "PutFunctionEventInvokeConfig with the former values, or DeleteFunctionEventInvokeConfig where there was none",
        blast_radius: "asynchronous invocations of the function or of its alias; what was lost stays lost",
    };
    const TARGET: TargetNeed = TargetNeed::Function;
    const CALLS: Calls = Calls {
        inject: &[
            "lambda:DeleteFunctionEventInvokeConfig",
            "lambda:GetFunctionConfiguration",
            "lambda:GetFunctionEventInvokeConfig",
            "lambda:PutFunctionEventInvokeConfig",
        ],
        undo: &[
            "lambda:DeleteFunctionEventInvokeConfig",
            "lambda:GetFunctionConfiguration",
            "lambda:GetFunctionEventInvokeConfig",
            "lambda:PutFunctionEventInvokeConfig",
        ],
    };

    fn objections(&self) -> Vec<Objection> {
        if self.injected().is_empty() {
            return vec![Objection::nothing("add `retries: 0`, `max_age: 1m` or `on_failure: remove`")];
        }
        let retries = self.retries.and_then(|retries| Objection::out_of("retries", retries, &RETRIES_RANGE, "Lambda"));
        let is_bad = |age: &DurationText| age.subsec_nanos() != 0 || !MAX_AGE_SECONDS.contains(&age.as_secs());
        let max_age = self.max_age.filter(is_bad).map(|age| {
            let message = format!("Lambda takes no age of `{age}`");
            Objection::value("max_age", "out-of-range", message, "write whole seconds from `1m` to `6h`")
        });
        retries.into_iter().chain(max_age).collect()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<Asynchronous>, FaultError> {
        let (function, alias) = environment.qualified(&self.target)?;
        ready(environment, function).await?;
        let qualifier = alias.map(str::to_owned);
        let mut resource = Asynchronous { function: function.to_owned(), qualifier, has_others: false };
        let found = resource.read(environment, &[]).await?;
        let injected = self.injected();
        resource.has_others = found.settings.keys().any(|name| !injected.contains_key(name));
        Ok(SettingsChange::new(resource, &found.settings, injected))
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("change {} of `{}`", self.settings().join(", "), self.target),
            undo: "put the former values back, and take away what was not there".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        self.injected().into_keys().collect()
    }

    fn cover(&self) -> Cover {
        Cover::Switch(&[
            "lambda:DeleteFunctionEventInvokeConfig",
            "lambda:PutFunctionEventInvokeConfig",
            "lambda:UpdateFunctionEventInvokeConfig",
        ])
    }
}

/// What is said of asynchronous invocations of a function. AWS replaces all of it at once, and has no lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asynchronous {
    function: String,
    qualifier: Option<String>,
    /// Whether anything was said before that the fault does not change.
    #[serde(default)]
    has_others: bool,
}

impl Resource for Asynchronous {
    fn name(&self) -> &str {
        &self.function
    }

    async fn read(&self, environment: &FaultEnvironment, _names: &[&str]) -> Result<Found, FaultError> {
        let lambda = &environment.aws.lambda;
        let found = lambda.invoke_configuration(&self.function, self.qualifier.as_deref()).await?;
        if found.is_none() {
            // AWS says "not found" of what was never said as well: a function that is gone is told apart.
            environment.exists(&self.function, self.qualifier.as_deref()).await?;
        }
        let found = found.unwrap_or_default();
        let settings = [
            found.retries.map(|retries| (RETRIES, retries.into())),
            found.max_age_seconds.map(|age| (MAX_AGE, age.into())),
            found.on_failure.map(|arn| (ON_FAILURE, arn.into())),
            found.on_success.map(|arn| (ON_SUCCESS, arn.into())),
        ];
        let settings = settings.into_iter().flatten().map(|(name, value): (_, Value)| (name.to_owned(), value));
        Ok(Found { settings: settings.collect(), revision: None, is_failed: false })
    }

    async fn write(&self, environment: &FaultEnvironment, _found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        let text = |name: &str| wanted.get(name).and_then(Value::as_str).map(str::to_owned);
        let configuration = InvokeConfiguration {
            retries: number(wanted, RETRIES),
            max_age_seconds: number(wanted, MAX_AGE),
            on_failure: text(ON_FAILURE),
            on_success: text(ON_SUCCESS),
        };
        let configuration = (!wanted.is_empty()).then_some(&configuration);
        let lambda = &environment.aws.lambda;
        Ok(lambda.put_invoke_configuration(&self.function, self.qualifier.as_deref(), configuration).await?)
    }

    fn show(&self, name: &str, value: &Value) -> String {
        match name {
            MAX_AGE => format!("{value} s"),
            _ => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
        }
    }

    fn by_hand(&self, changes: &[SettingChange], _undo: &Path) -> Vec<String> {
        let qualifier = self.qualifier.as_ref().map(|it| format!(" --qualifier {it}")).unwrap_or_default();
        // What was not there is given AWS's own default, which is the same to events; only `gameday recover` takes it away.
        let option = |change: &SettingChange| match (change.name.as_str(), &change.before) {
            (RETRIES, before) => format!("--maximum-retry-attempts {}", before.as_ref().unwrap_or(&Value::from(2))),
            (MAX_AGE, before) => {
                format!("--maximum-event-age-in-seconds {}", before.as_ref().unwrap_or(&Value::from(21_600)))
            }
            (_, before) => {
                let arn = before.as_ref().and_then(Value::as_str).unwrap_or_default();
                format!("--destination-config 'OnFailure={{Destination={arn}}}'")
            }
        };
        let options = changes.iter().map(option).collect::<Vec<_>>().join(" ");
        vec![format!(
            "aws lambda update-function-event-invoke-config --function-name {}{qualifier} {options}",
            self.function
        )]
    }

    fn switch(&self, changes: &[SettingChange]) -> Switch {
        let function = ("FunctionName", Some(self.function.as_str().into()));
        let qualifier = ("Qualifier", self.qualifier.as_deref().map(Value::from));
        let was_there = changes.iter().filter(|change| change.before.is_some()).count();
        let action = match (self.has_others, was_there) {
            (false, 0) => {
                return Switch::Call(SwitchCall::lambda("deleteFunctionEventInvokeConfig", [function, qualifier]));
            }
            // Put replaces the whole, of which nothing else was there.
            (false, _) => "putFunctionEventInvokeConfig",
            // Update leaves what it is not told as it is, and takes nothing away.
            (true, count) if count == changes.len() => "updateFunctionEventInvokeConfig",
            (true, _) => return Switch::None("no single call takes a setting away and leaves the others"),
        };
        let before = |name: &str| changes.iter().find(|change| change.name == name).and_then(|it| it.before.clone());
        let destination = before(ON_FAILURE).map(|arn| json!({"OnFailure": {"Destination": arn}}));
        Switch::Call(SwitchCall::lambda(
            action,
            [
                function,
                qualifier,
                ("MaximumRetryAttempts", before(RETRIES)),
                ("MaximumEventAgeInSeconds", before(MAX_AGE)),
                ("DestinationConfig", destination),
            ],
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lambda_does_not_take_is_objected_to() {
        let fault = |retries, age_seconds: Option<u64>| LambdaAsync {
            target: "checkout".parse().unwrap(),
            retries,
            max_age: age_seconds.map(|age| DurationText(std::time::Duration::from_secs(age))),
            on_failure: None,
        };
        for (fault, count) in [
            (fault(Some(0), None), 0),
            (fault(Some(3), Some(59)), 2),
            (fault(None, Some(21_600)), 0),
            (fault(None, Some(21_601)), 1),
            (fault(None, None), 1),
        ] {
            assert_eq!(fault.objections().len(), count, "{fault:?}");
        }
    }
}
