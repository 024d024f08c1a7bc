//! Functions as the AWS SDK reads them, for tests that compare before and after.

use std::collections::BTreeMap;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::{Credentials, Region};
use aws_sdk_lambda::error::ProvideErrorMetadata as _;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::Environment;

/// What of a function a fault could change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Function {
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) timeout_seconds: Option<i32>,
    pub(crate) memory_mb: Option<i32>,
    /// None: nothing is reserved, which is not 0.
    pub(crate) reserved: Option<i32>,
}

/// A Lambda API on this machine.
pub(crate) struct Lambda {
    pub(crate) runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Lambda {
    pub(crate) fn at(endpoint: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .retry_config(RetryConfig::disabled());
        let client = Client::new(&runtime.block_on(loader.load()));
        Self { runtime, client }
    }

    pub(crate) fn function(&self, name: &str) -> Function {
        self.runtime.block_on(async {
            let configuration = self.client.get_function_configuration().function_name(name).send().await;
            let configuration = configuration.expect("a configuration");
            let concurrency = self.client.get_function_concurrency().function_name(name).send().await;
            let environment = configuration.environment().and_then(|environment| environment.variables());
            Function {
                environment: environment.into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect(),
                timeout_seconds: configuration.timeout(),
                memory_mb: configuration.memory_size(),
                reserved: concurrency.expect("an answer").reserved_concurrent_executions(),
            }
        })
    }

    /// Makes a function as it was when it was read.
    pub(crate) fn restore(&self, name: &str, function: &Function) {
        let client = &self.client;
        self.runtime.block_on(async {
            let variables = function.environment.clone().into_iter().collect();
            let environment = Environment::builder().set_variables(Some(variables)).build();
            let update = client.update_function_configuration().function_name(name).environment(environment);
            update.set_timeout(function.timeout_seconds).send().await.expect("an update");
            match function.reserved {
                Some(reserved) => {
                    let put = client.put_function_concurrency().function_name(name);
                    put.reserved_concurrent_executions(reserved).send().await.map(drop).expect("a reservation");
                }
                None => client.delete_function_concurrency().function_name(name).send().await.map(drop).expect("none"),
            }
        });
    }

    /// Sets one variable as a careful writer does, under the revision that was read; false where it lost a race.
    pub(crate) fn set_variable(&self, function: &str, name: &str, value: &str) -> bool {
        self.runtime.block_on(async {
            let found = self.client.get_function_configuration().function_name(function).send().await;
            let found = found.expect("a configuration");
            let mut variables = found.environment().and_then(|it| it.variables()).cloned().unwrap_or_default();
            variables.insert(name.to_owned(), value.to_owned());
            let environment = Environment::builder().set_variables(Some(variables)).build();
            let update = self.client.update_function_configuration().function_name(function).environment(environment);
            update.set_revision_id(found.revision_id().map(str::to_owned)).send().await.is_ok()
        })
    }

    /// The function's URL, with a slash at its end.
    pub(crate) fn url(&self, name: &str) -> String {
        let call = self.client.get_function_url_config().function_name(name).send();
        self.runtime.block_on(call).expect("a URL").function_url().to_owned()
    }

    /// Invokes it with an empty event: its answer, or the code of the error.
    pub(crate) fn invoke(&self, name: &str) -> Result<serde_json::Value, String> {
        let call = self.client.invoke().function_name(name).payload(Blob::new("{}")).send();
        match self.runtime.block_on(call) {
            Ok(output) => {
                let payload = output.payload.expect("a payload").into_inner();
                Ok(serde_json::from_slice(&payload).expect("JSON"))
            }
            Err(error) => Err(error.into_service_error().code().unwrap_or_default().to_owned()),
        }
    }
}
