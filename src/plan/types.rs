//! What a plan is made of. Every field has its place in `plan.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::alarms::AlarmPlan;
use super::environment::EnvironmentFacts;
use super::evidence::EvidencePlan;
use super::notice::NotifyPlan;
use crate::fault::{AwsResource, FaultSpec};
use crate::load::LoadSpec;
use crate::observe::SignalSpec;
use crate::proxy::{ProxySpec, RemoteProxy};
use crate::scenario::expect::Expectation;
use crate::scenario::{Covers, Debrief, Mode, OnMissing, Person, Redaction, ReportFormat};
use crate::unit::{
    ComponentId, DurationText, Evidence, FaultId, GuardrailId, HintId, HypothesisId, InjectId, LessonId, LoadId,
    PersonId, PhaseId, PlaybookId, ScenarioId, Severity, SignalId, StepId, TargetId, Within, sha256_hex,
};

/// The version of `plan.json`.
pub const PLAN_FORMAT: u32 = 1;

/// Everything that a run does and a report needs to know of the scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The version of the format: 1.
    pub format: u32,
    /// The scenario.
    pub scenario: ScenarioFacts,
    /// The environment.
    pub environment: EnvironmentFacts,
    /// The targets, by name.
    pub targets: BTreeMap<TargetId, TargetPlan>,
    /// Changes made before the first phase, in order: routes through the proxy. Undone last.
    #[serde(default)]
    pub routes: Vec<ChangePlan>,
    /// The phases, in order.
    pub phases: Vec<PhasePlan>,
    /// What happens in them, in order of nominal start.
    pub steps: Vec<Step>,
    /// The loads, by name.
    pub loads: BTreeMap<LoadId, LoadSpec>,
    /// The faults, by name.
    pub changes: BTreeMap<FaultId, ChangePlan>,
    /// The messages to people, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub injects: BTreeMap<InjectId, InjectPlan>,
    /// The hints, in the order in which they are given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<HintPlan>,
    /// The components of the workload, each with the targets that are a part of it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<ComponentId, BTreeSet<TargetId>>,
    /// The signals, by name.
    pub signals: BTreeMap<SignalId, SignalSpec>,
    /// The hypotheses, in the file's order.
    pub hypotheses: Vec<HypothesisPlan>,
    /// The guardrails, in the file's order.
    pub guardrails: Vec<GuardrailPlan>,
    /// The alarms that are read; none where the scenario asks for none.
    #[serde(default)]
    pub alarms: Option<AlarmPlan>,
    /// What is read of logs and traces when it is over.
    #[serde(default, skip_serializing_if = "EvidencePlan::is_nothing")]
    pub evidence: EvidencePlan,
    /// SHA-256 of each program of the workspace that a fault runs, by the name that the scenario gives it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<String, String>,
    /// The wait for the system to be well again.
    pub settle: Option<SettlePlan>,
    /// The formats of the report.
    pub formats: Vec<ReportFormat>,
    /// What is blacked out in the report.
    #[serde(default)]
    pub redact: Vec<Redaction>,
    /// How the team talks about it afterwards.
    pub debrief: Option<Debrief>,
    /// Who is told of it; none where nobody is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifyPlan>,
    /// What the scenario asks for that this version checks but does not carry out, where leaving it out changes
    /// nothing else: one line each.
    #[serde(default)]
    pub not_carried_out: Vec<String>,
}

impl Plan {
    /// The function that a `lambda` target is, or the one of that name.
    #[must_use]
    pub fn function_of<'a>(&'a self, target: &'a TargetId) -> &'a str {
        match self.targets.get(target) {
            Some(TargetPlan::Lambda { function, .. }) => function,
            Some(TargetPlan::Proxy(_) | TargetPlan::RemoteProxy { .. } | TargetPlan::Resource(_)) | None => {
                target.as_str()
            }
        }
    }

