//! What people say to a living run: taken and written down, or refused with what to do.

use super::{Core, Effect, Position};
use crate::event::{AbortCause, Command, CommandAnswer, EventKind, PROGRAM, Prediction, StepOutcome, StepProgress};
use crate::plan::{GuardrailRule, HintPlan, Plan};
use crate::scenario::Mode;
use crate::scenario::expect::Condition;
use crate::unit::{
    Anchor, ComponentId, FaultId, HintId, HypothesisId, InjectId, MARKS, PersonId, StepId, mark_name, nearest,
};
use crate::verdict::Judge;

/// The longest text that a person may write down in one note, in bytes.
const NOTE_BYTES_MAX: usize = 8 * 1024;
/// The longest name of a playbook's command, in bytes.
const WORD_BYTES_MAX: usize = 64;
/// The longest name of a person in a command, in bytes.
const NAME_BYTES_MAX: usize = 256;
/// How much people may say in a run, in bytes: all texts, and [`ENTRY_BYTES`] for each note and mark.
const SAID_BYTES_MAX: usize = 8 << 20;
/// How much one of them may say.
const SAID_EACH_BYTES_MAX: usize = 1 << 20;
/// What a note or a mark counts besides its text.
const ENTRY_BYTES: usize = 128;
/// How many predictions one person may make in a run.
const PREDICTIONS_EACH_MAX: usize = 100;
/// How many predictions a run takes: each is a file.
const PREDICTIONS_MAX: usize = 1_000;

/// The mark that is an event of its own.
const ACKNOWLEDGED: &str = "acknowledged";

type Taken = Result<(), String>;

impl Core {
    pub(super) fn command(&mut self, command: Command, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let answer = match self.obey(command, judge, effects) {
            Ok(()) => CommandAnswer::Taken,
            Err(why) => CommandAnswer::Refused { why },
        };
        effects.push(Effect::Answer(answer));
    }

    fn obey(&mut self, command: Command, judge: &Judge<'_>, effects: &mut Vec<Effect>) -> Taken {
        check_lengths(&command)?;
        let said = self.check_budget(&command)?;
        let by = command.author().map(str::to_owned);
        self.carry_out_command(command, judge, effects)?;
        self.charge(by, said);
        Ok(())
    }

    fn carry_out_command(&mut self, command: Command, judge: &Judge<'_>, effects: &mut Vec<Effect>) -> Taken {
        let mut record = |kind| effects.push(Effect::Record(kind));
        match command {
            Command::Ack { by } => record(EventKind::Acknowledged { by }),
            Command::Mark { name, fault, component, text, by } => {
                record(self.mark(name, (fault, component, text), by)?);
            }
            Command::Note { text, by } => {
                if text.trim().is_empty() {
                    return Err("the note is empty".to_owned());
                }
                record(EventKind::Noted { text, by });
            }
            Command::StepDone { step, evidence, by } => record(done(&step, evidence, by, judge)?),
            Command::StepSkipped { step, why, by } => record(skipped(&step, why, by, judge)?),
            Command::Vote { step, role, go, why, by } => record(vote((&step, role), go, why, by, judge)?),
            Command::Join { role, by } => {
                self.check_role(&role)?;
                record(EventKind::Joined { role, by });
            }
            Command::Predict { hypothesis, holds, note, by } => {
                self.check_prediction(&hypothesis, by.as_ref(), judge)?;
                effects.push(Effect::Seal(Prediction { hypothesis, holds, note, by }));
            }
            Command::Inject { inject, by } => record(self.inject_by_hand(inject, by, judge)?),
            Command::Hint { hint, by } => record(self.hint(hint, by, judge)?),
            Command::Reveal { fault, by } => self.reveal(fault, by, judge, effects)?,
            Command::BlockStarted { playbook, block, readonly, by } => {
                check_word(&block)?;
                record(EventKind::BlockStarted { playbook, block, readonly, by });
            }
            Command::BlockEnded { playbook, block, ok, why, by } => {
                check_word(&block)?;
                record(EventKind::BlockEnded { playbook, block, ok, why, by });
            }
            Command::SteerLoad { load, how, by } => self.steer_load(load, (how, by), judge, effects)?,
            Command::Pause { by } => self.pause(by, judge.now_ms, effects)?,
            Command::Resume { by } => self.resume(by, judge.now_ms, effects)?,
            Command::Abort { why, by } => {
                if self.is_aborted || matches!(self.position, Position::Stopping | Position::Finished) {
                    return Err("the run is ending already".to_owned());
                }
                self.abort(AbortCause::Person { why, by }, judge.now_ms, effects);
            }
        }
        Ok(())
    }

