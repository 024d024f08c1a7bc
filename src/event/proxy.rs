//! What passed through a fault proxy in about a second, and what each of its faults did to it.

use serde::{Deserialize, Serialize};

use super::FaultIdentity;
use crate::unit::ProxyName;

/// How many faults of a proxy one event tells of, so that it fits into a line.
pub const PROXY_FAULTS_MAX: usize = 100;

/// What passed through a proxy since the last such event, and what its faults did to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxySecond {
    /// The proxy.
    pub proxy: ProxyName,
    /// Connections that are open.
    pub connections_open: u64,
    /// Connections that were accepted.
    pub connections: u64,
    /// HTTP/1 requests that came in.
    pub requests: u64,
    /// Bytes that were delivered to the server, or that a rule took in its place.
    pub bytes_upstream: u64,
    /// Bytes that were delivered to the client.
    pub bytes_downstream: u64,
    /// What each toxic or rule did; one that did nothing is left out, and so are those beyond [`PROXY_FAULTS_MAX`], the
    /// run's own last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<ProxyFaultSecond>,
}

/// What one toxic or rule of a proxy did since the last such event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyFaultSecond {
    /// The name of the toxic or the rule.
    pub name: String,
    /// The fault that put it there; none of one that somebody else did.
    #[serde(rename = "id", default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<FaultIdentity>,
    /// How many requests, pieces of a stream or connections it was done to.
    pub applied: u64,
    /// For how long it held things back, all together, in milliseconds: of those that went on in this time.
    pub added_delay_ms: u64,
    /// The delays that it added, as measured; none where it added none in this time. Their histogram is in `evidence/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<ProxyDelay>,
}

/// The delays that a fault of a proxy has added, beside the one that it was told to add.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyDelay {
    /// What it is told to add, in microseconds, where that is one delay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_us: Option<u64>,
    /// How far a delay may lie from it, in microseconds; none where it has no jitter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_us: Option<u64>,
    /// Those since the last such event.
    pub second: DelaySummary,
    /// Those since the fault was put there.
    pub so_far: DelaySummary,
}

/// Delays in a few numbers, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DelaySummary {
    /// How many there were.
    pub count: u64,
    /// Their 50th percentile, at most 0.1 % off.
    pub p50_us: u64,
    /// Their 99th percentile, at most 0.1 % off.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
    /// Of them those above 120 s, which the percentiles take for 120 s.
    #[serde(default)]
    pub over_count: u64,
}
