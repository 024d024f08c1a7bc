//! Toxiproxy's JSON of a toxic, and what can be wrong with it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Direction, TOXIC_TYPES, TOXIC_WAIT_MS_MAX, Toxic, ToxicSpec, Toxicity, latency, timeout};
use crate::unit::{IdError, nearest};

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
#[derive(Debug, Serialize, Deserialize)]
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
        }
    }
}

fn parse_toxic(toxic_type: &str, attributes: Map<String, Value>) -> Result<Toxic, ToxicError> {
    match toxic_type {
        super::Latency::TYPE => {
            let attributes: latency::Attributes = parse_attributes(super::Latency::TYPE, attributes)?;
            attributes.try_into().map(Toxic::Latency)
        }
        super::Timeout::TYPE => {
            let attributes: timeout::Attributes = parse_attributes(super::Timeout::TYPE, attributes)?;
            attributes.try_into().map(Toxic::Timeout)
        }
        other => Err(ToxicError::UnknownType { given: other.to_owned() }),
    }
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
        Toxic::Timeout(timeout) => serde_json::to_value(timeout::Attributes::from(timeout)),
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
}

impl ToxicPatch {
    /// The toxic with the change made.
    pub(crate) fn apply(self, spec: &ToxicSpec) -> Result<ToxicSpec, ToxicError> {
        let fixed = [
            ("name", self.name, spec.name.to_string()),
            ("type", self.r#type, spec.toxic.type_name().to_owned()),
            ("stream", self.stream, spec.stream.to_string()),
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
    fn a_wrong_toxic_is_refused_with_the_way_to_mend_it() {
        for (json, expected) in [
            (json!({"type": "latencyy"}), "unknown toxic type `latencyy`, did you mean `latency`?"),
            (json!({"type": "x"}), "the types are `latency`, `timeout`"),
            (json!({"type": "latency", "stream": "sideways"}), "`sideways` is not a stream"),
            (json!({"type": "latency", "toxicity": 1.5}), "toxicity `1.5`"),
            (json!({"type": "latency", "name": "a/b"}), "name is not valid"),
            (json!({"type": "timeout", "attributes": {"timeout": 86_400_001}}), "longer than 86400000 ms"),
            (json!({"type": "latency", "colour": 1}), "colour"),
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
        assert!(matches!(patch(json!({"toxicity": -1})), Err(ToxicError::Toxicity(_))));
    }
}
