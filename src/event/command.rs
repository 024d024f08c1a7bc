//! What a person, or a program for them, can ask of a living run. It is the only way in.

use serde::{Deserialize, Serialize};

use super::LoadSteer;
use crate::unit::{ComponentId, FaultId, HintId, HypothesisId, InjectId, LoadId, PersonId, PlaybookId, StepId};

/// A request to a living run; what comes of it comes back as events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// A person acknowledges that something is wrong.
    Ack {
        /// Who.
        by: Option<String>,
    },
    /// A person marks a moment: one of [`crate::event::MARKS`], or a name of the scenario's own.
    Mark {
        /// The mark.
        name: String,
        /// The fault it belongs to; without it, the latest effective one.
        fault: Option<FaultId>,
        /// The component that it names; a `diagnosed` needs one to be held against the fault's.
        #[serde(default)]
        component: Option<ComponentId>,
        /// What else they say.
        #[serde(default)]
        text: Option<String>,
        /// Who.
        by: Option<String>,
    },
    /// A person writes something down.
    Note {
        /// The text.
        text: String,
        /// Who.
        by: Option<String>,
    },
    /// A person did a step of the checklist or the playbook.
    StepDone {
        /// The step.
        step: StepId,
        /// What they noted, where the step asks for evidence.
        #[serde(default)]
        evidence: Option<String>,
        /// Who.
        by: Option<String>,
    },
    /// A person will not do a step.
    StepSkipped {
        /// The step.
        step: StepId,
        /// Why.
        why: Option<String>,
        /// Who.
        by: Option<String>,
    },
    /// A role agrees to a step, or does not.
    Vote {
        /// The step: a poll, or one that needs the role.
        step: StepId,
        /// The role.
        role: PersonId,
        /// Whether it agrees.
        go: bool,
        /// Why.
        #[serde(default)]
        why: Option<String>,
        /// Who speaks for the role.
        by: Option<String>,
    },
    /// A person takes part in a role.
    Join {
        /// The role.
        role: PersonId,
        /// Who.
        by: Option<String>,
    },
    /// A person says in private what they expect of a hypothesis, before the first fault.
    Predict {
        /// The hypothesis.
        hypothesis: HypothesisId,
        /// Whether they expect it to hold.
        holds: bool,
        /// What else they say.
        #[serde(default)]
        note: Option<String>,
        /// Who.
        by: Option<String>,
    },
    /// The facilitator delivers a message now.
    Inject {
        /// Which.
        inject: InjectId,
        /// Who.
        by: Option<String>,
    },
    /// The facilitator gives a hint.
    Hint {
        /// Which; none is the next one.
        hint: Option<HintId>,
        /// Who.
        by: Option<String>,
    },
    /// The facilitator shows what is hidden from blind participants, or deals a card at the table.
    Reveal {
        /// Only this fault; none is everything.
        fault: Option<FaultId>,
        /// Who.
        by: Option<String>,
    },
    /// A person is about to run a command of a playbook.
    BlockStarted {
        /// The playbook.
        playbook: PlaybookId,
        /// The command's name.
        block: String,
        /// Whether it changes nothing, as the playbook says.
        readonly: bool,
        /// Who.
        by: Option<String>,
    },
    /// A command of a playbook is over.
    BlockEnded {
        /// The playbook.
        playbook: PlaybookId,
        /// The command's name.
        block: String,
        /// Whether it ended well and as the playbook expects.
        ok: bool,
        /// What went wrong.
        why: Option<String>,
        /// Who.
        by: Option<String>,
    },
    /// A load goes on in another way.
    SteerLoad {
        /// Which; none where only one runs.
        load: Option<LoadId>,
        /// How.
        how: LoadSteer,
        /// Who.
        by: Option<String>,
    },
    /// The timeline stands still; guardrails do not.
    Pause {
        /// Who.
        by: Option<String>,
    },
    /// The timeline goes on.
    Resume {
        /// Who.
        by: Option<String>,
    },
    /// The run ends now: everything is undone.
    Abort {
        /// Why.
        why: Option<String>,
        /// Who.
        by: Option<String>,
    },
}

impl Command {
    /// Whether whoever takes part may send it. All else is the facilitator's. Anybody may abort: a drill that only one person can
    /// stop is not safe.
    #[must_use]
    pub fn is_for_participants(&self) -> bool {
        match self {
            Self::Ack { .. }
            | Self::Mark { .. }
            | Self::Note { .. }
            | Self::StepDone { .. }
            | Self::StepSkipped { .. }
            | Self::Vote { .. }
            | Self::Join { .. }
            | Self::Predict { .. }
            | Self::BlockStarted { .. }
            | Self::BlockEnded { .. }
            | Self::Abort { .. } => true,
            Self::Inject { .. }
            | Self::Hint { .. }
            | Self::Reveal { .. }
            | Self::SteerLoad { .. }
            | Self::Pause { .. }
            | Self::Resume { .. } => false,
        }
    }

    /// Who sends it.
    #[must_use]
    pub fn author(&self) -> Option<&str> {
        self.parts().author.as_deref()
    }

    /// Puts down who sends it.
    pub fn set_author(&mut self, name: Option<String>) {
        let by = match self {
            Self::Ack { by }
            | Self::Mark { by, .. }
            | Self::Note { by, .. }
            | Self::StepDone { by, .. }
            | Self::StepSkipped { by, .. }
            | Self::Vote { by, .. }
            | Self::Join { by, .. }
            | Self::Predict { by, .. }
            | Self::Inject { by, .. }
            | Self::Hint { by, .. }
            | Self::Reveal { by, .. }
            | Self::BlockStarted { by, .. }
            | Self::BlockEnded { by, .. }
            | Self::SteerLoad { by, .. }
            | Self::Pause { by }
            | Self::Resume { by }
            | Self::Abort { by, .. } => by,
        };
        *by = name;
    }

    /// What a person wrote, if anything: it goes into an event, which has a longest line.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.parts().text
    }

    fn parts(&self) -> Parts<'_> {
        let (author, text) = match self {
            Self::Mark { by, text, .. } => (by, text.as_deref()),
            Self::Note { by, text } => (by, Some(text.as_str())),
            Self::StepDone { by, evidence, .. } => (by, evidence.as_deref()),
            Self::StepSkipped { by, why, .. }
            | Self::Vote { by, why, .. }
            | Self::Abort { by, why }
            | Self::BlockEnded { by, why, .. } => (by, why.as_deref()),
            Self::Predict { by, note, .. } => (by, note.as_deref()),
            Self::Ack { by }
            | Self::Join { by, .. }
            | Self::Inject { by, .. }
            | Self::Hint { by, .. }
            | Self::Reveal { by, .. }
            | Self::BlockStarted { by, .. }
            | Self::SteerLoad { by, .. }
            | Self::Pause { by }
            | Self::Resume { by } => (by, None),
        };
        Parts { author, text }
    }
}

/// What all commands have, in one place.
struct Parts<'a> {
    author: &'a Option<String>,
    text: Option<&'a str>,
}

/// What a run says to a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum CommandAnswer {
    /// It was taken, and is in the log.
    Taken,
    /// It was not, and why; nothing changed.
    Refused {
        /// A lowercase fragment with the remedy.
        why: String,
    },
}
