//! What was believed, and what was seen; gates too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A verdict on a hypothesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictText {
    /// `upheld`, `refuted`, `gap_holds`, `gap_closed`, `inconclusive`, `not_tested` or, in a run that ended too early,
    /// `not_judged`.
    pub name: String,
    /// Why, for the verdicts that have a reason.
    pub why: Option<String>,
}

impl VerdictText {
    /// Whether what was believed holds; none where nothing tells.
    #[must_use]
    pub fn holds(&self) -> Option<bool> {
        verdict_holds(&self.name)
    }
}

/// Whether what was believed holds, by the name of its verdict; none where nothing tells.
pub(in crate::report) fn verdict_holds(verdict: &str) -> Option<bool> {
    match verdict {
        "upheld" | "gap_closed" => Some(true),
        "refuted" | "gap_holds" => Some(false),
        _ => None,
    }
}

/// A hypothesis with its verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hypothesis {
    /// Its id.
    pub id: String,
    /// The belief in plain words.
    pub text: String,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// The expectation as written.
    pub expected: String,
    /// The verdict at the run's end.
    pub verdict: VerdictText,
    /// The lesson that says why it is known to fail.
    pub known_gap: Option<String>,
    /// What was seen of each of its terms.
    pub terms: Vec<Term>,
    /// The faults whose effect it depends on.
    pub faults: Vec<String>,
    /// Files with the data that it was judged by.
    pub evidence: Vec<String>,
}

/// What somebody predicted of a hypothesis before the first fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Predicted {
    /// The hypothesis.
    pub hypothesis: String,
    /// Who predicted.
    pub by: Option<String>,
    /// When it was sealed.
    pub at_ms: u64,
    /// `holds` or `fails`; none while it is sealed, or where it can not be read.
    pub expected: Option<String>,
    /// What else they said.
    pub note: Option<String>,
    /// `right` or `wrong`; none where it is sealed, or where nothing tells whether the hypothesis holds.
    pub result: Option<String>,
    /// Why it can not be shown: it was changed after it was sealed, or is not there.
    pub trouble: Option<String>,
}

/// What was seen of one term of an expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Term {
    /// The term in canonical text.
    pub term: String,
    /// Whether it held; none where the data does not tell.
    pub held: Option<bool>,
    /// The measured value with its unit.
    pub observed: Option<String>,
    /// The smallest value of the window.
    pub min: Option<String>,
    /// Its 50th percentile.
    pub p50: Option<String>,
    /// Its 99th percentile.
    pub p99: Option<String>,
    /// The largest.
    pub max: Option<String>,
    /// How many values it holds.
    pub sample_count: u64,
    /// The window's start.
    pub from_ms: Option<u64>,
    /// The window's end.
    pub to_ms: Option<u64>,
    /// When it first held, for a `within`.
    pub held_ms: Option<u64>,
    /// Why the data does not tell.
    pub missing: Option<String>,
    /// Its bound, where the chart can draw it.
    pub bound: Option<Bound>,
}

/// A bound of a load's latency or success, as the chart draws it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Bound {
    /// The condition as written: `p99(checkout_latency) <= 800ms`.
    pub condition: String,
    /// What is bounded.
    pub lane: BoundLane,
    /// In milliseconds, or as a ratio of failures (0 to 1).
    pub value: f64,
    /// Whether larger values are the forbidden ones.
    pub forbids_above: bool,
}

/// The lane of the chart in which a bound stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BoundLane {
    /// Milliseconds.
    Latency,
    /// The share of failures.
    Failures,
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// Its phase.
    pub phase: String,
    /// When it was judged.
    pub at_ms: u64,
    /// Whether the way was open.
    pub open: bool,
    /// Its hypotheses.
    pub results: Vec<GateResult>,
}

/// A hypothesis as a gate saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateResult {
    /// Its id.
    pub id: String,
    /// The verdict over the gate's own window.
    pub verdict: VerdictText,
    /// What was seen.
    pub terms: Vec<Term>,
}
