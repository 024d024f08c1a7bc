//! `lambda_event_source`: pauses an event source of a function, or slows it down.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::configuration::ready;
use super::settings::{Found, Resource, SettingChange, Settings, SettingsChange, Settling, number};
use super::switch::{Cover, Switch, SwitchCall};
use super::target::TargetNeed;
use crate::aws::{EventSource, EventSourceUpdate};
use crate::unit::TargetId;

const ENABLED: &str = "whether it polls";
const BATCH_SIZE: &str = "batch size";
const MAXIMUM_CONCURRENCY: &str = "maximum concurrency";
/// AWS: `BatchSize`; 10 for queues without a batching window.
const BATCH_SIZES: RangeInclusive<u32> = 1..=10_000;
/// AWS: `ScalingConfig.MaximumConcurrency`.
const CONCURRENCIES: RangeInclusive<u32> = 2..=1_000;
/// How long a change of a mapping may be under way: tens of seconds in AWS.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(180);

/// Changes the mapping between a queue or a stream and a function. It is never deleted, so that its position is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaEventSource {
    /// The function, a `lambda` target.
    pub target: TargetId,
    /// The name of the queue, stream or table that is polled; needed where the function has more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// `false` pauses it: a backlog grows. Default as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The most records of one batch; default as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// How many invocations may run at once, 2 to 1,000; default as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_concurrency: Option<u32>,
}

impl LambdaEventSource {
    fn injected(&self) -> BTreeMap<String, Option<Value>> {
        let enabled = self.enabled.map(|enabled| (ENABLED.to_owned(), Some(enabled.into())));
        let size = self.batch_size.map(|size| (BATCH_SIZE.to_owned(), Some(size.into())));
        let limit = self.maximum_concurrency.map(|limit| (MAXIMUM_CONCURRENCY.to_owned(), Some(limit.into())));
        [enabled, size, limit].into_iter().flatten().collect()
    }

    /// The one mapping that is meant.
    fn choose(&self, sources: Vec<EventSource>) -> Result<EventSource, &'static str> {
        // `arn:aws:sqs:eu-west-1:123456789012:orders`, `arn:aws:kinesis:…:stream/orders`, `arn:aws:dynamodb:…:table/orders/stream/…`.
        let name = |arn: &str| {
            let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
            resource.split('/').nth(1).unwrap_or(resource).to_owned()
        };
        let is_meant = |source: &EventSource| self.source.as_ref().is_none_or(|it| *it == name(&source.source_arn));
        let mut meant = sources.into_iter().filter(is_meant);
        match (meant.next(), meant.next()) {
            (Some(source), None) => Ok(source),
            (None, _) => Err("it has no such event source"),
            (Some(_), Some(_)) => Err("it has several event sources: name the `source`"),
        }
    }
}

impl Fault for LambdaEventSource {
    type Change = SettingsChange<Mapping>;
    const ABOUT: About = About {
        effect: "events wait in their queue or stream; afterwards the backlog drains",
        undo: "UpdateEventSourceMapping with the former values, and a wait until it is done",
        blast_radius: "one event source of the function; invocations by other ways go on",
    };
    const TARGET: TargetNeed = TargetNeed::Function;
    const CALLS: Calls = Calls {
        inject: &[
            "lambda:GetEventSourceMapping",
            "lambda:GetFunctionConfiguration",
            "lambda:ListEventSourceMappings",
            "lambda:UpdateEventSourceMapping",
        ],
        undo: &["lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping"],
    };

    fn objections(&self) -> Vec<Objection> {
        if self.injected().is_empty() {
            return vec![Objection::nothing("add `enabled: false`, `batch_size: 1` or `maximum_concurrency: 2`")];
        }
        let size = self.batch_size.and_then(|size| Objection::out_of("batch_size", size, &BATCH_SIZES, "Lambda"));
        let limit = self
            .maximum_concurrency
            .and_then(|limit| Objection::out_of("maximum_concurrency", limit, &CONCURRENCIES, "Lambda"));
        size.into_iter().chain(limit).collect()
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<SettingsChange<Mapping>, FaultError> {
        let (function, alias) = environment.qualified(&self.target)?;
        ready(environment, function).await?;
        let name = alias.map_or_else(|| function.to_owned(), |alias| format!("{function}:{alias}"));
        let sources = environment.aws.lambda.event_sources(&name).await?;
        let source = self.choose(sources).map_err(|why| FaultError::not_safe(function, why))?;
        let resource = Mapping { uuid: source.uuid };
        let found = resource.read(environment, &[]).await?;
        Ok(SettingsChange::new(resource, &found.settings, self.injected()))
    }

    fn text(&self) -> ChangeText {
        ChangeText {
            change: format!("change {} of an event source of `{}`", self.settings().join(", "), self.target),
            undo: "put the former values back".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        self.injected().into_keys().collect()
    }

    fn cover(&self) -> Cover {
        Cover::Switch(&["lambda:UpdateEventSourceMapping"])
    }
}

/// An event source mapping. AWS has no lock for it, but refuses a change while another is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    uuid: String,
}

impl Resource for Mapping {
    fn name(&self) -> &str {
        &self.uuid
    }

