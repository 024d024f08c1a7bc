//! What a report takes from a plan: words, and the bounds that a chart can draw. It resolves names once, so that the
//! rest of the room reads no scenario types.

mod plan;

use std::collections::{BTreeMap, BTreeSet};

use super::folder::Format;
use super::model::{Bound, BoundLane, Debrief, Environment, Participant, Why};
use super::redact::Redaction;

/// The plan as a report sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// SHA-256 of the scenario's file.
    pub scenario_sha256: String,
    /// Who owns the scenario.
    pub owner: String,
    /// `drill`, `regression` or `tabletop`.
    pub mode: String,
    /// Why it is worth the time.
    pub why: Option<Why>,
    /// Who takes part.
    pub people: Vec<Participant>,
    /// Where it runs.
    pub environment: Environment,
    /// The Lambda function that a target is, by target.
    pub functions: BTreeMap<String, String>,
    /// The components of which a target is a part, by target; targets of no known component are left out.
    pub components: BTreeMap<String, BTreeSet<String>>,
    /// What is believed, in the file's order.
    pub hypotheses: Vec<HypothesisFacts>,
    /// What ends the run at once, in the file's order.
    pub guardrails: Vec<GuardrailFacts>,
    /// The alarms that are read; none where the scenario asks for none.
    pub alarms: Option<AlarmFacts>,
    /// The phase that others are held against.
    pub baseline: Option<String>,
    /// Each phase with its planned length in milliseconds.
    pub phases: BTreeMap<String, u64>,
    /// What each load's target counts.
    pub load_units: BTreeMap<String, LoadUnit>,
    /// The steps of each load that a hypothesis looks at.
    pub steps: BTreeMap<String, BTreeSet<String>>,
    /// Each fault that has a proof, with the period of what proves it, in milliseconds.
    pub proof_periods_ms: BTreeMap<String, u64>,
    /// What ends each change when nobody of ours is left, where the environment has a dead man's switch.
    pub covers: BTreeMap<String, CoverFacts>,
    /// The formats that are asked for.
    pub formats: Vec<Format>,
    /// What is blacked out.
    pub redactions: Vec<Redaction>,
    /// How the team talks about it afterwards.
    pub debrief: Debrief,
    /// What the scenario asks for that is not carried out.
    pub not_carried_out: Vec<String>,
}

/// What ends a change when nobody of ours is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverFacts {
    /// Whether that is a switch in AWS.
    pub is_switch: bool,
    /// In words.
    pub text: String,
}

/// A hypothesis of the plan.
#[derive(Debug, Clone, PartialEq)]
pub struct HypothesisFacts {
    /// Its id.
    pub id: String,
    /// The belief in plain words.
    pub text: String,
    /// The belief as an expectation.
    pub expected: String,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// Why it is known to fail.
    pub known_gap: Option<String>,
    /// The faults whose effect it depends on.
    pub faults: Vec<String>,
    /// One for each term: its bound, where a chart can draw it.
    pub bounds: Vec<Option<Bound>>,
    /// The loads that it is judged by.
    pub loads: Vec<String>,
}

/// A guardrail of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardrailFacts {
    /// Its id.
    pub id: String,
    /// What trips it, in words.
    pub rule: String,
    /// `abort`, `warn` or `ignore`.
    pub on_missing: String,
}

/// The alarms of the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlarmFacts {
    /// They must fire.
    pub expected: Vec<String>,
    /// They may fire.
    pub tolerated: Vec<String>,
    /// Named in an expectation alone.
    pub watched: Vec<String>,
    /// Patterns of expectations, which may fit several.
    pub patterns: Vec<String>,
    /// How soon alarms have to tell, by the hypotheses.
    pub bounds: Vec<DetectionFacts>,
    /// Whether they are no AWS account's, but a sandbox's or an emulator's.
    pub is_local: bool,
}

/// How soon an alarm has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectionFacts {
    /// The hypothesis that says so.
    pub hypothesis: String,
    /// The alarm.
    pub alarm: String,
    /// The most that it may take from the effect on.
    pub bound_ms: u64,
}

/// What a load's target counts. The unit of its shape chose the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadUnit {
    /// Virtual users: a closed model.
    Users,
    /// Arrivals a second: an open model.
    PerSecond,
}

impl LoadUnit {
    /// As the report's JSON names it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::PerSecond => "per_second",
        }
    }
}

/// What stands over every number from the sandbox.
pub(super) const SANDBOX_CAVEAT: &str = "This ran in the local sandbox. Its numbers tell how the code behaves under a \
    fault; they say nothing about capacity or latency in AWS.";

impl Facts {
    /// The lowest bounds that hypotheses set on what users of a load see: on a high percentile of latency in milliseconds, and on the
    /// share of requests that fail.
    #[must_use]
    pub fn tightest_bounds(&self, load: &str) -> (Option<f64>, Option<f64>) {
        let about = self.hypotheses.iter().filter(|hypothesis| hypothesis.loads.iter().any(|it| it == load));
        let bounds: Vec<&Bound> = about.flat_map(|hypothesis| hypothesis.bounds.iter().flatten()).collect();
        let lowest = |lane: BoundLane| {
            let of_lane = bounds.iter().filter(|bound| bound.lane == lane && bound.forbids_above);
            of_lane.map(|bound| bound.value).reduce(f64::min)
        };
        (lowest(BoundLane::Latency), lowest(BoundLane::Failures))
    }
}
