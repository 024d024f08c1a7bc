//! What ends each change when nobody of ours is left, in an environment that has a dead man's switch.

use super::refusal::Refusal;
use super::types::{ChangePlan, CoverPlan};
use crate::fault::{Cover, FaultKind, REMOTE_COVER, TargetNeed};
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

/// Says of a change how it is covered, and adds the calls of its switch; `is_remote` is a target that somebody else's proxy serves.
pub(super) fn cover(change: &mut ChangePlan, kind: &FaultKind, is_remote: bool, deadman: Option<&DeadmanSwitch>) {
    if deadman.is_none() {
        return;
    }
    let is_on_remote_proxy = is_remote && kind.need() == TargetNeed::Proxy;
    let cover = CoverPlan::from(if is_on_remote_proxy { REMOTE_COVER } else { kind.cover() });
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fault::FaultSpec;
    use crate::plan::testing::variable;

    #[test]
    fn what_ends_a_fault_on_a_proxy_depends_on_whose_proxy_it_is() {
        let switch =
            DeadmanSwitch { role_arn: "arn:aws:iam::1:role/r".to_owned(), group: "g".to_owned(), is_required: true };
        let covered = |fault, is_remote| {
            let spec: FaultSpec = serde_json::from_value(fault).unwrap();
            let mut change = variable("it", "cards", "A");
            cover(&mut change, &spec.kind().unwrap(), is_remote, Some(&switch));
            change.cover.unwrap().to_string()
        };
        let down = json!({"proxy_down": {"target": "cards"}});
        assert!(covered(down.clone(), false).contains("5 s after the run's last sign of life"));
        assert!(covered(down, true).contains("30 s after the run's last sign of life"));
        let exec = json!({"exec": {"target": "cards", "inject": ["a"], "undo": ["b"]}});
        assert_eq!(covered(exec.clone(), true), covered(exec, false), "a program is no fault of the proxy's");
    }
}
