//! Who we are to AWS: `sts:GetCallerIdentity`, which needs no permission.

use aws_sdk_sts::Client;

use super::AwsError;

const SERVICE: &str = "sts";
const OPERATION: &str = "GetCallerIdentity";

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account, twelve digits.
    pub account: String,
    /// The id of the access key.
    pub access_key: String,
}

/// The caller's account, twelve digits.
pub(super) async fn caller_account(configuration: &aws_config::SdkConfig) -> Result<String, AwsError> {
    let output = Client::new(configuration)
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
    let none = || no_identity("BadAnswer", "the answer has no account".to_owned(), false);
    output.account().map(str::to_owned).ok_or_else(none)
}

/// The caller could not be told.
pub(super) fn no_identity(code: &str, message: String, retryable: bool) -> AwsError {
    AwsError { service: SERVICE, operation: OPERATION, code: code.to_owned(), message, retryable, request_id: None }
}
