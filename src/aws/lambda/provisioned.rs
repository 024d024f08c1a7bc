//! Provisioned concurrency: environments of a version or an alias that are kept warm.

use aws_sdk_lambda::types::ProvisionedConcurrencyStatusEnum;

use super::{Lambda, SERVICE, bad_answer, count, signed};
use crate::aws::AwsError;

/// Provisioned concurrency of a version or an alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisioned {
    /// How many environments are asked for.
    pub requested: u32,
    /// Whether AWS is still making or ending some of them.
    pub is_in_progress: bool,
}

impl Lambda {
    /// `lambda:GetProvisionedConcurrencyConfig`; none where nothing is provisioned.
    ///
    /// # Errors
    /// The call failed.
    pub async fn provisioned(&self, function: &str, qualifier: &str) -> Result<Option<Provisioned>, AwsError> {
        const OPERATION: &str = "GetProvisionedConcurrencyConfig";
        let request = self.client.get_provisioned_concurrency_config().function_name(function).qualifier(qualifier);
        let output = match request.send().await.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error)) {
            Ok(output) => output,
            Err(error) if error.code == "ProvisionedConcurrencyConfigNotFoundException" => return Ok(None),
            Err(error) => return Err(error),
        };
        let requested = output
            .requested_provisioned_concurrent_executions()
            .ok_or_else(|| bad_answer(OPERATION, "the answer has no `RequestedProvisionedConcurrentExecutions`"))?;
        Ok(Some(Provisioned {
            requested: count(OPERATION, requested)?,
            is_in_progress: output.status() == Some(&ProvisionedConcurrencyStatusEnum::InProgress),
        }))
    }

    /// `lambda:PutProvisionedConcurrencyConfig`, or `lambda:DeleteProvisionedConcurrencyConfig` for none.
    ///
    /// # Errors
    /// The call failed.
    pub async fn provision(&self, function: &str, qualifier: &str, wanted: Option<u32>) -> Result<(), AwsError> {
        if let Some(wanted) = wanted {
            const OPERATION: &str = "PutProvisionedConcurrencyConfig";
            self.client
                .put_provisioned_concurrency_config()
                .function_name(function)
                .qualifier(qualifier)
                .provisioned_concurrent_executions(signed(OPERATION, wanted)?)
                .send()
                .await
                .map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        } else {
            self.client
                .delete_provisioned_concurrency_config()
                .function_name(function)
                .qualifier(qualifier)
                .send()
                .await
                .map_err(|error| AwsError::from_sdk(SERVICE, "DeleteProvisionedConcurrencyConfig", &error))?;
        }
        Ok(())
    }
}
