//! `timeout`: no answer comes, and the connection stays open.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Problem, wait_problem};
use crate::unit::DurationText;

/// Leaves the request without its answer. When the rule is taken away the connection is closed, since nobody knows any more
/// what was asked on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timeout {
    /// At which stage nothing comes any more; default `response`.
    #[serde(default)]
    pub stage: Stage,
    /// After this the connection is closed; default never, while the rule is there. At most a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<DurationText>,
}

/// At which stage an exchange stops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The request is not passed on: the upstream does nothing.
    Request,
    /// The upstream has done its work, and its answer is lost.
    #[default]
    Response,
    /// The answer's head comes, and its body does not.
    Body,
}

impl Timeout {
    pub(super) fn problems(&self) -> Vec<Problem> {
        self.timeout.and_then(|timeout| wait_problem("timeout", timeout)).into_iter().collect()
    }
}
