//! What events carry: seconds of load, verdicts with what was seen, and why things ended. Values that may be secret never
//! stand here.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::unit::{Evidence, FaultId, GuardrailId, HypothesisId, LoadId, PersonId, Rate, Within};

/// A process of ours beside the run's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessKind {
    /// The local Lambda, embedded in the run's process.
    Sandbox,
    /// The fault proxy.
    Proxy,
    /// The process that undoes when the run's own dies or hangs.
    Watchdog,
}

/// What an entry of an alarm's history is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmNoteKind {
    /// The alarm changed its state.
    Transition,
    /// It told somebody, or tried to.
    Action,
    /// Somebody made, changed or deleted it.
    Edit,
}

/// An entry of an alarm's history, as AWS keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmNote {
    /// When, in milliseconds since the run's start, by AWS's clock.
    pub at_ms: u64,
    /// What it is about.
    pub kind: AlarmNoteKind,
    /// AWS's words.
    pub summary: String,
}

/// Who recovers a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recoverer {
    /// A person, by `gameday recover`.
    #[default]
    Person,
    /// The run's watchdog: the run's process died.
    WatchdogAfterDeath,
    /// The run's watchdog: the run's process said nothing for too long, and was killed.
    WatchdogAfterSilence,
}

/// Why a phase was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseEnd {
    /// Its time was up.
    TimeUp,
    /// Its `until` became true.
    Until,
    /// Its gate stayed shut.
    GateShut,
    /// A poll that had to agree did not.
    NoGo,
    /// The run was aborted.
    Aborted,
}

/// How a fault's undo ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultEnd {
    /// It was as injected, was restored, and was read back.
    Restored,
    /// It was as before already.
    AsBefore,
    /// It was undone, says the command that undid it; there is nothing that could read it back.
    NotReadBack,
    /// Its own time was over before the proxy that has it could be asked; nothing read that back.
    Expired,
    /// The target is gone altogether.
    Gone,
    /// Somebody else had changed it, and a person takes it as it is.
    Accepted,
}

/// What was tried with a dead man's switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchStep {
    /// To set it, before the fault.
    Set,
    /// To set it, which AWS refused for certain: there is none.
    Refused,
    /// To put it off, while the fault is on.
    Push,
    /// To delete it, after the undo.
    Delete,
}

/// How a step for a person was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Done.
    Done,
    /// Left out on purpose.
    Skipped {
        /// Why.
        why: Option<String>,
    },
    /// Answered by `--yes`, for a rehearsal without people.
    Rehearsed,
    /// A poll in which not every role agreed.
    NoGo,
    /// Still open when the run ended.
    LeftOpen,
}

/// What a step asks for, beside that it is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepAsks {
    /// The roles of a poll: each says whether it agrees.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub poll: Vec<PersonId>,
    /// The role that must agree before it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<PersonId>,
    /// What has to be noted when it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// How long it may take, where its time is counted from something that happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

impl StepAsks {
    /// Whether it asks for nothing else.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// How a load goes on from a moment on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadSteer {
    /// At this rate, in the place of its shape's; a load that is paused stays so.
    Rate(Rate),
    /// Nobody comes.
    Pause,
    /// At the rate that was set, or else along its shape.
    Resume,
}

impl fmt::Display for LoadSteer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => write!(formatter, "set to {rate}"),
            Self::Pause => formatter.write_str("paused"),
            Self::Resume => formatter.write_str("resumed"),
        }
    }
}

