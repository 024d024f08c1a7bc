//! The scenario file's shape, as serde and JSON Schema know it. What serde cannot say is in `check.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::FaultSpec;
use crate::load::LoadSpec;
use crate::observe::SignalSpec;
use crate::proxy::ProxySpec;
use crate::unit::{
    AlarmName, ComponentId, DurationText, FaultId, GuardrailId, HintId, HypothesisId, InjectId, LessonId, LoadId,
    PersonId, PhaseId, PlaybookId, ScenarioId, SignalId, StepId, TargetId,
};

/// The version of the file format that this program reads.
pub const FORMAT: u32 = 1;

/// One game day: load, faults, people and hypotheses on one clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The version of the file format: 1.
    pub gameday: u32,
    /// The scenario's id, part of every run's id.
    pub id: ScenarioId,
    /// What the game day is about, in one line.
    pub title: String,
    /// The team or person who owns the scenario.
    pub owner: String,
    /// Why it is worth the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// How it is run; default `drill`.
    #[serde(default)]
    pub mode: Mode,
    /// Free words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What of the workload it exercises.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers: Option<Covers>,
    /// Where it may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<EnvironmentRules>,
    /// Values by name: `default` and one for each environment that differs; `${name}` stands for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vars: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    /// Who takes part, by role.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub people: BTreeMap<PersonId, Person>,
    /// What the faults work on, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<TargetId, TargetSpec>,
    /// Where numbers come from, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<SignalId, SignalSpec>,
    /// What is believed, and is now tested.
    pub hypotheses: Vec<Hypothesis>,
    /// Which alarms should fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Alarms>,
    /// What ends the run at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<Guardrail>,
    /// Load to make, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub load: BTreeMap<LoadId, LoadSpec>,
    /// Faults to inject, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<FaultId, FaultSpec>,
    /// Messages to people, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub injects: BTreeMap<InjectId, Inject>,
    /// Help for people who are stuck.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<Hint>,
    /// The phases, one after the other.
    pub timeline: Vec<PhaseSpec>,
    /// How the run waits for the system to be well again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Settle>,
    /// How the team talks about it afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debrief: Option<Debrief>,
    /// Which reports are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportSpec>,
    /// Who is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notify>,
    /// When it is run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
}

/// How a scenario is run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// People take part.
    #[default]
    Drill,
    /// It may run unattended: every fault has a `ttl`, and there is at least one guardrail.
    Regression,
    /// Nothing is injected; faults are cards on the table.
    Tabletop,
}

/// What of the workload a scenario exercises.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Covers {
    /// Components of `workload.yaml`.
    pub components: Vec<ComponentId>,
    /// Well-Architected questions: `OPS1` to `OPS11`, `SL-OPS1`, `SL-OPS2`.
    pub ops: Vec<String>,
    /// Risks of `workload.yaml`.
    pub risks: Vec<String>,
    /// Lessons that this scenario tests again.
    pub retests: Vec<LessonId>,
}

/// Where a scenario may run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentRules {
    /// The environments in which it may run; default all.
    pub allow: Vec<String>,
    /// For an environment, the one in which it must have passed before.
    pub pass_first: BTreeMap<String, String>,
}

/// Someone who takes part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// A person or a rota.
    pub who: String,
    /// Whether the run waits for them.
    #[serde(default)]
    pub required: bool,
    /// Whether they see no faults until these are revealed.
    #[serde(default)]
    pub blind: bool,
}

/// What a fault works on: exactly one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    /// A Lambda function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda: Option<LambdaTarget>,
    /// A dependency, reached through the fault proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyTarget>,
}

