//! What the rest of the program asks of AWS, in our words.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use super::{AwsError, Parameter, Schedule, Scheduled};

/// A function's environment variables by name. Their values may be secrets: `Debug` shows the names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EnvironmentVariables(pub BTreeMap<String, String>);

impl fmt::Debug for EnvironmentVariables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// Whether an update of a function is still under way. AWS: `LastUpdateStatus`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateProgress {
    /// The configuration that is shown serves.
    Successful,
    /// The old configuration still serves.
    InProgress,
    /// The update failed, and the old configuration serves.
    Failed,
}

/// Whether a function can be invoked. AWS: `State`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FunctionState {
    /// It serves; emulators that have no states only know this one.
    Active,
    /// It is being made.
    Pending,
    /// It was idle for long, and is made ready by the next invocation.
    Inactive,
    /// It could not be made.
    Failed,
}

/// What `$LATEST` of a function is configured to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionConfiguration {
    /// The function's ARN.
    pub arn: String,
    /// Whole seconds, 1 to 900.
    pub timeout_seconds: u32,
    /// Megabytes, 128 to 10,240; the share of a CPU goes with it.
    pub memory_mb: u32,
    /// ARNs of layer versions, in their order.
    pub layers: Vec<String>,
    /// The digest of the code; empty where an emulator has none.
    pub code_sha256: String,
    /// The log group, where the answer names one.
    pub log_group: Option<String>,
    /// The variables; none where AWS can not show them (`Environment.Error`: the key is denied), and then nothing that
    /// would write them back may be done.
    pub environment: Option<EnvironmentVariables>,
    /// The optimistic lock; emulators may have none.
    pub revision: Option<String>,
    /// Whether it serves.
    pub state: FunctionState,
    /// Whether an update is under way.
    pub progress: UpdateProgress,
}

/// A change to a function's configuration: only what is given changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionUpdate {
    /// Whole seconds, 1 to 900.
    pub timeout_seconds: Option<u32>,
    /// Megabytes, 128 to 10,240.
    pub memory_mb: Option<u32>,
    /// ARNs of layer versions, in their order; AWS replaces the whole list.
    pub layers: Option<Vec<String>>,
    /// The whole map: AWS replaces it (UpdateFunctionConfiguration).
    pub environment: Option<EnvironmentVariables>,
}

/// One-time schedules, as far as dead man's switches need them.
#[async_trait]
pub trait ScheduleControl: Send + Sync {
    /// `scheduler:CreateSchedule`, once however often it is sent with the same token; and `iam:PassRole`.
    async fn create(&self, schedule: &Schedule, client_token: &str) -> Result<(), AwsError>;

    /// `scheduler:UpdateSchedule`, which replaces the whole; and `iam:PassRole`.
    async fn update(&self, schedule: &Schedule) -> Result<(), AwsError>;

    /// `scheduler:GetSchedule`; none where there is none, or none any more.
    async fn get(&self, name: &str, group: &str) -> Result<Option<Scheduled>, AwsError>;

    /// `scheduler:DeleteSchedule`; one that is absent is fine.
    async fn delete(&self, name: &str, group: &str) -> Result<(), AwsError>;
}

/// Systems Manager's parameters, as far as the lock of an environment needs them.
#[async_trait]
pub trait ParameterControl: Send + Sync {
    /// `ssm:GetParameter`; none where there is no such parameter.
    async fn read(&self, name: &str) -> Result<Option<Parameter>, AwsError>;

    /// `ssm:PutParameter` of text; the new version. Without `overwrite` one that exists is an error.
    async fn write(&self, name: &str, text: &str, overwrite: bool) -> Result<u64, AwsError>;

    /// `ssm:DeleteParameter`; one that is absent is fine.
    async fn remove(&self, name: &str) -> Result<(), AwsError>;
}

/// The control plane of Lambda, as far as faults and readiness need it.
#[async_trait]
pub trait FunctionControl: Send + Sync {
    /// `lambda:GetFunctionConfiguration`.
    async fn configuration(&self, function: &str) -> Result<FunctionConfiguration, AwsError>;

    /// `lambda:UpdateFunctionConfiguration`, refused with a stale `revision`.
    async fn update_configuration(
        &self,
        function: &str,
        update: &FunctionUpdate,
        revision: Option<&str>,
    ) -> Result<(), AwsError>;

    /// `lambda:GetFunctionConcurrency`; none where nothing is reserved, which is not 0.
    async fn reserved_concurrency(&self, function: &str) -> Result<Option<u32>, AwsError>;

    /// `lambda:PutFunctionConcurrency`, or `lambda:DeleteFunctionConcurrency` for none.
    async fn reserve_concurrency(&self, function: &str, reserved: Option<u32>) -> Result<(), AwsError>;

    /// `lambda:ListTags` of the function's ARN.
    async fn tags(&self, arn: &str) -> Result<BTreeMap<String, String>, AwsError>;

    /// `lambda:GetFunctionUrlConfig`; none where the function has no URL.
    async fn url(&self, function: &str, alias: Option<&str>) -> Result<Option<String>, AwsError>;
}
