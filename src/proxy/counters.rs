//! What the proxies count, and the form in which the admin API tells it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use tokio::time::Instant;

use super::delay::DelayStats;
use super::http::{RuleSet, RuleStats};
use super::removed::{Removed, RemovedStats};
use super::tls::TlsFault;
use super::toxic::ToxicSet;
use crate::unit::NotResigned;

/// A number that any thread may raise. Counters are read for information only, so no order among them is kept.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, count: u64) {
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
    /// Connections whose client spoke last, and waits for an answer.
    pub(crate) connections_asking: Counter,
    pub(crate) connections_total: Counter,
    pub(crate) connections_refused: Counter,
    pub(crate) received_upstream: Counter,
    pub(crate) received_downstream: Counter,
    pub(crate) bytes_upstream: Counter,
    pub(crate) bytes_downstream: Counter,
    pub(crate) upstream_connect_failures: Counter,
    pub(crate) tls_client_failures: Counter,
    pub(crate) tls_upstream_failures: Counter,
    pub(crate) requests: Counter,
    pub(crate) requests_resigned: Counter,
    not_resigned: Mutex<BTreeMap<&'static str, u64>>,
}

impl ProxyCounters {
    /// All bytes that were delivered.
    pub(crate) fn bytes_moved(&self) -> u64 {
        self.bytes_upstream.get() + self.bytes_downstream.get()
    }

    /// Counts a signed request that was passed on as it was, and why.
    pub(crate) fn count_not_resigned(&self, reason: &NotResigned) {
        *self.not_resigned().entry(reason.as_str()).or_default() += 1;
    }

    fn not_resigned(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.not_resigned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stats(
        &self,
        toxics: &ToxicSet,
        rules: &RuleSet,
        tls_fault: Option<TlsFaultStats>,
        removed: &Removed,
    ) -> ProxyStats {
        let now = Instant::now();
        let RemovedStats { removed_toxics, removed_rules, removed_tls_faults } = removed.stats(now);
        ProxyStats {
            connections_open: self.connections_open.get(),
            connections_total: self.connections_total.get(),
            connections_refused: self.connections_refused.get(),
            received_upstream: self.received_upstream.get(),
            received_downstream: self.received_downstream.get(),
            bytes_upstream: self.bytes_upstream.get(),
            bytes_downstream: self.bytes_downstream.get(),
            upstream_connect_failures: self.upstream_connect_failures.get(),
            tls_client_failures: self.tls_client_failures.get(),
            tls_upstream_failures: self.tls_upstream_failures.get(),
            requests: self.requests.get(),
            requests_resigned: self.requests_resigned.get(),
            not_resigned: self.not_resigned().iter().map(|(reason, count)| ((*reason).to_owned(), *count)).collect(),
            toxics: toxics.iter().map(|toxic| (toxic.spec.name.to_string(), toxic.stats(now))).collect(),
            rules: rules.iter().map(|rule| (rule.spec.name.to_string(), rule.stats(now))).collect(),
            removed_toxics,
            removed_rules,
            tls_fault,
            removed_tls_faults,
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
    /// Bytes that were delivered to the server, or that a rule took in its place.
    pub bytes_upstream: u64,
    /// Bytes that were delivered to the client.
    pub bytes_downstream: u64,
    /// Connections that were closed because the server could not be reached.
    pub upstream_connect_failures: u64,
    /// Clients whose handshake came to nothing, by a fault or not.
    #[serde(default)]
    pub tls_client_failures: u64,
    /// Connections that were closed because the handshake with the server came to nothing.
    #[serde(default)]
    pub tls_upstream_failures: u64,
    /// HTTP/1 requests whose heads came in.
    #[serde(default)]
    pub requests: u64,
    /// Requests that were signed anew for the upstream.
    #[serde(default)]
    pub requests_resigned: u64,
    /// Signed requests that were passed on as they were, by reason (`presigned`, `foreign_host`), where they were to be signed
    /// anew.
    #[serde(default)]
    pub not_resigned: BTreeMap<String, u64>,
    /// Each toxic that is present, by name.
    pub toxics: BTreeMap<String, ToxicStats>,
    /// Each rule that is present, by name.
    #[serde(default)]
    pub rules: BTreeMap<String, RuleStats>,
    /// The TLS fault that is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_fault: Option<TlsFaultStats>,
    /// The toxics that were taken away of late, in that order: what they did to the last is told here. At most 32 of all
    /// kinds, for a minute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_toxics: Vec<RemovedToxic>,
    /// The rules that were taken away of late, in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_rules: Vec<RemovedRule>,
    /// The TLS faults that were taken away of late, in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed_tls_faults: Vec<TlsFaultStats>,
}

impl ProxyStats {
    /// What its toxics, rules and TLS faults have done, present ones and those that were taken away of late.
    pub fn parts(&self) -> impl Iterator<Item = PartStats<'_>> {
        let toxics = self.toxics.iter().map(|(name, stats)| PartStats::of_toxic(name, stats, true));
        let rules = self.rules.iter().map(|(name, stats)| PartStats::of_rule(name, stats, true));
        let tls_faults = self.tls_fault.iter().map(|stats| PartStats::of_tls_fault(stats, true));
        let removed_toxics =
            self.removed_toxics.iter().map(|toxic| PartStats::of_toxic(&toxic.name, &toxic.stats, false));
        let removed_rules = self.removed_rules.iter().map(|rule| PartStats::of_rule(&rule.name, &rule.stats, false));
        let removed_tls_faults = self.removed_tls_faults.iter().map(|stats| PartStats::of_tls_fault(stats, false));
        let present = toxics.chain(rules).chain(tls_faults);
        present.chain(removed_toxics).chain(removed_rules).chain(removed_tls_faults)
    }
}

/// What may be on a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartKind {
    /// A toxic.
    Toxic,
    /// A rule.
    Rule,
    /// A TLS fault.
    TlsFault,
}

/// What a toxic, a rule or a TLS fault has done since it was added: what all of them tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PartStats<'a> {
    /// What it is.
    pub kind: PartKind,
    /// Its name, or which TLS fault it is.
    pub name: &'a str,
    /// Whether it is there now.
    pub is_present: bool,
    /// Tells it from every other one of its process, also from one of the same name; 0 where the proxy is too old to say.
    pub id: u64,
    /// The token of a toxic or a TLS fault.
    pub token: Option<&'a str>,
    /// How long ago it was added, in milliseconds.
    pub age_ms: u64,
    /// How often it did something: a toxic's hits, the requests to which a rule's action was done, the handshakes that met a
    /// TLS fault.
    pub applied: u64,
    /// How long after it was added it did something first, in milliseconds.
    pub first_applied_ms: Option<u64>,
    /// The delays that it has added.
    pub added_delay: Option<&'a DelayStats>,
}

