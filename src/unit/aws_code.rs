//! The codes by which AWS names an error, wherever an answer has them.

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

/// The code alone: `com.amazonaws.ssm#ParameterNotFound:http://…` is `ParameterNotFound`.
#[must_use]
pub fn bare_aws_code(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default().trim()
}
