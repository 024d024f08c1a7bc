//! The proxies of this process by name, and everything that may be done to them.
//!
//! One lock orders all changes, the lapse of the lease included; traffic never takes it: a connection reads its toxics
//! from a watch channel.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::Instant;

use super::connection::ConnectionContext;
use super::counters::{ProxyCounters, Stats};
use super::lease::{Deadlines, Lease};
use super::listener::Listener;
use super::toxic::{ActiveToxic, ToxicError, ToxicPatch, ToxicSet, ToxicSpec};
use super::{ListenAddress, Protocol, ProxySpec, UpstreamAddress};
use crate::unit::ProxyName;

/// Why something could not be done to a proxy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegistryError {
    #[error("proxy `{0}` exists already")]
    ProxyExists(ProxyName),
    #[error("proxy `{0}` not found")]
    NoProxy(String),
    #[error("toxic `{toxic}` exists already on proxy `{proxy}`")]
    ToxicExists { proxy: String, toxic: String },
    #[error("toxic `{toxic}` not found on proxy `{proxy}`")]
    NoToxic { proxy: String, toxic: String },
    #[error("cannot listen on `{address}`")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("the lease has lapsed: renew it before a fault is injected")]
    LeaseLapsed,
    #[error("the toxic cannot be changed")]
    Toxic(#[from] ToxicError),
}

/// A proxy that is to be made.
#[derive(Debug)]
pub(crate) struct NewProxy {
    pub(crate) name: ProxyName,
    pub(crate) spec: ProxySpec,
    /// Whether it listens; what is not said is yes for a new proxy, and no change for one that is there.
    pub(crate) enabled: Option<bool>,
    pub(crate) toxics: Vec<ToxicSpec>,
}

/// A change of a proxy; what is `None` stays.
#[derive(Debug, Default)]
pub(crate) struct ProxyChange {
    pub(crate) listen: Option<ListenAddress>,
    pub(crate) upstream: Option<UpstreamAddress>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) enabled: Option<bool>,
}

/// A proxy as the admin API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct ProxyView {
    name: ProxyName,
    listen: ListenAddress,
    upstream: UpstreamAddress,
    protocol: Protocol,
    enabled: bool,
    toxics: Vec<ToxicSpec>,
}

impl ProxyView {
    pub(crate) fn name(&self) -> &ProxyName {
        &self.name
    }
}

impl fmt::Display for ProxyView {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {} -> {}", self.name, self.listen, self.upstream)
    }
}

#[derive(Debug)]
struct Proxy {
    /// Its `listen` is the bound address once it has been bound.
    spec: ProxySpec,
    /// None while it is disabled.
    listener: Option<Listener>,
    toxics: watch::Sender<ToxicSet>,
    counters: Arc<ProxyCounters>,
    connection_numbers: Arc<AtomicU64>,
}

impl Proxy {
    fn new(spec: ProxySpec) -> Self {
        Self {
            spec,
            listener: None,
            toxics: watch::Sender::new(ToxicSet::default()),
            counters: Arc::default(),
            connection_numbers: Arc::default(),
        }
    }

    async fn enable(&mut self) -> Result<(), RegistryError> {
        if self.listener.is_some() {
            return Ok(());
        }
        let context = ConnectionContext {
            upstream: self.spec.upstream.clone(),
            protocol: self.spec.protocol,
            toxics: self.toxics.subscribe(),
            counters: Arc::clone(&self.counters),
        };
        let ListenAddress(address) = self.spec.listen;
        let listener = Listener::start(address, Arc::clone(&self.connection_numbers), context)
            .await
            .map_err(|source| RegistryError::Listen { address, source })?;
        self.spec.listen = ListenAddress(listener.address());
        self.listener = Some(listener);
        Ok(())
    }

    async fn disable(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.stop().await;
        }
    }

    fn view(&self, name: &ProxyName) -> ProxyView {
        ProxyView {
            name: name.clone(),
            listen: self.spec.listen,
            upstream: self.spec.upstream.clone(),
            protocol: self.spec.protocol,
            enabled: self.listener.is_some(),
            toxics: self.toxics.borrow().iter().map(|toxic| toxic.spec.clone()).collect(),
        }
    }
}

/// All that the lock guards.
#[derive(Debug, Default)]
struct State {
    proxies: BTreeMap<ProxyName, Proxy>,
    lease: Lease,
    toxics_made: u64,
}

