//! An experiment template: what it consists of, and what FIS refuses in it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::action::{ActionInfo, FUNCTIONS_KEY, parameters};
use super::error::FisError;
use super::spec::FisSpec;
use super::target::Target;

/// The source of a stop condition that is an alarm.
pub(super) const ALARM_SOURCE: &str = "aws:cloudwatch:alarm";
/// The source of a stop condition that is none.
const NO_SOURCE: &str = "none";

/// Quotas of a template. Source: AWS FIS, "Quotas and limitations".
const ACTIONS_MAX: usize = 20;
/// See [`ACTIONS_MAX`].
const STOP_CONDITIONS_MAX: usize = 5;
/// Source: the service model.
const TAGS_MAX: usize = 50;
/// Source: the service model.
const DESCRIPTION_CHARS_MAX: usize = 512;

/// What may end an experiment early.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StopCondition {
    pub source: String,
    /// The alarm's ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// An action of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Action {
    pub action_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start_after: Vec<String>,
}

/// Options that a template has.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Options {
    pub account_targeting: Option<String>,
    pub empty_target_resolution_mode: Option<String>,
}

impl Options {
    /// Whether an experiment goes on when a target means no function at all; the actions on it are left out.
    pub(super) fn skips_empty_targets(&self) -> bool {
        self.empty_target_resolution_mode.as_deref() == Some("skip")
    }

    /// The options as answers have them, defaults included.
    pub(super) fn document(&self) -> Value {
        json!({
            "accountTargeting": self.account_targeting.as_deref().unwrap_or("single-account"),
            "emptyTargetResolutionMode": self.empty_target_resolution_mode.as_deref().unwrap_or("fail"),
        })
    }
}

/// What a request says of a template: all of it to make one, some of it to change one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Request {
    pub client_token: Option<String>,
    description: Option<String>,
    stop_conditions: Option<Vec<StopCondition>>,
    targets: Option<BTreeMap<String, Target>>,
    actions: Option<BTreeMap<String, Action>>,
    role_arn: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    log_configuration: Option<Value>,
    experiment_options: Option<Options>,
    experiment_report_configuration: Option<Value>,
}

/// What a template consists of; an experiment has a copy.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Body {
    pub description: String,
    pub stop_conditions: Vec<StopCondition>,
    pub targets: BTreeMap<String, Target>,
    pub actions: BTreeMap<String, Action>,
    pub role_arn: String,
    /// Told back as it came; the sandbox writes no experiment logs.
    pub log_configuration: Option<Value>,
    pub options: Options,
}

/// A template.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pub id: String,
    pub body: Body,
    pub tags: BTreeMap<String, String>,
    pub created: DateTime<Utc>,
    pub updated: DateTime<Utc>,
}

impl Body {
    /// A new template's.
    pub(super) fn new(request: &Request, spec: &FisSpec) -> Result<Self, FisError> {
        for (name, is_there) in [
            ("description", request.description.is_some()),
            ("stopConditions", request.stop_conditions.is_some()),
            ("actions", request.actions.is_some()),
            ("roleArn", request.role_arn.is_some()),
        ] {
            if !is_there {
                return Err(FisError::invalid(format!("`{name}` is required")));
            }
        }
        Self::default().changed(request, spec)
    }

    /// With what a request says; what it does not say stays.
    pub(super) fn changed(&self, request: &Request, spec: &FisSpec) -> Result<Self, FisError> {
        if request.experiment_report_configuration.is_some() {
            return Err(FisError::invalid("the sandbox makes no reports: leave out `experimentReportConfiguration`"));
        }
        let request = request.clone();
        let mut options = request.experiment_options.unwrap_or_else(|| self.options.clone());
        options.account_targeting = options.account_targeting.or_else(|| self.options.account_targeting.clone());
        let body = Self {
            description: request.description.unwrap_or_else(|| self.description.clone()),
            stop_conditions: request.stop_conditions.unwrap_or_else(|| self.stop_conditions.clone()),
            targets: request.targets.unwrap_or_else(|| self.targets.clone()),
            actions: request.actions.unwrap_or_else(|| self.actions.clone()),
            role_arn: request.role_arn.unwrap_or_else(|| self.role_arn.clone()),
            log_configuration: request.log_configuration.or_else(|| self.log_configuration.clone()),
            options,
        };
        body.check(spec)?;
        Ok(body)
    }

