//! AWS FIS through `aws-sdk-fis`: experiments, the templates that they are made from, and the safety lever.
//!
//! Owns: the calls, what is idempotent about them, the tag by which ours are found. Must not know: which actions there are.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_fis::Client;
use aws_sdk_fis::types::{
    ActionsMode as SdkActionsMode, CreateExperimentTemplateActionInput, CreateExperimentTemplateStopConditionInput,
    CreateExperimentTemplateTargetInput, ExperimentState, SafetyLeverStatus, StartExperimentExperimentOptionsInput,
};
use serde::{Deserialize, Serialize};

use super::AwsError;
use super::failpoint::AroundCalls;
use crate::unit::Failpoints;

const SERVICE: &str = "fis";
/// The tag of what is ours; its value is the token.
const TAG: &str = "gameday";
/// The only lever that an account has in a Region (AWS: `GetSafetyLever`).
const LEVER_ID: &str = "default";
/// What the only action of a template of ours is called in it.
const ACTION_NAME: &str = "act";
/// What the only target of a template of ours is called in it.
const TARGET_NAME: &str = "target";
/// How many items a page has (AWS: at most 100).
const PAGE_ITEMS: i32 = 100;
/// How many pages of a list are read. AWS keeps experiments for 120 days.
const PAGES_MAX: usize = 100;
/// What is said of a list that has more pages than are read.
const NO_END: &str = "the list has no end";
/// Parameters of actions that may hold secrets; AWS may quote them when it does not take them.
const SECRET_PARAMETERS: &[&str] = &["documentParameters"];

/// Whether something carries the tag of what is ours, with a token that is it.
fn is_tagged(tags: Option<&HashMap<String, String>>, is_it: &(dyn Fn(&str) -> bool + Sync)) -> bool {
    tags.and_then(|tags| tags.get(TAG)).is_some_and(|tag| is_it(tag))
}

/// AWS FIS of one Region. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Fis {
    client: Client,
}

/// A template with one action, on one resource at most, and without a stop condition: the run has guardrails of its own.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewTemplate {
    /// The ARN of the role in which FIS works.
    pub role_arn: String,
    /// The action: `aws:lambda:invocation-error`.
    pub action: String,
    /// The action's parameters with its duration. They may be secrets.
    pub parameters: BTreeMap<String, String>,
    /// What it works on; none for actions that have no target.
    pub target: Option<TemplateTarget>,
}

impl std::fmt::Debug for NewTemplate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&String> = self.parameters.keys().collect();
        let mut text = formatter.debug_struct("NewTemplate");
        text.field("role_arn", &self.role_arn).field("action", &self.action).field("parameters", &names);
        text.field("target", &self.target).finish()
    }
}

/// What the action of a template works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateTarget {
    /// The name that the action has for its target: `Functions`.
    pub key: String,
    /// The type of the resource: `aws:lambda:function`.
    pub resource_type: String,
    /// Its ARN.
    pub arn: String,
    /// Parameters of the target: `functionQualifier`.
    pub parameters: BTreeMap<String, String>,
}

/// An experiment as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Experiment {
    /// Its id: `EXP…`.
    pub id: String,
    /// Where it is in its life.
    pub status: ExperimentStatus,
    /// Why, in AWS's words.
    pub reason: Option<String>,
}

/// Where an experiment is in its life. AWS: `ExperimentStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExperimentStatus {
    /// It waits for its turn.
    Pending,
    /// It looks for its targets.
    Initiating,
    /// Its actions run.
    Running,
    /// Its actions have ended by themselves.
    Completed,
    /// It takes its actions back.
    Stopping,
    /// It was stopped: by somebody, by a stop condition or by the safety lever.
    Stopped,
    /// An action failed, or there was no target.
    Failed,
    /// The safety lever let it not begin.
    Cancelled,
}

/// Whether an experiment's actions run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionsMode {
    /// They run.
    RunAll,
    /// They are skipped: only the targets are looked for.
    SkipAll,
}

/// A resource that an experiment found for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedTarget {
    /// The name of the target in the template.
    pub target: String,
    /// The type of the resource: `aws:lambda:function`.
    pub resource_type: String,
    /// What AWS knows of the resource: its `arn`, and more that depends on the type.
    pub information: BTreeMap<String, String>,
}

impl ExperimentStatus {
    /// Whether nothing comes after it.
    #[must_use]
    pub fn is_end(self) -> bool {
        match self {
            Self::Pending | Self::Initiating | Self::Running | Self::Stopping => false,
            Self::Completed | Self::Stopped | Self::Failed | Self::Cancelled => true,
        }
    }

