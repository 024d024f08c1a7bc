//! The proxies of this process by name, and everything that may be done to them.
//!
//! One lock orders all changes, the lapse of the lease included; traffic never takes it: a connection reads its toxics
//! from a watch channel.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::Instant;

use super::audit::{Audit, AuditKind};
use super::counters::Stats;
use super::http::{ActiveRule, RuleSpec, RuleStats};
use super::lease::{Deadlines, Lease};
use super::limit::Limits;
use super::running::{Proxy, ProxyChange, ProxyView, Standing};
use super::toxic::{ActiveToxic, ToxicError, ToxicPatch, ToxicSpec};
use super::{ListenAddress, ProxySpec};
use crate::unit::ProxyName;

/// How long what is under way may take to arrive when the proxies are closed.
const DRAIN_WAIT: Duration = Duration::from_secs(2);

/// Connections on which no byte moves for so long have nothing under way.
const DRAIN_SILENCE: Duration = Duration::from_millis(100);

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
    #[error("rule `{rule}` exists already on proxy `{proxy}`")]
    RuleExists { proxy: String, rule: String },
    #[error("rule `{rule}` not found on proxy `{proxy}`")]
    NoRule { proxy: String, rule: String },
    #[error("cannot listen on `{address}`")]
    Listen {
        address: SocketAddr,
        #[source]
        source: io::Error,
    },
    #[error("`{0}` can be reached by others: listen on a loopback address, or start the proxy with `--listen-any`")]
    Reachable(SocketAddr),
    #[error("the lease has lapsed: renew it before a fault is injected")]
    LeaseLapsed,
    #[error("the toxic cannot be changed")]
    Toxic(#[from] ToxicError),
}

/// A proxy that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct NewProxy {
    pub(crate) name: ProxyName,
    pub(crate) spec: ProxySpec,
    /// Whether it listens; what is not said is yes for a new proxy, and no change for one that is there.
    pub(crate) enabled: Option<bool>,
    pub(crate) refuse: bool,
    pub(crate) toxics: Vec<ToxicSpec>,
}

impl NewProxy {
    /// Whether a proxy that is there is this one already. A port that the system chose is as good as any.
    fn is(&self, present: &ProxySpec) -> bool {
        let ListenAddress(asked) = self.spec.listen;
        let ListenAddress(bound) = present.listen;
        let listens = asked == bound || (asked.port() == 0 && asked.ip() == bound.ip());
        listens && self.spec.upstream == present.upstream && self.spec.protocol == present.protocol
    }
}

/// What holds for all proxies of a process.
#[derive(Debug)]
pub(crate) struct Terms {
    /// The seed from which all chances are drawn.
    pub(crate) seed: u64,
    /// Whether a proxy may listen where others can reach it.
    pub(crate) listen_any: bool,
    pub(crate) limits: Limits,
    pub(crate) audit: Audit,
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

    fn add_toxic(&mut self, terms: &Terms, proxy: &str, spec: ToxicSpec) -> Result<(), RegistryError> {
        self.refuse_after_lapse()?;
        let (name, present) =
            self.proxies.get_key_value(proxy).ok_or_else(|| RegistryError::NoProxy(proxy.to_owned()))?;
        let set = present.toxics.borrow().clone();
        if set.get(spec.name.as_str()).is_some() {
            return Err(RegistryError::ToxicExists { proxy: proxy.to_owned(), toxic: spec.name.to_string() });
        }
        self.toxics_made += 1;
        terms.audit.tell(AuditKind::ToxicAdded, Some(proxy), Some(&spec));
        present.toxics.send_replace(set.with(ActiveToxic::new(self.toxics_made, spec, name, terms.seed)));
        Ok(())
    }

    async fn create(&mut self, terms: &Terms, new: NewProxy) -> Result<ProxyView, RegistryError> {
        if self.proxies.contains_key(&new.name) {
            return Err(RegistryError::ProxyExists(new.name));
        }
        terms.check_listen(new.spec.listen)?;
        let enabled = new.enabled.unwrap_or(true);
        if !enabled || new.refuse || !new.toxics.is_empty() {
            self.refuse_after_lapse()?;
        }
        let mut proxy = Proxy::new(new.spec.clone(), terms.limits.clone());
        proxy.put(Standing { spec: new.spec, enabled, refuse: new.refuse }).await?;
        terms.audit.tell_with(
            AuditKind::ProxyCreated,
            Some(new.name.as_str()),
            None,
            Some(proxy.view(&new.name).to_string()),
        );
        self.proxies.insert(new.name.clone(), proxy);
        for toxic in new.toxics {
            if let Err(error) = self.add_toxic(terms, new.name.as_str(), toxic) {
                self.delete(terms, new.name.as_str()).await?;
                return Err(error);
            }
        }
        Ok(self.proxy(new.name.as_str())?.view(&new.name))
    }

