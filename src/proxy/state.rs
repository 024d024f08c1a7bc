//! What the lock of all proxies guards, and each change of the proxies themselves.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::audit::{Audit, AuditKind};
use super::http::Signer;
use super::lease::Lease;
use super::limit::Limits;
use super::running::{Proxy, ProxyChange, ProxyView, Standing};
use super::tls::{ProxyTls, TlsError, TlsFaultSpec};
use super::toxic::{ToxicError, ToxicSpec};
use super::{ListenAddress, ProxySpec};
use crate::unit::{Clock, ProxyName};

/// Connections on which no byte moves for so long have nothing under way, unless a client waits for an answer.
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
    #[error("{0}")]
    Unfit(&'static str),
    #[error("the proxy's process may not sign requests anew: start it with `--resign`")]
    NoResigner,
    #[error("the lease has lapsed: renew it before a fault is injected")]
    LeaseLapsed,
    #[error("clients of proxy `{0}` come without TLS: it needs `tls: {{client: {{}}}}`")]
    NoClientTls(String),
    #[error("there is no TLS fault on proxy `{0}`")]
    NoTlsFault(String),
    #[error("the TLS fault on proxy `{0}` is not the one of this token")]
    OtherTlsFault(String),
    #[error("proxy `{0}` has no authority of its own: its clients come without TLS, or its certificate from files")]
    NoAuthority(String),
    #[error("the TLS of proxy `{proxy}` cannot be as it was asked for")]
    Tls {
        proxy: String,
        #[source]
        source: TlsError,
    },
    #[error("proxy `{0}` is not out of reach for a time, which could be put off")]
    Reopened(String),
    #[error("proxy `{0}` is not out of reach by the one of this token")]
    OtherOutage(String),
    #[error("the toxic cannot be changed")]
    Toxic(#[from] ToxicError),
    #[error("proxy `{proxy}`")]
    Entry {
        proxy: ProxyName,
        #[source]
        source: Box<RegistryError>,
    },
}

impl RegistryError {
    /// Says of which proxy it is.
    pub(super) fn tls(proxy: &str) -> impl FnOnce(TlsError) -> Self {
        |source| Self::Tls { proxy: proxy.to_owned(), source }
    }

    /// Says which entry of a list it is about.
    pub(super) fn of_entry(proxy: &ProxyName) -> impl FnOnce(Self) -> Self {
        |source| Self::Entry { proxy: proxy.clone(), source: Box::new(source) }
    }
}

/// A proxy that is to be made.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NewProxy {
    pub(crate) name: ProxyName,
    pub(crate) spec: ProxySpec,
    /// Whether it listens; what is not said is yes for a new proxy, and no change for one that is there.
    pub(crate) enabled: Option<bool>,
    pub(crate) refuse: bool,
    pub(crate) toxics: Vec<ToxicSpec>,
    pub(crate) tls_fault: Option<TlsFaultSpec>,
}

impl NewProxy {
    /// Whether it is enabled, and whether it refuses.
    pub(super) fn standing(&self) -> (bool, bool) {
        (self.enabled.unwrap_or(true), self.refuse)
    }

    /// Whether a proxy that is there is this one already. A port that the system chose is as good as any.
    pub(super) fn is(&self, present: &ProxySpec) -> bool {
        let ListenAddress(asked) = self.spec.listen;
        let ListenAddress(bound) = present.listen;
        let listens = asked == bound || (asked.port() == 0 && asked.ip() == bound.ip());
        listens
            && self.spec.upstream == present.upstream
            && self.spec.protocol == present.protocol
            && self.spec.tls == present.tls
            && self.spec.resign == present.resign
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
    /// Who signs requests anew; nobody unless the process was told to.
    pub(crate) resigner: Option<Signer>,
    /// From when until when certificates are good.
    pub(crate) clock: Clock,
}

/// All that the lock guards.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) proxies: BTreeMap<ProxyName, Proxy>,
    pub(super) lease: Lease,
    /// Toxics, rules and TLS faults that were ever made.
    pub(super) parts_made: u64,
}

