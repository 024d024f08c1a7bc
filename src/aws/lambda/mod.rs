//! Lambda's control plane through `aws-sdk-lambda`, against AWS, the sandbox or an emulator alike.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::types::{Environment, LastUpdateStatus, State};

use super::failpoint::AroundCalls;
use super::{
    AwsError, EnvironmentVariables, FunctionConfiguration, FunctionControl, FunctionState, FunctionUpdate,
    UpdateProgress,
};
use crate::unit::Failpoints;

mod alias;
mod asynchronous;
mod event_source;
mod list;
mod provisioned;
mod url;

pub use alias::{Alias, PublishedVersion};
pub use asynchronous::InvokeConfiguration;
pub use event_source::{EventSource, EventSourceUpdate};
pub use list::{FunctionList, ListedFunction, ListedSource, SourceList};
pub use provisioned::Provisioned;

const SERVICE: &str = "lambda";
/// Values shorter than this are no secrets, and stand in every other word.
const SECRET_BYTES_MIN: usize = 4;

/// Lambda's control plane at a real endpoint. What every fault needs is behind the port [`FunctionControl`] as well.
#[derive(Debug, Clone)]
pub struct Lambda {
    client: Client,
}

impl Lambda {
    pub(super) fn new(configuration: &aws_config::SdkConfig, failpoints: Failpoints) -> Self {
        let builder = aws_sdk_lambda::config::Builder::from(configuration);
        Self { client: Client::from_conf(builder.interceptor(AroundCalls(failpoints)).build()) }
    }
}

fn bad_answer(operation: &'static str, message: &str) -> AwsError {
    AwsError {
        service: SERVICE,
        operation,
        code: "BadAnswer".to_owned(),
        message: message.to_owned(),
        retryable: false,
        request_id: None,
    }
}

/// A count that AWS carries as a signed number and never makes negative.
fn count(operation: &'static str, number: i32) -> Result<u32, AwsError> {
    u32::try_from(number).map_err(|_| bad_answer(operation, &format!("`{number}` is negative")))
}

fn signed(operation: &'static str, number: u32) -> Result<i32, AwsError> {
    i32::try_from(number).map_err(|_| bad_answer(operation, &format!("`{number}` is too large")))
}

fn read_configuration(output: &GetFunctionConfigurationOutput) -> Result<FunctionConfiguration, AwsError> {
    const OPERATION: &str = "GetFunctionConfiguration";
    let environment = match output.environment() {
        None => Some(EnvironmentVariables::default()),
        Some(environment) if environment.error().is_some() => None,
        Some(environment) => {
            let variables = environment.variables().cloned().unwrap_or_default();
            Some(EnvironmentVariables(variables.into_iter().collect()))
        }
    };
    let progress = match output.last_update_status() {
        Some(LastUpdateStatus::InProgress) => UpdateProgress::InProgress,
        Some(LastUpdateStatus::Failed) => UpdateProgress::Failed,
        _ => UpdateProgress::Successful,
    };
    let state = match output.state() {
        Some(State::Pending) => FunctionState::Pending,
        Some(State::Inactive) => FunctionState::Inactive,
        Some(State::Failed) => FunctionState::Failed,
        _ => FunctionState::Active,
    };
    Ok(FunctionConfiguration {
        arn: output.function_arn().unwrap_or_default().to_owned(),
        timeout_seconds: output
            .timeout()
            .ok_or_else(|| bad_answer(OPERATION, "the answer has no `Timeout`"))
            .and_then(|seconds| count(OPERATION, seconds))?,
        memory_mb: output.memory_size().map_or(Ok(0), |memory| count(OPERATION, memory))?,
        layers: output.layers().iter().filter_map(|layer| layer.arn()).map(str::to_owned).collect(),
        code_sha256: output.code_sha256().unwrap_or_default().to_owned(),
        log_group: output.logging_config().and_then(|logging| logging.log_group()).map(str::to_owned),
        environment,
        revision: output.revision_id().map(str::to_owned),
        state,
        progress,
    })
}

