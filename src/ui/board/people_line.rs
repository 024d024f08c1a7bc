//! What people do and are told, as one line.

use super::line::{Line, bad, by_text, clock, fault, good, person, quiet, warning};
use crate::event::{EventKind, StepAsks, StepOutcome};
use crate::unit::{ComponentId, StepId};

/// The line of an event about people; none for any other.
pub(super) fn of(kind: &EventKind) -> Option<Line> {
    Some(match kind {
        EventKind::StepOpened { .. } => (person(), opened_text(kind)?),
        EventKind::StepTimed { step, due_ms } => (person(), format!("step {step} is due {}", clock(*due_ms))),
        EventKind::StepOverdue { step } => (bad(), format!("step {step} is overdue")),
        EventKind::StepClosed { step, outcome, by, evidence } => {
            closed_line(step, outcome, by.as_deref(), evidence.as_deref())
        }
        EventKind::Voted { step, role, go, why, by } => {
            let says = if *go { "go" } else { "NO-GO" };
            let why = text_behind(why.as_deref());
            (if *go { good() } else { bad() }, format!("{role} says {says} to {step}{}{why}", by_text(by.as_deref())))
        }
        EventKind::Joined { role, by } => (person(), format!("{role} is here{}", by_text(by.as_deref()))),
        EventKind::InjectDelivered { to, text, by, .. } => {
            (person(), format!("to {to}{}: {text}", by_text(by.as_deref())))
        }
        EventKind::HintGiven { hint, text, by, .. } => {
            (person(), format!("hint {hint}{}: {text}", by_text(by.as_deref())))
        }
        EventKind::PredictionSealed { hypothesis, by, .. } => {
            (quiet(), format!("a prediction about {hypothesis} is sealed{}", by_text(by.as_deref())))
        }
        EventKind::Revealed { fault, by } => {
            let what = fault.as_ref().map_or_else(|| "everything".to_owned(), |fault| format!("fault {fault}"));
            (warning(), format!("{what} is revealed{}", by_text(by.as_deref())))
        }
        EventKind::CardDealt { fault: card, text, by, .. } => {
            (fault(), format!("card {card}{}: {text}", by_text(by.as_deref())))
        }
        EventKind::CardTaken { fault } => (good(), format!("card {fault} is taken away")),
        EventKind::BlockStarted { playbook, block, by, .. } => {
            (person(), format!("{block} of {playbook} is run{}", by_text(by.as_deref())))
        }
        EventKind::BlockEnded { playbook, block, ok: true, .. } => (good(), format!("{block} of {playbook} is done")),
        EventKind::BlockEnded { playbook, block, ok: false, why, .. } => {
            (bad(), format!("{block} of {playbook} failed{}", text_behind(why.as_deref())))
        }
        EventKind::Acknowledged { by } => (person(), format!("acknowledged{}", by_text(by.as_deref()))),
        EventKind::Marked { name, by, component, text, .. } => {
            let component = component.as_ref().map(ComponentId::as_str).map(|it| format!(" {it}")).unwrap_or_default();
            let text = text_behind(text.as_deref());
            (person(), format!("mark {name}{component}{}{text}", by_text(by.as_deref())))
        }
        EventKind::Noted { text, by } => (person(), format!("note{}: {text}", by_text(by.as_deref()))),
        EventKind::RunPaused { by } => (warning(), format!("paused{}; guardrails are not", by_text(by.as_deref()))),
        EventKind::RunResumed { by } => (warning(), format!("resumed{}", by_text(by.as_deref()))),
        _ => return None,
    })
}

fn text_behind(text: Option<&str>) -> String {
    text.map(|text| format!(": {text}")).unwrap_or_default()
}

fn opened_text(kind: &EventKind) -> Option<String> {
    let EventKind::StepOpened { step, text, owner, due_ms, must, asks, .. } = kind else { return None };
    let owner = owner.as_ref().map(|owner| format!("{owner}: ")).unwrap_or_default();
    let due = match (&asks.within, due_ms) {
        (Some(within), _) => format!(", within {within}"),
        (None, Some(due)) => format!(", due {}", clock(*due)),
        (None, None) => String::new(),
    };
    let must = if *must { ", must" } else { "" };
    Some(format!("{owner}{text} ({}{due}{must})", how_to_close(step, asks)))
}

/// What to type to have a step done.
fn how_to_close(step: &StepId, asks: &StepAsks) -> String {
    match (asks.poll.is_empty(), asks.evidence) {
        (false, _) => format!("gameday vote {step} go --role ROLE"),
        (true, Some(evidence)) => format!("gameday step done {step} --evidence \"{}\"", evidence.in_words()),
        (true, None) => format!("gameday step done {step}"),
    }
}

fn closed_line(step: &StepId, outcome: &StepOutcome, by: Option<&str>, evidence: Option<&str>) -> Line {
    match outcome {
        StepOutcome::Done => (good(), format!("step {step} done{}{}", by_text(by), text_behind(evidence))),
        StepOutcome::Skipped { why } => {
            (quiet(), format!("step {step} skipped{}{}", by_text(by), text_behind(why.as_deref())))
        }
        StepOutcome::NoGo => (bad(), format!("step {step}: no-go")),
        StepOutcome::Rehearsed => (quiet(), format!("step {step} answered by --yes")),
        StepOutcome::LeftOpen => (quiet(), format!("step {step} was left open")),
    }
}
