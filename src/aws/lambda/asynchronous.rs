//! Asynchronous invocation: how often Lambda tries an event again, how old it may get, and where it goes when all fails.

use aws_sdk_lambda::types::{DestinationConfig, OnFailure};

use super::{Lambda, SERVICE, count, signed};
use crate::aws::AwsError;

/// What is said of asynchronous invocations; what is none has Lambda's default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InvokeConfiguration {
    /// How often a failed event is tried again, 0 to 2; the default is 2.
    pub retries: Option<u32>,
    /// How old an event may get, in seconds, 60 to 21,600; the default is 21,600 (six hours).
    pub max_age_seconds: Option<u32>,
    /// The ARN of where a failed event goes; the default is nowhere.
    pub on_failure: Option<String>,
    /// The ARN of where the result of an event goes that went well; kept as it is found.
    pub on_success: Option<String>,
}

impl Lambda {
    /// `lambda:GetFunctionEventInvokeConfig`; none where nothing was ever said.
    ///
    /// # Errors
    /// The call failed.
    pub async fn invoke_configuration(
        &self,
        function: &str,
        qualifier: Option<&str>,
    ) -> Result<Option<InvokeConfiguration>, AwsError> {
        const OPERATION: &str = "GetFunctionEventInvokeConfig";
        let request = self.client.get_function_event_invoke_config().function_name(function);
        let output = request.set_qualifier(qualifier.map(str::to_owned)).send().await;
        let output = match output.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error)) {
            Ok(output) => output,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let destinations = output.destination_config();
        let arn = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(Some(InvokeConfiguration {
            retries: output.maximum_retry_attempts().map(|number| count(OPERATION, number)).transpose()?,
            max_age_seconds: output.maximum_event_age_in_seconds().map(|age| count(OPERATION, age)).transpose()?,
            on_failure: arn(destinations.and_then(|it| it.on_failure()).and_then(OnFailure::destination)),
            on_success: arn(destinations.and_then(|it| it.on_success()).and_then(|it| it.destination())),
        }))
    }

    /// `lambda:PutFunctionEventInvokeConfig`, which replaces all of it; `lambda:DeleteFunctionEventInvokeConfig` for none.
    ///
    /// # Errors
    /// The call failed.
    pub async fn put_invoke_configuration(
        &self,
        function: &str,
        qualifier: Option<&str>,
        configuration: Option<&InvokeConfiguration>,
    ) -> Result<(), AwsError> {
        let qualifier = qualifier.map(str::to_owned);
        let Some(configuration) = configuration else {
            const OPERATION: &str = "DeleteFunctionEventInvokeConfig";
            let request = self.client.delete_function_event_invoke_config().function_name(function);
            let outcome = request.set_qualifier(qualifier).send().await;
            return match outcome.map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error)) {
                Err(error) if !error.is_not_found() => Err(error),
                Ok(_) | Err(_) => Ok(()),
            };
        };
        const OPERATION: &str = "PutFunctionEventInvokeConfig";
        let on_success = configuration.on_success.clone();
        let on_success = on_success.map(|arn| aws_sdk_lambda::types::OnSuccess::builder().destination(arn).build());
        let on_failure = configuration.on_failure.clone().map(|arn| OnFailure::builder().destination(arn).build());
        let has_destination = on_success.is_some() || on_failure.is_some();
        let destinations = DestinationConfig::builder().set_on_success(on_success).set_on_failure(on_failure).build();
        self.client
            .put_function_event_invoke_config()
            .function_name(function)
            .set_qualifier(qualifier)
            .set_maximum_retry_attempts(configuration.retries.map(|number| signed(OPERATION, number)).transpose()?)
            .set_maximum_event_age_in_seconds(
                configuration.max_age_seconds.map(|age| signed(OPERATION, age)).transpose()?,
            )
            .set_destination_config(has_destination.then_some(destinations))
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        Ok(())
    }
}
