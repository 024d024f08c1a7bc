//! How a function logs, as its entry says it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The form of a function's log. Source: AWS Lambda, `LoggingConfig.LogFormat`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `START`, `END` and `REPORT` lines.
    #[default]
    Text,
    /// JSON objects: `platform.start`, `platform.report`.
    Json,
}

impl LogFormat {
    pub(in crate::sandbox) fn as_aws(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Json => "JSON",
        }
    }
}

/// Which of Lambda's own lines there are in the JSON form. Source: AWS Lambda, `LoggingConfig.SystemLogLevel`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SystemLogLevel {
    /// All.
    Debug,
    /// Those about every invocation.
    #[default]
    Info,
    /// Only those about invocations that failed: no `platform.report` of the others.
    Warn,
}

impl SystemLogLevel {
    pub(in crate::sandbox) fn as_aws(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
        }
    }
}