    /// How much a command says that is kept by whoever looks on, as long as the run lasts: notes, marks, and texts that go with anything
    /// else. What steers the run is taken without a text at any time, and an abort with one.
    fn check_budget(&self, command: &Command) -> Result<usize, String> {
        let entry = if matches!(command, Command::Note { .. } | Command::Mark { .. }) { ENTRY_BYTES } else { 0 };
        let said = entry + command.text().map_or(0, str::len);
        if said == 0 || matches!(command, Command::Abort { .. }) {
            return Ok(0);
        }
        let own = self.said_by.get(&command.author().map(str::to_owned)).copied().unwrap_or_default();
        if own + said > SAID_EACH_BYTES_MAX || self.said_bytes + said > SAID_BYTES_MAX {
            let max = if own + said > SAID_EACH_BYTES_MAX { "you have said" } else { "all have said" };
            return Err(format!("{max} as much as a run takes; what needs no text is taken without one"));
        }
        Ok(said)
    }

    fn charge(&mut self, by: Option<String>, said: usize) {
        self.said_bytes += said;
        if said > 0 {
            *self.said_by.entry(by).or_default() += said;
        }
    }

    /// A mark, under the name that the report measures by.
    fn mark(
        &self,
        name: String,
        (fault, component, text): (Option<FaultId>, Option<ComponentId>, Option<String>),
        by: Option<String>,
    ) -> Result<EventKind, String> {
        if name == ACKNOWLEDGED {
            return Ok(EventKind::Acknowledged { by });
        }
        let name = mark_name(&name).map_err(|error| format!("{}: {}", error.problem, error.remedy))?;
        check_mark(&name, &self.plan)?;
        if let Some(fault) = fault.as_ref().filter(|fault| !self.plan.changes.contains_key(*fault)) {
            return Err(unknown("fault", fault.as_str(), self.plan.changes.keys().map(|id| id.as_str())));
        }
        let known = &self.plan.components;
        if let Some(component) = component.as_ref().filter(|it| !known.is_empty() && !known.contains_key(*it)) {
            return Err(unknown("component", component.as_str(), known.keys().map(ComponentId::as_str)));
        }
        Ok(EventKind::Marked { name, fault, by, component, text })
    }

    fn check_role(&self, role: &PersonId) -> Taken {
        let people = &self.plan.scenario.people;
        match people.contains_key(role) {
            true => Ok(()),
            false => Err(unknown("role", role.as_str(), people.keys().map(PersonId::as_str))),
        }
    }

    /// A prediction is worth something only before there is anything to see.
    fn check_prediction(&self, hypothesis: &HypothesisId, by: Option<&String>, judge: &Judge<'_>) -> Taken {
        let hypotheses = &self.plan.hypotheses;
        if hypotheses.iter().all(|it| it.id != *hypothesis) {
            return Err(unknown("hypothesis", hypothesis.as_str(), hypotheses.iter().map(|it| it.id.as_str())));
        }
        self.check_playing()?;
        let state = judge.recording.state();
        if judge.recording.first_injection_ms().is_some() || !state.people.cards.is_empty() {
            return Err("predictions are made before the first fault".to_owned());
        }
        if self.plan.changes.is_empty() && !state.loads.is_empty() {
            return Err("predictions are made before the first load where no fault is planned".to_owned());
        }
        if state.people.predictions.len() >= PREDICTIONS_MAX {
            return Err(format!("a run takes {PREDICTIONS_MAX} predictions"));
        }
        if state.people.predictions.iter().filter(|it| it.by.as_ref() == by).count() >= PREDICTIONS_EACH_MAX {
            return Err(format!("one person makes {PREDICTIONS_EACH_MAX} predictions in a run"));
        }
        Ok(())
    }

    /// What belongs to the drill itself comes while it is played.
    fn check_playing(&self) -> Taken {
        match self.position {
            Position::Waiting | Position::Routing | Position::Phase { .. } => Ok(()),
            Position::Recovering | Position::Settling { .. } | Position::Stopping | Position::Finished => {
                Err("the timeline is over".to_owned())
            }
        }
    }

    fn inject_by_hand(&self, inject: InjectId, by: Option<String>, judge: &Judge<'_>) -> Result<EventKind, String> {
        self.check_playing()?;
        let Some(spec) = self.plan.injects.get(&inject) else {
            return Err(unknown("inject", inject.as_str(), self.plan.injects.keys().map(InjectId::as_str)));
        };
        if judge.recording.state().people.injects.iter().any(|it| it.inject == inject) {
            return Err(format!("inject `{inject}` was delivered already"));
        }
        Ok(EventKind::InjectDelivered { inject, to: spec.to.clone(), text: spec.text.clone(), by })
    }

