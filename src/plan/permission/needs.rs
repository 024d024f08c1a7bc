//! What a run needs, from its plan and its environment.

use std::collections::BTreeSet;

use super::super::alarms::{ALARM_CALLS, ALARM_HISTORY_CALLS, METRIC_CALLS};
use super::super::cover::{SET_SWITCH, TAKE_SWITCH_AWAY};
use super::super::environment::EnvironmentKind;
use super::super::evidence::{LOG_CALLS, SPAN_CALLS, TRACE_CALLS};
use super::super::types::{ChangePlan, CoverPlan, Plan, TargetPlan};
use super::grant::{Grant, Place, Subject};
use super::policy::{Policies, Policy};
use super::read;
use super::table::find;
use crate::fault::{AwsResource, Calls, FaultKind};
use crate::workspace::Environment;

/// What the lock is taken and marked with that other machines see.
const TAKE_LOCK: [&str; 1] = ["ssm:PutParameter"];
/// What it is given back with, also by a recovery.
const GIVE_LOCK_BACK: [&str; 2] = ["ssm:DeleteParameter", "ssm:GetParameter"];

/// The calls around the lock that other machines see.
pub fn lock_calls() -> impl Iterator<Item = &'static str> {
    GIVE_LOCK_BACK.into_iter().chain(TAKE_LOCK)
}

impl Policies {
    /// The policies for a run of `plan` in `environment`; `account` stands in for one that the environment does not name.
    #[must_use]
    pub fn of(plan: &Plan, environment: &Environment, account: Option<&str>) -> Self {
        let place = place(plan, account);
        let mut policies = Self {
            inject: Policy::default(),
            rollback: Policy::default(),
            readiness: read::policy(),
            notes: notes(plan, account),
        };
        policies.add_readiness(plan, environment, &place);
        for change in plan.routes.iter().chain(plan.changes.values()) {
            policies.add_change(plan, change, &place);
        }
        policies.add_loads(plan, &place);
        policies.add_evidence(plan, &place);
        policies.add_surroundings(plan, &place, surroundings(environment));
        // Who injects also undoes.
        policies.inject.needs.extend(policies.rollback.needs.iter().cloned());
        policies.notes.extend(policies.too_long());
        policies
    }

    /// The look at every target before anything is changed.
    fn add_readiness(&mut self, plan: &Plan, environment: &Environment, place: &Place) {
        for (id, target) in &plan.targets {
            let subject = Subject { target: Some(target), ..Subject::default() };
            let Some((look, tags)) = looks(target) else { continue };
            self.inject.add(look, place, subject);
            if !environment.require_tags.is_empty() {
                self.inject.add(&[tags], place, subject);
            }
            if let TargetPlan::Lambda { url: None, .. } = target
                && plan.uses_url(id)
            {
                self.inject.add(&["lambda:GetFunctionUrlConfig"], place, subject);
            }
        }
    }

    /// What loads call themselves.
    fn add_loads(&mut self, plan: &Plan, place: &Place) {
        for target in plan.called_targets() {
            let target = plan.targets.get(&target);
            let subject = Subject { target, ..Subject::default() };
            self.inject.add(target.and_then(call_of).as_slice(), place, subject);
            if matches!(target, Some(TargetPlan::Lambda { alias: Some(_), .. })) {
                self.inject.add(&["lambda:GetAlias"], place, subject);
            }
        }
        for (name, load) in &plan.loads {
            let services = load.signed_services();
            for placeholder in load.target_placeholders().iter().filter(|_| services.contains("lambda")) {
                let target = placeholder.name.strip_suffix(".url").and_then(|id| plan.targets.get(id));
                let subject = Subject { target, ..Subject::default() };
                // Both are asked for (AWS: "Control access to Lambda function URLs").
                self.inject.add(&["lambda:InvokeFunction", "lambda:InvokeFunctionUrl"], place, subject);
            }
            for service in services.iter().filter(|service| **service != "lambda") {
                self.note(format!(
                    "load `{name}` signs requests for `{service}`, whose permission is not in these policies"
                ));
            }
        }
    }

    /// What is read when the run is over.
    fn add_evidence(&mut self, plan: &Plan, place: &Place) {
        for function in &plan.evidence.logs {
            let target = TargetPlan::Lambda { function: function.clone(), alias: None, url: None };
            self.inject.add(LOG_CALLS, place, Subject { target: Some(&target), ..Subject::default() });
        }
        if !plan.evidence.traces.is_empty() {
            self.inject.add(TRACE_CALLS, place, Subject::default());
            self.inject.add(SPAN_CALLS, place, Subject { log_group: Some("aws/spans"), ..Subject::default() });
        }
    }

    fn add_change(&mut self, plan: &Plan, change: &ChangePlan, place: &Place) {
        // A fault of no or of two kinds does not get past `check`.
        let Ok(fault) = change.spec.kind() else { return };
        let target = plan.targets.get(&change.target);
        let Calls { inject, undo } = fault.calls();
        let subject = Subject { target, fault: Some(&fault), ..Subject::default() };
        self.inject.add(inject, place, subject);
        self.rollback.add(undo, place, subject);
        if let FaultKind::FisExperiment(_) = fault {
            self.note("`plan --preview` also asks for `fis:ListExperimentResolvedTargets`".to_owned());
            let text = "what an experiment does, AWS FIS does in a role of its own, which is not in these policies";
            self.note(format!("fault `{}`: {text}", change.fault));
        }
    }

