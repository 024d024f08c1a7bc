//! One proxy at work: what it was told, its listener, its connections, its toxics.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::Serialize;
use tokio::sync::watch;

use super::connection::ConnectionContext;
use super::counters::{ProxyCounters, ProxyStats};
use super::http::RuleSet;
use super::limit::Limits;
use super::listener::{Connections, Listener};
use super::state::RegistryError;
use super::timer::Clockwork;
use super::toxic::{ToxicSet, ToxicSpec};
use super::{ListenAddress, Protocol, ProxySpec, UpstreamAddress};
use crate::unit::ProxyName;

/// What a proxy is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) spec: ProxySpec,
    /// Whether it is there at all; without it, its connections are closed, too.
    pub(crate) enabled: bool,
    /// Whether new connections are refused while those that are open go on.
    pub(crate) refuse: bool,
}

impl Standing {
    fn listens(&self) -> bool {
        self.enabled && !self.refuse
    }
}

/// A change of a proxy; what is `None` stays.
#[derive(Debug, Default)]
pub(crate) struct ProxyChange {
    pub(crate) listen: Option<ListenAddress>,
    pub(crate) upstream: Option<UpstreamAddress>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) enabled: Option<bool>,
    pub(crate) refuse: Option<bool>,
}

impl ProxyChange {
    /// Whether it is a fault, which a controller whose lease has lapsed may not bring back.
    pub(crate) fn is_fault(&self) -> bool {
        self.enabled == Some(false) || self.refuse == Some(true)
    }

    fn apply(self, standing: &Standing) -> Standing {
        let Standing { spec, enabled, refuse } = standing.clone();
        Standing {
            spec: ProxySpec {
                listen: self.listen.unwrap_or(spec.listen),
                upstream: self.upstream.unwrap_or(spec.upstream),
                protocol: self.protocol.unwrap_or(spec.protocol),
            },
            enabled: self.enabled.unwrap_or(enabled),
            refuse: self.refuse.unwrap_or(refuse),
        }
    }
}

/// A proxy as the admin API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct ProxyView {
    pub(crate) name: ProxyName,
    pub(crate) listen: ListenAddress,
    pub(crate) upstream: UpstreamAddress,
    protocol: Protocol,
    pub(crate) enabled: bool,
    /// Ours, and said only while it is so: clients of Toxiproxy do not know it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refuse: bool,
    toxics: Vec<ToxicSpec>,
}

impl std::fmt::Display for ProxyView {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {} -> {}", self.name, self.listen, self.upstream)
    }
}

/// One proxy at work.
#[derive(Debug)]
pub(crate) struct Proxy {
    /// Its `listen` is the bound address once it has been bound.
    standing: Standing,
    listener: Option<Listener>,
    connections: Connections,
    connection_numbers: Arc<AtomicU64>,
    counters: Arc<ProxyCounters>,
    pub(crate) toxics: watch::Sender<ToxicSet>,
    pub(crate) rules: watch::Sender<RuleSet>,
}

impl Proxy {
    /// A proxy that does not listen yet: [`Proxy::put`] makes it do so.
    pub(crate) fn new(spec: ProxySpec, limits: Limits) -> Self {
        Self {
            standing: Standing { spec, enabled: false, refuse: false },
            listener: None,
            connections: Connections::new(limits),
            connection_numbers: Arc::default(),
            counters: Arc::default(),
            toxics: watch::Sender::new(ToxicSet::default()),
            rules: watch::Sender::new(RuleSet::default()),
        }
    }

    pub(crate) fn spec(&self) -> &ProxySpec {
        &self.standing.spec
    }

    pub(crate) fn counters(&self) -> &ProxyCounters {
        &self.counters
    }

    /// Makes a change; one that can not be made changes nothing.
    pub(crate) async fn change(&mut self, change: ProxyChange) -> Result<(), RegistryError> {
        let before = self.standing.clone();
        let wanted = change.apply(&before);
        if let Err(error) = self.put(wanted).await {
            self.put(before).await?;
            return Err(error);
        }
        Ok(())
    }

    /// Becomes what is wanted.
    pub(crate) async fn put(&mut self, wanted: Standing) -> Result<(), RegistryError> {
        let moves = wanted.spec != self.standing.spec;
        if (moves || !wanted.listens())
            && let Some(listener) = self.listener.take()
        {
            listener.stop().await;
        }
        if moves || !wanted.enabled {
            self.connections.close().await;
        }
        self.standing = wanted;
        if self.standing.listens() && self.listener.is_none() {
            let listener = self.listen().await?;
            self.standing.spec.listen = ListenAddress(listener.address());
            self.listener = Some(listener);
        }
        Ok(())
    }

    async fn listen(&self) -> Result<Listener, RegistryError> {
        let context = ConnectionContext {
            upstream: self.standing.spec.upstream.clone(),
            protocol: self.standing.spec.protocol,
            clockwork: Clockwork::Exact,
            toxics: self.toxics.subscribe(),
            rules: self.rules.subscribe(),
            counters: Arc::clone(&self.counters),
        };
        let address: SocketAddr = self.standing.spec.listen.0;
        let numbers = Arc::clone(&self.connection_numbers);
        Listener::start(address, numbers, self.connections.clone(), context)
            .await
            .map_err(|source| RegistryError::Listen { address, source })
    }

    /// Listens again as it was told, without a toxic or a rule.
    pub(crate) async fn reset(&mut self) -> Result<(), RegistryError> {
        self.drop_faults();
        self.put(Standing { enabled: true, refuse: false, ..self.standing.clone() }).await
    }

    /// Takes in nobody any more and lets go on what is held; connections go on.
    pub(crate) async fn drain(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.stop().await;
        }
        self.drop_faults();
    }

    fn drop_faults(&self) {
        self.toxics.send_replace(ToxicSet::default());
        self.rules.send_modify(|rules| *rules = rules.cleared());
    }

    /// Stops listening and closes every connection.
    pub(crate) async fn close(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.stop().await;
        }
        self.connections.close().await;
    }

    pub(crate) fn view(&self, name: &ProxyName) -> ProxyView {
        let Standing { spec, enabled, refuse } = &self.standing;
        ProxyView {
            name: name.clone(),
            listen: spec.listen,
            upstream: spec.upstream.clone(),
            protocol: spec.protocol,
            enabled: *enabled,
            refuse: *refuse,
            toxics: self.toxics.borrow().iter().map(|toxic| toxic.spec.clone()).collect(),
        }
    }

    pub(crate) fn stats(&self) -> ProxyStats {
        self.counters.stats(&self.toxics.borrow(), &self.rules.borrow())
    }
}
