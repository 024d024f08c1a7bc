//! Going over from one list of proxies to another.
//!
//! What an entry says as before is left alone, whatever became of its proxy. All that can be found out is found out before
//! anything is changed; what fails all the same puts back what it had changed, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use super::running::{Proxy, ProxyChange, ProxyView};
use super::state::{NewProxy, RegistryError, State, Terms};
use super::tls::ProxyTls;
use crate::unit::ProxyName;

/// What proxies need for TLS, made before it is needed.
type Certificates = BTreeMap<ProxyName, Option<Arc<ProxyTls>>>;

impl State {
    /// Goes over from one list to another; toxics and proxies that are in neither are left alone.
    pub(super) async fn reload(
        &mut self,
        terms: &Terms,
        before: &[NewProxy],
        after: &[NewProxy],
    ) -> Result<Vec<ProxyView>, RegistryError> {
        let certificates = self.prepare(terms, before, after).await?;
        let mut touched = BTreeSet::new();
        let outcome = self.go_over(terms, [before, after], certificates, &mut touched).await;
        if outcome.is_err() {
            let of = |list: &[NewProxy]| -> Vec<NewProxy> {
                list.iter().filter(|new| touched.contains(&new.name)).cloned().collect()
            };
            let (before, after) = (of(before), of(after));
            let certificates = self.certificates(terms, &before).await?;
            self.go_over(terms, [&after, &before], certificates, &mut BTreeSet::new()).await?;
        }
        outcome
    }

    /// Whether the proxy of an entry is as it asks for, but for what is on it.
    fn is_there(&self, new: &NewProxy) -> bool {
        self.proxies.get(&new.name).is_some_and(|proxy| new.is(proxy.spec()))
    }

    /// Whether nothing is to be done for an entry.
    fn is_as_before(&self, before: &[NewProxy], new: &NewProxy) -> bool {
        before.contains(new) && self.proxies.contains_key(&new.name)
    }

    /// Finds out what can not be. Changes nothing.
    async fn prepare(
        &self,
        terms: &Terms,
        before: &[NewProxy],
        after: &[NewProxy],
    ) -> Result<Certificates, RegistryError> {
        let changed = || after.iter().filter(|new| !self.is_as_before(before, new) && !self.is_there(new));
        let is_gone = |old: &&NewProxy| !after.iter().any(|new| new.name == old.name);
        let ending = before.iter().filter(is_gone).chain(changed());
        let freed: Vec<u16> = ending.filter_map(|entry| self.proxies.get(&entry.name)).map(port_of).collect();
        for new in changed() {
            let checked = terms.check_listen(new.spec.listen).and_then(|()| terms.check(&new.spec));
            checked.and_then(|()| try_listen(new, &freed)).map_err(RegistryError::of_entry(&new.name))?;
        }
        let changed: Vec<NewProxy> = changed().cloned().collect();
        self.certificates(terms, &changed).await
    }

    async fn certificates(&self, terms: &Terms, entries: &[NewProxy]) -> Result<Certificates, RegistryError> {
        let mut certificates = Certificates::new();
        for new in entries.iter().filter(|new| !self.is_there(new)) {
            certificates.insert(new.name.clone(), terms.tls(&new.name, &new.spec).await?);
        }
        Ok(certificates)
    }

    /// Changes what is different; `touched` are those for which something was done, or begun.
    async fn go_over(
        &mut self,
        terms: &Terms,
        [before, after]: [&[NewProxy]; 2],
        mut certificates: Certificates,
        touched: &mut BTreeSet<ProxyName>,
    ) -> Result<Vec<ProxyView>, RegistryError> {
        for old in before {
            let stays = after.iter().any(|new| new.name == old.name);
            if !stays && self.proxies.contains_key(&old.name) {
                touched.insert(old.name.clone());
                self.delete(terms, old.name.as_str()).await?;
            }
        }
        let mut views = Vec::with_capacity(after.len());
        for new in after {
            let name = new.name.as_str();
            if !self.is_as_before(before, new) {
                touched.insert(new.name.clone());
                let old = before.iter().find(|old| old.name == new.name);
                let done = if self.is_there(new) {
                    self.exchange(terms, old, new).await
                } else {
                    let tls = certificates.remove(&new.name).flatten();
                    self.replace(terms, new.clone(), tls).await.map(drop)
                };
                done.map_err(RegistryError::of_entry(&new.name))?;
            }
            views.push(self.proxy(name)?.view(&new.name));
        }
        Ok(views)
    }

    /// Puts what a new entry says on a proxy that is there in the place of what the old one said.
    async fn exchange(&mut self, terms: &Terms, old: Option<&NewProxy>, new: &NewProxy) -> Result<(), RegistryError> {
        let name = new.name.as_str();
        if old.map(NewProxy::standing) != Some(new.standing()) {
            let (enabled, refuse) = new.standing();
            let (enabled, refuse) = (Some(enabled), Some(refuse));
            self.update(terms, name, ProxyChange { enabled, refuse, ..ProxyChange::default() }).await?;
        }
        self.exchange_toxics(terms, name, old.map_or(&[], |old| &old.toxics), &new.toxics)?;
        self.exchange_tls_fault(terms, name, old.and_then(|old| old.tls_fault.as_ref()), new.tls_fault.as_ref())
    }
}

fn port_of(proxy: &Proxy) -> u16 {
    proxy.spec().listen.0.port()
}

/// Tries whether an entry's address can be listened on, unless that is known only once its port is `freed`.
fn try_listen(new: &NewProxy, freed: &[u16]) -> Result<(), RegistryError> {
    let address: SocketAddr = new.spec.listen.0;
    if new.standing() != (true, false) || address.port() == 0 || freed.contains(&address.port()) {
        return Ok(());
    }
    let tried: io::Result<TcpListener> = TcpListener::bind(address);
    tried.map(drop).map_err(|source| RegistryError::Listen { address, source })
}
