//! Phases, what happens in them, and how the run waits for the system to be well again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::unit::{
    DurationText, FaultId, HypothesisId, InjectId, LoadId, PersonId, PhaseId, PlaybookId, StepId, Within,
};

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
    /// From the phase's start on, or from what it names (`5m after mark(detected)`); after this it is overdue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
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
