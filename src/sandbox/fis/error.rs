//! Errors as FIS answers them: status, `x-amzn-errortype`, and a JSON body.

use axum::Json;
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FisError {
    #[error("{0}")]
    Validation(String),
    /// What is missing, such as `Experiment EXP123`.
    #[error("{0} does not exist.")]
    NotFound(String),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    QuotaExceeded(String),
}

impl FisError {
    /// A [`FisError::Validation`].
    pub(super) fn invalid(text: impl Into<String>) -> Self {
        Self::Validation(text.into())
    }

    fn status_and_kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Validation(_) => (StatusCode::BAD_REQUEST, "ValidationException"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "ResourceNotFoundException"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "ConflictException"),
            Self::QuotaExceeded(_) => (StatusCode::PAYMENT_REQUIRED, "ServiceQuotaExceededException"),
        }
    }
}

impl IntoResponse for FisError {
    fn into_response(self) -> Response {
        let (status, kind) = self.status_and_kind();
        (status, [(ERROR_TYPE, kind)], Json(json!({"message": self.to_string()}))).into_response()
    }
}
