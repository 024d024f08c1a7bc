//! Walking the timeline: phases begin, their steps happen, their gates are judged, they end.

use super::{Core, Effect, FaultLife, Position};
use crate::event::{EventKind, PhaseEnd, Verdict};
use crate::plan::{Action, PhasePlan};
use crate::scenario::Mode;
use crate::unit::elapsed_ms;
use crate::verdict::{Judge, judge_gate};

impl Core {
    pub(super) fn begin_phase(&mut self, index: usize, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let Some(phase) = self.plan.phases.get(index).cloned() else {
            self.begin_recovery(effects);
            return;
        };
        self.position = Position::Phase { index, start_ms: judge.now_ms };
        effects.push(Effect::Record(EventKind::PhaseStarted { phase: phase.phase.clone() }));
        self.open_steps(&phase, judge.now_ms, effects);
        self.carry_out_due(index, judge.now_ms, judge, effects);
    }

    pub(super) fn advance_phase(&mut self, index: usize, start_ms: u64, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        self.carry_out_due(index, start_ms, judge, effects);
        let Some(phase) = self.plan.phases.get(index).cloned() else { return };
        let is_over_early = phase.until.as_ref().is_some_and(|until| judge.holds_now(until).0 == Some(true));
        if is_over_early {
            self.end_phase(index, &phase, start_ms, PhaseEnd::Until, judge, effects);
        } else if judge.now_ms >= start_ms + elapsed_ms(phase.length.0) && !self.is_held(&phase, judge) {
            self.end_phase(index, &phase, start_ms, PhaseEnd::TimeUp, judge, effects);
        }
    }

    /// Whether a drill waits for a step that must be done. Only people at a terminal can tick one.
    fn is_held(&self, phase: &PhasePlan, judge: &Judge<'_>) -> bool {
        let waits = self.plan.scenario.mode == Mode::Drill && self.attendance == super::Attendance::Attended;
        waits
            && phase.checklist.iter().any(|step| {
                (step.must || !step.poll.is_empty()) && judge.recording.state().open_step(&step.step).is_some()
            })
    }

    fn end_phase(
        &mut self,
        index: usize,
        phase: &PhasePlan,
        start_ms: u64,
        why: PhaseEnd,
        judge: &Judge<'_>,
        effects: &mut Vec<Effect>,
    ) {
        let is_open = phase.gate.is_empty() || self.judge_gate(phase, (start_ms, judge.now_ms), judge, effects);
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
        let hypotheses = phase.gate.iter().filter_map(|id| self.plan.hypotheses.iter().find(|h| h.id == *id));
        let results: Vec<_> =
            hypotheses.map(|hypothesis| judge_gate(judge, &hypothesis.id, &hypothesis.expect, window)).collect();
        let open = results.iter().all(|result| result.verdict == Verdict::Upheld);
        effects.push(Effect::Record(EventKind::GateJudged { phase: phase.phase.clone(), open, results }));
        open
    }

    /// Carries out the steps of a phase whose time has come, in the plan's order.
    fn carry_out_due(&mut self, index: usize, start_ms: u64, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let plan = std::sync::Arc::clone(&self.plan);
        for (number, step) in plan.steps.iter().enumerate() {
            let is_due = step.phase == index && start_ms + elapsed_ms(step.at.0) <= judge.now_ms;
            if !is_due || !self.carried_out.insert(number) {
                continue;
            }
            let is_ruled_out = step.unless.as_ref().is_some_and(|unless| judge.holds_now(unless).0 == Some(true));
            if is_ruled_out {
                let why = step.unless.as_ref().map(ToString::to_string).unwrap_or_default();
                let why = format!("its `unless` holds: {why}");
                effects.push(Effect::Record(EventKind::ActionSkipped { action: describe(&step.action), why }));
            } else {
                self.carry_out(&step.action, effects);
            }
        }
    }

    fn carry_out(&mut self, action: &Action, effects: &mut Vec<Effect>) {
        match action {
            Action::StartLoad(load) => {
                self.loads.insert(load.clone(), true);
                effects.push(Effect::StartLoad(load.clone()));
            }
            Action::StopLoad(load) => effects.push(Effect::StopLoad(load.clone())),
            Action::InjectFault { id, fault, .. } => {
                self.faults.push((fault.clone(), FaultLife::Injecting { end_wanted: false }));
                effects.push(Effect::Inject { id: id.clone(), fault: fault.clone() });
            }
            Action::UndoFault(fault) => match self.life(fault) {
                Some(FaultLife::Active { .. } | FaultLife::Injecting { .. }) => {
                    self.undo(vec![fault.clone()], effects);
                }
                Some(FaultLife::Undoing | FaultLife::Over) | None => {
                    let why = "the fault is over already".to_owned();
                    effects.push(Effect::Record(EventKind::ActionSkipped { action: describe(action), why }));
                }
            },
            Action::DeliverInject { inject, to, text } => {
                effects.push(Effect::Record(EventKind::InjectDelivered {
                    inject: inject.clone(),
                    to: to.clone(),
                    text: text.clone(),
                }));
            }
        }
    }
}

/// An action in words.
fn describe(action: &Action) -> String {
    match action {
        Action::StartLoad(load) => format!("start load {load}"),
        Action::StopLoad(load) => format!("stop load {load}"),
        Action::InjectFault { fault, .. } => format!("inject fault {fault}"),
        Action::UndoFault(fault) => format!("undo fault {fault}"),
        Action::DeliverInject { inject, .. } => format!("deliver inject {inject}"),
    }
}