    /// SHA-256 of the plan: what somebody agrees to. It changes with the scenario, its playbooks, the environment's place and
    /// rules, and the text of each of the workspace's programs that a fault runs.
    #[must_use]
    pub fn digest(&self) -> String {
        sha256_hex(&serde_json::to_vec(self).expect("invariant: a plan serialises to JSON"))
    }
}

/// What a report says of the scenario itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScenarioFacts {
    /// Its id.
    pub id: ScenarioId,
    /// Its title.
    pub title: String,
    /// Who owns it.
    pub owner: String,
    /// Why it is worth the time.
    pub why: Option<String>,
    /// How it is run.
    pub mode: Mode,
    /// Free words.
    pub tags: Vec<String>,
    /// What of the workload it exercises.
    pub covers: Option<Covers>,
    /// Who takes part, by role.
    pub people: BTreeMap<PersonId, Person>,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// A target, resolved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetPlan {
    /// A Lambda function.
    Lambda {
        /// Its name.
        function: String,
        /// The alias that traffic uses.
        alias: Option<String>,
        /// Its URL, where the scenario names one.
        url: Option<String>,
    },
    /// A dependency behind the run's own fault proxy.
    Proxy(ProxySpec),
    /// A dependency behind a fault proxy that somebody else runs.
    RemoteProxy {
        /// Where it is driven.
        at: RemoteProxy,
        /// Where callers reach it, where the scenario says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        url: Option<String>,
    },
    /// Something else in the account.
    Resource(AwsResource),
}

/// A change to a target, with everything that a reader wants to know before it is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangePlan {
    /// The fault's name, or `route-TARGET`.
    pub fault: FaultId,
    /// What is injected.
    pub spec: FaultSpec,
    /// The kind's key.
    pub kind: String,
    /// The target.
    pub target: TargetId,
    /// The change in one line.
    pub change: String,
    /// Its undo in one line.
    pub undo: String,
    /// The API calls that it and its undo need, in order: `lambda:PutFunctionConcurrency`.
    pub calls: Vec<String>,
    /// The proof that it is real.
    pub effect_if: Option<Expectation>,
    /// What ends it when nobody of ours is left; none where the environment has no dead man's switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cover: Option<CoverPlan>,
}

impl ChangePlan {
    /// What its card says at a table.
    #[must_use]
    pub fn card(&self) -> &str {
        self.spec.card.as_deref().unwrap_or(&self.change)
    }
}

/// What ends a change when nobody of ours is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverPlan {
    /// One of these calls, which EventBridge Scheduler makes 5 min after the run's last sign of life.
    Switch(Vec<String>),
    /// It expires by itself: how.
    Expires(String),
    /// Nothing: why.
    Uncovered(String),
}

impl fmt::Display for CoverPlan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(calls) => {
                write!(formatter, "{}, 5 min after the run's last sign of life", calls.join(" or "))
            }
            Self::Expires(how) => write!(formatter, "none is needed: {how}"),
            Self::Uncovered(why) => write!(formatter, "NOT covered: {why}"),
        }
    }
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhasePlan {
    /// Its name.
    pub phase: PhaseId,
    /// Its nominal start, from the timeline's start.
    pub start: DurationText,
    /// How long it lasts.
    pub length: DurationText,
    /// What ends it early.
    pub until: Option<Expectation>,
    /// The hypotheses of its gate.
    pub gate: Vec<HypothesisId>,
    /// What people do in it: its checklist, then its playbook's steps.
    pub checklist: Vec<PersonStep>,
}

/// A step for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PersonStep {
    /// Its id.
    pub step: StepId,
    /// What is to be done.
    pub text: String,
    /// Who does it.
    pub owner: Option<PersonId>,
    /// From the phase's start on, or from what it names.
    pub within: Option<Within>,
    /// Whether a drill waits for it.
    pub must: bool,
    /// Roles that must each agree.
    pub poll: Vec<PersonId>,
    /// The role that must agree before it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<PersonId>,
    /// What has to be noted when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The playbook it comes from.
    pub playbook: Option<PlaybookId>,
}

