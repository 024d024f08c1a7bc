//! Who looks: the facilitator sees everything; participants of a blind drill see no faults, no load and no phase names until these are
//! revealed.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{AbortCause, Event, EventKind};
use crate::plan::Plan;
use crate::unit::{FaultId, PersonId, StepId};

/// Whose view it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Whoever runs the game day.
    Facilitator,
    /// Whoever takes part in it.
    Participant,
}

/// The roles that run a game day and do not play: what is for them gives things away.
const ORGANISERS: [&str; 5] = ["facilitator", "owner", "scribe", "safety", "operator"];

/// Whether a role runs the game day, by the field's usual names.
fn is_organiser(role: &PersonId) -> bool {
    ORGANISERS.contains(&role.as_str())
}

/// Lets through what a view may show, in the order of the log. What it keeps back comes when it is revealed.
#[derive(Debug)]
pub struct Veil {
    is_lifted: bool,
    faults: BTreeSet<FaultId>,
    /// Whether people know of something, from which on the playbook of a phase gives nothing away.
    is_detected: bool,
    /// The names of those who play.
    players: BTreeMap<PersonId, String>,
    shown_steps: BTreeSet<StepId>,
    phase_count: usize,
    /// What was kept back and is told on `Revealed`; seconds and samples are not, of which there is no end.
    kept: Vec<Event>,
}

impl Veil {
    /// The veil of a view on a run of `plan`.
    #[must_use]
    pub fn new(plan: &Plan, view: View) -> Self {
        let is_blind = plan.scenario.people.values().any(|person| person.blind);
        Self {
            is_lifted: view == View::Facilitator || !is_blind,
            faults: BTreeSet::new(),
            is_detected: false,
            players: BTreeMap::new(),
            shown_steps: BTreeSet::new(),
            phase_count: 0,
            kept: Vec::new(),
        }
    }

    /// Whether nothing is kept back any more.
    #[must_use]
    pub fn is_lifted(&self) -> bool {
        self.is_lifted
    }

    /// What may be shown now that `event` has come: nothing, it or what stands for it, and what it reveals before it.
    pub fn pass(&mut self, event: &Event) -> Vec<Event> {
        if self.is_lifted {
            return vec![event.clone()];
        }
        match &event.kind {
            EventKind::Revealed { fault: None, .. } => {
                self.is_lifted = true;
                let mut shown = std::mem::take(&mut self.kept);
                shown.push(event.clone());
                shown
            }
            EventKind::Revealed { fault: Some(fault), .. } => {
                self.faults.insert(fault.clone());
                let is_of = |kept: &Event| kept.kind.fault().is_some_and(|it| it.fault == *fault);
                let (shown, kept) = std::mem::take(&mut self.kept).into_iter().partition(is_of);
                self.kept = kept;
                let mut shown: Vec<Event> = shown;
                shown.push(event.clone());
                shown
            }
            EventKind::Acknowledged { .. } | EventKind::Marked { .. } if !self.is_detected => {
                self.is_detected = true;
                let is_step = |kept: &Event| step_of(&kept.kind).is_some();
                let (steps, kept): (Vec<Event>, _) = std::mem::take(&mut self.kept).into_iter().partition(is_step);
                self.kept = kept;
                let mut shown: Vec<Event> = self.shown(event).into_iter().collect();
                for step in steps {
                    match self.shown(&step) {
                        Some(step) => shown.push(step),
                        None => self.kept.push(step),
                    }
                }
                shown
            }
            _ => match self.shown(event) {
                Some(shown) => vec![shown],
                None => {
                    if is_worth_keeping(&event.kind) {
                        self.kept.push(event.clone());
                    }
                    Vec::new()
                }
            },
        }
    }

