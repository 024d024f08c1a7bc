//! What an event is about, and which events must be on disk before a run goes on.

use serde_json::Value;

use super::{EventKind, FaultIdentity};

/// Both in one place, so that a new kind of event is asked for both at once.
struct Nature<'a> {
    /// Whether safety or the verdict rests on it.
    must_last: bool,
    fault: Option<&'a FaultIdentity>,
}

impl EventKind {
    /// Whether safety or the verdict rests on the event, so that it must be on disk before the run goes on.
    #[must_use]
    pub fn must_last(&self) -> bool {
        self.nature().must_last
    }

    /// The fault that an event is about.
    #[must_use]
    pub fn fault(&self) -> Option<&FaultIdentity> {
        self.nature().fault
    }

    /// The kind's name as the log writes it: `phase_started`; `unknown` for one that a newer version wrote.
    #[must_use]
    pub fn name(&self) -> String {
        let name = match serde_json::to_value(self) {
            Ok(Value::String(name)) => Some(name),
            Ok(Value::Object(kind)) => kind.into_iter().next().map(|(name, _)| name),
            // A kind that is not known is not written by its name.
            Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_)) | Err(_) => None,
        };
        name.unwrap_or_else(|| "unknown".to_owned())
    }

    #[expect(clippy::too_many_lines, reason = "one table over every kind: each line is an arm")]
    fn nature(&self) -> Nature<'_> {
        let (must_last, fault) = match self {
            Self::FaultIntended { identity, .. }
            | Self::FaultArmed { identity, .. }
            | Self::FaultApplied { identity }
            | Self::FaultFailed { identity, .. }
            | Self::FaultRestored { identity, .. }
            | Self::FaultDrifted { identity, .. }
            | Self::FaultStuck { identity, .. }
            | Self::SwitchIntended { identity, .. } => (true, Some(identity)),
            // An undo does not wait for a disk: without the record, recovery undoes what is undone already, which does no harm. That
            // there may be a schedule is on disk already, and to delete one that is gone does no harm either.
            Self::FaultEffective { identity, .. }
            | Self::FaultLost { identity, .. }
            | Self::FaultReverting { identity }
            | Self::SwitchSet { identity }
            | Self::SwitchPushed { identity, .. }
            | Self::SwitchFailed { identity, .. }
            | Self::SwitchDeleted { identity }
            | Self::SwitchLeft { identity, .. } => (false, Some(identity)),
            Self::RunStarted { .. }
            | Self::ProcessStarted { .. }
            | Self::LockIntended { .. }
            | Self::RunAborted { .. }
            | Self::RunSettled
            | Self::RunDirty { .. }
            | Self::RunEnded { .. }
            | Self::PredictionSealed { .. }
            | Self::BlockStarted { .. }
            | Self::RecoveryStarted { .. } => (true, None),
            Self::RunApproved { .. }
            | Self::ScheduleOverridden { .. }
            | Self::ReadinessPassed { .. }
            | Self::PhaseStarted { .. }
            | Self::PhaseHeld { .. }
            | Self::PhaseReleased { .. }
            | Self::PhaseEnded { .. }
            | Self::GateJudged { .. }
            | Self::LoadStarted { .. }
            | Self::LoadRecorded(_)
            | Self::ProxyRecorded(_)
            | Self::LoadSteered { .. }
            | Self::LoadEnded { .. }
            | Self::LoadLost { .. }
            | Self::SignalSampled { .. }
            | Self::MetricRead { .. }
            | Self::MetricsUnread { .. }
            | Self::MetricsReread
            | Self::AlarmHistoryRead { .. }
            | Self::AlarmFound { .. }
            | Self::AlarmTransitioned { .. }
            | Self::AlarmUnseen { .. }
            | Self::AlarmLost { .. }
            | Self::AlarmsUnread { .. }
            | Self::AlarmsReread
            | Self::LockTaken { .. }
            | Self::LockFailed { .. }
            | Self::LockLost { .. }
            | Self::LockKept
            | Self::LockReleased
            | Self::ActionSkipped { .. }
            | Self::StepOpened { .. }
            | Self::StepTimed { .. }
            | Self::StepOverdue { .. }
            | Self::StepClosed { .. }
            | Self::Voted { .. }
            | Self::Joined { .. }
            | Self::InjectDelivered { .. }
            | Self::HintGiven { .. }
            | Self::Revealed { .. }
            | Self::CardDealt { .. }
            | Self::CardTaken { .. }
            | Self::BlockEnded { .. }
            | Self::Acknowledged { .. }
            | Self::Marked { .. }
            | Self::Noted { .. }
            | Self::RunPaused { .. }
            | Self::RunResumed { .. }
            | Self::GuardrailRead { .. }
            | Self::GuardrailWarned { .. }
            | Self::GuardrailTripped { .. }
            | Self::RunRecovering
            | Self::SettleJudged { .. }
            | Self::HypothesisJudged(_)
            | Self::NoticeSent { .. }
            | Self::NoticeFailed { .. }
            | Self::EvidenceKept(_)
            | Self::Unknown(_) => (false, None),
        };
        Nature { must_last, fault }
    }
}
