//! Who sends a request: a program, or a web page that a browser shows. Any page may send requests to the ports of this
//! machine, and may give its own name this machine's address, so that its browser takes both for one site (DNS rebinding).
//! What it can change is neither what its browser says of it nor the name in `Host`.
//!
//! Must not know: what is asked for.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::unit::UnitError;

/// What a browser's `User-Agent` begins with; Toxiproxy refuses it, too.
const BROWSER_AGENT: &[u8] = b"Mozilla/";

/// The header by which browsers tell for which site they ask (W3C, "Fetch Metadata"). Programs may send its kin: Node's
/// `fetch` sends `Sec-Fetch-Mode`.
const FETCH_SITE: &str = "sec-fetch-site";

/// The longest host name, in bytes (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// What gives a browser away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BrowserSign {
    Origin,
    FetchSite,
    Agent,
}

/// What gives a browser away in a request's headers, if anything does.
pub(crate) fn browser_sign<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Option<BrowserSign> {
    headers.into_iter().find_map(|(name, value)| {
        if name.eq_ignore_ascii_case("origin") {
            Some(BrowserSign::Origin)
        } else if name.eq_ignore_ascii_case(FETCH_SITE) {
            Some(BrowserSign::FetchSite)
        } else if name.eq_ignore_ascii_case("user-agent") && value.starts_with(BROWSER_AGENT) {
            Some(BrowserSign::Agent)
        } else {
            None
        }
    })
}

/// The name in a `Host` header, without its port; an address without its brackets.
pub(crate) fn name_of(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    name.trim_start_matches('[').trim_end_matches(']')
}

/// Whether a `Host` header has a name that no page can give itself: an IP address, `localhost` or one below it, or one of
/// `names`.
pub(crate) fn is_no_pages_own(host: &str, names: &[HostName]) -> bool {
    let name = name_of(host).to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.ends_with(".localhost")
        || names.iter().any(|HostName(own)| *own == name)
}

/// The name of a host without a port, 1 to 253 letters, digits, `-`, `_` and `.`: `proxy.internal`. Any case is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(String);

impl FromStr for HostName {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if text.is_empty() || text.len() > HOST_BYTES_MAX || !text.chars().all(is_allowed) {
            let remedy = "write a name without a scheme and a port, as in `proxy.internal`";
            return Err(UnitError::new(format!("`{text}` is not the name of a host"), remedy));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_gives_itself_away() {
        for (name, value, expected) in [
            ("origin", "http://evil.example", Some(BrowserSign::Origin)),
            ("Origin", "null", Some(BrowserSign::Origin)),
            ("Sec-Fetch-Site", "same-origin", Some(BrowserSign::FetchSite)),
            ("Sec-Fetch-Mode", "cors", None),
            ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64)", Some(BrowserSign::Agent)),
            ("user-agent", "Boto3/1.43 Mozilla/", None),
            ("X-Agent", "Mozilla/5.0", None),
            ("Sec", "x", None),
        ] {
            let headers = [("accept", b"*/*".as_slice()), (name, value.as_bytes())];
            assert_eq!(browser_sign(headers), expected, "{name}: {value}");
        }
    }

    #[test]
    fn only_names_that_no_page_can_give_itself_are_taken() {
        let names = ["Proxy.Internal".parse().expect("a name")];
        for host in [
            "127.0.0.1:18443",
            "10.0.1.7",
            "[::1]:1",
            "[::ffff:127.0.0.1]",
            "localhost",
            "LocalHost:1",
            "sqs.localhost:1",
            "proxy.internal:18443",
            "PROXY.INTERNAL",
        ] {
            assert!(is_no_pages_own(host, &names), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:18443",
            "127.0.0.1.evil.example",
            "localhost.evil.example:1",
            "notlocalhost",
            "evil.proxy.internal",
            "proxy.internal.evil.example",
            "127.0.0.1@evil.example",
        ] {
            assert!(!is_no_pages_own(host, &names), "{host}");
        }
    }

    #[test]
    fn a_hosts_name_has_neither_scheme_nor_port() {
        assert_eq!("Proxy.Internal".parse::<HostName>().map(|name| name.to_string()), Ok("proxy.internal".to_owned()));
        for text in ["", "http://a", "a:1", "a/b", "*.a", "a b", "[::1]", &"a".repeat(254)] {
            assert!(text.parse::<HostName>().is_err(), "{text}");
        }
    }
}
