//! What faults work on: functions, and dependencies behind a fault proxy.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::AwsResource;
use crate::proxy::{
    AdminUrl, CertificateSource, ListenAddress, Protocol, ProxySpec, RemoteProxy, TlsSpec, TokenSource, UpstreamAddress,
};
use crate::unit::{ProxyName, TargetId};

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
    /// A dependency, reached through a fault proxy.
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
    /// An SNS topic, to which a load sends.
    topic: Topic(NamedTarget) = "topic",
    /// An EventBridge bus, to which a load sends.
    bus: Bus(NamedTarget) = "bus",
    /// A Kinesis data stream, to which a load sends.
    stream: Stream(NamedTarget) = "stream",
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
            Self::Topic(target) => AwsResource::Topic(target.name.clone()),
            Self::Bus(target) => AwsResource::Bus(target.name.clone()),
            Self::Stream(target) => AwsResource::Stream(target.name.clone()),
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

/// A dependency behind a fault proxy, and how callers are led through it. With `listen` and `upstream` the run starts the proxy
/// itself, on this machine; with `admin` it is one that runs already, beside the workload, which the run neither starts nor ends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ProxyTarget {
    /// Where a proxy of the run's own listens: `127.0.0.1:18474`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<ListenAddress>,
    /// Where the dependency is that is behind a proxy of the run's own: `host:port`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamAddress>,
    /// What is spoken through a proxy of the run's own; default `http`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Protocol>,
    /// TLS on either side, which ends at a proxy of the run's own; default none, so that TLS passes as it comes. Files are those
    /// of the workspace's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// Whether programs on this machine go through a proxy of the run's own, besides its loads and probes; default no. In an AWS
    /// account a proxy that nobody can reach is refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub local_callers: bool,
    /// The admin API of a proxy that runs already, a `gameday proxy` or a Toxiproxy. One that is not on this machine must be
    /// among the environment's `proxies` in `gameday.yaml`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<AdminUrl>,
    /// What the proxy is called there; default the target's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ProxyName>,
    /// The variable with the token that its admin API asks for; default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenSource>,
    /// Where callers reach a proxy that runs already: what `${target.url}` stands for, and what `route` sets;
    /// `http://10.0.1.7:18474`, or `10.0.1.7:5432` where no HTTP is spoken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Environment variables to point at the proxy while the run lasts, by `lambda` target; each is undone like a
    /// fault. Without it, callers must use the proxy already.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub route: BTreeMap<TargetId, String>,
    /// Environment variables to name the file of authorities (PEM) that callers must trust, such as `SSL_CERT_FILE` or
    /// `NODE_EXTRA_CA_CERTS`, while the run lasts, by `lambda` target; each is undone like a fault. Without it, callers must
    /// be told of `tls/ca.pem` in the run's folder, or trust the certificate that is given in files.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub trust: BTreeMap<TargetId, String>,
}

/// Whose proxy it is.
#[derive(Debug, Clone, PartialEq)]
pub enum ProxyKind {
    /// The run's own.
    Own(ProxySpec),
    /// Somebody else's.
    Remote(RemoteProxy),
}

impl ProxyTarget {
    /// Where the certificate comes from that callers see; none where they come without TLS.
    #[must_use]
    pub fn client_tls(&self) -> Option<&CertificateSource> {
        Some(&self.tls.as_ref()?.client.as_ref()?.certificate)
    }

    /// Whose proxy it is; none where its keys do not say so, which `check` tells.
    #[must_use]
    pub fn kind(&self, target: &TargetId) -> Option<ProxyKind> {
        match (&self.admin, self.listen, &self.upstream) {
            (Some(admin), None, None) => Some(ProxyKind::Remote(RemoteProxy {
                admin: admin.clone(),
                token: self.token.clone(),
                name: self.name.clone().unwrap_or_else(|| ProxyName::from(target)),
            })),
            (None, Some(_), Some(_)) => self.own().map(ProxyKind::Own),
            _ => None,
        }
    }

    /// What a proxy of the run's own is asked to do.
    #[must_use]
    pub fn own(&self) -> Option<ProxySpec> {
        Some(ProxySpec {
            listen: self.listen?,
            upstream: self.upstream.clone()?,
            protocol: self.protocol.unwrap_or_default(),
            tls: self.tls.clone(),
            resign: false,
        })
    }

    /// Where callers reach it, as far as that is known before a run.
    #[must_use]
    pub fn address(&self) -> Option<String> {
        let Some(own) = self.own() else { return self.url.clone() };
        match own.protocol {
            _ if own.listen.0.port() == 0 => None,
            Protocol::Http | Protocol::Connect => Some(own.url()),
            Protocol::Tcp => Some(own.listen.to_string()),
        }
    }
}

impl TargetSpec {
    /// What `${target.url}` stands for, where the file says it.
    #[must_use]
    pub fn url(&self) -> Option<String> {
        match self.kind().ok()? {
            TargetKind::Lambda(lambda) => lambda.url.as_ref().map(|url| url.trim_end_matches('/').to_owned()),
            TargetKind::Proxy(proxy) => proxy.address(),
            TargetKind::Role(_)
            | TargetKind::Queue(_)
            | TargetKind::Table(_)
            | TargetKind::Rule(_)
            | TargetKind::Parameter(_)
            | TargetKind::Topic(_)
            | TargetKind::Bus(_)
            | TargetKind::Stream(_)
            | TargetKind::Other(_) => None,
        }
    }
}
