//! The report's model: the stable JSON contract of `report.json`, from which every other format is made.
//!
//! Times are milliseconds since the run's start, moments are UTC. A field without a value is `null`, never left out, so
//! that a template can tell a missing value from a mistyped name.

mod alarm;
mod fault;
mod header;
mod hypothesis;
mod insight;
mod learning;
mod load;
mod people;
mod safety;
mod window;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compare::Comparison;
use crate::unit::Date;

pub use alarm::{Alarm, AlarmBound, AlarmEntry, AlarmPrediction, AlarmStretch};
pub use fault::{AddedDelay, Fault, ProxyEvidence, Response};
pub use header::{
    Environment, Header, Outcome, Participant, Phase, Why, WhyComponent, WhyLesson, WhyRisk, WhyStakeholder, WhyTarget,
};
pub(super) use hypothesis::verdict_holds;
pub use hypothesis::{Bound, BoundLane, Gate, GateResult, Hypothesis, Predicted, Term, VerdictText};
pub use insight::{Insight, InsightExecution, InsightGap, InsightGroup, InsightLevel, InsightSeverity, Insights};
pub use learning::{ActionRow, Effort, LessonRow, Practice};
pub use load::{DoubtCount, FailureCount, FailureSeen, Load, LoadStep, Second, StepSecond, WorstSecond};
pub use people::{Debrief, JournalEntry, Playbook, Step};
pub use safety::{Guardrail, Ledger, LedgerState, Safety, SwitchRow};
pub use window::{LoadDifference, LoadPart, LoadWindow, Numbers, Quantile};

/// The version of `report.json`.
pub const REPORT_FORMAT: u32 = 1;

/// What is to be learnt from one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The version of the format: 1.
    pub format: u32,
    /// Which run, where, when, by whom, and how it ended.
    pub header: Header,
    /// At most five lines.
    pub summary: Vec<String>,
    /// Why the scenario is worth the time; none where it does not say.
    pub why: Option<Why>,
    /// What was believed, and what was seen.
    pub hypotheses: Vec<Hypothesis>,
    /// What people predicted before the first fault, in order; what they said is shown once a debrief has revealed it.
    #[serde(default)]
    pub predictions: Vec<Predicted>,
    /// The phases, in order.
    pub phases: Vec<Phase>,
    /// Each fault with its times, and how it was detected and answered. Routes through the proxy are changes but no
    /// faults: they stand in the ledger alone.
    pub faults: Vec<Fault>,
    /// Alarms: expected ones first, then those that nobody named and that fired, then the others.
    pub alarms: Vec<Alarm>,
    /// Gates, in order.
    pub gates: Vec<Gate>,
    /// Guardrails, in the plan's order.
    pub guardrails: Vec<Guardrail>,
    /// Steps for people, in order of opening.
    pub steps: Vec<Step>,
    /// Steps by playbook; the phases' own checklists stand last, without an id.
    pub playbooks: Vec<Playbook>,
    /// What people said and were told, in order.
    pub journal: Vec<JournalEntry>,
    /// The loads, by name.
    pub loads: Vec<Load>,
    /// Whether anything was left behind.
    pub safety: Safety,
    /// What is worth a talk, worst first.
    pub findings: Vec<Finding>,
    /// What the evidence says by itself, by component.
    #[serde(default)]
    pub insights: Insights,
    /// What the scenario asks for that this version checks but does not carry out.
    pub not_carried_out: Vec<String>,
    /// The run as one list, in order.
    pub timeline: Vec<TimelineEntry>,
    /// What changed since the run of the same scenario before; none where there was none.
    pub comparison: Option<Comparison>,
    /// Lessons that it touched or tested again, as they were.
    pub lessons: Vec<LessonRow>,
    /// Actions that concern what it touched, as they were, and those that came of it.
    pub actions: Vec<ActionRow>,
    /// The questions of the Well-Architected Framework.
    pub practices: Vec<Practice>,
    /// What it took.
    pub effort: Effort,
    /// The files of the run's folder.
    pub evidence: Vec<EvidenceFile>,
    /// Evidence that was asked for and could not be had, or not all of it.
    #[serde(default)]
    pub evidence_gaps: Vec<EvidenceGap>,
    /// The talk afterwards.
    pub debrief: Debrief,
}

/// Something worth a talk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// The kind: `dirty`, `refuted`, `gap_closed`, `not_effective`, `unproven`, `unnoticed`, `overdue`, …
    pub kind: String,
    /// The hypothesis, fault, alarm, step, load or guardrail that it is about.
    pub about: Option<String>,
    /// In one sentence.
    pub text: String,
    /// What could be done next.
    pub next: Option<String>,
    /// The id of the rule that found it, which stays the same from version to version: `F-07`.
    pub rule: String,
    /// The questions of the Well-Architected Framework that it is about.
    pub questions: Vec<String>,
    /// Who owns what it is about, by `workload.yaml`; none where that is not known.
    pub owner: Option<String>,
    /// Files with the data behind it.
    pub evidence: Vec<String>,
    /// What could be added to a CloudFormation template.
    pub snippet: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimelineEntry {
    /// When.
    pub at_ms: u64,
    /// The moment.
    pub at: DateTime<Utc>,
    /// `run`, `phase`, `gate`, `load`, `fault`, `alarm`, `step`, `mark`, `note`, `inject` or `guardrail`.
    pub kind: String,
    /// What it is about: the phase's, fault's, step's … name.
    pub about: Option<String>,
    /// In words.
    pub text: String,
    /// Whether it went wrong: aborted, tripped, lost, overdue, stuck.
    pub is_trouble: bool,
}

/// A file of the run's folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceFile {
    /// Its path inside the run's folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256; of the log, that of its whole lines.
    pub sha256: String,
    /// Where it comes from.
    #[serde(default)]
    pub provenance: Provenance,
}

/// Evidence that was asked for and could not be had, or not all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceGap {
    /// `logs`, `traces`, `metrics` or `needle`.
    pub source: String,
    /// What it is about.
    pub about: String,
    /// What was asked.
    pub query: String,
    /// Why nothing is known; none where some of it is.
    pub unknown: Option<String>,
}

/// Where a file of a run's folder comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Provenance {
    /// Who made or measured it, in words; empty where nobody knows.
    pub source: String,
    /// What was asked of a service.
    pub query: Option<String>,
    /// The first moment that it tells of.
    pub from: Option<DateTime<Utc>>,
    /// The last.
    pub to: Option<DateTime<Utc>>,
    /// How finely.
    pub resolution_ms: Option<u64>,
    /// The day on which AWS may drop the original; none where there is none but this.
    pub expires_on: Option<Date>,
}
