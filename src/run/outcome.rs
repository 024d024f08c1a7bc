//! What a run comes to, as one word and one exit code.

use crate::event::{AbortCause, RunOutcome, RunState, Verdict};

/// How a run is judged as a whole. Where several hold, the first in this order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An undo is not complete.
    Dirty,
    /// An error of our own ended it.
    Internal,
    /// A guardrail aborted it.
    AbortedByGuardrail,
    /// A person or a signal aborted it.
    AbortedByPerson,
    /// A gate stayed shut, and nothing was injected after it; or the environment was not ready.
    NotReady,
    /// A hypothesis was refuted, or a known gap has closed.
    Refuted,
    /// A hypothesis could not be judged or was not tested, a load was lost, or a fault could not be injected.
    Inconclusive,
    /// Everything was upheld, or is a gap that is known.
    Passed,
}

impl Outcome {
    /// Judges a run by what its log says.
    #[must_use]
    pub fn of(state: &RunState) -> Self {
        if state.outstanding().next().is_some() {
            return Self::Dirty;
        }
        match &state.abort {
            Some(AbortCause::NotReady { .. }) => return Self::NotReady,
            Some(AbortCause::Internal { .. }) => return Self::Internal,
            Some(AbortCause::Guardrail { .. }) => return Self::AbortedByGuardrail,
            Some(AbortCause::Person { .. } | AbortCause::Signal { .. }) => return Self::AbortedByPerson,
            Some(AbortCause::LoadLost { .. } | AbortCause::FaultFailed { .. }) | None => {}
        }
        if state.gate_shut || state.no_go.is_some() {
            return Self::NotReady;
        }
        let has = |wanted: fn(&Verdict) -> bool| state.results.iter().any(|result| wanted(&result.verdict));
        if has(|verdict| matches!(verdict, Verdict::Refuted | Verdict::GapClosed)) {
            return Self::Refuted;
        }
        let is_open = has(|verdict| matches!(verdict, Verdict::Inconclusive(_) | Verdict::NotTested(_)));
        if is_open || state.abort.is_some() || state.loads.values().any(|load| load.lost.is_some()) {
            return Self::Inconclusive;
        }
        Self::Passed
    }

    /// The exit code. product.md: 8 > 4 > 5 > 3 > 6; a gate that stayed shut is 7, an error of our own 1.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Internal => 1,
            Self::Refuted => 3,
            Self::AbortedByGuardrail => 4,
            Self::AbortedByPerson => 5,
            Self::Inconclusive => 6,
            Self::NotReady => 7,
            Self::Dirty => 8,
        }
    }

    /// How the timeline ended, for the log's last event.
    pub(super) fn of_timeline(state: &RunState) -> RunOutcome {
        if state.abort.is_some() {
            RunOutcome::Aborted
        } else if state.gate_shut {
            RunOutcome::GateShut
        } else if state.no_go.is_some() {
            RunOutcome::NoGo
        } else {
            RunOutcome::Completed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::HypothesisResult;

    fn with(verdicts: &[Verdict], abort: Option<AbortCause>) -> RunState {
        let result = |verdict: &Verdict| HypothesisResult {
            hypothesis: "H1".parse().unwrap(),
            verdict: verdict.clone(),
            observations: Vec::new(),
        };
        RunState { results: verdicts.iter().map(result).collect(), abort, ..RunState::default() }
    }

    #[test]
    fn the_worst_thing_decides_the_exit_code() {
        let signal = || Some(AbortCause::Signal { signal: "SIGTERM".to_owned() });
        let guardrail = || Some(AbortCause::Guardrail { guardrail: "G1".parse().unwrap() });
        let lost = || Some(AbortCause::LoadLost { load: "users".parse().unwrap() });
        let why = || "why".to_owned();
        for (verdicts, abort, code) in [
            (vec![Verdict::Upheld, Verdict::GapHolds], None, 0),
            (vec![Verdict::Upheld, Verdict::Refuted, Verdict::Inconclusive(why())], None, 3),
            (vec![Verdict::GapClosed], None, 3),
            (vec![Verdict::Upheld, Verdict::NotTested(why())], None, 6),
            (vec![Verdict::Refuted], guardrail(), 4),
            (vec![Verdict::Refuted], signal(), 5),
            (vec![], Some(AbortCause::NotReady { why: why() }), 7),
            (vec![Verdict::Upheld], lost(), 6),
            (vec![Verdict::Refuted], lost(), 3),
        ] {
            assert_eq!(Outcome::of(&with(&verdicts, abort.clone())).exit_code(), code, "{verdicts:?} {abort:?}");
        }
        let shut = RunState { gate_shut: true, ..with(&[Verdict::NotTested(why())], None) };
        assert_eq!(Outcome::of(&shut).exit_code(), 7);
    }
}
