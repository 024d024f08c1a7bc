//! `slow_body`: the answer's body trickles.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, wait_problem};
use crate::unit::DurationText;

/// Sends the answer's body in pieces of `bytes` with a pause of `interval` before each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowBody {
    /// The length of a piece, from 1; the last one may be shorter.
    pub bytes: u64,
    /// The pause before each piece, at most a day.
    pub interval: DurationText,
}

impl SlowBody {
    /// All that is wrong with its settings.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<_> = wait_problem("interval", self.interval).into_iter().collect();
        if self.bytes == 0 {
            problems.push(Problem::new("bytes", "pieces of nothing never end: write how many bytes come at once"));
        }
        if self.interval.is_zero() {
            problems.push(Problem::new("interval", "a pause of nothing is no fault"));
        }
        problems
    }
}
