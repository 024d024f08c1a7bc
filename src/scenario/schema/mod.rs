//! The scenario file's shape, as serde and JSON Schema know it. What serde cannot say is in `check`.

mod belief;
mod evidence;
mod outcome;
mod people;
mod target;
mod timeline;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use belief::{Alarms, Guardrail, Hypothesis, OnMissing};
pub use evidence::EvidenceSpec;
pub use outcome::{CALENDAR_BYTES_MAX, Debrief, Freeze, NotWithin, Review, Schedule};
pub use people::{Hint, Inject, Person};
pub use target::{LambdaTarget, ProxyKind, ProxyTarget, TargetKind, TargetSpec};
pub use timeline::{ActionKind, ActionSpec, ChecklistStep, PhaseSpec, Settle};

pub use crate::workspace::{Compare, Notify, NotifyEvent, Redaction, ReportFormat, ReportSpec};

use crate::fault::FaultSpec;
use crate::load::LoadSpec;
use crate::observe::SignalSpec;
use crate::unit::{ComponentId, FaultId, InjectId, LessonId, LoadId, PersonId, ScenarioId, SignalId, TargetId};

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
    /// What is read of logs and traces when the run is over; default the functions' logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceSpec>,
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
