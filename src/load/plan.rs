//! What a load worker reads: a load with everything resolved but the values that its own steps capture.
//!
//! Owns: the plan and how it is made from a spec. Must not know: how load is made.

mod call;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub use self::call::{AnswerKind, PlannedPiece, PlannedSignature, Within};
use self::step::Planner;
pub use self::step::{
    FileBytes, PlannedBody, PlannedCondition, PlannedIf, PlannedLoop, PlannedPart, PlannedRequest, PlannedStep,
    REQUEST_TIMEOUT_DEFAULT, Turns,
};
use super::call::AwsAddress;
use super::check::SpecProblem;
use super::data::{Pick, Table};
use super::file::{Files, ReadFile};
use super::placeholder::{Generator, Placeholder};
use super::schedule::{Spacing, Stripe};
use super::shape::Shape;
use super::spec::{IN_FLIGHT_MAX_DEFAULT, LoadSpec};
use super::text::Owner;
use crate::unit::{AwsAccess, DurationText, LoadId, TargetId};

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
    /// A target that can not be called.
    #[error("failed to plan load `{load}`: target `{target}` is nothing that can be called")]
    NoAddress {
        /// The load.
        load: LoadId,
        /// The target.
        target: TargetId,
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

/// What the caller knows of the targets that a load names, and of where they are.
#[derive(Clone, Copy)]
pub struct Targets<'a> {
    /// The value of a target's placeholder such as `checkout-fn.url`.
    pub placeholder: &'a dyn Fn(&str) -> Option<String>,
    /// Where a target is that is invoked or sent to.
    pub address: &'a dyn Fn(&TargetId) -> Option<AwsAddress>,
    /// How the load's process connects to AWS; none where it can not.
    pub access: Option<&'a AwsAccess>,
    /// The Region for which requests are signed.
    pub region: &'a str,
}

impl fmt::Debug for Targets<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Targets").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Targets<'_> {
    /// Nothing is known.
    pub const NONE: Self = Self { placeholder: &|_| None, address: &|_| None, access: None, region: "" };
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
    /// What is done once before the shape begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setup: Vec<PlannedStep>,
    /// What users do.
    pub journeys: Vec<PlannedJourney>,
    /// What is done once at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub teardown: Vec<PlannedStep>,
    /// The data files of which journeys take rows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, PlannedData>,
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
    /// How long a server may take to begin its answer; none has no limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_timeout: Option<DurationText>,
    /// How the load's process connects to AWS, where it signs requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws: Option<AwsAccess>,
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
    /// The data files of which it takes a row when it begins.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rows: BTreeSet<String>,
    /// What is done, in order; at least one.
    pub steps: Vec<PlannedStep>,
}

/// A data file that was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedData {
    /// Which row a journey takes.
    pub pick: Pick,
    /// The rows.
    pub table: Table,
}

impl LoadPlan {
    /// Resolves a load: `targets` is what is known of those that it names, `read` gives the bytes of a file of the workspace.
    ///
    /// # Errors
    /// A spec with problems, those of its files included; an unknown placeholder.
    pub fn build(
        load: &LoadId,
        spec: &LoadSpec,
        origin: DateTime<Utc>,
        seed: u64,
        targets: &Targets<'_>,
        read: &ReadFile<'_>,
    ) -> Result<Self, PlanError> {
        let invalid = |SpecProblem { path, message, .. }| PlanError::Invalid {
            load: load.clone(),
            path: path.join("."),
            message,
        };
        if let Some(problem) = spec.problems().into_iter().next() {
            return Err(invalid(problem));
        }
        let Files { bodies, tables, problems } = Files::read(spec, read);
        if let Some(problem) = problems.into_iter().next() {
            return Err(invalid(problem));
        }
        if let Some(found) =
            spec.target_placeholders().into_iter().find(|found| (targets.placeholder)(&found.name).is_none())
        {
            return Err(PlanError::Unresolved { load: load.clone(), name: found.name });
        }
        let mut callees = spec.calls().into_iter().filter_map(|(_, step)| step.callee());
        if let Some(target) = callees.find(|target| (targets.address)(target).is_none()) {
            return Err(PlanError::NoAddress { load: load.clone(), target: target.clone() });
        }
        let mut missing = None;
        spec.visit_placeholders(&mut |placeholder, _| {
            missing = missing.take().or_else(|| missing_variable(&placeholder))
        });
        if let Some(variable) = missing {
            return Err(PlanError::NoVariable { load: load.clone(), variable });
        }
        let mut planner = Planner::new(spec, targets, &bodies);
        let mut rows = rows_of_journeys(spec);
        let journeys = spec
            .journeys
            .iter()
            .enumerate()
            .map(|(index, journey)| PlannedJourney {
                name: journey.name.clone(),
                weight: journey.weight,
                rows: rows.remove(&index).unwrap_or_default(),
                steps: planner.steps(&journey.steps, journey.think),
            })
            .collect();
        let data = tables.into_iter().filter_map(|(name, table)| {
            let pick = spec.data.get(&name)?.pick;
            Some((name, PlannedData { pick, table }))
        });
        Ok(Self {
            load: load.clone(),
            origin,
            run: None,
            seed,
            setup: planner.steps(&spec.setup, None),
            journeys,
            teardown: planner.steps(&spec.teardown, None),
            data: data.collect(),
            shape: spec.shape(),
            arrivals: spec.arrivals,
            stripe: Stripe::default(),
            in_flight_max: spec.in_flight_max.unwrap_or(IN_FLIGHT_MAX_DEFAULT),
            http2: spec.http2,
            redirects: spec.redirects.unwrap_or_default(),
            connect_timeout: spec.connect_timeout.unwrap_or(DurationText(CONNECT_TIMEOUT_DEFAULT)),
            first_byte_timeout: spec.first_byte_timeout,
            aws: targets.access.filter(|_| spec.signs()).cloned(),
            authorities: Vec::new(),
        })
    }
}

