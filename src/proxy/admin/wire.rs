//! The JSON that the admin API takes, and the file of proxies, which says the same.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::proxy::lease::{LEASE_MS_MAX, checked_wait};
use crate::proxy::part_token::{PartTokenError, checked_token};
use crate::proxy::running::ProxyChange;
use crate::proxy::state::NewProxy;
use crate::proxy::toxic::{ToxicError, ToxicJson, ToxicSpec};
use crate::proxy::{
    CertificateSource, ListenAddress, Protocol, ProxySpec, TlsError, TlsFaultSpec, TlsSpec, UpstreamAddress,
};
use crate::unit::{IdError, ProxyName, UnitError, error_chain};

/// Why a request's JSON can not be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the body is not valid")]
    Json(#[from] serde_json::Error),
    #[error("field `{0}` is missing")]
    Missing(&'static str),
    #[error("the proxy's name is not valid")]
    Name(#[from] IdError),
    #[error("the proxy's address is not valid")]
    Address(#[from] UnitError),
    #[error("the toxic is not valid")]
    Toxic(#[from] ToxicError),
    #[error("the TLS fault is not valid")]
    TlsFault(#[from] TlsError),
    #[error("a TLS fault needs clients with TLS: `tls: {{client: {{}}}}`")]
    NoClientTls,
    #[error("a proxy can not change its name")]
    Renamed,
    #[error(
        "`ttl_ms` and `token` need `enabled: false` or `refuse: true` beside them; `ttl_ms`, with the token or without it, may \
         stand alone to put off what has one"
    )]
    OutageOfNothing,
    #[error(transparent)]
    Token(#[from] PartTokenError),
    #[error("`{field}` must be from 1 to {most} milliseconds")]
    Wait { field: &'static str, most: u64 },
}

/// A proxy in JSON. Toxiproxy's clients write an empty text for what they leave out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeJson {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    listen: Option<String>,
    #[serde(default)]
    upstream: Option<String>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    refuse: Option<bool>,
    #[serde(default)]
    protocol: Option<Protocol>,
    #[serde(default)]
    tls: Option<TlsSpec>,
    #[serde(default)]
    resign: Option<bool>,
    #[serde(default)]
    ttl_ms: Option<u64>,
    #[serde(default)]
    token: Option<String>,
    /// As Toxiproxy does, a change of a proxy takes no note of them.
    #[serde(default, rename = "toxics")]
    _toxics: IgnoredAny,
    #[serde(default, rename = "tls_fault")]
    _tls_fault: IgnoredAny,
}

/// A proxy of the file of proxies, or of `POST /proxies`: Toxiproxy's fields, and `protocol`, `refuse`,
/// `tls`, `resign`, `toxics` and `tls_fault`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxyEntry {
    /// Its name; needed.
    #[serde(default)]
    name: Option<String>,
    /// Where clients connect; default a port of 127.0.0.1 that the system chooses.
    #[serde(default)]
    listen: Option<String>,
    /// Where their bytes go, `host:port`; needed.
    #[serde(default)]
    upstream: Option<String>,
    /// Whether it listens; default true.
    #[serde(default)]
    enabled: Option<bool>,
    /// Whether new connections are refused while those that are open go on; default false.
    #[serde(default)]
    refuse: Option<bool>,
    /// What passes through; default `tcp`, since a client that knows only Toxiproxy may send anything.
    #[serde(default)]
    protocol: Option<Protocol>,
    /// TLS on either side, which ends at the proxy; default none, so that TLS passes as it comes.
    #[serde(default)]
    tls: Option<TlsSpec>,
    /// Whether requests with an AWS signature are signed anew for the upstream; default false. The process needs `--resign`.
    #[serde(default)]
    resign: Option<bool>,
    /// The toxics that it has from the start, so that no connection slips through before.
    #[serde(default)]
    toxics: Option<Vec<ToxicJson>>,
    /// What is wrong with handshakes of clients from the start; only with `tls: {client: {}}`.
    #[serde(default)]
    tls_fault: Option<TlsFaultSpec>,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryProblem {
    /// Which of its keys; none for the entry as a whole.
    pub key: Option<&'static str>,
    /// Which of the toxics, counted from 0, if the key is `toxics`.
    pub toxic: Option<usize>,
    /// What is wrong, a lowercase fragment.
    pub text: String,
}

impl ProxyEntry {
    /// Its name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where it listens, if that is good and no port of the system's choice.
    #[must_use]
    pub fn fixed_address(&self) -> Option<SocketAddr> {
        let ListenAddress(address) = self.checked_listen().ok()?;
        (address.port() != 0).then_some(address)
    }

    /// The same with every path that is relative beginning at `folder`.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.tls = self.tls.map(|tls| tls.in_folder(folder));
        self
    }

    /// All that is wrong with it.
    #[must_use]
    pub fn problems(&self) -> Vec<EntryProblem> {
        let problem = |key, error: &dyn std::error::Error| EntryProblem { key, toxic: None, text: error_chain(error) };
        let mut problems = Vec::new();
        problems.extend(self.checked_name().err().map(|error| problem(self.name.is_some().then_some("name"), &error)));
        problems.extend(self.checked_listen().err().map(|error| problem(Some("listen"), &error)));
        let upstream = self.checked_upstream().err();
        problems.extend(upstream.map(|error| problem(self.upstream.is_some().then_some("upstream"), &error)));
        problems.extend(self.checked_tls_fault().err().map(|error| problem(Some("tls_fault"), &error)));
        for (index, toxic) in self.toxics.iter().flatten().enumerate() {
            if let Err(error) = ToxicSpec::try_from(toxic.clone()) {
                problems.push(EntryProblem { toxic: Some(index), ..problem(Some("toxics"), &error) });
            }
        }
        problems
    }

    fn checked_name(&self) -> Result<ProxyName, WireError> {
        Ok(given(self.name.as_deref()).ok_or(WireError::Missing("name"))?.parse()?)
    }

    fn checked_listen(&self) -> Result<ListenAddress, WireError> {
        Ok(given(self.listen.as_deref()).unwrap_or(":0").parse()?)
    }

    fn checked_tls_fault(&self) -> Result<Option<TlsFaultSpec>, WireError> {
        let Some(fault) = self.tls_fault.clone().map(checked_tls_fault).transpose()? else { return Ok(None) };
        let client = self.tls.as_ref().and_then(|tls| tls.client.as_ref()).ok_or(WireError::NoClientTls)?;
        match &client.certificate {
            CertificateSource::Files(_) if fault.fault.needs_authority() => {
                Err(TlsError::CertificateGiven(fault.fault).into())
            }
            CertificateSource::Files(_) | CertificateSource::SelfMade => Ok(Some(fault)),
        }
    }

    fn checked_upstream(&self) -> Result<UpstreamAddress, WireError> {
        Ok(given(self.upstream.as_deref()).ok_or(WireError::Missing("upstream"))?.parse()?)
    }
}

fn given(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

impl TryFrom<ProxyEntry> for NewProxy {
    type Error = WireError;

    fn try_from(entry: ProxyEntry) -> Result<Self, WireError> {
        Ok(Self {
            name: entry.checked_name()?,
            spec: ProxySpec {
                listen: entry.checked_listen()?,
                upstream: entry.checked_upstream()?,
                protocol: entry.protocol.unwrap_or(Protocol::Tcp),
                tls: entry.tls.clone().filter(|tls| !tls.is_none()),
                resign: entry.resign.unwrap_or_default(),
            },
            tls_fault: entry.checked_tls_fault()?,
            enabled: entry.enabled,
            refuse: entry.refuse.unwrap_or_default(),
            toxics: entry
                .toxics
                .unwrap_or_default()
                .into_iter()
                .map(ToxicSpec::try_from)
                .collect::<Result<_, ToxicError>>()?,
        })
    }
}

pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, WireError> {
    Ok(serde_json::from_slice(body)?)
}

pub(super) fn parse_proxy(body: &[u8]) -> Result<NewProxy, WireError> {
    parse::<ProxyEntry>(body)?.try_into()
}

/// Reads a list of proxies: the body of `POST /populate`.
pub(super) fn parse_proxies(body: &[u8]) -> Result<Vec<NewProxy>, WireError> {
    parse::<Vec<ProxyEntry>>(body)?.into_iter().map(NewProxy::try_from).collect()
}

pub(super) fn parse_change(name: &str, body: &[u8]) -> Result<ProxyChange, WireError> {
    let json: ChangeJson = parse(body)?;
    if given(json.name.as_deref()).is_some_and(|asked| asked != name) {
        return Err(WireError::Renamed);
    }
    let listen = given(json.listen.as_deref()).map(str::parse::<ListenAddress>).transpose()?;
    let upstream = given(json.upstream.as_deref()).map(str::parse::<UpstreamAddress>).transpose()?;
    let ttl = json.ttl_ms.map(parse_ttl).transpose()?;
    let token = json.token.map(checked_token).transpose()?;
    let is_of_outage = ttl.is_some() || token.is_some();
    let ChangeJson { protocol, tls, resign, enabled, refuse, .. } = json;
    let change = ProxyChange { listen, upstream, protocol, tls, resign, enabled, refuse, ttl, token };
    if is_of_outage && !change.is_fault() && !change.is_renewal() {
        return Err(WireError::OutageOfNothing);
    }
    Ok(change)
}

/// A time to live of a request.
pub(super) fn parse_ttl(millis: u64) -> Result<Duration, WireError> {
    checked_wait(millis).ok_or(WireError::Wait { field: "ttl_ms", most: LEASE_MS_MAX })
}

/// The body of a `PATCH` that puts off the end of a rule.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TtlPatch {
    /// For how long from now it stays; 1 ms to 7 days.
    pub(super) ttl_ms: u64,
}

/// The body of a `PATCH` that puts off the end of a TLS fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsFaultPatch {
    /// For how long from now it stays; 1 ms to 7 days.
    pub(super) ttl_ms: u64,
    /// That of the fault, which is refused where another one is there; default whichever is there.
    #[serde(default)]
    pub(super) token: Option<String>,
}

pub(super) fn parse_tls_fault(body: &[u8]) -> Result<TlsFaultSpec, WireError> {
    checked_tls_fault(parse(body)?)
}

fn checked_tls_fault(fault: TlsFaultSpec) -> Result<TlsFaultSpec, WireError> {
    fault.ttl_ms.map(parse_ttl).transpose()?;
    let token = fault.token.map(checked_token).transpose()?;
    Ok(TlsFaultSpec { token, ..fault })
}

pub(super) fn parse_toxic(body: &[u8]) -> Result<ToxicSpec, WireError> {
    Ok(parse::<ToxicJson>(body)?.try_into()?)
}

/// The body of `POST /gameday/lease`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaseRequest {
    /// For how long from now the toxics may stay without a renewal; 1 ms to 7 days.
    pub ttl_ms: u64,
    /// If given, the process ends by itself so long from now, whatever limit it had before; 1 ms to 7 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit_ms: Option<u64>,
}