impl<'a> PartStats<'a> {
    fn of_toxic(name: &'a str, stats: &'a ToxicStats, is_present: bool) -> Self {
        Self {
            kind: PartKind::Toxic,
            name,
            is_present,
            id: stats.id,
            token: stats.token.as_deref(),
            age_ms: stats.age_ms,
            applied: stats.hits,
            first_applied_ms: stats.first_hit_ms,
            added_delay: stats.added_delay.as_ref(),
        }
    }

    fn of_tls_fault(stats: &'a TlsFaultStats, is_present: bool) -> Self {
        Self {
            kind: PartKind::TlsFault,
            name: stats.fault.as_str(),
            is_present,
            id: stats.id,
            token: stats.token.as_deref(),
            age_ms: stats.age_ms,
            applied: stats.hits,
            first_applied_ms: stats.first_hit_ms,
            added_delay: None,
        }
    }

    fn of_rule(name: &'a str, stats: &'a RuleStats, is_present: bool) -> Self {
        Self {
            kind: PartKind::Rule,
            name,
            is_present,
            id: stats.id,
            token: None,
            age_ms: stats.age_ms,
            applied: stats.applied,
            first_applied_ms: stats.first_applied_ms,
            added_delay: stats.added_delay.as_ref(),
        }
    }
}

/// What one toxic has done since it was added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToxicStats {
    /// Tells it from every other toxic and rule of the process.
    #[serde(default)]
    pub id: u64,
    /// By what the one who added it knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// How long ago it was added, in milliseconds.
    #[serde(default)]
    pub age_ms: u64,
    /// `latency`, `bandwidth`: chunks that were delayed; `slicer`: pieces; `slow_close`: ends that were delayed; `timeout`,
    /// `reset_peer`, `limit_data`: connections that were swallowed, reset, closed.
    pub hits: u64,
    /// Connections that it has worked on.
    pub connections: u64,
    /// How long after it was added it hit first, in milliseconds: the proof of its effect.
    #[serde(default)]
    pub first_hit_ms: Option<u64>,
    /// The delays that it has added; none of one that adds no delay, or has not yet. One a hit, `bandwidth`'s from when a
    /// chunk came to when its last byte went on: what waits in front of a full line, in the system or at the sender, is not
    /// seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_delay: Option<DelayStats>,
}

/// What a TLS fault has done since it was put in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFaultStats {
    /// Which.
    pub fault: TlsFault,
    /// Tells it from every other one, and from every toxic and rule of the process.
    #[serde(default)]
    pub id: u64,
    /// By what the one who put it there knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// How long ago it was put in place, in milliseconds.
    #[serde(default)]
    pub age_ms: u64,
    /// Handshakes of clients that met it.
    pub hits: u64,
    /// How long after it was put in place a handshake met it first, in milliseconds.
    #[serde(default)]
    pub first_hit_ms: Option<u64>,
}

/// A toxic that was taken away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemovedToxic {
    /// Its name.
    pub name: String,
    /// What it did.
    pub stats: ToxicStats,
}

/// A rule that was taken away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemovedRule {
    /// Its name.
    pub name: String,
    /// What it did.
    pub stats: RuleStats,
}
