//! A load as scenario files write it: journeys of HTTP steps, and a shape that says how much of them when.
//!
//! Owns: the keys, their types and defaults. What a valid combination is stands in `check.rs`.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json_path::JsonPath;

use super::schedule::Spacing;
use super::shape::Shape;
use crate::unit::{DurationRange, DurationText, Level};

/// One load of a scenario: who comes, what they do, and how many of them when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadSpec {
    /// What a step's path is appended to: `https://shop.example.com/prod`. May hold `${target.url}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// What users do; each time one starts anew, a journey is drawn by weight.
    pub journeys: Vec<JourneySpec>,
    /// How many users, or arrivals a second, when. Its unit chooses the model.
    pub shape: Vec<StageSpec>,
    /// How the arrivals of a rate lie between each other: `even`, or `poisson` as of users who know nothing of each other.
    #[serde(default)]
    pub arrivals: Spacing,
    /// How many users of a rate may be under way at once, and so how many connections: 1 to 100000, default 1000. Arrivals
    /// beyond wait, and their waiting is part of their response time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_max: Option<u32>,
    /// Whether to speak HTTP/2, many requests on one connection; default `false`. A server of `https:` may still choose
    /// HTTP/1.1.
    #[serde(default)]
    pub http2: bool,
    /// How many redirects a request follows, 0 to 20; default 0, where each is an answer like any other. One that leads to a
    /// host that the load does not name is a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirects: Option<u8>,
    /// How long opening a connection may take, name look-up and TLS included; default 10 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<DurationText>,
    /// What a run does when the process that makes the load is lost; default `abort`.
    #[serde(default)]
    pub on_lost: OnLost,
}

/// How many users of a rate may be under way at once, where a load says nothing else.
pub const IN_FLIGHT_MAX_DEFAULT: u32 = 1_000;

impl LoadSpec {
    /// Whether arrivals are independent of answers; none when no stage names a level.
    #[must_use]
    pub fn model(&self) -> Option<Model> {
        self.shape.iter().find_map(|stage| stage.level()).map(Model::of)
    }

    /// The shape of the stages that are valid (`problems` names the others).
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape::from_stages(&self.shape)
    }
}

/// What to do when a load worker dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnLost {
    /// Abort the run, with undo.
    #[default]
    Abort,
    /// Go on without this load; hypotheses about it become inconclusive.
    Continue,
}

/// How load relates to answers. The unit of a level chooses it: `/s` is open, `users` closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// Arrivals come at their rate, however slow the answers are.
    Open,
    /// Each user waits for an answer before the next request.
    Closed,
}

impl Model {
    /// The model that a level's unit chooses.
    #[must_use]
    pub fn of(level: Level) -> Self {
        match level {
            Level::Rate(_) => Self::Open,
            Level::Users(_) => Self::Closed,
        }
    }
}

/// A sequence of steps that one user takes. After a failed step the rest is abandoned and the user starts anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JourneySpec {
    /// Its name in frames and reports; unique within the load.
    pub name: String,
    /// How often it is drawn in relation to the others: 1 to 10000, default 1.
    #[serde(default = "weight_default")]
    pub weight: u32,
    /// How long a user rests after each step: `2s`, or drawn evenly from `1s..3s`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<DurationRange>,
    /// What is requested, in order.
    pub steps: Vec<StepSpec>,
}

fn weight_default() -> u32 {
    1
}

/// One HTTP request and what is expected of its answer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    /// Its name in frames, signals and reports; default the method and the path as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// GET this path (below `base_url`) or absolute URL. One of the six methods is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub get: Option<String>,
    /// POST to this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<String>,
    /// PUT to this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put: Option<String>,
    /// PATCH this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// DELETE this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete: Option<String>,
    /// HEAD of this path or URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
    /// Request headers; values may hold `${name}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// A JSON body. A text that is one placeholder and nothing else becomes the captured value with its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<serde_json::Value>,
    /// A plain body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Values to keep from the JSON answer for later steps of the journey: name → JSONPath, first match.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capture: BTreeMap<String, String>,
    /// What makes the answer a success; default any status below 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<ExpectSpec>,
    /// How long the user rests after this step, instead of the journey's `think`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<DurationRange>,
    /// When to give up, to the end of the body; default 30 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
}