    /// The hint that was asked for, or the first that was not given.
    fn hint(&self, asked: Option<HintId>, by: Option<String>, judge: &Judge<'_>) -> Result<EventKind, String> {
        self.check_playing()?;
        let given = &judge.recording.state().people.hints;
        let is_given = |hint: &HintPlan| given.iter().any(|it| it.hint == hint.id);
        let hints = &self.plan.hints;
        let found = match &asked {
            Some(id) => hints.iter().find(|hint| hint.id == *id),
            None => hints.iter().find(|hint| !is_given(hint)),
        };
        match (found, asked) {
            (Some(hint), Some(_)) if is_given(hint) => Err(format!("hint `{}` was given already", hint.id)),
            (Some(HintPlan { id, hypothesis, text }), _) => {
                let (hint, hypothesis, text) = (id.clone(), hypothesis.clone(), text.clone());
                Ok(EventKind::HintGiven { hint, hypothesis, text, by })
            }
            (None, Some(id)) => Err(unknown("hint", id.as_str(), hints.iter().map(|hint| hint.id.as_str()))),
            (None, None) if hints.is_empty() => Err("the scenario has no hints".to_owned()),
            (None, None) => Err("every hint was given already".to_owned()),
        }
    }

    /// Shows blind participants what is hidden; at the table, a fault's card is dealt before its time.
    fn reveal(
        &self,
        fault: Option<FaultId>,
        by: Option<String>,
        judge: &Judge<'_>,
        effects: &mut Vec<Effect>,
    ) -> Taken {
        let people = &judge.recording.state().people;
        let Some(fault) = fault else {
            if people.revealed_ms.is_some() {
                return Err("everything is revealed already".to_owned());
            }
            effects.push(Effect::Record(EventKind::Revealed { fault: None, by }));
            return Ok(());
        };
        let Some(change) = self.plan.changes.get(&fault) else {
            return Err(unknown("fault", fault.as_str(), self.plan.changes.keys().map(|id| id.as_str())));
        };
        if self.plan.scenario.mode == Mode::Tabletop {
            self.check_playing()?;
            if people.card(&fault).is_some() {
                return Err(format!("the card of `{fault}` is on the table already"));
            }
            let (target, text) = (change.target.clone(), change.card().to_owned());
            effects.push(Effect::Record(EventKind::CardDealt { fault, target, text, by }));
            return Ok(());
        }
        if people.is_revealed(&fault) {
            return Err(format!("fault `{fault}` is revealed already"));
        }
        effects.push(Effect::Record(EventKind::Revealed { fault: Some(fault), by }));
        Ok(())
    }

    fn pause(&mut self, by: Option<String>, now_ms: u64, effects: &mut Vec<Effect>) -> Taken {
        match (self.position, self.paused_since_ms) {
            (Position::Phase { .. }, None) => {
                self.paused_since_ms = Some(now_ms);
                effects.push(Effect::Record(EventKind::RunPaused { by }));
                Ok(())
            }
            (_, Some(_)) => Err("the run is paused already".to_owned()),
            (_, None) => Err("only a run that is in a phase can be paused".to_owned()),
        }
    }

    fn resume(&mut self, by: Option<String>, now_ms: u64, effects: &mut Vec<Effect>) -> Taken {
        let Some(since_ms) = self.paused_since_ms.take() else { return Err("the run is not paused".to_owned()) };
        let paused_for_ms = now_ms.saturating_sub(since_ms);
        if let Position::Phase { paused_ms, .. } = &mut self.position {
            *paused_ms += paused_for_ms;
        }
        if let Some(held_since_ms) = &mut self.held_since_ms {
            *held_since_ms += paused_for_ms;
        }
        effects.push(Effect::Record(EventKind::RunResumed { by }));
        Ok(())
    }
}

/// A mark has a name that an expectation could ask for. One that is nearly another one is a slip of the hand, and would be
/// missed by whatever asks for that one.
fn check_mark(name: &str, plan: &Plan) -> Taken {
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
    let steps = plan.phases.iter().flat_map(|phase| &phase.checklist);
    let timed = steps.filter_map(|step| match step.within.as_ref()?.after.as_ref()? {
        Anchor::Mark(mark) => Some(mark.as_str()),
        Anchor::Ack | Anchor::Fault(_) | Anchor::Inject(_) | Anchor::Step(_) | Anchor::Alarm(_) => None,
    });
    let known: Vec<&str> = MARKS.into_iter().chain(asked).chain(timed).collect();
    match nearest(name, known.iter().copied()) {
        Some(near) if !known.contains(&name) => {
            Err(format!("nothing asks for the mark `{name}`; did you mean `{near}`? (`gameday note` takes any text)"))
        }
        Some(_) | None => Ok(()),
    }
}

