//! Which hosts on the public internet loads may go to. Owns: the patterns, and what is public. Must not know: URLs, loads.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::unit::{UnitError, text_type};

/// A host by name or address, or all names below one: `*.staging.example.com`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern(String);

impl HostPattern {
    /// Whether a host is one of them; the case of letters does not count.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        match self.0.strip_prefix("*.") {
            Some(parent) => host.strip_suffix(parent).is_some_and(|below| below.len() > 1 && below.ends_with('.')),
            None => host == self.0,
        }
    }
}

impl FromStr for HostPattern {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let is_label = |label: &str| {
            !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        };
        // A lone top-level domain behind the star would be half of the world.
        let is_narrow = name == text || name.contains('.');
        if name.parse::<IpAddr>().is_err() && !(is_narrow && name.split('.').all(is_label)) {
            let remedy =
                "write a name such as `shop.example.com` or `*.staging.example.com`, without scheme, port and path";
            return Err(UnitError::new(format!("`{text}` is not a host"), remedy));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

text_type!(
    HostPattern,
    "HostPattern",
    "a host, or all names below one",
    r"^(\*\.)?[A-Za-z0-9_.:-]+$",
    "shop.example.com"
);

/// Whether a host may be somebody else's: any but this machine, addresses of private networks (RFC 1918, RFC 4193, RFC 3927), and
/// names that no public server has (RFC 6761, RFC 8375, and those without a dot).
#[must_use]
pub fn is_public(host: &str) -> bool {
    const PRIVATE_NAMES: [&str; 6] = ["localhost", "local", "internal", "test", "invalid", "home.arpa"];
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => {
            !(address.is_loopback() || address.is_private() || address.is_link_local() || address.is_unspecified())
        }
        Ok(IpAddr::V6(address)) => !is_private_v6(address),
        Err(_) => {
            let is_below = |name: &&str| host == **name || host.ends_with(&format!(".{name}"));
            host.contains('.') && !PRIVATE_NAMES.iter().any(is_below)
        }
    }
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return !is_public(&mapped.to_string());
    }
    address.is_loopback() || address.is_unspecified() || address.is_unique_local() || address.is_unicast_link_local()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_host_or_all_names_below_one() {
        let matches = |pattern: &str, host: &str| pattern.parse::<HostPattern>().unwrap().matches(host);
        assert!(matches("Shop.example.com", "shop.EXAMPLE.com"));
        assert!(!matches("shop.example.com", "a.shop.example.com"));
        assert!(matches("*.example.com", "a.b.example.com"));
        for other in ["example.com", ".example.com", "badexample.com", "a.example.com.evil.org"] {
            assert!(!matches("*.example.com", other), "{other}");
        }
        for wrong in ["", "*", "*.com", "http://a", "a/b", "a:80", "a..b", "*.a.*"] {
            assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn this_machine_and_private_networks_are_not_public() {
        for host in [
            "localhost",
            "a.localhost",
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.1.1",
            "::1",
            "fd00::1",
            "shop",
            "db.internal",
        ] {
            assert!(!is_public(host), "{host}");
        }
        for host in [
            "shop.example.com",
            "8.8.8.8",
            "2001:db8::1",
            "::ffff:8.8.8.8",
            "localhost.example.com",
            "a.lambda-url.eu-west-1.on.aws",
        ] {
            assert!(is_public(host), "{host}");
        }
        assert!(!is_public("::ffff:127.0.0.1"));
    }
}
