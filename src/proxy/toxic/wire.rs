//! Toxiproxy's JSON of a toxic, and what can be wrong with it.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Bandwidth, Direction, Latency, LimitData, ResetPeer, Slicer, SlowClose, TOXIC_TYPES, TOXIC_WAIT_MS_MAX, Timeout,
    Toxic, ToxicSpec, Toxicity, latency, reset_peer, slicer, slow_close, timeout,
};
use crate::proxy::lease::{LEASE_MS_MAX, checked_wait};
use crate::proxy::part_token::{PartTokenError, checked_token};
use crate::unit::{IdError, elapsed_ms, nearest};

/// Why a toxic can not be what the JSON says.
#[derive(Debug, thiserror::Error)]
pub enum ToxicError {
    /// No toxic has this type.
    #[error("unknown toxic type `{given}`{}; the types are {}", suggestion(given), TOXIC_TYPES.map(|name| format!("`{name}`")).join(", "))]
    UnknownType {
        /// What the JSON says.
        given: String,
    },
    /// Not a direction.
    #[error("`{0}` is not a stream; it is `upstream` or `downstream`")]
    Stream(String),
    /// Not a share.
    #[error("toxicity `{0}` is not between 0 and 1")]
    Toxicity(f64),
    /// An attribute that the type does not have, or a value that does not fit it.
    #[error("the attributes of `{toxic_type}` are not valid")]
    Attributes {
        /// The toxic's type.
        toxic_type: &'static str,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// A wait beyond the limit.
    #[error("`{attribute}` of `{millis}` ms is longer than {} ms", TOXIC_WAIT_MS_MAX)]
    TooLong {
        /// The attribute.
        attribute: &'static str,
        /// Its value.
        millis: u64,
    },
    /// No time to live.
    #[error("`ttl_ms` of {0} is not from 1 to {max} milliseconds", max = LEASE_MS_MAX)]
    Ttl(u64),
    /// Not a token.
    #[error(transparent)]
    Token(#[from] PartTokenError),
    /// Pieces of no bytes.
    #[error("`average_size` of a slicer is at least 1 byte")]
    NoSize,
    /// Pieces that may have less than no bytes.
    #[error("`size_variation` of {size_variation} is larger than `average_size` of {average_size}")]
    Variation {
        /// The mean size of a piece, in bytes.
        average_size: usize,
        /// How far a size may lie from it, in bytes.
        size_variation: usize,
    },
    /// The name is not one.
    #[error("the toxic's name is not valid")]
    Name(#[from] IdError),
    /// A change of something that is fixed.
    #[error("`{0}` of a toxic can not be changed: remove it and add another")]
    Fixed(&'static str),
}

fn suggestion(given: &str) -> String {
    nearest(given, TOXIC_TYPES).map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// A toxic in JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToxicJson {
    #[serde(default)]
    name: Option<String>,
    r#type: String,
    #[serde(default)]
    stream: Option<String>,
    #[serde(default)]
    toxicity: Option<f64>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

impl TryFrom<ToxicJson> for ToxicSpec {
    type Error = ToxicError;

    fn try_from(json: ToxicJson) -> Result<Self, ToxicError> {
        let stream = match json.stream.as_deref() {
            None | Some("" | "downstream") => Direction::Downstream,
            Some("upstream") => Direction::Upstream,
            Some(other) => return Err(ToxicError::Stream(other.to_owned())),
        };
        let toxic = parse_toxic(&json.r#type, json.attributes)?;
        let name = json.name.filter(|name| !name.is_empty());
        Ok(Self {
            name: name.unwrap_or_else(|| format!("{}_{stream}", toxic.type_name())).parse()?,
            stream,
            toxicity: json.toxicity.map_or(Ok(Toxicity::ALL), Toxicity::try_from)?,
            toxic,
            ttl: checked_ttl(json.ttl_ms)?,
            token: json.token.map(checked_token).transpose()?,
        })
    }
}

impl From<ToxicSpec> for ToxicJson {
    fn from(spec: ToxicSpec) -> Self {
        Self {
            name: Some(spec.name.to_string()),
            r#type: spec.toxic.type_name().to_owned(),
            stream: Some(spec.stream.to_string()),
            toxicity: Some(spec.toxicity.ratio()),
            attributes: attributes_of(spec.toxic),
            ttl_ms: spec.ttl.map(elapsed_ms),
            token: spec.token,
        }
    }
}

fn checked_ttl(ttl_ms: Option<u64>) -> Result<Option<Duration>, ToxicError> {
    ttl_ms.map(|millis| checked_wait(millis).ok_or(ToxicError::Ttl(millis))).transpose()
}

fn parse_toxic(toxic_type: &str, attributes: Map<String, Value>) -> Result<Toxic, ToxicError> {
    match toxic_type {
        Latency::TYPE => checked::<latency::Attributes, _>(Latency::TYPE, attributes).map(Toxic::Latency),
        Bandwidth::TYPE => parse_attributes(Bandwidth::TYPE, attributes).map(Toxic::Bandwidth),
        SlowClose::TYPE => checked::<slow_close::Attributes, _>(SlowClose::TYPE, attributes).map(Toxic::SlowClose),
        Timeout::TYPE => checked::<timeout::Attributes, _>(Timeout::TYPE, attributes).map(Toxic::Timeout),
        ResetPeer::TYPE => checked::<reset_peer::Attributes, _>(ResetPeer::TYPE, attributes).map(Toxic::ResetPeer),
        Slicer::TYPE => checked::<slicer::Attributes, _>(Slicer::TYPE, attributes).map(Toxic::Slicer),
        LimitData::TYPE => parse_attributes(LimitData::TYPE, attributes).map(Toxic::LimitData),
        other => Err(ToxicError::UnknownType { given: other.to_owned() }),
    }
}

/// Reads attributes and makes of them settings that hold what the type asks for.
fn checked<A, T>(toxic_type: &'static str, attributes: Map<String, Value>) -> Result<T, ToxicError>
where
    A: DeserializeOwned,
    T: TryFrom<A, Error = ToxicError>,
{
    parse_attributes::<A>(toxic_type, attributes)?.try_into()
}

fn parse_attributes<T: DeserializeOwned>(
    toxic_type: &'static str,
    attributes: Map<String, Value>,
) -> Result<T, ToxicError> {
    serde_json::from_value(Value::Object(attributes)).map_err(|source| ToxicError::Attributes { toxic_type, source })
}

fn attributes_of(toxic: Toxic) -> Map<String, Value> {
    let value = match toxic {
        Toxic::Latency(latency) => serde_json::to_value(latency::Attributes::from(latency)),
        Toxic::Bandwidth(bandwidth) => serde_json::to_value(bandwidth),
        Toxic::SlowClose(close) => serde_json::to_value(slow_close::Attributes::from(close)),
        Toxic::Timeout(timeout) => serde_json::to_value(timeout::Attributes::from(timeout)),
        Toxic::ResetPeer(reset) => serde_json::to_value(reset_peer::Attributes::from(reset)),
        Toxic::Slicer(slicer) => serde_json::to_value(slicer::Attributes::from(slicer)),
        Toxic::LimitData(limit) => serde_json::to_value(limit),
    };
    match value {
        Ok(Value::Object(attributes)) => attributes,
        Ok(_) | Err(_) => unreachable!("invariant: attributes are structs of numbers, which are JSON objects"),
    }
}

/// A change of a toxic: the attributes that it names, and its toxicity. Everything else must be as it is, since some
/// clients send the whole toxic back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToxicPatch {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    stream: Option<String>,
    #[serde(default)]
    toxicity: Option<f64>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
    #[serde(default)]
    token: Option<String>,
}

impl ToxicPatch {
    /// Whether the time to live begins anew.
    pub(crate) fn sets_ttl(&self) -> bool {
        self.ttl_ms.is_some()
    }

    /// The toxic with the change made.
    pub(crate) fn apply(self, spec: &ToxicSpec) -> Result<ToxicSpec, ToxicError> {
        let fixed = [
            ("name", self.name, spec.name.to_string()),
            ("type", self.r#type, spec.toxic.type_name().to_owned()),
            ("stream", self.stream, spec.stream.to_string()),
            ("token", self.token, spec.token.clone().unwrap_or_default()),
        ];
        for (field, asked, present) in fixed {
            if asked.is_some_and(|asked| asked != present) {
                return Err(ToxicError::Fixed(field));
            }
        }
        let mut attributes = attributes_of(spec.toxic);
        attributes.extend(self.attributes);
        Ok(ToxicSpec {
            name: spec.name.clone(),
            stream: spec.stream,
            toxicity: self.toxicity.map_or(Ok(spec.toxicity), Toxicity::try_from)?,
            toxic: parse_toxic(spec.toxic.type_name(), attributes)?,
            ttl: checked_ttl(self.ttl_ms)?.or(spec.ttl),
            token: spec.token.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_toxic_reads_and_writes_toxiproxys_json_with_its_defaults() {
        let spec: ToxicSpec =
            serde_json::from_value(json!({"type": "latency", "attributes": {"latency": 250}})).expect("a toxic");
        let json = serde_json::to_value(&spec).expect("JSON");
        assert_eq!(
            json,
            json!({"name": "latency_downstream", "type": "latency", "stream": "downstream", "toxicity": 1.0,
                   "attributes": {"latency": 250, "jitter": 0}})
        );
        assert_eq!(serde_json::from_value::<ToxicSpec>(json).expect("a toxic"), spec);
    }

    #[test]
    fn every_type_reads_back_what_it_writes() {
        for (toxic_type, attributes) in [
            ("latency", json!({"latency": 0.25, "jitter": 10})),
            ("latency", json!({"latency": 50, "jitter": 10, "distribution": "pareto"})),
            ("bandwidth", json!({"rate": 100})),
            ("slow_close", json!({"delay": 1_500})),
            ("timeout", json!({"timeout": 0})),
            ("reset_peer", json!({"timeout": 20})),
            ("slicer", json!({"average_size": 64, "size_variation": 32, "delay": 10})),
            ("limit_data", json!({"bytes": 4_096})),
        ] {
            let json = json!({"name": "t", "type": toxic_type, "stream": "upstream", "toxicity": 0.5,
                              "attributes": attributes, "token": "run 7"});
            let spec: ToxicSpec = serde_json::from_value(json.clone()).expect("a toxic");
            assert_eq!(serde_json::to_value(&spec).expect("JSON"), json);
        }
    }

    #[test]
    fn a_wrong_toxic_is_refused_with_the_way_to_mend_it() {
        for (json, expected) in [
            (json!({"type": "latencyy"}), "unknown toxic type `latencyy`, did you mean `latency`?"),
            (
                json!({"type": "x"}),
                "the types are `latency`, `bandwidth`, `slow_close`, `timeout`, `reset_peer`, `slicer`, `limit_data`",
            ),
            (json!({"type": "latency", "stream": "sideways"}), "`sideways` is not a stream"),
            (json!({"type": "latency", "toxicity": 1.5}), "toxicity `1.5`"),
            (json!({"type": "latency", "name": "a/b"}), "name is not valid"),
            (json!({"type": "timeout", "attributes": {"timeout": 86_400_001}}), "longer than 86400000 ms"),
            (json!({"type": "latency", "colour": 1}), "colour"),
            (json!({"type": "slicer"}), "`average_size` of a slicer"),
            (json!({"type": "latency", "ttl_ms": 0}), "`ttl_ms` of 0"),
            (json!({"type": "latency", "token": ""}), "`token` `` is not 1 to 128"),
            (json!({"type": "latency", "token": "a\nb"}), "`token` `a\\nb`"),
        ] {
            let error = serde_json::from_value::<ToxicSpec>(json.clone()).expect_err("not valid").to_string();
            assert!(error.contains(expected), "{json}: {error}");
        }
        let attributes = json!({"type": "latency", "attributes": {"latncy": 1}});
        let json: ToxicJson = serde_json::from_value(attributes).expect("the attributes are looked at later");
        let error = ToxicSpec::try_from(json).expect_err("not valid");
        let source = std::error::Error::source(&error).expect("a source").to_string();
        assert!(source.contains("latncy") && source.contains("jitter"), "{source}");
    }

    #[test]
    fn a_patch_changes_what_it_names_and_nothing_else() {
        let spec: ToxicSpec = serde_json::from_value(
            json!({"name": "t", "type": "latency", "toxicity": 0.5, "attributes": {"latency": 250, "jitter": 10}}),
        )
        .expect("a toxic");
        let patch = |json| serde_json::from_value::<ToxicPatch>(json).expect("a patch").apply(&spec);
        let changed = patch(json!({"type": "latency", "attributes": {"latency": 5}})).expect("applied");
        assert_eq!(attributes_of(changed.toxic), *json!({"latency": 5, "jitter": 10}).as_object().expect("an object"));
        assert_eq!(changed.toxicity, spec.toxicity);
        assert!(matches!(patch(json!({"stream": "upstream"})), Err(ToxicError::Fixed("stream"))));
        assert!(matches!(patch(json!({"token": "mine"})), Err(ToxicError::Fixed("token"))));
        assert!(matches!(patch(json!({"toxicity": -1})), Err(ToxicError::Toxicity(_))));
    }
}
