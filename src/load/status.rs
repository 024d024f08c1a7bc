//! The classes of answers: 2xx, 4xx, and no answer at all.

use serde::{Deserialize, Serialize};

/// The first digit of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StatusClass {
    /// 200 to 299.
    #[serde(rename = "2xx")]
    Success,
    /// 300 to 399.
    #[serde(rename = "3xx")]
    Redirect,
    /// 400 to 499.
    #[serde(rename = "4xx")]
    ClientError,
    /// 500 to 599.
    #[serde(rename = "5xx")]
    ServerError,
    /// Any other number.
    #[serde(rename = "other")]
    Other,
    /// No answer came in whole.
    #[serde(rename = "no_answer")]
    NoAnswer,
}

impl StatusClass {
    /// The class of a status, or of none.
    #[must_use]
    pub fn of(status: Option<u16>) -> Self {
        match status.map(|status| status / 100) {
            Some(2) => Self::Success,
            Some(3) => Self::Redirect,
            Some(4) => Self::ClientError,
            Some(5) => Self::ServerError,
            Some(_) => Self::Other,
            None => Self::NoAnswer,
        }
    }

    /// Its name in frames and reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "2xx",
            Self::Redirect => "3xx",
            Self::ClientError => "4xx",
            Self::ServerError => "5xx",
            Self::Other => "other",
            Self::NoAnswer => "no_answer",
        }
    }
}
