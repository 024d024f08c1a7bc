//! The proxies of this process by name, and everything that may be done to them.
//!
//! One lock orders all changes, the lapse of the lease included; traffic never takes it: a connection reads its toxics
//! from a watch channel.

use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard, watch};
use tokio::time::Instant;

use super::audit::AuditKind;
use super::counters::Stats;
use super::http::{RuleSpec, RuleStats};
use super::lease::{Deadlines, Lease};
use super::parts::{no_rule, no_toxic};
use super::running::{ProxyChange, ProxyView};
use super::state::{NewProxy, RegistryError, State, Terms};
use super::tls::TlsFaultSpec;
use super::toxic::{ToxicPatch, ToxicSpec};
use crate::unit::format_duration;

/// How long what is under way may take to arrive when the proxies are closed.
const DRAIN_WAIT: Duration = Duration::from_secs(2);

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

    /// Sees to it that what is over next by itself is waited for.
    fn plan_expiry(&self, state: &State) {
        let expiry = state.next_expiry();
        self.deadlines.send_if_modified(|deadlines| {
            let is_new = deadlines.expiry != expiry;
            deadlines.expiry = expiry;
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
        let mut state = self.lock().await;
        let view = state.update(&self.terms, name, change).await;
        self.plan_expiry(&state);
        view
    }

    pub(crate) async fn delete(&self, name: &str) -> Result<(), RegistryError> {
        self.lock().await.delete(&self.terms, name).await
    }

    /// Makes proxies, replacing those of the same name that differ. The first failure ends it; what was made stays.
    pub(crate) async fn populate(&self, proxies: Vec<NewProxy>) -> Result<Vec<ProxyView>, RegistryError> {
        let mut state = self.lock().await;
        let views = state.put_all(&self.terms, proxies).await;
        // What was made before a failure ends in its time, too.
        self.plan_expiry(&state);
        views
    }

    /// Goes over from one list of proxies to another. Where that fails, what was changed is put back.
    pub(crate) async fn reload(
        &self,
        before: &[NewProxy],
        after: &[NewProxy],
    ) -> Result<Vec<ProxyView>, RegistryError> {
        let mut state = self.lock().await;
        let outcome = state.reload(&self.terms, before, after).await;
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
        let set = state.proxy(proxy)?.toxics();
        Ok(set.iter().map(|toxic| toxic.spec.clone()).collect())
    }

    pub(crate) async fn toxic(&self, proxy: &str, toxic: &str) -> Result<ToxicSpec, RegistryError> {
        let state = self.lock().await;
        let set = state.proxy(proxy)?.toxics();
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

    /// Ends what is over by itself. An error means that a proxy could not listen again: it is still due.
    pub(crate) async fn expire(&self) -> Result<(), RegistryError> {
        let mut state = self.lock().await;
        let outcome = state.expire(&self.terms).await;
        self.plan_expiry(&state);
        outcome
    }

    /// The TLS fault of a proxy, and how many handshakes have met it.
    pub(crate) async fn tls_fault(&self, proxy: &str) -> Result<(TlsFaultSpec, u64), RegistryError> {
        let state = self.lock().await;
        let active = state.proxy(proxy)?.tls_fault().map(|(spec, hits)| (spec.clone(), hits));
        active.ok_or_else(|| RegistryError::NoTlsFault(proxy.to_owned()))
    }

    pub(crate) async fn put_tls_fault(&self, proxy: &str, spec: TlsFaultSpec) -> Result<(), RegistryError> {
        let mut state = self.lock().await;
        state.put_tls_fault(&self.terms, proxy, spec)?;
        self.plan_expiry(&state);
        Ok(())
    }

    /// Puts off the end of a TLS fault: of no other than that of the token, where one is given.
    pub(crate) async fn put_tls_fault_off(
        &self,
        proxy: &str,
        ttl: Duration,
        token: Option<&str>,
    ) -> Result<TlsFaultSpec, RegistryError> {
        let mut state = self.lock().await;
        let spec = state.put_tls_fault_off(proxy, ttl, token);
        self.plan_expiry(&state);
        spec
    }

    pub(crate) async fn remove_tls_fault(&self, proxy: &str) -> Result<(), RegistryError> {
        self.lock().await.remove_tls_fault(&self.terms, proxy, AuditKind::TlsFaultRemoved)
    }

    /// The authority that clients of a proxy must trust, as PEM.
    pub(crate) async fn authority(&self, proxy: &str) -> Result<String, RegistryError> {
        let state = self.lock().await;
        let authority = state.proxy(proxy)?.authority().map(str::to_owned);
        authority.ok_or_else(|| RegistryError::NoAuthority(proxy.to_owned()))
    }

    pub(crate) async fn rules(&self, proxy: &str) -> Result<Vec<(RuleSpec, RuleStats)>, RegistryError> {
        let state = self.lock().await;
        let set = state.proxy(proxy)?.rules();
        Ok(set.iter().map(|rule| (rule.spec.clone(), rule.stats(Instant::now()))).collect())
    }

    pub(crate) async fn rule(&self, proxy: &str, rule: &str) -> Result<(RuleSpec, RuleStats), RegistryError> {
        let state = self.lock().await;
        let set = state.proxy(proxy)?.rules();
        set.get(rule).map(|rule| (rule.spec.clone(), rule.stats(Instant::now()))).ok_or_else(|| no_rule(proxy, rule))
    }

    pub(crate) async fn add_rule(&self, proxy: &str, spec: RuleSpec) -> Result<(), RegistryError> {
        let mut state = self.lock().await;
        state.add_rule(&self.terms, proxy, spec)?;
        self.plan_expiry(&state);
        Ok(())
    }

    /// Puts off the end of a rule.
    pub(crate) async fn put_rule_off(&self, proxy: &str, rule: &str, ttl: Duration) -> Result<RuleSpec, RegistryError> {
        let state = self.lock().await;
        let set = state.proxy(proxy)?.rules();
        let present = set.get(rule).ok_or_else(|| no_rule(proxy, rule))?;
        present.expiry.begin(Some(ttl));
        self.plan_expiry(&state);
        Ok(present.spec.clone())
    }

    pub(crate) async fn remove_rule(&self, proxy: &str, rule: &str) -> Result<(), RegistryError> {
        self.lock().await.remove_rule(&self.terms, proxy, rule, AuditKind::RuleRemoved)
    }

    /// Takes or renews the lease, and moves the end of the process if a time limit is given.
    pub(crate) async fn renew(&self, ttl: Duration, time_limit: Option<Duration>) {
        let mut state = self.lock().await;
        let now = Instant::now();
        if !matches!(state.lease, Lease::HeldUntil(_)) {
            let terms = format!("for {} at a time", format_duration(ttl));
            self.terms.audit.tell_with(AuditKind::LeaseTaken, None, None, Some(terms));
        }
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
