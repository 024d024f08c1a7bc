//! Connecting: which endpoint, Region, credentials and limits every client has.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};

use super::lambda::Lambda;
use super::pace::Pace;
use super::resign::Resigner;
use super::role::Role;
use super::signed::{CredentialCache, NoCredentials, Shared, Signed};
use super::{
    AwsError, Caller, CloudFormation, CloudWatch, CredentialsEnd, DynamoDb, EndpointOverride, Events, Fis,
    FunctionControl, Iam, Kinesis, LoadedService, Logs, ScheduleControl, Scheduler, ServiceEndpoint, ServiceTime,
    Signer, Sns, Sqs, Ssm, Synthetics, Tagging, XRay, sts,
};
use crate::unit::{AwsAccess, Clock, Failpoints, Rate};

/// How long one attempt of a call may take. The SDK's own default has no limit at all.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a call with all its attempts may take.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(30);
/// How many attempts a control call has.
const CONTROL_ATTEMPTS_MAX: u32 = 4;
/// How often the caller is asked for again whose key was renewed meanwhile.
const CALLER_ATTEMPTS_MAX: usize = 3;
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
    /// AWS itself, with the usual chain of credentials. `AWS_ENDPOINT_URL*` is honoured: a run first refuses what
    /// [`Aws::endpoint_override`] tells of.
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
    /// How another process of ours connects to the same place, as the same role.
    #[must_use]
    pub fn access(&self, role: Option<&Role>) -> AwsAccess {
        let (endpoint, region, profile) = match self {
            Self::Endpoint(url) => (Some(url.clone()), None, None),
            Self::EndpointAs { url, profile } => (Some(url.clone()), None, Some(profile.clone())),
            Self::Account { region, profile } => (None, Some(region.clone()), profile.clone()),
        };
        AwsAccess { endpoint, region, profile, role: role.map(Role::access) }
    }

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
                // Keys of the caller's, or a wish to ignore endpoints, would lead to another place: where profiles stand is all.
                let files = ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"];
                own.extend(files.into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?))));
                return own.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
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
    /// Stacks.
    pub cloudformation: CloudFormation,
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
    pub scheduler: Arc<dyn ScheduleControl>,
    /// Data streams.
    pub kinesis: Kinesis,
    /// CloudWatch Logs.
    pub logs: Logs,
    /// Topics.
    pub sns: Sns,
    /// Queues.
    pub sqs: Sqs,
    /// Systems Manager's parameters.
    pub ssm: Ssm,
    /// Canaries.
    pub synthetics: Synthetics,
    /// Tags of whatever.
    pub tagging: Tagging,
    /// Traces.
    pub xray: XRay,
    signed: Signed,
    configuration: SdkConfig,
    credentials: Arc<CredentialCache>,
    /// The credentials that somebody gave us: the same, or those that assume the role.
    given: Arc<CredentialCache>,
    failpoints: Failpoints,
    pace: Pace,
}

impl std::fmt::Debug for Aws {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Aws").field("endpoint", &self.configuration.endpoint_url()).finish_non_exhaustive()
    }
}

