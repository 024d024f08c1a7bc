//! Who we are to AWS: `sts:GetCallerIdentity`, which needs no permission.

use aws_sdk_sts::Client;

use super::AwsError;

const SERVICE: &str = "sts";

/// The caller's account, twelve digits.
pub(super) async fn caller_account(configuration: &aws_config::SdkConfig) -> Result<String, AwsError> {
    const OPERATION: &str = "GetCallerIdentity";
    let output = Client::new(configuration)
        .get_caller_identity()
        .send()
        .await
        .map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
    output.account().map(str::to_owned).ok_or_else(|| AwsError {
        service: SERVICE,
        operation: OPERATION,
        code: "BadAnswer".to_owned(),
        message: "the answer has no account".to_owned(),
        retryable: false,
        request_id: None,
    })
}
