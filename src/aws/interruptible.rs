//! A control plane around which a crash test can end the process: before a call is sent, and after its answer has come.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::{AwsError, FunctionConfiguration, FunctionControl, FunctionUpdate};
use crate::unit::Failpoints;

/// Passes every call on, with a failpoint on either side.
pub(super) struct Interruptible {
    pub(super) functions: Arc<dyn FunctionControl>,
    pub(super) failpoints: Failpoints,
}

impl Interruptible {
    async fn call<T>(&self, call: impl Future<Output = T> + Send) -> T {
        self.failpoints.reach();
        let answer = call.await;
        self.failpoints.reach();
        answer
    }
}

#[async_trait]
impl FunctionControl for Interruptible {
    async fn configuration(&self, function: &str) -> Result<FunctionConfiguration, AwsError> {
        self.call(self.functions.configuration(function)).await
    }

    async fn update_configuration(
        &self,
        function: &str,
        update: &FunctionUpdate,
        revision: Option<&str>,
    ) -> Result<(), AwsError> {
        self.call(self.functions.update_configuration(function, update, revision)).await
    }

    async fn reserved_concurrency(&self, function: &str) -> Result<Option<u32>, AwsError> {
        self.call(self.functions.reserved_concurrency(function)).await
    }

    async fn reserve_concurrency(&self, function: &str, reserved: Option<u32>) -> Result<(), AwsError> {
        self.call(self.functions.reserve_concurrency(function, reserved)).await
    }

    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, AwsError> {
        self.call(self.functions.tags(arn)).await
    }

    async fn url(&self, function: &str, alias: Option<&str>) -> Result<Option<String>, AwsError> {
        self.call(self.functions.url(function, alias)).await
    }
}
