//! Who looks: the facilitator sees everything; participants of a blind drill see no faults, no load and no phase names until these are
//! revealed.

use std::collections::{BTreeMap, BTreeSet};

use super::cast::Cast;
use super::kept::Kept;
use crate::event::{AbortCause, Event, EventKind, PROGRAM, RunState};
use crate::plan::Plan;
use crate::unit::{AlarmState, Anchor, FaultId, InjectId, StepId, Within};

/// Whose view it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Whoever runs the game day.
    Facilitator,
    /// Whoever takes part in it.
    Participant,
}

/// The mark by which people say that they know of something.
const DETECTED: &str = "detected";

/// Lets through what a view may show, in the order of the log. What it keeps back comes when it is revealed: lines as many as are kept
/// (see `kept.rs`), and how the run stands from [`Self::lifted`], which knows all of it.
#[derive(Debug)]
pub struct Veil {
    is_lifted: bool,
    /// The run as it is, until it is handed over.
    truth: Option<Box<RunState>>,
    cast: Cast,
    told: Told,
    /// Whether people know of something in this phase, from which on its playbook gives nothing away.
    is_detected: bool,
    shown_steps: BTreeSet<StepId>,
    /// Steps that are shown without what their time is counted from, which would give it away, and that.
    blanked: BTreeMap<StepId, Within>,
    /// Those of them of which it may be told by now.
    restored: Vec<(StepId, Within)>,
    phase_count: usize,
    /// Whether something has become known that lets steps be shown.
    has_learnt: bool,
    kept: Kept,
}

/// What has been shown of all that the time of a step may be counted from.
#[derive(Debug, Default)]
struct Told {
    faults: BTreeSet<FaultId>,
    injects: BTreeSet<InjectId>,
    /// Alarms that went to `ALARM`.
    alarms: BTreeSet<String>,
}

impl Veil {
    /// The veil of a view on a run of `plan`.
    #[must_use]
    pub fn new(plan: &Plan, view: View) -> Self {
        let is_lifted = view == View::Facilitator || !plan.is_blind();
        Self {
            is_lifted,
            truth: (!is_lifted).then(Box::default),
            cast: Cast::of(plan),
            told: Told::default(),
            is_detected: false,
            shown_steps: BTreeSet::new(),
            blanked: BTreeMap::new(),
            restored: Vec::new(),
            phase_count: 0,
            has_learnt: false,
            kept: Kept::default(),
        }
    }

    /// Whether nothing is kept back any more.
    #[must_use]
    pub fn is_lifted(&self) -> bool {
        self.is_lifted
    }

    /// What may be shown now that `event` has come: nothing, it or what stands for it, and what it reveals.
    pub fn pass(&mut self, event: &Event) -> Vec<Event> {
        if self.is_lifted {
            return vec![event.clone()];
        }
        if let Some(truth) = &mut self.truth {
            truth.apply(event);
        }
        let mut shown = Vec::new();
        if let EventKind::Revealed { fault, .. } = &event.kind {
            let Some(fault) = fault else { return self.lift(event) };
            shown = self.kept.take_fault(fault);
        }
        match self.shown(event, self.phase_count) {
            Some(event) => shown.push(event),
            None => self.kept.push(event, self.phase_count),
        }
        // A step that is shown may be what the time of another is counted from.
        while std::mem::take(&mut self.has_learnt) {
            shown.extend(self.show_steps());
        }
        shown
    }

    /// How the run stands, once, when the veil was lifted: with all that was kept back, and under its own names.
    pub fn lifted(&mut self) -> Option<RunState> {
        self.truth.take_if(|_| self.is_lifted).map(|truth| *truth)
    }

    /// What the time of steps that are shown is counted from, where that was kept back so far.
    pub fn restored(&mut self) -> Vec<(StepId, Within)> {
        std::mem::take(&mut self.restored)
    }

