//! Steps for people, how the playbooks went, and what was said.

use super::Run;
use crate::event::{EventKind, StepOutcome, StepProgress, VoteProgress};
use crate::report::model::{JournalEntry, Playbook, Step};
use crate::unit::ComponentId;

pub(super) fn steps(run: &Run<'_>) -> Vec<Step> {
    run.state.steps.iter().map(|progress| step(progress, run.end_ms)).collect()
}

fn step(progress: &StepProgress, end_ms: u64) -> Step {
    let (outcome, why) = match &progress.outcome {
        Some(StepOutcome::Done) => ("done", None),
        Some(StepOutcome::Skipped { why }) => ("skipped", why.clone()),
        Some(StepOutcome::NoGo) => ("no_go", no_go_reasons(progress)),
        Some(StepOutcome::Rehearsed) => ("rehearsed", None),
        Some(StepOutcome::LeftOpen) | None => ("left_open", None),
    };
    let until_ms = progress.closed_ms.unwrap_or(end_ms);
    let late_ms = progress.late_ms(until_ms);
    let overdue = outcome != "rehearsed" && (progress.overdue || late_ms.is_some());
    Step {
        step: progress.step.to_string(),
        text: progress.text.clone(),
        owner: progress.owner.as_ref().map(ToString::to_string),
        must: progress.must,
        playbook: progress.playbook.as_ref().map(ToString::to_string),
        phase: progress.phase.as_ref().map(ToString::to_string),
        opened_ms: progress.opened_ms,
        due_ms: progress.due_ms,
        // A step that was left open has a moment of being counted as such, but was never closed.
        closed_ms: progress.closed_ms.filter(|_| outcome != "left_open"),
        overdue,
        late_ms: late_ms.filter(|_| overdue),
        outcome: outcome.to_owned(),
        why,
        by: progress.by.clone(),
    }
}

/// What those who did not agree to a poll said.
fn no_go_reasons(progress: &StepProgress) -> Option<String> {
    let against = progress.asks.poll.iter().filter_map(|role| progress.vote_of(role)).filter(|vote| !vote.go);
    let reason = |vote: &VoteProgress| match &vote.why {
        Some(why) => format!("{}: {why}", vote.role),
        None => vote.role.to_string(),
    };
    let reasons: Vec<String> = against.map(reason).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// A mark with the component that it names and what else was said.
fn mark_text(name: &str, component: Option<&ComponentId>, text: Option<&str>) -> String {
    let component = component.map(|component| format!(" {component}")).unwrap_or_default();
    let text = text.map(|text| format!(": {text}")).unwrap_or_default();
    format!("{name}{component}{text}")
}

pub(super) fn playbooks(steps: &[Step]) -> Vec<Playbook> {
    let mut ids: Vec<Option<&String>> = Vec::new();
    for step in steps {
        if !ids.contains(&step.playbook.as_ref()) {
            ids.push(step.playbook.as_ref());
        }
    }
    // The checklists have no id and come last.
    ids.sort_by_key(|id| id.is_none());
    ids.into_iter().map(|id| playbook(id, steps.iter().filter(|step| step.playbook.as_ref() == id))).collect()
}

fn playbook<'a>(id: Option<&String>, steps: impl Iterator<Item = &'a Step> + Clone) -> Playbook {
    let with = |outcome: &str| steps.clone().filter(|step| step.outcome == outcome).count();
    Playbook {
        playbook: id.cloned(),
        step_count: steps.clone().count(),
        done_count: with("done"),
        in_time_count: steps.clone().filter(|step| step.outcome == "done" && !step.overdue).count(),
        overdue_count: steps.clone().filter(|step| step.overdue).count(),
        skipped_count: with("skipped"),
        rehearsed_count: with("rehearsed"),
        left_open_count: with("left_open"),
    }
}

pub(super) fn journal(run: &Run<'_>) -> Vec<JournalEntry> {
    let entries = run.events.iter().filter_map(|event| {
        let entry = |kind: &str, text: &str| JournalEntry {
            at_ms: event.elapsed_ms,
            kind: kind.to_owned(),
            text: text.to_owned(),
            by: None,
            to: None,
            fault: None,
        };
        match &event.kind {
            EventKind::Marked { name, fault, by, component, text } => Some(JournalEntry {
                by: by.clone(),
                fault: fault.as_ref().map(ToString::to_string),
                ..entry("mark", &mark_text(name, component.as_ref(), text.as_deref()))
            }),
            EventKind::Voted { step, role, go, why, by } => {
                let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                let text = format!("{role} says {} to {step}{why}", if *go { "go" } else { "no-go" });
                Some(JournalEntry { by: by.clone(), ..entry("vote", &text) })
            }
            EventKind::HintGiven { hint, text, by, .. } => {
                Some(JournalEntry { by: by.clone(), ..entry("hint", &format!("{hint}: {text}")) })
            }
            EventKind::PredictionSealed { hypothesis, by, .. } => {
                Some(JournalEntry { by: by.clone(), ..entry("prediction", &format!("about {hypothesis}, sealed")) })
            }
            EventKind::Joined { role, by } => {
                Some(JournalEntry { by: by.clone(), ..entry("joined", &format!("as {role}")) })
            }
            EventKind::BlockStarted { playbook, block, by, .. } => {
                Some(JournalEntry { by: by.clone(), ..entry("command", &format!("ran {block} of {playbook}")) })
            }
            EventKind::CardDealt { fault, text, by, .. } => {
                Some(JournalEntry { by: by.clone(), ..entry("card", &format!("{fault}: {text}")) })
            }
            EventKind::Noted { text, by } => Some(JournalEntry { by: by.clone(), ..entry("note", text) }),
            EventKind::Acknowledged { by } => {
                Some(JournalEntry { by: by.clone(), ..entry("acknowledgement", "acknowledged") })
            }
            EventKind::InjectDelivered { to, text, by, .. } => {
                Some(JournalEntry { to: Some(to.to_string()), by: by.clone(), ..entry("inject", text) })
            }
            _ => None,
        }
    });
    entries.collect()
}
