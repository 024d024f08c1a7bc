//! One proxy at work: what it was told, its listener, its connections, its toxics, its TLS fault.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::connection::ConnectionContext;
use super::counters::{ProxyCounters, ProxyStats, TlsFaultStats};
use super::expiry::Expiry;
use super::http::{Resigning, RuleSet, Signer};
use super::limit::Limits;
use super::listener::{Connections, Listener};
use super::removed::Removed;
use super::state::RegistryError;
use super::timer::Clockwork;
use super::tls::{ProxyTls, Terminator, TlsFaultSpec, TlsSpec};
use super::toxic::{ToxicSet, ToxicSpec};
use super::{ListenAddress, Protocol, ProxySpec, UpstreamAddress};
use crate::unit::{ProxyName, elapsed_ms};

/// What a proxy is to be.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) spec: ProxySpec,
    /// TLS as `spec` asks for it.
    pub(crate) tls: Option<Arc<ProxyTls>>,
    /// Whether it is there at all; without it, its connections are closed, too.
    pub(crate) enabled: bool,
    /// Whether new connections are refused while those that are open go on.
    pub(crate) refuse: bool,
    /// By what the one who took it out of reach knows that; none where it can be reached.
    pub(crate) token: Option<String>,
}

impl Standing {
    fn listens(&self) -> bool {
        self.enabled && !self.refuse
    }

    /// Whether TLS is the very same, certificates and all.
    fn has_tls_of(&self, other: &Self) -> bool {
        self.tls.as_ref().map(Arc::as_ptr) == other.tls.as_ref().map(Arc::as_ptr)
    }

    /// Whether the certificates of another standing are not those of this one.
    pub(crate) fn needs_other_tls(&self, other: &Self) -> bool {
        self.spec.tls != other.spec.tls || (self.spec.tls.is_some() && self.spec.upstream != other.spec.upstream)
    }
}

/// A change of a proxy; what is `None` stays.
#[derive(Debug, Default)]
pub(crate) struct ProxyChange {
    pub(crate) listen: Option<ListenAddress>,
    pub(crate) upstream: Option<UpstreamAddress>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) tls: Option<TlsSpec>,
    pub(crate) resign: Option<bool>,
    pub(crate) enabled: Option<bool>,
    pub(crate) refuse: Option<bool>,
    /// After which it can be reached again by itself, where the change takes it out of reach; alone it puts that off.
    pub(crate) ttl: Option<Duration>,
    /// By what the one who takes it out of reach knows that, and puts that off and nothing else.
    pub(crate) token: Option<String>,
}

impl ProxyChange {
    /// Whether nothing is changed but how long it stays out of reach.
    pub(crate) fn is_renewal(&self) -> bool {
        let Self { listen, upstream, protocol, tls, resign, enabled, refuse, ttl, token: _ } = self;
        let is_moved =
            listen.is_some() || upstream.is_some() || protocol.is_some() || tls.is_some() || resign.is_some();
        ttl.is_some() && !is_moved && enabled.is_none() && refuse.is_none()
    }

    /// Whether it is a fault, which a controller whose lease has lapsed may not bring back.
    pub(crate) fn is_fault(&self) -> bool {
        self.enabled == Some(false) || self.refuse == Some(true)
    }

