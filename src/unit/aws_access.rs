//! How another process of ours reaches the same part of AWS.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What it takes to connect again: no key, but maybe the external id of a role, so that it is shown nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsAccess {
    /// The one URL of every service; none is AWS itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The Region; none is that of an endpoint, which has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A profile of the shared configuration; none is the default one, or the made-up key of an endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The role that is assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<RoleAccess>,
}

/// A role that is assumed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleAccess {
    /// Its ARN.
    pub arn: String,
    /// What its trust policy asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What CloudTrail shows of who assumed it.
    pub session: String,
}

impl fmt::Debug for RoleAccess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arn, session, .. } = self;
        formatter.debug_struct("RoleAccess").field("arn", arn).field("session", session).finish_non_exhaustive()
    }
}