/// The one kind of a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TargetKind<'a> {
    /// A Lambda function.
    Lambda(&'a LambdaTarget),
    /// A dependency behind the fault proxy.
    Proxy(&'a ProxyTarget),
}

impl TargetSpec {
    /// The keys that name a kind, as files write them.
    pub const KINDS: &[&str] = &["lambda", "proxy"];

    /// The one kind.
    ///
    /// # Errors
    /// The kinds that were given, where there is not exactly one.
    pub fn kind(&self) -> Result<TargetKind<'_>, Vec<&'static str>> {
        match (&self.lambda, &self.proxy) {
            (Some(lambda), None) => Ok(TargetKind::Lambda(lambda)),
            (None, Some(proxy)) => Ok(TargetKind::Proxy(proxy)),
            (Some(_), Some(_)) => Err(Self::KINDS.to_vec()),
            (None, None) => Err(Vec::new()),
        }
    }
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaTarget {
    /// The function's name.
    pub function: String,
    /// The alias that traffic uses; default none, which is `$LATEST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The URL that `${target.url}` stands for; default the function's own URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A dependency behind the fault proxy, and how callers are led through it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyTarget {
    /// Where the proxy listens: `127.0.0.1:18474`.
    pub listen: String,
    /// Where the dependency is: `host:port`.
    pub upstream: String,
    /// What is spoken; default `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<crate::proxy::Protocol>,
    /// Environment variables to point at the proxy while the run lasts, by `lambda` target; each is undone like a
    /// fault. Without it, callers must use `listen` already.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub route: BTreeMap<TargetId, String>,
}

impl ProxyTarget {
    /// What the fault proxy is asked to do.
    #[must_use]
    pub fn spec(&self) -> ProxySpec {
        ProxySpec {
            listen: self.listen.clone(),
            upstream: self.upstream.clone(),
            protocol: self.protocol.unwrap_or_default(),
        }
    }
}

/// What is believed, and is now tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hypothesis {
    /// Its name in reports and gates.
    pub id: HypothesisId,
    /// The belief in plain words.
    pub text: String,
    /// The belief as an expectation.
    pub expect: String,
    /// How bad it is if it is wrong; default `medium`.
    #[serde(default)]
    pub severity: Severity,
    /// A lesson that says why this is known to fail: the verdict is then *gap holds*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_gap: Option<LessonId>,
}

/// How bad something is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth mending.
    #[default]
    Medium,
    /// Worth mending now.
    High,
    /// Worth stopping for.
    Critical,
}

/// Which alarms should fire, and which may.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Alarms {
    /// They must fire.
    pub expected: Vec<AlarmName>,
    /// They may fire.
    pub tolerated: Vec<AlarmName>,
}

/// What ends the run at once: exactly one of `abort_if`, `max_duration`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guardrail {
    /// Its name.
    pub id: GuardrailId,
    /// An expectation that aborts the run when it becomes true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort_if: Option<String>,
    /// The longest that the run may last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<DurationText>,
    /// What missing data means; default `abort`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_missing: Option<OnMissing>,
}

/// What missing data means to a guardrail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnMissing {
    /// Not knowing is as bad as knowing the worst.
    #[default]
    Abort,
    /// A warning in the log and in the report.
    Warn,
    /// Nothing.
    Ignore,
}

/// A message to a person, as the world would send it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inject {
    /// A role of `people`.
    pub to: PersonId,
    /// The message.
    pub text: String,
}

/// Help for people who are stuck.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hint {
    /// Its name.
    pub id: HintId,
    /// The hypothesis that it belongs to.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub hypothesis: Option<HypothesisId>,
    /// The help.
    pub text: String,
}

/// A phase of the timeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseSpec {
    /// Its name in `during` and `after`.
    pub phase: PhaseId,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub length: DurationText,
    /// An expectation that ends it early.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// What happens in it, at which time from its start.
    #[serde(default, rename = "do", skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionSpec>,
    /// What people do in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checklist: Vec<ChecklistStep>,
    /// The playbook that people follow in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<PlaybookId>,
    /// Hypotheses that must hold in it, or nothing is injected afterwards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steady: Vec<HypothesisId>,
}

/// One thing that happens in a phase: exactly one of `load`, `fault`, `undo`, `inject`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionSpec {
    /// The time from the phase's start.
    pub at: DurationText,
    /// Starts a load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadId>,
    /// Injects a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultId>,
    /// Undoes a fault, or stops a load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// Delivers a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inject: Option<InjectId>,
    /// An expectation: when it is true at that time, the thing does not happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unless: Option<String>,
}