impl State {
    pub(super) fn proxy(&self, name: &str) -> Result<&Proxy, RegistryError> {
        self.proxies.get(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))
    }

    pub(super) fn proxy_mut(&mut self, name: &str) -> Result<&mut Proxy, RegistryError> {
        self.proxies.get_mut(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))
    }

    pub(super) fn refuse_after_lapse(&self) -> Result<(), RegistryError> {
        match self.lease.at(Instant::now()) {
            Lease::NeverTaken | Lease::HeldUntil(_) => Ok(()),
            Lease::Lapsed => Err(RegistryError::LeaseLapsed),
        }
    }

    pub(super) async fn create(&mut self, terms: &Terms, new: NewProxy) -> Result<ProxyView, RegistryError> {
        if self.proxies.contains_key(&new.name) {
            return Err(RegistryError::ProxyExists(new.name));
        }
        let tls = terms.tls(&new.name, &new.spec).await?;
        self.make(terms, new, tls).await
    }

    /// Makes a proxy of a name that is free, with the TLS that it asks for.
    async fn make(
        &mut self,
        terms: &Terms,
        new: NewProxy,
        tls: Option<Arc<ProxyTls>>,
    ) -> Result<ProxyView, RegistryError> {
        terms.check_listen(new.spec.listen)?;
        let enabled = new.enabled.unwrap_or(true);
        if !enabled || new.refuse || !new.toxics.is_empty() || new.tls_fault.is_some() {
            self.refuse_after_lapse()?;
        }
        terms.check(&new.spec)?;
        let mut proxy = Proxy::new(new.spec.clone(), terms.limits.clone(), terms.resigner.clone());
        let hidden = Standing { spec: new.spec.clone(), tls: tls.clone(), enabled: false, refuse: false, token: None };
        proxy.put(hidden).await?;
        // All that is on it from the start is there before it listens.
        if let Some(fault) = new.tls_fault.clone() {
            self.parts_made += 1;
            proxy.put_tls_fault(new.name.as_str(), fault, self.parts_made)?;
        }
        proxy.put_toxics(self.toxics_of(terms, &new)?);
        proxy.put(Standing { spec: new.spec, tls, enabled, refuse: new.refuse, token: None }).await?;
        terms.audit.tell_with(
            AuditKind::ProxyCreated,
            Some(new.name.as_str()),
            None,
            Some(proxy.view(&new.name).to_string()),
        );
        if let Some(fault) = new.tls_fault {
            let (name, fault) = (new.name.as_str(), fault.fault.to_string());
            terms.audit.tell_with(AuditKind::TlsFaultPut, Some(name), None, Some(fault));
        }
        for toxic in &new.toxics {
            terms.audit.tell(AuditKind::ToxicAdded, Some(new.name.as_str()), Some(toxic));
        }
        let view = proxy.view(&new.name);
        self.proxies.insert(new.name, proxy);
        Ok(view)
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
        let proxy = self.proxy_mut(name)?;
        if change.is_renewal() {
            if proxy.expiry.end().is_none() {
                return Err(RegistryError::Reopened(name.to_owned()));
            }
            if change.token.is_some() && change.token != proxy.standing().token {
                return Err(RegistryError::OtherOutage(name.to_owned()));
            }
            proxy.expiry.begin(change.ttl);
            return Ok(proxy.view(&key));
        }
        let (is_fault, ttl) = (change.is_fault(), change.ttl);
        let mut wanted = change.apply(proxy.standing());
        terms.check(&wanted.spec)?;
        if wanted.needs_other_tls(proxy.standing()) {
            wanted.tls = terms.tls(&key, &wanted.spec).await?;
            let fault = proxy.tls_fault().map(|(spec, _)| spec.fault);
            if let Some(terminator) = wanted.tls.as_deref().and_then(ProxyTls::terminator) {
                terminator.set_fault(fault).map_err(RegistryError::tls(name))?;
            }
        }
        let fault = proxy.tls_fault().map(|(spec, _)| spec.fault);
        proxy.change(wanted).await?;
        proxy.begin_expiry(is_fault, ttl);
        let view = proxy.view(&key);
        terms.audit.tell_with(AuditKind::ProxyChanged, Some(name), None, Some(view.to_string()));
        if let Some(fault) = fault.filter(|_| proxy.tls_fault().is_none()) {
            terms.audit.tell_with(AuditKind::TlsFaultRemoved, Some(name), None, Some(fault.to_string()));
        }
        Ok(view)
    }

    pub(super) async fn delete(&mut self, terms: &Terms, name: &str) -> Result<(), RegistryError> {
        let mut proxy = self.proxies.remove(name).ok_or_else(|| RegistryError::NoProxy(name.to_owned()))?;
        proxy.close().await;
        terms.audit.tell(AuditKind::ProxyDeleted, Some(name), None);
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
                let tls = terms.tls(&name, &new.spec).await?;
                self.replace(terms, new, tls).await
            }
            None => self.create(terms, new).await,
        }
    }

    /// Puts one after another, until one can not be.
    pub(super) async fn put_all(
        &mut self,
        terms: &Terms,
        proxies: Vec<NewProxy>,
    ) -> Result<Vec<ProxyView>, RegistryError> {
        let mut views = Vec::with_capacity(proxies.len());
        for new in proxies {
            views.push(self.put(terms, new).await?);
        }
        Ok(views)
    }

    pub(super) async fn replace(
        &mut self,
        terms: &Terms,
        new: NewProxy,
        tls: Option<Arc<ProxyTls>>,
    ) -> Result<ProxyView, RegistryError> {
        if self.proxies.contains_key(&new.name) {
            self.delete(terms, new.name.as_str()).await?;
        }
        self.make(terms, new, tls).await
    }

    /// Drops every toxic, rule and TLS fault, and enables every proxy; the first one that can not listen is told, after all were tried.
    pub(super) async fn reset(&mut self) -> Result<(), RegistryError> {
        let mut outcome = Ok(());
        for proxy in self.proxies.values_mut() {
            outcome = outcome.and(proxy.reset().await);
        }
        outcome
    }

    /// Waits until no byte moves any more and no client waits for an answer, or nobody is left.
    pub(super) async fn fall_silent(&self) {
        let moved = || self.proxies.values().map(|proxy| proxy.counters().bytes_moved()).sum::<u64>();
        let is_open = || self.proxies.values().any(|proxy| proxy.counters().connections_open.get() > 0);
        let is_asking = || self.proxies.values().any(|proxy| proxy.counters().connections_asking.get() > 0);
        let mut before = moved();
        while is_open() {
            tokio::time::sleep(DRAIN_SILENCE).await;
            let now = moved();
            if now == before && !is_asking() {
                return;
            }
            before = now;
        }
    }
}