/// A message to a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InjectPlan {
    /// To whom.
    pub to: PersonId,
    /// What it says.
    pub text: String,
}

/// Help for people who are stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HintPlan {
    /// Its name.
    pub id: HintId,
    /// The hypothesis that it belongs to.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<HypothesisId>,
    /// The help.
    pub text: String,
}

/// One thing that happens at a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its place in the phases.
    pub phase: usize,
    /// From the phase's start.
    pub at: DurationText,
    /// Nominal, from the timeline's start.
    pub start: DurationText,
    /// Nominal end of what it starts.
    pub stop: Option<DurationText>,
    /// What happens.
    pub action: Action,
    /// What keeps it from happening.
    pub unless: Option<Expectation>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Starts a load.
    StartLoad(LoadId),
    /// Stops a load.
    StopLoad(LoadId),
    /// Injects a fault.
    InjectFault {
        /// The change's id, unique in a run: `002-slow-provider`.
        id: String,
        /// The fault.
        fault: FaultId,
        /// When it ends by itself, after the injection.
        ttl: Option<DurationText>,
    },
    /// Undoes a fault.
    UndoFault(FaultId),
    /// At the table: puts a fault's card on it.
    DealCard(FaultId),
    /// At the table: takes a fault's card away.
    TakeCard(FaultId),
    /// Delivers a message.
    DeliverInject {
        /// Which.
        inject: InjectId,
        /// To whom.
        to: PersonId,
        /// What it says.
        text: String,
    },
}

impl fmt::Display for Action {
    /// What happens, as a list of times tells it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartLoad(load) => write!(formatter, "load {load}"),
            Self::StopLoad(load) => write!(formatter, "stop load {load}"),
            Self::InjectFault { fault, .. } => write!(formatter, "fault {fault}"),
            Self::UndoFault(fault) => write!(formatter, "undo {fault}"),
            Self::DealCard(fault) => write!(formatter, "card {fault}"),
            Self::TakeCard(fault) => write!(formatter, "take card {fault} away"),
            Self::DeliverInject { inject, to, .. } => write!(formatter, "inject {inject} to {to}"),
        }
    }
}

/// A hypothesis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HypothesisPlan {
    /// Its id.
    pub id: HypothesisId,
    /// The belief in plain words.
    pub text: String,
    /// The belief as an expectation.
    pub expect: Expectation,
    /// How bad it is if it is wrong.
    pub severity: Severity,
    /// Why it is known to fail.
    pub known_gap: Option<LessonId>,
    /// The faults whose effect it depends on: those in place in its window, by nominal time.
    pub faults: BTreeSet<FaultId>,
}

/// A guardrail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GuardrailPlan {
    /// Its id.
    pub id: GuardrailId,
    /// What trips it.
    pub rule: GuardrailRule,
    /// What missing data means.
    pub on_missing: OnMissing,
}

/// What trips a guardrail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardrailRule {
    /// An expectation that becomes true.
    AbortIf(Expectation),
    /// The run lasts longer.
    MaxDuration(DurationText),
    /// More targets would be changed at the same time.
    MaxTargets(u32),
    /// More requests failed.
    MaxFailedRequests(u64),
}

impl fmt::Display for GuardrailRule {
    /// What ends the run, in words that fit behind "if".
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AbortIf(expectation) => write!(formatter, "{expectation}"),
            Self::MaxDuration(limit) => write!(formatter, "the run lasts longer than {limit}"),
            Self::MaxTargets(1) => formatter.write_str("more than 1 target would be changed at the same time"),
            Self::MaxTargets(limit) => write!(formatter, "more than {limit} targets would be changed at the same time"),
            Self::MaxFailedRequests(1) => formatter.write_str("more than 1 request fails"),
            Self::MaxFailedRequests(limit) => write!(formatter, "more than {limit} requests fail"),
        }
    }
}

/// The wait for the system to be well again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettlePlan {
    /// Hypotheses that must hold again.
    pub steady: Vec<HypothesisId>,
    /// After this the wait is over.
    pub within: DurationText,
}
