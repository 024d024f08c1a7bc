//! People: steps with timers, marks, notes, pause and resume.

use super::{Attendance, Core, Effect, Position};
use crate::event::{AbortCause, Command, CommandAnswer, EventKind, StepOutcome};
use crate::plan::{GuardrailRule, PhasePlan, Plan};
use crate::scenario::expect::Condition;
use crate::unit::{StepId, elapsed_ms, nearest};
use crate::verdict::Judge;

/// The longest text that a person may write down in one note, in bytes.
const NOTE_BYTES_MAX: usize = 8 * 1024;
/// The longest name of a mark, in bytes.
const MARK_BYTES_MAX: usize = 64;
/// The longest name of a person in a command, in bytes.
const NAME_BYTES_MAX: usize = 256;

impl Core {
    /// Opens a phase's steps. One that is still open from an earlier phase is left behind: its id can be open but once.
    pub(super) fn open_steps(&self, phase: &PhasePlan, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        for step in &phase.checklist {
            if judge.recording.state().open_step(&step.step).is_some() {
                let (step, outcome) = (step.step.clone(), StepOutcome::LeftOpen);
                effects.push(Effect::Record(EventKind::StepClosed { step, outcome, by: None }));
            }
            effects.push(Effect::Record(EventKind::StepOpened {
                step: step.step.clone(),
                text: step.text.clone(),
                owner: step.owner.clone(),
                due_ms: step.within.map(|within| judge.now_ms + elapsed_ms(within.0)),
                must: step.must,
                playbook: step.playbook.clone(),
            }));
            if self.attendance == Attendance::Rehearsed && (step.must || !step.poll.is_empty()) {
                let outcome = StepOutcome::Rehearsed;
                effects.push(Effect::Record(EventKind::StepClosed { step: step.step.clone(), outcome, by: None }));
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
        check_lengths(&command)?;
        match command {
            Command::Ack { by } => effects.push(Effect::Record(EventKind::Acknowledged { by })),
            Command::Mark { name, fault, by } => {
                check_mark(&name, &self.plan)?;
                if let Some(fault) = fault.as_ref().filter(|fault| !self.plan.changes.contains_key(*fault)) {
                    return Err(unknown("fault", fault.as_str(), self.plan.changes.keys().map(|id| id.as_str())));
                }
                effects.push(Effect::Record(EventKind::Marked { name, fault, by }));
            }
            Command::Note { text, by } => {
                if text.trim().is_empty() {
                    return Err("the note is empty".to_owned());
                }
                effects.push(Effect::Record(EventKind::Noted { text, by }));
            }
            Command::StepDone { step, by } => close(&step, StepOutcome::Done, by, judge, effects)?,
            Command::StepSkipped { step, why, by } => close(&step, StepOutcome::Skipped { why }, by, judge, effects)?,
            Command::SteerLoad { load, how, by } => self.steer_load(load, (how, by), judge, effects)?,
            Command::Pause => self.pause(judge.now_ms, effects)?,
            Command::Resume => self.resume(judge.now_ms, effects)?,
            Command::Abort { why } => {
                if self.is_aborted || matches!(self.position, Position::Stopping | Position::Finished) {
                    return Err("the run is ending already".to_owned());
                }
                self.abort(AbortCause::Person { why }, judge.now_ms, effects);
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
        if let Position::Phase { paused_ms, .. } = &mut self.position {
            *paused_ms += now_ms.saturating_sub(since_ms);
        }
        effects.push(Effect::Record(EventKind::RunResumed));
        Ok(())
    }
}

/// The marks that a report measures by.
const MARKS: [&str; 4] = ["detected", "identified", "mitigated", "recovered"];

/// A mark has a name that an expectation could ask for. One that is nearly another one is a slip of the hand, and would be
/// missed by whatever asks for that one.
fn check_mark(name: &str, plan: &Plan) -> Result<(), String> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > MARK_BYTES_MAX || !name.chars().all(is_word) {
        return Err(format!("a mark's name has 1 to {MARK_BYTES_MAX} letters, digits, `-`, `_` and `.`"));
    }
    let rules = plan.guardrails.iter().filter_map(|guardrail| match &guardrail.rule {
        GuardrailRule::AbortIf(expectation) => Some(expectation),
        GuardrailRule::MaxDuration(_) | GuardrailRule::MaxTargets(_) | GuardrailRule::MaxFailedRequests(_) => None,
    });
    let asked = plan.hypotheses.iter().map(|hypothesis| &hypothesis.expect);
    let asked = asked.chain(rules).chain(plan.changes.values().filter_map(|change| change.effect_if.as_ref()));
    let asked = asked.chain(plan.phases.iter().filter_map(|phase| phase.until.as_ref()));
    let asked = asked.chain(plan.steps.iter().filter_map(|step| step.unless.as_ref()));
    let asked = asked.flat_map(|expectation| &expectation.terms).filter_map(|term| match &term.condition {
        Condition::Mark(mark) => Some(mark.as_str()),
        Condition::Compare { .. } | Condition::Alarm { .. } => None,
    });
    let known: Vec<&str> = MARKS.into_iter().chain(asked).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) if !known.contains(&name) => {
            Err(format!("nothing asks for the mark `{name}`; did you mean `{near}`? (`gameday note` takes any text)"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Texts of people go into events, which have a longest line.
fn check_lengths(command: &Command) -> Result<(), String> {
    let (text, by) = match command {
        Command::Ack { by }
        | Command::Mark { by, .. }
        | Command::StepDone { by, .. }
        | Command::SteerLoad { by, .. } => (None, by.as_ref()),
        Command::Note { text, by } => (Some(text), by.as_ref()),
        Command::StepSkipped { why, by, .. } => (why.as_ref(), by.as_ref()),
        Command::Abort { why } => (why.as_ref(), None),
        Command::Pause | Command::Resume => (None, None),
    };
    if text.is_some_and(|text| text.len() > NOTE_BYTES_MAX) {
        return Err(format!("the text is longer than {NOTE_BYTES_MAX} bytes"));
    }
    if by.is_some_and(|by| by.len() > NAME_BYTES_MAX) {
        return Err(format!("the name is longer than {NAME_BYTES_MAX} bytes"));
    }
    Ok(())
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

pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {what} `{name}`; there is none at present"),
        None => format!("there is no {what} `{name}`; there is {}", known.join(", ")),
    }
}