impl State {
    fn proxy(&self, name: &str) -> Result<&Proxy, RegistryError> {
        self.proxies.get(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))
    }

    fn refuse_after_lapse(&self) -> Result<(), RegistryError> {
        match self.lease.at(Instant::now()) {
            Lease::NeverTaken | Lease::HeldUntil(_) => Ok(()),
            Lease::Lapsed => Err(RegistryError::LeaseLapsed),
        }
    }

    fn add_toxic(&mut self, seed: u64, proxy: &str, spec: ToxicSpec) -> Result<(), RegistryError> {
        self.refuse_after_lapse()?;
        let (name, present) =
            self.proxies.get_key_value(proxy).ok_or_else(|| RegistryError::NoProxy(proxy.to_owned()))?;
        let set = present.toxics.borrow().clone();
        if set.get(spec.name.as_str()).is_some() {
            return Err(RegistryError::ToxicExists { proxy: proxy.to_owned(), toxic: spec.name.to_string() });
        }
        self.toxics_made += 1;
        present.toxics.send_replace(set.with(ActiveToxic::new(self.toxics_made, spec, name, seed)));
        Ok(())
    }

    async fn create(&mut self, seed: u64, new: NewProxy) -> Result<ProxyView, RegistryError> {
        if self.proxies.contains_key(&new.name) {
            return Err(RegistryError::ProxyExists(new.name));
        }
        let enabled = new.enabled.unwrap_or(true);
        if !enabled || !new.toxics.is_empty() {
            self.refuse_after_lapse()?;
        }
        let mut proxy = Proxy::new(new.spec);
        if enabled {
            proxy.enable().await?;
        }
        self.proxies.insert(new.name.clone(), proxy);
        for toxic in new.toxics {
            if let Err(error) = self.add_toxic(seed, new.name.as_str(), toxic) {
                self.delete(new.name.as_str()).await?;
                return Err(error);
            }
        }
        Ok(self.proxy(new.name.as_str())?.view(&new.name))
    }

    async fn update(&mut self, name: &str, change: ProxyChange) -> Result<ProxyView, RegistryError> {
        if change.enabled == Some(false) {
            self.refuse_after_lapse()?;
        }
        let Some((key, _)) = self.proxies.get_key_value(name) else {
            return Err(RegistryError::NoProxy(name.to_owned()));
        };
        let key = key.clone();
        let proxy = self.proxies.get_mut(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))?;
        let before = proxy.spec.clone();
        let was_enabled = proxy.listener.is_some();
        let spec = ProxySpec {
            listen: change.listen.unwrap_or(before.listen),
            upstream: change.upstream.unwrap_or_else(|| before.upstream.clone()),
            protocol: change.protocol.unwrap_or(before.protocol),
        };
        let enabled = change.enabled.unwrap_or(was_enabled);
        if spec != before || !enabled {
            proxy.disable().await;
            proxy.spec = spec;
        }
        if enabled && let Err(error) = proxy.enable().await {
            // A change that can not be made changes nothing.
            proxy.spec = before;
            if was_enabled {
                proxy.enable().await?;
            }
            return Err(error);
        }
        Ok(proxy.view(&key))
    }

    async fn delete(&mut self, name: &str) -> Result<(), RegistryError> {
        let mut proxy = self.proxies.remove(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))?;
        proxy.disable().await;
        Ok(())
    }

    /// Drops every toxic and enables every proxy; the first one that can not listen is told, after all were tried.
    async fn reset(&mut self) -> Result<(), RegistryError> {
        let mut outcome = Ok(());
        for proxy in self.proxies.values_mut() {
            proxy.toxics.send_replace(ToxicSet::default());
            outcome = outcome.and(proxy.enable().await);
        }
        outcome
    }
}

/// The proxies of this process.
#[derive(Debug)]
pub(crate) struct Registry {
    seed: u64,
    state: Mutex<State>,
    deadlines: watch::Sender<Deadlines>,
}

impl Registry {
    pub(crate) fn new(seed: u64, deadlines: watch::Sender<Deadlines>) -> Self {
        Self { seed, state: Mutex::default(), deadlines }
    }

