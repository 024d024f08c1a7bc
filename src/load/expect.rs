//! What a step expects of its answer, and what it keeps from it, as scenario files write it.
//!
//! Owns: the keys, their types and defaults. What a valid combination is stands in `check/step.rs`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json_path::JsonPath;

use crate::unit::DurationText;

/// Statuses at or above this are failures where a step does not say which it expects.
pub(crate) const STATUS_FAILED_LEAST: u16 = 400;

/// What makes an answer a success. All that is given must hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectSpec {
    /// The status, or a list of them: `201`, `[200, 204]`; default any below 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusList>,
    /// Headers that the answer must have: name → value, or `"*"` for any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, String>,
    /// The longest response time, as `2s`: from when the request was meant to be sent to the last byte of the answer's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<DurationText>,
    /// What the body must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyExpectation>,
}

/// What a body must hold. All that is given must hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BodyExpectation {
    /// A text that must stand in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contains: Option<String>,
    /// A regular expression that must match somewhere in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matches: Option<String>,
    /// JSONPath → the value that its first match must equal.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, serde_json::Value>,
}

/// One HTTP status or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList(pub Vec<u16>);

impl Serialize for StatusList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.as_slice() {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for StatusList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Statuses;
        impl<'de> Visitor<'de> for Statuses {
            type Value = StatusList;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an HTTP status such as `200`, or a list of them")
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<StatusList, E> {
                let status = u16::try_from(value).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))?;
                Ok(StatusList(vec![status]))
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<StatusList, E> {
                let status = u16::try_from(value).map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))?;
                Ok(StatusList(vec![status]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<StatusList, A::Error> {
                let mut statuses = Vec::new();
                while let Some(status) = sequence.next_element()? {
                    statuses.push(status);
                }
                Ok(StatusList(statuses))
            }
        }
        use serde::de::Unexpected;
        deserializer.deserialize_any(Statuses)
    }
}

impl JsonSchema for StatusList {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StatusList".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let status = serde_json::json!({"type": "integer", "minimum": 100, "maximum": 599});
        schemars::json_schema!({
            "description": "an HTTP status, or a list of them",
            "oneOf": [status, {"type": "array", "items": status, "minItems": 1}],
            "examples": [200, [200, 204]],
        })
    }
}

/// Where in an answer a value to keep stands: a JSONPath of its first match, or one of `{header: …}`, `{regex: …}`, `{cookie: …}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaptureSpec {
    /// The first match in a JSON body.
    JsonPath(String),
    /// A header.
    Header(String),
    /// What a regular expression matches first in the body: its first group, or all of it where it has none.
    Regex(String),
    /// A cookie that the user has after the answer.
    Cookie(String),
}

/// Where in an answer a value to keep stands, where it is not in a JSON body. One of the three.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CapturePlace {
    /// The name of a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    /// A regular expression: the first group of its first match in the body, or all of the match where it has no group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    regex: Option<String>,
    /// The name of a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cookie: Option<String>,
}

impl Serialize for CaptureSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut place = CapturePlace::default();
        match self {
            Self::JsonPath(path) => return path.serialize(serializer),
            Self::Header(name) => place.header = Some(name.clone()),
            Self::Regex(text) => place.regex = Some(text.clone()),
            Self::Cookie(name) => place.cookie = Some(name.clone()),
        }
        place.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CaptureSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Capture;
        impl<'de> Visitor<'de> for Capture {
            type Value = CaptureSpec;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter
                    .write_str("a JSONPath such as `$.id`, or one of `{header: …}`, `{regex: …}` and `{cookie: …}`")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<CaptureSpec, E> {
                Ok(CaptureSpec::JsonPath(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CaptureSpec, A::Error> {
                match CapturePlace::deserialize(MapAccessDeserializer::new(map))? {
                    CapturePlace { header: Some(name), regex: None, cookie: None } => Ok(CaptureSpec::Header(name)),
                    CapturePlace { header: None, regex: Some(text), cookie: None } => Ok(CaptureSpec::Regex(text)),
                    CapturePlace { header: None, regex: None, cookie: Some(name) } => Ok(CaptureSpec::Cookie(name)),
                    CapturePlace { .. } => Err(serde::de::Error::custom(
                        "a value stands in one place; keep one of `header`, `regex` and `cookie`",
                    )),
                }
            }
        }
        deserializer.deserialize_any(Capture)
    }
}

impl JsonSchema for CaptureSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CaptureSpec".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let place = generator.subschema_for::<CapturePlace>();
        schemars::json_schema!({
            "description": "a JSONPath, or one of `{header: …}`, `{regex: …}` and `{cookie: …}`",
            "oneOf": [{"type": "string"}, place],
            "examples": ["$.id", {"header": "location"}],
        })
    }
}

/// Reads a JSONPath (RFC 9535).
pub(crate) fn parse_path(text: &str) -> Result<JsonPath, serde_json_path::ParseError> {
    JsonPath::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_captured_from_one_place() {
        let read = |yaml| serde_yaml::from_str::<CaptureSpec>(yaml);
        assert_eq!(read("$.id").unwrap(), CaptureSpec::JsonPath("$.id".to_owned()));
        assert_eq!(read("{cookie: sid}").unwrap(), CaptureSpec::Cookie("sid".to_owned()));
        for wrong in ["{}", "{cookie: sid, header: x-id}"] {
            assert!(read(wrong).unwrap_err().to_string().contains("stands in one place"), "{wrong}");
        }
        assert!(read("{head: x-id}").is_err());
    }
}
