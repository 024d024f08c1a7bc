//! What faults work on: functions, and dependencies behind the fault proxy.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::proxy::{ListenAddress, Protocol, ProxySpec, UpstreamAddress};
use crate::unit::TargetId;

/// What a fault works on: exactly one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    /// A Lambda function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lambda: Option<LambdaTarget>,
    /// A dependency, reached through the fault proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyTarget>,
}

/// The one kind of a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TargetKind<'a> {
    /// A Lambda function.
    Lambda(&'a LambdaTarget),
    /// A dependency behind the fault proxy.
    Proxy(&'a ProxyTarget),
}

impl TargetSpec {
    /// The keys that name a kind, as files write them.
    pub const KINDS: &[&str] = &["lambda", "proxy"];

    /// The one kind.
    ///
    /// # Errors
    /// The kinds that were given, where there is not exactly one.
    pub fn kind(&self) -> Result<TargetKind<'_>, Vec<&'static str>> {
        match (&self.lambda, &self.proxy) {
            (Some(lambda), None) => Ok(TargetKind::Lambda(lambda)),
            (None, Some(proxy)) => Ok(TargetKind::Proxy(proxy)),
            (Some(_), Some(_)) => Err(Self::KINDS.to_vec()),
            (None, None) => Err(Vec::new()),
        }
    }
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
