//! A load as scenario files write it: journeys of HTTP steps, and a shape that says how much of them when.
//!
//! Owns: the keys of the load itself, their types and defaults; those of a step are in `step.rs`. What a valid combination is
//! stands in `check.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::data::DataSpec;
use super::schedule::Spacing;
use super::shape::Shape;
use super::step::{StepSpec, labels};
use crate::unit::{DurationText, Level, Rest};

/// One load of a scenario: who comes, what they do, and how many of them when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadSpec {
    /// What a step's path is appended to: `https://shop.example.com/prod`. May hold `${target.url}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// What users do; each time one starts anew, a journey is drawn by weight.
    pub journeys: Vec<JourneySpec>,
    /// What is done once, before the first arrival or user; what it captures is there for every journey. At most 60 s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<StepSpec>,
    /// What is done once at the end, also after a stop. At most 5 s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teardown: Vec<StepSpec>,
    /// Files of which each journey that mentions `${name.column}` takes a row when it begins.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, DataSpec>,
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
    /// The service for which requests below `base_url` are signed (Signature Version 4) with the environment's credentials:
    /// `execute-api` for API Gateway with IAM, `lambda` for a function URL; default none. Steps may have a `sign` of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<String>,
    /// How many redirects a request follows, 0 to 20; default 0, where each is an answer like any other. One that leads to a
    /// host that the load does not name is a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirects: Option<u8>,
    /// How long opening a connection may take, name look-up and TLS included; default 10 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<DurationText>,
    /// How long a server may take from a request to the first byte of its answer; default as long as the step's `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_timeout: Option<DurationText>,
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

    /// The names in frames of all requests of its journeys, in order; a step of a group is called `group / step`.
    #[must_use]
    pub fn step_names(&self) -> Vec<String> {
        let mut found = Vec::new();
        for journey in &self.journeys {
            labels(&journey.steps, &mut Vec::new(), &mut found);
        }
        found
    }

    /// Whether users come at a rate, and not as a number of them.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.model() == Some(Model::Open)
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
    /// How long a user rests after each request: `2s`, drawn evenly from `1s..3s`, or of the mean `exp(2s)`. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub think: Option<Rest>,
    /// What is requested, in order, and what leads from one request to the next.
    pub steps: Vec<StepSpec>,
}

fn weight_default() -> u32 {
    1
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
