//! What whoever has the participants' link may ask, and what they are told when the run does not want it: nothing that their own board does
//! not show them.

use axum::http::StatusCode;

use super::refusal::Refusal;
use crate::event::{Command, MARKS, StepProgress};
use crate::ui::board::Board;
use crate::unit::{PersonId, StepId};

/// What stands for every refusal that could name what is hidden.
pub(super) const NOT_NOW: &str = "that can not be done now: ask the facilitator";

/// What the participants' board shows at the moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    is_open: bool,
    /// The steps that are open.
    steps: Vec<StepProgress>,
}

impl Shown {
    pub(super) fn of(board: &Board) -> Self {
        let steps = board.state().steps.iter().filter(|step| step.is_open());
        Self { is_open: board.is_open(), steps: steps.cloned().collect() }
    }

    fn step(&self, step: &StepId) -> Option<&StepProgress> {
        self.steps.iter().find(|shown| shown.step == *step)
    }

    /// Checks that somebody in `role` may ask for this.
    pub(super) fn check(&self, command: &Command, role: Option<&PersonId>) -> Result<(), Refusal> {
        let forbidden = |why: &str| Err(Refusal::new(StatusCode::FORBIDDEN, why));
        if !command.is_for_participants() {
            return forbidden("only the facilitator may do this");
        }
        // What is said of a fault that does not exist would name those that do.
        if matches!(command, Command::Mark { fault: Some(_), .. }) {
            return forbidden("only the facilitator may name a fault");
        }
        if matches!(command, Command::Vote { role: theirs, .. } if role != Some(theirs)) {
            return forbidden("only whoever has this role speaks for it: choose it where you say your name");
        }
        if let Command::StepSkipped { step, .. } = command
            && self.step(step).is_some_and(|step| !step.asks.poll.is_empty())
        {
            return forbidden("only the facilitator may pass over a go/no-go");
        }
        if matches!(command, Command::Join { role: theirs, .. } if role != Some(theirs)) {
            return forbidden("choose your role where you say your name");
        }
        if self.is_open || self.shows(command) { Ok(()) } else { Err(not_now()) }
    }

    /// Whether what a command speaks of is on the board, or is on none.
    fn shows(&self, command: &Command) -> bool {
        match command {
            // When it is taken no more, the first fault is in.
            Command::Predict { .. } => false,
            Command::StepDone { step, .. } | Command::StepSkipped { step, .. } | Command::Vote { step, .. } => {
                self.step(step).is_some()
            }
            // A name that is nearly one that the scenario asks for would be told that one.
            Command::Mark { name, .. } => MARKS.contains(&name.as_str()) || name == "acknowledged",
            Command::Ack { .. }
            | Command::Note { .. }
            | Command::Join { .. }
            | Command::BlockStarted { .. }
            | Command::BlockEnded { .. }
            | Command::Abort { .. } => true,
            Command::Inject { .. }
            | Command::Hint { .. }
            | Command::Reveal { .. }
            | Command::SteerLoad { .. }
            | Command::Pause { .. }
            | Command::Resume { .. } => false,
        }
    }

    /// What is said where the run refuses `command` because of `why`.
    pub(super) fn told(&self, command: &Command, why: String) -> String {
        if self.is_open { why } else { self.reason(command).unwrap_or_else(|| NOT_NOW.to_owned()) }
    }

    /// Why the board says that a command is not taken.
    fn reason(&self, command: &Command) -> Option<String> {
        if let Command::Mark { component: Some(_), .. } = command {
            return Some("that is not taken: ask the facilitator what the component is called here".to_owned());
        }
        let Command::StepDone { step, evidence, .. } = command else { return None };
        let shown = self.step(step)?;
        let needed = shown.asks.needs.as_ref();
        if let Some(role) = needed.filter(|role| !shown.vote_of(role).is_some_and(|vote| vote.go)) {
            return Some(format!("step `{step}` needs `{role}` to agree first"));
        }
        let kind = shown.asks.evidence?;
        match evidence {
            Some(evidence) => kind.check(evidence).err(),
            None => Some(format!("step `{step}` asks for {} as evidence", kind.in_words())),
        }
    }
}

fn not_now() -> Refusal {
    Refusal::new(StatusCode::CONFLICT, NOT_NOW)
}
