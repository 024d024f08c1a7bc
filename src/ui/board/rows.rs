//! Rows for what is on: the clock, what comes next, loads, faults, guardrails, steps, messages, hints. All times are in milliseconds.

use serde::Serialize;

use super::{Board, View};
use crate::event::{FaultState, PhaseProgress, RunStage, StepAsks, StepOutcome, StepTime};
use crate::plan::Action;
use crate::unit::{AlarmState, elapsed_ms, printable};

/// Where the run is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClockRow {
    /// Since the run's start.
    pub now_ms: u64,
    /// Where it stands.
    pub stage: RunStage,
    /// The phase that is under way.
    pub phase: Option<PhaseRow>,
}

/// The phase that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhaseRow {
    /// Counts from 1.
    pub number: usize,
    /// How many there are; none where that is kept back.
    pub count: Option<usize>,
    /// Its name.
    pub name: String,
    /// How long it has lasted, pauses not counted.
    pub elapsed_ms: u64,
    /// How long it is meant to last; none where that is kept back.
    pub length_ms: Option<u64>,
    /// How long it has left; none where that is kept back.
    pub left_ms: Option<u64>,
    /// Its time is up, or its clock stands still, and it waits for these steps and people.
    pub waits_for: Vec<String>,
}

/// Something that happens next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextRow {
    /// In how long, if nothing holds the timeline up.
    pub in_ms: u64,
    /// What.
    pub text: String,
}

/// A load that runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoadRow {
    /// Its name.
    pub load: String,
    /// What is asked for: users, or arrivals a second.
    pub target: f64,
    /// Whether the target is arrivals a second.
    pub is_rate: bool,
    /// Requests that ended in its latest second.
    pub achieved: u64,
    /// The share of them that failed; none without requests.
    pub error_ratio: Option<f64>,
    /// The 50th percentile of its latest second.
    pub p50_ms: Option<f64>,
    /// The 99th percentile of its latest second.
    pub p99_ms: Option<f64>,
    /// The tightest bound on latency that a hypothesis sets.
    pub p99_bound_ms: Option<f64>,
    /// The tightest bound on the share of failures that a hypothesis sets.
    pub error_bound: Option<f64>,
    /// Whether a person paused it.
    pub is_paused: bool,
    /// Why its figures may tell of this machine and not of the server.
    pub doubts: Vec<String>,
}

/// A fault that is in, or on its way in or out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultRow {
    /// Its name.
    pub fault: String,
    /// Its target.
    pub target: String,
    /// The change in one line.
    pub change: String,
    /// Where it stands in its ledger; none for a card at the table.
    pub state: Option<FaultState>,
    /// Since when it is in.
    pub since_ms: Option<u64>,
    /// How long its own time limit leaves it; none without one.
    pub left_ms: Option<u64>,
    /// How long its own time limit is.
    pub length_ms: Option<u64>,
    /// What proved it.
    pub evidence: Option<String>,
}

/// A guardrail.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GuardrailRow {
    /// Its id.
    pub guardrail: String,
    /// What ends the run.
    pub limit: String,
    /// What it read last.
    pub reading: Option<String>,
    /// How near that is to the limit, from 0 to 1, where that can be said.
    pub nearness: Option<f64>,
}

/// An alarm that is in `ALARM`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlarmRow {
    /// Its name.
    pub alarm: String,
    /// When it first was, since the run's start; none for one that was before.
    pub since_ms: Option<u64>,
}

/// A step for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepRow {
    /// Its id.
    pub step: String,
    /// What is to be done.
    pub text: String,
    /// Who does it.
    pub owner: Option<String>,
    /// The playbook it comes from.
    pub playbook: Option<String>,
    /// The phase in which it was opened.
    pub phase: Option<String>,
    /// Whether it must be done.
    pub must: bool,
    /// How near its end its time is; of a closed one, how it was when it was closed.
    pub time: StepTime,
    /// How it was closed; none while it is open.
    pub outcome: Option<StepOutcome>,
    /// Who closed it.
    pub by: Option<String>,
    /// When it was closed, since the run's start.
    pub closed_ms: Option<u64>,
    /// What it asks for, beside that it is done.
    pub asks: StepAsks,
    /// What each role that is asked has said.
    pub polls: Vec<PollRow>,
}

