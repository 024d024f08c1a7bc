//! An experiment's life, step by step, at given times: pending, initiating, running, and its ends.
//!
//! Owns: states, the order of actions, when to stop. Must not know: requests, how a fault acts. [`Experiment::advance`] takes one
//! step and says what is to be done about the faults.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::action::{FUNCTIONS_KEY, Parameters, parameters};
use super::spec::FisSpec;
use super::target::Candidate;
use super::template::{ALARM_SOURCE, Body, seconds, with};

/// What an experiment is about. The names are the API's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Initiating,
    Running,
    Completed,
    Stopping,
    Stopped,
    Failed,
    Cancelled,
    /// Only an action's.
    Skipped,
}

impl Status {
    /// The API's name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Initiating => "initiating",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing comes after it.
    pub(super) fn is_end(self) -> bool {
        match self {
            Self::Pending | Self::Initiating | Self::Running | Self::Stopping => false,
            Self::Completed | Self::Stopped | Self::Failed | Self::Cancelled | Self::Skipped => true,
        }
    }
}

/// One action of an experiment.
#[derive(Debug, Clone, PartialEq)]
struct ActionRun {
    status: Status,
    reason: Option<&'static str>,
    started: Option<DateTime<Utc>>,
    ends: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
}

impl ActionRun {
    fn end(&mut self, status: Status, reason: &'static str, now: DateTime<Utc>) {
        self.ended = self.started.map(|_| now);
        (self.status, self.reason) = (status, Some(reason));
    }
}

/// What an experiment sees of the sandbox.
pub(super) struct World<'a> {
    /// All functions.
    pub candidates: &'a [Candidate],
    /// Whether an alarm, by its ARN, is in ALARM; `None`: there is no such alarm.
    pub is_in_alarm: &'a dyn Fn(&str) -> Option<bool>,
    pub is_lever_engaged: bool,
    pub spec: &'a FisSpec,
}

/// What is to be done about an action's fault.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Begin { action: String, functions: Vec<Candidate>, qualifier: Option<String>, parameters: Parameters },
    End { action: String },
}

/// An experiment.
#[derive(Debug, Clone)]
pub(super) struct Experiment {
    pub id: String,
    pub template_id: String,
    body: Body,
    /// `actionsMode: skip-all`.
    skips_all: bool,
    pub tags: BTreeMap<String, String>,
    created: DateTime<Utc>,
    started: Option<DateTime<Utc>>,
    ended: Option<DateTime<Utc>>,
    pub status: Status,
    reason: String,
    actions: BTreeMap<String, ActionRun>,
    /// By the target's name.
    resolved: BTreeMap<String, Vec<Candidate>>,
}

const BY_USER: &str = "Experiment stopped by user.";
const BY_CONDITION: &str = "Experiment halted by stop condition.";
const BY_LEVER: &str = "Experiment stopped by safety lever.";

impl Experiment {
    /// A new experiment, pending.
    pub(super) fn new(
        (id, template_id): (String, &str),
        body: Body,
        skips_all: bool,
        tags: BTreeMap<String, String>,
        now: DateTime<Utc>,
    ) -> Self {
        let run = ActionRun { status: Status::Pending, reason: None, started: None, ends: None, ended: None };
        Self {
            id,
            template_id: template_id.to_owned(),
            actions: body.actions.keys().map(|name| (name.clone(), run.clone())).collect(),
            body,
            skips_all,
            tags,
            created: now,
            started: None,
            ended: None,
            status: Status::Pending,
            reason: "Experiment is pending.".to_owned(),
            resolved: BTreeMap::new(),
        }
    }

    fn enter(&mut self, status: Status, reason: impl Into<String>, now: DateTime<Utc>) {
        (self.status, self.reason) = (status, reason.into());
        if status.is_end() {
            self.ended = Some(now);
        }
    }

