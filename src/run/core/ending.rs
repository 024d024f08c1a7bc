//! Ending: abort and recovery, the wait for the system to be well again, verdicts.

use super::{Core, Effect, FaultLife, Position};
use crate::event::{AbortCause, EventKind, PhaseEnd, StepOutcome};
use crate::plan::SettlePlan;
use crate::unit::{FaultId, elapsed_ms};
use crate::verdict::{FaultFacts, Judge, judge_hypothesis};

/// Over how long the system must be well again before it counts as settled.
const SETTLE_LOOK_BACK_MS: u64 = 5_000;

impl Core {
    pub(super) fn abort(&mut self, cause: AbortCause, effects: &mut Vec<Effect>) {
        if self.is_aborted || matches!(self.position, Position::Stopping | Position::Finished) {
            return;
        }
        self.is_aborted = true;
        effects.push(Effect::Record(EventKind::RunAborted { cause }));
        if let Position::Phase { index, .. } = self.position
            && let Some(phase) = self.plan.phases.get(index)
        {
            let phase = phase.phase.clone();
            effects.push(Effect::Record(EventKind::PhaseEnded { phase, why: PhaseEnd::Aborted }));
        }
        self.undo_everything(effects);
        self.stop_loads(effects);
        self.position = Position::Recovering;
    }

    pub(super) fn begin_recovery(&mut self, effects: &mut Vec<Effect>) {
        self.position = Position::Recovering;
        effects.push(Effect::Record(EventKind::RunRecovering));
        self.undo_everything(effects);
    }

    /// Last-in first-out.
    fn undo_everything(&mut self, effects: &mut Vec<Effect>) {
        self.paused_since_ms = None;
        let faults: Vec<FaultId> = self.faults.iter().rev().map(|(fault, _)| fault.clone()).collect();
        self.undo(faults, effects);
    }

    pub(super) fn advance_recovery(&mut self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        if self.faults.iter().any(|(_, life)| *life != FaultLife::Over) {
            return;
        }
        let left: Vec<String> = judge
            .recording
            .state()
            .outstanding()
            .map(|fault| format!("{} on `{}`: {}", fault.identity.fault, fault.target, fault.change))
            .collect();
        let kind = if left.is_empty() { EventKind::RunSettled } else { EventKind::RunDirty { left } };
        effects.push(Effect::Record(kind));
        self.position = Position::Settling { since_ms: judge.now_ms };
    }

    /// Load goes on while the system is given time: until it is well again and every `within` is decided.
    pub(super) fn advance_settling(&mut self, since_ms: u64, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let was_disturbed = judge.recording.first_injection_ms().is_some();
        if !self.is_aborted && was_disturbed {
            if let Some(settle) = self.plan.settle.clone().filter(|_| !self.is_settle_judged) {
                self.judge_settle(&settle, since_ms, judge, effects);
            }
            let is_settle_open = self.plan.settle.is_some() && !self.is_settle_judged;
            if is_settle_open || self.awaits_within(judge) {
                return;
            }
        }
        self.stop_loads(effects);
        self.position = Position::Stopping;
    }

    fn judge_settle(&mut self, settle: &SettlePlan, since_ms: u64, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let window = (judge.now_ms.saturating_sub(SETTLE_LOOK_BACK_MS).max(since_ms), judge.now_ms);
        let is_full = window.1 - window.0 >= SETTLE_LOOK_BACK_MS;
        let hypotheses = self.plan.hypotheses.iter().filter(|hypothesis| settle.steady.contains(&hypothesis.id));
        let held = is_full
            && hypotheses.into_iter().all(|hypothesis| judge.holds_over(&hypothesis.expect, window).0 == Some(true));
        let is_time_up = judge.now_ms >= since_ms + elapsed_ms(settle.within.0);
        if held || is_time_up {
            self.is_settle_judged = true;
            let held_ms = held.then_some(judge.now_ms);
            effects.push(Effect::Record(EventKind::SettleJudged { held, held_ms }));
        }
    }

    /// Whether some `within D after PHASE` may still come true.
    fn awaits_within(&self, judge: &Judge<'_>) -> bool {
        self.plan.hypotheses.iter().flat_map(|hypothesis| &hypothesis.expect.terms).any(|term| {
            let open_until = judge.open_until_ms(term);
            open_until.is_some_and(|end| judge.now_ms < end && judge.finally(term).held != Some(true))
        })
    }

    fn stop_loads(&self, effects: &mut Vec<Effect>) {
        let running = self.loads.iter().filter(|(_, is_running)| **is_running);
        effects.extend(running.map(|(load, _)| Effect::StopLoad(load.clone())));
    }

    pub(super) fn advance_stopping(&mut self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        if self.loads.values().any(|is_running| *is_running) {
            return;
        }
        let state = judge.recording.state();
        for step in state.steps.iter().filter(|step| step.outcome.is_none()) {
            let (step, outcome) = (step.step.clone(), StepOutcome::LeftOpen);
            effects.push(Effect::Record(EventKind::StepClosed { step, outcome, by: None }));
        }
        for hypothesis in &self.plan.hypotheses {
            let facts = hypothesis.faults.iter().map(|fault| FaultFacts {
                fault: fault.clone(),
                provable: self.plan.changes.get(fault).is_some_and(|change| change.effect_if.is_some()),
            });
            let facts: Vec<FaultFacts> = facts.collect();
            let has_known_gap = hypothesis.known_gap.is_some();
            let result = judge_hypothesis(judge, &hypothesis.id, &hypothesis.expect, has_known_gap, &facts);
            effects.push(Effect::Record(EventKind::HypothesisJudged(result)));
        }
        self.position = Position::Finished;
        effects.push(Effect::Finish);
    }
}
