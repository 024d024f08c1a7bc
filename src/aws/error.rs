//! One error for every call.

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::RequestId as _;

use crate::unit::is_expired_code;

/// An AWS call that failed, whatever the service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{service}:{operation} failed with {code}: {message}{}", request_id.as_ref().map(|id| format!(" (request `{id}`)")).unwrap_or_default())]
pub struct AwsError {
    /// The service's name in IAM: `lambda`.
    pub service: &'static str,
    /// The API operation: `PutFunctionConcurrency`.
    pub operation: &'static str,
    /// The error's code: `ResourceConflictException`; ours for what never was an answer: `Unreachable`, `Timeout`,
    /// `NotSent`, `BadAnswer`.
    pub code: String,
    /// The error's text.
    pub message: String,
    /// Whether the same call may go through later.
    pub retryable: bool,
    /// The id that AWS support asks for.
    pub request_id: Option<String>,
}

/// Codes of answers that mean "later": throttling, conflicts with an update under way, failures of the service.
pub(super) const RETRYABLE_CODES: &[&str] = &[
    "ConcurrentModification",
    "ConcurrentModificationException",
    "ResourceConflictException",
    "ResourceInUseException",
    "ResourceNotReadyException",
    "ServiceException",
    "ServiceUnavailableException",
    // As STS says it.
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TooManyUpdates",
];

/// Codes of answers that say that there is no such thing: most services, IAM, SSM, SQS in JSON, and SQS as it was before.
const NOT_FOUND_CODES: &[&str] = &[
    "ResourceNotFoundException",
    "NoSuchEntity",
    "ParameterNotFound",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
    // As SNS says it.
    "NotFound",
];

/// The least HTTP status that blames the server.
pub(super) const SERVER_ERROR_STATUS_MIN: u16 = 500;

impl AwsError {
    /// The thing that the call is about does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        NOT_FOUND_CODES.contains(&self.code.as_str())
    }

    /// There is such a thing already.
    #[must_use]
    pub fn is_already_there(&self) -> bool {
        self.code == "ParameterAlreadyExists"
    }

    /// Somebody changed the thing since it was read (HTTP 412).
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.code == "PreconditionFailedException"
    }

    /// Nothing listens where the service should be.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.code == "Unreachable"
    }

    /// The credentials are no longer good; the next call fetches others.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        is_expired_code(&self.code)
    }

    pub(super) fn from_sdk<E>(service: &'static str, operation: &'static str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        SdkError<E>: aws_sdk_lambda::operation::RequestId,
    {
        let request_id = error.request_id().map(str::to_owned);
        let of = |code: &str, message: String, retryable: bool| Self {
            service,
            operation,
            code: code.to_owned(),
            message,
            retryable,
            request_id: request_id.clone(),
        };
        match error {
            SdkError::ServiceError(answer) => {
                let metadata = answer.err().meta();
                let code = metadata.code().unwrap_or("BadAnswer");
                let message = metadata.message().map_or_else(|| innermost(answer.err()), str::to_owned);
                // A gateway's 5xx has no code that we know, and passes all the same.
                let is_servers = answer.raw().status().as_u16() >= SERVER_ERROR_STATUS_MIN;
                of(code, message, is_servers || RETRYABLE_CODES.contains(&code))
            }
            SdkError::TimeoutError(_) => of("Timeout", "no answer in time".to_owned(), true),
            SdkError::DispatchFailure(failure) => {
                let message = failure.as_connector_error().map_or_else(|| "no connection".to_owned(), |e| innermost(e));
                if failure.is_timeout() {
                    of("Timeout", message, true)
                } else if failure.is_io() {
                    of("Unreachable", message, true)
                } else {
                    // Nothing was sent: no credentials in the chain, or a profile that cannot be used.
                    of("NotSent", message, false)
                }
            }
            SdkError::ConstructionFailure(_) => of("NotSent", innermost(error), false),
            _ => of("BadAnswer", innermost(error), true),
        }
    }
}

/// The text of the innermost cause, which says what really happened.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
