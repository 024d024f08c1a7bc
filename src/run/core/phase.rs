//! Walking the timeline: phases begin, their steps happen, their gates are judged, they end.

use std::sync::Arc;

use super::{Core, Effect, Position};
use crate::event::{EventKind, PeopleProgress, PhaseEnd, Verdict};
use crate::plan::{Action, HypothesisPlan, PhasePlan, Step};
use crate::unit::{FaultId, elapsed_ms};
use crate::verdict::{Judge, judge_gate};

impl Core {
    pub(super) fn begin_phase(&mut self, index: usize, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let plan = Arc::clone(&self.plan);
        let Some(phase) = plan.phases.get(index) else {
            self.begin_recovery(effects);
            return;
        };
        self.position = Position::Phase { index, start_ms: judge.now_ms, paused_ms: 0 };
        self.closing = None;
        self.held_since_ms = None;
        effects.push(Effect::Record(EventKind::PhaseStarted { phase: phase.phase.clone() }));
        self.open_steps(phase, judge, effects);
        self.carry_out_due(index, judge.now_ms, judge, effects);
    }

    pub(super) fn advance_phase(&mut self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let plan = Arc::clone(&self.plan);
        let Position::Phase { index, .. } = self.position else { return };
        let Some(phase) = plan.phases.get(index) else { return };
        if !self.may_not_inject_yet(phase, judge) && self.release(judge.now_ms) {
            effects.push(Effect::Record(EventKind::PhaseReleased { phase: phase.phase.clone() }));
        }
        let Position::Phase { start_ms, paused_ms, .. } = self.position else { return };
        self.carry_out_due(index, start_ms + paused_ms, judge, effects);
        let is_time_up = judge.now_ms >= start_ms + paused_ms + elapsed_ms(phase.length.0);
        let holds = |expectation| judge.holds_in_phase(expectation, start_ms) == Some(true);
        let is_over_early = || phase.until.as_ref().is_some_and(holds);
        let (why, end_ms) = if let Some(closing) = self.closing {
            closing
        } else if is_time_up {
            (PhaseEnd::TimeUp, judge.now_ms)
        } else if is_over_early() {
            (PhaseEnd::Until, judge.now_ms)
        } else {
            return;
        };
        if self.is_held(index, phase, judge) {
            return;
        }
        if self.closing.is_none() {
            self.closing = Some((why, end_ms));
            self.leave_out_rest(index, judge, effects);
        }
        if self.are_readings_known(self.gate(phase), end_ms, judge, effects) {
            self.end_phase(index, phase, why, (start_ms, end_ms), judge, effects);
        }
    }

    /// What waited for people goes on, and has the time that it was to have. Answers whether anything did.
    fn release(&mut self, now_ms: u64) -> bool {
        let Some(since_ms) = self.held_since_ms.take() else { return false };
        if let Position::Phase { paused_ms, .. } = &mut self.position {
            *paused_ms += now_ms.saturating_sub(since_ms);
        }
        true
    }

    pub(super) fn end_by_no_go(&mut self, effects: &mut Vec<Effect>) {
        if let Position::Phase { index, .. } = self.position
            && let Some(phase) = self.plan.phases.get(index)
        {
            let phase = phase.phase.clone();
            effects.push(Effect::Record(EventKind::PhaseEnded { phase, why: PhaseEnd::NoGo }));
        }
        self.begin_recovery(effects);
    }

    /// The hypotheses of a phase's gate.
    fn gate<'p>(&'p self, phase: &'p PhasePlan) -> impl Iterator<Item = &'p HypothesisPlan> {
        phase.gate.iter().filter_map(|id| self.plan.hypotheses.iter().find(|hypothesis| hypothesis.id == *id))
    }

    fn end_phase(
        &mut self,
        index: usize,
        phase: &PhasePlan,
        why: PhaseEnd,
        window: (u64, u64),
        judge: &Judge<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let is_open = phase.gate.is_empty() || self.judge_gate(phase, window, judge, effects);
        let why = if is_open { why } else { PhaseEnd::GateShut };
        effects.push(Effect::Record(EventKind::PhaseEnded { phase: phase.phase.clone(), why }));
        if is_open {
            self.begin_phase(index + 1, judge, effects);
        } else {
            self.begin_recovery(effects);
        }
    }

    /// A gate opens only when all its hypotheses are upheld: not knowing is not enough to break something.
    fn judge_gate(&self, phase: &PhasePlan, window: (u64, u64), judge: &Judge<'_>, effects: &mut Vec<Effect>) -> bool {
        let results: Vec<_> =
            self.gate(phase).map(|hypothesis| judge_gate(judge, &hypothesis.id, &hypothesis.expect, window)).collect();
        let open = results.iter().all(|result| result.verdict == Verdict::Upheld);
        effects.push(Effect::Record(EventKind::GateJudged { phase: phase.phase.clone(), open, results }));
        open
    }

