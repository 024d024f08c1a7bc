//! What the proxies count, and the form in which the admin API tells it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::http::{RuleSet, RuleStats};
use super::toxic::ToxicSet;

/// A number that any thread may raise. Counters are read for information only, so no order among them is kept.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn subtract(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one proxy has done since it was made.
#[derive(Debug, Default)]
pub(crate) struct ProxyCounters {
    pub(crate) connections_open: Counter,
    pub(crate) connections_total: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) received_upstream: Counter,
    pub(crate) received_downstream: Counter,
    pub(crate) bytes_upstream: Counter,
    pub(crate) bytes_downstream: Counter,
    pub(crate) upstream_connect_failures: Counter,
    pub(crate) requests: Counter,
}

impl ProxyCounters {
    /// All bytes that were delivered.
    pub(crate) fn bytes_moved(&self) -> u64 {
        self.bytes_upstream.get() + self.bytes_downstream.get()
    }

    pub(crate) fn stats(&self, toxics: &ToxicSet, rules: &RuleSet) -> ProxyStats {
        let toxics = toxics.iter().map(|toxic| {
            let stats = ToxicStats { hits: toxic.counters.hits.get(), connections: toxic.counters.connections.get() };
            (toxic.spec.name.to_string(), stats)
        });
        ProxyStats {
            connections_open: self.connections_open.get(),
            connections_total: self.connections_total.get(),
            connections_refused: self.connections_refused.get(),
            received_upstream: self.received_upstream.get(),
            received_downstream: self.received_downstream.get(),
            bytes_upstream: self.bytes_upstream.get(),
            bytes_downstream: self.bytes_downstream.get(),
            upstream_connect_failures: self.upstream_connect_failures.get(),
            requests: self.requests.get(),
            toxics: toxics.collect(),
            rules: rules.iter().map(|rule| (rule.spec.name.to_string(), rule.stats())).collect(),
        }
    }
}

/// Counts a connection as open for as long as it lives, however it ends.
#[derive(Debug)]
pub(crate) struct OpenConnection<'a>(&'a ProxyCounters);

impl<'a> OpenConnection<'a> {
    pub(crate) fn begin(counters: &'a ProxyCounters) -> Self {
        counters.connections_open.add(1);
        Self(counters)
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.connections_open.subtract(1);
    }
}

/// The answer to `GET /gameday/stats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// The process that serves the proxies.
    pub process: u32,
    /// The seed from which all chances are drawn.
    pub seed: u64,
    /// The state of the controller's lease.
    pub lease: LeaseStats,
    /// Each proxy by name.
    pub proxies: BTreeMap<String, ProxyStats>,
}

/// The controller's lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeaseStats {
    /// None was taken: toxics stay until they are removed.
    NeverTaken,
    /// It is held for this many milliseconds more, unless it is renewed.
    HeldMs(u64),
    /// It has lapsed: every toxic was dropped, and none is taken until it is renewed.
    Lapsed,
}

/// What one proxy has done since it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProxyStats {
    /// Connections that are open now.
    pub connections_open: u64,
    /// Connections that were ever accepted.
    pub connections_total: u64,
    /// Connections that were closed at once because too many were open.
    pub connections_refused: u64,
    /// Bytes that clients have sent.
    #[serde(default)]
    pub received_upstream: u64,
    /// Bytes that the server has sent.
    #[serde(default)]
    pub received_downstream: u64,
    /// Bytes that were delivered to the server.
    pub bytes_upstream: u64,
    /// Bytes that were delivered to the client.
    pub bytes_downstream: u64,
    /// Connections that were closed because the server could not be reached.
    pub upstream_connect_failures: u64,
    /// HTTP/1 requests whose heads came in.
    #[serde(default)]
    pub requests: u64,
    /// Each toxic that is present, by name.
    pub toxics: BTreeMap<String, ToxicStats>,
    /// Each rule that is present, by name.
    #[serde(default)]
    pub rules: BTreeMap<String, RuleStats>,
}

/// What one toxic has done since it was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToxicStats {
    /// `latency`, `bandwidth`: chunks that were delayed; `slicer`: pieces; `slow_close`: ends that were delayed; `timeout`,
    /// `reset_peer`, `limit_data`: connections that were swallowed, reset, closed.
    pub hits: u64,
    /// Connections that it has worked on.
    pub connections: u64,
}
