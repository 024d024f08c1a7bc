//! What a rule does to a request or its answer, one file each: settings, what is wrong with them, and their pure part.

mod aws_error;
mod corrupt;
mod headers;
mod http_error;
mod latency;
mod reset;
mod slow_body;
mod timeout;
mod truncate;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use aws_error::AwsError;
pub(crate) use corrupt::CORRUPT_BYTES_MAX;
pub use corrupt::Corrupt;
pub use headers::Headers;
pub use http_error::HttpError;
pub use latency::Latency;
pub use reset::{Reset, ResetAfter};
pub use slow_body::SlowBody;
pub use timeout::{Stage, Timeout};
pub use truncate::Truncate;

use super::rule::Problem;
use crate::proxy::delay::Asked;
use crate::unit::DurationText;

/// The longest time that an action may be told to wait: one day, in seconds.
const WAIT_SECONDS_MAX: u64 = 24 * 3_600;

/// What is done to the requests that a rule picks: `{"truncate": {"bytes": 100}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The answer comes late.
    Latency(Latency),
    /// Another answer comes, with a status of one's choice.
    HttpError(HttpError),
    /// The error of an AWS service comes, as that service would tell it.
    AwsError(AwsError),
    /// The answer's body breaks off.
    Truncate(Truncate),
    /// The answer's body trickles.
    SlowBody(SlowBody),
    /// The answer's body is another one.
    Corrupt(Corrupt),
    /// The answer's headers are others.
    Headers(Headers),
    /// The connection is reset.
    Reset(Reset),
    /// No answer comes.
    Timeout(Timeout),
}

impl Action {
    /// Its key in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Latency(_) => "latency",
            Self::HttpError(_) => "http_error",
            Self::AwsError(_) => "aws_error",
            Self::Truncate(_) => "truncate",
            Self::SlowBody(_) => "slow_body",
            Self::Corrupt(_) => "corrupt",
            Self::Headers(_) => "headers",
            Self::Reset(_) => "reset",
            Self::Timeout(_) => "timeout",
        }
    }

    /// The one delay that it is told to add, where it is one.
    pub(crate) fn asked_delay(&self) -> Option<Asked> {
        match self {
            Self::Latency(action) => {
                let jitter = action.jitter.map_or(Duration::ZERO, |jitter| jitter.0);
                Some(Asked::new(action.latency.0, jitter))
            }
            Self::SlowBody(action) => Some(Asked::new(action.interval.0, Duration::ZERO)),
            Self::HttpError(_)
            | Self::AwsError(_)
            | Self::Truncate(_)
            | Self::Corrupt(_)
            | Self::Headers(_)
            | Self::Reset(_)
            | Self::Timeout(_) => None,
        }
    }

    /// All that is wrong with its settings.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Latency(action) => action.problems(),
            Self::HttpError(action) => action.problems(),
            Self::AwsError(action) => action.problems(),
            Self::Truncate(_) => Vec::new(),
            Self::SlowBody(action) => action.problems(),
            Self::Corrupt(action) => action.problems(),
            Self::Headers(action) => action.problems(),
            Self::Reset(action) => action.problems(),
            Self::Timeout(action) => action.problems(),
        }
    }
}

fn wait_problem(key: &'static str, wait: DurationText) -> Option<Problem> {
    (wait.0.as_secs() > WAIT_SECONDS_MAX).then(|| Problem::new(key, format!("`{wait}` is longer than a day")))
}