    async fn read(&self, environment: &FaultEnvironment, _names: &[&str]) -> Result<Found, FaultError> {
        let settling = Settling::within(&self.uuid, SETTLE_TIMEOUT);
        let found = loop {
            let found = environment.aws.lambda.event_source(&self.uuid).await?;
            if found.is_settled() {
                break found;
            }
            settling.wait().await?;
        };
        let mut settings = Settings::from([
            (ENABLED.to_owned(), (found.state == "Enabled").into()),
            (BATCH_SIZE.to_owned(), found.batch_size.into()),
        ]);
        settings.extend(found.maximum_concurrency.map(|limit| (MAXIMUM_CONCURRENCY.to_owned(), limit.into())));
        Ok(Found { settings, revision: None, is_failed: false })
    }

    async fn write(&self, environment: &FaultEnvironment, found: &Found, wanted: &Settings) -> Result<(), FaultError> {
        let is_changed = |name: &str| found.settings.get(name) != wanted.get(name);
        let update = EventSourceUpdate {
            is_enabled: wanted.get(ENABLED).filter(|_| is_changed(ENABLED)).and_then(Value::as_bool),
            batch_size: number(wanted, BATCH_SIZE).filter(|_| is_changed(BATCH_SIZE)),
            maximum_concurrency: is_changed(MAXIMUM_CONCURRENCY).then(|| number(wanted, MAXIMUM_CONCURRENCY)),
        };
        Ok(environment.aws.lambda.update_event_source(&self.uuid, &update).await?)
    }

    fn by_hand(&self, changes: &[SettingChange], _undo: &Path) -> Vec<String> {
        let option = |change: &SettingChange| match (change.name.as_str(), &change.before) {
            (ENABLED, Some(Value::Bool(true))) => "--enabled".to_owned(),
            (ENABLED, _) => "--no-enabled".to_owned(),
            (BATCH_SIZE, before) => format!("--batch-size {}", before.as_ref().unwrap_or(&Value::Null)),
            (_, Some(before)) => format!("--scaling-config MaximumConcurrency={before}"),
            (_, None) => "--scaling-config '{}'".to_owned(),
        };
        let options = changes.iter().map(option).collect::<Vec<_>>().join(" ");
        vec![format!("aws lambda update-event-source-mapping --uuid {} {options}", self.uuid)]
    }

    fn switch(&self, changes: &[SettingChange]) -> Switch {
        let before = |name: &str| changes.iter().find(|change| change.name == name).map(|change| change.before.clone());
        // AWS: an empty `ScalingConfig` takes the limit away.
        let scaling = |limit: Option<Value>| limit.map_or_else(|| json!({}), |it| json!({"MaximumConcurrency": it}));
        Switch::Call(SwitchCall::lambda(
            "updateEventSourceMapping",
            [
                ("Uuid", Some(self.uuid.as_str().into())),
                ("Enabled", before(ENABLED).flatten()),
                ("BatchSize", before(BATCH_SIZE).flatten()),
                ("ScalingConfig", before(MAXIMUM_CONCURRENCY).map(scaling)),
            ],
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(source: Option<&str>) -> LambdaEventSource {
        LambdaEventSource {
            target: "checkout".parse().unwrap(),
            source: source.map(str::to_owned),
            enabled: Some(false),
            batch_size: None,
            maximum_concurrency: None,
        }
    }

    #[test]
    fn the_mapping_that_is_meant_is_the_only_one_or_the_one_of_the_source() {
        let source = |arn: &str| EventSource {
            uuid: arn.to_owned(),
            source_arn: arn.to_owned(),
            state: "Enabled".to_owned(),
            batch_size: 10,
            maximum_concurrency: None,
        };
        let (queue, stream) =
            ("arn:aws:sqs:eu-west-1:123456789012:orders", "arn:aws:kinesis:eu-west-1:1:stream/clicks");
        let both = || vec![source(queue), source(stream)];
        assert_eq!(fault(Some("orders")).choose(both()).unwrap().uuid, queue);
        assert_eq!(fault(Some("clicks")).choose(both()).unwrap().uuid, stream);
        let table = "arn:aws:dynamodb:eu-west-1:123456789012:table/carts/stream/2026-01-01T00:00:00.000";
        assert_eq!(fault(Some("carts")).choose(vec![source(queue), source(table)]).unwrap().uuid, table);
        assert_eq!(fault(None).choose(vec![source(queue)]).unwrap().uuid, queue);
        assert!(fault(None).choose(both()).is_err());
        assert!(fault(Some("other")).choose(both()).is_err());
    }

    #[test]
    fn what_lambda_does_not_take_is_objected_to() {
        let none = LambdaEventSource { enabled: None, ..fault(None) };
        assert_eq!(none.objections().len(), 1);
        let wrong = LambdaEventSource { batch_size: Some(0), maximum_concurrency: Some(1), ..fault(None) };
        assert_eq!(wrong.objections().len(), 2);
        assert_eq!(fault(None).objections(), []);
    }
}
