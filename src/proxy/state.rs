//! What the lock of all proxies guards, and each change of it.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::audit::{Audit, AuditKind};
use super::lease::Lease;
use super::limit::Limits;
use super::running::{Proxy, ProxyChange, ProxyView, Standing};
use super::toxic::{ActiveToxic, ToxicError, ToxicPatch, ToxicSpec};
use super::{ListenAddress, ProxySpec};
use crate::unit::ProxyName;

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
pub(super) struct State {
    pub(super) proxies: BTreeMap<ProxyName, Proxy>,
    pub(super) lease: Lease,
    toxics_made: u64,
}

impl State {
    pub(super) fn proxy(&self, name: &str) -> Result<&Proxy, RegistryError> {
        self.proxies.get(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))
    }

    pub(super) fn refuse_after_lapse(&self) -> Result<(), RegistryError> {
        match self.lease.at(Instant::now()) {
            Lease::NeverTaken | Lease::HeldUntil(_) => Ok(()),
            Lease::Lapsed => Err(RegistryError::LeaseLapsed),
        }
    }

    pub(super) fn add_toxic(&mut self, terms: &Terms, proxy: &str, spec: ToxicSpec) -> Result<(), RegistryError> {
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

    pub(super) async fn create(&mut self, terms: &Terms, new: NewProxy) -> Result<ProxyView, RegistryError> {
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

    pub(super) async fn update(
        &mut self,
        terms: &Terms,
        name: &str,
        change: ProxyChange,
    ) -> Result<ProxyView, RegistryError> {
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

    pub(super) async fn delete(&mut self, terms: &Terms, name: &str) -> Result<(), RegistryError> {
        let mut proxy = self.proxies.remove(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))?;
        proxy.close().await;
        terms.audit.tell(AuditKind::ProxyDeleted, Some(name), None);
        Ok(())
    }

    pub(super) fn change_toxic(
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

    pub(super) fn remove_toxic(
        &self,
        terms: &Terms,
        proxy: &str,
        toxic: &str,
        event: AuditKind,
    ) -> Result<(), RegistryError> {
        let toxics = &self.proxy(proxy)?.toxics;
        let set = toxics.borrow().clone();
        let present = set.get(toxic).ok_or_else(|| no_toxic(proxy, toxic))?;
        toxics.send_replace(set.without(toxic));
        terms.audit.tell(event, Some(proxy), Some(&present.spec));
        Ok(())
    }

    /// Makes a proxy, or makes the one of the name what is asked for; its toxics stay if its addresses do.
    pub(super) async fn put(&mut self, terms: &Terms, new: NewProxy) -> Result<ProxyView, RegistryError> {
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
    pub(super) async fn reload(
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
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let sets = self.proxies.values().map(|proxy| proxy.toxics.borrow().clone());
        sets.flat_map(|set| set.iter().filter_map(|toxic| toxic.expires).collect::<Vec<_>>()).min()
    }

    /// Drops every toxic and enables every proxy; the first one that can not listen is told, after all were tried.
    pub(super) async fn reset(&mut self) -> Result<(), RegistryError> {
        let mut outcome = Ok(());
        for proxy in self.proxies.values_mut() {
            outcome = outcome.and(proxy.reset().await);
        }
        outcome
    }

    /// Waits until no byte moves any more, or nobody is left.
    pub(super) async fn fall_silent(&self) {
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

pub(super) fn no_toxic(proxy: &str, toxic: &str) -> RegistryError {
    RegistryError::NoToxic { proxy: proxy.to_owned(), toxic: toxic.to_owned() }
}

pub(super) fn no_rule(proxy: &str, rule: &str) -> RegistryError {
    RegistryError::NoRule { proxy: proxy.to_owned(), rule: rule.to_owned() }
}
