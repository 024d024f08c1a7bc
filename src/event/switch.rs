//! A fault's dead man's switch, as the log knows it: a schedule in AWS that undoes the fault when nobody of ours is left.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{EventKind, SwitchStep};

/// Where a switch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SwitchState {
    /// It is about to be set: it may be there.
    Intended,
    /// It is there.
    Set,
    /// It could not be set, as far as AWS said: it may be there.
    Failed,
    /// AWS refused to set it: there is none.
    Refused,
    /// It is there although the fault is over: it could not be deleted.
    Undeleted,
    /// It is left to undo what could not be undone.
    Left,
    /// It is gone.
    Deleted,
}

/// A switch and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SwitchProgress {
    /// The schedule's name.
    pub schedule: String,
    /// Its group.
    pub group: String,
    /// What it calls.
    pub call: String,
    /// When it fires.
    pub fires_at: DateTime<Utc>,
    /// Where it stands.
    pub state: SwitchState,
    /// How often it was put off.
    pub pushed_count: u32,
    /// The last error.
    pub error: Option<String>,
    /// Commands that delete it by hand, where that failed.
    pub by_hand: Vec<String>,
}

impl SwitchProgress {
    /// Whether there may be such a schedule in AWS.
    #[must_use]
    pub fn may_be_there(&self) -> bool {
        !matches!(self.state, SwitchState::Deleted | SwitchState::Refused)
    }

    /// Takes in an event about the fault; those that are not about the switch change nothing.
    pub(super) fn apply(switch: &mut Option<Self>, kind: &EventKind) {
        if let EventKind::SwitchIntended { schedule, group, call, fires_at, .. } = kind {
            *switch = Some(Self {
                schedule: schedule.clone(),
                group: group.clone(),
                call: call.clone(),
                fires_at: *fires_at,
                state: SwitchState::Intended,
                pushed_count: 0,
                error: None,
                by_hand: Vec::new(),
            });
            return;
        }
        let Some(switch) = switch else { return };
        match kind {
            EventKind::SwitchSet { .. } => switch.state = SwitchState::Set,
            EventKind::SwitchPushed { fires_at, .. } => {
                switch.fires_at = *fires_at;
                switch.pushed_count += 1;
                switch.error = None;
            }
            EventKind::SwitchFailed { step, error, by_hand, .. } => {
                (switch.error, switch.by_hand) = (Some(error.clone()), by_hand.clone());
                match step {
                    SwitchStep::Set => switch.state = SwitchState::Failed,
                    SwitchStep::Refused => switch.state = SwitchState::Refused,
                    SwitchStep::Push => {}
                    SwitchStep::Delete => switch.state = SwitchState::Undeleted,
                }
            }
            EventKind::SwitchDeleted { .. } => {
                switch.state = SwitchState::Deleted;
                switch.by_hand.clear();
            }
            EventKind::SwitchLeft { fires_at, .. } => {
                (switch.state, switch.fires_at) = (SwitchState::Left, *fires_at);
            }
            _ => {}
        }
    }
}