/// What a role that is asked has said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PollRow {
    /// The role.
    pub role: String,
    /// Whether it agrees; none while it has not spoken.
    pub go: Option<bool>,
    /// Who spoke for it.
    pub by: Option<String>,
    /// Why.
    pub why: Option<String>,
}

/// A message that can be delivered, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InjectRow {
    /// Its name.
    pub inject: String,
    /// To whom.
    pub to: String,
    /// What it says.
    pub text: String,
    /// When it was delivered, since the run's start.
    pub delivered_ms: Option<u64>,
}

/// A hint that can be given, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HintRow {
    /// Its name.
    pub hint: String,
    /// The hypothesis that it belongs to.
    pub hypothesis: Option<String>,
    /// What it says.
    pub text: String,
    /// When it was given, since the run's start.
    pub given_ms: Option<u64>,
}

impl Board {
    /// Where the run is at `now_ms`.
    #[must_use]
    pub fn clock(&self, now_ms: u64) -> ClockRow {
        let phase = self.state.current_phase().map(|phase| self.phase_row(phase, now_ms));
        ClockRow { now_ms, stage: self.state.stage, phase }
    }

    fn phase_row(&self, phase: &PhaseProgress, now_ms: u64) -> PhaseRow {
        let number = self.state.phases.len();
        let planned = self.plan.phases.get(number.saturating_sub(1)).filter(|_| self.is_open());
        let elapsed = self.phase_elapsed_ms(phase, now_ms);
        let length_ms = planned.map(|planned| elapsed_ms(planned.length.0));
        let left_ms = length_ms.map(|length_ms| length_ms.saturating_sub(elapsed));
        PhaseRow {
            number,
            count: self.is_open().then_some(self.plan.phases.len()),
            name: phase.phase.to_string(),
            elapsed_ms: elapsed,
            length_ms,
            left_ms,
            waits_for: if left_ms == Some(0) || phase.held_since_ms.is_some() {
                self.waits_for(number)
            } else {
                Vec::new()
            },
        }
    }

    /// How long a phase has lasted, without the time in which it stood still.
    fn phase_elapsed_ms(&self, phase: &PhaseProgress, now_ms: u64) -> u64 {
        let stopped = self.state.paused_since_ms.into_iter().chain(phase.held_since_ms).min();
        let now_ms = stopped.unwrap_or(now_ms).min(now_ms);
        now_ms.saturating_sub(phase.start_ms).saturating_sub(phase.paused_ms)
    }

    /// What a phase whose time is up, or whose clock stands still, waits for.
    fn waits_for(&self, number: usize) -> Vec<String> {
        let steps = self.state.steps.iter().filter(|step| step.is_open() && (step.must || !step.asks.poll.is_empty()));
        let mut waits: Vec<String> = steps.map(|step| format!("step {}", step.step)).collect();
        if number == 1 {
            let required = self.plan.scenario.people.iter().filter(|(_, person)| person.required);
            let missing = required.filter(|(role, _)| !self.state.people.joined.contains_key(*role));
            waits.extend(missing.map(|(role, _)| format!("{role} to join")));
        }
        waits
    }

    /// What the timeline does next, the nearest first; nothing where that is kept back.
    #[must_use]
    pub fn next(&self, now_ms: u64) -> Vec<NextRow> {
        let Some(phase) = self.state.current_phase().filter(|_| self.is_open()) else { return Vec::new() };
        let index = self.state.phases.len().saturating_sub(1);
        let Some(planned) = self.plan.phases.get(index) else { return Vec::new() };
        // Nominal time, from the timeline's start.
        let now = elapsed_ms(planned.start.0) + self.phase_elapsed_ms(phase, now_ms).min(elapsed_ms(planned.length.0));
        let mut rows: Vec<NextRow> = Vec::new();
        for step in self.plan.steps.iter().filter(|step| step.phase >= index) {
            let at = elapsed_ms(step.start.0);
            if at > now && !self.is_done(&step.action) {
                rows.push(NextRow { in_ms: at - now, text: step.action.to_string() });
            }
        }
        for later in self.plan.phases.iter().skip(index + 1) {
            let at = elapsed_ms(later.start.0);
            rows.push(NextRow { in_ms: at.saturating_sub(now), text: format!("phase {}", later.phase) });
        }
        let end = elapsed_ms(self.plan.length());
        rows.push(NextRow { in_ms: end.saturating_sub(now), text: "the end of the timeline".to_owned() });
        rows.sort_by_key(|row| row.in_ms);
        rows
    }

