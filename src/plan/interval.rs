//! When a fault or a load is nominally in place, and which faults a hypothesis rests on.

use std::collections::BTreeSet;
use std::time::Duration;

use super::types::{Action, PhasePlan, Step};
use crate::scenario::expect::{Expectation, PhaseWindow};
use crate::unit::FaultId;

/// Sets the nominal end of every step that starts something: its own limit, its undo, or the timeline's end.
pub(super) fn set_stops(steps: &mut [Step], end: Duration, own_limit: impl Fn(&Action) -> Option<Duration>) {
    let ends: Vec<Option<Duration>> = steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            let later = steps.iter().skip(index + 1).find(|other| undoes(&other.action, &step.action));
            match &step.action {
                Action::StartLoad(_) | Action::InjectFault { .. } => {
                    let limit = own_limit(&step.action).map_or(end, |limit| step.start.0 + limit);
                    Some(limit.min(end).min(later.map_or(end, |undo| undo.start.0)))
                }
                Action::StopLoad(_)
                | Action::UndoFault(_)
                | Action::DealCard(_)
                | Action::TakeCard(_)
                | Action::DeliverInject { .. } => None,
            }
        })
        .collect();
    for (step, stop) in steps.iter_mut().zip(ends) {
        step.stop = stop.map(Into::into);
    }
}

fn undoes(later: &Action, earlier: &Action) -> bool {
    match (later, earlier) {
        (Action::UndoFault(undone), Action::InjectFault { fault, .. }) => undone == fault,
        (Action::StopLoad(stopped), Action::StartLoad(load)) => stopped == load,
        _ => false,
    }
}

/// The faults that are nominally in place in the windows of an expectation: what it says means nothing without them.
pub(super) fn faults_of(expectation: &Expectation, phases: &[PhasePlan], steps: &[Step]) -> BTreeSet<FaultId> {
    expectation.terms.iter().flat_map(|term| faults_in(term.window.as_ref(), phases, steps)).collect()
}

fn faults_in(window: Option<&PhaseWindow>, phases: &[PhasePlan], steps: &[Step]) -> BTreeSet<FaultId> {
    let phase = match window {
        None => None,
        Some(PhaseWindow::During(phase) | PhaseWindow::After(phase) | PhaseWindow::Within { after: phase, .. }) => {
            phases.iter().find(|plan| plan.phase == *phase)
        }
    };
    let is_in = |step: &&Step| {
        phase.is_none_or(|phase| {
            let end = phase.start.0 + phase.length.0;
            step.start.0 < end && step.stop.is_none_or(|stop| stop.0 > phase.start.0)
        })
    };
    steps
        .iter()
        .filter(is_in)
        .filter_map(|step| match &step.action {
            Action::InjectFault { fault, .. } => Some(fault.clone()),
            Action::StartLoad(_)
            | Action::StopLoad(_)
            | Action::UndoFault(_)
            | Action::DealCard(_)
            | Action::TakeCard(_)
            | Action::DeliverInject { .. } => None,
        })
        .collect()
}
