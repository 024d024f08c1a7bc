//! What AWS's services say on the wire, as far as several rooms must know it: the codes of errors, the version of an API.

/// The version of SNS's API, which each of its requests names.
pub const SNS_API_VERSION: &str = "2010-03-31";

/// Codes that say that calls come too often. Source: the SDK's `THROTTLING_ERRORS` (aws-runtime, retries/classifiers.rs), and
/// `Throttled`, as SNS says it.
const THROTTLING_CODES: &[&str] = &[
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

/// Whether a code says that calls come too often.
#[must_use]
pub fn is_throttling_code(code: &str) -> bool {
    THROTTLING_CODES.contains(&code)
}

/// Codes that say that the credentials were good and have expired, as services of different ages write it.
const EXPIRED_CODES: &[&str] = &["ExpiredToken", "ExpiredTokenException"];

/// Whether a code says that the credentials have expired.
#[must_use]
pub fn is_expired_code(code: &str) -> bool {
    EXPIRED_CODES.contains(&code)
}

/// The code alone: `com.amazonaws.ssm#ParameterNotFound:http://…` is `ParameterNotFound`.
#[must_use]
pub fn bare_aws_code(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().trim()
}
