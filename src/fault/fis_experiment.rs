//! `fis_experiment`: an experiment of AWS FIS, from a template that is there or from a single action.
//!
//! What is made carries the tag `gameday: TOKEN`, and is found by it again: an undo needs no id, which a crash may have
//! kept from us. There is nothing that somebody else could have changed, so there is no drift.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls, Objection};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError, Reverted, Revertible};
use super::configuration::ready;
use super::fis_action::{self, ActionInfo, WorksOn, iso_8601};
use super::switch::{Cover, Switch};
use super::target::{AwsResource, FaultTarget, TargetNeed};
use crate::aws::{ActionsMode, ExperimentStatus, NewTemplate, TemplateTarget};
use crate::unit::{DurationText, TargetId, format_duration};

/// How long an experiment may take from its start until it runs.
const RUNNING_WAIT_MAX: Duration = Duration::from_secs(60);
/// How long an experiment may take to stop; less than what an undo has in all.
const STOPPED_WAIT_MAX: Duration = Duration::from_secs(50);
/// How often it is looked at. AWS: GetExperiment and the others share a limit of some calls a second.
const POLL: Duration = Duration::from_secs(1);
/// How much longer than the fault an experiment lasts that nobody stops.
const DURATION_MARGIN: Duration = Duration::from_secs(60);
/// How many characters the id of a template has at most (AWS: `ExperimentTemplateId`).
const TEMPLATE_CHARACTERS_MAX: usize = 64;

/// Runs an experiment of AWS FIS. Either `template`, or `action` with `role`. On a function the FIS extension must be
/// installed, which polls: effect up to 60 s after the experiment runs, and up to 20 s after it has ended (AWS).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FisExperiment {
    /// What it is about: a `lambda` target, or what the action or the template works on.
    pub target: TargetId,
    /// The id of an experiment template that is there: `EXT…`. What it does is not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// A single action on the target; a template is made for it, and deleted by the undo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<FisAction>,
    /// The name of the IAM role in which FIS does the action, with its path if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How long the action lasts if nobody stops it, in whole seconds. AWS: 1 minute to 12 hours. Default: a minute longer
    /// than the fault may last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationText>,
}

/// An action of AWS FIS.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FisAction {
    /// Its id: `aws:lambda:invocation-error`.
    pub id: String,
    /// Its parameters as text, without its duration: `invocationPercentage: "30"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

impl fmt::Debug for FisAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.parameters.keys().collect();
        formatter.debug_struct("FisAction").field("id", &self.id).field("parameters", &names).finish()
    }
}

