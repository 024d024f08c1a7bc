//! Errors as CloudWatch Logs answers them.

use axum::http::StatusCode;

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum LogsError {
    #[error("The specified log group does not exist.")]
    ResourceNotFound,
    #[error("{0}")]
    InvalidParameter(String),
    #[error("{0}")]
    Serialization(String),
    #[error("the sandbox does not implement the operation `{0}` of CloudWatch Logs")]
    UnknownOperation(String),
}

impl LogsError {
    /// The status, and the name of the shape in the service model.
    pub(super) fn kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::ResourceNotFound => (StatusCode::BAD_REQUEST, "ResourceNotFoundException"),
            Self::InvalidParameter(_) => (StatusCode::BAD_REQUEST, "InvalidParameterException"),
            Self::Serialization(_) => (StatusCode::BAD_REQUEST, "SerializationException"),
            // Not a 500 or 503, which an SDK would try again.
            Self::UnknownOperation(_) => (StatusCode::NOT_IMPLEMENTED, "UnknownOperationException"),
        }
    }
}
