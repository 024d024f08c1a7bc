//! What goes wrong with a call.

use std::time::Duration;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

pub(super) const NOT_FOUND: &str = "ResourceNotFoundException";
pub(super) const CONFLICT: &str = "ResourceConflictException";
pub(super) const STALE: &str = "PreconditionFailedException";

/// The longest that a slow answer takes: AWS calls have a limit of 30 s, attempts one of 8 s.
const SLOW_MS_MAX: u64 = 8_000;

/// What goes wrong with one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// `TooManyRequestsException`; nothing is done.
    Throttled,
    /// 409, as if an update were under way; nothing is done.
    Conflict,
    /// A 5xx; nothing is done.
    ServiceFailure,
    /// The call never arrives; nothing is done.
    NotReached,
    /// The change is made, and then the connection is lost.
    LostAnswer,
    /// The change is made, and the answer does not come in time.
    LateAnswer,
    /// The change is made, and the answer is JSON that is cut off.
    CutAnswer,
    /// The change is made by an attempt whose answer was lost, and the next attempt answers 412: our own success made the
    /// revision stale.
    StaleAfterSuccess,
    /// All is well, but slow: a wait before the change is made, and one after it.
    Slow(Duration),
    /// No permission: nothing is done, and it is no use to try again.
    Denied,
}

impl Trouble {
    /// Everything that passes by itself, by lot.
    pub(super) fn any(random: &mut ChaCha8Rng) -> Self {
        match random.random_range(0..9_u8) {
            0 => Self::Throttled,
            1 => Self::Conflict,
            2 => Self::ServiceFailure,
            3 => Self::NotReached,
            4 => Self::LostAnswer,
            5 => Self::LateAnswer,
            6 => Self::CutAnswer,
            7 => Self::StaleAfterSuccess,
            _ => Self::Slow(Duration::from_millis(random.random_range(0..SLOW_MS_MAX))),
        }
    }

    /// The error without anything done.
    pub(super) fn refusal(self) -> Option<(&'static str, bool)> {
        match self {
            Self::Throttled => Some(("TooManyRequestsException", true)),
            Self::Conflict => Some((CONFLICT, true)),
            Self::ServiceFailure => Some(("ServiceException", true)),
            Self::NotReached => Some(("Unreachable", true)),
            Self::Denied => Some(("AccessDeniedException", false)),
            Self::LostAnswer | Self::LateAnswer | Self::CutAnswer | Self::StaleAfterSuccess | Self::Slow(_) => None,
        }
    }

    /// The error that hides what was done.
    pub(super) fn lie(self) -> Option<(&'static str, bool)> {
        match self {
            Self::LostAnswer => Some(("Unreachable", true)),
            Self::LateAnswer => Some(("Timeout", true)),
            Self::CutAnswer => Some(("BadAnswer", true)),
            Self::StaleAfterSuccess => Some((STALE, false)),
            Self::Throttled
            | Self::Conflict
            | Self::ServiceFailure
            | Self::NotReached
            | Self::Denied
            | Self::Slow(_) => None,
        }
    }
}
