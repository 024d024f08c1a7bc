//! Events and facts become a [`Report`]: a pure function, one file a topic.

mod alarm;
mod fault;
mod finding;
mod header;
mod hypothesis;
mod load;
mod people;
mod proxy;
mod response;
mod safety;
mod summary;
mod switch;
mod timeline;
mod window;

use chrono::{DateTime, Utc};

use super::facts::Facts;
use super::folder::Evidence;
use super::model::{REPORT_FORMAT, Report};
use crate::event::{AlarmRecords, Event, EventKind, RunState, StepOutcome};
use crate::plan::Plan;

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
}

impl<'a> Run<'a> {
    fn new(events: &'a [Event], facts: &'a Facts) -> Self {
        let recovery = events.iter().position(|event| matches!(event.kind, EventKind::RecoveryStarted { .. }));
        let own = recovery.and_then(|index| events.get(..index)).unwrap_or(events);
        let last = own.last();
        Self {
            events,
            state: RunState::fold(events),
            facts,
            end_ms: last.map_or(0, |event| event.elapsed_ms),
            ended_at: last.map_or(DateTime::UNIX_EPOCH, |event| event.at),
            recovered_at: recovery.and_then(|index| events.get(index)).map(|event| event.at),
            alarms: AlarmRecords::fold(events),
        }
    }

    /// Whether the log ends in the middle of the run.
    fn is_crashed(&self) -> bool {
        self.state.outcome.is_none()
    }

    /// Whether a person did anything at all that the log knows of.
    fn has_people(&self) -> bool {
        self.events.iter().any(|event| match &event.kind {
            EventKind::Acknowledged { .. } | EventKind::Marked { .. } | EventKind::Noted { .. } => true,
            EventKind::StepClosed { outcome, .. } => {
                matches!(outcome, StepOutcome::Done | StepOutcome::Skipped { .. })
            }
            _ => false,
        })
    }
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
        let run = Run::new(events, facts);
        let mut report = Self {
            format: REPORT_FORMAT,
            header: header::header(&run),
            summary: Vec::new(),
            why: facts.why.clone(),
            hypotheses: hypothesis::hypotheses(&run, &evidence.files),
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
            not_carried_out: facts.not_carried_out.clone(),
            timeline: timeline::timeline(&run),
            evidence: evidence.files.clone(),
            debrief: facts.debrief.clone(),
        };
        report.playbooks = people::playbooks(&report.steps);
        report.findings = finding::findings(&run, &report);
        report.summary = summary::summary(&report);
        report.redacted(&facts.redactions)
    }
}