    fn lift(&mut self, event: &Event) -> Vec<Event> {
        self.is_lifted = true;
        let (kept, dropped_count) = self.kept.take_all();
        let mut shown = Vec::with_capacity(kept.len() + 2);
        if dropped_count > 0 {
            let text = format!("more was hidden than is kept: {dropped_count} earlier lines are not shown");
            shown.push(Event { kind: EventKind::Noted { text, by: Some(PROGRAM.to_owned()) }, ..event.clone() });
        }
        shown.extend(kept);
        shown.push(event.clone());
        shown
    }

    /// What may be shown of steps by what has become known.
    fn show_steps(&mut self) -> Vec<Event> {
        let told = &self.told;
        let is_told = |within: &Within| within.after.as_ref().is_none_or(|after| told.knows(after, &self.shown_steps));
        let restored = self.blanked.extract_if(.., |_, within| is_told(within));
        self.restored.extend(restored);
        let mut kept = std::mem::take(&mut self.kept);
        let shown = kept.take_steps(|event, phase| self.shown(event, phase));
        self.kept = kept;
        shown
    }

    /// What stands for an event while the veil is down; it came when `phase` phases had begun.
    #[expect(clippy::too_many_lines, reason = "one table over every kind: each line is an arm")]
    fn shown(&mut self, event: &Event, phase: usize) -> Option<Event> {
        let kind = match &event.kind {
            EventKind::RunStarted { .. } => start(&event.kind)?,
            EventKind::PhaseStarted { .. } => {
                self.phase_count += 1;
                self.is_detected = false;
                EventKind::PhaseStarted { phase: phase_name(self.phase_count)? }
            }
            EventKind::PhaseEnded { why, .. } => {
                EventKind::PhaseEnded { phase: phase_name(self.phase_count)?, why: *why }
            }
            EventKind::ReadinessPassed { .. } => EventKind::ReadinessPassed { checks: Vec::new() },
            EventKind::StepOpened { .. } => self.opened(&event.kind, phase)?,
            EventKind::StepTimed { step, due_ms } if self.is_timer_shown(step) => {
                EventKind::StepTimed { step: step.clone(), due_ms: self.due_ms(step).unwrap_or(*due_ms) }
            }
            EventKind::StepOverdue { step } if self.is_timer_shown(step) => event.kind.clone(),
            EventKind::StepTimed { .. } | EventKind::StepOverdue { .. } => return None,
            EventKind::Voted { step, .. } => self.shown_steps.contains(step).then(|| event.kind.clone())?,
            EventKind::StepClosed { step, .. } => self.shown_steps.contains(step).then(|| event.kind.clone())?,
            EventKind::InjectDelivered { inject, to, .. } => {
                if self.cast.is_organiser(to) {
                    return None;
                }
                self.has_learnt |= self.told.injects.insert(inject.clone());
                event.kind.clone()
            }
            EventKind::HintGiven { hint, text, by, .. } => {
                EventKind::HintGiven { hint: hint.clone(), hypothesis: None, text: text.clone(), by: by.clone() }
            }
            EventKind::Joined { role, by } => {
                self.cast.join(role, by.as_deref());
                event.kind.clone()
            }
            EventKind::Noted { by, .. } | EventKind::BlockStarted { by, .. } | EventKind::BlockEnded { by, .. } => {
                self.cast.is_player(by.as_deref()).then(|| event.kind.clone())?
            }
            EventKind::Marked { .. } => self.marked(&event.kind)?,
            EventKind::Acknowledged { .. } => {
                self.detect();
                event.kind.clone()
            }
            EventKind::AlarmTransitioned { alarm, to, .. } => {
                self.has_learnt |= *to == AlarmState::Alarm && self.told.alarms.insert(alarm.clone());
                event.kind.clone()
            }
            EventKind::CardDealt { fault, .. } | EventKind::Revealed { fault: Some(fault), .. } => {
                self.has_learnt |= self.told.faults.insert(fault.clone());
                event.kind.clone()
            }
            EventKind::RunAborted { cause } => EventKind::RunAborted { cause: self.told_cause(cause) },
            EventKind::RunDirty { .. } => EventKind::RunDirty { left: Vec::new() },
            EventKind::AlarmFound { .. }
            | EventKind::AlarmUnseen { .. }
            | EventKind::AlarmLost { .. }
            | EventKind::RunPaused { .. }
            | EventKind::RunResumed { .. }
            | EventKind::RunRecovering
            | EventKind::RunSettled
            | EventKind::RunEnded { .. }
            | EventKind::RecoveryStarted { .. }
            | EventKind::CardTaken { .. }
            | EventKind::Revealed { fault: None, .. } => event.kind.clone(),
            // Only what breaks something waits so.
            EventKind::PhaseHeld { .. } | EventKind::PhaseReleased { .. } => return None,
            EventKind::FaultIntended { identity, .. }
            | EventKind::FaultArmed { identity, .. }
            | EventKind::FaultApplied { identity }
            | EventKind::FaultFailed { identity, .. }
            | EventKind::FaultEffective { identity, .. }
            | EventKind::FaultLost { identity, .. }
            | EventKind::FaultReverting { identity }
            | EventKind::FaultRestored { identity, .. }
            | EventKind::FaultDrifted { identity, .. }
            | EventKind::FaultStuck { identity, .. }
            | EventKind::SwitchIntended { identity, .. }
            | EventKind::SwitchSet { identity }
            | EventKind::SwitchPushed { identity, .. }
            | EventKind::SwitchFailed { identity, .. }
            | EventKind::SwitchDeleted { identity }
            | EventKind::SwitchLeft { identity, .. } => {
                self.told.faults.contains(&identity.fault).then(|| event.kind.clone())?
            }
            EventKind::RunApproved { .. }
            | EventKind::ScheduleOverridden { .. }
            | EventKind::ProcessStarted { .. }
            | EventKind::GateJudged { .. }
            | EventKind::LoadStarted { .. }
            | EventKind::LoadRecorded(_)
            | EventKind::ProxyRecorded(_)
            | EventKind::LoadSteered { .. }
            | EventKind::LoadEnded { .. }
            | EventKind::LoadLost { .. }
            | EventKind::SignalSampled { .. }
            | EventKind::MetricRead { .. }
            | EventKind::MetricsUnread { .. }
            | EventKind::MetricsReread
            | EventKind::AlarmHistoryRead { .. }
            | EventKind::AlarmsUnread { .. }
            | EventKind::AlarmsReread
            | EventKind::LockIntended { .. }
            | EventKind::LockTaken { .. }
            | EventKind::LockFailed { .. }
            | EventKind::LockLost { .. }
            | EventKind::LockKept
            | EventKind::LockReleased
            | EventKind::ActionSkipped { .. }
            | EventKind::PredictionSealed { .. }
            | EventKind::GuardrailWarned { .. }
            | EventKind::GuardrailRead { .. }
            | EventKind::GuardrailTripped { .. }
            | EventKind::SettleJudged { .. }
            | EventKind::HypothesisJudged(_)
            | EventKind::NoticeSent { .. }
            | EventKind::NoticeFailed { .. }
            | EventKind::EvidenceKept(_)
            | EventKind::Unknown(_) => return None,
        };
        Some(Event { kind, ..event.clone() })
    }