impl Terms {
    /// Reads and makes what a proxy needs for TLS, on a thread that may wait for files.
    pub(super) async fn tls(
        &self,
        proxy: &ProxyName,
        spec: &ProxySpec,
    ) -> Result<Option<Arc<ProxyTls>>, RegistryError> {
        let Some(tls) = spec.tls.clone() else { return Ok(None) };
        let (upstream, now) = (spec.upstream.clone(), self.clock.now());
        let made = tokio::task::spawn_blocking(move || ProxyTls::new(&tls, &upstream, now)).await;
        let made = made.expect("invariant: it neither panics nor is aborted");
        Ok(Some(Arc::new(made.map_err(RegistryError::tls(proxy.as_str()))?)))
    }

    pub(super) fn check(&self, spec: &ProxySpec) -> Result<(), RegistryError> {
        if let Some(problem) = spec.problem() {
            return Err(RegistryError::Unfit(problem));
        }
        if spec.resign && self.resigner.is_none() { Err(RegistryError::NoResigner) } else { Ok(()) }
    }

    pub(super) fn check_listen(&self, ListenAddress(address): ListenAddress) -> Result<(), RegistryError> {
        if address.ip().is_loopback() || self.listen_any { Ok(()) } else { Err(RegistryError::Reachable(address)) }
    }
}
