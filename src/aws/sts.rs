//! Who we are to AWS: `sts:GetCallerIdentity`, which needs no permission.

use aws_sdk_sts::Client;
use aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput;

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
    let output = ask(configuration).await?;
    output.account().map(str::to_owned).ok_or_else(|| bad_answer("the answer has no account"))
}

/// The caller's ARN: of a user, of a session of a role, or of the account's root.
pub(super) async fn caller_arn(configuration: &aws_config::SdkConfig) -> Result<String, AwsError> {
    let output = ask(configuration).await?;
    output.arn().map(str::to_owned).ok_or_else(|| bad_answer("the answer has no ARN"))
}

async fn ask(configuration: &aws_config::SdkConfig) -> Result<GetCallerIdentityOutput, AwsError> {
    let answer = Client::new(configuration).get_caller_identity().send().await;
    answer.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))
}

fn bad_answer(message: &str) -> AwsError {
    no_identity("BadAnswer", message.to_owned(), false)
}

/// The caller could not be told.
pub(super) fn no_identity(code: &str, message: String, retryable: bool) -> AwsError {
    AwsError { service: SERVICE, operation: OPERATION, code: code.to_owned(), message, retryable, request_id: None }
}
