//! Whether anything was left behind: the ledger, the guardrails, the residue.

use super::Run;
use super::fault::fault_end;
use super::switch;
use crate::event::{AbortCause, Event, EventKind, FaultEnd, FaultProgress, FaultState, LockProgress, LockState};
use crate::report::facts::GuardrailFacts;
use crate::report::model::{EvidenceGap, Guardrail, Ledger, LedgerState, Safety};
use crate::unit::plural;

/// Evidence that was asked for and could not be had, or not all of it.
pub(super) fn evidence_gaps(run: &Run<'_>) -> Vec<EvidenceGap> {
    let gap = |event: &Event| {
        let EventKind::EvidenceKept(kept) = &event.kind else { return None };
        let is_gap = kept.is_cut || kept.unknown.is_some();
        let (source, unknown) = (kept.source.as_str().to_owned(), kept.unknown.clone());
        is_gap.then(|| EvidenceGap { source, about: kept.about.clone(), query: kept.what.clone(), unknown })
    };
    run.events.iter().filter_map(gap).collect()
}

pub(super) fn safety(run: &Run<'_>) -> Safety {
    let outstanding: Vec<&FaultProgress> = run.state.outstanding().collect();
    let touched = run.state.faults.iter().any(|fault| fault.state != FaultState::Intended);
    let (state, text) = if !outstanding.is_empty() {
        let count = plural(outstanding.len(), "change is", "changes are");
        ("dirty", format!("{count} not undone. Run `gameday recover` for {}.", run.state.run))
    } else if touched {
        let count = plural(run.state.faults.len(), "change was", "changes were");
        let later = if run.recovered_at.is_some() { ", by a recovery after the run" } else { "" };
        let text = match run.state.not_read_back() {
            0 => format!("{count} undone and read back{later}. Residual drift: none."),
            unread => {
                let unread = plural(unread, "of them was", "of them were");
                format!("{count} undone{later}; {unread} not read back.")
            }
        };
        ("clean", text)
    } else {
        ("untouched", "Nothing was changed, so that nothing had to be undone.".to_owned())
    };
    let stuck = outstanding.iter().filter(|fault| fault.state == FaultState::Stuck).flat_map(|fault| &fault.left);
    let by_hand = stuck.chain(run.state.remains_by_hand());
    Safety {
        state: state.to_owned(),
        text: text + &switch::left_over(run).unwrap_or_default(),
        residual: outstanding.iter().map(|fault| residue(fault)).collect(),
        by_hand: by_hand.cloned().collect(),
        recovered_at: run.recovered_at,
        aborted_by: run.state.abort.as_ref().map(abort_cause),
        switches: switch::switches(run),
        lock: run.state.lock.as_ref().map(lock),
        ledger: run.state.faults.iter().map(|fault| ledger(run, fault)).collect(),
    }
}

fn lock(lock: &LockProgress) -> String {
    let LockProgress { parameter, holder, error, .. } = lock;
    let error = error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
    let became = match lock.state {
        LockState::Released => "released at the end",
        LockState::Kept => "kept, since something is not undone",
        LockState::Lost => "taken away by somebody else",
        LockState::Taken | LockState::Intended => "may still be there: `gameday recover` releases it",
    };
    format!("{parameter}, held by {holder}: {became}{error}")
}

fn residue(fault: &FaultProgress) -> String {
    let (name, target) = (&fault.identity.fault, &fault.target);
    match fault.state {
        FaultState::Drifted => {
            format!(
                "{name} on {target}: somebody else changed the target, it was left alone: {}",
                fault.left.join("; ")
            )
        }
        FaultState::Stuck => {
            let error = fault.error.as_deref().unwrap_or("no error is known");
            format!("{name} on {target}: the undo failed: {error}")
        }
        _ => format!("{name} on {target}: may still be in place ({}); its undo: {}", fault.change, fault.undo),
    }
}

