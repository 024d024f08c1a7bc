//! Connecting: which endpoint, Region, credentials and limits every client has.

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};

use super::lambda::Lambda;
use super::signed::Signed;
use super::{
    AwsError, CloudWatch, DynamoDb, Events, Fis, FunctionControl, Iam, Scheduler, ServiceTime, Sqs, Ssm, Tagging, sts,
};
use crate::unit::Failpoints;

/// How long one attempt of a call may take. The SDK's own default has no limit at all.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a call with all its attempts may take.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
/// How many attempts a control call has.
const CONTROL_ATTEMPTS_MAX: u32 = 4;
/// The Region that a local endpoint is told; it has none.
const LOCAL_REGION: &str = "us-east-1";

/// What to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// An endpoint of our own or an emulator: every service at one URL, made-up credentials.
    Endpoint(String),
    /// AWS itself, with the usual chain of credentials. `AWS_ENDPOINT_URL*` is honoured.
    Account {
        /// The Region.
        region: String,
        /// A profile of the shared configuration; none for the default one.
        profile: Option<String>,
    },
}

impl Connection {
    /// What a shell must say before `aws` works in the same place, without a secret.
    #[must_use]
    pub fn shell(&self) -> String {
        match self {
            Self::Endpoint(url) => format!("export AWS_ENDPOINT_URL={url} AWS_REGION={LOCAL_REGION}"),
            Self::Account { region, profile } => {
                let profile = profile.as_ref().map(|profile| format!(" AWS_PROFILE={profile}")).unwrap_or_default();
                format!("export AWS_REGION={region}{profile}")
            }
        }
    }
}

/// Clients for one environment.
#[derive(Clone)]
pub struct Aws {
    /// Lambda's control plane, as far as every fault on a function needs it.
    pub functions: Arc<dyn FunctionControl>,
    /// All of Lambda's control plane.
    pub lambda: Lambda,
    /// CloudWatch's alarms.
    pub cloudwatch: CloudWatch,
    /// DynamoDB's tables.
    pub dynamodb: DynamoDb,
    /// EventBridge's rules.
    pub events: Events,
    /// Experiments of the Fault Injection Service.
    pub fis: Fis,
    /// Roles and policies.
    pub iam: Iam,
    /// One-time schedules.
    pub scheduler: Scheduler,
    /// Queues.
    pub sqs: Sqs,
    /// Systems Manager's parameters.
    pub ssm: Ssm,
    /// Resources by their tags.
    pub tagging: Tagging,
    signed: Signed,
    configuration: SdkConfig,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Aws").field("endpoint", &self.configuration.endpoint_url()).finish_non_exhaustive()
    }
}

impl Aws {
    /// Makes the clients; no call is made yet.
    pub async fn connect(connection: &Connection) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(OPERATION_TIMEOUT)
            .build();
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(CONTROL_ATTEMPTS_MAX));
        let loader = match connection {
            Connection::Endpoint(url) => loader
                .endpoint_url(url)
                .region(Region::from_static(LOCAL_REGION))
                .credentials_provider(SharedCredentialsProvider::new(local_credentials())),
            Connection::Account { region, profile } => {
                let loader = loader.region(Region::new(region.clone()));
                match profile {
                    Some(profile) => loader.profile_name(profile),
                    None => loader,
                }
            }
        };
        Self::with(loader.load().await, Failpoints::default())
    }

    fn with(configuration: SdkConfig, failpoints: Failpoints) -> Self {
        let lambda = Lambda::new(&configuration, failpoints.clone());
        let fis = Fis::new(&configuration, failpoints.clone());
        let cloudwatch = CloudWatch::new(&configuration, failpoints.clone());
        let signed = Signed::new(&configuration).with_failpoints(failpoints);
        Self {
            functions: Arc::new(lambda.clone()),
            lambda,
            cloudwatch,
            dynamodb: DynamoDb::new(&signed),
            events: Events::new(&signed),
            fis,
            iam: Iam::new(&signed),
            scheduler: Scheduler::new(&signed),
            sqs: Sqs::new(&signed),
            ssm: Ssm::new(&signed),
            tagging: Tagging::new(&signed),
            signed,
            configuration,
        }
    }

    /// Clients that reach nobody, but for functions that a test makes up.
    #[cfg(test)]
    pub(crate) fn made_up(functions: Arc<dyn FunctionControl>) -> Self {
        let configuration = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        Self { functions, ..Self::with(configuration, Failpoints::default()) }
    }

    /// The same clients, with a point at which a crash test can end the process before and after each call.
    #[must_use]
    pub fn with_failpoints(self, failpoints: Failpoints) -> Self {
        Self::with(self.configuration, failpoints)
    }

    /// CloudWatch for polling: a client of its own, with one short attempt a call.
    #[must_use]
    pub fn alarm_poll(&self) -> CloudWatch {
        CloudWatch::for_polling(&self.configuration)
    }

    /// The caller's account, twelve digits.
    ///
    /// # Errors
    /// The call failed.
    pub async fn caller_account(&self) -> Result<String, AwsError> {
        sts::caller_account(&self.configuration).await
    }

    /// What time it is for AWS, next to our own clock. Also an answer that refuses tells the time.
    ///
    /// # Errors
    /// There was no answer, or it has no `Date`.
    pub async fn service_time(&self) -> Result<ServiceTime, AwsError> {
        ServiceTime::ask(&self.signed).await
    }
}

/// Credentials for a local endpoint, which checks none.
fn local_credentials() -> Credentials {
    Credentials::new("gameday", "gameday", None, None, "local endpoint")
}