impl StepSpec {
    /// Every method that the step names, with its path or URL; a valid step names one.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (Method, &str)> {
        [
            (Method::Get, &self.get),
            (Method::Post, &self.post),
            (Method::Put, &self.put),
            (Method::Patch, &self.patch),
            (Method::Delete, &self.delete),
            (Method::Head, &self.head),
        ]
        .into_iter()
        .filter_map(|(method, url)| url.as_deref().map(|url| (method, url)))
    }

    /// The step's method and its path or URL; none when it names no method or several.
    #[must_use]
    pub fn request(&self) -> Option<(Method, &str)> {
        let mut requests = self.requests();
        requests.next().filter(|_| requests.next().is_none())
    }

    /// The step's name in frames: `name`, or the method and path as written, `GET /items`.
    #[must_use]
    pub fn label(&self) -> String {
        match (&self.name, self.request()) {
            (Some(name), _) => name.clone(),
            (None, Some((method, url))) => format!("{method} {url}"),
            (None, None) => String::new(),
        }
    }
}

/// An HTTP method that a step may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are what they are called (RFC 9110, RFC 5789)")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Head,
}

impl Method {
    /// The key under which a step names its path.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Head => "head",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.key().to_ascii_uppercase())
    }
}

/// What makes an answer a success. All that is given must hold.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectSpec {
    /// The status, or a list of them: `201`, `[200, 204]`; default any below 400.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusList>,
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

/// One stage of a shape: `{ramp: 3m, to: 40 users}` or `{hold: 60m, at: 20 users}`. In the closed model users come and
/// go by whole seconds: the end of a stage is rounded to the nearest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    /// How long it takes to go evenly from the level before (0 at first) to `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<DurationText>,
    /// Where a ramp ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Level>,
    /// How long the level stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<DurationText>,
    /// The level to jump to and hold; default the level before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Level>,
}

/// A stage that is one of the two kinds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stage {
    /// An even change.
    Ramp {
        /// How long it takes.
        lasting: DurationText,
        /// The level at its end.
        to: Level,
    },
    /// A level that stays.
    Hold {
        /// How long it stays.
        lasting: DurationText,
        /// The level to jump to first; none keeps the level before.
        at: Option<Level>,
    },
}

impl StageSpec {
    /// The stage's kind; none when it is neither or both.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        match *self {
            Self { ramp: Some(lasting), to: Some(to), hold: None, at: None } => Some(Stage::Ramp { lasting, to }),
            Self { ramp: None, to: None, hold: Some(lasting), at } => Some(Stage::Hold { lasting, at }),
            Self { .. } => None,
        }
    }

    /// The level that the stage names, if it names one.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.to.or(self.at)
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
    fn the_schema_is_as_strict_as_the_reader() {
        let schema = serde_json::to_value(schemars::schema_for!(LoadSpec)).unwrap();
        assert_eq!(schema["additionalProperties"], false);
        for name in ["JourneySpec", "StepSpec", "ExpectSpec", "BodyExpectation", "StageSpec"] {
            assert_eq!(schema["$defs"][name]["additionalProperties"], false, "{name}");
        }
        assert_eq!(schema["required"], serde_json::json!(["journeys", "shape"]));
        assert_eq!(schema["$defs"]["StatusList"]["oneOf"][0]["minimum"], 100);
    }

    #[test]
    fn a_load_survives_being_written() {
        let yaml = r#"{base_url: "http://a", on_lost: continue, journeys: [{name: j, think: 1s..2s, steps: [
            {name: s, get: /a, expect: {status: [200, 404], within: 1s, body: {json: {$.a: 1}}}, capture: {a: $.a}}]}],
            shape: [{ramp: 1m, to: 4 users}, {hold: 5m}]}"#;
        let load: LoadSpec = serde_yaml::from_str(yaml).unwrap();
        assert_eq!(load.on_lost, OnLost::Continue);
        assert_eq!(serde_json::from_str::<LoadSpec>(&serde_json::to_string(&load).unwrap()).unwrap(), load);
    }
}
