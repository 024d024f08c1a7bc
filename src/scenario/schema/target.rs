//! What faults work on: functions, and dependencies behind the fault proxy.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::AwsResource;
use crate::proxy::{ListenAddress, Protocol, ProxySpec, UpstreamAddress};
use crate::unit::TargetId;

/// Declares the kinds of target once: the one-key-a-kind fields that a file is read into, and the one kind.
macro_rules! target_kinds {
    ($($(#[$doc:meta])* $key:ident: $kind:ident($spec:ident) = $thing:literal),+ $(,)?) => {
        /// What a fault works on: exactly one kind.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct TargetSpec {
            $($(#[$doc])* #[serde(default, skip_serializing_if = "Option::is_none")] pub $key: Option<$spec>,)+
        }

        /// The one kind of a target.
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum TargetKind<'a> {
            $($(#[$doc])* $kind(&'a $spec),)+
        }

        impl TargetSpec {
            /// The keys that name a kind, as files write them.
            pub const KINDS: &[&str] = &[$(stringify!($key)),+];

            /// The one kind.
            ///
            /// # Errors
            /// The kinds that were given, where there is not exactly one.
            pub fn kind(&self) -> Result<TargetKind<'_>, Vec<&'static str>> {
                let mut given = Vec::new();
                let mut kind = None;
                $(if let Some(spec) = &self.$key {
                    given.push(stringify!($key));
                    kind = Some(TargetKind::$kind(spec));
                })+
                match (kind, given.len()) {
                    (Some(kind), 1) => Ok(kind),
                    _ => Err(given),
                }
            }
        }

        impl TargetKind<'_> {
            /// The key that names it in a file.
            #[must_use]
            pub fn key(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => stringify!($key),)+
                }
            }

            /// What it is, in a word or two.
            #[must_use]
            pub fn thing(&self) -> &'static str {
                match self {
                    $(Self::$kind(_) => $thing,)+
                }
            }
        }
    };
}

target_kinds! {
    /// A Lambda function.
    lambda: Lambda(LambdaTarget) = "function",
    /// A dependency, reached through the fault proxy.
    proxy: Proxy(ProxyTarget) = "proxy",
    /// An IAM role, such as a function's.
    role: Role(NamedTarget) = "role",
    /// An SQS queue.
    queue: Queue(NamedTarget) = "queue",
    /// A DynamoDB table.
    table: Table(NamedTarget) = "table",
    /// An EventBridge rule.
    rule: Rule(RuleTarget) = "rule",
    /// An SSM parameter.
    parameter: Parameter(NamedTarget) = "parameter",
    /// Anything else, in words: what an `exec` fault works on.
    other: Other(NamedTarget) = "thing of another kind",
}

impl TargetKind<'_> {
    /// The thing in the account; none for functions and proxies, which have targets of their own.
    #[must_use]
    pub fn resource(&self) -> Option<AwsResource> {
        Some(match self {
            Self::Lambda(_) | Self::Proxy(_) => return None,
            Self::Role(target) => AwsResource::Role(target.name.clone()),
            Self::Queue(target) => AwsResource::Queue(target.name.clone()),
            Self::Table(target) => AwsResource::Table(target.name.clone()),
            Self::Rule(target) => AwsResource::Rule { name: target.name.clone(), bus: target.bus.clone() },
            Self::Parameter(target) => AwsResource::Parameter(target.name.clone()),
            Self::Other(target) => AwsResource::Other(target.name.clone()),
        })
    }
}

/// A thing in the account by its name; never an ARN, since the account is bound in `gameday.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NamedTarget {
    /// The name.
    pub name: String,
}

/// An EventBridge rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleTarget {
    /// The rule's name.
    pub name: String,
    /// The name of its event bus; default `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<String>,
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LambdaTarget {
    /// The function's name.
    pub function: String,
    /// The alias that traffic uses; default none, which is `$LATEST`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// The URL that `${target.url}` stands for; default the function's own URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// A dependency behind the fault proxy, and how callers are led through it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyTarget {
    /// Where the proxy listens: `127.0.0.1:18474`.
    pub listen: ListenAddress,
    /// Where the dependency is: `host:port`.
    pub upstream: UpstreamAddress,
    /// What is spoken; default `http`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// Environment variables to point at the proxy while the run lasts, by `lambda` target; each is undone like a
    /// fault. Without it, callers must use `listen` already.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub route: BTreeMap<TargetId, String>,
}

impl ProxyTarget {
    /// What the fault proxy is asked to do.
    #[must_use]
    pub fn spec(&self) -> ProxySpec {
        ProxySpec { listen: self.listen, upstream: self.upstream.clone(), protocol: self.protocol.unwrap_or_default() }
    }
}
