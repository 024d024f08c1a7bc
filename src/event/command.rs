//! What a person, or a program for them, can ask of a living run. It is the only way in.

use serde::{Deserialize, Serialize};

use super::LoadSteer;
use crate::unit::{FaultId, LoadId, StepId};

/// A request to a living run; what comes of it comes back as events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// A person acknowledges that something is wrong.
    Ack {
        /// Who.
        by: Option<String>,
    },
    /// A person marks a moment: `detected`, `identified`, `mitigated`, `recovered`, or a name of the scenario's own.
    Mark {
        /// The mark.
        name: String,
        /// The fault it belongs to; without it, the latest effective one.
        fault: Option<FaultId>,
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
    Pause,
    /// The timeline goes on.
    Resume,
    /// The run ends now: everything is undone.
    Abort {
        /// Why.
        why: Option<String>,
    },
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