    /// The standing that it asks for, with the TLS that was there.
    pub(crate) fn apply(self, standing: &Standing) -> Standing {
        let is_fault = self.is_fault();
        let Standing { spec, tls, enabled, refuse, token } = standing.clone();
        let (now_enabled, now_refuse) = (self.enabled.unwrap_or(enabled), self.refuse.unwrap_or(refuse));
        let is_reachable = now_enabled && !now_refuse;
        // Whoever says anew how it is out of reach has it so from then on, and is known by a token or not.
        let is_as_before = !is_fault && (now_enabled, now_refuse) == (enabled, refuse);
        Standing {
            spec: ProxySpec {
                listen: self.listen.unwrap_or(spec.listen),
                upstream: self.upstream.unwrap_or(spec.upstream),
                protocol: self.protocol.unwrap_or(spec.protocol),
                tls: self.tls.or(spec.tls).filter(|tls| !tls.is_none()),
                resign: self.resign.unwrap_or(spec.resign),
            },
            tls,
            enabled: now_enabled,
            refuse: now_refuse,
            token: if is_as_before { token } else { self.token }.filter(|_| !is_reachable),
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
    /// Ours, and said only where there is some: clients of Toxiproxy do not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<TlsSpec>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_fault: Option<TlsFaultSpec>,
    /// Ours, and said only where it is so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    resign: bool,
    pub(crate) enabled: bool,
    /// Ours, and said only while it is so: clients of Toxiproxy do not know it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    refuse: bool,
    /// Ours, and said only while it is out of reach by somebody who gave one.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
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
    resigner: Option<Signer>,
    counters: Arc<ProxyCounters>,
    toxics: watch::Sender<ToxicSet>,
    rules: watch::Sender<RuleSet>,
    tls_fault: Option<ActiveTlsFault>,
    /// When it can be reached again by itself.
    pub(crate) expiry: Expiry,
    removed: Removed,
}

/// The fault that clients' handshakes meet now.
#[derive(Debug, Clone)]
struct ActiveTlsFault {
    /// Tells it from another that was put in its place.
    id: u64,
    added: Instant,
    spec: TlsFaultSpec,
    /// When it is to be dropped.
    expires: Option<Instant>,
    /// How many handshakes had met a fault before this one.
    hits_before: u64,
}

impl ActiveTlsFault {
    fn new(id: u64, spec: TlsFaultSpec, terminator: &Terminator) -> Self {
        let added = Instant::now();
        let expires = spec.ttl_ms.map(|ttl_ms| added + Duration::from_millis(ttl_ms));
        Self { id, added, spec, expires, hits_before: terminator.hits() }
    }
}

impl Proxy {
    /// A proxy that does not listen yet: [`Proxy::put`] makes it do so.
    pub(crate) fn new(spec: ProxySpec, limits: Limits, resigner: Option<Signer>) -> Self {
        Self {
            standing: Standing { spec, tls: None, enabled: false, refuse: false, token: None },
            listener: None,
            connections: Connections::new(limits),
            connection_numbers: Arc::default(),
            resigner,
            counters: Arc::default(),
            toxics: watch::Sender::new(ToxicSet::default()),
            rules: watch::Sender::new(RuleSet::default()),
            tls_fault: None,
            expiry: Expiry::default(),
            removed: Removed::default(),
        }
    }

    pub(crate) fn spec(&self) -> &ProxySpec {
        &self.standing.spec
    }

    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The toxics that are on it.
    pub(crate) fn toxics(&self) -> ToxicSet {
        self.toxics.borrow().clone()
    }

    /// The rules that are on it.
    pub(crate) fn rules(&self) -> RuleSet {
        self.rules.borrow().clone()
    }

    /// Goes on with other toxics.
    pub(crate) fn put_toxics(&self, toxics: ToxicSet) {
        let before = self.toxics.send_replace(toxics.clone());
        self.removed.keep_toxics(&before, &toxics);
    }

    /// Goes on with other rules.
    pub(crate) fn put_rules(&self, rules: RuleSet) {
        let before = self.rules.send_replace(rules.clone());
        self.removed.keep_rules(&before, &rules);
    }

    pub(crate) fn counters(&self) -> &ProxyCounters {
        &self.counters
    }

    /// Takes note of how long it stays out of reach, after a change that was made.
    pub(crate) fn begin_expiry(&self, is_fault: bool, ttl: Option<Duration>) {
        if is_fault || self.standing.listens() {
            self.expiry.begin(ttl);
        }
    }

    /// Becomes what is wanted, or stays what it is. A TLS fault goes on until its time is over.
    pub(crate) async fn change(&mut self, wanted: Standing) -> Result<(), RegistryError> {
        let (standing, tls_fault) = (self.standing.clone(), self.tls_fault.clone());
        if let Err(error) = self.put(wanted).await {
            self.put(standing).await?;
            self.tls_fault = tls_fault;
            return Err(error);
        }
        Ok(())
    }

    /// Becomes what is wanted. TLS that is new must meet the present TLS fault already.
    pub(crate) async fn put(&mut self, wanted: Standing) -> Result<(), RegistryError> {
        let moves = wanted.spec != self.standing.spec;
        let is_new_tls = !wanted.has_tls_of(&self.standing);
        if (moves || !wanted.listens())
            && let Some(listener) = self.listener.take()
        {
            listener.stop().await;
        }
        if moves || !wanted.enabled {
            self.connections.close().await;
        }
        self.standing = wanted;
        if is_new_tls {
            self.move_tls_fault();
        }
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
            tls: self.standing.tls.clone(),
            clockwork: Clockwork::Exact(self.connections.descriptors()),
            toxics: self.toxics.subscribe(),
            rules: self.rules.subscribe(),
            resigning: self.resigning(),
            counters: Arc::clone(&self.counters),
        };
        let address: SocketAddr = self.standing.spec.listen.0;
        let numbers = Arc::clone(&self.connection_numbers);
        Listener::start(address, numbers, self.connections.clone(), context)
            .await
            .map_err(|source| RegistryError::Listen { address, source })
    }

    fn resigning(&self) -> Option<Resigning> {
        let spec = &self.standing.spec;
        let by = self.resigner.clone().filter(|_| spec.resign)?;
        Some(Resigning { by, host: spec.upstream.host_header().into() })
    }

    /// Listens again as it was told, without a toxic or a rule.
    pub(crate) async fn reset(&mut self) -> Result<(), RegistryError> {
        self.drop_faults();
        self.reopen().await
    }

    /// Can be reached again. Where it can not listen, it says that it is out of reach, as it is.
    pub(crate) async fn reopen(&mut self) -> Result<(), RegistryError> {
        let before = self.standing.clone();
        if let Err(error) = self.put(Standing { enabled: true, refuse: false, token: None, ..before.clone() }).await {
            self.standing = before;
            return Err(error);
        }
        self.expiry.begin(None);
        Ok(())
    }

    /// Takes in nobody any more and lets go on what is held; connections go on.
    pub(crate) async fn drain(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.stop().await;
        }
        self.drop_faults();
    }