/// Who or what aborted a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbortCause {
    /// A guardrail.
    Guardrail {
        /// Which.
        guardrail: GuardrailId,
    },
    /// A person, by `gameday abort` or the page.
    Person {
        /// Why.
        why: Option<String>,
        /// Who.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// A signal: `SIGINT`, `SIGTERM`, `SIGHUP`.
    Signal {
        /// Which.
        signal: String,
    },
    /// A load worker was lost.
    LoadLost {
        /// Which load.
        load: LoadId,
    },
    /// A fault could not be injected.
    FaultFailed {
        /// Which.
        fault: FaultId,
    },
    /// The environment was not ready: nothing was injected.
    NotReady {
        /// What was not.
        why: String,
    },
    /// An error of our own.
    Internal {
        /// The error.
        error: String,
    },
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The timeline was walked to its end.
    Completed,
    /// A gate stayed shut.
    GateShut,
    /// A poll that had to agree did not.
    NoGo,
    /// It was aborted.
    Aborted,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What a load did in one second, over all journeys; the histograms are in `evidence/`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadSecond {
    /// The load.
    pub load: LoadId,
    /// The second, whole seconds since the run's start.
    pub second: u64,
    /// What was asked for, by the shape or as it was steered: virtual users, or arrivals a second.
    pub target: f64,
    /// Requests that ended as expected.
    pub ok_count: u64,
    /// Requests that did not.
    pub failed_count: u64,
    /// Requests still under way at the second's end.
    pub in_flight_count: u64,
    /// The 50th percentile of all latencies, in milliseconds; none without requests.
    pub p50_ms: Option<f64>,
    /// The 99th percentile of all latencies, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Arrivals of an open model that were given up in this second and never sent.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_sent_count: u64,
    /// Why the figures may tell of the load worker and not of the server: `late` (it noticed arrivals more than 5 ms late),
    /// `not_sent`, `cpu` (it used over 90 % of its CPU), `exhausted` (its machine had no port or descriptor left).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// Failures by kind: `dns`, `connect`, `connect_timeout`, `tls`, `timeout`, `broken`, `protocol`, `redirect`, `elsewhere`, `exhausted`,
    /// `throttled`, `status`, `header`, `body`, `capture`, `slow`, `other`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, u64>,
    /// The same by step name, where a load has more than one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub steps: BTreeMap<String, LoadStepSecond>,
}

/// What one step of a load's journeys did in one second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadStepSecond {
    /// Requests that ended as expected.
    pub ok_count: u64,
    /// Requests that did not.
    pub failed_count: u64,
    /// The 99th percentile of all latencies, in milliseconds.
    pub p99_ms: Option<f64>,
}

/// What became of a hypothesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It held.
    Upheld,
    /// It did not.
    Refuted,
    /// It did not, as a lesson says that it would not.
    GapHolds,
    /// It held, although a lesson says that it would not: the key `known_gap` must go.
    GapClosed,
    /// The data does not tell.
    Inconclusive(String),
    /// What it is about did not happen.
    NotTested(String),
}

impl Verdict {
    /// Whether it tells if what was believed holds.
    #[must_use]
    pub fn is_known(&self) -> bool {
        match self {
            Self::Upheld | Self::Refuted | Self::GapHolds | Self::GapClosed => true,
            Self::Inconclusive(_) | Self::NotTested(_) => false,
        }
    }
}

/// A hypothesis with its verdict and what was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HypothesisResult {
    /// The hypothesis.
    pub hypothesis: HypothesisId,
    /// The verdict.
    pub verdict: Verdict,
    /// One for each term of its expectation.
    pub observations: Vec<Observation>,
}

/// What was seen of one term of an expectation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observation {
    /// The term in canonical text.
    pub term: String,
    /// Whether it held; none where the data does not tell.
    pub held: Option<bool>,
    /// The measured value with its unit; none where there is none.
    pub observed: Option<String>,
    /// The window in milliseconds since the run's start; none where it never opened.
    pub window_ms: Option<(u64, u64)>,
    /// How many values the window holds.
    pub sample_count: u64,
    /// When the term first held, for `within`; milliseconds since the run's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_ms: Option<u64>,
    /// The smallest, 50th percentile, 99th percentile and largest value of the window, with units, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<[String; 4]>,
    /// Why the data does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}
