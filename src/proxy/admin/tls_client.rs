//! The controller's side of the routes of TLS.

use hyper::Method;
use serde_json::{Value, json};

use super::client::{AdminClient, AdminError, present};
use crate::proxy::TlsFaultSpec;
use crate::unit::ProxyName;

impl AdminClient {
    /// Lets clients' handshakes meet a fault from now on, in the place of one that is there.
    ///
    /// # Errors
    /// [`AdminError::Refused`] with 400 if clients come without TLS, or the fault is none for a certificate from files, 404
    /// without the proxy, 409 if the lease has lapsed; see [`AdminError`].
    pub async fn put_tls_fault(&self, proxy: &ProxyName, fault: &TlsFaultSpec) -> Result<(), AdminError> {
        self.send(Method::PUT, &format!("/proxies/{proxy}/tls/fault"), Some(json!(fault))).await.map(drop)
    }

    /// The fault of a proxy with how many handshakes have met it, or `None` if there is no fault or no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn get_tls_fault(&self, proxy: &ProxyName) -> Result<Option<(TlsFaultSpec, u64)>, AdminError> {
        let path = format!("/proxies/{proxy}/tls/fault");
        let Some(view) = present(self.call::<Value>(Method::GET, &path, None).await)? else { return Ok(None) };
        let part = |name: &str| view.get(name).cloned().unwrap_or_default();
        let read = || Ok((serde_json::from_value(part("fault"))?, serde_json::from_value(part("hits"))?));
        read().map(Some).map_err(|source| AdminError::Answer { call: format!("GET {path}"), source })
    }

    /// Takes the fault away, which lets stalled handshakes go on; `false` if there was none, or no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn remove_tls_fault(&self, proxy: &ProxyName) -> Result<bool, AdminError> {
        let path = format!("/proxies/{proxy}/tls/fault");
        present(self.send(Method::DELETE, &path, None).await.map(drop)).map(|done| done.is_some())
    }

    /// The certificate of the authority that clients of a proxy must trust, as PEM, or `None` if it has no authority of its
    /// own: its clients come without TLS, its certificate came from files, or there is no such proxy.
    ///
    /// # Errors
    /// See [`AdminError`].
    pub async fn authority(&self, proxy: &ProxyName) -> Result<Option<String>, AdminError> {
        let pem = present(self.send(Method::GET, &format!("/proxies/{proxy}/tls/ca.pem"), None).await)?;
        Ok(pem.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}
