//! Function URLs: who may call them.

use aws_sdk_lambda::types::FunctionUrlAuthType;

use super::{Lambda, SERVICE};
use crate::aws::AwsError;

impl Lambda {
    /// `lambda:GetFunctionUrlConfig`: whether callers must sign; none where the function has no URL.
    ///
    /// # Errors
    /// The call failed.
    pub async fn url_needs_signature(&self, function: &str, qualifier: Option<&str>) -> Result<Option<bool>, AwsError> {
        let request = self.client.get_function_url_config().function_name(function);
        let output = request.set_qualifier(qualifier.map(str::to_owned)).send().await;
        match output.map_err(|error| AwsError::from_sdk(SERVICE, "GetFunctionUrlConfig", &error)) {
            Ok(output) => Ok(Some(*output.auth_type() == FunctionUrlAuthType::AwsIam)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `lambda:UpdateFunctionUrlConfig`: `AuthType` alone.
    ///
    /// # Errors
    /// The call failed.
    pub async fn set_url_needs_signature(
        &self,
        function: &str,
        qualifier: Option<&str>,
        needed: bool,
    ) -> Result<(), AwsError> {
        let auth = if needed { FunctionUrlAuthType::AwsIam } else { FunctionUrlAuthType::None };
        self.client
            .update_function_url_config()
            .function_name(function)
            .set_qualifier(qualifier.map(str::to_owned))
            .auth_type(auth)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(SERVICE, "UpdateFunctionUrlConfig", &error))?;
        Ok(())
    }
}
