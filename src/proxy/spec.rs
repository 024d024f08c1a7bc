//! What a proxy is told: where it listens, what stands behind it, and which protocol passes through.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tls::TlsSpec;
use crate::unit::{UnitError, text_type};

/// The longest host name, in bytes (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// A fault proxy: `{listen: "127.0.0.1:18474", upstream: "127.0.0.1:8080", protocol: http}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProxySpec {
    /// Where clients connect: an address of this machine, best a loopback one.
    pub listen: ListenAddress,
    /// Where their bytes go: `host:port`. The name is looked up for every connection. With `connect`, where they may go.
    pub upstream: UpstreamAddress,
    /// What passes through; default `http`.
    #[serde(default)]
    pub protocol: Protocol,
    /// TLS on either side, which ends at the proxy; none unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// Whether HTTP requests with an AWS signature (Signature Version 4) are signed anew for the upstream, with the credentials
    /// of the proxy's process; default false: then the upstream refuses them, since they were signed for the proxy's host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resign: bool,
}

impl ProxySpec {
    /// Where clients reach it, as a URL: `https://` where they come with TLS.
    #[must_use]
    pub fn url(&self) -> String {
        let has_tls = self.tls.as_ref().is_some_and(|tls| tls.client.is_some());
        format!("{}://{}", if has_tls { "https" } else { "http" }, self.listen)
    }
}

/// What passes through a proxy. The bytes are the same either way; it decides what one unit of traffic is, for which a
/// toxic draws its chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1, keep-alive or not: one unit is a request with its response.
    #[default]
    Http,
    /// Any other protocol on TCP: one unit is a burst of chunks with no pause between them.
    Tcp,
    /// HTTP/1 in which clients ask for tunnels by `CONNECT host:port`, as `HTTPS_PROXY` has them do. The upstream says where
    /// they may go: `*:443`, `*.amazonaws.com:443`. Rules work on the `CONNECT`, toxics on all that passes.
    Connect,
}

/// A direction of traffic through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the client to the server.
    Upstream,
    /// From the server to the client; the default, as in Toxiproxy.
    #[default]
    Downstream,
}

impl ProxySpec {
    /// What of it does not go together, if anything.
    #[must_use]
    pub fn problem(&self) -> Option<&'static str> {
        match (self.protocol, &self.tls) {
            (Protocol::Connect, Some(_)) => {
                Some("TLS passes through a tunnel as it comes: leave out `tls`, or another `protocol` than `connect`")
            }
            (Protocol::Http | Protocol::Tcp, _) if self.upstream.is_pattern() => {
                Some("only with `protocol: connect` may the upstream be a pattern")
            }
            (Protocol::Connect | Protocol::Tcp, _) if self.resign => {
                Some("only HTTP can be signed anew: set `protocol: http`")
            }
            (Protocol::Http | Protocol::Tcp | Protocol::Connect, _) => None,
        }
    }
}

impl UpstreamAddress {
    /// Whether it stands for several hosts: `*:443`, `*.example.com:443`.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.text.starts_with('*')
    }

    /// Whether a place is this one, or one of those that this pattern stands for. Names are compared in any case.
    #[must_use]
    pub fn covers(&self, place: &Self) -> bool {
        match self.text.strip_prefix('*') {
            Some(end) => {
                let place = place.text.to_ascii_lowercase();
                let start = place.strip_suffix(&end.to_ascii_lowercase());
                start.is_some_and(|start| !start.is_empty())
            }
            None => self.text.eq_ignore_ascii_case(&place.text),
        }
    }

    /// As clients write it in `Host`: without the port where it is that of HTTP or HTTPS.
    pub(crate) fn host_header(&self) -> &str {
        let text = self.as_str();
        text.strip_suffix(":443").or_else(|| text.strip_suffix(":80")).unwrap_or(text)
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        })
    }
}

/// Whether a proxy can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProxyStanding {
    /// It listens.
    Listening,
    /// It refuses new connections, and those that are open go on.
    Refusing,
    /// It does not listen, and no connection is open.
    Down,
}

impl fmt::Display for ProxyStanding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Listening => "listening",
            Self::Refusing => "refusing",
            Self::Down => "down",
        })
    }
}

/// An address to listen on: `127.0.0.1:18474`, `[::1]:18474`, `localhost:18474`, or `:18474`, which is loopback too.
///
/// Port 0 lets the system choose. An address that others can reach, such as `0.0.0.0:80`, must be written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenAddress(pub SocketAddr);

const LISTEN_REMEDY: &str = "write an address and a port, as in `127.0.0.1:18474`";

impl FromStr for ListenAddress {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = || UnitError::new(format!("`{text}` is not an address to listen on"), LISTEN_REMEDY);
        let (host, port) = text.rsplit_once(':').ok_or_else(fail)?;
        match host {
            "" | "localhost" => {
                let port = port.parse().map_err(|_| fail())?;
                Ok(Self(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)))
            }
            _ => text.parse().map(Self).map_err(|_| fail()),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

text_type!(
    ListenAddress,
    "ListenAddress",
    "an address and a port to listen on",
    r"^(\[[0-9a-fA-F:]+\]|[0-9.]+|localhost)?:[0-9]{1,5}$",
    "127.0.0.1:18474"
);

/// A host and a port to connect to: `127.0.0.1:8080`, `[::1]:8080`, `cards.example.com:443`. It is no URL. A host that begins
/// with `*` stands for several.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UpstreamAddress {
    text: String,
}

