//! Each fault with its times.

use super::{Run, proxy, response};
use crate::event::{FaultEnd, FaultState};
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
