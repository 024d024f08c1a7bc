//! Codes of errors that many services share, with the status that each protocol gives them.
//!
//! Source: "Common Errors" of the services' API references, and `httpStatusCode` in botocore's service models.

use super::Protocol;
use crate::unit::nearest;

/// A code with its statuses: where refused calls are all told by 400 (JSON and CBOR), and elsewhere.
const CODES: [(&str, u16, u16); 46] = [
    ("AccessDenied", 403, 403),
    ("AccessDeniedException", 400, 403),
    ("AuthorizationError", 403, 403),
    ("BadRequestException", 400, 400),
    ("ConditionalCheckFailedException", 400, 400),
    ("ConflictException", 400, 409),
    ("EC2ThrottledException", 502, 502),
    ("EC2UnexpectedException", 502, 502),
    ("ExpiredToken", 400, 403),
    ("ExpiredTokenException", 400, 403),
    ("IncompleteSignature", 400, 400),
    ("InternalError", 500, 500),
    ("InternalFailure", 500, 500),
    ("InternalServerError", 500, 500),
    ("InternalServerException", 500, 500),
    ("InternalServiceError", 500, 500),
    ("InternalServiceFault", 500, 500),
    ("InvalidClientTokenId", 403, 403),
    ("InvalidSignatureException", 400, 403),
    ("KMSThrottlingException", 400, 502),
    ("LimitExceededException", 400, 400),
    ("NoSuchBucket", 404, 404),
    ("NoSuchKey", 404, 404),
    ("ParameterNotFound", 400, 400),
    ("ProvisionedThroughputExceededException", 400, 400),
    ("QueueDoesNotExist", 400, 400),
    ("RequestLimitExceeded", 400, 503),
    ("RequestThrottled", 400, 403),
    ("RequestTimeout", 400, 400),
    ("RequestTimeoutException", 400, 400),
    ("ResourceInUseException", 400, 400),
    ("ResourceNotFoundException", 400, 404),
    ("ServiceException", 500, 500),
    ("ServiceUnavailable", 503, 503),
    ("ServiceUnavailableException", 503, 503),
    ("SignatureDoesNotMatch", 403, 403),
    ("SlowDown", 503, 503),
    ("Throttled", 429, 429),
    ("ThrottledException", 400, 429),
    ("Throttling", 400, 400),
    ("ThrottlingException", 400, 429),
    ("TooManyRequestsException", 400, 429),
    ("TransactionConflictException", 400, 400),
    ("TransactionInProgressException", 400, 400),
    ("UnrecognizedClientException", 400, 403),
    ("ValidationException", 400, 400),
];

/// The code that somebody may have meant.
pub(crate) fn nearest_code(word: &str) -> Option<&'static str> {
    nearest(word, CODES.iter().map(|(code, ..)| *code))
}

/// Codes of services that spoke the query protocol once, with the names that these had there.
const QUERY_NAMES: [(&str, &str); 4] = [
    ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
    ("OverLimit", "OverLimit"),
    ("InternalServiceFault", "InternalServiceError"),
    ("ResourceNotFound", "ResourceNotFound"),
];

/// The status with which services of a protocol tell a code, if it is a common one.
pub(crate) fn known_status(code: &str, protocol: Protocol) -> Option<u16> {
    let (_, plain, rest) = CODES.iter().find(|(name, ..)| *name == code)?;
    Some(if protocol.tells_all_by_400() { *plain } else { *rest })
}

/// The name of a code in the query protocol.
pub(super) fn query_name(code: &str) -> &str {
    QUERY_NAMES.iter().find(|(name, _)| *name == code).map_or(code, |(_, old)| old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_once_and_in_order() {
        assert!(CODES.is_sorted_by(|left, right| left.0 < right.0));
    }

    #[test]
    fn the_status_of_a_code_is_that_of_its_protocol() {
        assert_eq!(known_status("ThrottlingException", Protocol::Json10), Some(400));
        assert_eq!(known_status("ThrottlingException", Protocol::RestJson), Some(429));
        assert_eq!(known_status("SlowDown", Protocol::S3Xml), Some(503));
        assert_eq!(known_status("Whatever", Protocol::Json10), None);
    }
}
