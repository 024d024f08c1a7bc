//! Proof that faults are real: by `effect_if`, or by the fault proxy that did it to a caller.

use std::time::Duration;

use super::{Core, Effect};
use crate::event::EventKind;
use crate::plan::ChangePlan;
use crate::unit::{FaultId, TargetId, elapsed_ms};
use crate::verdict::Judge;

/// How long it is waited at the end for what the proxies did to the last: they are asked each second.
const PROXIES_WAIT: Duration = Duration::from_millis(2_500);

impl Core {
    /// Looks whether faults that are in have proven their effect.
    pub(super) fn prove_effects(&self, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        for progress in judge.recording.state().faults.iter().filter(|fault| self.changes.is_in(&fault.identity)) {
            let (Some(since_ms), None) = (progress.applied_ms, progress.effective_ms) else { continue };
            let change = self.plan.changes.get(&progress.identity.fault);
            let Some(effect_if) = change.and_then(|change| change.effect_if.as_ref()) else { continue };
            let (held, results) = judge.holds_since(effect_if, since_ms);
            if held == Some(true) {
                let observed: Vec<String> = results.into_iter().filter_map(|result| result.observed).collect();
                effects.push(Effect::Record(EventKind::FaultEffective {
                    identity: progress.identity.clone(),
                    evidence: format!("{effect_if}: {}", observed.join(", ")),
                    first_ms: judge.seen_ms(effect_if),
                }));
            }
        }
    }

    /// The proxies of targets were heard of.
    pub(super) fn proxies_told(&mut self, targets: Vec<TargetId>, now_ms: u64) {
        self.proxies_told_ms.extend(targets.into_iter().map(|target| (target, now_ms)));
    }

    /// Whether a fault can prove its effect, so that one that did not has shown nothing.
    pub(super) fn is_provable(&self, fault: &FaultId) -> bool {
        let change = self.plan.changes.get(fault);
        change.is_some_and(|change| change.effect_if.is_some() || self.is_proven_by_proxy(change))
    }

    fn is_proven_by_proxy(&self, change: &ChangePlan) -> bool {
        change.effect_if.is_none() && change.spec.is_counted() && self.telling.contains(&change.target)
    }

    /// Whether what the proxies did is known to the end: nothing is sent any more, and each proxy that may still prove a fault
    /// was heard of since. Whoever ends a run does not wait to learn, and nobody waits for ever.
    pub(super) fn are_proxies_heard(&mut self, judge: &Judge<'_>) -> bool {
        let over_ms = *self.loads_over_ms.get_or_insert(judge.now_ms);
        if self.is_aborted || judge.now_ms >= over_ms.saturating_add(elapsed_ms(PROXIES_WAIT)) {
            return true;
        }
        let unproven = judge.recording.state().faults.iter().filter(|fault| fault.effective_ms.is_none());
        let mut unproven = unproven.filter_map(|fault| self.plan.changes.get(&fault.identity.fault));
        let is_heard = |target: &TargetId| self.proxies_told_ms.get(target).is_some_and(|told| *told > over_ms);
        !unproven.any(|change| self.is_proven_by_proxy(change) && !is_heard(&change.target))
    }
}