    /// Whether somebody has to stop it before it ends soon.
    #[must_use]
    pub fn is_to_be_stopped(self) -> bool {
        match self {
            Self::Pending | Self::Initiating | Self::Running => true,
            Self::Stopping | Self::Completed | Self::Stopped | Self::Failed | Self::Cancelled => false,
        }
    }

    /// AWS's word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Initiating => "initiating",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Pending,
            Self::Initiating,
            Self::Running,
            Self::Completed,
            Self::Stopping,
            Self::Stopped,
            Self::Failed,
            Self::Cancelled,
        ];
        all.into_iter().find(|status| status.name() == name)
    }
}

fn bad_answer(operation: &'static str, message: &str) -> AwsError {
    AwsError {
        service: SERVICE,
        operation,
        code: "BadAnswer".to_owned(),
        message: message.to_owned(),
        retryable: false,
        request_id: None,
    }
}

/// An experiment from the members that answers have in common.
fn read(operation: &'static str, id: Option<&str>, state: Option<&ExperimentState>) -> Result<Experiment, AwsError> {
    let id = id.ok_or_else(|| bad_answer(operation, "an experiment has no id"))?.to_owned();
    let name = state.and_then(ExperimentState::status).map_or("", |status| status.as_str());
    let status = ExperimentStatus::from_name(name)
        .ok_or_else(|| bad_answer(operation, &format!("experiment `{id}` is in the unknown state `{name}`")))?;
    let reason = state.and_then(ExperimentState::reason).filter(|reason| !reason.is_empty());
    Ok(Experiment { id, status, reason: reason.map(str::to_owned) })
}

/// AWS quotes what it does not take: what may be a secret is struck out of its message.
fn without_secrets(error: AwsError, template: &NewTemplate) -> AwsError {
    let values = SECRET_PARAMETERS.iter().filter_map(|name| template.parameters.get(*name));
    let message = values.filter(|value| !value.is_empty()).fold(error.message, |message, value| {
        let escaped = serde_json::Value::from(value.as_str()).to_string();
        message.replace(value.as_str(), "***").replace(escaped.trim_matches('"'), "***")
    });
    AwsError { message, ..error }
}

impl Fis {
    pub(super) fn new(configuration: &aws_config::SdkConfig, failpoints: Failpoints) -> Self {
        let builder = aws_sdk_fis::config::Builder::from(configuration);
        Self { client: Client::from_conf(builder.interceptor(AroundCalls(failpoints)).build()) }
    }

    /// Whether the safety lever of the account is engaged, or about to be: it stops all experiments and lets none begin.
    /// `fis:GetSafetyLever`.
    ///
    /// # Errors
    /// The call failed; not every emulator has it.
    pub async fn is_lever_engaged(&self) -> Result<bool, AwsError> {
        const OPERATION: &str = "GetSafetyLever";
        let output = self.client.get_safety_lever().id(LEVER_ID).send().await;
        let output = output.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        let state = output.safety_lever().and_then(|lever| lever.state());
        let status = state.and_then(|state| state.status());
        // A state that we do not know is none in which experiments are sure to run.
        let status = status.ok_or_else(|| bad_answer(OPERATION, "the answer has no state"))?;
        Ok(*status != SafetyLeverStatus::Disengaged)
    }

    /// Whether there is a template with this id. `fis:GetExperimentTemplate`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn has_template(&self, id: &str) -> Result<bool, AwsError> {
        let output = self.client.get_experiment_template().id(id).send().await;
        match output.map_err(|error| AwsError::from_sdk(SERVICE, "GetExperimentTemplate", &error)) {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// By which tags each target of a template is chosen; none where it is not chosen by tags (but by ARNs or parameters), or
    /// where there is no such template. `fis:GetExperimentTemplate`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn template_tags(&self, id: &str) -> Result<BTreeMap<String, BTreeMap<String, String>>, AwsError> {
        let output = self.client.get_experiment_template().id(id).send().await;
        let output = output.map_err(|error| AwsError::from_sdk(SERVICE, "GetExperimentTemplate", &error))?;
        let targets = output.experiment_template().and_then(|template| template.targets());
        let tags = |tags: Option<&HashMap<String, String>>| tags.cloned().unwrap_or_default().into_iter().collect();
        let of = targets.into_iter().flatten().map(|(name, target)| (name.clone(), tags(target.resource_tags())));
        Ok(of.collect())
    }