/// AWS quotes what it does not take, and values of variables may be secrets: they are struck out of its message.
fn without_values(error: AwsError, update: &FunctionUpdate) -> AwsError {
    let mut message = error.message;
    for value in update.environment.iter().flat_map(|EnvironmentVariables(variables)| variables.values()) {
        if value.len() >= SECRET_BYTES_MIN {
            message = message.replace(value.as_str(), "***");
        }
    }
    AwsError { message, ..error }
}

#[async_trait]
impl FunctionControl for Lambda {
    async fn configuration(&self, function: &str) -> Result<FunctionConfiguration, AwsError> {
        let output = self
            .client
            .get_function_configuration()
            .function_name(function)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(SERVICE, "GetFunctionConfiguration", &error))?;
        read_configuration(&output)
    }

    async fn update_configuration(
        &self,
        function: &str,
        update: &FunctionUpdate,
        revision: Option<&str>,
    ) -> Result<(), AwsError> {
        const OPERATION: &str = "UpdateFunctionConfiguration";
        let timeout = update.timeout_seconds.map(|seconds| signed(OPERATION, seconds)).transpose()?;
        let memory = update.memory_mb.map(|memory| signed(OPERATION, memory)).transpose()?;
        // "No variables" is an empty map: an absent one would leave the old variables in place.
        let environment = update.environment.as_ref().map(|EnvironmentVariables(variables)| {
            let variables: HashMap<String, String> = variables.clone().into_iter().collect();
            Environment::builder().set_variables(Some(variables)).build()
        });
        self.client
            .update_function_configuration()
            .function_name(function)
            .set_timeout(timeout)
            .set_memory_size(memory)
            .set_layers(update.layers.clone())
            .set_environment(environment)
            .set_revision_id(revision.map(str::to_owned))
            .send()
            .await
            .map_err(|error| without_values(AwsError::from_sdk(SERVICE, OPERATION, &error), update))?;
        Ok(())
    }

    async fn reserved_concurrency(&self, function: &str) -> Result<Option<u32>, AwsError> {
        const OPERATION: &str = "GetFunctionConcurrency";
        let output = self
            .client
            .get_function_concurrency()
            .function_name(function)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
        output.reserved_concurrent_executions().map(|reserved| count(OPERATION, reserved)).transpose()
    }

    async fn reserve_concurrency(&self, function: &str, reserved: Option<u32>) -> Result<(), AwsError> {
        match reserved {
            Some(reserved) => {
                const OPERATION: &str = "PutFunctionConcurrency";
                self.client
                    .put_function_concurrency()
                    .function_name(function)
                    .reserved_concurrent_executions(signed(OPERATION, reserved)?)
                    .send()
                    .await
                    .map_err(|error| AwsError::from_sdk(SERVICE, OPERATION, &error))?;
            }
            None => {
                self.client
                    .delete_function_concurrency()
                    .function_name(function)
                    .send()
                    .await
                    .map_err(|error| AwsError::from_sdk(SERVICE, "DeleteFunctionConcurrency", &error))?;
            }
        }
        Ok(())
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
        let output = self
            .client
            .list_tags()
            .resource(arn)
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(SERVICE, "ListTags", &error))?;
        Ok(output.tags().cloned().unwrap_or_default().into_iter().collect())
    }

    async fn url(&self, function: &str, alias: Option<&str>) -> Result<Option<String>, AwsError> {
        let answer = self
            .client
            .get_function_url_config()
            .function_name(function)
            .set_qualifier(alias.map(str::to_owned))
            .send()
            .await
            .map_err(|error| AwsError::from_sdk(SERVICE, "GetFunctionUrlConfig", &error));
        match answer {
            Ok(output) => Ok(Some(output.function_url().trim_end_matches('/').to_owned())),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_quotes_the_variables_does_not_show_their_values() {
        let variables = [("TOKEN", "s3cr3t-token"), ("STAGE", "de")].map(|(name, value)| (name.into(), value.into()));
        let environment = Some(EnvironmentVariables(variables.into()));
        let update = FunctionUpdate { environment, ..FunctionUpdate::default() };
        let error = bad_answer("UpdateFunctionConfiguration", "too long: {\"TOKEN\":\"s3cr3t-token\"}, denied");
        assert_eq!(without_values(error, &update).message, "too long: {\"TOKEN\":\"***\"}, denied");
    }
}
