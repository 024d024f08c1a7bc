//! The JSON that the admin API takes.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::proxy::registry::{NewProxy, ProxyChange};
use crate::proxy::toxic::{ToxicError, ToxicJson, ToxicSpec};
use crate::proxy::{ListenAddress, Protocol, ProxySpec, UpstreamAddress};
use crate::unit::{IdError, UnitError};

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
    #[error("a proxy can not change its name")]
    Renamed,
    #[error("`{field}` must be from 1 to {most} milliseconds")]
    Wait { field: &'static str, most: u64 },
}

/// A proxy in JSON. Toxiproxy's clients write an empty text for what they leave out.
///
/// `toxics` is ours for a new proxy: it is made with them, so that no connection slips through before. As Toxiproxy
/// does, a change of a proxy takes no note of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ProxyJson<T> {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    listen: Option<String>,
    #[serde(default)]
    upstream: Option<String>,
    #[serde(default)]
    enabled: Option<bool>,
    #[serde(default)]
    protocol: Option<Protocol>,
    #[serde(default = "Option::default")]
    toxics: Option<T>,
}

fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

impl TryFrom<ProxyJson<Vec<ToxicJson>>> for NewProxy {
    type Error = WireError;

    fn try_from(json: ProxyJson<Vec<ToxicJson>>) -> Result<Self, WireError> {
        Ok(Self {
            name: given(json.name).ok_or(WireError::Missing("name"))?.parse()?,
            spec: ProxySpec {
                listen: given(json.listen).as_deref().unwrap_or(":0").parse()?,
                upstream: given(json.upstream).ok_or(WireError::Missing("upstream"))?.parse()?,
                // A client that knows only Toxiproxy may send anything through.
                protocol: json.protocol.unwrap_or(Protocol::Tcp),
            },
            enabled: json.enabled,
            toxics: json
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
    parse::<ProxyJson<Vec<ToxicJson>>>(body)?.try_into()
}

/// Reads a list of proxies: the body of `POST /populate`, and Toxiproxy's configuration file.
pub(crate) fn parse_proxies(body: &[u8]) -> Result<Vec<NewProxy>, WireError> {
    parse::<Vec<ProxyJson<Vec<ToxicJson>>>>(body)?.into_iter().map(NewProxy::try_from).collect()
}

pub(super) fn parse_change(name: &str, body: &[u8]) -> Result<ProxyChange, WireError> {
    let json: ProxyJson<IgnoredAny> = parse(body)?;
    if given(json.name).is_some_and(|asked| asked != name) {
        return Err(WireError::Renamed);
    }
    let listen = given(json.listen).map(|text| text.parse::<ListenAddress>()).transpose()?;
    let upstream = given(json.upstream).map(|text| text.parse::<UpstreamAddress>()).transpose()?;
    Ok(ProxyChange { listen, upstream, protocol: json.protocol, enabled: json.enabled })
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
