//! Where a request goes: an origin, and the path below it.

use std::fmt;

use hyper::Uri;
use hyper::header::HeaderValue;
use hyper::http::uri::{Authority, PathAndQuery, Scheme};

/// A scheme, a host and a port: what connections are made to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) is_tls: bool,
    /// A name or an address; IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Origin {
    fn new(scheme: &Scheme, authority: &Authority) -> Self {
        let is_tls = *scheme == Scheme::HTTPS;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Self { is_tls, host, port }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_tls, host, port } = self;
        let scheme = if *is_tls { "https" } else { "http" };
        if host.contains(':') {
            write!(formatter, "{scheme}://[{host}]:{port}")
        } else {
            write!(formatter, "{scheme}://{host}:{port}")
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

/// A whole URL in the parts that a request needs; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    scheme: Scheme,
    authority: Authority,
    path: PathAndQuery,
    /// What the `Host` header says.
    pub(crate) host: HeaderValue,
}

impl Target {
    /// Reads an absolute `http:` or `https:` URL, in which anything that may not stand in one is percent-encoded; none where
    /// it is none, or holds a password.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let url = reqwest::Url::parse(url).ok()?;
        let uri: Uri = url.as_str().parse().ok()?;
        Self::of(uri).filter(|_| url.username().is_empty() && url.password().is_none())
    }

    fn of(uri: Uri) -> Option<Self> {
        let parts = uri.into_parts();
        let (scheme, authority) = (parts.scheme?, parts.authority?);
        let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let host = HeaderValue::from_str(authority.as_str()).ok()?;
        matches!(scheme.as_str(), "http" | "https").then_some(Self { scheme, authority, path, host })
    }

    /// Where it is.
    pub(crate) fn origin(&self) -> Origin {
        Origin::new(&self.scheme, &self.authority)
    }

    /// Whether it is where another one is.
    pub(crate) fn has_origin_of(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || self.origin() == other.origin()
    }

    /// The form that stands in a request of HTTP/1.
    pub(super) fn path(&self) -> Uri {
        Uri::from(self.path.clone())
    }

    /// The whole URL, which HTTP/2 takes apart again.
    pub(crate) fn absolute(&self) -> Uri {
        let mut parts = hyper::http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(self.path.clone());
        Uri::from_parts(parts).expect("invariant: an absolute URI has all three")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_the_usual_ports_and_brackets_where_they_belong() {
        for (url, shown) in [
            ("http://Shop.example/a?b=c", "http://shop.example:80"),
            ("https://shop.example", "https://shop.example:443"),
            ("http://[::1]:8080/", "http://[::1]:8080"),
        ] {
            assert_eq!(Target::parse(url).unwrap().origin().to_string(), shown, "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_the_web_is_none() {
        for url in ["/a", "ftp://a/", "http://", "data:text/plain,a", "https://user:secret@shop.example/"] {
            assert_eq!(Target::parse(url), None, "{url}");
        }
    }

    #[test]
    fn what_may_not_stand_in_a_url_is_encoded() {
        let target = Target::parse("http://a:81/käse brot?q=a b").unwrap();
        assert_eq!(target.path(), "/k%C3%A4se%20brot?q=a%20b");
        assert_eq!(target.absolute(), "http://a:81/k%C3%A4se%20brot?q=a%20b");
        assert_eq!(target.to_string(), target.absolute().to_string());
        assert_eq!(target.host, "a:81");
    }
}
