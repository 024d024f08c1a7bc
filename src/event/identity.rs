//! Which fault an event is about.

use serde::{Deserialize, Serialize};

use super::EventKind;
use crate::unit::FaultId;

/// Which fault of the plan an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultIdentity {
    /// The change's id in the plan, unique in a run: `002-slow-provider`. It names the undo file.
    pub step: String,
    /// The fault's name in the scenario, or `route-TARGET` for a route through the proxy.
    pub fault: FaultId,
}

impl FaultIdentity {
    /// Whether it is a route through the proxy.
    #[must_use]
    pub fn is_route(&self) -> bool {
        self.fault.is_route()
    }
}

impl EventKind {
    /// The fault that an event is about.
    #[must_use]
    pub fn fault(&self) -> Option<&FaultIdentity> {
        match self {
            Self::FaultIntended { identity, .. }
            | Self::FaultArmed { identity, .. }
            | Self::FaultApplied { identity }
            | Self::FaultFailed { identity, .. }
            | Self::FaultEffective { identity, .. }
            | Self::FaultReverting { identity }
            | Self::FaultRestored { identity, .. }
            | Self::FaultDrifted { identity, .. }
            | Self::FaultStuck { identity, .. }
            | Self::SwitchIntended { identity, .. }
            | Self::SwitchSet { identity }
            | Self::SwitchPushed { identity, .. }
            | Self::SwitchFailed { identity, .. }
            | Self::SwitchDeleted { identity }
            | Self::SwitchLeft { identity, .. } => Some(identity),
            Self::RunStarted { .. }
            | Self::RunApproved { .. }
            | Self::ProcessStarted { .. }
            | Self::ReadinessPassed { .. }
            | Self::PhaseStarted { .. }
            | Self::PhaseEnded { .. }
            | Self::GateJudged { .. }
            | Self::LoadStarted { .. }
            | Self::LoadRecorded(_)
            | Self::LoadEnded { .. }
            | Self::LoadLost { .. }
            | Self::SignalSampled { .. }
            | Self::LockIntended { .. }
            | Self::LockTaken { .. }
            | Self::LockFailed { .. }
            | Self::LockLost { .. }
            | Self::LockKept
            | Self::LockReleased
            | Self::AlarmFound { .. }
            | Self::AlarmTransitioned { .. }
            | Self::AlarmLost { .. }
            | Self::AlarmsUnread { .. }
            | Self::AlarmsReread
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
            | Self::RunAborted { .. }
            | Self::RunRecovering
            | Self::SettleJudged { .. }
            | Self::HypothesisJudged(_)
            | Self::RunSettled
            | Self::RunDirty { .. }
            | Self::RunEnded { .. }
            | Self::RecoveryStarted { .. }
            | Self::Unknown(_) => None,
        }
    }
}