    /// Asks it to stop. `false`: it has ended already.
    pub(super) fn stop(&mut self, now: DateTime<Utc>) -> bool {
        match self.status {
            Status::Pending | Status::Initiating | Status::Running => self.enter(Status::Stopping, BY_USER, now),
            Status::Stopping => {}
            Status::Completed | Status::Stopped | Status::Failed | Status::Cancelled | Status::Skipped => return false,
        }
        true
    }

    /// Takes one step.
    pub(super) fn advance(&mut self, world: &World<'_>, random: &mut ChaCha8Rng, now: DateTime<Utc>) -> Vec<Step> {
        match self.status {
            Status::Pending if world.is_lever_engaged => {
                self.cancel_pending_actions(now);
                self.enter(Status::Cancelled, "Experiment cancelled: the safety lever is engaged.", now);
                Vec::new()
            }
            Status::Pending => {
                self.enter(Status::Initiating, "Experiment is initiating.", now);
                Vec::new()
            }
            Status::Initiating => {
                self.initiate(world, random, now);
                Vec::new()
            }
            Status::Running => self.run(world, now),
            Status::Stopping => self.finish_stopping(now),
            Status::Completed | Status::Stopped | Status::Failed | Status::Cancelled | Status::Skipped => Vec::new(),
        }
    }

    fn alarms(&self) -> impl Iterator<Item = &str> {
        let conditions = self.body.stop_conditions.iter().filter(|condition| condition.source == ALARM_SOURCE);
        conditions.filter_map(|condition| condition.value.as_deref())
    }

