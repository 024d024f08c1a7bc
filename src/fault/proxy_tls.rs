//! `proxy_tls`: the TLS of a proxied dependency is bad, as certificates and handshakes go bad in the field.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::about::{About, Calls};
use super::change::{ChangeText, Fault, FaultEnvironment, FaultError};
use super::proxy_part::{self, ProxyPart};
use super::proxy_site::{self, Driver, REMOTE_TTL, RemoteSite, Site};
use super::switch::Cover;
use super::target::TargetNeed;
use super::toxic;
use crate::proxy::{AdminError, CertificateSource, PartKind, TlsFault, TlsFaultSpec};
use crate::unit::{ProxyName, TargetId, elapsed_ms};

/// Shows callers a certificate that they must refuse, or leaves their handshakes without an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyTls {
    /// The dependency, a `proxy` target with `tls: {client: {}}`.
    #[schemars(example = &"card-provider")]
    pub target: TargetId,
    /// What is wrong with handshakes.
    pub fault: TlsFault,
    /// Whether connections that are open are closed, so that callers which keep them have to connect anew; default false:
    /// a certificate is looked at in handshakes alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close_open: Option<bool>,
}

impl Fault for ProxyTls {
    type Change = TlsChange;
    const ABOUT: About = About {
        effect: "handshakes with the dependency fail: its certificate has expired, is for another name or signed by itself, \
                 or no answer comes",
        undo: "the fault is taken away, and stalled handshakes go on; the proxy drops it by itself when the run dies",
        blast_radius: "new connections through the proxy; those that are open go on, unless `close_open` closes them",
    };
    const TARGET: TargetNeed = TargetNeed::Proxy;
    const IS_COUNTED: bool = true;
    const CALLS: Calls = Calls {
        inject: &["proxy:DeleteTlsFault", "proxy:GetProxy", "proxy:GetTlsFault", "proxy:PutTlsFault"],
        undo: &["proxy:DeleteTlsFault", "proxy:GetTlsFault"],
    };

    async fn prepare(&self, environment: &FaultEnvironment) -> Result<TlsChange, FaultError> {
        let site = Site::look(environment, &self.target).await?;
        site.refuse_toxiproxy("knows no TLS: run `gameday proxy` there")?;
        let tls = site.spec().await?.tls.and_then(|tls| tls.client);
        let obstacle = match tls.map(|client| client.certificate) {
            None => Some("its callers come without TLS, or it passes the proxy unseen"),
            Some(CertificateSource::Files(_)) if self.fault.needs_authority() => Some("its certificate is from files"),
            Some(CertificateSource::Files(_) | CertificateSource::SelfMade) => None,
        };
        if let Some(why) = obstacle {
            return Err(FaultError::unfit(&site.proxy, why.to_owned()));
        }
        let close_open = self.close_open.unwrap_or_default();
        let token = Some(proxy_site::own_name(environment));
        let fault = TlsFaultSpec { fault: self.fault, ttl_ms: site.ttl().map(elapsed_ms), close_open, token };
        let Site { proxy, remote, driver } = site;
        let change = TlsChange { proxy, remote, fault };
        proxy_part::check_free(&change, &driver).await?;
        Ok(change)
    }

    fn text(&self) -> ChangeText {
        let also = if self.close_open == Some(true) { ", and close the connections that are open" } else { "" };
        ChangeText {
            change: format!("{} to those who connect to `{}`{also}", words(self.fault), self.target),
            undo: "take the TLS fault away".to_owned(),
        }
    }

    fn settings(&self) -> Vec<String> {
        vec!["its handshakes".to_owned()]
    }

    fn cover(&self) -> Cover {
        toxic::COVER
    }
}

/// A TLS fault that is put on a proxy; before there was none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsChange {
    proxy: ProxyName,
    /// Where it is driven; none is the run's own process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote: Option<Box<RemoteSite>>,
    fault: TlsFaultSpec,
}

impl ProxyPart for TlsChange {
    type Spec = TlsFaultSpec;
    const WHAT: &str = "TLS fault";
    const KIND: PartKind = PartKind::TlsFault;

    fn proxy(&self) -> &ProxyName {
        &self.proxy
    }

    fn remote(&self) -> Option<&RemoteSite> {
        self.remote.as_deref()
    }

    fn name(&self) -> &str {
        self.fault.fault.as_str()
    }

    fn spec(&self) -> &TlsFaultSpec {
        &self.fault
    }

    fn token(&self) -> Option<&str> {
        self.fault.token.as_deref()
    }

    fn difference(&self, found: &TlsFaultSpec) -> &'static str {
        if found.token == self.fault.token {
            "has other settings than those that were injected"
        } else {
            "is over, and somebody else's TLS fault is there"
        }
    }

    fn route(&self) -> String {
        "/tls/fault".to_owned()
    }

    fn is_put_off(&self) -> bool {
        self.fault.ttl_ms.is_some()
    }

    async fn find(&self, driver: &Driver) -> Result<Option<TlsFaultSpec>, AdminError> {
        Ok(driver.client.get_tls_fault(&driver.proxy).await?.map(|(fault, _)| fault))
    }

    async fn add(&self, driver: &Driver) -> Result<(), AdminError> {
        driver.client.put_tls_fault(&driver.proxy, &self.fault).await
    }

    async fn put_off(&self, driver: &Driver) -> Result<bool, AdminError> {
        driver.client.put_tls_fault_off(&driver.proxy, REMOTE_TTL, self.token()).await
    }

    async fn remove(&self, driver: &Driver) -> Result<(), AdminError> {
        driver.client.remove_tls_fault(&driver.proxy).await.map(drop)
    }
}

fn words(fault: TlsFault) -> &'static str {
    match fault {
        TlsFault::Expired => "show a certificate that has expired",
        TlsFault::WrongName => "show a certificate for another name",
        TlsFault::SelfSigned => "show a certificate that is signed by itself",
        TlsFault::StalledHandshake => "give no answer in the handshake",
    }
}