    fn drop_faults(&mut self) {
        self.put_toxics(ToxicSet::default());
        self.put_rules(self.rules().cleared());
        self.drop_tls_fault();
    }

    fn terminator(&self) -> Option<&Terminator> {
        self.standing.tls.as_deref().and_then(ProxyTls::terminator)
    }

    /// The certificate of the authority that clients must trust; none where they come without TLS, or it came from files.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.terminator().and_then(Terminator::ca_pem)
    }

    /// The fault that handshakes meet, and how many have met it.
    pub(crate) fn tls_fault(&self) -> Option<(&TlsFaultSpec, u64)> {
        let active = self.tls_fault.as_ref()?;
        let hits = self.terminator()?.hits().saturating_sub(active.hits_before);
        Some((&active.spec, hits))
    }

    /// When the fault is to be dropped.
    pub(crate) fn tls_fault_expires(&self) -> Option<Instant> {
        self.tls_fault.as_ref().and_then(|active| active.expires)
    }

    /// Puts a fault in the place of the one that is there; it is counted from now on.
    pub(crate) fn put_tls_fault(&mut self, name: &str, spec: TlsFaultSpec, id: u64) -> Result<(), RegistryError> {
        let before = self.tls_fault_stats(Instant::now());
        let terminator = self.terminator().ok_or_else(|| RegistryError::NoClientTls(name.to_owned()))?;
        let active = ActiveTlsFault::new(id, spec, terminator);
        terminator.set_fault(Some(active.spec.fault)).map_err(RegistryError::tls(name))?;
        if active.spec.close_open {
            self.connections.close_open();
        }
        self.removed.keep_tls_fault(before);
        self.tls_fault = Some(active);
        Ok(())
    }

    /// Puts off the end of the fault that is there.
    pub(crate) fn put_tls_fault_off(&mut self, ttl: Duration) -> Option<TlsFaultSpec> {
        let active = self.tls_fault.as_mut()?;
        active.expires = Some(Instant::now() + ttl);
        Some(active.spec.clone())
    }

    /// What the fault has done, told at `now`.
    fn tls_fault_stats(&self, now: Instant) -> Option<TlsFaultStats> {
        let (active, (spec, hits)) = (self.tls_fault.as_ref()?, self.tls_fault()?);
        let since_added = |moment: Instant| elapsed_ms(moment.saturating_duration_since(active.added));
        let first_hit_ms = self.terminator()?.first_hit_at().filter(|_| hits > 0).map(since_added);
        Some(TlsFaultStats {
            fault: spec.fault,
            id: active.id,
            token: spec.token.clone(),
            age_ms: since_added(now),
            hits,
            first_hit_ms,
        })
    }

    /// The fault is counted anew by other TLS, or is gone with it.
    fn move_tls_fault(&mut self) {
        let hits = self.terminator().map(Terminator::hits);
        let active = self.tls_fault.take();
        self.tls_fault = active.zip(hits).map(|(active, hits_before)| ActiveTlsFault { hits_before, ..active });
    }

    /// Takes the fault away, which lets stalled handshakes go on.
    pub(crate) fn drop_tls_fault(&mut self) -> Option<TlsFaultSpec> {
        self.removed.keep_tls_fault(self.tls_fault_stats(Instant::now()));
        if let Some(terminator) = self.terminator() {
            terminator.set_fault(None).expect("invariant: any terminator may be without a fault");
        }
        self.tls_fault.take().map(|active| active.spec)
    }

    /// Stops listening and closes every connection.
    pub(crate) async fn close(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.stop().await;
        }
        self.connections.close().await;
    }

    pub(crate) fn view(&self, name: &ProxyName) -> ProxyView {
        let Standing { spec, tls: _, enabled, refuse, token } = &self.standing;
        ProxyView {
            name: name.clone(),
            listen: spec.listen,
            upstream: spec.upstream.clone(),
            protocol: spec.protocol,
            tls: spec.tls.clone(),
            resign: spec.resign,
            tls_fault: self.tls_fault().map(|(spec, _)| spec.clone()),
            enabled: *enabled,
            refuse: *refuse,
            token: token.clone(),
            toxics: self.toxics.borrow().iter().map(|toxic| toxic.spec.clone()).collect(),
        }
    }

    pub(crate) fn stats(&self) -> ProxyStats {
        let tls_fault = self.tls_fault_stats(Instant::now());
        self.counters.stats(&self.toxics.borrow(), &self.rules.borrow(), tls_fault, &self.removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a proxy that the run `a` has let refuse.
    fn after(change: ProxyChange) -> (bool, bool, Option<String>) {
        let spec = ProxySpec {
            listen: ":0".parse().unwrap(),
            upstream: "127.0.0.1:1".parse().unwrap(),
            protocol: Protocol::Tcp,
            tls: None,
            resign: false,
        };
        let refusing = Standing { spec, tls: None, enabled: true, refuse: true, token: Some("a".to_owned()) };
        let Standing { enabled, refuse, token, .. } = change.apply(&refusing);
        (enabled, refuse, token)
    }

    #[test]
    fn a_token_is_that_of_whoever_said_last_how_a_proxy_is_out_of_reach() {
        let (none, token) = (ProxyChange::default, |token: &str| Some(token.to_owned()));
        let moved = ProxyChange { listen: Some(":1".parse().unwrap()), ..none() };
        assert_eq!(after(moved), (true, true, token("a")), "nothing is said of it");
        let same = ProxyChange { enabled: Some(true), ..none() };
        assert_eq!(after(same), (true, true, token("a")), "that is how it was");
        let theirs = ProxyChange { refuse: Some(true), ..none() };
        assert_eq!(after(theirs), (true, true, None), "somebody else wants it so, too");
        let down = ProxyChange { enabled: Some(false), ..none() };
        assert_eq!(after(down), (false, true, None));
        let another = ProxyChange { enabled: Some(false), token: token("b"), ..none() };
        assert_eq!(after(another), (false, true, token("b")));
        let reopened = ProxyChange { refuse: Some(false), ..none() };
        assert_eq!(after(reopened), (true, false, None), "it can be reached");
    }

    #[test]
    fn a_change_puts_off_and_does_nothing_else_where_it_has_a_time_alone_or_with_a_token() {
        let ttl = Some(Duration::from_secs(1));
        let with = |token: Option<&str>| ProxyChange { ttl, token: token.map(str::to_owned), ..ProxyChange::default() };
        assert!(with(None).is_renewal() && with(Some("a")).is_renewal());
        assert!(!ProxyChange { refuse: Some(true), ..with(Some("a")) }.is_renewal());
        assert!(!ProxyChange { ttl: None, ..with(Some("a")) }.is_renewal());
    }
}