impl UpstreamAddress {
    /// The address as `host:port`, which a resolver takes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for UpstreamAddress {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = || {
            UnitError::new(
                format!("`{text}` is not an upstream"),
                "write a host and a port without a scheme or a path, as in `cards.example.com:443`; with `protocol: connect` \
                 also `*:443` or `*.example.com:443`",
            )
        };
        let (host, port) = text.rsplit_once(':').ok_or_else(fail)?;
        let bracketed = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        let host_is_good = match bracketed {
            Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                let name = host.strip_prefix("*.").unwrap_or(host);
                host == "*" || (!name.is_empty() && host.len() <= HOST_BYTES_MAX && name.chars().all(allowed))
            }
        };
        let port_is_good = port.parse::<u16>().is_ok_and(|port| port != 0);
        if host_is_good && port_is_good { Ok(Self { text: text.to_owned() }) } else { Err(fail()) }
    }
}

impl From<SocketAddr> for UpstreamAddress {
    fn from(address: SocketAddr) -> Self {
        Self { text: address.to_string() }
    }
}

impl fmt::Display for UpstreamAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

text_type!(
    UpstreamAddress,
    "UpstreamAddress",
    "a host and a port to connect to",
    r"^(\[[0-9a-fA-F:.]+\]|\*|(\*\.)?[A-Za-z0-9._-]+):[0-9]{1,5}$",
    "cards.example.com:443"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_host_is_loopback() {
        for (text, expected) in [
            ("127.0.0.1:18474", "127.0.0.1:18474"),
            (":18474", "127.0.0.1:18474"),
            ("localhost:18474", "127.0.0.1:18474"),
            ("[::1]:0", "[::1]:0"),
            ("0.0.0.0:80", "0.0.0.0:80"),
        ] {
            assert_eq!(text.parse::<ListenAddress>().map(|address| address.to_string()), Ok(expected.to_owned()));
        }
        for text in ["", "18474", "127.0.0.1", "example.com:80", "127.0.0.1:70000", ":x"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_upstream_is_a_host_and_a_port_and_no_url() {
        for text in ["127.0.0.1:8080", "[::1]:8080", "cards.example.com:443", "my_host:1", "*:443", "*.a.com:1"] {
            assert_eq!(text.parse::<UpstreamAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
        for text in [
            "a.*:1",
            "*a:1",
            "**:1",
            "*.:1",
            "http://a:80",
            "a",
            "a:0",
            ":80",
            "a:80/x",
            "a b:80",
            "::1:80",
            "[x]:80",
            "a:99999",
        ] {
            assert!(text.parse::<UpstreamAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_covers_what_ends_as_it_does_at_its_port() {
        for (pattern, place, expected) in [
            ("*:443", "cards.example.com:443", true),
            ("*:443", "cards.example.com:80", false),
            ("*.amazonaws.com:443", "sqs.eu-west-1.AmazonAWS.com:443", true),
            ("*.amazonaws.com:443", "amazonaws.com:443", false),
            ("*.amazonaws.com:443", "evilamazonaws.com:443", false),
            ("a.com:443", "A.com:443", true),
            ("a.com:443", "b.a.com:443", false),
        ] {
            let parse = |text: &str| text.parse::<UpstreamAddress>().expect("an upstream");
            assert_eq!(parse(pattern).covers(&parse(place)), expected, "{pattern} {place}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        for (spec, is_good) in [
            (r#"{"listen": ":1", "upstream": "*:443", "protocol": "connect"}"#, true),
            (r#"{"listen": ":1", "upstream": "*:443"}"#, false),
            (r#"{"listen": ":1", "upstream": "*:443", "protocol": "connect", "tls": {}}"#, false),
            (r#"{"listen": ":1", "upstream": "a:443", "protocol": "tcp", "resign": true}"#, false),
            (r#"{"listen": ":1", "upstream": "a:443", "tls": {"upstream": {}}, "resign": true}"#, true),
        ] {
            let parsed: ProxySpec = serde_json::from_str(spec).expect("a spec");
            assert_eq!(parsed.problem().is_none(), is_good, "{spec}");
        }
    }

    #[test]
    fn a_spec_is_strict_and_speaks_http_unless_told() {
        let spec: ProxySpec = serde_json::from_str(r#"{"listen": ":1", "upstream": "a:2"}"#).expect("valid");
        assert_eq!(spec.protocol, Protocol::Http);
        let error = serde_json::from_str::<ProxySpec>(r#"{"listen": ":1", "upstream": "a:2", "protocl": "tcp"}"#)
            .expect_err("a typing error");
        assert!(error.to_string().contains("protocl"), "{error}");
    }
}
