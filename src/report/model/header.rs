//! Which run it was, where, when, by whom, why, and its phases.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which run, where, when, by whom, and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// The run's id.
    pub run: String,
    /// The scenario's id.
    pub scenario: String,
    /// SHA-256 of the scenario's file.
    pub scenario_sha256: String,
    /// The scenario's title.
    pub title: String,
    /// Who owns the scenario.
    pub owner: String,
    /// `drill`, `regression` or `tabletop`.
    pub mode: String,
    /// Where it ran.
    pub environment: Environment,
    /// Its first event.
    pub started_at: DateTime<Utc>,
    /// Its last event, a later recovery left aside.
    pub ended_at: DateTime<Utc>,
    /// From the first to the last.
    pub duration_ms: u64,
    /// The version of the program that made the run.
    pub version: String,
    /// The seed of every generator of the run. As text, because JSON readers lose digits of large numbers.
    pub seed: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Who took part, by role.
    pub people: Vec<Participant>,
}

/// Where a run took place. It names no machine but this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// Its name in `gameday.yaml`.
    pub name: String,
    /// `sandbox`, `endpoint` or `account`.
    pub kind: String,
    /// The endpoint on this machine that stood in for AWS.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// The account, twelve digits.
    pub account: Option<String>,
    /// The Region.
    pub region: Option<String>,
    /// What a reader must know before quoting a number.
    pub caveat: Option<String>,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// `completed`, `gate_shut`, `aborted` or `crashed`.
    pub name: String,
    /// The badge: `passed`, `refuted`, `aborted`, `inconclusive`, `not_ready`, `dirty` or `crashed`.
    pub result: String,
    /// In words.
    pub text: String,
    /// The exit code; none where the run ended without one.
    pub exit_code: Option<u8>,
    /// What the code means.
    pub exit_meaning: Option<String>,
}

/// Someone who took part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Participant {
    /// The role.
    pub role: String,
    /// The person or rota.
    pub who: String,
    /// Whether they were not told of the faults beforehand.
    pub blind: bool,
}

/// Why a scenario is worth the time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Why {
    /// In the scenario's words.
    pub text: Option<String>,
    /// What the workload is for.
    pub purpose: Option<String>,
    /// Who depends on it.
    pub stakeholders: Vec<WhyStakeholder>,
    /// Free words.
    pub tags: Vec<String>,
    /// Components that it exercises.
    pub components: Vec<WhyComponent>,
    /// Well-Architected questions.
    pub ops: Vec<String>,
    /// Risks of the workload.
    pub risks: Vec<WhyRisk>,
    /// Lessons that it tests again.
    pub retests: Vec<WhyLesson>,
    /// What the workload wants to reach, beside what was seen.
    pub targets: Vec<WhyTarget>,
    /// Why `workload.yaml` could not be read.
    pub unread: Option<String>,
}

/// Who depends on a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyStakeholder {
    /// Who.
    pub name: String,
    /// Whether they belong to the company.
    pub is_internal: bool,
    /// What they want from it.
    pub wants: Option<String>,
}

/// A component that a scenario exercises; without `workload.yaml` nothing but its name is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyComponent {
    /// Its name.
    pub name: String,
    /// The team that owns it.
    pub owner: Option<String>,
    /// How that team is reached.
    pub contact: Option<String>,
    /// What it is worth to the business.
    pub value: Option<String>,
    /// 1 is the most important.
    pub priority: Option<u32>,
    /// How it is changed.
    pub change: Option<String>,
}

/// A risk that a scenario looks at; without `workload.yaml` nothing but its id is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyRisk {
    /// Its id.
    pub id: String,
    /// What may happen.
    pub text: Option<String>,
    /// How likely it is, 1 to 5.
    pub likelihood: Option<u32>,
    /// How bad it would be, 1 to 5.
    pub impact: Option<u32>,
}

/// A lesson that a scenario tests again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyLesson {
    /// Its id.
    pub id: String,
    /// What was learnt; none where the run's folder has no copy.
    pub title: Option<String>,
}

/// Something that the workload's `kpis` want to reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WhyTarget {
    /// Its name.
    pub name: String,
    /// Where it should be.
    pub target: String,
    /// The fault that it was seen in.
    pub fault: Option<String>,
    /// What was seen; none where the run does not measure it.
    pub observed: Option<String>,
    /// Whether it was reached: `yes`, `no` or `unknown`.
    pub reached: String,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// Its name.
    pub phase: String,
    /// Its start.
    pub start_ms: u64,
    /// Its end; none in a run that ended before it did.
    pub end_ms: Option<u64>,
    /// Its length as planned.
    pub planned_ms: Option<u64>,
    /// `time_up`, `until`, `gate_shut` or `aborted`.
    pub ended_by: Option<String>,
}
