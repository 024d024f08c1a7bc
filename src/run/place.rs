//! Where a run's control planes are, and whose they must be: for the run itself, and for whoever recovers it.

use std::collections::BTreeMap;

use crate::aws::{Aws, Connection, EndpointOverride, Role};
use crate::fault::{AccountError, AccountGuard};
use crate::plan::{EnvironmentFacts, EnvironmentKind};
use crate::unit::{AwsAccess, Failpoints};

/// Why nothing may be asked or changed there. Nothing was.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Somebody put another endpoint in the place of AWS's own.
    #[error(
        "environment `{environment}` is bound to account `{account}` of AWS itself, and {found}: take that out (or set \
         AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true), or name the `endpoint` in the environment"
    )]
    Endpoint {
        /// The environment.
        environment: String,
        /// Its account.
        account: String,
        /// Who says so, and where it is.
        found: EndpointOverride,
    },
    /// The caller is not in the environment's account, or nobody says so.
    #[error(transparent)]
    Account(#[from] AccountError),
}

/// The control planes, and what guards them.
pub(super) struct Place {
    pub(super) aws: Aws,
    /// Asks for the caller's account; none where the environment is bound to none.
    pub(super) account: Option<AccountGuard>,
    /// What a shell must say before `aws` works in the same place.
    pub(super) shell: String,
    /// How another process of ours connects to it.
    pub(super) reconnect: AwsAccess,
    /// The variables with which a program of somebody else's works in the same place. They may be secrets.
    pub(super) access: BTreeMap<String, String>,
}

impl Place {
    /// Connects to where a plan's changes are made; no call is made to AWS but to assume a role when one is needed.
    /// `embedded` is the endpoint of the embedded sandbox, `session` who assumes a role.
    pub(super) async fn connect(
        environment: &EnvironmentFacts,
        embedded: Option<String>,
        session: &str,
        failpoints: &Failpoints,
    ) -> Result<Self, PlaceError> {
        let kind = &environment.kind;
        let connection = match kind {
            EnvironmentKind::Sandbox => Connection::Endpoint(embedded.unwrap_or_default()),
            EnvironmentKind::Endpoint { url, profile, .. } => Connection::endpoint(url, profile.as_deref()),
            EnvironmentKind::Account { region, profile, .. } => {
                Connection::Account { region: region.clone(), profile: profile.clone() }
            }
        };
        let aws = Aws::connect(&connection).await;
        if let EnvironmentKind::Account { account, profile, .. } = kind
            && let Some(found) = aws.endpoint_override(profile.as_deref())
        {
            let (environment, account) = (environment.name.clone(), account.clone());
            return Err(PlaceError::Endpoint { environment, account, found });
        }
        let role = kind.role().map(|role| Role::new(&role.arn, role.external_id.as_deref(), session));
        let (aws, shell) = match &role {
            Some(role) => (aws.assuming(role).await, format!("{} && {}", connection.shell(), role.shell())),
            None => (aws, connection.shell()),
        };
        Ok(Self {
            aws: aws.with_failpoints(failpoints.clone()),
            account: kind.account().map(|account| AccountGuard::new(&environment.name, account)),
            shell,
            reconnect: connection.access(role.as_ref()),
            access: connection.variables(),
        })
    }
}