    /// A step that is for players, and, where it is a playbook's, once they know of something in its phase.
    fn opened(&mut self, kind: &EventKind, phase: usize) -> Option<EventKind> {
        let mut kind = kind.clone();
        let EventKind::StepOpened { step, owner, due_ms, playbook, asks, .. } = &mut kind else { return None };
        let is_for_players = owner.as_ref().is_none_or(|owner| !self.cast.is_organiser(owner))
            || asks.poll.iter().any(|role| !self.cast.is_organiser(role));
        let is_known = playbook.is_none() || (self.is_detected && phase == self.phase_count);
        if !is_for_players || !is_known {
            // The same step may have been shown in an earlier phase: what happens to it now is not what is shown of that.
            if phase == self.phase_count {
                self.shown_steps.remove(step);
                self.blanked.remove(step);
            }
            return None;
        }
        let is_told =
            |within: &Within| within.after.as_ref().is_none_or(|after| self.told.knows(after, &self.shown_steps));
        match asks.within.take_if(|within| !is_told(within)) {
            Some(within) => drop(self.blanked.insert(step.clone(), within)),
            None => drop(self.blanked.remove(step)),
        }
        if due_ms.is_some() {
            // It may have been put off by a pause since.
            *due_ms = self.due_ms(step).or(*due_ms);
        }
        self.has_learnt |= self.shown_steps.insert(step.clone());
        Some(kind)
    }