    fn check(&self, spec: &FisSpec) -> Result<(), FisError> {
        if self.description.is_empty() || self.description.chars().count() > DESCRIPTION_CHARS_MAX {
            return Err(FisError::invalid(format!("`description` has 1 to {DESCRIPTION_CHARS_MAX} characters")));
        }
        if !is_role_arn(&self.role_arn) {
            return Err(FisError::invalid(format!("`{}` is not the ARN of a role", self.role_arn)));
        }
        self.check_options()?;
        self.check_stop_conditions()?;
        for (name, target) in &self.targets {
            if let Some(problem) = target.problem() {
                return Err(FisError::invalid(format!("target `{name}`: {problem}")));
            }
        }
        if self.actions.is_empty() {
            return Err(FisError::invalid("a template needs at least one action"));
        }
        if self.actions.len() > ACTIONS_MAX {
            return Err(FisError::QuotaExceeded(format!("a template has at most {ACTIONS_MAX} actions")));
        }
        for (name, action) in &self.actions {
            self.check_action(name, action, spec)
                .map_err(|problem| FisError::invalid(format!("action `{name}`: {problem}")))?;
        }
        self.check_order()
    }

    fn check_options(&self) -> Result<(), FisError> {
        if self.options.account_targeting.as_deref().is_some_and(|mode| mode != "single-account") {
            return Err(FisError::invalid("the sandbox has one account: `accountTargeting` must be single-account"));
        }
        let mode = self.options.empty_target_resolution_mode.as_deref().unwrap_or("fail");
        if !matches!(mode, "fail" | "skip") {
            return Err(FisError::invalid(format!("`emptyTargetResolutionMode` must be fail or skip, not `{mode}`")));
        }
        Ok(())
    }

    fn check_stop_conditions(&self) -> Result<(), FisError> {
        if self.stop_conditions.is_empty() {
            return Err(FisError::invalid("a template needs a stop condition; its source may be `none`"));
        }
        if self.stop_conditions.len() > STOP_CONDITIONS_MAX {
            let text = format!("a template has at most {STOP_CONDITIONS_MAX} stop conditions");
            return Err(FisError::QuotaExceeded(text));
        }
        for condition in &self.stop_conditions {
            let problem = match (condition.source.as_str(), condition.value.as_deref()) {
                (NO_SOURCE, None) => None,
                (NO_SOURCE, Some(_)) => Some("a stop condition with the source `none` has no value".to_owned()),
                (ALARM_SOURCE, Some(arn)) if arn.contains(":alarm:") => None,
                (ALARM_SOURCE, _) => Some("a stop condition needs an alarm's ARN as its value".to_owned()),
                (other, _) => Some(format!("a stop condition's source is {ALARM_SOURCE} or none, not `{other}`")),
            };
            if let Some(problem) = problem {
                return Err(FisError::invalid(problem));
            }
        }
        Ok(())
    }

    fn check_action(&self, name: &str, action: &Action, spec: &FisSpec) -> Result<(), String> {
        parameters(&action.action_id, &action.parameters, spec)?;
        let has_target = ActionInfo::find(&action.action_id).is_some_and(|info| info.has_target);
        if let Some(key) = action.targets.keys().find(|key| !has_target || *key != FUNCTIONS_KEY) {
            return Err(format!("`{}` has no target `{key}`", action.action_id));
        }
        match action.targets.get(FUNCTIONS_KEY) {
            None if has_target => return Err(format!("`{}` needs a target `{FUNCTIONS_KEY}`", action.action_id)),
            Some(target) if !self.targets.contains_key(target) => {
                return Err(format!("the template has no target `{target}`"));
            }
            None | Some(_) => {}
        }
        match action.start_after.iter().find(|other| *other == name || !self.actions.contains_key(*other)) {
            Some(other) => Err(format!("it can not start after `{other}`")),
            None => Ok(()),
        }
    }

    /// Every action must have its turn: those that wait for each other never would.
    fn check_order(&self) -> Result<(), FisError> {
        let mut done: BTreeSet<&str> = BTreeSet::new();
        loop {
            let ready: Vec<&str> = self
                .actions
                .iter()
                .filter(|(name, action)| {
                    !done.contains(name.as_str())
                        && action.start_after.iter().all(|other| done.contains(other.as_str()))
                })
                .map(|(name, _)| name.as_str())
                .collect();
            if ready.is_empty() {
                break;
            }
            done.extend(ready);
        }
        if done.len() == self.actions.len() {
            return Ok(());
        }
        Err(FisError::invalid("some actions wait for each other in a circle of `startAfter`"))
    }

    /// The members that templates and experiments share, apart from their actions.
    pub(super) fn document(&self) -> Value {
        let mut document = json!({
            "targets": self.targets,
            "stopConditions": self.stop_conditions,
            "roleArn": self.role_arn,
            "targetAccountConfigurationsCount": 0,
        });
        if let Some(log) = &self.log_configuration {
            document["logConfiguration"] = log.clone();
        }
        document
    }
}

impl Template {
    /// The template as `GetExperimentTemplate` answers it.
    pub(super) fn document(&self, arn_prefix: &str) -> Value {
        let mut document = self.body.document();
        document["actions"] = json!(self.body.actions);
        document["experimentOptions"] = self.body.options.document();
        with(document, self.summary(arn_prefix))
    }