    /// Whether somebody has done by hand already what the timeline would do.
    fn is_done(&self, action: &Action) -> bool {
        let people = &self.state.people;
        match action {
            Action::DealCard(fault) => people.card(fault).is_some(),
            Action::DeliverInject { inject, .. } => people.injects.iter().any(|it| it.inject == *inject),
            Action::StartLoad(_)
            | Action::StopLoad(_)
            | Action::InjectFault { .. }
            | Action::UndoFault(_)
            | Action::TakeCard(_) => false,
        }
    }

    /// The loads that run.
    #[must_use]
    pub fn loads(&self) -> Vec<LoadRow> {
        let running = self.state.loads.iter().filter(|(_, load)| load.end_ms.is_none());
        let row = |(id, load): (&crate::unit::LoadId, &crate::event::LoadProgress)| {
            let second = load.last.as_ref()?;
            let all = second.ok_count + second.failed_count;
            #[expect(clippy::cast_precision_loss, reason = "requests of one second are far below 2^52")]
            let error_ratio = (all > 0).then(|| second.failed_count as f64 / all as f64);
            let (p99_bound_ms, error_bound) = self.facts.tightest_bounds(id.as_str());
            Some(LoadRow {
                load: id.to_string(),
                target: second.target,
                is_rate: self.plan.loads.get(id).is_some_and(crate::load::LoadSpec::is_open),
                achieved: all,
                error_ratio,
                p50_ms: second.p50_ms,
                p99_ms: second.p99_ms,
                p99_bound_ms,
                error_bound,
                is_paused: load.is_paused,
                doubts: second.doubts.clone(),
            })
        };
        running.filter_map(row).collect()
    }

    /// The faults that are in, or on their way; at the table, the cards that lie on it.
    #[must_use]
    pub fn faults(&self, now_ms: u64) -> Vec<FaultRow> {
        let active = self.state.faults.iter().filter(|fault| fault.is_outstanding() && !fault.identity.is_route());
        let faults = active.map(|fault| {
            let limit = self.plan.changes.get(&fault.identity.fault).and_then(|change| change.spec.ttl);
            let end_ms = limit.and_then(|limit| Some(fault.applied_ms? + elapsed_ms(limit.0)));
            FaultRow {
                fault: fault.identity.fault.to_string(),
                target: fault.target.to_string(),
                change: printable(&fault.change),
                state: Some(fault.state),
                since_ms: fault.applied_ms,
                left_ms: end_ms.map(|end_ms| end_ms.saturating_sub(now_ms)),
                length_ms: limit.map(|limit| elapsed_ms(limit.0)),
                evidence: fault.evidence.as_deref().map(printable),
            }
        });
        let cards = self.state.people.cards.iter().filter(|card| card.taken_ms.is_none()).map(|card| FaultRow {
            fault: card.fault.to_string(),
            target: card.target.to_string(),
            change: printable(&card.text),
            state: None,
            since_ms: Some(card.dealt_ms),
            left_ms: None,
            length_ms: None,
            evidence: None,
        });
        faults.chain(cards).collect()
    }

