//! What ends each change when nobody of ours is left, in an environment that has a dead man's switch.

use super::refusal::Refusal;
use super::types::{ChangePlan, CoverPlan};
use crate::fault::{Cover, FaultKind};
use crate::workspace::DeadmanSwitch;

/// What EventBridge Scheduler is asked for before and during a fault. AWS: whoever names a role must be allowed to pass it.
pub(super) const SET_SWITCH: [&str; 4] =
    ["iam:PassRole", "scheduler:CreateSchedule", "scheduler:GetSchedule", "scheduler:UpdateSchedule"];
/// What it is asked for after an undo.
pub(super) const TAKE_SWITCH_AWAY: [&str; 1] = ["scheduler:DeleteSchedule"];

impl From<Cover> for CoverPlan {
    fn from(cover: Cover) -> Self {
        match cover {
            Cover::Switch(calls) => Self::Switch(calls.iter().map(|call| (*call).to_owned()).collect()),
            Cover::Expires(how) => Self::Expires(how.to_owned()),
            Cover::None(why) => Self::Uncovered(why.to_owned()),
        }
    }
}

/// Says of a change how it is covered, and adds the calls of its switch.
pub(super) fn cover(change: &mut ChangePlan, kind: &FaultKind, deadman: Option<&DeadmanSwitch>) {
    if deadman.is_none() {
        return;
    }
    let cover = CoverPlan::from(kind.cover());
    if let CoverPlan::Switch(_) = cover {
        change.calls.extend(SET_SWITCH.iter().chain(&TAKE_SWITCH_AWAY).map(|call| (*call).to_owned()));
    }
    change.cover = Some(cover);
}

/// Changes that would stay on if this machine were lost, where the environment does not allow that.
pub(super) fn refusals<'a>(environment: &str, changes: impl Iterator<Item = &'a ChangePlan>) -> Vec<Refusal> {
    let of = |change: &ChangePlan| match &change.cover {
        Some(CoverPlan::Uncovered(why)) => Some(Refusal::new(
            format!(
                "environment `{environment}` asks for a dead man's switch, and `{}` ({}) can have none: {why}",
                change.fault, change.kind
            ),
            "use another fault, or `deadman: auto` if somebody will be there to undo it",
        )),
        Some(CoverPlan::Switch(_) | CoverPlan::Expires(_)) | None => None,
    };
    changes.filter_map(of).collect()
}