    /// Makes a template that carries the tag `gameday: TOKEN`; its id. The same token and template make one, however often
    /// they are asked for. `fis:CreateExperimentTemplate` and `fis:TagResource`, and `iam:PassRole` of its role.
    ///
    /// # Errors
    /// The call failed; also where the token was used for another template.
    pub async fn create_template(&self, token: &str, template: &NewTemplate) -> Result<String, AwsError> {
        const OPERATION: &str = "CreateExperimentTemplate";
        let unsent = |error| AwsError { code: "NotSent".to_owned(), ..bad_answer(OPERATION, &format!("{error}")) };
        let none = CreateExperimentTemplateStopConditionInput::builder().source("none").build().map_err(unsent)?;
        let action = CreateExperimentTemplateActionInput::builder()
            .action_id(&template.action)
            .set_parameters(Some(template.parameters.clone().into_iter().collect()));
        let mut request = self
            .client
            .create_experiment_template()
            .client_token(token)
            .description(format!("of gameday, change {token}"))
            .role_arn(&template.role_arn)
            .stop_conditions(none)
            .tags(TAG, token);
        let action = match &template.target {
            None => action,
            Some(target) => {
                let parameters = target.parameters.clone().into_iter().collect();
                let input = CreateExperimentTemplateTargetInput::builder()
                    .resource_type(&target.resource_type)
                    .resource_arns(&target.arn)
                    .selection_mode("ALL")
                    .set_parameters(Some(parameters).filter(|_| !target.parameters.is_empty()))
                    .build()
                    .map_err(unsent)?;
                request = request.targets(TARGET_NAME, input);
                action.targets(&target.key, TARGET_NAME)
            }
        };
        let outcome = request.actions(ACTION_NAME, action.build().map_err(unsent)?).send().await;
        let output =
            outcome.map_err(|error| without_secrets(AwsError::from_sdk(SERVICE, OPERATION, &error), template))?;
        let id = output.experiment_template().and_then(|template| template.id());
        id.map(str::to_owned).ok_or_else(|| bad_answer(OPERATION, "the answer has no id"))
    }

    /// Starts an experiment that carries the tag `gameday: TOKEN`. The same token, template and mode start one, however
    /// often they are asked for. `fis:StartExperiment` and `fis:TagResource`.
    ///
    /// # Errors
    /// The call failed; also where there is no such template, or where the token was used for another experiment.
    pub async fn start(&self, template: &str, token: &str, mode: ActionsMode) -> Result<Experiment, AwsError> {
        const OPERATION: &str = "StartExperiment";
        let mode = match mode {
            ActionsMode::RunAll => SdkActionsMode::RunAll,
            ActionsMode::SkipAll => SdkActionsMode::SkipAll,
        };
        let outcome = self
            .client
            .start_experiment()
            .client_token(token)
            .experiment_template_id(template)
            .experiment_options(StartExperimentExperimentOptionsInput::builder().actions_mode(mode).build())
            .tags(TAG, token)
            .send()
            .await;
        let output = outcome.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        let experiment = output.experiment().ok_or_else(|| bad_answer(OPERATION, "the answer has no experiment"))?;
        read(OPERATION, experiment.id(), experiment.state())
    }

    /// An experiment as it is. `fis:GetExperiment`.
    ///
    /// # Errors
    /// The call failed; also where there is no such experiment.
    pub async fn experiment(&self, id: &str) -> Result<Experiment, AwsError> {
        const OPERATION: &str = "GetExperiment";
        let output = self.client.get_experiment().id(id).send().await;
        let output = output.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        let experiment = output.experiment().ok_or_else(|| bad_answer(OPERATION, "the answer has no experiment"))?;
        read(OPERATION, experiment.id(), experiment.state())
    }

