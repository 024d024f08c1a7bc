//! Errors as AWS Lambda answers them: status, `x-amzn-errortype`, and a JSON body.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::sandbox::account::{FindError, InvokeError};
use crate::sandbox::alias::AliasError;
use crate::sandbox::concurrency::{ConcurrencyError, Throttle};
use crate::sandbox::configuration::UpdateError;
use crate::sandbox::event_source::SourceError;
use crate::sandbox::name::NameError;
use crate::sandbox::version::DeleteError;

/// The header that names the error's kind, from which an SDK makes its typed error.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// What a throttled caller is told to wait, in seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

/// A refused request. The texts are AWS's where AWS has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::sandbox) enum ApiError {
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    InvalidParameter(String),
    #[error("Could not parse request body into json: {0}")]
    InvalidContent(String),
    #[error("Request must be smaller than {0} bytes for the InvokeFunction operation")]
    RequestTooLarge(usize),
    #[error("{0}")]
    Conflict(String),
    #[error("{0}")]
    Precondition(String),
    #[error("{0}")]
    InUse(String),
    #[error("No Provisioned Concurrency Config found for this function")]
    NotProvisioned,
    #[error("Rate Exceeded.")]
    Throttled(Throttle),
    #[error("the sandbox does not implement the operation `{0}`")]
    UnknownOperation(String),
    #[error("the sandbox answers only programs of this machine that call it as 127.0.0.1 or localhost")]
    NotFromHere,
    #[error("the request's body could not be read")]
    BrokenBody,
    #[error("the sandbox is stopping")]
    Stopping,
}

impl ApiError {
    fn status_and_kind(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "ResourceNotFoundException"),
            Self::InvalidParameter(_) => (StatusCode::BAD_REQUEST, "InvalidParameterValueException"),
            Self::InvalidContent(_) | Self::BrokenBody => (StatusCode::BAD_REQUEST, "InvalidRequestContentException"),
            Self::RequestTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "ResourceConflictException"),
            Self::Precondition(_) => (StatusCode::PRECONDITION_FAILED, "PreconditionFailedException"),
            Self::NotProvisioned => (StatusCode::NOT_FOUND, "ProvisionedConcurrencyConfigNotFoundException"),
            Self::InUse(_) => (StatusCode::BAD_REQUEST, "ResourceInUseException"),
            Self::Throttled(_) => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequestsException"),
            // Not a 500 or 503, which an SDK would try again.
            Self::UnknownOperation(_) => (StatusCode::NOT_IMPLEMENTED, "UnknownOperationException"),
            Self::NotFromHere => (StatusCode::FORBIDDEN, "AccessDeniedException"),
            Self::Stopping => (StatusCode::INTERNAL_SERVER_ERROR, "ServiceException"),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, kind) = self.status_and_kind();
        let side = if status.is_server_error() { "Service" } else { "User" };
        // The service model has `Message` in these and `message` in the others.
        let is_upper = matches!(kind, "ResourceNotFoundException" | "ResourceInUseException" | "ServiceException");
        let key = if is_upper { "Message" } else { "message" };
        let mut body = json!({"Type": side, key: self.to_string()});
        if let Self::Throttled(throttle) = self {
            body["Reason"] = throttle.reason().into();
        }
        let mut response = (status, [(ERROR_TYPE, HeaderValue::from_static(kind))], Json(body)).into_response();
        if matches!(self, Self::Throttled(_)) {
            response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_SECONDS.into());
        }
        response
    }
}

impl From<NameError> for ApiError {
    fn from(error: NameError) -> Self {
        Self::InvalidParameter(error.to_string())
    }
}

impl From<FindError> for ApiError {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Name(error) => error.into(),
            FindError::Missing(_) => Self::NotFound(error.to_string()),
        }
    }
}

impl From<InvokeError> for ApiError {
    fn from(error: InvokeError) -> Self {
        match error {
            InvokeError::TooLarge(bytes_max) => Self::RequestTooLarge(bytes_max),
            InvokeError::NotJson(problem) => Self::InvalidContent(problem),
            InvokeError::Throttled(throttle) => Self::Throttled(throttle),
            InvokeError::Stopping => Self::Stopping,
        }
    }
}

impl From<UpdateError> for ApiError {
    fn from(error: UpdateError) -> Self {
        match error {
            UpdateError::InProgress(_) => Self::Conflict(error.to_string()),
            UpdateError::StaleRevision => Self::Precondition(error.to_string()),
        }
    }
}

impl From<AliasError> for ApiError {
    fn from(error: AliasError) -> Self {
        let text = error.to_string();
        match error {
            AliasError::Exists(_) => Self::Conflict(text),
            AliasError::Missing(_) | AliasError::VersionMissing(_) => Self::NotFound(text),
            AliasError::Invalid(_) => Self::InvalidParameter(text),
            AliasError::StaleRevision => Self::Precondition(text),
        }
    }
}

impl From<DeleteError> for ApiError {
    fn from(error: DeleteError) -> Self {
        let text = error.to_string();
        match error {
            DeleteError::Referenced(_) => Self::Conflict(text),
            DeleteError::Missing(_) => Self::NotFound(text),
        }
    }
}

impl From<SourceError> for ApiError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::InUse => Self::InUse(error.to_string()),
            SourceError::Invalid(text) => Self::InvalidParameter(text),
        }
    }
}

impl From<ConcurrencyError> for ApiError {
    fn from(error: ConcurrencyError) -> Self {
        Self::InvalidParameter(error.to_string())
    }
}
