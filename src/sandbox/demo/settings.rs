//! What the demo functions read from their environment variables, and why they end.

use std::time::Duration;

/// Why a demo function ended.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// A variable that is needed is not set.
    #[error("the environment variable `{0}` is not set; demo functions are started by the sandbox")]
    Unset(&'static str),
    /// A variable is not what it should be.
    #[error("the environment variable `{name}` is `{value}`; write {expected}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// The HTTP client could not be made.
    #[error("failed to make an HTTP client")]
    Client(#[from] reqwest::Error),
    /// The Runtime API went away or misbehaved.
    #[error("the Lambda runtime ended: {0}")]
    Runtime(#[source] lambda_runtime::Error),
}

/// A variable that must be set.
pub(super) fn text(name: &'static str) -> Result<String, DemoError> {
    std::env::var(name).map_err(|_| DemoError::Unset(name))
}

/// A variable in whole milliseconds.
pub(super) fn millis(name: &'static str, default: u64) -> Result<Duration, DemoError> {
    let Ok(value) = std::env::var(name) else { return Ok(Duration::from_millis(default)) };
    match value.parse() {
        Ok(millis) => Ok(Duration::from_millis(millis)),
        Err(_) => Err(DemoError::Malformed { name, value, expected: "whole milliseconds, as in `250`" }),
    }
}

/// A variable that is `on` or `off`; off when it is not set.
pub(super) fn switch(name: &'static str) -> Result<bool, DemoError> {
    match std::env::var(name).as_deref() {
        Ok("on") => Ok(true),
        Ok("off" | "") | Err(_) => Ok(false),
        Ok(other) => Err(DemoError::Malformed { name, value: other.to_owned(), expected: "`on` or `off`" }),
    }
}