    /// The experiments that carry the tag `gameday: TOKEN`, whatever their state. `fis:ListExperiments`.
    ///
    /// # Errors
    /// A call failed, or there are more than 100 pages of 100.
    pub async fn experiments(&self, token: &str) -> Result<Vec<Experiment>, AwsError> {
        const OPERATION: &str = "ListExperiments";
        let mut pages = self.client.list_experiments().max_results(PAGE_ITEMS).into_paginator().send();
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let Some(page) = pages.next().await else { return Ok(found) };
            let page = page.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
            for experiment in
                page.experiments().iter().filter(|experiment| is_tagged(experiment.tags(), &|tag| tag == token))
            {
                found.push(read(OPERATION, experiment.id(), experiment.state())?);
            }
        }
        Err(bad_answer(OPERATION, NO_END))
    }

    /// The ids of the templates that carry the tag `gameday: TOKEN`. `fis:ListExperimentTemplates`.
    ///
    /// # Errors
    /// A call failed, or there are more than 100 pages of 100.
    pub async fn templates(&self, token: &str) -> Result<Vec<String>, AwsError> {
        self.templates_where(&|tag| tag == token).await
    }

    /// The ids of the templates that carry the tag `gameday` with a token that `is_it` knows.
    /// `fis:ListExperimentTemplates`.
    ///
    /// # Errors
    /// A call failed, or there are more than 100 pages of 100.
    pub async fn templates_where(&self, is_it: &(dyn Fn(&str) -> bool + Sync)) -> Result<Vec<String>, AwsError> {
        const OPERATION: &str = "ListExperimentTemplates";
        let mut pages = self.client.list_experiment_templates().max_results(PAGE_ITEMS).into_paginator().send();
        let mut found = Vec::new();
        for _ in 0..PAGES_MAX {
            let Some(page) = pages.next().await else { return Ok(found) };
            let page = page.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
            for template in page.experiment_templates().iter().filter(|template| is_tagged(template.tags(), is_it)) {
                let id = template.id().ok_or_else(|| bad_answer(OPERATION, "a template has no id"))?;
                found.push(id.to_owned());
            }
        }
        Err(bad_answer(OPERATION, NO_END))
    }

    /// Asks an experiment to stop, which takes some time; one that has ended, or is gone, is well. `fis:StopExperiment`, and
    /// `fis:GetExperiment` where AWS refuses.
    ///
    /// # Errors
    /// The call failed, and the experiment still runs.
    pub async fn stop(&self, id: &str) -> Result<(), AwsError> {
        let outcome = self.client.stop_experiment().id(id).send().await;
        let Err(error) = outcome.map_err(|error| AwsError::from_sdk(SERVICE, "StopExperiment", &error)) else {
            return Ok(());
        };
        if error.is_not_found() {
            return Ok(());
        }
        // AWS: ValidationException for one that has ended meanwhile.
        if error.code != "ValidationException" || self.experiment(id).await?.status.is_to_be_stopped() {
            return Err(error);
        }
        Ok(())
    }

    /// Deletes a template; one that is gone is well. What was started from it goes on. `fis:DeleteExperimentTemplate`.
    ///
    /// # Errors
    /// The call failed.
    pub async fn delete_template(&self, id: &str) -> Result<(), AwsError> {
        let outcome = self.client.delete_experiment_template().id(id).send().await;
        match outcome.map_err(|error| AwsError::from_sdk(SERVICE, "DeleteExperimentTemplate", &error)) {
            Err(error) if !error.is_not_found() => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// The resources that an experiment found for its targets; none before it has looked for them.
    /// `fis:ListExperimentResolvedTargets`.
    ///
    /// # Errors
    /// A call failed, or there are more than 100 pages of 100.
    pub async fn resolved_targets(&self, experiment: &str) -> Result<Vec<ResolvedTarget>, AwsError> {
        const OPERATION: &str = "ListExperimentResolvedTargets";
        let request = self.client.list_experiment_resolved_targets().experiment_id(experiment);
        let mut pages = request.max_results(PAGE_ITEMS).into_paginator().send();
        let mut found = Vec::new();
        let mut read_pages = 0;
        while let Some(page) = pages.next().await {
            read_pages += 1;
            if read_pages > PAGES_MAX {
                return Err(bad_answer(OPERATION, "the list has no end"));
            }
            let page = page.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
            found.extend(page.resolved_targets().iter().map(|resolved| ResolvedTarget {
                target: resolved.target_name().unwrap_or_default().to_owned(),
                resource_type: resolved.resource_type().unwrap_or_default().to_owned(),
                information: resolved.target_information().cloned().unwrap_or_default().into_iter().collect(),
            }));
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_quotes_a_documents_parameters_does_not_show_them() {
        let secret = r#"{"Token": "s3cr3t"}"#;
        let parameters = [("documentParameters", secret), ("maxDuration", "PT1M")];
        let template = NewTemplate {
            role_arn: "arn:aws:iam::000000000000:role/fis".to_owned(),
            action: "aws:ssm:start-automation-execution".to_owned(),
            parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            target: None,
        };
        let quoted = format!("bad: {secret}, \"{}\", PT1M", secret.replace('"', "\\\""));
        let error = without_secrets(bad_answer("CreateExperimentTemplate", &quoted), &template);
        assert_eq!(error.message, "bad: ***, \"***\", PT1M");
        assert!(!format!("{template:?}").contains("s3cr3t"));
    }

    #[test]
    fn a_state_that_is_unknown_is_not_taken_for_another() {
        let state = |status: &str| ExperimentState::builder().status(status.into()).reason("").build();
        let experiment = read("GetExperiment", Some("EXP1"), Some(&state("running"))).unwrap();
        assert_eq!((experiment.status, experiment.reason), (ExperimentStatus::Running, None));
        let error = read("GetExperiment", Some("EXP1"), Some(&state("sleeping"))).unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), ("BadAnswer", false));
    }
}