    /// Carries out the steps of a phase whose time has come, in the plan's order.
    fn carry_out_due(&mut self, index: usize, start_ms: u64, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let plan = Arc::clone(&self.plan);
        let is_due = |step: &&Step| step.phase == index && start_ms + elapsed_ms(step.at.0) <= judge.now_ms;
        let waits = plan.phases.get(index).is_some_and(|phase| self.may_not_inject_yet(phase, judge));
        let breaks = |step: &Step| matches!(step.action, Action::InjectFault { .. } | Action::DealCard(_));
        while let Some(step) = plan.steps.get(self.next_step).filter(is_due) {
            if waits && breaks(step) {
                self.hold(index, judge, effects);
                self.end_in_spite(is_due, judge, effects);
                return;
            }
            let number = self.next_step;
            self.next_step += 1;
            if self.ended_early.remove(&number) {
                continue;
            }
            match step.unless.as_ref().filter(|unless| judge.holds_in_phase(unless, start_ms) == Some(true)) {
                Some(unless) => skip(&step.action, format!("its `unless` holds: {unless}"), effects),
                None => self.carry_out(&step.action, judge, effects),
            }
        }
    }

    /// Stops the phase's clock: something that breaks waits for people.
    fn hold(&mut self, index: usize, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        if self.held_since_ms.is_none()
            && let Some(phase) = self.plan.phases.get(index)
        {
            self.held_since_ms = Some(judge.now_ms);
            let (phase, waits_for) = (phase.phase.clone(), self.waits_for(phase, judge));
            effects.push(Effect::Record(EventKind::PhaseHeld { phase, waits_for }));
        }
    }

    /// Ends what is in and was to end by now, behind what waits: no fault lasts longer than it was meant to because somebody is late.
    fn end_in_spite(&mut self, is_due: impl Fn(&&Step) -> bool, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let plan = Arc::clone(&self.plan);
        for (number, step) in plan.steps.iter().enumerate().skip(self.next_step).take_while(|(_, step)| is_due(step)) {
            let is_over = match &step.action {
                Action::UndoFault(fault) => !self.ended_early.contains(&number) && self.changes.end(fault),
                Action::StopLoad(load) => !self.ended_early.contains(&number) && self.stop_load(load, effects),
                Action::TakeCard(fault) if judge.recording.state().people.card(fault).is_some() => {
                    effects.push(Effect::Record(EventKind::CardTaken { fault: fault.clone() }));
                    true
                }
                Action::TakeCard(_)
                | Action::InjectFault { .. }
                | Action::StartLoad(_)
                | Action::DealCard(_)
                | Action::DeliverInject { .. } => false,
            };
            if is_over {
                self.ended_early.insert(number);
            }
        }
    }

    /// What a phase that ends early did not come to: ends are carried out, so that no fault lasts longer than it was
    /// meant to; all else is left out.
    fn leave_out_rest(&mut self, index: usize, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let plan = Arc::clone(&self.plan);
        while let Some(step) = plan.steps.get(self.next_step).filter(|step| step.phase == index) {
            let number = self.next_step;
            self.next_step += 1;
            if self.ended_early.remove(&number) {
                continue;
            }
            match &step.action {
                Action::UndoFault(_) | Action::StopLoad(_) | Action::TakeCard(_) => {
                    self.carry_out(&step.action, judge, effects);
                }
                Action::InjectFault { .. }
                | Action::StartLoad(_)
                | Action::DealCard(_)
                | Action::DeliverInject { .. } => {
                    skip(&step.action, "its phase ended early".to_owned(), effects);
                }
            }
        }
    }

    fn carry_out(&mut self, action: &Action, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let people = &judge.recording.state().people;
        match action {
            Action::StartLoad(load) => self.start_load(load, effects),
            Action::StopLoad(load) => {
                if !self.stop_load(load, effects) {
                    skip(action, "the load is over already".to_owned(), effects);
                }
            }
            Action::InjectFault { id, fault, .. } => {
                let plan = Arc::clone(&self.plan);
                match plan.changes.get(fault) {
                    Some(change) => self.change(id.clone(), change),
                    None => skip(action, "the plan does not say what it changes".to_owned(), effects),
                }
            }
            Action::UndoFault(fault) => {
                if !self.changes.end(fault) {
                    skip(action, "the fault is over already, or was not injected".to_owned(), effects);
                }
            }
            Action::DealCard(fault) => self.deal_card(fault, people, effects),
            Action::TakeCard(fault) => {
                if people.card(fault).is_some() {
                    effects.push(Effect::Record(EventKind::CardTaken { fault: fault.clone() }));
                }
            }
            Action::DeliverInject { inject, .. } if people.injects.iter().any(|it| it.inject == *inject) => {
                skip(action, "it was delivered by hand already".to_owned(), effects);
            }
            Action::DeliverInject { inject, to, text } => {
                let (inject, to, text) = (inject.clone(), to.clone(), text.clone());
                effects.push(Effect::Record(EventKind::InjectDelivered { inject, to, text, by: None }));
            }
        }
    }

    /// Puts a fault's card on the table, unless somebody has dealt it before its time.
    fn deal_card(&self, fault: &FaultId, people: &PeopleProgress, effects: &mut Vec<Effect>) {
        if let (None, Some(change)) = (people.card(fault), self.plan.changes.get(fault)) {
            let (fault, target, text) = (fault.clone(), change.target.clone(), change.card().to_owned());
            effects.push(Effect::Record(EventKind::CardDealt { fault, target, text, by: None }));
        }
    }
}

fn skip(action: &Action, why: String, effects: &mut Vec<Effect>) {
    effects.push(Effect::Record(EventKind::ActionSkipped { action: action.to_string(), why }));
}
