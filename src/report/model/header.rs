//! Which run it was, where, when, by whom, why, and its phases.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Which run, where, when, by whom, and how it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// The role.
    pub role: String,
    /// The person or rota.
    pub who: String,
    /// Whether they were not told of the faults beforehand.
    pub blind: bool,
}

/// Why a scenario is worth the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// In the scenario's words.
    pub text: Option<String>,
    /// Free words.
    pub tags: Vec<String>,
    /// Components that it exercises.
    pub components: Vec<String>,
    /// Well-Architected questions.
    pub ops: Vec<String>,
    /// Risks of the workload.
    pub risks: Vec<String>,
    /// Lessons that it tests again.
    pub retests: Vec<String>,
}

/// A phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
