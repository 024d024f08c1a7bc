//! `aws_error`: the error of an AWS service, as the service that is called tells it.

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use crate::proxy::http::aws::{self, AwsCall, AwsFailure};
use crate::proxy::http::message::Answer;

/// Answers signed requests with an error in the form of their service's protocol, so that SDKs raise the modelled exception
/// and retry as they do against AWS. Requests that are no AWS API call pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwsError {
    /// The code, as in `ThrottlingException`.
    pub code: String,
    /// The HTTP status, 400 to 599; default the one that the service's protocol has for a common code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The message; default one that says that it was injected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl AwsError {
    pub(crate) fn answer(&self, call: &AwsCall, generator: &mut ChaCha8Rng) -> Answer {
        let status = self.status.or_else(|| aws::known_status(&self.code, call.protocol)).unwrap_or(400);
        let message = self.message.as_deref().unwrap_or("This error was injected by gameday.");
        aws::answer(AwsFailure { code: &self.code, status, message }, call, generator)
    }

    /// All that is wrong with its settings.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let is_code = |text: &str| {
            text.starts_with(|first: char| first.is_ascii_alphabetic())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_')
        };
        if !is_code(&self.code) || self.code.len() > 128 {
            problems.push(Problem::new("code", format!("`{}` is not an error's code", self.code.escape_debug())));
        } else if self.status.is_none() && aws::known_status(&self.code, aws::Protocol::Json10).is_none() {
            let code = &self.code;
            let near = aws::nearest_code(code).map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
            let text = format!("`{code}` is not one of the codes that many services share{near}: give its `status`");
            problems.push(Problem::new("code", text));
        }
        if let Some(status) = self.status.filter(|status| !(400..600).contains(status)) {
            problems.push(Problem::new("status", format!("`{status}` is not an error's status, from 400 to 599")));
        }
        if self.message.as_ref().is_some_and(|text| text.len() > 1024 || text.chars().any(char::is_control)) {
            problems.push(Problem::new("message", "the message is longer than 1,024 bytes or has control characters"));
        }
        problems
    }
}