impl Aws {
    /// Makes the clients that another process of ours has; no call is made but to assume a role when one is needed.
    pub async fn reconnect(access: &AwsAccess) -> Self {
        let AwsAccess { endpoint, region, profile, role } = access;
        let connection = match endpoint {
            Some(url) => Connection::endpoint(url, profile.as_deref()),
            None => Connection::Account { region: region.clone().unwrap_or_default(), profile: profile.clone() },
        };
        let aws = Self::connect(&connection).await;
        match role {
            Some(role) => aws.assuming(&Role::of(role)).await,
            None => aws,
        }
    }

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
        Self::new(loader.load().await)
    }

    /// Clients that share the credentials of `configuration`.
    fn new(configuration: SdkConfig) -> Self {
        let credentials = Arc::new(CredentialCache::new(configuration.credentials_provider()));
        Self::with(configuration, credentials, Failpoints::default(), Pace::default())
    }

    fn with(configuration: SdkConfig, credentials: Arc<CredentialCache>, failpoints: Failpoints, pace: Pace) -> Self {
        let shared = Shared { credentials: Arc::clone(&credentials), pace: pace.clone() };
        // The SDK's own cache would renew them at moments of its own.
        let configuration = configuration
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(shared))
            .identity_cache(IdentityCache::no_cache())
            .build();
        let lambda = Lambda::new(&configuration, failpoints.clone());
        let fis = Fis::new(&configuration, failpoints.clone());
        let cloudwatch = CloudWatch::new(&configuration, failpoints.clone());
        let signed = Signed::new(&configuration, Arc::clone(&credentials));
        let signed = signed.with_failpoints(failpoints.clone()).with_pace(pace.clone());
        Self {
            functions: Arc::new(lambda.clone()),
            lambda,
            cloudformation: CloudFormation::new(&signed),
            cloudwatch,
            dynamodb: DynamoDb::new(&signed),
            events: Events::new(&signed),
            fis,
            iam: Iam::new(&signed),
            scheduler: Arc::new(Scheduler::new(&signed)),
            kinesis: Kinesis::new(&signed),
            logs: Logs::new(&signed),
            sns: Sns::new(&signed),
            sqs: Sqs::new(&signed),
            ssm: Ssm::new(&signed),
            synthetics: Synthetics::new(&signed),
            tagging: Tagging::new(&signed),
            xray: XRay::new(&signed),
            signed,
            configuration,
            given: Arc::clone(&credentials),
            credentials,
            failpoints,
            pace,
        }
    }

    /// Clients that reach nobody, but for functions that a test makes up.
    #[cfg(test)]
    pub(crate) fn made_up(functions: Arc<dyn FunctionControl>) -> Self {
        let configuration = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        Self { functions, ..Self::new(configuration) }
    }

    /// The same, but for what `server` answers.
    #[cfg(test)]
    pub(crate) fn made_up_at(server: &super::signed::Server, functions: Arc<dyn FunctionControl>) -> Self {
        Self { functions, ..Self::new(server.configuration()) }
    }

    /// The same clients, with a point at which a crash test can end the process before and after each call.
    #[must_use]
    pub fn with_failpoints(self, failpoints: Failpoints) -> Self {
        let given = self.given;
        Self { given, ..Self::with(self.configuration, self.credentials, failpoints, self.pace) }
    }

    /// The same clients, which together send no more than so many calls a second, but for what is done [`urgently`].
    ///
    /// [`urgently`]: super::urgently
    #[must_use]
    pub fn paced(self, rate: Rate) -> Self {
        let given = self.given;
        Self { given, ..Self::with(self.configuration, self.credentials, self.failpoints, Pace::new(rate)) }
    }

    /// The same clients, at `rate` where they have none of their own.
    #[must_use]
    pub fn paced_by_default(self, rate: Rate) -> Self {
        if self.pace.is_none() { self.paced(rate) } else { self }
    }

    #[cfg(test)]
    pub(super) fn pace(&self) -> &Pace {
        &self.pace
    }

    /// Clients that do everything as `role`, which these clients' credentials assume, and again before it expires.
    #[must_use]
    pub async fn assuming(self, role: &Role) -> Self {
        let provider = SharedCredentialsProvider::new(role.provider(&self.configuration).await);
        let given = self.given;
        Self { given, ..Self::new(self.configuration.into_builder().credentials_provider(provider).build()) }
    }

    /// When the credentials end that somebody gave us; a role that they assume is assumed again for as long as they last.
    ///
    /// # Errors
    /// There are none.
    pub async fn credentials_end(&self) -> Result<CredentialsEnd, AwsError> {
        let given = self.given.at(Clock::start().now()).await.map_err(no_credentials)?;
        Ok(CredentialsEnd::of(&given, |variable| std::env::var(variable).ok()))
    }

    /// Who somebody says that AWS is: an endpoint that a variable or a profile puts in the place of AWS's own, for a
    /// service that is used here. `profile` is the one that was connected with. No call is made.
    #[must_use]
    pub fn endpoint_override(&self, profile: Option<&str>) -> Option<EndpointOverride> {
        EndpointOverride::find(&self.configuration, profile, |variable| std::env::var(variable).ok())
    }

    /// Signs requests of our own, with the credentials of these clients.
    #[must_use]
    pub fn signer(&self) -> Signer {
        Signer::new(Arc::clone(&self.credentials))
    }

    /// The Region that the clients are for; empty where none is configured.
    #[must_use]
    pub fn region(&self) -> String {
        self.configuration.region().map(ToString::to_string).unwrap_or_default()
    }

    /// Where calls of a service go that a load makes, and the Region for which they are signed.
    ///
    /// # Errors
    /// There is no Region, or no endpoint is known for it: `NotSent`.
    pub fn endpoint(&self, service: LoadedService) -> Result<ServiceEndpoint, AwsError> {
        self.signed.endpoint(service.service())
    }

    /// Signs other programs' requests anew, with the credentials of these clients.
    #[must_use]
    pub fn resigner(&self) -> Resigner {
        Resigner::new(Arc::clone(&self.credentials))
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
        let account = sts::caller_account(&self.configuration).await;
        if let Err(error) = &account
            && error.is_expired()
        {
            self.credentials.forget().await;
        }
        account
    }

    /// The id of the access key that signs the next call. It is no secret, and belongs to one account for ever.
    ///
    /// # Errors
    /// There are no credentials.
    pub async fn access_key(&self) -> Result<String, AwsError> {
        let found = self.credentials.at(Clock::start().now()).await;
        found.map(|it| it.access_key_id().to_owned()).map_err(no_credentials)
    }

    /// The caller's account, and the key that was asked about.
    ///
    /// # Errors
    /// There are no credentials, or the call failed: with `Timeout`, where it takes longer than `limit`.
    pub async fn caller_within(&self, limit: Duration) -> Result<Caller, AwsError> {
        let late = |_| Err(sts::no_identity("Timeout", "no answer in time".to_owned(), true));
        tokio::time::timeout(limit, self.caller()).await.unwrap_or_else(late)
    }

    async fn caller(&self) -> Result<Caller, AwsError> {
        let mut access_key = self.access_key().await?;
        for _ in 0..CALLER_ATTEMPTS_MAX {
            let account = self.caller_account().await?;
            let used = self.access_key().await?;
            if used == access_key {
                return Ok(Caller { account, access_key });
            }
            // It was renewed meanwhile: nobody knows about which of the two the answer is.
            access_key = used;
        }
        Err(sts::no_identity("NotSent", "the credentials change with every call".to_owned(), false))
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

fn no_credentials(NoCredentials { why, may_pass }: NoCredentials) -> AwsError {
    sts::no_identity("NotSent", why, may_pass)
}

/// Credentials for a local endpoint, which checks none.
fn local_credentials() -> Credentials {
    Credentials::new(LOCAL_KEY, LOCAL_KEY, None, None, "local endpoint")
}
