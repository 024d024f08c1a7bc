//! Steps that call AWS: which function is invoked, and where a message goes.
//!
//! Owns: their keys, and what a caller says of where such a target is. Must not know: how a call is written on the wire, which is
//! `plan/call.rs`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::unit::TargetId;

/// How a function is invoked. AWS: Invoke, `InvocationType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InvocationType {
    /// The function's answer is waited for.
    #[default]
    RequestResponse,
    /// The event is queued: the answer says no more than that Lambda has it.
    Event,
    /// Only whether it might be invoked is looked at.
    DryRun,
}

impl InvocationType {
    /// Whether the function's answer is waited for.
    #[must_use]
    pub fn answers(self) -> bool {
        self == Self::RequestResponse
    }

    /// The status with which Lambda says that all went well.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::RequestResponse => 200,
            Self::Event => 202,
            Self::DryRun => 204,
        }
    }

    /// The value of `X-Amz-Invocation-Type`.
    #[must_use]
    pub fn header(self) -> &'static str {
        match self {
            Self::RequestResponse => "RequestResponse",
            Self::Event => "Event",
            Self::DryRun => "DryRun",
        }
    }
}

/// Where a message goes, and what goes with it. Texts may hold `${name}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendSpec {
    /// The name of a target that is a `queue`, `topic`, `bus` or `stream`.
    #[schemars(extend("examples" = ["orders-queue"]))]
    pub to: TargetId,
    /// Attributes of the message, which are texts: name → value. For a queue or a topic.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    /// The message's group, in which order is kept. For a queue or a topic; one that is `.fifo` must have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What makes two messages the same one: `${uuid}` makes each its own. For a queue or a topic that is `.fifo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplication: Option<String>,
    /// The subject of a topic's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Who an event is from. A bus must have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What kind of event it is. A bus must have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail_type: Option<String>,
    /// What chooses the shard of a stream; default `${uuid}`, which spreads records evenly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl SendSpec {
    /// The schema of a `send`: all of it, or the name of its target.
    pub(super) fn short_or_whole_schema(generator: &mut SchemaGenerator) -> Schema {
        let whole = generator.subschema_for::<Self>();
        json_schema!({"anyOf": [whole, {"type": "string", "description": "the name of a target"}, {"type": "null"}]})
    }

    /// Reads `orders` as `{to: orders}`.
    pub(super) fn short_or_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        struct Send;

        impl<'de> Visitor<'de> for Send {
            type Value = SendSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a target, or `{to: …}` with what goes along")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<SendSpec, E> {
                let to = TargetId::deserialize(text.into_deserializer())?;
                Ok(SendSpec {
                    to,
                    attributes: BTreeMap::new(),
                    group: None,
                    deduplication: None,
                    subject: None,
                    source: None,
                    detail_type: None,
                    key: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SendSpec, A::Error> {
                SendSpec::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Send).map(Some)
    }

    /// Every text that may hold placeholders, by the keys that lead to it; those of attributes apart.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let texts = [
            ("group", &self.group),
            ("deduplication", &self.deduplication),
            ("subject", &self.subject),
            ("source", &self.source),
            ("detail_type", &self.detail_type),
            ("key", &self.key),
        ];
        texts.into_iter().filter_map(|(key, text)| Some((key, text.as_deref()?)))
    }
}

/// What messages can be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiverKind {
    /// An SQS queue.
    Queue,
    /// An SNS topic.
    Topic,
    /// An EventBridge bus.
    Bus,
    /// A Kinesis data stream.
    Stream,
}

/// Where a target is that steps call, and what it is called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsAddress {
    /// The URL of its service, without a slash at its end.
    pub endpoint: String,
    /// The Region for which calls are signed.
    pub region: String,
    /// What is called there.
    pub callee: Callee,
}

/// What a step calls, by the name that its service knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callee {
    /// A function.
    Function {
        /// Its name or ARN.
        function: String,
        /// Its alias; none is `$LATEST`.
        qualifier: Option<String>,
    },
    /// A queue.
    Queue {
        /// Its URL.
        url: String,
    },
    /// A topic.
    Topic {
        /// Its ARN.
        arn: String,
    },
    /// A bus.
    Bus {
        /// Its name or ARN.
        bus: String,
    },
    /// A stream.
    Stream {
        /// Its name or ARN.
        stream: String,
    },
}
