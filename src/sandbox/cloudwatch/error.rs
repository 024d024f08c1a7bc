//! Errors as CloudWatch answers them.

use axum::http::StatusCode;

use super::metrics::TooManyMetrics;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CloudWatchError {
    /// A value that no operation takes, or one that the sandbox does not serve.
    #[error("{0}")]
    Validation(String),
    #[error("{0}")]
    InvalidParameterValue(String),
    #[error("The parameter {0} is required.")]
    MissingParameter(&'static str),
    #[error("{0}")]
    InvalidParameterCombination(String),
    #[error("Unknown alarm: {0}")]
    UnknownAlarm(String),
    #[error("The sandbox keeps at most {0} alarms")]
    TooManyAlarms(usize),
    #[error("The token is not one that an answer had")]
    InvalidNextToken,
    /// `StateReasonData` that is not JSON.
    #[error("{0}")]
    InvalidFormat(String),
    #[error("the sandbox does not implement the operation `{0}` of CloudWatch")]
    UnknownOperation(String),
}

/// How an error looks on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub status: StatusCode,
    /// The name of the shape in the service model.
    pub shape: &'static str,
    /// The code that the query protocol had, which clients still go by.
    pub code: &'static str,
}

impl CloudWatchError {
    pub(super) fn kind(&self) -> Kind {
        let (status, shape, code) = match self {
            Self::Validation(_) => (StatusCode::BAD_REQUEST, "ValidationError", "ValidationError"),
            Self::InvalidParameterValue(_) => {
                (StatusCode::BAD_REQUEST, "InvalidParameterValueException", "InvalidParameterValue")
            }
            Self::MissingParameter(_) => {
                (StatusCode::BAD_REQUEST, "MissingRequiredParameterException", "MissingParameter")
            }
            Self::InvalidParameterCombination(_) => {
                (StatusCode::BAD_REQUEST, "InvalidParameterCombinationException", "InvalidParameterCombination")
            }
            Self::UnknownAlarm(_) => (StatusCode::NOT_FOUND, "ResourceNotFound", "ResourceNotFound"),
            Self::TooManyAlarms(_) => (StatusCode::BAD_REQUEST, "LimitExceededFault", "LimitExceeded"),
            Self::InvalidNextToken => (StatusCode::BAD_REQUEST, "InvalidNextToken", "InvalidNextToken"),
            Self::InvalidFormat(_) => (StatusCode::BAD_REQUEST, "InvalidFormatFault", "InvalidFormat"),
            // Not a 500 or 503, which an SDK would try again.
            Self::UnknownOperation(_) => {
                (StatusCode::NOT_IMPLEMENTED, "UnknownOperationException", "UnknownOperationException")
            }
        };
        Kind { status, shape, code }
    }
}

impl From<TooManyMetrics> for CloudWatchError {
    fn from(error: TooManyMetrics) -> Self {
        Self::InvalidParameterValue(error.to_string())
    }
}