impl FisExperiment {
    /// Keys that have no effect beside `template`.
    fn idle_keys(&self) -> impl Iterator<Item = &'static str> {
        let keys = [("role", self.role.is_some()), ("duration", self.duration.is_some())];
        keys.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| key)
    }

    fn template_objections(&self, template: &str) -> Vec<Objection> {
        let mut objections = Vec::new();
        if self.action.is_some() {
            let message = "an experiment has either a `template` or an `action`".to_owned();
            objections.push(about_key("action", "several-kinds", message, "take one of them away"));
        } else {
            objections.extend(self.idle_keys().map(|key| {
                let message = format!("`{key}` has no effect: the template says it");
                about_key(key, "no-effect", message, "take it away")
            }));
        }
        let is_id = template.chars().all(|character| character.is_ascii_alphanumeric());
        if !is_id || template.is_empty() || template.chars().count() > TEMPLATE_CHARACTERS_MAX {
            let message = format!("`{template}` is not the id of an experiment template");
            objections.push(Objection::value("template", "wrong-id", message, "write an id such as `EXT4mJzrL8Ck7vW`"));
        }
        objections
    }

    fn action_objections(&self, action: &FisAction) -> Vec<Objection> {
        let mut objections = fis_action::objections("action", &action.id, &action.parameters);
        match &self.role {
            None => objections.push(about_key(
                "action",
                "missing-key",
                "`action` needs a `role`".to_owned(),
                "add `role: NAME`, the IAM role in which FIS does the action",
            )),
            Some(role) if !is_role_name(role) => {
                let message = format!("`{role}` is not the name of a role");
                let help = "write its name alone, such as `role: fis`: the account is the environment's";
                objections.push(Objection::value("role", "wrong-id", message, help));
            }
            Some(_) => {}
        }
        let Some(duration) = self.duration else { return objections };
        let lasts = ActionInfo::find(&action.id).is_none_or(|info| info.duration.is_some());
        if !lasts {
            let message = format!("`duration` has no effect: `{}` ends by itself", action.id);
            objections.push(about_key("duration", "no-effect", message, "take it away"));
            return objections;
        }
        let range = DurationText(*fis_action::DURATION.start())..=DurationText(*fis_action::DURATION.end());
        let help = "write whole seconds from `1m` to `12h`";
        let in_seconds = || {
            let message = format!("FIS takes no `duration` of {duration}: it counts seconds");
            (duration.subsec_nanos() != 0).then(|| Objection::value("duration", "out-of-range", message, help))
        };
        let objection = Objection::out_of("duration", duration, &range, "FIS").or_else(in_seconds);
        objections.extend(objection.map(|objection| Objection { help: Some(help.to_owned()), ..objection }));
        objections
    }

    /// How long the action lasts by itself.
    fn lasts(&self, environment: &FaultEnvironment) -> Duration {
        let default = || Duration::from_secs((environment.occasion.lasts + DURATION_MARGIN).as_secs());
        let (least, most) = (*fis_action::DURATION.start(), *fis_action::DURATION.end());
        self.duration.map_or_else(default, |duration| duration.0).clamp(least, most)
    }

    /// What the action works on, read in the account.
    async fn template_target(
        &self,
        environment: &FaultEnvironment,
        info: &ActionInfo,
    ) -> Result<Option<TemplateTarget>, FaultError> {
        let of = |key: &str, resource_type: &str, arn: String, parameters| TemplateTarget {
            key: key.to_owned(),
            resource_type: resource_type.to_owned(),
            arn,
            parameters,
        };
        let aws = &environment.aws;
        let is_right = match info.on {
            WorksOn::Nothing => return Ok(None),
            WorksOn::Function => {
                let (function, alias) = environment.qualified(&self.target)?;
                let arn = ready(environment, function).await?.arn;
                let qualifier = alias.map(|alias| ("functionQualifier".to_owned(), alias.to_owned()));
                return Ok(Some(of("Functions", "aws:lambda:function", arn, qualifier.into_iter().collect())));
            }
            WorksOn::Role => match environment.resource(&self.target)? {
                AwsResource::Role(role) => Some(("Roles", "aws:iam:role", aws.iam.role_arn(role).await?)),
                _ => None,
            },
            WorksOn::GlobalTable => match environment.resource(&self.target)? {
                AwsResource::Table(table) => {
                    Some(("Tables", "aws:dynamodb:global-table", aws.dynamodb.table(table).await?.arn))
                }
                _ => None,
            },
            WorksOn::Elsewhere(_) => None,
        };
        let (key, resource_type, arn) = is_right.ok_or_else(|| FaultError::Target(self.target.clone()))?;
        Ok(Some(of(key, resource_type, arn, BTreeMap::new())))
    }

    async fn new_template(
        &self,
        environment: &FaultEnvironment,
        action: &FisAction,
    ) -> Result<NewTemplate, FaultError> {
        let refuse = |why| FaultError::not_safe(self.target.as_str(), why);
        let info = ActionInfo::find(&action.id).ok_or_else(|| refuse("the experiment's action is not known"))?;
        let role = self.role.as_deref().ok_or_else(|| refuse("the experiment has no role"))?;
        let target = self.template_target(environment, info).await?;
        let account = environment.aws.caller_account().await?;
        // The partition is `aws-cn` in China; what has no target has no ARN that says so.
        let partition = target.as_ref().and_then(|target| target.arn.split(':').nth(1)).unwrap_or("aws");
        let role_arn = format!("arn:{partition}:iam::{account}:role/{role}");
        let mut parameters = action.parameters.clone();
        if let Some(name) = info.duration {
            parameters.insert(name.to_owned(), iso_8601(self.lasts(environment)));
        }
        Ok(NewTemplate { role_arn, action: action.id.clone(), parameters, target })
    }
}

