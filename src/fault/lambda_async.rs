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
        let (function, qualifier) = (function.to_owned(), alias.map(str::to_owned));
        let mut resource = Asynchronous { function, qualifier, beside: Settings::new() };
        let (found, injected) = (resource.read(environment, &[]).await?.settings, self.injected());
        resource.beside = found.clone();
        resource.beside.retain(|name, _| !injected.contains_key(name));
        Ok(SettingsChange::new(resource, &found, injected))
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
    /// What was said besides that the fault does not change: a person who puts it back by hand replaces all of it.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    beside: Settings,
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
        let of = format!("--function-name {}{qualifier}", self.function);
        let known = changes.iter().filter_map(|change| Some((change.name.clone(), change.before.clone()?)));
        let before: Settings = self.beside.clone().into_iter().chain(known).collect();
        if before.is_empty() {
            return vec![format!("aws lambda delete-function-event-invoke-config {of}")];
        }
        // What was not there, or is one of two destinations, is put back only where all of it is replaced.
        let is_single = |change: &SettingChange| change.before.is_some() && [RETRIES, MAX_AGE].contains(&&*change.name);
        let (call, told) = if changes.iter().all(is_single) {
            let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
            ("update", before.into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect())
        } else {
            ("put", before)
        };
        vec![format!("aws lambda {call}-function-event-invoke-config {of} {}", options(&told))]
    }

    fn switch(&self, changes: &[SettingChange]) -> Switch {
        let function = ("FunctionName", Some(self.function.as_str().into()));
        let qualifier = ("Qualifier", self.qualifier.as_deref().map(Value::from));
        let was_there = changes.iter().filter(|change| change.before.is_some()).count();
        let action = match (!self.beside.is_empty(), was_there) {
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

/// Options of AWS's command line that say the same.
fn options(settings: &Settings) -> String {
    let numbers = [(RETRIES, "--maximum-retry-attempts"), (MAX_AGE, "--maximum-event-age-in-seconds")];
    let numbers = numbers.iter().filter_map(|(name, option)| Some(format!("{option} {}", settings.get(*name)?)));
    let destinations = [(ON_FAILURE, "OnFailure"), (ON_SUCCESS, "OnSuccess")].into_iter().filter_map(|(name, key)| {
        let arn = settings.get(name)?.as_str()?;
        Some(format!("{key}={{Destination={arn}}}"))
    });
    let destinations = destinations.collect::<Vec<_>>().join(",");
    let destinations = (!destinations.is_empty()).then(|| format!("--destination-config '{destinations}'"));
    numbers.chain(destinations).collect::<Vec<_>>().join(" ")
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

    #[test]
    fn by_hand_it_is_as_before_whether_or_not_something_was_said() {
        let setting = |name: &str, before: Option<Value>, injected: Option<Value>| SettingChange {
            name: name.to_owned(),
            before,
            injected,
        };
        let retries = |before| setting(RETRIES, before, Some(0.into()));
        let nowhere = || setting(ON_FAILURE, Some("arn:a".into()), None);
        let age = || (MAX_AGE.to_owned(), Value::from(90));
        let success = || (ON_SUCCESS.to_owned(), Value::from("arn:b"));
        for (beside, changes, expected) in [
            (vec![], vec![retries(None)], "delete-function-event-invoke-config --function-name f --qualifier live"),
            (
                vec![age()],
                vec![retries(Some(1.into()))],
                "update-function-event-invoke-config --function-name f --qualifier live --maximum-retry-attempts 1",
            ),
            (
                vec![age(), success()],
                vec![retries(None)],
                "put-function-event-invoke-config --function-name f --qualifier live --maximum-event-age-in-seconds 90 \
                 --destination-config 'OnSuccess={Destination=arn:b}'",
            ),
            (
                vec![success()],
                vec![nowhere()],
                "put-function-event-invoke-config --function-name f --qualifier live --destination-config \
                 'OnFailure={Destination=arn:a},OnSuccess={Destination=arn:b}'",
            ),
        ] {
            let qualifier = Some("live".to_owned());
            let resource = Asynchronous { function: "f".to_owned(), qualifier, beside: beside.into_iter().collect() };
            assert_eq!(resource.by_hand(&changes, Path::new("undo.json")), [format!("aws lambda {expected}")]);
        }
        // An undo of an older run says nothing of what was beside.
        let old: Asynchronous = serde_json::from_str(r#"{"function": "f", "qualifier": null}"#).unwrap();
        assert!(old.beside.is_empty());
    }
}
