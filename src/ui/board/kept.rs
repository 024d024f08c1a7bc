//! What a veil keeps back until it is revealed, within bounds.

use std::collections::VecDeque;

use crate::event::{Event, EventKind};
use crate::unit::FaultId;

/// How many events are kept back at most.
pub(super) const KEPT_EVENTS_MAX: usize = 10_000;
/// How many bytes they may have together, as the log writes them: a note may be almost 64 KiB long.
pub(super) const KEPT_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// An event that was kept back.
#[derive(Debug)]
struct KeptEvent {
    event: Event,
    /// How many phases had begun by then.
    phase: usize,
    byte_count: usize,
    worth: Worth,
}

/// What it is worth to keep an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Worth {
    /// It has no line, comes without end, or is never kept back.
    Nothing,
    /// Its line, once everything is revealed.
    Line,
    /// It is told when a fault is revealed alone or a playbook appears, or other lines are made with it.
    State,
}

/// Events in the order of the log, at most [`KEPT_EVENTS_MAX`] and [`KEPT_BYTES_MAX`]. Beyond these the oldest go of which nothing but
/// a line is lost (notes, warnings), and where there are none the oldest of all. How the run stands does not rest on them: a veil that is
/// lifted hands over the whole state.
#[derive(Debug, Default)]
pub(super) struct Kept {
    events: VecDeque<KeptEvent>,
    byte_count: usize,
    /// How many were dropped.
    dropped_count: usize,
    is_locked: bool,
}

impl Kept {
    /// Keeps an event for later, if that is worth it.
    pub(super) fn push(&mut self, event: &Event, phase: usize) {
        let worth = worth(&event.kind);
        if worth == Worth::Nothing || self.supersede(&event.kind) {
            return;
        }
        let byte_count = serde_json::to_string(&event.kind).map_or(0, |text| text.len());
        self.byte_count += byte_count;
        self.events.push_back(KeptEvent { event: event.clone(), phase, byte_count, worth });
        while self.events.len() > KEPT_EVENTS_MAX || self.byte_count > KEPT_BYTES_MAX {
            self.drop_one();
        }
    }

    /// Drops what an event makes old. Whether it says nothing new itself: that the lock is renewed.
    fn supersede(&mut self, kind: &EventKind) -> bool {
        if let EventKind::LockTaken { .. } = kind {
            return std::mem::replace(&mut self.is_locked, true);
        }
        if let EventKind::Voted { step, role, .. } = kind {
            let is_older = |kept: &KeptEvent| matches!(&kept.event.kind, EventKind::Voted { step: of, role: by, .. } if of == step && by == role);
            self.take_if(is_older);
        }
        false
    }

    fn drop_one(&mut self) {
        let oldest = self.events.iter().position(|kept| kept.worth == Worth::Line).unwrap_or(0);
        if let Some(dropped) = self.events.remove(oldest) {
            self.byte_count -= dropped.byte_count;
            self.dropped_count += 1;
        }
    }

    fn take_if(&mut self, is_it: impl Fn(&KeptEvent) -> bool) -> Vec<Event> {
        self.take_as(|kept| is_it(kept).then(|| kept.event.clone()))
    }

    /// Takes out those for which `shown` has something.
    fn take_as(&mut self, mut shown: impl FnMut(&KeptEvent) -> Option<Event>) -> Vec<Event> {
        let mut taken = Vec::new();
        let mut byte_count = 0;
        self.events.retain(|kept| {
            let Some(event) = shown(kept) else { return true };
            taken.push(event);
            byte_count += kept.byte_count;
            false
        });
        self.byte_count -= byte_count;
        taken
    }

    /// Takes out what is about a fault.
    pub(super) fn take_fault(&mut self, fault: &FaultId) -> Vec<Event> {
        self.take_if(|kept| kept.event.kind.fault().is_some_and(|it| it.fault == *fault))
    }

    /// Takes out the events about steps for which `shown` has something, given the event and how many phases had begun by then.
    pub(super) fn take_steps(&mut self, mut shown: impl FnMut(&Event, usize) -> Option<Event>) -> Vec<Event> {
        self.take_as(|kept| if is_of_step(&kept.event.kind) { shown(&kept.event, kept.phase) } else { None })
    }