fn about_key(key: &str, code: &'static str, message: String, help: &str) -> Objection {
    Objection { is_about_key: true, ..Objection::value(key, code, message, help) }
}

/// AWS: letters, digits and `+=,.@_-`, with slashes between the parts of its path.
fn is_role_name(name: &str) -> bool {
    let is_allowed = |character: char| character.is_ascii_alphanumeric() || "+=,.@_-/".contains(character);
    !name.is_empty() && name.chars().all(is_allowed) && !name.starts_with('/') && !name.ends_with('/')
}

impl Fault for FisExperiment {
    type Change = ExperimentChange;
    const ABOUT: About = About {
        effect: "what the experiment's actions do; the FIS extension of a function polls, so its effect comes up to 60 s \
                 after the experiment runs, and goes up to 20 s after it has ended",
        undo: "StopExperiment, and DeleteExperimentTemplate of the template that was made; what a template of yours \
               does is taken back by FIS, as far as its actions can be",
        blast_radius: "the target's invocations by `invocationPercentage`, of its alias alone where it has one; with a \
                       template of yours, whatever it names",
    };
    const TARGET: TargetNeed = TargetNeed::Any;
    const CALLS: Calls = Calls {
        inject: &[
            "dynamodb:DescribeTable",
            "fis:CreateExperimentTemplate",
            "fis:DeleteExperimentTemplate",
            "fis:GetExperiment",
            "fis:GetExperimentTemplate",
            "fis:GetSafetyLever",
            "fis:ListExperimentTemplates",
            "fis:ListExperiments",
            "fis:StartExperiment",
            "fis:StopExperiment",
            "fis:TagResource",
            "iam:CreateServiceLinkedRole",
            "iam:GetRole",
            "iam:PassRole",
            "lambda:GetFunctionConfiguration",
        ],
        undo: &[
            "fis:DeleteExperimentTemplate",
            "fis:GetExperiment",
            "fis:ListExperimentTemplates",
            "fis:ListExperiments",
            "fis:StopExperiment",
        ],
    };

    fn need(&self) -> TargetNeed {
        let info = self.action.as_ref().filter(|_| self.template.is_none()).and_then(|it| ActionInfo::find(&it.id));
        match info.map(|info| info.on) {
            Some(WorksOn::Function) => TargetNeed::Function,
            Some(WorksOn::Role) => TargetNeed::Role,
            Some(WorksOn::GlobalTable) => TargetNeed::Table,
            Some(WorksOn::Nothing | WorksOn::Elsewhere(_)) | None => TargetNeed::Any,
        }
    }

