//! People: steps with timers, marks, notes, pause and resume.

use super::{Attendance, Core, Effect, Position};
use crate::event::{AbortCause, Command, CommandAnswer, EventKind, StepOutcome};
use crate::plan::PhasePlan;
use crate::unit::{StepId, elapsed_ms, nearest};
use crate::verdict::Judge;

/// The longest text that a person may write down in one note, in bytes.
const NOTE_BYTES_MAX: usize = 8 * 1024;
/// The longest name of a mark, in bytes.
const MARK_BYTES_MAX: usize = 64;

impl Core {
    pub(super) fn open_steps(&self, phase: &PhasePlan, now_ms: u64, effects: &mut Vec<Effect>) {
        for step in &phase.checklist {
            effects.push(Effect::Record(EventKind::StepOpened {
                step: step.step.clone(),
                text: step.text.clone(),
                owner: step.owner.clone(),
                due_ms: step.within.map(|within| now_ms + elapsed_ms(within.0)),
                must: step.must,
                playbook: step.playbook.clone(),
            }));
            if self.attendance == Attendance::Rehearsed && (step.must || !step.poll.is_empty()) {
                let outcome = StepOutcome::Rehearsed;
                effects.push(Effect::Record(EventKind::StepClosed { step: step.step.clone(), outcome, by: None }));
            }
        }
    }

    pub(super) fn mark_overdue(&self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let is_late = |due_ms: Option<u64>| due_ms.is_some_and(|due| due <= judge.now_ms);
        for step in &judge.recording.state().steps {
            if step.outcome.is_none() && !step.overdue && is_late(step.due_ms) {
                effects.push(Effect::Record(EventKind::StepOverdue { step: step.step.clone() }));
            }
        }
    }

    pub(super) fn command(&mut self, command: Command, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let answer = match self.obey(command, judge, effects) {
            Ok(()) => CommandAnswer::Taken,
            Err(why) => CommandAnswer::Refused { why },
        };
        effects.push(Effect::Answer(answer));
    }

    fn obey(&mut self, command: Command, judge: &Judge<'_>, effects: &mut Vec<Effect>) -> Result<(), String> {
        match command {
            Command::Ack { by } => effects.push(Effect::Record(EventKind::Acknowledged { by })),
            Command::Mark { name, fault, by } => {
                if name.is_empty() || name.len() > MARK_BYTES_MAX {
                    return Err(format!("a mark's name has 1 to {MARK_BYTES_MAX} characters"));
                }
                if let Some(fault) = fault.as_ref().filter(|fault| !self.plan.changes.contains_key(*fault)) {
                    return Err(unknown("fault", fault.as_str(), self.plan.changes.keys().map(|id| id.as_str())));
                }
                effects.push(Effect::Record(EventKind::Marked { name, fault, by }));
            }
            Command::Note { text, by } => {
                if text.trim().is_empty() {
                    return Err("the note is empty".to_owned());
                }
                if text.len() > NOTE_BYTES_MAX {
                    return Err(format!("the note is longer than {NOTE_BYTES_MAX} bytes"));
                }
                effects.push(Effect::Record(EventKind::Noted { text, by }));
            }
            Command::StepDone { step, by } => close(&step, StepOutcome::Done, by, judge, effects)?,
            Command::StepSkipped { step, why, by } => close(&step, StepOutcome::Skipped { why }, by, judge, effects)?,
            Command::Pause => self.pause(judge.now_ms, effects)?,
            Command::Resume => self.resume(judge.now_ms, effects)?,
            Command::Abort { why } => {
                if self.is_aborted || matches!(self.position, Position::Stopping | Position::Finished) {
                    return Err("the run is ending already".to_owned());
                }
                self.abort(AbortCause::Person { why }, effects);
            }
        }
        Ok(())
    }

    fn pause(&mut self, now_ms: u64, effects: &mut Vec<Effect>) -> Result<(), String> {
        match (self.position, self.paused_since_ms) {
            (Position::Phase { .. }, None) => {
                self.paused_since_ms = Some(now_ms);
                effects.push(Effect::Record(EventKind::RunPaused));
                Ok(())
            }
            (_, Some(_)) => Err("the run is paused already".to_owned()),
            (_, None) => Err("only a run that is in a phase can be paused".to_owned()),
        }
    }

    fn resume(&mut self, now_ms: u64, effects: &mut Vec<Effect>) -> Result<(), String> {
        let Some(since_ms) = self.paused_since_ms.take() else { return Err("the run is not paused".to_owned()) };
        if let Position::Phase { index, start_ms } = self.position {
            // The timeline stood still: the phase began that much later.
            self.position = Position::Phase { index, start_ms: start_ms + now_ms.saturating_sub(since_ms) };
        }
        effects.push(Effect::Record(EventKind::RunResumed));
        Ok(())
    }
}

fn close(
    step: &StepId,
    outcome: StepOutcome,
    by: Option<String>,
    judge: &Judge<'_>,
    effects: &mut Vec<Effect>,
) -> Result<(), String> {
    let state = judge.recording.state();
    if state.open_step(step).is_some() {
        effects.push(Effect::Record(EventKind::StepClosed { step: step.clone(), outcome, by }));
        return Ok(());
    }
    if state.steps.iter().any(|progress| progress.step == *step) {
        return Err(format!("step `{step}` is closed already"));
    }
    let open = state.steps.iter().filter(|progress| progress.outcome.is_none());
    Err(unknown("open step", step.as_str(), open.map(|progress| progress.step.as_str())))
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {what} `{name}`; there is none at present"),
        None => format!("there is no {what} `{name}`; there is {}", known.join(", ")),
    }
}
