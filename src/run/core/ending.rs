//! Ending: abort and recovery, the wait for the system to be well again, verdicts.

use super::{Core, Effect, Position};
use crate::event::{AbortCause, EventKind, HypothesisResult, PhaseEnd, StepOutcome, Verdict};
use crate::plan::{SettlePlan, is_about_people};
use crate::scenario::Mode;
use crate::scenario::expect::Expectation;
use crate::unit::elapsed_ms;
use crate::verdict::{FaultFacts, Judge, judge_hypothesis};

impl Core {
    pub(super) fn abort(&mut self, cause: AbortCause, now_ms: u64, effects: &mut Vec<Effect>) {
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
        self.recover();
        self.stop_loads(now_ms, effects);
    }

    pub(super) fn begin_recovery(&mut self, effects: &mut Vec<Effect>) {
        effects.push(Effect::Record(EventKind::RunRecovering));
        self.recover();
    }

    fn recover(&mut self) {
        self.position = Position::Recovering;
        self.paused_since_ms = None;
        self.changes.end_all();
    }

    pub(super) fn advance_recovery(&mut self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        if !self.changes.are_over() {
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
            // What alarms did while everything was undone is told by a poll that began after.
            if !self.are_readings_known(self.plan.hypotheses.iter(), since_ms, judge, effects) {
                return;
            }
            if let Some(settle) = self.plan.settle.clone().filter(|_| !self.is_settle_judged) {
                self.judge_settle(&settle, since_ms, judge, effects);
            }
            let is_settle_open = self.plan.settle.is_some() && !self.is_settle_judged;
            if is_settle_open || self.awaits_within(judge) {
                return;
            }
        }
        self.stop_loads(judge.now_ms, effects);
        self.position = Position::Stopping;
    }

    fn judge_settle(&mut self, settle: &SettlePlan, since_ms: u64, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let mut hypotheses = self.plan.hypotheses.iter().filter(|hypothesis| settle.steady.contains(&hypothesis.id));
        let held = hypotheses.all(|hypothesis| judge.holds_again(&hypothesis.expect, since_ms) == Some(true));
        let is_time_up = judge.now_ms >= since_ms + elapsed_ms(settle.within.0);
        if held || is_time_up {
            self.is_settle_judged = true;
            let held_ms = held.then_some(judge.now_ms);
            effects.push(Effect::Record(EventKind::SettleJudged { held, held_ms }));
        }
    }

    /// Whether some `within D after PHASE` may still come true. Records come by the second, so that is how often it is
    /// looked at.
    fn awaits_within(&mut self, judge: &Judge<'_>) -> bool {
        let second = judge.now_ms / 1_000;
        if let Some((_, awaits)) = self.awaited.filter(|(looked, _)| *looked == second) {
            return awaits;
        }
        let awaits = self.plan.hypotheses.iter().flat_map(|hypothesis| &hypothesis.expect.terms).any(|term| {
            let open_until = judge.open_until_ms(term);
            open_until.is_some_and(|end| judge.now_ms < end && judge.finally(term).held != Some(true))
        });
        self.awaited = Some((second, awaits));
        awaits
    }

    /// At a table there is nothing to look at but people.
    fn is_judged(&self, expectation: &Expectation) -> bool {
        self.plan.scenario.mode != Mode::Tabletop || is_about_people(expectation)
    }

    pub(super) fn advance_stopping(&mut self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        let end_ms = self.loads_stopped_ms.unwrap_or(judge.now_ms);
        let has_begun = !judge.recording.state().phases.is_empty();
        let judged = self.plan.hypotheses.iter().filter(|_| has_begun);
        if !self.are_readings_known(judged, end_ms, judge, effects) || !self.are_loads_over() {
            return;
        }
        if !self.are_proxies_heard(judge) {
            return;
        }
        let state = judge.recording.state();
        for step in state.steps.iter().filter(|step| step.outcome.is_none()) {
            let (step, outcome) = (step.step.clone(), StepOutcome::LeftOpen);
            effects.push(Effect::Record(EventKind::StepClosed { step, outcome, by: None, evidence: None }));
        }
        // What came after load was told to stop says nothing about the system.
        let judge = Judge { now_ms: end_ms, ..*judge };
        for hypothesis in &self.plan.hypotheses {
            let facts = hypothesis
                .faults
                .iter()
                .map(|fault| FaultFacts { fault: fault.clone(), provable: self.is_provable(fault) });
            let facts: Vec<FaultFacts> = facts.collect();
            let has_known_gap = hypothesis.known_gap.is_some();
            let result = match self.is_judged(&hypothesis.expect) {
                true => judge_hypothesis(&judge, &hypothesis.id, &hypothesis.expect, has_known_gap, &facts),
                false => HypothesisResult {
                    hypothesis: hypothesis.id.clone(),
                    verdict: Verdict::NotTested("nothing is injected or measured at a table".to_owned()),
                    observations: Vec::new(),
                },
            };
            effects.push(Effect::Record(EventKind::HypothesisJudged(result)));
        }
        self.position = Position::Finished;
        effects.push(Effect::Finish);
    }
}