    /// Everything, and how many events were dropped before.
    pub(super) fn take_all(&mut self) -> (Vec<Event>, usize) {
        let kept = std::mem::take(self);
        (kept.events.into_iter().map(|kept| kept.event).collect(), kept.dropped_count)
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.events.len(), self.byte_count)
    }
}

fn is_of_step(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::StepOpened { .. }
            | EventKind::StepTimed { .. }
            | EventKind::StepOverdue { .. }
            | EventKind::Voted { .. }
            | EventKind::StepClosed { .. }
    )
}

#[expect(clippy::too_many_lines, reason = "one table over every kind: each line is an arm")]
fn worth(kind: &EventKind) -> Worth {
    match kind {
        EventKind::StepOpened { .. }
        | EventKind::StepTimed { .. }
        | EventKind::StepOverdue { .. }
        | EventKind::StepClosed { .. }
        | EventKind::Voted { .. }
        | EventKind::FaultIntended { .. }
        | EventKind::FaultArmed { .. }
        | EventKind::FaultApplied { .. }
        | EventKind::FaultFailed { .. }
        | EventKind::FaultEffective { .. }
        | EventKind::FaultLost { .. }
        | EventKind::FaultReverting { .. }
        | EventKind::FaultRestored { .. }
        | EventKind::FaultDrifted { .. }
        | EventKind::FaultStuck { .. }
        | EventKind::SwitchIntended { .. }
        | EventKind::SwitchSet { .. }
        | EventKind::SwitchFailed { .. }
        | EventKind::SwitchDeleted { .. }
        | EventKind::SwitchLeft { .. }
        | EventKind::LockIntended { .. }
        | EventKind::LockTaken { .. } => Worth::State,
        EventKind::RunApproved { .. }
        | EventKind::ScheduleOverridden { .. }
        | EventKind::PhaseHeld { .. }
        | EventKind::PhaseReleased { .. }
        | EventKind::GateJudged { .. }
        | EventKind::LoadStarted { .. }
        | EventKind::LoadSteered { .. }
        | EventKind::LoadEnded { .. }
        | EventKind::LoadLost { .. }
        | EventKind::AlarmsUnread { .. }
        | EventKind::AlarmsReread
        | EventKind::MetricsUnread { .. }
        | EventKind::MetricsReread
        | EventKind::LockFailed { .. }
        | EventKind::LockLost { .. }
        | EventKind::LockKept
        | EventKind::LockReleased
        | EventKind::ActionSkipped { .. }
        | EventKind::InjectDelivered { .. }
        | EventKind::PredictionSealed { .. }
        | EventKind::BlockStarted { .. }
        | EventKind::BlockEnded { .. }
        | EventKind::Noted { .. }
        | EventKind::GuardrailWarned { .. }
        | EventKind::GuardrailTripped { .. }
        | EventKind::SettleJudged { .. }
        | EventKind::HypothesisJudged(_)
        | EventKind::NoticeFailed { .. }
        | EventKind::EvidenceKept(_) => Worth::Line,
        EventKind::ProcessStarted { .. }
        | EventKind::LoadRecorded(_)
        | EventKind::ProxyRecorded(_)
        | EventKind::SignalSampled { .. }
        | EventKind::MetricRead { .. }
        | EventKind::AlarmHistoryRead { .. }
        | EventKind::GuardrailRead { .. }
        | EventKind::SwitchPushed { .. }
        | EventKind::NoticeSent { .. }
        | EventKind::Unknown(_)
        | EventKind::RunStarted { .. }
        | EventKind::ReadinessPassed { .. }
        | EventKind::PhaseStarted { .. }
        | EventKind::PhaseEnded { .. }
        | EventKind::AlarmFound { .. }
        | EventKind::AlarmTransitioned { .. }
        | EventKind::AlarmUnseen { .. }
        | EventKind::AlarmLost { .. }
        | EventKind::Joined { .. }
        | EventKind::HintGiven { .. }
        | EventKind::Revealed { .. }
        | EventKind::CardDealt { .. }
        | EventKind::CardTaken { .. }
        | EventKind::Acknowledged { .. }
        | EventKind::Marked { .. }
        | EventKind::RunPaused { .. }
        | EventKind::RunResumed { .. }
        | EventKind::RunAborted { .. }
        | EventKind::RunRecovering
        | EventKind::RunSettled
        | EventKind::RunDirty { .. }
        | EventKind::RunEnded { .. }
        | EventKind::RecoveryStarted { .. } => Worth::Nothing,
    }
}
