//! Which events must be on disk before a run goes on.

use super::EventKind;

impl EventKind {
    /// Whether safety or the verdict rests on the event, so that it must be on disk before the run goes on.
    #[must_use]
    pub fn must_last(&self) -> bool {
        match self {
            Self::RunStarted { .. }
            | Self::ProcessStarted { .. }
            | Self::FaultIntended { .. }
            | Self::FaultArmed { .. }
            | Self::FaultApplied { .. }
            | Self::FaultFailed { .. }
            | Self::FaultRestored { .. }
            | Self::FaultDrifted { .. }
            | Self::FaultStuck { .. }
            | Self::SwitchIntended { .. }
            | Self::LockIntended { .. }
            | Self::RunAborted { .. }
            | Self::RunSettled
            | Self::RunDirty { .. }
            | Self::RunEnded { .. }
            | Self::RecoveryStarted { .. } => true,
            Self::RunApproved { .. }
            | Self::ReadinessPassed { .. }
            | Self::PhaseStarted { .. }
            | Self::PhaseEnded { .. }
            | Self::GateJudged { .. }
            | Self::LoadStarted { .. }
            | Self::LoadRecorded(_)
            | Self::LoadEnded { .. }
            | Self::LoadLost { .. }
            | Self::SignalSampled { .. }
            | Self::AlarmFound { .. }
            | Self::AlarmTransitioned { .. }
            | Self::AlarmLost { .. }
            | Self::AlarmsUnread { .. }
            | Self::AlarmsReread
            | Self::FaultEffective { .. }
            // An undo does not wait for a disk: without the record, recovery undoes what is undone already, which does no harm.
            | Self::FaultReverting { .. }
            // That there may be a schedule is on disk already, and to delete one that is gone does no harm.
            | Self::SwitchSet { .. }
            | Self::SwitchPushed { .. }
            | Self::SwitchFailed { .. }
            | Self::SwitchDeleted { .. }
            | Self::SwitchLeft { .. }
            | Self::LockTaken { .. }
            | Self::LockFailed { .. }
            | Self::LockLost { .. }
            | Self::LockKept
            | Self::LockReleased
            | Self::ActionSkipped { .. }
            | Self::StepOpened { .. }
            | Self::StepOverdue { .. }
            | Self::StepClosed { .. }
            | Self::InjectDelivered { .. }
            | Self::Acknowledged { .. }
            | Self::Marked { .. }
            | Self::Noted { .. }
            | Self::RunPaused
            | Self::RunResumed
            | Self::GuardrailRead { .. }
            | Self::GuardrailWarned { .. }
            | Self::GuardrailTripped { .. }
            | Self::RunRecovering
            | Self::SettleJudged { .. }
            | Self::HypothesisJudged(_)
            | Self::Unknown(_) => false,
        }
    }
}
