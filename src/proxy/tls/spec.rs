//! What a proxy is told about TLS.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS of a proxy: `{client: {names: [cards.example.com]}, upstream: {}}`. A side that is not named stays plain TCP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsSpec {
    /// Clients connect with TLS, which ends at the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientTls>,
    /// The proxy connects to its upstream with TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamTls>,
}

impl TlsSpec {
    /// Whether neither side speaks TLS.
    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The same with every path that is relative beginning at `folder`.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        if let Some(CertificateSource::Files(files)) = self.client.as_mut().map(|client| &mut client.certificate) {
            files.cert = folder.join(&files.cert);
            files.key = folder.join(&files.key);
        }
        if let Some(authorities) = self.upstream.as_mut().and_then(|upstream| upstream.authorities.as_mut()) {
            *authorities = folder.join(&authorities);
        }
        self
    }

    /// The files that it names.
    #[must_use]
    pub fn files(&self) -> Vec<&Path> {
        let mut files: Vec<&Path> = Vec::new();
        if let Some(CertificateSource::Files(given)) = self.client.as_ref().map(|client| &client.certificate) {
            files.extend([&*given.cert, &*given.key]);
        }
        files.extend(self.upstream.as_ref().and_then(|upstream| upstream.authorities.as_deref()));
        files
    }
}

/// What clients are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientTls {
    /// Where the certificate comes from; default `self_made`.
    #[serde(default, skip_serializing_if = "CertificateSource::is_self_made")]
    pub certificate: CertificateSource,
    /// Names and addresses that a certificate of the proxy's own is good for, besides `localhost`, `127.0.0.1`, `::1` and
    /// the upstream's host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// Where the certificate comes from that a client is shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CertificateSource {
    /// The proxy makes it, and an authority to sign it, anew at each start. Clients must be told to trust the authority.
    #[default]
    SelfMade,
    /// It is read from files when the proxy starts.
    Files(CertificateFiles),
}

impl CertificateSource {
    fn is_self_made(&self) -> bool {
        *self == Self::SelfMade
    }
}

/// A certificate and its key, in files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateFiles {
    /// PEM: the certificate, then those that lead to its authority.
    pub cert: PathBuf,
    /// PEM: the private key, as PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// What is wrong with the handshakes of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// The certificate ended a day ago; its authority and its names are the right ones.
    Expired,
    /// The certificate is good, and for another name.
    WrongName,
    /// The certificate is signed by itself; its names and its time are right.
    SelfSigned,
    /// The client's first message is read and not answered, until the fault is taken away or the client leaves.
    StalledHandshake,
}

impl TlsFault {
    /// Its name, as files write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::WrongName => "wrong_name",
            Self::SelfSigned => "self_signed",
            Self::StalledHandshake => "stalled_handshake",
        }
    }

    /// Whether it is a certificate that only the authority that clients trust can sign.
    #[must_use]
    pub fn needs_authority(self) -> bool {
        match self {
            Self::Expired | Self::WrongName => true,
            Self::SelfSigned | Self::StalledHandshake => false,
        }
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A fault and for how long, as the admin API takes it: `{"fault": "expired", "ttl_ms": 60000, "close_open": true}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsFaultSpec {
    /// What is wrong with handshakes.
    pub fault: TlsFault,
    /// After how many milliseconds it is dropped, 1 ms to 7 days; default not until it is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_ms: Option<u64>,
    /// Whether connections that are open are closed when the fault is put in place, so that clients which keep them have to
    /// connect anew; default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub close_open: bool,
    /// By what the one who put it there knows it: 1 to 128 printable ASCII characters, which the stats tell. Default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// How the proxy connects to its upstream. The upstream's certificate is always checked.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTls {
    /// PEM: the authorities that are trusted, and no others; the system's unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_spec_is_strict_and_asks_for_nothing_that_is_not_said() {
        let read = |json| serde_json::from_value::<TlsSpec>(json);
        assert_eq!(read(json!({})).unwrap(), TlsSpec::default());
        let client = read(json!({"client": {}})).unwrap().client.unwrap();
        assert_eq!((client.certificate, client.names), (CertificateSource::SelfMade, Vec::new()));
        for wrong in [
            json!({"clients": {}}),
            json!({"client": {"fault": "expired"}}),
            json!({"client": {"certificate": {"files": {"cert": "a.pem"}}}}),
            json!({"upstream": {"insecure": true}}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_spec_is_written_as_it_is_read() {
        let json = json!({
            "client": {
                "certificate": {"files": {"cert": "a.pem", "key": "a.key"}},
                "names": ["shop.test"],
            },
            "upstream": {"authorities": "ca.pem"},
        });
        let spec: TlsSpec = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), json);
        for fault in [TlsFault::Expired, TlsFault::WrongName, TlsFault::SelfSigned, TlsFault::StalledHandshake] {
            assert_eq!(json!(fault), json!(fault.to_string()));
        }
    }
}
