//! A plan made ready to run: JSONPaths and texts read once, and for each step the place of its numbers in a frame.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderName;
use regex::bytes::Regex;
use serde_json::Value;
use serde_json_path::JsonPath;

use super::WorkerError;
use super::expectation::{Capture, Expectation};
use super::http::Client;
use super::program::{Compiler, Program};
use super::request::RequestTemplate;
use super::row::Rows;
use super::template::Shared;
use crate::load::expect::{CaptureSpec, parse_path};
use crate::load::frame::STEP_NAMES_MAX;
use crate::load::plan::{LoadPlan, PlannedRequest};
use crate::unit::Rest;

/// The name under which steps beyond [`STEP_NAMES_MAX`] are counted.
const OTHER: &str = "other";

/// The step under which a journey counts for which there was no row.
const ROWS: &str = "data";

/// The journey whose steps are those of the setup.
const SETUP: &str = "setup";
/// The journey whose steps are those of the teardown.
pub(super) const TEARDOWN: &str = "teardown";

/// What stands for any value of a header.
const ANY: &str = "*";

/// Journeys ready to be walked, and the names under which their steps are counted.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) journeys: Vec<PreparedJourney>,
    pub(crate) names: StepNames,
    /// What is done once, before and after; its steps are counted nowhere, and named apart.
    pub(super) setup: Program,
    pub(super) teardown: Program,
    pub(super) once_names: StepNames,
    /// What all users share.
    pub(super) shared: Arc<Shared>,
}

/// A journey with at least one step.
#[derive(Debug)]
pub(crate) struct PreparedJourney {
    pub(crate) weight: u32,
    /// The data files of which it takes a row, by their index.
    pub(crate) rows: Vec<usize>,
    /// Where it counts that there was no row.
    pub(crate) rows_slot: usize,
    pub(crate) program: Program,
}

/// A request, its template and its expectation compiled.
#[derive(Debug)]
pub(crate) struct PreparedStep {
    pub(crate) request: RequestTemplate,
    pub(crate) expectation: Expectation,
    pub(crate) think: Option<Rest>,
    /// Its index in [`StepNames`].
    pub(crate) slot: usize,
}

impl PreparedStep {
    pub(super) fn new(
        step: &PlannedRequest,
        plan: &LoadPlan,
        client: &Client,
        slot: usize,
    ) -> Result<Self, WorkerError> {
        let request = RequestTemplate::new(step, plan, client)
            .map_err(|what| WorkerError::Plan { message: format!("step `{}`: {what}", step.name) })?;
        Ok(Self { request, expectation: expectation(step)?, think: step.think, slot })
    }
}

/// Journey and step of each slot.
#[derive(Debug, Default)]
pub(crate) struct StepNames {
    pub(crate) slots: Vec<(String, String)>,
    pub(crate) is_folded: bool,
}

impl StepNames {
    /// The slot of a step; steps of one name within a journey share it.
    pub(super) fn slot(&mut self, journey: &str, step: &str) -> usize {
        let found = |slots: &[(String, String)], journey: &str, step: &str| {
            slots.iter().position(|slot| slot.0 == journey && slot.1 == step)
        };
        if let Some(slot) = found(&self.slots, journey, step) {
            return slot;
        }
        let (journey, step) = if self.slots.len() < STEP_NAMES_MAX {
            (journey, step)
        } else {
            self.is_folded = true;
            if let Some(slot) = found(&self.slots, OTHER, OTHER) {
                return slot;
            }
            (OTHER, OTHER)
        };
        self.slots.push((journey.to_owned(), step.to_owned()));
        self.slots.len() - 1
    }
}