    fn objections(&self) -> Vec<Objection> {
        match (&self.template, &self.action) {
            (Some(template), _) => self.template_objections(template),
            (None, Some(action)) => self.action_objections(action),
            (None, None) => vec![Objection::nothing("add `template: EXT…`, or `action: {id: …}` with `role: NAME`")],
        }
    }

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<ExperimentChange, FaultError> {
        let fis = &environment.aws.fis;
        let refuse = |why| FaultError::not_safe(self.target.as_str(), why);
        let on = match environment.targets.get(&self.target) {
            None => return Err(FaultError::Target(self.target.clone())),
            Some(FaultTarget::Function { name, .. }) => {
                ready(environment, name).await?;
                format!("function `{name}`")
            }
            Some(FaultTarget::Resource(resource)) => resource.to_string(),
            Some(FaultTarget::Proxy(name) | FaultTarget::RemoteProxy { name, .. }) => format!("proxy `{name}`"),
        };
        if fis.is_lever_engaged().await? {
            return Err(refuse("the safety lever of FIS is engaged, which lets no experiment run"));
        }
        let begins = match (&self.template, &self.action) {
            (Some(template), None) if fis.has_template(template).await? => Begins::Template(template.clone()),
            (Some(_), None) => return Err(refuse("there is no experiment template with the id that the fault names")),
            (None, Some(action)) => Begins::Action(self.new_template(environment, action).await?),
            (Some(_), Some(_)) | (None, None) => {
                return Err(refuse("the fault needs either a template or an action"));
            }
        };
        Ok(ExperimentChange { token: environment.occasion.token.clone(), on, begins })
    }

    fn text(&self) -> ChangeText {
        let what = match (&self.template, &self.action) {
            (Some(template), _) => format!("of template `{template}`"),
            (None, Some(action)) => format!("of `{}`", action.id),
            (None, None) => "of nothing".to_owned(),
        };
        let lasts = self.duration.map(|duration| format!(" for {duration}")).unwrap_or_default();
        let undo = if self.template.is_some() { UNDO_OF_TEMPLATE } else { UNDO_OF_ACTION };
        ChangeText {
            change: format!("start an FIS experiment {what} on `{}`{lasts}", self.target),
            undo: undo.to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        let template = self.template.iter().map(|template| format!("FIS experiment of template `{template}`"));
        let action = self.action.iter().map(|action| format!("FIS experiment of `{}`", action.id));
        template.chain(action).collect()
    }

    fn cover(&self) -> Cover {
        match &self.action {
            Some(action) if lasts(&action.id) => Cover::Expires("FIS ends the action when its duration is over"),
            Some(_) | None => Cover::None(UNCOVERED),
        }
    }
}

/// Why no schedule ends an experiment.
const UNCOVERED: &str =
    "an experiment can be stopped once it has an id alone, and what it does may have no end of its own";

/// Whether AWS ends an action by itself.
fn lasts(action: &str) -> bool {
    ActionInfo::find(action).is_some_and(|info| info.duration.is_some())
}

const UNDO_OF_TEMPLATE: &str = "stop the experiment";
const UNDO_OF_ACTION: &str = "stop the experiment, and delete the template that was made for it";

/// An experiment that is started. Before the fault there was nothing that carries its token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExperimentChange {
    /// The value of the tag, and what makes creating and starting idempotent.
    pub(super) token: String,
    /// What it works on, in words.
    on: String,
    pub(super) begins: Begins,
}

/// What an experiment is started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Begins {
    /// A template that is there.
    Template(String),
    /// One that is made.
    Action(NewTemplate),
}

impl ExperimentChange {
    fn not_applied(&self, found: String) -> FaultError {
        FaultError::NotApplied { target: self.on.clone(), found }
    }

    pub(super) fn ended(&self, found: String) -> FaultError {
        FaultError::Ended { target: self.on.clone(), found }
    }