/// The one thing that an [`ActionSpec`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionKind<'a> {
    /// Starts a load.
    Load(&'a LoadId),
    /// Injects a fault.
    Fault(&'a FaultId),
    /// Undoes a fault, or stops a load.
    Undo(&'a str),
    /// Delivers a message.
    Inject(&'a InjectId),
}

impl ActionSpec {
    /// The keys that name what is done, as files write them.
    pub const KINDS: &[&str] = &["load", "fault", "undo", "inject"];

    /// The one thing that is done.
    ///
    /// # Errors
    /// The keys that were given, where there is not exactly one.
    pub fn kind(&self) -> Result<ActionKind<'_>, Vec<&'static str>> {
        let given: Vec<(&'static str, ActionKind<'_>)> = [
            self.load.as_ref().map(|load| ("load", ActionKind::Load(load))),
            self.fault.as_ref().map(|fault| ("fault", ActionKind::Fault(fault))),
            self.undo.as_ref().map(|undo| ("undo", ActionKind::Undo(undo))),
            self.inject.as_ref().map(|inject| ("inject", ActionKind::Inject(inject))),
        ]
        .into_iter()
        .flatten()
        .collect();
        match given.as_slice() {
            [(_, kind)] => Ok(*kind),
            _ => Err(given.into_iter().map(|(key, _)| key).collect()),
        }
    }
}

/// One thing for a person to do, with a timer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChecklistStep {
    /// Its id, for `gameday step done ID`.
    pub id: StepId,
    /// What is to be done.
    #[serde(rename = "do")]
    pub text: String,
    /// Who does it, a role of `people`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<PersonId>,
    /// From the phase's start on; after this it is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<DurationText>,
    /// Whether a drill waits for it before the phase ends.
    #[serde(default)]
    pub must: bool,
    /// Roles that must each agree (a go/no-go poll).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub poll: Vec<PersonId>,
}

/// How the run waits for the system to be well again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settle {
    /// Hypotheses that must hold again.
    pub steady: Vec<HypothesisId>,
    /// After this the wait is over.
    pub within: DurationText,
}

/// How the team talks about it afterwards.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Debrief {
    /// The talk right after the run.
    pub hot_wash: Option<DurationText>,
    /// The review meeting.
    pub review: Option<Review>,
    /// What is asked.
    pub questions: Vec<String>,
}

/// The review meeting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// How long after the run.
    pub after: DurationText,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub length: DurationText,
}

/// Which reports are made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReportSpec {
    /// The formats; default all.
    pub formats: Vec<ReportFormat>,
    /// The run to compare with; default none.
    pub compare: Option<Compare>,
    /// What is blacked out.
    pub redact: Vec<Redaction>,
}

/// A format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportFormat {
    /// One page with everything in it.
    Html,
    /// GitHub-flavoured Markdown.
    Md,
    /// The report's model.
    Json,
    /// A test case for each hypothesis.
    Junit,
    /// Tables for a spreadsheet.
    Csv,
}

/// The run to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// The previous run of the same scenario in the same environment.
    Previous,
}

/// What is blacked out in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Redaction {
    /// Twelve-digit account numbers.
    AccountIds,
    /// E-mail addresses.
    Emails,
}

/// Who is told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Notify {
    /// Where a Slack webhook's URL is found: `env:NAME`. The URL itself is a secret and never stands in a file.
    pub slack: Option<String>,
    /// What is told; default all.
    pub events: Vec<NotifyEvent>,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotifyEvent {
    /// The run starts.
    Start,
    /// The run was aborted.
    Abort,
    /// Everything is as it was before.
    AllClear,
    /// The report is there.
    Report,
}

/// When the scenario is run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// A cron pattern of five fields; `TUE#2` is the second Tuesday of the month.
    pub cron: String,
    /// An IANA time zone; default UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// How long the people should keep free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<DurationText>,
    /// When a start is allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<crate::workspace::Window>,
    /// When none is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<Freeze>,
    /// How long before a start the people are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_notice: Option<DurationText>,
}

/// A span of days without game days.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The first day: `2026-12-15`.
    #[schemars(with = "String")]
    pub from: chrono::NaiveDate,
    /// The last day, included.
    #[schemars(with = "String")]
    pub to: chrono::NaiveDate,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
