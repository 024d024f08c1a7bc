//! Where a plan is carried out, and what that place allows or asks for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::proxy::AdminUrl;
use crate::workspace::{AssumedRole, DeadmanSwitch};

/// What a report says of the environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentFacts {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: EnvironmentKind,
    /// How faults are undone in AWS itself when nobody of ours is left; none where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadman: Option<DeadmanSwitch>,
    /// The Systems Manager parameter by which machines keep out of each other's runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<String>,
    /// What else it allows or asks for: whoever agrees to a plan agrees to that.
    #[serde(default)]
    pub rules: EnvironmentRules,
}

/// What an environment allows or asks for, beside where it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvironmentRules {
    /// Whether customers depend on it.
    pub is_production: bool,
    /// Tags that every target must carry.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub require_tags: BTreeMap<String, String>,
    /// The programs that `exec` faults may run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<String>,
    /// The admin APIs of fault proxies that runs may drive, besides those on this machine.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<AdminUrl>,
    /// The hosts on the public internet that loads may go to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// How many control calls a run sends at most: `5/s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<String>,
}

/// What an environment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentKind {
    /// The embedded sandbox: nothing leaves this machine.
    Sandbox,
    /// A sandbox or an emulator that runs apart.
    Endpoint {
        /// Its URL.
        url: String,
        /// The account in which the caller must be; none is not asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        account: Option<String>,
        /// A profile of the AWS configuration; none is made-up credentials.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
        /// A role of that account that is assumed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<AssumedRole>,
    },
    /// An AWS account.
    Account {
        /// Twelve digits.
        account: String,
        /// The Region.
        region: String,
        /// A profile of the AWS configuration; none is the default chain of credentials.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<String>,
        /// A role of the account that is assumed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<AssumedRole>,
    },
}

impl EnvironmentKind {
    /// The account in which the caller must be, before anything is changed or undone; none where nobody asks.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Sandbox => None,
            Self::Endpoint { account, .. } => account.as_deref(),
            Self::Account { account, .. } => Some(account),
        }
    }

    /// Whether it is no AWS account, but a sandbox or an emulator.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Sandbox | Self::Endpoint { .. } => true,
            Self::Account { .. } => false,
        }
    }

    /// Where it is, behind its name.
    #[must_use]
    pub fn in_words(&self) -> String {
        let account = self.account().map(|account| format!("account {account}"));
        let (place, region) = match self {
            Self::Sandbox => (None, None),
            Self::Endpoint { url, .. } => (Some(format!("endpoint {url}")), None),
            Self::Account { region, .. } => (None, Some(region.clone())),
        };
        let role = self.role().map(|role| format!("as {}", role.arn));
        let parts: Vec<String> = [place, account, region, role].into_iter().flatten().collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    }

    /// The role that is assumed.
    #[must_use]
    pub fn role(&self) -> Option<&AssumedRole> {
        match self {
            Self::Sandbox => None,
            Self::Endpoint { role, .. } | Self::Account { role, .. } => role.as_ref(),
        }
    }

    /// Takes the profile and the role of another one; whose account it must be stays.
    pub(crate) fn take_access_of(&mut self, other: &Self) {
        let theirs = match other {
            Self::Sandbox => return,
            Self::Endpoint { profile, role, .. } | Self::Account { profile, role, .. } => (profile, role),
        };
        match self {
            Self::Sandbox => {}
            Self::Endpoint { profile, role, .. } | Self::Account { profile, role, .. } => {
                (*profile, *role) = (theirs.0.clone(), theirs.1.clone());
            }
        }
    }

    /// Whether changes in both lie in the same place, by whatever credentials. Each sandbox is a place of its own.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Endpoint { url, .. }, Self::Endpoint { url: other, .. }) => url == other,
            (
                Self::Account { account, region, .. },
                Self::Account { account: other_account, region: other_region, .. },
            ) => account == other_account && region == other_region,
            (Self::Sandbox | Self::Endpoint { .. } | Self::Account { .. }, _) => false,
        }
    }
}