    /// The template as `ListExperimentTemplates` answers it.
    pub(super) fn summary(&self, arn_prefix: &str) -> Value {
        json!({
            "id": self.id,
            "arn": self.arn(arn_prefix),
            "description": self.body.description,
            "creationTime": seconds(self.created),
            "lastUpdateTime": seconds(self.updated),
            "tags": self.tags,
        })
    }

    /// Its ARN.
    pub(super) fn arn(&self, arn_prefix: &str) -> String {
        format!("{arn_prefix}experiment-template/{}", self.id)
    }
}

impl Request {
    /// The tags, checked.
    pub(super) fn tags(&self) -> Result<BTreeMap<String, String>, FisError> {
        let tags = self.tags.clone().unwrap_or_default();
        check_tags(&tags)?;
        Ok(tags)
    }
}

/// Whether these may be a resource's tags.
pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), FisError> {
    if tags.len() > TAGS_MAX {
        return Err(FisError::invalid(format!("a resource has at most {TAGS_MAX} tags")));
    }
    match tags.keys().find(|key| key.starts_with("aws:") || key.is_empty() || key.len() > 128) {
        Some(key) => Err(FisError::invalid(format!("`{key}` can not be a tag's key"))),
        None => Ok(()),
    }
}

/// A document with the members of a second one, which count more.
pub(super) fn with(mut document: Value, more: Value) -> Value {
    if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    document
}

/// A time as rest-json writes it: seconds since 1970, to the millisecond.
pub(super) fn seconds(at: DateTime<Utc>) -> f64 {
    let since = (at - DateTime::UNIX_EPOCH).to_std().unwrap_or_default();
    std::time::Duration::from_millis(crate::unit::elapsed_ms(since)).as_secs_f64()
}

fn is_role_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", _, "iam", "", account, role] if account.len() == 12 && role.starts_with("role/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Value {
        json!({
            "clientToken": "t",
            "description": "errors",
            "roleArn": "arn:aws:iam::000000000000:role/fis",
            "stopConditions": [{"source": "none"}],
            "targets": {"all": {
                "resourceType": "aws:lambda:function",
                "resourceArns": ["arn:aws:lambda:us-east-1:000000000000:function:pay"],
                "selectionMode": "ALL",
            }},
            "actions": {
                "first": {
                    "actionId": "aws:lambda:invocation-error",
                    "parameters": {"duration": "PT1M", "preventExecution": "true"},
                    "targets": {"Functions": "all"},
                },
                "then": {"actionId": "aws:fis:wait", "parameters": {"duration": "PT1M"}, "startAfter": ["first"]},
            },
        })
    }

    fn body(request: &Value) -> Result<Body, FisError> {
        let request: Request = serde_json::from_value(request.clone()).expect("a request");
        Body::new(&request, &FisSpec::default())
    }

    #[test]
    fn a_good_template_is_taken_and_a_change_leaves_what_it_does_not_name() {
        let before = body(&request()).expect("a good template");
        assert!(!before.options.skips_empty_targets());
        let change: Request = serde_json::from_value(json!({"description": "other"})).expect("a request");
        let after = before.changed(&change, &FisSpec::default()).expect("a good change");
        assert_eq!(after, Body { description: "other".to_owned(), ..before });
    }

    #[test]
    fn what_fis_refuses_is_refused_by_name() {
        for (pointer, value, part) in [
            ("/description", json!(null), "description"),
            ("/roleArn", json!("fis"), "role"),
            ("/stopConditions", json!([]), "stop condition"),
            ("/stopConditions/0/source", json!("aws:cloudwatch:alarm"), "ARN"),
            ("/stopConditions/0/source", json!("clock"), "clock"),
            ("/actions", json!({}), "at least one action"),
            ("/actions/first/targets", json!({}), "needs a target"),
            ("/actions/first/targets/Functions", json!("nobody"), "nobody"),
            ("/actions/first/actionId", json!("aws:fis:wait"), "preventExecution"),
            ("/actions/then/startAfter", json!(["nobody"]), "nobody"),
            ("/actions/then/startAfter", json!(["then"]), "then"),
            ("/actions/first/startAfter", json!(["then"]), "circle"),
            ("/targets/all/selectionMode", json!("SOME"), "SOME"),
        ] {
            let mut request = request();
            request["actions"]["first"]["startAfter"] = json!([]);
            *request.pointer_mut(pointer).expect(pointer) = value;
            let text = body(&request).expect_err(pointer).to_string();
            assert!(text.contains(part), "{pointer}: {text}");
        }
        let mut reported = request();
        reported["experimentReportConfiguration"] = json!({});
        assert!(body(&reported).is_err());
        let mut many = request();
        let wait = many["actions"]["then"].clone();
        for number in 0..ACTIONS_MAX {
            many["actions"][format!("wait{number}")] = wait.clone();
        }
        assert!(matches!(body(&many), Err(FisError::QuotaExceeded(_))));
    }
}
