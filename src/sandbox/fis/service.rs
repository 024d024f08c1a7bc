//! All templates and experiments of a sandbox, and what is done with them.
//!
//! Owns: ids, client tokens, quotas, tags. Must not know: HTTP.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use chrono::{DateTime, Utc};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::action::Effect;
use super::error::FisError;
use super::experiment::{Experiment, Step, World};
use super::injection::{Fault, Injection, Injections, later};
use super::lever::{LEVER_ID, Lever};
use super::spec::FisSpec;
use super::target::Candidate;
use super::template::{Body, Request, Template, check_tags};
use crate::sandbox::account::Account;
use crate::sandbox::cloudwatch::AlarmState;
use crate::unit::Clock;

/// Source: AWS FIS, "Quotas and limitations".
const TEMPLATES_MAX: usize = 500;
/// See [`TEMPLATES_MAX`].
const ACTIVE_EXPERIMENTS_MAX: usize = 5;
/// How many experiments are remembered; the oldest that has ended is forgotten. AWS keeps them 120 days.
const EXPERIMENTS_MAX: usize = 1_000;
/// How many client tokens are remembered.
const TOKENS_MAX: usize = 2_000;
/// How many hexadecimal digits follow the three letters of an id.
const ID_DIGITS: usize = 15;

/// The operations that take a client token; each has tokens of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    CreateTemplate,
    StartExperiment,
}

/// What a client token was used for: the request as it came, and the id of what it made.
#[derive(Debug)]
struct Used {
    operation: Operation,
    token: String,
    request: Value,
    id: String,
}

#[derive(Debug)]
pub(super) struct State {
    pub templates: Vec<Template>,
    pub experiments: Vec<Experiment>,
    pub lever: Lever,
    used: Vec<Used>,
    random: ChaCha8Rng,
}

/// The Fault Injection Service of one sandbox.
#[derive(Debug)]
pub(in crate::sandbox) struct Fis {
    spec: FisSpec,
    clock: Clock,
    /// `arn:aws:fis:REGION:ACCOUNT:`
    pub(super) arn_prefix: String,
    state: Mutex<State>,
    injections: Injections,
}

/// `StartExperiment`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StartRequest {
    client_token: Option<String>,
    experiment_template_id: Option<String>,
    experiment_options: Option<StartOptions>,
    tags: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct StartOptions {
    actions_mode: Option<String>,
}

fn read<'a, T: Deserialize<'a>>(request: &'a Value) -> Result<T, FisError> {
    T::deserialize(request).map_err(|error| FisError::invalid(error.to_string()))
}

fn token(given: Option<String>) -> Result<String, FisError> {
    let token = given.ok_or_else(|| FisError::invalid("`clientToken` is required"))?;
    if token.is_empty() || token.len() > 1_024 || token.contains(char::is_whitespace) {
        return Err(FisError::invalid("`clientToken` has 1 to 1024 characters and no space"));
    }
    Ok(token)
}

fn new_id(letters: &str) -> String {
    let digits = Uuid::new_v4().simple().to_string();
    letters.chars().chain(digits.chars().take(ID_DIGITS)).collect()
}

impl State {
    pub(super) fn template(&self, id: &str) -> Result<&Template, FisError> {
        self.templates.iter().find(|template| template.id == id).ok_or_else(|| no_template(id))
    }

    pub(super) fn experiment(&self, id: &str) -> Result<&Experiment, FisError> {
        self.experiments.iter().find(|experiment| experiment.id == id).ok_or_else(|| no_experiment(id))
    }

    /// Whether some experiment has not ended.
    pub(super) fn is_any_under_way(&self) -> bool {
        self.experiments.iter().any(|experiment| !experiment.status.is_end())
    }

    /// The id that the same request with the same token made before; a conflict when it was another request.
    fn made_before(&self, operation: Operation, token: &str, request: &Value) -> Result<Option<String>, FisError> {
        match self.used.iter().find(|used| used.operation == operation && used.token == token) {
            None => Ok(None),
            Some(used) if used.request == *request => Ok(Some(used.id.clone())),
            Some(_) => Err(FisError::Conflict(format!("The client token {token} was used for another request."))),
        }
    }

    fn remember(&mut self, operation: Operation, token: String, request: &Value, id: &str) {
        if self.used.len() >= TOKENS_MAX {
            self.used.remove(0);
        }
        self.used.push(Used { operation, token, request: request.clone(), id: id.to_owned() });
    }