    /// Asks every experiment of ours that has not ended to stop; their ids.
    async fn stop_all(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Vec<String>, FaultError> {
        let mut under_way = environment.aws.fis.experiments(&self.token).await?;
        under_way.retain(|experiment| !experiment.status.is_end());
        for experiment in &under_way {
            *restoring = true;
            if experiment.status.is_to_be_stopped() {
                environment.aws.fis.stop(&experiment.id).await?;
            }
        }
        Ok(under_way.into_iter().map(|experiment| experiment.id).collect())
    }

    /// Waits until the experiment is as wanted. An error says what it is instead.
    pub(super) async fn wait_for(
        &self,
        environment: &FaultEnvironment,
        id: &str,
        (wait_max, doing): (Duration, &str),
        is_reached: impl Fn(ExperimentStatus) -> bool,
    ) -> Result<(), FaultError> {
        let deadline = tokio::time::Instant::now() + wait_max;
        loop {
            let experiment = environment.aws.fis.experiment(id).await?;
            let status = experiment.status;
            if is_reached(status) {
                return Ok(());
            }
            let reason = experiment.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            if status.is_end() {
                return Err(self.ended(format!("experiment `{id}` is {}{reason}", status.name())));
            }
            if tokio::time::Instant::now() >= deadline {
                let waited = format_duration(wait_max);
                let found = format!("experiment `{id}` is {} {waited} after it was {doing}{reason}", status.name());
                return Err(self.not_applied(found));
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

impl Revertible for ExperimentChange {
    async fn try_inject(&self, environment: &FaultEnvironment) -> Result<(), FaultError> {
        let fis = &environment.aws.fis;
        let template = match &self.begins {
            Begins::Template(id) => id.clone(),
            Begins::Action(template) => fis.create_template(&self.token, template).await?,
        };
        let experiment = fis.start(&template, &self.token, ActionsMode::RunAll).await?;
        // An experiment that is over so soon has done what it does: a failover, or an automation.
        let is_reached = |status| matches!(status, ExperimentStatus::Running | ExperimentStatus::Completed);
        if is_reached(experiment.status) {
            return Ok(());
        }
        self.wait_for(environment, &experiment.id, (RUNNING_WAIT_MAX, "started"), is_reached).await
    }

    async fn try_revert(&self, environment: &FaultEnvironment, restoring: &mut bool) -> Result<Reverted, FaultError> {
        let fis = &environment.aws.fis;
        let mut under_way = self.stop_all(environment, restoring).await?;
        let templates = fis.templates(&self.token).await?;
        for template in &templates {
            *restoring = true;
            fis.delete_template(template).await?;
        }
        if !templates.is_empty() {
            // A start whose answer was lost may have come late: from here on none can.
            under_way = self.stop_all(environment, restoring).await?;
        }
        for id in under_way {
            match self.wait_for(environment, &id, (STOPPED_WAIT_MAX, "stopped"), ExperimentStatus::is_end).await {
                // AWS forgets what has ended, in its time.
                Err(FaultError::Aws(error)) if error.is_not_found() => {}
                outcome => outcome?,
            }
        }
        Ok(if *restoring { Reverted::Restored } else { Reverted::AsBefore })
    }

    fn text(&self) -> ChangeText {
        let (what, undo) = match &self.begins {
            Begins::Template(id) => (format!("template `{id}`"), UNDO_OF_TEMPLATE),
            Begins::Action(template) => {
                let info = ActionInfo::find(&template.action);
                let lasts = info.and_then(|info| template.parameters.get(info.duration?));
                let lasts = lasts.map(|lasts| format!(" for {lasts} at most")).unwrap_or_default();
                (format!("`{}`{lasts}", template.action), UNDO_OF_ACTION)
            }
        };
        ChangeText { change: format!("FIS experiment on {}: {what}", self.on), undo: undo.to_owned() }
    }

    fn by_hand(&self, _undo: &Path) -> Vec<String> {
        let is_ours = format!("tags.gameday=='{}'", self.token);
        let states = ["pending", "initiating", "running"].map(|name| format!("state.status=='{name}'")).join(" || ");
        let stop = format!(
            "aws fis list-experiments --query \"experiments[?{is_ours} && ({states})].id\" --output text \
             | xargs -r -n 1 aws fis stop-experiment --id"
        );
        let delete = format!(
            "aws fis list-experiment-templates --query \"experimentTemplates[?{is_ours}].id\" --output text \
             | xargs -r -n 1 aws fis delete-experiment-template --id"
        );
        match &self.begins {
            Begins::Template(_) => vec![stop],
            Begins::Action(_) => vec![stop, delete],
        }
    }

    fn switch(&self) -> Switch {
        match &self.begins {
            Begins::Action(template) if lasts(&template.action) => Switch::Needless,
            Begins::Action(_) | Begins::Template(_) => Switch::None(UNCOVERED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::about::Step;
    use super::*;

    fn fault(yaml: &str) -> FisExperiment {
        serde_yaml::from_str(yaml).unwrap()
    }

    fn inline(rest: &str) -> FisExperiment {
        let action = r#"{id: "aws:lambda:invocation-error", parameters: {preventExecution: "true"}}"#;
        fault(&format!("{{target: checkout, action: {action}, {rest}}}"))
    }

    fn codes(fault: &FisExperiment) -> Vec<(Option<Step>, &'static str)> {
        fault.objections().into_iter().map(|objection| (objection.path.last().cloned(), objection.code)).collect()
    }

    fn key(name: &str) -> Option<Step> {
        Some(Step::Key(name.to_owned()))
    }

    #[test]
    fn a_template_or_an_action_with_a_role_is_enough() {
        for good in [
            fault("{target: checkout, template: EXT4mJzrL8Ck7vW}"),
            inline("role: fis"),
            inline("role: team/fis, duration: 2m"),
            inline("role: fis, duration: 12h"),
        ] {
            assert_eq!(codes(&good), [], "{good:?}");
        }
    }

    #[test]
    fn what_lacks_contradicts_or_has_no_effect_is_objected_to() {
        for (bad, expected) in [
            (fault("{target: checkout}"), vec![(None, "missing-key")]),
            (inline("template: EXT1, role: fis"), vec![(key("action"), "several-kinds")]),
            (
                fault("{target: checkout, template: EXT1, role: fis, duration: 2m}"),
                vec![(key("role"), "no-effect"), (key("duration"), "no-effect")],
            ),
            (fault("{target: checkout, template: 'EXT 1'}"), vec![(key("template"), "wrong-id")]),
            (inline("duration: 2m"), vec![(key("action"), "missing-key")]),
            (inline("role: 'arn:aws:iam::000000000000:role/fis'"), vec![(key("role"), "wrong-id")]),
            (inline("role: fis, duration: 59s"), vec![(key("duration"), "out-of-range")]),
            (inline("role: fis, duration: 60500ms"), vec![(key("duration"), "out-of-range")]),
            (inline("role: fis, duration: 13h"), vec![(key("duration"), "out-of-range")]),
        ] {
            assert_eq!(codes(&bad), expected, "{bad:?}");
        }
    }

    #[test]
    fn texts_and_commands_hold_no_parameter() {
        let parameters = [("documentParameters", "s3cr3t"), ("maxDuration", "PT3M")];
        let template = NewTemplate {
            role_arn: "arn:aws:iam::000000000000:role/fis".to_owned(),
            action: "aws:ssm:start-automation-execution".to_owned(),
            parameters: parameters.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            target: None,
        };
        let on = "queue `orders`".to_owned();
        let change = ExperimentChange { token: "gameday-1".to_owned(), on, begins: Begins::Action(template) };
        let text = change.text();
        assert_eq!(
            text.change,
            "FIS experiment on queue `orders`: `aws:ssm:start-automation-execution` for PT3M at most"
        );
        let by_hand = change.by_hand(Path::new("undo.json"));
        assert!(by_hand.len() == 2 && by_hand.iter().all(|line| line.contains("tags.gameday=='gameday-1'")));
        assert!(!format!("{change:?}{text:?}{by_hand:?}").contains("s3cr3t"));
    }

    #[test]
    fn whoever_undoes_needs_no_more_than_whoever_injects() {
        let Calls { inject, undo } = FisExperiment::CALLS;
        assert!(undo.iter().all(|call| inject.contains(call)) && inject.is_sorted() && undo.is_sorted());
    }
}