    async fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().await
    }

    pub(crate) async fn views(&self) -> Vec<ProxyView> {
        self.lock().await.proxies.iter().map(|(name, proxy)| proxy.view(name)).collect()
    }

    pub(crate) async fn view(&self, name: &str) -> Result<ProxyView, RegistryError> {
        let state = self.lock().await;
        let (name, proxy) = state.proxies.get_key_value(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))?;
        Ok(proxy.view(name))
    }

    pub(crate) async fn create(&self, new: NewProxy) -> Result<ProxyView, RegistryError> {
        self.lock().await.create(self.seed, new).await
    }

    pub(crate) async fn update(&self, name: &str, change: ProxyChange) -> Result<ProxyView, RegistryError> {
        self.lock().await.update(name, change).await
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<(), RegistryError> {
        self.lock().await.delete(name).await
    }

    /// Makes proxies, replacing those of the same name that differ. The first failure ends it; what was made stays.
    pub(crate) async fn populate(&self, proxies: Vec<NewProxy>) -> Result<Vec<ProxyView>, RegistryError> {
        let mut state = self.lock().await;
        let mut views = Vec::with_capacity(proxies.len());
        for new in proxies {
            let name = new.name.clone();
            let present = state.proxies.get(&name).map(|proxy| proxy.spec == new.spec);
            let view = match present {
                Some(true) => {
                    let change = ProxyChange { enabled: new.enabled, ..ProxyChange::default() };
                    state.update(name.as_str(), change).await?
                }
                Some(false) => {
                    state.delete(name.as_str()).await?;
                    state.create(self.seed, new).await?
                }
                None => state.create(self.seed, new).await?,
            };
            views.push(view);
        }
        Ok(views)
    }

    pub(crate) async fn reset(&self) -> Result<(), RegistryError> {
        self.lock().await.reset().await
    }

    pub(crate) async fn toxics(&self, proxy: &str) -> Result<Vec<ToxicSpec>, RegistryError> {
        let state = self.lock().await;
        let set = state.proxy(proxy)?.toxics.borrow();
        Ok(set.iter().map(|toxic| toxic.spec.clone()).collect())
    }

    pub(crate) async fn toxic(&self, proxy: &str, toxic: &str) -> Result<ToxicSpec, RegistryError> {
        let state = self.lock().await;
        let set = state.proxy(proxy)?.toxics.borrow();
        set.get(toxic).map(|toxic| toxic.spec.clone()).ok_or_else(|| no_toxic(proxy, toxic))
    }

    pub(crate) async fn add_toxic(&self, proxy: &str, spec: ToxicSpec) -> Result<(), RegistryError> {
        self.lock().await.add_toxic(self.seed, proxy, spec)
    }

    pub(crate) async fn change_toxic(
        &self,
        proxy: &str,
        toxic: &str,
        patch: ToxicPatch,
    ) -> Result<ToxicSpec, RegistryError> {
        let state = self.lock().await;
        state.refuse_after_lapse()?;
        let toxics = &state.proxy(proxy)?.toxics;
        let set = toxics.borrow().clone();
        let present = set.get(toxic).ok_or_else(|| no_toxic(proxy, toxic))?;
        let spec = patch.apply(&present.spec)?;
        toxics.send_replace(set.with_changed(present.changed(spec.clone())));
        Ok(spec)
    }

    pub(crate) async fn remove_toxic(&self, proxy: &str, toxic: &str) -> Result<(), RegistryError> {
        let state = self.lock().await;
        let toxics = &state.proxy(proxy)?.toxics;
        let set = toxics.borrow().clone();
        if set.get(toxic).is_none() {
            return Err(no_toxic(proxy, toxic));
        }
        toxics.send_replace(set.without(toxic));
        Ok(())
    }

    /// Takes or renews the lease, and moves the end of the process if a time limit is given.
    pub(crate) async fn renew(&self, ttl: Duration, time_limit: Option<Duration>) {
        let mut state = self.lock().await;
        let now = Instant::now();
        state.lease = Lease::HeldUntil(now + ttl);
        self.deadlines.send_modify(|deadlines| {
            deadlines.lapse = Some(now + ttl);
            if let Some(limit) = time_limit {
                deadlines.end = Some(now + limit);
            }
        });
    }

    /// Fails open if the lease is past its deadline. An error means that a proxy could not be enabled again: the
    /// deadline stays, so that the next call tries again.
    pub(crate) async fn lapse(&self) -> Result<(), RegistryError> {
        let mut state = self.lock().await;
        state.lease = state.lease.at(Instant::now());
        if state.lease == Lease::Lapsed {
            state.reset().await?;
            self.deadlines.send_modify(|deadlines| deadlines.lapse = None);
        }
        Ok(())
    }

    pub(crate) async fn stats(&self) -> Stats {
        let state = self.lock().await;
        let proxies = state.proxies.iter();
        Stats {
            process: std::process::id(),
            seed: self.seed,
            lease: state.lease.stats(Instant::now()),
            proxies: proxies
                .map(|(name, proxy)| (name.to_string(), proxy.counters.stats(&proxy.toxics.borrow())))
                .collect(),
        }
    }

    /// Stops every proxy; their ports are free when it returns.
    pub(crate) async fn close(&self) {
        let mut state = self.lock().await;
        for proxy in state.proxies.values_mut() {
            proxy.disable().await;
        }
    }
}

fn no_toxic(proxy: &str, toxic: &str) -> RegistryError {
    RegistryError::NoToxic { proxy: proxy.to_owned(), toxic: toxic.to_owned() }
}