pub(super) fn abort_cause(cause: &AbortCause) -> String {
    match cause {
        AbortCause::Guardrail { guardrail } => format!("guardrail {guardrail}"),
        AbortCause::Person { why, by } => {
            let by = by.as_deref().unwrap_or("a person");
            why.as_ref().map_or_else(|| by.to_owned(), |why| format!("{by}: {why}"))
        }
        AbortCause::Signal { signal } => format!("signal {signal}"),
        AbortCause::LoadLost { load } => format!("the loss of load {load}"),
        AbortCause::FaultFailed { fault } => format!("fault {fault}, which could not be injected"),
        AbortCause::NotReady { why } => format!("what was not ready: {why}"),
        AbortCause::Internal { error } => format!("an error of the program: {error}"),
    }
}

fn ledger(run: &Run<'_>, fault: &FaultProgress) -> Ledger {
    let ours = run.events.iter().filter(|event| event.kind.fault() == Some(&fault.identity));
    let is_read_back = fault.end != Some(FaultEnd::NotReadBack);
    Ledger {
        step: fault.identity.step.clone(),
        fault: fault.identity.fault.to_string(),
        target: fault.target.to_string(),
        undo_sha256: fault.undo_sha256.clone(),
        states: ours.filter_map(|event| ledger_state(event, is_read_back)).collect(),
    }
}

fn ledger_state(event: &Event, is_read_back: bool) -> Option<LedgerState> {
    let (state, detail) = match &event.kind {
        EventKind::FaultIntended { change, .. } => ("intent", Some(change.clone())),
        EventKind::FaultArmed { .. } => ("armed", Some("the undo is on disk".to_owned())),
        EventKind::FaultApplied { .. } => ("applied", is_read_back.then(|| "read back".to_owned())),
        EventKind::FaultFailed { error, .. } => ("failed", Some(error.clone())),
        EventKind::FaultEffective { evidence, .. } => ("effective", Some(evidence.clone())),
        EventKind::FaultLost { why, .. } => ("lost", Some(why.clone())),
        EventKind::FaultReverting { .. } => ("reverting", None),
        EventKind::FaultRestored { how, .. } => ("restored", Some(fault_end(*how).replace('_', " "))),
        EventKind::FaultDrifted { fields, .. } => ("drift", Some(fields.join("; "))),
        EventKind::FaultStuck { error, .. } => ("stuck", Some(error.clone())),
        EventKind::SwitchIntended { call, fires_at, .. } => {
            ("switch intent", Some(format!("{call} at {}", fires_at.format("%H:%M:%S UTC"))))
        }
        EventKind::SwitchSet { .. } => ("switch set", None),
        EventKind::SwitchPushed { fires_at, .. } => {
            ("switch put off", Some(format!("to {}", fires_at.format("%H:%M:%S UTC"))))
        }
        EventKind::SwitchFailed { error, .. } => ("switch failed", Some(error.clone())),
        EventKind::SwitchDeleted { .. } => ("switch deleted", None),
        EventKind::SwitchLeft { fires_at, .. } => {
            ("switch left", Some(format!("to fire at {}", fires_at.format("%H:%M:%S UTC"))))
        }
        _ => return None,
    };
    Some(LedgerState { state: state.to_owned(), at_ms: event.elapsed_ms, at: event.at, detail })
}

pub(super) fn guardrails(run: &Run<'_>) -> Vec<Guardrail> {
    run.facts.guardrails.iter().map(|facts| guardrail(run, facts)).collect()
}

fn guardrail(run: &Run<'_>, facts: &GuardrailFacts) -> Guardrail {
    let mut row = Guardrail {
        id: facts.id.clone(),
        rule: facts.rule.clone(),
        on_missing: facts.on_missing.clone(),
        state: "quiet".to_owned(),
        at_ms: None,
        observed: None,
        warning_count: 0,
        last_reading: run.state.guardrails.get(facts.id.as_str()).cloned(),
    };
    for event in run.events {
        match &event.kind {
            EventKind::GuardrailTripped { guardrail, observed }
                if guardrail.as_str() == facts.id && row.state != "tripped" =>
            {
                row.state = "tripped".to_owned();
                row.at_ms = Some(event.elapsed_ms);
                row.observed = Some(observed.clone());
            }
            EventKind::GuardrailWarned { guardrail, observed } if guardrail.as_str() == facts.id => {
                row.warning_count += 1;
                if row.state == "quiet" {
                    row.state = "warned".to_owned();
                    row.at_ms = Some(event.elapsed_ms);
                    row.observed = Some(observed.clone());
                }
            }
            _ => {}
        }
    }
    row
}
