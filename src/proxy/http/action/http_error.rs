//! `http_error`: another answer than the upstream's.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::proxy::http::message::{Answer, is_framing, is_header_name, is_header_value};

/// The longest body of an answer of ours.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Answers with a status, headers and a body of one's choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpError {
    /// The status, 200 to 599.
    pub status: u16,
    /// Headers of the answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body, at most 256 KiB; default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Whether the upstream is called all the same and its answer lost; default no, so that nothing is done there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub call_upstream: bool,
}

impl HttpError {
    pub(crate) fn answer(&self) -> Answer {
        let body = self.body.clone().unwrap_or_default().into_bytes();
        self.headers.iter().fold(Answer::new(self.status, body), |answer, (name, value)| answer.with(name, value))
    }

    /// All that is wrong with its settings.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !(200..600).contains(&self.status) {
            problems.push(Problem::new("status", format!("`{}` is not a status from 200 to 599", self.status)));
        }
        problems.extend(header_problems("headers", &self.headers));
        if self.body.as_ref().is_some_and(|body| body.len() > BODY_BYTES_MAX) {
            problems.push(Problem::new("body", "the body is longer than 256 KiB"));
        }
        if matches!(self.status, 204 | 304) && self.body.is_some() {
            problems.push(Problem::new("body", format!("an answer of status {} has no body", self.status)));
        }
        problems
    }
}

/// What is wrong with headers that are to be set.
pub(super) fn header_problems(key: &'static str, headers: &BTreeMap<String, String>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, value) in headers {
        if !is_header_name(name) {
            problems.push(Problem::new(key, format!("`{}` is not the name of a header", name.escape_debug())));
        } else if is_framing(name) {
            problems
                .push(Problem::new(key, format!("`{name}` says where messages end, which the proxy sees to itself")));
        }
        if !is_header_value(value) {
            problems.push(Problem::new(key, format!("`{name}` has a value with control characters")));
        }
    }
    problems
}