    async fn update(&mut self, terms: &Terms, name: &str, change: ProxyChange) -> Result<ProxyView, RegistryError> {
        if change.is_fault() {
            self.refuse_after_lapse()?;
        }
        if let Some(listen) = change.listen {
            terms.check_listen(listen)?;
        }
        let Some((key, _)) = self.proxies.get_key_value(name) else {
            return Err(RegistryError::NoProxy(name.to_owned()));
        };
        let key = key.clone();
        let proxy = self.proxies.get_mut(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))?;
        proxy.change(change).await?;
        let view = proxy.view(&key);
        terms.audit.tell_with(AuditKind::ProxyChanged, Some(name), None, Some(view.to_string()));
        Ok(view)
    }

    async fn delete(&mut self, terms: &Terms, name: &str) -> Result<(), RegistryError> {
        let mut proxy = self.proxies.remove(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))?;
        proxy.close().await;
        terms.audit.tell(AuditKind::ProxyDeleted, Some(name), None);
        Ok(())
    }

    fn change_toxic(
        &self,
        terms: &Terms,
        proxy: &str,
        toxic: &str,
        patch: ToxicPatch,
    ) -> Result<ToxicSpec, RegistryError> {
        self.refuse_after_lapse()?;
        let toxics = &self.proxy(proxy)?.toxics;
        let set = toxics.borrow().clone();
        let present = set.get(toxic).ok_or_else(|| no_toxic(proxy, toxic))?;
        let is_renewed = patch.sets_ttl();
        let spec = patch.apply(&present.spec)?;
        toxics.send_replace(set.with_changed(present.changed(spec.clone(), is_renewed)));
        terms.audit.tell(AuditKind::ToxicChanged, Some(proxy), Some(&spec));
        Ok(spec)
    }

    fn remove_toxic(&self, terms: &Terms, proxy: &str, toxic: &str, event: AuditKind) -> Result<(), RegistryError> {
        let toxics = &self.proxy(proxy)?.toxics;
        let set = toxics.borrow().clone();
        let present = set.get(toxic).ok_or_else(|| no_toxic(proxy, toxic))?;
        toxics.send_replace(set.without(toxic));
        terms.audit.tell(event, Some(proxy), Some(&present.spec));
        Ok(())
    }

    /// Makes a proxy, or makes the one of the name what is asked for; its toxics stay if its addresses do.
    async fn put(&mut self, terms: &Terms, new: NewProxy) -> Result<ProxyView, RegistryError> {
        let name = new.name.clone();
        match self.proxies.get(&name).map(|proxy| new.is(proxy.spec())) {
            Some(true) => {
                let change = ProxyChange { enabled: new.enabled, ..ProxyChange::default() };
                self.update(terms, name.as_str(), change).await
            }
            Some(false) => {
                self.delete(terms, name.as_str()).await?;
                self.create(terms, new).await
            }
            None => self.create(terms, new).await,
        }
    }

    /// Goes over from one list of proxies to another; toxics and proxies that are in neither are left alone.
    async fn reload(
        &mut self,
        terms: &Terms,
        before: &[NewProxy],
        after: &[NewProxy],
    ) -> Result<Vec<ProxyView>, RegistryError> {
        for old in before {
            let stays = after.iter().any(|new| new.name == old.name);
            if !stays && self.proxies.contains_key(&old.name) {
                self.delete(terms, old.name.as_str()).await?;
            }
        }
        let mut views = Vec::with_capacity(after.len());
        for new in after {
            let old = before.iter().find(|old| old.name == new.name);
            let name = new.name.as_str();
            if self.proxies.get(&new.name).is_some_and(|proxy| new.is(proxy.spec())) {
                let enabled = Some(new.enabled.unwrap_or(true));
                let change = ProxyChange { enabled, refuse: Some(new.refuse), ..ProxyChange::default() };
                self.update(terms, name, change).await?;
                self.exchange_toxics(terms, name, old.map_or(&[], |old| &old.toxics), &new.toxics)?;
            } else {
                self.put(terms, new.clone()).await?;
            }
            views.push(self.proxy(name)?.view(&new.name));
        }
        Ok(views)
    }

    /// Takes away the toxics of one list, and puts those of another in place; one that is in both goes on undisturbed.
    fn exchange_toxics(
        &mut self,
        terms: &Terms,
        proxy: &str,
        before: &[ToxicSpec],
        after: &[ToxicSpec],
    ) -> Result<(), RegistryError> {
        let is_there = |state: &Self, name: &str| -> Result<bool, RegistryError> {
            Ok(state.proxy(proxy)?.toxics.borrow().get(name).is_some())
        };
        for old in before.iter().filter(|old| !after.contains(old)) {
            if is_there(self, old.name.as_str())? {
                self.remove_toxic(terms, proxy, old.name.as_str(), AuditKind::ToxicRemoved)?;
            }
        }
        for new in after.iter().filter(|new| !before.contains(new)) {
            if is_there(self, new.name.as_str())? {
                self.remove_toxic(terms, proxy, new.name.as_str(), AuditKind::ToxicRemoved)?;
            }
            self.add_toxic(terms, proxy, new.clone())?;
        }
        Ok(())
    }

    /// When the first toxic is to be dropped.
    fn next_expiry(&self) -> Option<Instant> {
        let sets = self.proxies.values().map(|proxy| proxy.toxics.borrow().clone());
        sets.flat_map(|set| set.iter().filter_map(|toxic| toxic.expires).collect::<Vec<_>>()).min()
    }

    /// Drops every toxic and enables every proxy; the first one that can not listen is told, after all were tried.
    async fn reset(&mut self) -> Result<(), RegistryError> {
        let mut outcome = Ok(());
        for proxy in self.proxies.values_mut() {
            outcome = outcome.and(proxy.reset().await);
        }
        outcome
    }

    /// Waits until no byte moves any more, or nobody is left.
    async fn fall_silent(&self) {
        let moved = || self.proxies.values().map(|proxy| proxy.counters().bytes_moved()).sum::<u64>();
        let is_open = || self.proxies.values().any(|proxy| proxy.counters().connections_open.get() > 0);
        let mut before = moved();
        while is_open() {
            tokio::time::sleep(DRAIN_SILENCE).await;
            let now = moved();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

impl Terms {
    fn check_listen(&self, ListenAddress(address): ListenAddress) -> Result<(), RegistryError> {
        if address.ip().is_loopback() || self.listen_any { Ok(()) } else { Err(RegistryError::Reachable(address)) }
    }
}

/// The proxies of this process.
#[derive(Debug)]
pub(crate) struct Registry {
    terms: Terms,
    state: Mutex<State>,
    deadlines: watch::Sender<Deadlines>,
}

impl Registry {
    pub(crate) fn new(terms: Terms, deadlines: watch::Sender<Deadlines>) -> Self {
        Self { terms, state: Mutex::default(), deadlines }
    }

    async fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().await
    }

    /// Sees to it that the next toxic to be dropped is waited for.
    fn plan_expiry(&self, state: &State) {
        let toxic = state.next_expiry();
        self.deadlines.send_if_modified(|deadlines| {
            let is_new = deadlines.toxic != toxic;
            deadlines.toxic = toxic;
            is_new
        });
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
        let mut state = self.lock().await;
        let view = state.create(&self.terms, new).await;
        self.plan_expiry(&state);
        view
    }

    pub(crate) async fn update(&self, name: &str, change: ProxyChange) -> Result<ProxyView, RegistryError> {
        self.lock().await.update(&self.terms, name, change).await
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<(), RegistryError> {
        self.lock().await.delete(&self.terms, name).await
    }

    /// Makes proxies, replacing those of the same name that differ. The first failure ends it; what was made stays.
    pub(crate) async fn populate(&self, proxies: Vec<NewProxy>) -> Result<Vec<ProxyView>, RegistryError> {
        let mut state = self.lock().await;
        let mut views = Vec::with_capacity(proxies.len());
        for new in proxies {
            views.push(state.put(&self.terms, new).await?);
        }
        self.plan_expiry(&state);
        Ok(views)
    }

    /// Goes over from one list of proxies to another. Where that fails, the first list is put back.
    pub(crate) async fn reload(
        &self,
        before: &[NewProxy],
        after: &[NewProxy],
    ) -> Result<Vec<ProxyView>, RegistryError> {
        let mut state = self.lock().await;
        let outcome = state.reload(&self.terms, before, after).await;
        if outcome.is_err() {
            state.reload(&self.terms, after, before).await?;
        }
        self.plan_expiry(&state);
        outcome
    }

    pub(crate) async fn reset(&self) -> Result<(), RegistryError> {
        let mut state = self.lock().await;
        self.terms.audit.tell(AuditKind::Reset, None, None);
        let outcome = state.reset().await;
        self.plan_expiry(&state);
        outcome
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
        let mut state = self.lock().await;
        state.add_toxic(&self.terms, proxy, spec)?;
        self.plan_expiry(&state);
        Ok(())
    }

    pub(crate) async fn change_toxic(
        &self,
        proxy: &str,
        toxic: &str,
        patch: ToxicPatch,
    ) -> Result<ToxicSpec, RegistryError> {
        let state = self.lock().await;
        let spec = state.change_toxic(&self.terms, proxy, toxic, patch)?;
        self.plan_expiry(&state);
        Ok(spec)
    }

    pub(crate) async fn remove_toxic(&self, proxy: &str, toxic: &str) -> Result<(), RegistryError> {
        self.lock().await.remove_toxic(&self.terms, proxy, toxic, AuditKind::ToxicRemoved)
    }

    /// Drops the toxics whose time to live is over.
    pub(crate) async fn expire(&self) {
        let state = self.lock().await;
        let now = Instant::now();
        for (name, proxy) in &state.proxies {
            let set = proxy.toxics.borrow().clone();
            for toxic in set.iter().filter(|toxic| toxic.expires.is_some_and(|expires| expires <= now)) {
                let removed =
                    state.remove_toxic(&self.terms, name.as_str(), toxic.spec.name.as_str(), AuditKind::ToxicExpired);
                removed.expect("invariant: the lock is held since the toxic was seen");
            }
        }
        self.plan_expiry(&state);
    }

    pub(crate) async fn rules(&self, proxy: &str) -> Result<Vec<(RuleSpec, RuleStats)>, RegistryError> {
        let state = self.lock().await;
        let set = state.proxy(proxy)?.rules.borrow();
        Ok(set.iter().map(|rule| (rule.spec.clone(), rule.stats())).collect())
    }

    pub(crate) async fn rule(&self, proxy: &str, rule: &str) -> Result<(RuleSpec, RuleStats), RegistryError> {
        let state = self.lock().await;
        let set = state.proxy(proxy)?.rules.borrow();
        set.get(rule).map(|rule| (rule.spec.clone(), rule.stats())).ok_or_else(|| no_rule(proxy, rule))
    }

    pub(crate) async fn add_rule(&self, proxy: &str, spec: RuleSpec) -> Result<(), RegistryError> {
        let state = self.lock().await;
        state.refuse_after_lapse()?;
        let (name, present) =
            state.proxies.get_key_value(proxy).ok_or_else(|| RegistryError::NoProxy(proxy.to_owned()))?;
        let set = present.rules.borrow().clone();
        if set.get(spec.name.as_str()).is_some() {
            return Err(RegistryError::RuleExists { proxy: proxy.to_owned(), rule: spec.name.to_string() });
        }
        let what = format!("{}: {}", spec.name, spec.action.name());
        self.terms.audit.tell_with(AuditKind::RuleAdded, Some(proxy), None, Some(what));
        present.rules.send_replace(set.with(ActiveRule::new(spec, name, self.terms.seed)));
        Ok(())
    }

    pub(crate) async fn remove_rule(&self, proxy: &str, rule: &str) -> Result<(), RegistryError> {
        let state = self.lock().await;
        let rules = &state.proxy(proxy)?.rules;
        let set = rules.borrow().clone();
        if set.get(rule).is_none() {
            return Err(no_rule(proxy, rule));
        }
        self.terms.audit.tell_with(AuditKind::RuleRemoved, Some(proxy), None, Some(rule.to_owned()));
        rules.send_replace(set.without(rule));
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
            self.terms.audit.tell(AuditKind::LeaseLapsed, None, None);
            state.reset().await?;
            self.plan_expiry(&state);
            self.deadlines.send_modify(|deadlines| deadlines.lapse = None);
        }
        Ok(())
    }

    pub(crate) async fn stats(&self) -> Stats {
        let state = self.lock().await;
        let proxies = state.proxies.iter();
        Stats {
            process: std::process::id(),
            seed: self.terms.seed,
            lease: state.lease.stats(Instant::now()),
            proxies: proxies.map(|(name, proxy)| (name.to_string(), proxy.stats())).collect(),
        }
    }

    /// Stops every proxy; their ports are free when it returns. What is under way may still arrive, for a bounded time.
    pub(crate) async fn close(&self) {
        let mut state = self.lock().await;
        for proxy in state.proxies.values_mut() {
            proxy.drain().await;
        }
        // Whoever goes on beyond the limit is cut off.
        tokio::time::timeout(DRAIN_WAIT, state.fall_silent()).await.ok();
        for proxy in state.proxies.values_mut() {
            proxy.close().await;
        }
        self.terms.audit.tell(AuditKind::Closed, None, None);
    }
}

fn no_toxic(proxy: &str, toxic: &str) -> RegistryError {
    RegistryError::NoToxic { proxy: proxy.to_owned(), toxic: toxic.to_owned() }
}

fn no_rule(proxy: &str, rule: &str) -> RegistryError {
    RegistryError::NoRule { proxy: proxy.to_owned(), rule: rule.to_owned() }
}