/// What may be the name of a playbook's command.
fn check_word(name: &str) -> Taken {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > WORD_BYTES_MAX || !name.chars().all(is_word) {
        return Err(format!("a command's name has 1 to {WORD_BYTES_MAX} letters, digits, `-`, `_` and `.`"));
    }
    Ok(())
}

/// Texts of people go into events, which have a longest line.
fn check_lengths(command: &Command) -> Taken {
    if command.text().is_some_and(|text| text.len() > NOTE_BYTES_MAX) {
        return Err(format!("the text is longer than {NOTE_BYTES_MAX} bytes"));
    }
    if command.author().is_some_and(|by| by.len() > NAME_BYTES_MAX) {
        return Err(format!("the name is longer than {NAME_BYTES_MAX} bytes"));
    }
    if command.author().is_some_and(|by| by.trim().eq_ignore_ascii_case(PROGRAM)) {
        return Err(format!("`{PROGRAM}` is what the program itself signs with: say who you are, by `--by`"));
    }
    Ok(())
}

/// The open step of that id.
fn open<'a>(step: &StepId, judge: &Judge<'a>) -> Result<&'a StepProgress, String> {
    let state = judge.recording.state();
    if let Some(progress) = state.open_step(step) {
        return Ok(progress);
    }
    if state.steps.iter().any(|progress| progress.step == *step) {
        return Err(format!("step `{step}` is closed already"));
    }
    let open = state.steps.iter().filter(|progress| progress.is_open());
    Err(unknown("open step", step.as_str(), open.map(|progress| progress.step.as_str())))
}

fn done(step: &StepId, evidence: Option<String>, by: Option<String>, judge: &Judge<'_>) -> Result<EventKind, String> {
    let progress = open(step, judge)?;
    if !progress.asks.poll.is_empty() {
        return Err(format!("step `{step}` is a poll; each role says `gameday vote {step} go` or `no-go`"));
    }
    if let Some(role) = &progress.asks.needs
        && !progress.vote_of(role).is_some_and(|vote| vote.go)
    {
        return Err(format!("step `{step}` needs `{role}` to agree first: `gameday vote {step} go --role {role}`"));
    }
    if let Some(kind) = progress.asks.evidence {
        let Some(evidence) = &evidence else {
            return Err(format!("step `{step}` asks for {} as evidence", kind.in_words()));
        };
        kind.check(evidence)?;
    }
    Ok(EventKind::StepClosed { step: step.clone(), outcome: StepOutcome::Done, by, evidence })
}

fn skipped(step: &StepId, why: Option<String>, by: Option<String>, judge: &Judge<'_>) -> Result<EventKind, String> {
    let progress = open(step, judge)?;
    if why.as_ref().is_none_or(|why| why.trim().is_empty()) {
        return Err(format!("why is step `{step}` skipped? `gameday step skip {step} --why \"…\"`"));
    }
    let against = progress.asks.poll.iter().find(|role| progress.vote_of(role).is_some_and(|vote| !vote.go));
    if let Some(role) = against {
        return Err(format!("`{role}` said no-go to `{step}`: they change their vote, or the run is aborted"));
    }
    let outcome = StepOutcome::Skipped { why };
    Ok(EventKind::StepClosed { step: step.clone(), outcome, by, evidence: None })
}

fn vote(
    (step, role): (&StepId, PersonId),
    go: bool,
    why: Option<String>,
    by: Option<String>,
    judge: &Judge<'_>,
) -> Result<EventKind, String> {
    let progress = open(step, judge)?;
    let asked: Vec<&PersonId> = progress.asks.poll.iter().chain(&progress.asks.needs).collect();
    if asked.is_empty() {
        return Err(format!("nobody has to agree to step `{step}`; `gameday step done {step}` closes it"));
    }
    if !asked.contains(&&role) {
        let asked: Vec<&str> = asked.into_iter().map(PersonId::as_str).collect();
        return Err(format!("`{role}` is not asked about `{step}`, but {}", asked.join(", ")));
    }
    Ok(EventKind::Voted { step: step.clone(), role, go, why, by })
}

pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    match nearest(name, known.iter().copied()) {
        Some(near) => format!("there is no {what} `{name}`; did you mean `{near}`?"),
        None if known.is_empty() => format!("there is no {what} `{name}`; there is none at present"),
        None => format!("there is no {what} `{name}`; there is {}", known.join(", ")),
    }
}
