//! Ends what is over by itself: toxics, rules, TLS faults, and that a proxy is out of reach.

use tokio::time::Instant;

use super::audit::AuditKind;
use super::running::Proxy;
use super::state::{RegistryError, State, Terms};

impl State {
    /// When the first thing is over by itself.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        let of = |proxy: &Proxy| {
            let toxics = proxy.toxics().iter().filter_map(|toxic| toxic.expiry.end()).min();
            let rules = proxy.rules().iter().filter_map(|rule| rule.expiry.end()).min();
            [toxics, rules, proxy.tls_fault_expires(), proxy.expiry.end()].into_iter().flatten().min()
        };
        self.proxies.values().filter_map(of).min()
    }

    /// Ends what is over by itself. An error means that a proxy could not listen again: it is still due.
    pub(super) async fn expire(&mut self, terms: &Terms) -> Result<(), RegistryError> {
        let now = Instant::now();
        for (name, proxy) in &self.proxies {
            let (name, toxics, rules) = (name.as_str(), proxy.toxics(), proxy.rules());
            for toxic in toxics.iter().filter(|toxic| toxic.expiry.is_over(now)) {
                self.remove_toxic(terms, name, toxic.spec.name.as_str(), AuditKind::ToxicExpired)?;
            }
            for rule in rules.iter().filter(|rule| rule.expiry.is_over(now)) {
                self.remove_rule(terms, name, rule.spec.name.as_str(), AuditKind::RuleExpired)?;
            }
        }
        let is_over = |proxy: &Proxy| proxy.tls_fault_expires().is_some_and(|end| end <= now);
        let over = self.proxies.iter().filter(|(_, proxy)| is_over(proxy)).map(|(name, _)| name.clone());
        for name in over.collect::<Vec<_>>() {
            self.remove_tls_fault(terms, name.as_str(), AuditKind::TlsFaultExpired)?;
        }
        let mut outcome = Ok(());
        for (name, proxy) in &mut self.proxies {
            if proxy.expiry.is_over(now) {
                let reopened = proxy.reopen().await;
                if reopened.is_ok() {
                    let view = Some(proxy.view(name).to_string());
                    terms.audit.tell_with(AuditKind::ProxyReopened, Some(name.as_str()), None, view);
                }
                outcome = outcome.and(reopened);
            }
        }
        outcome
    }
}