    fn reason_to_stop(&self, world: &World<'_>) -> Option<&'static str> {
        if world.is_lever_engaged {
            return Some(BY_LEVER);
        }
        self.alarms().any(|alarm| (world.is_in_alarm)(alarm) == Some(true)).then_some(BY_CONDITION)
    }

    fn initiate(&mut self, world: &World<'_>, random: &mut ChaCha8Rng, now: DateTime<Utc>) {
        let unknown = self.alarms().find(|alarm| (world.is_in_alarm)(alarm).is_none()).map(str::to_owned);
        if let Some(alarm) = unknown {
            let reason = format!("Experiment failed: the stop condition's alarm {alarm} does not exist.");
            self.cancel_pending_actions(now);
            self.enter(Status::Failed, reason, now);
            return;
        }
        if let Some(reason) = self.reason_to_stop(world) {
            self.enter(Status::Stopping, reason, now);
            return;
        }
        let targets = self.body.targets.iter();
        self.resolved =
            targets.map(|(name, target)| (name.clone(), target.resolve(world.candidates, random))).collect();
        let empty = self.resolved.iter().find(|(_, found)| found.is_empty()).map(|(name, _)| name.clone());
        if let Some(name) = empty.filter(|_| !self.body.options.skips_empty_targets()) {
            self.cancel_pending_actions(now);
            self.enter(Status::Failed, format!("Target resolution returned empty set for target {name}."), now);
            return;
        }
        self.started = Some(now);
        if self.skips_all {
            for run in self.actions.values_mut() {
                run.end(Status::Skipped, "Action was skipped: actionsMode is skip-all.", now);
            }
            self.enter(Status::Completed, "Experiment completed: all actions were skipped.", now);
            return;
        }
        self.enter(Status::Running, "Experiment is running.", now);
    }

    fn run(&mut self, world: &World<'_>, now: DateTime<Utc>) -> Vec<Step> {
        if let Some(reason) = self.reason_to_stop(world) {
            self.enter(Status::Stopping, reason, now);
            return Vec::new();
        }
        let mut steps = Vec::new();
        for (name, run) in &mut self.actions {
            if run.status == Status::Running && run.ends.is_some_and(|ends| now >= ends) {
                run.end(Status::Completed, "Action was completed.", now);
                steps.push(Step::End { action: name.clone() });
            }
        }
        for name in self.ready_actions() {
            steps.extend(self.begin_action(&name, world.spec, now));
        }
        if self.actions.values().all(|run| run.status.is_end()) {
            self.enter(Status::Completed, "Experiment completed.", now);
        }
        steps
    }

    /// Actions that have not begun and wait for nothing.
    fn ready_actions(&self) -> Vec<String> {
        let is_over = |name: &String| self.actions.get(name).is_none_or(|run| run.status.is_end());
        let is_ready = |name: &String, run: &ActionRun| {
            run.status == Status::Pending
                && self.body.actions.get(name).is_some_and(|action| action.start_after.iter().all(is_over))
        };
        self.actions.iter().filter(|(name, run)| is_ready(name, run)).map(|(name, _)| name.clone()).collect()
    }

    fn begin_action(&mut self, name: &str, spec: &FisSpec, now: DateTime<Utc>) -> Option<Step> {
        let (action, run) = (self.body.actions.get(name)?, self.actions.get_mut(name)?);
        let target = action.targets.get(FUNCTIONS_KEY);
        let functions = target.and_then(|target| self.resolved.get(target)).cloned().unwrap_or_default();
        if target.is_some() && functions.is_empty() {
            run.end(Status::Skipped, "Action was skipped: its target is empty.", now);
            return None;
        }
        // They were checked with the template.
        let Ok(parameters) = parameters(&action.action_id, &action.parameters, spec) else {
            run.end(Status::Failed, "Action failed: its parameters can not be read.", now);
            return None;
        };
        (run.status, run.reason, run.started) = (Status::Running, Some("Action is running."), Some(now));
        run.ends = now.checked_add_signed(TimeDelta::from_std(parameters.duration).unwrap_or(TimeDelta::MAX));
        let qualifier = target.and_then(|target| self.body.targets.get(target)?.qualifier().map(str::to_owned));
        Some(Step::Begin { action: name.to_owned(), functions, qualifier, parameters })
    }

    fn finish_stopping(&mut self, now: DateTime<Utc>) -> Vec<Step> {
        let mut steps = Vec::new();
        for (name, run) in &mut self.actions {
            if run.status == Status::Running {
                run.end(Status::Stopped, "Action was stopped.", now);
                steps.push(Step::End { action: name.clone() });
            }
        }
        self.cancel_pending_actions(now);
        let reason = std::mem::take(&mut self.reason);
        self.enter(Status::Stopped, reason, now);
        steps
    }

    fn cancel_pending_actions(&mut self, now: DateTime<Utc>) {
        for run in self.actions.values_mut().filter(|run| run.status == Status::Pending) {
            run.end(Status::Cancelled, "Action was cancelled.", now);
        }
    }

    /// Its ARN.
    pub(super) fn arn(&self, arn_prefix: &str) -> String {
        format!("{arn_prefix}experiment/{}", self.id)
    }

    /// The experiment as `GetExperiment` answers it.
    pub(super) fn document(&self, arn_prefix: &str) -> Value {
        let mut document = self.body.document();
        let action = |(name, run): (&String, &ActionRun)| {
            let mut action = json!(self.body.actions.get(name));
            action["state"] = json!({"status": run.status.name()});
            if let Some(reason) = run.reason {
                action["state"]["reason"] = reason.into();
            }
            add_times(&mut action, run.started, run.ended);
            (name.clone(), action)
        };
        document["actions"] = Value::Object(self.actions.iter().map(action).collect());
        add_times(&mut document, self.started, self.ended);
        with(document, self.summary(arn_prefix))
    }

    /// The experiment as `ListExperiments` answers it.
    pub(super) fn summary(&self, arn_prefix: &str) -> Value {
        let mut options = self.body.options.document();
        options["actionsMode"] = if self.skips_all { "skip-all" } else { "run-all" }.into();
        json!({
            "id": self.id,
            "arn": self.arn(arn_prefix),
            "experimentTemplateId": self.template_id,
            "state": {"status": self.status.name(), "reason": self.reason},
            "creationTime": seconds(self.created),
            "tags": self.tags,
            "experimentOptions": options,
        })
    }

    /// Its functions by target, as `ListExperimentResolvedTargets` answers them; of one target when it is named.
    pub(super) fn resolved_targets(&self, target: Option<&str>) -> Vec<Value> {
        let wanted = self.resolved.iter().filter(|(name, _)| target.is_none_or(|target| target == *name));
        wanted
            .flat_map(|(name, found)| {
                found.iter().map(move |candidate| {
                    json!({
                        "resourceType": super::action::FUNCTION_TYPE,
                        "targetName": name,
                        "targetInformation": {"arn": candidate.arn},
                    })
                })
            })
            .collect()
    }

    /// Whether its template has a target of that name.
    pub(super) fn has_target(&self, name: &str) -> bool {
        self.body.targets.contains_key(name)
    }
}

fn add_times(document: &mut Value, started: Option<DateTime<Utc>>, ended: Option<DateTime<Utc>>) {
    for (name, at) in [("startTime", started), ("endTime", ended)] {
        if let Some(at) = at {
            document[name] = seconds(at).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::SeedableRng as _;

    use super::super::action::Effect;
    use super::super::template::Request;
    use super::*;

    const ALARM: &str = "arn:aws:cloudwatch:us-east-1:000000000000:alarm:errors";
    const PAY: &str = "arn:aws:lambda:us-east-1:000000000000:function:pay";

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).expect("a time")
    }

    fn experiment(skips_all: bool, mode: &str, arn: &str) -> Experiment {
        let request: Request = serde_json::from_value(json!({
            "description": "errors, then a wait",
            "roleArn": "arn:aws:iam::000000000000:role/fis",
            "stopConditions": [{"source": "aws:cloudwatch:alarm", "value": ALARM}],
            "targets": {"all": {"resourceType": "aws:lambda:function", "resourceArns": [arn], "selectionMode": "ALL"}},
            "actions": {
                "fail": {
                    "actionId": "aws:lambda:invocation-error",
                    "parameters": {"duration": "PT1M", "preventExecution": "true", "invocationPercentage": "30"},
                    "targets": {"Functions": "all"},
                },
                "wait": {"actionId": "aws:fis:wait", "parameters": {"duration": "PT2M"}, "startAfter": ["fail"]},
            },
            "experimentOptions": {"emptyTargetResolutionMode": mode},
        }))
        .expect("a request");
        let body = Body::new(&request, &FisSpec::default()).expect("a good template");
        Experiment::new(("EXP1".to_owned(), "EXT1"), body, skips_all, BTreeMap::new(), at(0))
    }

    /// Advances at each of these seconds and tells state and faults after each.
    fn live(
        experiment: &mut Experiment,
        seconds: &[i64],
        alarm: Option<bool>,
        lever: bool,
    ) -> Vec<(&'static str, usize)> {
        let candidates = [Candidate { name: "pay".to_owned(), arn: PAY.to_owned(), tags: BTreeMap::new() }];
        let world = World {
            candidates: &candidates,
            is_in_alarm: &|_| alarm,
            is_lever_engaged: lever,
            spec: &FisSpec::default(),
        };
        let mut random = ChaCha8Rng::seed_from_u64(0);
        let mut step = |second: &i64| {
            let steps = experiment.advance(&world, &mut random, at(*second));
            (experiment.status.name(), steps.len())
        };
        seconds.iter().map(&mut step).collect()
    }

    fn actions(experiment: &Experiment) -> [&'static str; 2] {
        ["fail", "wait"].map(|name| experiment.actions[name].status.name())
    }

    #[test]
    fn actions_run_one_after_the_other_until_the_experiment_completes() {
        let mut experiment = experiment(false, "fail", PAY);
        let states = live(&mut experiment, &[1, 2, 3, 62], Some(false), false);
        assert_eq!(states, [("initiating", 0), ("running", 0), ("running", 1), ("running", 0)]);
        assert_eq!(actions(&experiment), ["running", "pending"]);
        assert_eq!(live(&mut experiment, &[63], Some(false), false), [("running", 2)], "one ends, the next begins");
        assert_eq!(actions(&experiment), ["completed", "running"]);
        assert_eq!(
            live(&mut experiment, &[182, 183, 184], Some(false), false),
            [("running", 0), ("completed", 1), ("completed", 0)]
        );
        let document = experiment.document("arn:aws:fis:us-east-1:000000000000:");
        assert_eq!(document["actions"]["fail"]["startTime"], 3.0);
        assert_eq!((&document["startTime"], &document["endTime"]), (&json!(2.0), &json!(183.0)));
    }

    #[test]
    fn an_action_begins_on_the_resolved_functions() {
        let mut experiment = experiment(false, "fail", PAY);
        live(&mut experiment, &[1, 2], Some(false), false);
        let world = World {
            candidates: &[],
            is_in_alarm: &|_| Some(false),
            is_lever_engaged: false,
            spec: &FisSpec::default(),
        };
        let steps = experiment.advance(&world, &mut ChaCha8Rng::seed_from_u64(0), at(3));
        let [Step::Begin { action, functions, qualifier: None, parameters }] = steps.as_slice() else {
            panic!("{steps:?}");
        };
        assert_eq!((action.as_str(), functions[0].name.as_str(), functions.len()), ("fail", "pay", 1));
        assert_eq!((parameters.duration, parameters.percentage), (Duration::from_secs(60), 30));
        assert_eq!(parameters.effect, Effect::Error { is_prevented: true });
    }

    #[test]
    fn an_alarm_the_lever_and_the_user_stop_it() {
        for (alarm, lever, reason) in [(true, false, BY_CONDITION), (false, true, BY_LEVER)] {
            let mut experiment = experiment(false, "fail", PAY);
            live(&mut experiment, &[1, 2, 3], Some(false), false);
            assert_eq!(live(&mut experiment, &[4, 5], Some(alarm), lever), [("stopping", 0), ("stopped", 1)]);
            assert_eq!(actions(&experiment), ["stopped", "cancelled"]);
            assert_eq!(experiment.reason, reason);
        }
        let mut experiment = experiment(false, "fail", PAY);
        live(&mut experiment, &[1, 2, 3], Some(false), false);
        assert!(experiment.stop(at(4)) && experiment.stop(at(4)));
        assert_eq!(live(&mut experiment, &[5], Some(false), false), [("stopped", 1)]);
        assert!(!experiment.stop(at(6)));
    }

    #[test]
    fn it_does_not_begin_with_the_lever_engaged_or_an_alarm_on_or_gone() {
        assert_eq!(live(&mut experiment(false, "fail", PAY), &[1], Some(false), true), [("cancelled", 0)]);
        let states = live(&mut experiment(false, "fail", PAY), &[1, 2, 3], Some(true), false);
        assert_eq!(states, [("initiating", 0), ("stopping", 0), ("stopped", 0)]);
        assert_eq!(live(&mut experiment(false, "fail", PAY), &[1, 2], None, false), [("initiating", 0), ("failed", 0)]);
    }

    #[test]
    fn an_empty_target_fails_it_or_skips_the_action_as_it_says() {
        let nobody = "arn:aws:lambda:us-east-1:000000000000:function:nobody";
        let states = live(&mut experiment(false, "fail", nobody), &[1, 2], Some(false), false);
        assert_eq!(states, [("initiating", 0), ("failed", 0)]);
        let mut skipping = experiment(false, "skip", nobody);
        live(&mut skipping, &[1, 2, 3, 4], Some(false), false);
        assert_eq!((skipping.status, actions(&skipping)), (Status::Running, ["skipped", "running"]));
    }

    #[test]
    fn skip_all_resolves_targets_and_begins_nothing() {
        let mut experiment = experiment(true, "fail", PAY);
        assert_eq!(
            live(&mut experiment, &[1, 2, 3], Some(false), false),
            [("initiating", 0), ("completed", 0), ("completed", 0)]
        );
        assert_eq!(actions(&experiment), ["skipped", "skipped"]);
        assert_eq!(experiment.resolved_targets(Some("all")).len(), 1);
        assert_eq!(experiment.resolved_targets(Some("nobody")).len(), 0);
    }
}
