//! A plan made ready to run: JSONPaths and texts read once, and for each step the place of its numbers in a frame.

use std::time::Duration;

use serde_json_path::JsonPath;

use super::WorkerError;
use super::expectation::Expectation;
use super::http::Client;
use super::request::RequestTemplate;
use crate::load::frame::STEP_NAMES_MAX;
use crate::load::plan::{LoadPlan, PlannedStep};
use crate::load::spec::parse_path;
use crate::unit::DurationRange;

/// The name under which steps beyond [`STEP_NAMES_MAX`] are counted.
const OTHER: &str = "other";

/// Journeys ready to be walked, and the names under which their steps are counted.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) journeys: Vec<PreparedJourney>,
    pub(crate) names: StepNames,
}

/// A journey with at least one step.
#[derive(Debug)]
pub(crate) struct PreparedJourney {
    pub(crate) weight: u32,
    pub(crate) steps: Vec<PreparedStep>,
}

/// A step, its request and its expectation compiled.
#[derive(Debug)]
pub(crate) struct PreparedStep {
    pub(crate) request: RequestTemplate,
    pub(crate) expectation: Expectation,
    pub(crate) think: Option<DurationRange>,
    /// Its index in [`StepNames`].
    pub(crate) slot: usize,
}

/// Journey and step of each slot.
#[derive(Debug, Default)]
pub(crate) struct StepNames {
    pub(crate) slots: Vec<(String, String)>,
    pub(crate) is_folded: bool,
}

impl StepNames {
    /// The slot of a step; steps of one name within a journey share it.
    fn slot(&mut self, journey: &str, step: &str) -> usize {
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
        let mut names = StepNames::default();
        let mut journeys = Vec::with_capacity(plan.journeys.len());
        for journey in &plan.journeys {
            let mut steps = Vec::with_capacity(journey.steps.len());
            for step in &journey.steps {
                let slot = names.slot(&journey.name, &step.name);
                let request = RequestTemplate::new(step, plan, client)
                    .map_err(|what| WorkerError::Plan { message: format!("step `{}`: {what}", step.name) })?;
                steps.push(PreparedStep { request, expectation: expectation(step)?, think: step.think, slot });
            }
            if steps.is_empty() || journey.weight == 0 {
                return Err(WorkerError::Plan { message: format!("nobody can walk journey `{}`", journey.name) });
            }
            journeys.push(PreparedJourney { weight: journey.weight, steps });
        }
        if journeys.is_empty() || plan.shape.end() == Duration::ZERO {
            return Err(WorkerError::Plan { message: "the plan asks for nothing".to_owned() });
        }
        Ok(Self { journeys, names })
    }
}

impl Prepared {
    /// How long an arrival may wait for its turn: as long as the most patient of its first steps would wait for an answer.
    pub(super) fn patience(&self) -> Duration {
        let first = self.journeys.iter().filter_map(|journey| journey.steps.first());
        first.map(|step| step.request.patience()).max().unwrap_or_default()
    }
}

fn expectation(step: &PlannedStep) -> Result<Expectation, WorkerError> {
    let path = |text: &String| -> Result<JsonPath, WorkerError> {
        parse_path(text).map_err(|source| WorkerError::JsonPath { text: text.clone(), source })
    };
    let mut expectation = Expectation {
        statuses: step.expect.status.as_ref().map(|statuses| statuses.0.clone()),
        within: step.expect.within.map(|within| within.0),
        ..Expectation::default()
    };
    if let Some(body) = &step.expect.body {
        expectation.contains.clone_from(&body.contains);
        for (text, value) in &body.json {
            expectation.json.push((path(text)?, value.clone()));
        }
    }
    for (name, text) in &step.capture {
        expectation.capture.push((name.clone(), path(text)?));
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
