//! What is put on a proxy and taken away again: toxics, rules, a TLS fault.
//!
//! Each change is told to the audit. Nothing new is put after the lease has lapsed; taking away is always allowed.

use std::time::Duration;

use super::Protocol;
use super::audit::AuditKind;
use super::http::{ActiveRule, RuleSpec};
use super::running::Proxy;
use super::state::{NewProxy, RegistryError, State, Terms};
use super::tls::TlsFaultSpec;
use super::toxic::{ActiveToxic, ToxicPatch, ToxicSet, ToxicSpec};
use crate::unit::ProxyName;

impl State {
    /// The number that tells a new part from every other, and the proxy that it is for.
    fn new_part(&mut self, proxy: &str) -> Result<(u64, &ProxyName, &Proxy), RegistryError> {
        self.refuse_after_lapse()?;
        self.parts_made += 1;
        let present = self.proxies.get_key_value(proxy);
        let (name, present) = present.ok_or_else(|| RegistryError::NoProxy(proxy.to_owned()))?;
        Ok((self.parts_made, name, present))
    }

    pub(super) fn add_toxic(&mut self, terms: &Terms, proxy: &str, spec: ToxicSpec) -> Result<(), RegistryError> {
        let (id, name, present) = self.new_part(proxy)?;
        let set = present.toxics();
        if set.get(spec.name.as_str()).is_some() {
            return Err(RegistryError::ToxicExists { proxy: proxy.to_owned(), toxic: spec.name.to_string() });
        }
        terms.audit.tell(AuditKind::ToxicAdded, Some(proxy), Some(&spec));
        present.put_toxics(set.with(ActiveToxic::new(id, spec, name, terms.seed)));
        Ok(())
    }

    /// The toxics that a new proxy has from the start.
    pub(super) fn toxics_of(&mut self, terms: &Terms, new: &NewProxy) -> Result<ToxicSet, RegistryError> {
        let mut set = ToxicSet::default();
        for spec in &new.toxics {
            if set.get(spec.name.as_str()).is_some() {
                return Err(RegistryError::ToxicExists { proxy: new.name.to_string(), toxic: spec.name.to_string() });
            }
            self.parts_made += 1;
            set = set.with(ActiveToxic::new(self.parts_made, spec.clone(), &new.name, terms.seed));
        }
        Ok(set)
    }

    pub(super) fn change_toxic(
        &self,
        terms: &Terms,
        proxy: &str,
        toxic: &str,
        patch: ToxicPatch,
    ) -> Result<ToxicSpec, RegistryError> {
        self.refuse_after_lapse()?;
        let of = self.proxy(proxy)?;
        let set = of.toxics();
        let present = set.get(toxic).ok_or_else(|| no_toxic(proxy, toxic))?;
        let is_renewed = patch.sets_ttl();
        let spec = patch.apply(&present.spec)?;
        if spec == present.spec {
            if is_renewed {
                present.expiry.begin(spec.ttl);
            }
            return Ok(spec);
        }
        of.put_toxics(set.with_changed(present.changed(spec.clone(), is_renewed)));
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
        let of = self.proxy(proxy)?;
        let set = of.toxics();
        let present = set.get(toxic).ok_or_else(|| no_toxic(proxy, toxic))?;
        of.put_toxics(set.without(toxic));
        terms.audit.tell(event, Some(proxy), Some(&present.spec));
        Ok(())
    }

