//! Events and facts become a [`Report`]: a pure function, one file a topic.

mod alarm;
mod baseline;
mod detection;
mod fault;
mod finding;
mod header;
mod hypothesis;
mod learning;
mod load;
mod people;
mod proxy;
mod response;
mod rule;
mod safety;
mod summary;
mod switch;
mod timeline;
mod why;
mod window;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

pub(super) use self::why::{named_component, named_lesson, named_risk};
use super::compare::{Comparison, Figures};
use super::facts::Facts;
use super::folder::Evidence;
use super::insight::insights;
use super::model::{Effort, Insights, REPORT_FORMAT, Report, TimelineEntry};
use super::redact::redacted;
use crate::event::{AlarmRecords, Event, EventKind, JournalProgress, PROGRAM, RunState, StepOutcome, StepProgress};
use crate::plan::Plan;
use crate::workspace::Component;

/// A run as the topics read it.
struct Run<'a> {
    events: &'a [Event],
    state: RunState,
    facts: &'a Facts,
    /// The last moment of the run itself; a recovery that came later is not part of it.
    end_ms: u64,
    ended_at: DateTime<Utc>,
    /// When another process began to recover it.
    recovered_at: Option<DateTime<Utc>>,
    alarms: AlarmRecords,
    /// The owner of the component that a target is, by target.
    owners: BTreeMap<String, String>,
}

impl<'a> Run<'a> {
    fn new(events: &'a [Event], facts: &'a Facts, evidence: &Evidence) -> Self {
        let recovery = events.iter().position(|event| matches!(event.kind, EventKind::RecoveryStarted { .. }));
        let own = recovery.and_then(|index| events.get(..index)).unwrap_or(events);
        let last = own.last();
        let mut state = RunState::fold(events);
        state.faults.extend(fault::cards(&state));
        Self {
            events,
            state,
            facts,
            end_ms: last.map_or(0, |event| event.elapsed_ms),
            ended_at: last.map_or(DateTime::UNIX_EPOCH, |event| event.at),
            recovered_at: recovery.and_then(|index| events.get(index)).map(|event| event.at),
            alarms: AlarmRecords::fold(events),
            owners: owners(facts, evidence),
        }
    }

    /// Whether the log ends in the middle of the run.
    fn is_crashed(&self) -> bool {
        self.state.outcome.is_none()
    }

    /// Whether a person did anything at all that the log knows of.
    fn has_people(&self) -> bool {
        let people = &self.state.people;
        let has_spoken = |entry: &JournalProgress| entry.by.as_deref() != Some(PROGRAM);
        let has_acted = |step: &StepProgress| {
            !step.votes.is_empty()
                || matches!(step.outcome, Some(StepOutcome::Done | StepOutcome::Skipped { .. } | StepOutcome::NoGo))
        };
        people.journal.iter().any(has_spoken)
            || self.state.steps.iter().any(has_acted)
            || !(people.joined.is_empty() && people.predictions.is_empty() && people.blocks.is_empty())
    }
}

/// The owner of the component whose function a target is, by target.
fn owners(facts: &Facts, evidence: &Evidence) -> BTreeMap<String, String> {
    let Some(Ok(workload)) = &evidence.kept.workload else { return BTreeMap::new() };
    let owner = |function: &str| {
        let is_it =
            |component: &&Component| component.lambda.as_ref().is_some_and(|lambda| lambda.function == function);
        workload.components.values().find(is_it).map(|component| component.owner.clone())
    };
    facts.functions.iter().filter_map(|(target, function)| Some((target.clone(), owner(function)?))).collect()
}

/// The timeline, with the number of each event and the name of its kind as the log has it. Nothing of it is blacked out.
pub(super) fn numbered_timeline(
    events: &[Event],
    facts: &Facts,
    evidence: &Evidence,
) -> Vec<(u64, String, TimelineEntry)> {
    let run = Run::new(events, facts, evidence);
    let numbered = events.iter().filter_map(|event| {
        let entry = timeline::entry(&run, event)?;
        Some((event.seq, event.kind.name(), entry))
    });
    numbered.collect()
}

impl Report {
    /// Makes the report of a run from its events, its plan and what else is in its folder.
    #[must_use]
    pub fn from_events(events: &[Event], plan: &Plan, evidence: &Evidence) -> Self {
        Self::from_facts(events, &Facts::of(plan), evidence)
    }

    /// Makes the report of a run from its events, the facts of its plan and what else is in its folder.
    #[must_use]
    pub fn from_facts(events: &[Event], facts: &Facts, evidence: &Evidence) -> Self {
        let run = Run::new(events, facts, evidence);
        let mut report = Self {
            format: REPORT_FORMAT,
            header: header::header(&run),
            summary: Vec::new(),
            why: None,
            hypotheses: hypothesis::hypotheses(&run, &evidence.files),
            predictions: Vec::new(),
            phases: header::phases(&run),
            faults: fault::faults(&run),
            alarms: alarm::alarms(&run),
            gates: hypothesis::gates(&run),
            guardrails: safety::guardrails(&run),
            steps: people::steps(&run),
            playbooks: Vec::new(),
            journal: people::journal(&run),
            loads: load::loads(&run, evidence),
            safety: safety::safety(&run),
            findings: Vec::new(),
            insights: Insights::default(),
            not_carried_out: facts.not_carried_out.clone(),
            timeline: timeline::timeline(&run),
            comparison: None,
            lessons: Vec::new(),
            actions: Vec::new(),
            practices: Vec::new(),
            effort: Effort::default(),
            evidence: evidence.files.clone(),
            evidence_gaps: safety::evidence_gaps(&run),
            debrief: learning::debrief(facts, evidence),
        };
        report.predictions = hypothesis::predictions(&run, &report.hypotheses, evidence);
        report.playbooks = people::playbooks(&report.steps);
        report.why = why::why(facts.why.as_ref(), evidence, &report.faults);
        report.lessons = learning::lessons(&run, evidence, &report);
        report.actions = learning::actions(evidence, &report);
        report.findings = finding::findings(&run, &report, evidence);
        report.insights = insights(&report, facts, evidence);
        report.practices = learning::practices(&report);
        report.effort = learning::effort(&run, &report);
        report.summary = summary::summary(&report);
        let mut report = report.redacted(&facts.redactions);
        // Blacked out both, or names that are the same would be taken for different ones.
        let previous = evidence.kept.previous.as_ref().map(|previous| redacted(previous, &facts.redactions));
        report.comparison = previous.map(|previous| Comparison::of(&previous, &Figures::of(&report)));
        report
    }
}