    /// What stands for an event while the veil is down.
    fn shown(&mut self, event: &Event) -> Option<Event> {
        let kind = match &event.kind {
            EventKind::RunStarted { .. } => self.start(&event.kind)?,
            EventKind::PhaseStarted { .. } => {
                self.phase_count += 1;
                EventKind::PhaseStarted { phase: phase_name(self.phase_count)? }
            }
            EventKind::PhaseEnded { why, .. } => {
                EventKind::PhaseEnded { phase: phase_name(self.phase_count)?, why: *why }
            }
            EventKind::ReadinessPassed { .. } => EventKind::ReadinessPassed { checks: Vec::new() },
            EventKind::StepOpened { step, owner, playbook, asks, .. } => {
                let is_for_players = owner.as_ref().is_none_or(|owner| !is_organiser(owner))
                    || asks.poll.iter().any(|role| !is_organiser(role));
                if !is_for_players || (playbook.is_some() && !self.is_detected) {
                    return None;
                }
                self.shown_steps.insert(step.clone());
                event.kind.clone()
            }
            EventKind::StepTimed { step, .. }
            | EventKind::StepOverdue { step }
            | EventKind::Voted { step, .. }
            | EventKind::StepClosed { step, .. } => self.shown_steps.contains(step).then(|| event.kind.clone())?,
            EventKind::InjectDelivered { to, .. } => (!is_organiser(to)).then(|| event.kind.clone())?,
            EventKind::HintGiven { hint, text, by, .. } => {
                EventKind::HintGiven { hint: hint.clone(), hypothesis: None, text: text.clone(), by: by.clone() }
            }
            EventKind::Joined { role, by } => {
                if !is_organiser(role) {
                    self.players.extend(by.clone().map(|by| (role.clone(), by)));
                }
                event.kind.clone()
            }
            EventKind::Noted { by, .. } => self.is_player(by.as_deref()).then(|| event.kind.clone())?,
            EventKind::Marked { name, by, component, text, .. } => {
                let is_player = self.is_player(by.as_deref());
                let text = text.clone().filter(|_| is_player);
                let component = component.clone().filter(|_| is_player);
                EventKind::Marked { name: name.clone(), fault: None, by: by.clone(), component, text }
            }
            EventKind::RunAborted { cause } => EventKind::RunAborted { cause: told_cause(cause) },
            EventKind::RunDirty { .. } => EventKind::RunDirty { left: Vec::new() },
            EventKind::AlarmFound { .. }
            | EventKind::AlarmTransitioned { .. }
            | EventKind::AlarmUnseen { .. }
            | EventKind::AlarmLost { .. }
            | EventKind::Acknowledged { .. }
            | EventKind::RunPaused { .. }
            | EventKind::RunResumed { .. }
            | EventKind::RunRecovering
            | EventKind::RunSettled
            | EventKind::RunEnded { .. }
            | EventKind::RecoveryStarted { .. }
            | EventKind::CardDealt { .. }
            | EventKind::CardTaken { .. }
            | EventKind::BlockStarted { .. }
            | EventKind::BlockEnded { .. }
            | EventKind::Revealed { .. } => event.kind.clone(),
            kind if kind.fault().is_some_and(|it| self.faults.contains(&it.fault)) => kind.clone(),
            _ => return None,
        };
        Some(Event { kind, ..event.clone() })
    }

    /// The first event without what a scenario's names give away.
    fn start(&self, kind: &EventKind) -> Option<EventKind> {
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

    fn is_player(&self, name: Option<&str>) -> bool {
        name.is_some_and(|name| self.players.values().any(|player| player == name))
    }
}

/// Phases have telling names; players see their number.
fn phase_name(number: usize) -> Option<crate::unit::PhaseId> {
    format!("part-{number}").parse().ok()
}

fn step_of(kind: &EventKind) -> Option<&StepId> {
    match kind {
        EventKind::StepOpened { step, .. }
        | EventKind::StepTimed { step, .. }
        | EventKind::StepOverdue { step }
        | EventKind::Voted { step, .. }
        | EventKind::StepClosed { step, .. } => Some(step),
        _ => None,
    }
}

/// What comes each second has no end, and says nothing later that the report does not say better.
fn is_worth_keeping(kind: &EventKind) -> bool {
    !matches!(
        kind,
        EventKind::LoadRecorded(_)
            | EventKind::ProxyRecorded(_)
            | EventKind::SignalSampled { .. }
            | EventKind::GuardrailRead { .. }
            | EventKind::SwitchPushed { .. }
            | EventKind::PhaseStarted { .. }
            | EventKind::PhaseEnded { .. }
    )
}

/// Why a run was aborted, without what that gives away.
fn told_cause(cause: &AbortCause) -> AbortCause {
    match cause {
        AbortCause::Person { .. } | AbortCause::Signal { .. } | AbortCause::Guardrail { .. } => cause.clone(),
        AbortCause::LoadLost { .. }
        | AbortCause::FaultFailed { .. }
        | AbortCause::NotReady { .. }
        | AbortCause::Internal { .. } => AbortCause::Internal { error: "the run could not go on".to_owned() },
    }
}
