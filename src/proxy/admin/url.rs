//! Where the admin API of a proxy is that somebody else runs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::unit::{UnitError, text_type};

/// The longest host name, in bytes (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;

const NO_USER: &str = "leave out what stands before the `@`: a password is a secret, and an admin API knows none";
const REMEDY: &str = "write a scheme, a host and a port, as in `http://10.0.1.7:8474` or `https://proxy.example.com`";

/// The URL of an admin API: `http://10.0.1.7:8474`, `https://proxy.example.com`. It has neither a path nor a user: a secret in it
/// would be written down with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AdminUrl {
    is_https: bool,
    /// A name, or an address without brackets.
    host: String,
    port: u16,
}

impl AdminUrl {
    /// Whether calls are encrypted.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// The host: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; where the URL names none, the scheme's own.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is on this machine: `localhost`, a loopback address in either of its forms (`[::ffff:127.0.0.1]`), or the
    /// unspecified one, which leads there, too.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let is_here = |address: IpAddr| address.is_loopback() || address.is_unspecified();
        self.host == "localhost" || self.host.parse().is_ok_and(|address: IpAddr| is_here(address.to_canonical()))
    }

    /// Host and port as a `Host` header has them.
    pub(super) fn authority(&self) -> String {
        let is_bracketed = self.host.contains(':');
        let host = if is_bracketed { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == default_port(self.is_https) { host } else { format!("{host}:{}", self.port) }
    }
}

/// Whether a name is one that resolvers read as an IPv4 address, in full or not (WHATWG URL, "ends in a number checker"):
/// `127.1`, `0x7f000001`.
fn is_numeric(host: &str) -> bool {
    let last = host.strip_suffix('.').unwrap_or(host).rsplit('.').next().unwrap_or_default();
    let digits = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X"));
    match digits {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

fn default_port(is_https: bool) -> u16 {
    if is_https { 443 } else { 80 }
}

impl FromStr for AdminUrl {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        // What was meant to stand before an `@` may be a secret, and is not repeated.
        let fail = || UnitError::new("that is not the `http` or `https` URL of an admin API", REMEDY);
        let (is_https, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(fail()),
        };
        if rest.contains('@') {
            return Err(UnitError::new("a URL of an admin API names no user", NO_USER));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => {
                address.parse::<std::net::Ipv6Addr>().map_err(|_| fail())?;
                (address, port)
            }
            None => {
                let (host, port) = rest.find(':').map_or((rest, ""), |at| rest.split_at(at));
                let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
                if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.chars().all(is_allowed) {
                    return Err(fail());
                }
                // Whether such a number is this machine, nobody sees at a glance.
                if is_numeric(host) && host.parse::<std::net::Ipv4Addr>().is_err() {
                    return Err(fail());
                }
                (host, port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or_else(fail)?,
            None if port.is_empty() => default_port(is_https),
            None => return Err(fail()),
        };
        Ok(Self { is_https, host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for AdminUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(formatter, "{scheme}://{}", self.authority())
    }
}

text_type!(
    AdminUrl,
    "AdminUrl",
    "the URL of a fault proxy's admin API",
    r"^https?://(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?$",
    "http://10.0.1.7:8474"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_scheme_a_host_and_a_port() {
        for (text, shown, is_loopback) in [
            ("http://10.0.1.7:8474", "http://10.0.1.7:8474", false),
            ("https://Proxy.example.com/", "https://proxy.example.com", false),
            ("https://proxy.example.com:443", "https://proxy.example.com", false),
            ("http://proxy.example.com:443", "http://proxy.example.com:443", false),
            ("http://localhost:8474", "http://localhost:8474", true),
            ("http://127.0.0.1:8474", "http://127.0.0.1:8474", true),
            ("http://[::1]:8474", "http://[::1]:8474", true),
            ("http://localhost.example.com:1", "http://localhost.example.com:1", false),
            ("http://[::ffff:127.0.0.1]:1", "http://[::ffff:127.0.0.1]:1", true),
            ("http://[::ffff:10.0.1.7]:1", "http://[::ffff:10.0.1.7]:1", false),
            ("http://0.0.0.0:1", "http://0.0.0.0:1", true),
            ("http://[::]:1", "http://[::]:1", true),
            ("http://proxy.7a:1", "http://proxy.7a:1", false),
        ] {
            let url: AdminUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.is_loopback()), (shown, is_loopback), "{text}");
            assert_eq!(shown.parse(), Ok(url));
        }
    }

    #[test]
    fn what_is_more_or_less_than_that_is_refused_and_not_repeated() {
        for text in [
            "10.0.1.7:8474",
            "ftp://10.0.1.7:1",
            "unix:/run/x.sock",
            "http://",
            "http://:1",
            "http://a:0",
            "http://a:x",
            "http://a:70000",
            "http://a/b",
            "http://a?b",
            "http://[::1",
            "http://[x]:1",
            "http://user:s3cret@a:1",
            "http://a b",
            "http://127.1:1",
            "http://127.0.0.1.:1",
            "http://0177.0.0.1:1",
            "http://2130706433:1",
            "http://0x7f000001:1",
            "http://127.0.0.0x1:1",
            "http://1.2.3.4.5:1",
        ] {
            let error = text.parse::<AdminUrl>().expect_err(text).to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