impl Prepared {
    /// Reads every JSONPath and every text of the plan, and allows `client` the hosts that it names.
    pub(super) fn from_plan(plan: &LoadPlan, client: &Client) -> Result<Self, WorkerError> {
        let rows = Rows::new(&plan.data, plan.stripe);
        let mut names = StepNames::default();
        let mut journeys = Vec::with_capacity(plan.journeys.len());
        for journey in &plan.journeys {
            if journey.steps.is_empty() || journey.weight == 0 {
                return Err(WorkerError::Plan { message: format!("nobody can walk journey `{}`", journey.name) });
            }
            let program = Compiler { plan, client, names: &mut names }.compile(&journey.name, &journey.steps)?;
            let of_journey: Vec<usize> = journey.rows.iter().filter_map(|name| rows.index(name)).collect();
            let rows_slot = if of_journey.is_empty() { 0 } else { names.slot(&journey.name, ROWS) };
            journeys.push(PreparedJourney { weight: journey.weight, rows: of_journey, rows_slot, program });
        }
        if journeys.is_empty() || plan.shape.end() == Duration::ZERO {
            return Err(WorkerError::Plan { message: "the plan asks for nothing".to_owned() });
        }
        let mut once_names = StepNames::default();
        let mut once = Compiler { plan, client, names: &mut once_names };
        let (setup, teardown) = (once.compile(SETUP, &plan.setup)?, once.compile(TEARDOWN, &plan.teardown)?);
        let shared = Arc::new(Shared { values: BTreeMap::new(), rows: Arc::new(rows) });
        Ok(Self { journeys, names, setup, teardown, once_names, shared })
    }

    /// Lets all users know what the setup captured; before the first of them comes.
    pub(super) fn share(&mut self, values: BTreeMap<String, Value>) {
        self.shared = Arc::new(Shared { values, rows: Arc::clone(&self.shared.rows) });
    }

    /// How long an arrival may wait for its turn: as long as the most patient of its first steps would wait for an answer.
    pub(super) fn patience(&self) -> Duration {
        let first = self.journeys.iter().filter_map(|journey| journey.program.requests().next());
        first.map(|step| step.request.patience()).max().unwrap_or_default()
    }
}

fn expectation(step: &PlannedRequest) -> Result<Expectation, WorkerError> {
    let path = |text: &String| -> Result<JsonPath, WorkerError> {
        parse_path(text).map_err(|source| WorkerError::JsonPath { text: text.clone(), source })
    };
    let impossible = |what: String| WorkerError::Plan { message: format!("step `{}`: {what}", step.name) };
    let header = |name: &String| {
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| impossible(format!("`{name}` is no header")))
    };
    let regex = |text: &String| Regex::new(text).map_err(|error| impossible(error.to_string()));
    let mut expectation = Expectation {
        answer: step.answer,
        statuses: step.expect.status.as_ref().map(|statuses| statuses.0.clone()),
        within: step.expect.within.map(|within| within.0),
        ..Expectation::default()
    };
    for (name, value) in &step.expect.header {
        expectation.headers.push((header(name)?, (value != ANY).then(|| value.clone())));
    }
    if let Some(body) = &step.expect.body {
        expectation.contains.clone_from(&body.contains);
        expectation.matches = body.matches.as_ref().map(regex).transpose()?;
        for (text, value) in &body.json {
            expectation.json.push((path(text)?, value.clone()));
        }
    }
    for (name, capture) in &step.capture {
        let capture = match capture {
            CaptureSpec::JsonPath(text) => Capture::JsonPath(path(text)?),
            CaptureSpec::Header(name) => Capture::Header(header(name)?),
            CaptureSpec::Regex(text) => Capture::Regex(regex(text)?),
            CaptureSpec::Cookie(name) => Capture::Cookie(name.clone()),
        };
        expectation.capture.push((name.clone(), capture));
    }
    Ok(expectation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_beyond_the_limit_share_one_name() {
        let mut names = StepNames::default();
        let slots: Vec<usize> = (0..STEP_NAMES_MAX + 50).map(|index| names.slot("j", &index.to_string())).collect();
        assert_eq!(slots[STEP_NAMES_MAX - 1], STEP_NAMES_MAX - 1);
        assert!(slots[STEP_NAMES_MAX..].iter().all(|slot| *slot == STEP_NAMES_MAX));
        assert_eq!(names.slots.len(), STEP_NAMES_MAX + 1);
        assert!(names.is_folded);
    }

    #[test]
    fn a_name_used_twice_is_one_slot() {
        let mut names = StepNames::default();
        assert_eq!(names.slot("buy", "browse"), names.slot("buy", "browse"));
        assert_ne!(names.slot("buy", "browse"), names.slot("look", "browse"));
        assert!(!names.is_folded);
    }
}