    /// Takes away the toxics of one list, and puts those of another in place; one that is in both goes on undisturbed.
    pub(super) fn exchange_toxics(
        &mut self,
        terms: &Terms,
        proxy: &str,
        before: &[ToxicSpec],
        after: &[ToxicSpec],
    ) -> Result<(), RegistryError> {
        let is_there = |state: &Self, name: &str| -> Result<bool, RegistryError> {
            Ok(state.proxy(proxy)?.toxics().get(name).is_some())
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

    pub(super) fn add_rule(&mut self, terms: &Terms, proxy: &str, spec: RuleSpec) -> Result<(), RegistryError> {
        let (id, name, present) = self.new_part(proxy)?;
        if present.spec().protocol == Protocol::Tcp {
            return Err(RegistryError::Unfit(
                "rules are about requests, of which `protocol: tcp` knows none: set `protocol: http`",
            ));
        }
        let set = present.rules();
        if set.get(spec.name.as_str()).is_some() {
            return Err(RegistryError::RuleExists { proxy: proxy.to_owned(), rule: spec.name.to_string() });
        }
        let what = format!("{}: {}", spec.name, spec.action.name());
        terms.audit.tell_with(AuditKind::RuleAdded, Some(proxy), None, Some(what));
        present.put_rules(set.with(ActiveRule::new(id, spec, name, terms.seed)));
        Ok(())
    }

    pub(super) fn remove_rule(
        &self,
        terms: &Terms,
        proxy: &str,
        rule: &str,
        event: AuditKind,
    ) -> Result<(), RegistryError> {
        let of = self.proxy(proxy)?;
        let set = of.rules();
        if set.get(rule).is_none() {
            return Err(no_rule(proxy, rule));
        }
        terms.audit.tell_with(event, Some(proxy), None, Some(rule.to_owned()));
        of.put_rules(set.without(rule));
        Ok(())
    }

    /// Goes over from the TLS fault of one list to that of another; one that is in both is left alone.
    pub(super) fn exchange_tls_fault(
        &mut self,
        terms: &Terms,
        proxy: &str,
        before: Option<&TlsFaultSpec>,
        after: Option<&TlsFaultSpec>,
    ) -> Result<(), RegistryError> {
        match after {
            _ if before == after => {}
            Some(fault) => self.put_tls_fault(terms, proxy, fault.clone())?,
            None if self.proxy(proxy)?.tls_fault().is_some() => {
                self.remove_tls_fault(terms, proxy, AuditKind::TlsFaultRemoved)?;
            }
            None => {}
        }
        Ok(())
    }

    pub(super) fn put_tls_fault(
        &mut self,
        terms: &Terms,
        proxy: &str,
        spec: TlsFaultSpec,
    ) -> Result<(), RegistryError> {
        let fault = spec.fault.to_string();
        let (id, ..) = self.new_part(proxy)?;
        self.proxy_mut(proxy)?.put_tls_fault(proxy, spec, id)?;
        terms.audit.tell_with(AuditKind::TlsFaultPut, Some(proxy), None, Some(fault));
        Ok(())
    }

    /// Puts off the end of the fault that is there: of no other than that of the token, where one is given.
    pub(super) fn put_tls_fault_off(
        &mut self,
        proxy: &str,
        ttl: Duration,
        token: Option<&str>,
    ) -> Result<TlsFaultSpec, RegistryError> {
        let of = self.proxy_mut(proxy)?;
        let is_another = |(present, _): (&TlsFaultSpec, u64)| token.is_some() && present.token.as_deref() != token;
        if of.tls_fault().is_some_and(is_another) {
            return Err(RegistryError::OtherTlsFault(proxy.to_owned()));
        }
        of.put_tls_fault_off(ttl).ok_or_else(|| RegistryError::NoTlsFault(proxy.to_owned()))
    }

    pub(super) fn remove_tls_fault(
        &mut self,
        terms: &Terms,
        proxy: &str,
        event: AuditKind,
    ) -> Result<(), RegistryError> {
        let removed = self.proxy_mut(proxy)?.drop_tls_fault();
        let removed = removed.ok_or_else(|| RegistryError::NoTlsFault(proxy.to_owned()))?;
        terms.audit.tell_with(event, Some(proxy), None, Some(removed.fault.to_string()));
        Ok(())
    }
}

pub(super) fn no_toxic(proxy: &str, toxic: &str) -> RegistryError {
    RegistryError::NoToxic { proxy: proxy.to_owned(), toxic: toxic.to_owned() }
}

pub(super) fn no_rule(proxy: &str, rule: &str) -> RegistryError {
    RegistryError::NoRule { proxy: proxy.to_owned(), rule: rule.to_owned() }
}