    /// The guardrails with what they read last; nothing where that is kept back.
    #[must_use]
    pub fn guardrails(&self) -> Vec<GuardrailRow> {
        let planned = self.plan.guardrails.iter().filter(|_| self.is_open());
        let row = |planned: &crate::plan::GuardrailPlan| GuardrailRow {
            guardrail: planned.id.to_string(),
            limit: planned.rule.to_string(),
            reading: self.state.guardrails.get(&planned.id).map(|reading| printable(reading)),
            nearness: self.state.nearness.get(&planned.id).copied(),
        };
        planned.map(row).collect()
    }

    /// The alarms that are in `ALARM`.
    #[must_use]
    pub fn alarms(&self) -> Vec<AlarmRow> {
        let ringing = self.state.alarms.iter().filter(|(_, state)| **state == AlarmState::Alarm);
        let row = |(alarm, _): (&String, &AlarmState)| AlarmRow {
            alarm: printable(alarm),
            since_ms: self.state.people.alarmed_ms.get(alarm).copied(),
        };
        ringing.map(row).collect()
    }

    /// The steps of people, open ones first, each in the order in which they were opened.
    #[must_use]
    pub fn steps(&self, now_ms: u64) -> Vec<StepRow> {
        let row = |step: &crate::event::StepProgress| {
            let asked = step.asks.poll.iter().chain(&step.asks.needs);
            let polls = asked.map(|role| {
                let vote = step.vote_of(role);
                PollRow {
                    role: role.to_string(),
                    go: vote.map(|vote| vote.go),
                    by: vote.and_then(|vote| vote.by.as_deref()).map(printable),
                    why: vote.and_then(|vote| vote.why.as_deref()).map(printable),
                }
            });
            StepRow {
                step: step.step.to_string(),
                text: printable(&step.text),
                owner: step.owner.as_ref().map(ToString::to_string),
                playbook: step.playbook.as_ref().map(ToString::to_string),
                phase: step.phase.as_ref().map(ToString::to_string),
                must: step.must,
                time: step.time(step.closed_ms.unwrap_or(now_ms), self.state.paused_since_ms),
                outcome: step.outcome.clone(),
                by: step.by.as_deref().map(printable),
                closed_ms: step.closed_ms,
                asks: step.asks.clone(),
                polls: polls.collect(),
            }
        };
        let mut rows: Vec<StepRow> = self.state.steps.iter().map(row).collect();
        rows.sort_by_key(|row| row.outcome.is_some());
        rows
    }

    /// The messages: for whoever runs the game day all of them, for everybody else those that were delivered.
    #[must_use]
    pub fn injects(&self) -> Vec<InjectRow> {
        let delivered = &self.state.people.injects;
        let of = |inject: &str, to: &str, text: &str, delivered_ms| InjectRow {
            inject: inject.to_owned(),
            to: to.to_owned(),
            text: printable(text),
            delivered_ms,
        };
        if self.view == View::Participant {
            let row =
                |it: &crate::event::InjectProgress| of(it.inject.as_str(), it.to.as_str(), &it.text, Some(it.at_ms));
            return delivered.iter().map(row).collect();
        }
        let planned = self.plan.injects.iter().map(|(id, inject)| {
            let at_ms = delivered.iter().find(|it| it.inject == *id).map(|it| it.at_ms);
            of(id.as_str(), inject.to.as_str(), &inject.text, at_ms)
        });
        planned.collect()
    }

    /// The hints: for whoever runs the game day all of them, for everybody else those that were given.
    #[must_use]
    pub fn hints(&self) -> Vec<HintRow> {
        let given = &self.state.people.hints;
        if self.view == View::Participant {
            let row = |it: &crate::event::HintProgress| HintRow {
                hint: it.hint.to_string(),
                hypothesis: it.hypothesis.as_ref().map(ToString::to_string),
                text: printable(&it.text),
                given_ms: Some(it.at_ms),
            };
            return given.iter().map(row).collect();
        }
        let row = |hint: &crate::plan::HintPlan| HintRow {
            hint: hint.id.to_string(),
            hypothesis: hint.hypothesis.as_ref().map(ToString::to_string),
            text: printable(&hint.text),
            given_ms: given.iter().find(|it| it.hint == hint.id).map(|it| it.at_ms),
        };
        self.plan.hints.iter().map(row).collect()
    }
}
