//! From terms to a verdict.

use super::recording::WindowMs;
use super::term::{Judge, TermResult, conjunction};
use crate::event::{HypothesisResult, PhaseEnd, Verdict};
use crate::scenario::expect::{Condition, Expectation, Measure, PhaseWindow, Term};
use crate::unit::{AlarmState, FaultId, HypothesisId, PhaseId};

/// What a verdict needs to know of a fault that the hypothesis depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultFacts {
    /// Which.
    pub fault: FaultId,
    /// Whether it can prove its effect: by an `effect_if`, or by a fault proxy that counts what it does to callers.
    pub provable: bool,
}

/// Judges a hypothesis at the end of a run.
///
/// A fault that it depends on and that was not applied, or that could prove its effect and did not, makes it *not
/// tested*: a system that was not disturbed has shown nothing.
#[must_use]
pub fn judge_hypothesis(
    judge: &Judge<'_>,
    id: &HypothesisId,
    expectation: &Expectation,
    has_known_gap: bool,
    faults: &[FaultFacts],
) -> HypothesisResult {
    let results: Vec<TermResult> = expectation.terms.iter().map(|term| judge.finally(term)).collect();
    let verdict = match untested(judge, expectation, faults) {
        Some(why) => Verdict::NotTested(why),
        None => verdict(judge, expectation, &results, has_known_gap),
    };
    result(id, expectation, verdict, results)
}

/// Judges a hypothesis over a gate's own window.
#[must_use]
pub fn judge_gate(
    judge: &Judge<'_>,
    id: &HypothesisId,
    expectation: &Expectation,
    window: WindowMs,
) -> HypothesisResult {
    let (held, results) = judge.holds_over(expectation, window);
    let verdict = match held {
        Some(true) => Verdict::Upheld,
        Some(false) => Verdict::Refuted,
        None => Verdict::Inconclusive(missing(&results)),
    };
    result(id, expectation, verdict, results)
}

fn result(
    id: &HypothesisId,
    expectation: &Expectation,
    verdict: Verdict,
    results: Vec<TermResult>,
) -> HypothesisResult {
    let observations = expectation.terms.iter().zip(results).map(|(term, result)| result.observation(term)).collect();
    HypothesisResult { hypothesis: id.clone(), verdict, observations }
}

fn verdict(judge: &Judge<'_>, expectation: &Expectation, results: &[TermResult], has_known_gap: bool) -> Verdict {
    match conjunction(results.iter().map(|result| result.held)) {
        Some(false) if has_known_gap => Verdict::GapHolds,
        Some(false) => Verdict::Refuted,
        // Part of a phase can refute, but it cannot uphold.
        Some(true) => match expectation.terms.iter().find_map(|term| cut_short(judge, term)) {
            Some(why) => Verdict::Inconclusive(why),
            None if has_known_gap => Verdict::GapClosed,
            None => Verdict::Upheld,
        },
        None => Verdict::Inconclusive(missing(results)),
    }
}

fn missing(results: &[TermResult]) -> String {
    let unknown = results.iter().filter(|result| result.held.is_none());
    let reasons: Vec<&str> = unknown.filter_map(|result| result.missing.as_deref()).collect();
    if reasons.is_empty() { "the data does not tell".to_owned() } else { reasons.join("; ") }
}

/// The phases that an expectation speaks of.
fn phases(expectation: &Expectation) -> impl Iterator<Item = &PhaseId> {
    expectation.terms.iter().filter_map(|term| match term.window.as_ref()? {
        PhaseWindow::During(phase) | PhaseWindow::After(phase) | PhaseWindow::Within { after: phase, .. } => {
            Some(phase)
        }
    })
}

/// Why the time that a term speaks of was not lived through to its end. What has come true for good needs no more time.
fn cut_short(judge: &Judge<'_>, term: &Term) -> Option<String> {
    let state = judge.recording.state();
    match (&term.condition, &term.window) {
        (Condition::Mark(_) | Condition::Compare { measure: Measure::Ack | Measure::Detect(_), .. }, _) => None,
        (Condition::Alarm { state: AlarmState::Alarm | AlarmState::InsufficientData, .. }, _)
            if term.hold.is_none() =>
        {
            None
        }
        (_, None | Some(PhaseWindow::After(_))) => {
            state.was_cut_short().then(|| "the run ended before its time".to_owned())
        }
        (_, Some(PhaseWindow::During(phase) | PhaseWindow::Within { after: phase, .. })) => {
            let mut cut = state.phases.iter().filter(|progress| progress.why == Some(PhaseEnd::Aborted));
            cut.any(|progress| progress.phase == *phase).then(|| format!("phase `{phase}` was cut short"))
        }
    }
}

fn untested(judge: &Judge<'_>, expectation: &Expectation, faults: &[FaultFacts]) -> Option<String> {
    let state = judge.recording.state();
    let never_began = |phase: &&PhaseId| !state.phases.iter().any(|progress| progress.phase == **phase);
    if let Some(phase) = phases(expectation).find(never_began) {
        return Some(format!("phase `{phase}` did not begin"));
    }
    faults.iter().find_map(|facts| {
        let fault = &facts.fault;
        let progress = state.fault(fault).filter(|progress| progress.applied_ms.is_some());
        match progress {
            None => Some(format!("fault `{fault}` was not injected")),
            Some(progress) if facts.provable && progress.effective_ms.is_none() => {
                Some(format!("fault `{fault}` never proved its effect"))
            }
            Some(progress) if progress.lost_ms.is_some() => {
                Some(format!("fault `{fault}` was not in to its end: it was lost"))
            }
            Some(_) => None,
        }
    })
}