    fn forget_an_experiment(&mut self) {
        let oldest = self.experiments.iter().position(|experiment| experiment.status.is_end());
        if let Some(index) = oldest.filter(|_| self.experiments.len() >= EXPERIMENTS_MAX) {
            self.experiments.remove(index);
        }
    }
}

fn no_template(id: &str) -> FisError {
    FisError::NotFound(format!("Experiment template {id}"))
}

fn no_experiment(id: &str) -> FisError {
    FisError::NotFound(format!("Experiment {id}"))
}

impl Fis {
    /// No templates and no experiments yet, the lever disengaged.
    pub(in crate::sandbox) fn new(region: &str, account_id: &str, clock: Clock, spec: FisSpec) -> Self {
        let state = State {
            templates: Vec::new(),
            experiments: Vec::new(),
            lever: Lever::default(),
            used: Vec::new(),
            random: ChaCha8Rng::seed_from_u64(spec.seed),
        };
        let arn_prefix = format!("arn:aws:fis:{region}:{account_id}:");
        Self { spec, clock, arn_prefix, state: Mutex::new(state), injections: Injections::default() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("invariant: nobody panics while holding templates and experiments")
    }

    /// What happens to an invocation; `invoked_arn` has the qualifier that it named.
    pub(in crate::sandbox) fn fault(&self, invoked_arn: &str) -> Fault {
        let resource = invoked_arn.split_once(":function:").map_or(invoked_arn, |(_, resource)| resource);
        let (function, qualifier) = resource.split_once(':').map_or((resource, None), |(name, q)| (name, Some(q)));
        self.injections.decide(function, qualifier, self.clock.now())
    }

    /// Some times a second: takes every experiment one step further.
    pub(in crate::sandbox) fn tick(&self, account: &Account) {
        let now = self.clock.now();
        self.injections.forget(now);
        let mut state = self.state();
        if !state.is_any_under_way() {
            return;
        }
        let candidates = candidates(account);
        let alarm_state =
            |arn: &str| account.context.cloudwatch.alarm_state(arn).map(|state| state == AlarmState::Alarm);
        let State { experiments, lever, random, .. } = &mut *state;
        let world = World {
            candidates: &candidates,
            is_in_alarm: &alarm_state,
            is_lever_engaged: lever.is_engaged,
            spec: &self.spec,
        };
        for experiment in experiments.iter_mut().filter(|experiment| !experiment.status.is_end()) {
            for step in experiment.advance(&world, random, now) {
                let random = ChaCha8Rng::from_rng(random);
                self.perform(&experiment.id, step, random, now);
            }
        }
    }

    fn perform(&self, experiment: &str, step: Step, random: ChaCha8Rng, now: DateTime<Utc>) {
        let effective = later(now, self.spec.propagation_ms);
        match step {
            Step::Begin { parameters, .. } if parameters.effect == Effect::Wait => {}
            Step::Begin { action, functions, qualifier, parameters } => self.injections.add(Injection {
                id: (experiment.to_owned(), action),
                functions: functions.into_iter().map(|candidate| candidate.name).collect(),
                qualifier,
                parameters,
                from: effective,
                until: None,
                random,
            }),
            Step::End { action } => self.injections.end(experiment, &action, effective),
        }
    }

    pub(super) fn create_template(&self, request: &Value) -> Result<Value, FisError> {
        let asked: Request = read(request)?;
        let token = token(asked.client_token.clone())?;
        let mut state = self.state();
        if let Some(id) = state.made_before(Operation::CreateTemplate, &token, request)?
            && let Ok(template) = state.template(&id)
        {
            return Ok(template.document(&self.arn_prefix));
        }
        let now = self.clock.now();
        let body = Body::new(&asked, &self.spec)?;
        let template = Template { id: new_id("EXT"), body, tags: asked.tags()?, created: now, updated: now };
        if state.templates.len() >= TEMPLATES_MAX {
            return Err(FisError::QuotaExceeded(format!("there are at most {TEMPLATES_MAX} experiment templates")));
        }
        state.remember(Operation::CreateTemplate, token, request, &template.id);
        let document = template.document(&self.arn_prefix);
        state.templates.push(template);
        Ok(document)
    }

    pub(super) fn update_template(&self, id: &str, request: &Value) -> Result<Value, FisError> {
        let asked: Request = read(request)?;
        let mut state = self.state();
        let body = state.template(id)?.body.changed(&asked, &self.spec)?;
        let template = state.templates.iter_mut().find(|template| template.id == id).ok_or_else(|| no_template(id))?;
        (template.body, template.updated) = (body, self.clock.now());
        Ok(template.document(&self.arn_prefix))
    }

    /// Deletes a template; experiments that were started from it go on.
    pub(super) fn delete_template(&self, id: &str) -> Result<Value, FisError> {
        let mut state = self.state();
        let index = state.templates.iter().position(|template| template.id == id).ok_or_else(|| no_template(id))?;
        Ok(state.templates.remove(index).document(&self.arn_prefix))
    }

    pub(super) fn start_experiment(&self, request: &Value) -> Result<Value, FisError> {
        let asked: StartRequest = read(request)?;
        let token = token(asked.client_token)?;
        let mut state = self.state();
        if let Some(id) = state.made_before(Operation::StartExperiment, &token, request)?
            && let Ok(experiment) = state.experiment(&id)
        {
            return Ok(experiment.document(&self.arn_prefix));
        }
        let template_id =
            asked.experiment_template_id.ok_or_else(|| FisError::invalid("`experimentTemplateId` is required"))?;
        let body = state.template(&template_id)?.body.clone();
        let skips_all = match asked.experiment_options.and_then(|options| options.actions_mode).as_deref() {
            None | Some("run-all") => false,
            Some("skip-all") => true,
            Some(other) => {
                return Err(FisError::invalid(format!("`actionsMode` must be run-all or skip-all, not `{other}`")));
            }
        };
        check_tags(&asked.tags)?;
        let active = state.experiments.iter().filter(|experiment| !experiment.status.is_end()).count();
        if active >= ACTIVE_EXPERIMENTS_MAX {
            let text = format!("at most {ACTIVE_EXPERIMENTS_MAX} experiments run at the same time");
            return Err(FisError::QuotaExceeded(text));
        }
        state.forget_an_experiment();
        let id = (new_id("EXP"), template_id.as_str());
        let experiment = Experiment::new(id, body, skips_all, asked.tags, self.clock.now());
        state.remember(Operation::StartExperiment, token, request, &experiment.id);
        let document = experiment.document(&self.arn_prefix);
        state.experiments.push(experiment);
        Ok(document)
    }

    pub(super) fn stop_experiment(&self, id: &str) -> Result<Value, FisError> {
        let mut state = self.state();
        let found = state.experiments.iter_mut().find(|experiment| experiment.id == id);
        let experiment = found.ok_or_else(|| no_experiment(id))?;
        if !experiment.stop(self.clock.now()) {
            let status = experiment.status.name();
            return Err(FisError::invalid(format!("Experiment {id} can not be stopped: it is {status}.")));
        }
        Ok(experiment.document(&self.arn_prefix))
    }

    pub(super) fn set_lever(&self, id: &str, is_engaged: bool, reason: String) -> Result<Value, FisError> {
        check_lever(id)?;
        let mut state = self.state();
        let is_any_under_way = state.is_any_under_way();
        if state.lever.is_engaging(is_any_under_way) && !is_engaged {
            let text = "The safety lever is still stopping experiments.";
            return Err(FisError::Conflict(text.to_owned()));
        }
        state.lever = Lever { is_engaged, reason: Some(reason) };
        Ok(state.lever.document(&self.arn_prefix, is_any_under_way))
    }

    pub(super) fn lever(&self, id: &str) -> Result<Value, FisError> {
        check_lever(id)?;
        let state = self.state();
        Ok(state.lever.document(&self.arn_prefix, state.is_any_under_way()))
    }

    /// Looks at, or changes, the tags of a template or an experiment.
    pub(super) fn with_tags<T>(
        &self,
        arn: &str,
        act: impl FnOnce(&mut BTreeMap<String, String>) -> Result<T, FisError>,
    ) -> Result<T, FisError> {
        let mut state = self.state();
        let State { templates, experiments, .. } = &mut *state;
        let template = templates.iter_mut().find(|template| template.arn(&self.arn_prefix) == arn);
        if let Some(template) = template {
            return act(&mut template.tags);
        }
        let experiment = experiments.iter_mut().find(|experiment| experiment.arn(&self.arn_prefix) == arn);
        act(&mut experiment.ok_or_else(|| FisError::NotFound(format!("Resource {arn}")))?.tags)
    }
}

fn check_lever(id: &str) -> Result<(), FisError> {
    if id == LEVER_ID { Ok(()) } else { Err(FisError::NotFound(format!("Safety lever {id}"))) }
}

/// All functions of the sandbox.
fn candidates(account: &Account) -> Vec<Candidate> {
    let candidate = |function: &std::sync::Arc<crate::sandbox::function::Function>| Candidate {
        name: function.name.clone(),
        arn: function.arn(),
        tags: function.tags.clone(),
    };
    account.functions.values().map(candidate).collect()
}
