//! The lock that other machines see, as the log knows it: a Systems Manager parameter that names the run.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::EventKind;

/// Where the lock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LockState {
    /// It is about to be taken: it may be there.
    Intended,
    /// It is ours.
    Taken,
    /// It stays, since something is not undone.
    Kept,
    /// Somebody took it away.
    Lost,
    /// It is gone.
    Released,
}

/// The lock and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LockProgress {
    /// The parameter.
    pub parameter: String,
    /// What tells the run from every other one.
    pub ticket: String,
    /// Who holds it.
    pub holder: String,
    /// What tells the run's folder from a copy of it.
    pub folder: String,
    /// When it expires, unless it is renewed; none until it is taken.
    pub expires_at: Option<DateTime<Utc>>,
    /// How often it was renewed.
    pub renewed_count: u32,
    /// Where it stands.
    pub state: LockState,
    /// The last error.
    pub error: Option<String>,
    /// Commands that finish it by hand.
    pub by_hand: Vec<String>,
}

impl LockProgress {
    /// Whether there may be a lock of ours in AWS.
    #[must_use]
    pub fn may_be_ours(&self) -> bool {
        match self.state {
            LockState::Intended | LockState::Taken | LockState::Kept => true,
            LockState::Lost | LockState::Released => false,
        }
    }

    /// Takes in an event; those that are not about the lock change nothing.
    pub(super) fn apply(lock: &mut Option<Self>, kind: &EventKind) {
        if let EventKind::LockIntended { parameter, ticket, holder, folder } = kind {
            *lock = Some(Self {
                parameter: parameter.clone(),
                ticket: ticket.clone(),
                holder: holder.clone(),
                folder: folder.clone(),
                expires_at: None,
                renewed_count: 0,
                state: LockState::Intended,
                error: None,
                by_hand: Vec::new(),
            });
            return;
        }
        let Some(lock) = lock else { return };
        match kind {
            EventKind::LockTaken { expires_at } => {
                lock.renewed_count += u32::from(lock.expires_at.is_some());
                (lock.expires_at, lock.error) = (Some(*expires_at), None);
                lock.state = LockState::Taken;
            }
            EventKind::LockFailed { error, by_hand, .. } => {
                (lock.error, lock.by_hand) = (Some(error.clone()), by_hand.clone());
            }
            EventKind::LockLost { found } => {
                (lock.state, lock.error) = (LockState::Lost, Some(found.clone()));
            }
            EventKind::LockKept => lock.state = LockState::Kept,
            EventKind::LockReleased => {
                lock.state = LockState::Released;
                lock.by_hand.clear();
            }
            _ => {}
        }
    }
}