    fn is_timer_shown(&self, step: &StepId) -> bool {
        self.shown_steps.contains(step) && !self.blanked.contains_key(step)
    }

    /// When a step is due by now.
    fn due_ms(&self, step: &StepId) -> Option<u64> {
        self.truth.as_ref()?.steps.iter().rev().find(|progress| progress.step == *step)?.due_ms
    }

    fn detect(&mut self) {
        self.has_learnt |= !std::mem::replace(&mut self.is_detected, true);
    }

    fn marked(&mut self, kind: &EventKind) -> Option<EventKind> {
        let EventKind::Marked { name, by, component, text, .. } = kind else { return None };
        if name == DETECTED {
            self.detect();
        }
        let is_player = self.cast.is_player(by.as_deref());
        let text = text.clone().filter(|_| is_player);
        let component = component.clone().filter(|_| is_player);
        Some(EventKind::Marked { name: name.clone(), fault: None, by: by.clone(), component, text })
    }

    /// Why a run was aborted, where a player says so; anything else may give something away, and nobody and nothing stands for it.
    fn told_cause(&self, cause: &AbortCause) -> AbortCause {
        match cause {
            AbortCause::Person { by, .. } if self.cast.is_player(by.as_deref()) => cause.clone(),
            AbortCause::Person { .. }
            | AbortCause::Signal { .. }
            | AbortCause::Guardrail { .. }
            | AbortCause::LoadLost { .. }
            | AbortCause::FaultFailed { .. }
            | AbortCause::NotReady { .. }
            | AbortCause::Internal { .. } => AbortCause::Person { why: None, by: None },
        }
    }
}

impl Told {
    /// Whether players know of what a step's time is counted from; marks are theirs.
    fn knows(&self, after: &Anchor, shown_steps: &BTreeSet<StepId>) -> bool {
        match after {
            Anchor::Mark(_) | Anchor::Ack => true,
            Anchor::Fault(fault) => self.faults.contains(fault),
            Anchor::Inject(inject) => self.injects.contains(inject),
            Anchor::Step(step) => shown_steps.contains(step),
            Anchor::Alarm(alarm) => self.alarms.contains(alarm.as_str()),
        }
    }
}

/// The first event without what a scenario's names give away.
fn start(kind: &EventKind) -> Option<EventKind> {
    let EventKind::RunStarted { format, run, environment, version, .. } = kind else { return None };
    // A run's id begins with its date and time.
    let moment: String = run.as_str().split('-').take(4).collect::<Vec<_>>().join("-");
    Some(EventKind::RunStarted {
        format: *format,
        run: moment.parse().or_else(|_| "run".parse()).ok()?,
        scenario: "game-day".parse().ok()?,
        title: "Game day".to_owned(),
        environment: environment.clone(),
        version: version.clone(),
        seed: 0,
        plan_sha256: String::new(),
        process: 0,
    })
}

/// Phases have telling names; players see their number.
fn phase_name(number: usize) -> Option<crate::unit::PhaseId> {
    format!("part-{number}").parse().ok()
}