    /// What is there beside faults. Its calls are added here, one line each.
    fn add_surroundings(&mut self, plan: &Plan, place: &Place, subject: Subject<'_>) {
        if plan.alarms.is_some() {
            self.inject.add(ALARM_CALLS, place, subject);
            self.inject.add(ALARM_HISTORY_CALLS, place, subject);
        }
        if plan.reads_metrics() {
            self.inject.add(METRIC_CALLS, place, subject);
        }
        if plan.changes.values().chain(&plan.routes).any(|change| matches!(change.cover, Some(CoverPlan::Switch(_)))) {
            self.inject.add(&SET_SWITCH, place, subject);
            self.rollback.add(&TAKE_SWITCH_AWAY, place, subject);
        }
        // A recovery that could not undo everything marks the lock.
        self.rollback.add(&TAKE_LOCK, place, subject);
        self.rollback.add(&GIVE_LOCK_BACK, place, subject);
    }

    fn note(&mut self, text: String) {
        if !self.notes.contains(&text) {
            self.notes.push(text);
        }
    }
}

impl Policy {
    /// Adds what `calls` are asked for about `subject`.
    fn add(&mut self, calls: &[&str], place: &Place, subject: Subject<'_>) {
        for permission in calls.iter().filter_map(|call| find(call)) {
            let grants: BTreeSet<Grant> = permission.on.iter().flat_map(|scope| scope.grants(place, subject)).collect();
            self.needs.extend(grants.into_iter().map(|grant| (permission.action, grant)));
        }
    }
}

/// With which call a load calls a target; none for one that it can not call.
fn call_of(target: &TargetPlan) -> Option<&'static str> {
    match target {
        TargetPlan::Lambda { .. } => Some("lambda:InvokeFunction"),
        TargetPlan::Resource(AwsResource::Queue(_)) => Some("sqs:SendMessage"),
        TargetPlan::Resource(AwsResource::Topic(_)) => Some("sns:Publish"),
        TargetPlan::Resource(AwsResource::Bus(_)) => Some("events:PutEvents"),
        TargetPlan::Resource(AwsResource::Stream(_)) => Some("kinesis:PutRecord"),
        TargetPlan::Resource(_) | TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. } => None,
    }
}

/// With which calls a target is looked for before a run, and its tags are read; none where nothing is asked.
fn looks(target: &TargetPlan) -> Option<(&'static [&'static str], &'static str)> {
    Some(match target {
        TargetPlan::Lambda { .. } => (&["lambda:GetFunctionConfiguration"], "lambda:ListTags"),
        TargetPlan::Resource(AwsResource::Role(_)) => (&["iam:GetRole"], "iam:ListRoleTags"),
        TargetPlan::Resource(AwsResource::Queue(_)) => (&["sqs:GetQueueUrl"], "sqs:ListQueueTags"),
        TargetPlan::Resource(AwsResource::Table(_)) => (&["dynamodb:DescribeTable"], "dynamodb:ListTagsOfResource"),
        TargetPlan::Resource(AwsResource::Rule { .. }) => (&["events:DescribeRule"], "events:ListTagsForResource"),
        TargetPlan::Resource(AwsResource::Parameter(_)) => (&["ssm:GetParameter"], "ssm:ListTagsForResource"),
        TargetPlan::Resource(AwsResource::Topic(_)) => (&["sns:GetTopicAttributes"], "sns:ListTagsForResource"),
        TargetPlan::Resource(AwsResource::Bus(_)) => (&["events:DescribeEventBus"], "events:ListTagsForResource"),
        TargetPlan::Resource(AwsResource::Stream(_)) => {
            (&["kinesis:DescribeStreamSummary"], "kinesis:ListTagsForStream")
        }
        TargetPlan::Resource(AwsResource::Other(_)) | TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. } => {
            return None;
        }
    })
}

/// What an environment has beside its targets.
fn surroundings(environment: &Environment) -> Subject<'_> {
    let switch = environment.deadman.as_ref();
    Subject {
        scheduler_role: switch.map(|switch| switch.role_arn.as_str()),
        scheduler_group: switch.map(|switch| switch.group.as_str()),
        lock: environment.lock.as_deref(),
        ..Subject::default()
    }
}

/// Where the plan's resources are; what its environment does not say is `*`, or `account`.
fn place(plan: &Plan, account: Option<&str>) -> Place {
    match &plan.environment.kind {
        EnvironmentKind::Sandbox | EnvironmentKind::Endpoint { .. } => Place::new("*", account.unwrap_or("*")),
        EnvironmentKind::Account { account, region, .. } => Place::new(region, account),
    }
}

/// What the two documents do not say by themselves.
fn notes(plan: &Plan, account: Option<&str>) -> Vec<String> {
    let name = &plan.environment.name;
    match &plan.environment.kind {
        EnvironmentKind::Sandbox => vec![format!(
            "environment `{name}` is a sandbox and asks for no permission; plan for an environment with an `account` to have \
             its ARNs instead of `*`"
        )],
        EnvironmentKind::Endpoint { .. } if account.is_none() => vec![format!(
            "environment `{name}` is an endpoint: its account and Region are not known, and stand as `*` in the ARNs"
        )],
        EnvironmentKind::Endpoint { .. } | EnvironmentKind::Account { .. } => Vec::new(),
    }
}
