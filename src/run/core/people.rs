//! People's steps: opened with their phase, timed from what happens, decided by votes, overdue.

use super::{Attendance, Core, Effect};
use crate::event::{EventKind, StepAsks, StepOutcome, StepProgress};
use crate::plan::{PersonStep, PhasePlan};
use crate::scenario::Mode;
use crate::unit::{PersonId, elapsed_ms};
use crate::verdict::Judge;

impl Core {
    /// Opens a phase's steps. One that is still open from an earlier phase is left behind: its id can be open but once.
    pub(super) fn open_steps(&self, phase: &PhasePlan, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        for step in &phase.checklist {
            if judge.recording.state().open_step(&step.step).is_some() {
                effects.push(closed(step, StepOutcome::LeftOpen));
            }
            effects.push(Effect::Record(opened(step, judge.now_ms)));
            if self.attendance == Attendance::Rehearsed && (step.must || !step.poll.is_empty()) {
                effects.push(closed(step, StepOutcome::Rehearsed));
            }
        }
    }

    /// Whether people are waited for.
    pub(super) fn waits_for_people(&self) -> bool {
        let is_for_people = match self.plan.scenario.mode {
            Mode::Drill | Mode::Tabletop => true,
            Mode::Regression => false,
        };
        is_for_people && self.attendance == Attendance::Attended
    }

    /// Whether a phase waits for people: for a step that must be done, for a poll, and the first one for whoever is required.
    pub(super) fn is_held(&self, index: usize, phase: &PhasePlan, judge: &Judge<'_>) -> bool {
        let is_needed = |step: &&PersonStep| step.must || !step.poll.is_empty();
        let is_open = |step: &PersonStep| judge.recording.state().open_step(&step.step).is_some();
        self.waits_for_people()
            && (phase.checklist.iter().filter(is_needed).any(is_open)
                || (index == 0 && self.missing_people(judge).next().is_some()))
    }

    /// What is waited for before something is broken, in words.
    pub(super) fn waits_for(&self, phase: &PhasePlan, judge: &Judge<'_>) -> Vec<String> {
        let is_open = |step: &&PersonStep| judge.recording.state().open_step(&step.step).is_some();
        let polls = phase.checklist.iter().filter(|step| !step.poll.is_empty()).filter(is_open);
        let polls = polls.map(|step| format!("step {}", step.step));
        polls.chain(self.missing_people(judge).map(|role| format!("{role} to join"))).collect()
    }

    /// Whether nothing may be broken yet: while somebody is missing who is required, or a go/no-go of the phase is open.
    pub(super) fn may_not_inject_yet(&self, phase: &PhasePlan, judge: &Judge<'_>) -> bool {
        self.waits_for_people() && !self.waits_for(phase, judge).is_empty()
    }

    /// Closes polls in which every role has spoken; answers whether there was one. Where nobody is waited for, the first no-go decides.
    pub(super) fn decide_polls(&self, judge: &Judge<'_>, effects: &mut Vec<Effect>) -> bool {
        let mut is_decided = false;
        for step in judge.recording.state().steps.iter().filter(|step| step.is_open()) {
            let is_refused = || step.asks.poll.iter().filter_map(|role| step.vote_of(role)).any(|vote| !vote.go);
            let agrees = step.poll_agrees().or_else(|| (!self.waits_for_people() && is_refused()).then_some(false));
            let Some(agrees) = agrees else { continue };
            let outcome = if agrees { StepOutcome::Done } else { StepOutcome::NoGo };
            let (step, by, evidence) = (step.step.clone(), None, None);
            effects.push(Effect::Record(EventKind::StepClosed { step, outcome, by, evidence }));
            is_decided = true;
        }
        is_decided
    }

    /// The roles that the run waits for, and in which nobody has joined.
    fn missing_people<'a>(&'a self, judge: &'a Judge<'_>) -> impl Iterator<Item = &'a PersonId> {
        let joined = &judge.recording.state().people.joined;
        let required = self.plan.scenario.people.iter().filter(|(_, person)| person.required);
        required.map(|(role, _)| role).filter(|role| !joined.contains_key(*role))
    }
}

fn opened(step: &PersonStep, now_ms: u64) -> EventKind {
    let within = step.within.as_ref();
    let counted = within.filter(|within| within.after.is_none());
    EventKind::StepOpened {
        step: step.step.clone(),
        text: step.text.clone(),
        owner: step.owner.clone(),
        due_ms: counted.map(|within| now_ms + elapsed_ms(within.length.0)),
        must: step.must,
        playbook: step.playbook.clone(),
        asks: StepAsks {
            poll: step.poll.clone(),
            needs: step.needs.clone(),
            evidence: step.evidence,
            within: within.filter(|within| within.after.is_some()).cloned(),
        },
    }
}

fn closed(step: &PersonStep, outcome: StepOutcome) -> Effect {
    Effect::Record(EventKind::StepClosed { step: step.step.clone(), outcome, by: None, evidence: None })
}

/// Tells of steps that were not done in their time, whatever the run is at. While the timeline stands still, so do its timers.
pub(super) fn mark_overdue(judge: &Judge<'_>, effects: &mut Vec<Effect>) {
    let state = judge.recording.state();
    if state.paused_since_ms.is_some() {
        return;
    }
    let is_late = |due_ms: Option<u64>| due_ms.is_some_and(|due| due <= judge.now_ms);
    let late = state.steps.iter().filter(|step| step.is_open() && !step.overdue && is_late(step.due_ms));
    effects.extend(late.map(|step| Effect::Record(EventKind::StepOverdue { step: step.step.clone() })));
}

/// Starts the time of steps whose time is counted from what has happened by now: it began when the step was open and that had
/// happened.
pub(super) fn start_timers(judge: &Judge<'_>, effects: &mut Vec<Effect>) {
    let state = judge.recording.state();
    let begun = |step: &StepProgress| {
        let within = step.asks.within.as_ref()?;
        let from_ms = state.first_ms(within.after.as_ref()?)?.max(step.opened_ms);
        let due_ms = from_ms + elapsed_ms(within.length.0);
        Some(Effect::Record(EventKind::StepTimed { step: step.step.clone(), due_ms }))
    };
    effects.extend(state.steps.iter().filter(|step| step.is_open() && step.timed_ms.is_none()).filter_map(begun));
}