/// The data files that each journey mentions, by the journey's index.
fn rows_of_journeys(spec: &LoadSpec) -> BTreeMap<usize, BTreeSet<String>> {
    let mut rows: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    spec.visit_placeholders(&mut |placeholder, known| {
        let Owner::Column { data, .. } = known.owner(spec, &placeholder.name) else { return };
        match placeholder.path.as_slice() {
            [first, index, ..] if first == "journeys" => {
                let index = index.parse().unwrap_or(usize::MAX);
                rows.entry(index).or_default().insert(data.to_owned());
            }
            // What stands in the base URL stands in all of them.
            _ => {
                for index in 0..spec.journeys.len() {
                    rows.entry(index).or_default().insert(data.to_owned());
                }
            }
        }
    });
    rows
}

/// The variable that a placeholder stands for and that is not set.
fn missing_variable(placeholder: &Placeholder) -> Option<String> {
    match Generator::parse(&placeholder.name)?.ok()? {
        Generator::Environment(variable) => std::env::var_os(&variable).is_none().then_some(variable),
        Generator::Uuid | Generator::Now | Generator::Random { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn build(yaml: &str) -> Result<LoadPlan, PlanError> {
        let spec: LoadSpec = serde_yaml::from_str(yaml).unwrap();
        let resolve = |name: &str| (name == "shop.url").then(|| "http://127.0.0.1:9/prod/".to_owned());
        let read = |path: &str, _| Ok(if path.ends_with("csv") { &b"url\nb\n"[..] } else { b"\0\xff" }.to_vec());
        let targets = Targets { placeholder: &resolve, ..Targets::NONE };
        LoadPlan::build(&"users".parse().unwrap(), &spec, DateTime::UNIX_EPOCH, 7, &targets, &read)
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
        let [PlannedStep::Request(basket), PlannedStep::Request(look)] = plan.journeys[0].steps.as_slice() else {
            panic!("two requests")
        };
        assert_eq!((basket.name.as_str(), basket.url.as_str()), ("POST /basket", "http://127.0.0.1:9/prod/basket"));
        assert_eq!(basket.body, Some(PlannedBody::Json(json!({"back": "http://127.0.0.1:9/prod/", "n": 1}))));
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
    fn groups_become_names_and_files_are_in_the_plan_and_rows_are_of_those_who_mention_them() {
        let plan = build(
            r#"
base_url: "http://a"
data: {shop: {file: shop.csv}, more: {file: more.csv, pick: unique}}
setup: [{put: /, file: a.bin}]
journeys:
  - name: buy
    steps: [{group: {name: pay, steps: [{loop: {times: 2, steps: [{get: "/${shop.url}"}]}}, {pause: 1s}]}}]
  - {name: look, steps: [{get: "/x#y", query: {q: "a b"}}]}
shape: [{hold: 5m, at: 20 users}]
"#,
        )
        .unwrap();
        let [buy, look] = plan.journeys.as_slice() else { panic!("two journeys") };
        let [PlannedStep::Loop(repeat), PlannedStep::Pause(_)] = buy.steps.as_slice() else { panic!("{buy:?}") };
        let [PlannedStep::Request(get)] = repeat.steps.as_slice() else { panic!("{repeat:?}") };
        // The name of a data file comes before that of a target.
        assert_eq!((get.name.as_str(), get.url.as_str()), ("pay / GET /${shop.url}", "http://a/${shop.url}"));
        assert_eq!((buy.rows.clone(), look.rows.len()), (BTreeSet::from(["shop".to_owned()]), 0));
        let [PlannedStep::Request(look)] = look.steps.as_slice() else { panic!("{look:?}") };
        assert_eq!(look.url, "http://a/x");
        let [PlannedStep::Request(put)] = plan.setup.as_slice() else { panic!("{:?}", plan.setup) };
        assert_eq!(put.body, Some(PlannedBody::File(FileBytes(b"\0\xff".to_vec()))));
        assert_eq!(plan.data["more"].pick, Pick::Unique);
        let json = serde_json::to_string(&plan).unwrap();
        assert!(json.contains(r#""AP8=""#), "{json}");
        assert_eq!(serde_json::from_str::<LoadPlan>(&json).unwrap(), plan);
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
