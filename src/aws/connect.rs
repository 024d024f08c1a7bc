//! Connecting: which endpoint, Region, credentials and limits every client has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};

use super::lambda::Lambda;
use super::signed::Signed;
use super::{AwsError, DynamoDb, Events, Fis, FunctionControl, Iam, Scheduler, ServiceTime, Sqs, Ssm, Tagging, sts};
use crate::unit::Failpoints;

/// How long one attempt of a call may take. The SDK's own default has no limit at all.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a call with all its attempts may take.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
/// How many attempts a control call has.
const CONTROL_ATTEMPTS_MAX: u32 = 4;
/// The Region that a local endpoint is told; it has none.
const LOCAL_REGION: &str = "us-east-1";
/// Both halves of the key for a local endpoint, which checks none.
const LOCAL_KEY: &str = "gameday";

/// What to connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// An endpoint of our own or an emulator: every service at one URL, made-up credentials.
    Endpoint(String),
    /// An emulator that checks who calls: every service at one URL, the credentials of a profile.
    EndpointAs {
        /// The URL.
        url: String,
        /// A profile of the shared configuration.
        profile: String,
    },
    /// AWS itself, with the usual chain of credentials. `AWS_ENDPOINT_URL*` is honoured.
    Account {
        /// The Region.
        region: String,
        /// A profile of the shared configuration; none for the default one.
        profile: Option<String>,
    },
}

impl Connection {
    /// An endpoint, with the credentials of a profile where it has one.
    #[must_use]
    pub fn endpoint(url: &str, profile: Option<&str>) -> Self {
        let url = url.to_owned();
        match profile {
            Some(profile) => Self::EndpointAs { url, profile: profile.to_owned() },
            None => Self::Endpoint(url),
        }
    }

    /// What a shell must say before `aws` works in the same place, without a secret.
    #[must_use]
    pub fn shell(&self) -> String {
        match self {
            Self::Endpoint(url) => format!("export AWS_ENDPOINT_URL={url} AWS_REGION={LOCAL_REGION}"),
            Self::EndpointAs { url, profile } => {
                format!("export AWS_ENDPOINT_URL={url} AWS_REGION={LOCAL_REGION} AWS_PROFILE={profile}")
            }
            Self::Account { region, profile } => {
                let profile = profile.as_ref().map(|profile| format!(" AWS_PROFILE={profile}")).unwrap_or_default();
                format!("export AWS_REGION={region}{profile}")
            }
        }
    }
}

impl Connection {
    /// The variables with which a program of somebody else's works in the same place. For an endpoint they are all that it
    /// needs, with made-up credentials and nothing of the caller's; for an account they are the caller's `AWS_*` with the
    /// Region and the profile of the environment. They may be secrets.
    #[must_use]
    pub fn variables(&self) -> BTreeMap<String, String> {
        let region = |region: &str| ["AWS_REGION", "AWS_DEFAULT_REGION"].map(|name| (name, region.to_owned()));
        let own = match self {
            Self::Endpoint(url) => {
                let mut own = Vec::from(region(LOCAL_REGION));
                own.push(("AWS_ENDPOINT_URL", url.clone()));
                own.extend(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name, LOCAL_KEY.to_owned())));
                // A profile of the caller's could name another place.
                own.extend(
                    ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"].map(|name| (name, "/dev/null".to_owned())),
                );
                return own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            }
            Self::EndpointAs { url, profile } => {
                let mut own = Vec::from(region(LOCAL_REGION));
                own.extend([("AWS_ENDPOINT_URL", url.clone()), ("AWS_PROFILE", profile.clone())]);
                own
            }
            Self::Account { region: name, profile } => {
                let mut own = Vec::from(region(name));
                own.extend(profile.clone().map(|profile| ("AWS_PROFILE", profile)));
                own
            }
        };
        let callers =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let mut variables: BTreeMap<String, String> = callers.filter(|(name, _)| name.starts_with("AWS_")).collect();
        variables.extend(own.into_iter().map(|(name, value)| (name.to_owned(), value)));
        variables
    }
}

/// Clients for one environment.
#[derive(Clone)]
pub struct Aws {
    /// Lambda's control plane, as far as every fault on a function needs it.
    pub functions: Arc<dyn FunctionControl>,
    /// All of Lambda's control plane.
    pub lambda: Lambda,
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
            Connection::EndpointAs { url, profile } => loader
                .endpoint_url(url)
                .region(Region::from_static(LOCAL_REGION))
                .credentials_provider(ProfileFileCredentialsProvider::builder().profile_name(profile).build()),
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
        let signed = Signed::new(&configuration).with_failpoints(failpoints);
        Self {
            functions: Arc::new(lambda.clone()),
            lambda,
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

    /// The caller's account, twelve digits.
    ///
    /// # Errors
    /// The call failed.
    pub async fn caller_account(&self) -> Result<String, AwsError> {
        sts::caller_account(&self.configuration).await
    }

    /// The caller's ARN: of a user, of a session of a role, or of the account's root.
    ///
    /// # Errors
    /// The call failed.
    pub async fn caller_arn(&self) -> Result<String, AwsError> {
        sts::caller_arn(&self.configuration).await
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
    Credentials::new(LOCAL_KEY, LOCAL_KEY, None, None, "local endpoint")
}
