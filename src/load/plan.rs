//! What a load worker reads: a load with everything resolved but the values that its own steps capture.
//!
//! Owns: the plan and how it is made from a spec. Must not know: how load is made.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::SpecProblem;
use super::placeholder::{self, Generator, Placeholder};
use super::schedule::{Spacing, Stripe};
use super::shape::Shape;
use super::spec::{ExpectSpec, IN_FLIGHT_MAX_DEFAULT, JourneySpec, LoadSpec, Method, StepSpec};
use crate::unit::{DurationRange, DurationText, LoadId};

/// When a request is given up, unless its step says otherwise.
pub const REQUEST_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How long opening a connection may take, where a load says nothing else.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// Why a load can not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The spec is not valid; the first of its problems.
    #[error("failed to plan load `{load}`: {message} at `{path}`")]
    Invalid {
        /// The load.
        load: LoadId,
        /// Where.
        path: String,
        /// What.
        message: String,
    },
    /// An environment variable that is not set, so that requests would go without what it stands for.
    #[error("failed to plan load `{load}`: the environment variable `{variable}` is not set")]
    NoVariable {
        /// The load.
        load: LoadId,
        /// The variable.
        variable: String,
    },
    /// A dotted placeholder that the caller does not know.
    #[error("failed to plan load `{load}`: nothing is known as `${{{name}}}`")]
    Unresolved {
        /// The load.
        load: LoadId,
        /// The placeholder's name.
        name: String,
    },
}

/// A load, ready to be made. It is one line of JSON on a worker's standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadPlan {
    /// The load's name in the scenario.
    pub load: LoadId,
    /// The run's zero: frames count seconds from here. The shape itself begins when the worker does.
    pub origin: DateTime<Utc>,
    /// What every request bears as `X-Gameday-Run`, so that its traces can be told from those of real users; none leaves it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Seeds each user's choice of journeys, think times and random values, and the arrivals of a Poisson process.
    pub seed: u64,
    /// What users do.
    pub journeys: Vec<PlannedJourney>,
    /// How many users, or arrivals a second, when.
    pub shape: Shape,
    /// How arrivals lie between each other.
    pub arrivals: Spacing,
    /// Which of the arrivals this worker takes.
    #[serde(default)]
    pub stripe: Stripe,
    /// How many users of an open model may be under way at once.
    pub in_flight_max: u32,
    /// Whether to speak HTTP/2.
    pub http2: bool,
    /// How many redirects a request follows.
    pub redirects: u8,
    /// How long opening a connection may take.
    pub connect_timeout: DurationText,
    /// Authorities that are trusted beside the system's, as PEM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorities: Vec<String>,
}

/// A journey with its steps resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedJourney {
    /// Its name.
    pub name: String,
    /// How often it is drawn in relation to the others.
    pub weight: u32,
    /// What is requested, in order; at least one.
    pub steps: Vec<PlannedStep>,
}

/// A step with its URL whole; texts may still hold `${name}` of values that earlier steps capture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedStep {
    /// Its name in frames.
    pub name: String,
    /// The method.
    pub method: Method,
    /// The absolute URL.
    pub url: String,
    /// Request headers.
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    pub json: Option<Value>,
    /// A plain body.
    pub body: Option<String>,
    /// Values to keep from the answer: name → JSONPath.
    pub capture: BTreeMap<String, String>,
    /// What makes the answer a success.
    pub expect: ExpectSpec,
    /// How long the user rests afterwards.
    pub think: Option<DurationRange>,
    /// When the request is given up.
    pub timeout: DurationText,
}

