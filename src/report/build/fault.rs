//! Each fault with its times.

use super::{Run, proxy, response};
use crate::event::{CardProgress, FaultEnd, FaultIdentity, FaultProgress, FaultState, RunState};
use crate::report::model::Fault;

pub(super) fn faults(run: &Run<'_>) -> Vec<Fault> {
    let faults = run.state.faults.iter().filter(|progress| !progress.identity.is_route()).map(|progress| {
        let fault = progress.identity.fault.to_string();
        Fault {
            step: progress.identity.step.clone(),
            kind: progress.kind.clone(),
            target: progress.target.to_string(),
            change: progress.change.clone(),
            undo: progress.undo.clone(),
            state: state(progress.state).to_owned(),
            requested_ms: progress.requested_ms,
            applied_ms: progress.applied_ms,
            effective_ms: progress.effective_ms,
            proof: progress.evidence.clone(),
            proxy: proxy::evidence(run, &progress.identity),
            reverting_ms: progress.reverting_ms,
            ended_ms: progress.ended_ms,
            end: progress.end.map(|end| fault_end(end).to_owned()),
            error: progress.error.clone(),
            response: response::response(run, progress),
            fault,
        }
    });
    faults.collect()
}

/// What stands for a fault's kind where it was a card.
pub(super) const CARD: &str = "card";

/// The cards of a table as faults: what each says was so from the moment on at which it lay there, and nothing was changed.
pub(super) fn cards(state: &RunState) -> Vec<FaultProgress> {
    let fault = |(number, card): (usize, &CardProgress)| FaultProgress {
        identity: FaultIdentity { step: format!("card-{}", number + 1), fault: card.fault.clone() },
        kind: CARD.to_owned(),
        target: card.target.clone(),
        change: card.text.clone(),
        undo: "none is needed: it was a card on the table".to_owned(),
        state: FaultState::Restored,
        undo_sha256: None,
        requested_ms: card.dealt_ms,
        applied_ms: Some(card.dealt_ms),
        effective_ms: Some(card.dealt_ms),
        evidence: Some("its card lay on the table".to_owned()),
        lost_ms: None,
        reverting_ms: card.taken_ms,
        ended_ms: card.taken_ms,
        end: Some(FaultEnd::AsBefore),
        error: None,
        left: Vec::new(),
        switch: None,
    };
    state.people.cards.iter().enumerate().map(fault).collect()
}

fn state(state: FaultState) -> &'static str {
    match state {
        FaultState::Intended => "intent",
        FaultState::Armed => "armed",
        FaultState::Applied => "applied",
        FaultState::Effective => "effective",
        FaultState::Reverting => "reverting",
        FaultState::Restored => "restored",
        FaultState::Drifted => "drift",
        FaultState::Stuck => "stuck",
    }
}

pub(super) fn fault_end(end: FaultEnd) -> &'static str {
    match end {
        FaultEnd::Restored => "restored",
        FaultEnd::AsBefore => "as_before",
        FaultEnd::NotReadBack => "not_read_back",
        FaultEnd::Expired => "expired",
        FaultEnd::Gone => "gone",
        FaultEnd::Accepted => "accepted as somebody else changed it",
    }
}