impl LoadPlan {
    /// Resolves a load: `resolve` gives the value of a dotted placeholder such as `checkout-fn.url`.
    ///
    /// # Errors
    /// A spec with problems; an unknown placeholder.
    pub fn build(
        load: &LoadId,
        spec: &LoadSpec,
        origin: DateTime<Utc>,
        seed: u64,
        resolve: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, PlanError> {
        if let Some(SpecProblem { path, message, .. }) = spec.problems().into_iter().next() {
            return Err(PlanError::Invalid { load: load.clone(), path: path.join("."), message });
        }
        let plan = Self {
            load: load.clone(),
            origin,
            run: None,
            seed,
            journeys: spec.journeys.iter().map(|journey| plan_journey(spec, journey, &resolve)).collect(),
            shape: spec.shape(),
            arrivals: spec.arrivals,
            stripe: Stripe::default(),
            in_flight_max: spec.in_flight_max.unwrap_or(IN_FLIGHT_MAX_DEFAULT),
            http2: spec.http2,
            redirects: spec.redirects.unwrap_or_default(),
            connect_timeout: spec.connect_timeout.unwrap_or(DurationText(CONNECT_TIMEOUT_DEFAULT)),
            authorities: Vec::new(),
        };
        if let Some(variable) = spec.placeholders().iter().find_map(missing_variable) {
            return Err(PlanError::NoVariable { load: load.clone(), variable });
        }
        let unresolved =
            spec.placeholders().into_iter().find(|found| found.is_dotted() && resolve(&found.name).is_none());
        match unresolved {
            Some(found) => Err(PlanError::Unresolved { load: load.clone(), name: found.name }),
            None => Ok(plan),
        }
    }
}

/// The variable that a placeholder stands for and that is not set.
fn missing_variable(placeholder: &Placeholder) -> Option<String> {
    match Generator::parse(&placeholder.name)?.ok()? {
        Generator::Environment(variable) => std::env::var_os(&variable).is_none().then_some(variable),
        Generator::Uuid | Generator::Now | Generator::Random { .. } => None,
    }
}

fn plan_journey(load: &LoadSpec, journey: &JourneySpec, resolve: &impl Fn(&str) -> Option<String>) -> PlannedJourney {
    let steps = journey.steps.iter().filter_map(|step| plan_step(load, journey, step, resolve)).collect();
    PlannedJourney { name: journey.name.clone(), weight: journey.weight, steps }
}

/// None for a step that is not valid, which was refused before.
fn plan_step(
    load: &LoadSpec,
    journey: &JourneySpec,
    step: &StepSpec,
    resolve: &impl Fn(&str) -> Option<String>,
) -> Option<PlannedStep> {
    let (method, url) = step.request()?;
    let resolved = |text: &str| placeholder::fill(text, |name| resolve(name));
    let url = match (&load.base_url, url.starts_with('/')) {
        (Some(base), true) => format!("{}{}", resolved(base).trim_end_matches('/'), resolved(url)),
        (_, false) | (None, true) => resolved(url),
    };
    Some(PlannedStep {
        name: step.label(),
        method,
        url,
        headers: step.headers.iter().map(|(name, value)| (name.clone(), resolved(value))).collect(),
        json: step.json.as_ref().map(|json| placeholder::fill_json(json, &mut |name| resolve(name).map(Value::String))),
        body: step.body.as_deref().map(resolved),
        capture: step.capture.clone(),
        expect: step.expect.clone().unwrap_or_default(),
        think: step.think.or(journey.think),
        timeout: step.timeout.unwrap_or(DurationText(REQUEST_TIMEOUT_DEFAULT)),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn build(yaml: &str) -> Result<LoadPlan, PlanError> {
        let spec: LoadSpec = serde_yaml::from_str(yaml).unwrap();
        let resolve = |name: &str| (name == "shop.url").then(|| "http://127.0.0.1:9/prod/".to_owned());
        LoadPlan::build(&"users".parse().unwrap(), &spec, DateTime::UNIX_EPOCH, 7, resolve)
    }

    #[test]
    fn a_plan_has_whole_urls_names_and_defaults() {
        let plan = build(
            r#"
base_url: "${shop.url}"
journeys:
  - name: buy
    think: 1s
    steps:
      - {post: /basket, json: {back: "${shop.url}", n: 1}, capture: {id: $.id}}
      - {name: look, get: "/basket/${id}", think: 2s, timeout: 3s, headers: {origin: "${shop.url}"}}
shape: [{hold: 5m, at: 20 users}]
"#,
        )
        .unwrap();
        let [basket, look] = plan.journeys[0].steps.as_slice() else { panic!("two steps") };
        assert_eq!((basket.name.as_str(), basket.url.as_str()), ("POST /basket", "http://127.0.0.1:9/prod/basket"));
        assert_eq!(basket.json, Some(json!({"back": "http://127.0.0.1:9/prod/", "n": 1})));
        assert_eq!((basket.timeout.0, basket.think), (REQUEST_TIMEOUT_DEFAULT, Some("1s".parse().unwrap())));
        assert_eq!((look.name.as_str(), look.url.as_str()), ("look", "http://127.0.0.1:9/prod/basket/${id}"));
        assert_eq!(look.headers["origin"], "http://127.0.0.1:9/prod/");
        assert_eq!((look.timeout, look.think), ("3s".parse().unwrap(), Some("2s".parse().unwrap())));
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<LoadPlan>(&json).unwrap(), plan);
    }

    #[test]
    fn a_variable_that_is_not_set_is_refused() {
        let error = build(
            "{base_url: 'http://a', journeys: [{name: j, steps: [{get: '/${env:GAMEDAY_NO_SUCH_VARIABLE}'}]}], \
             shape: [{hold: 1m, at: 4/s}]}",
        )
        .unwrap_err();
        assert!(
            error.to_string().ends_with("the environment variable `GAMEDAY_NO_SUCH_VARIABLE` is not set"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_target_and_a_broken_spec_are_refused() {
        let unknown =
            build("{journeys: [{name: j, steps: [{get: '${nope.url}/'}]}], shape: [{hold: 1m, at: 4 users}]}")
                .unwrap_err();
        assert_eq!(unknown.to_string(), "failed to plan load `users`: nothing is known as `${nope.url}`");
        let broken = build("{journeys: [{name: j, steps: [{get: /}]}], shape: [{hold: 1m, at: 4 users}]}").unwrap_err();
        assert!(broken.to_string().ends_with("at `journeys.0.steps.0.get`"), "{broken}");
    }
}
