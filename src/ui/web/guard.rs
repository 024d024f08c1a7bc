//! Who may ask at all: the name by which the server was called (DNS rebinding), the page that asks (request forgery), and the headers that
//! every answer has.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::refusal::Refusal;

/// The port that stands in no address.
const HTTP_PORT: u16 = 80;

/// What an answer that is no page may do in a browser: nothing.
const NO_CONTENT_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

/// The names by which the server may be called.
#[derive(Debug, Clone, Default)]
pub(super) struct Guard {
    /// Names that somebody set up in front of it; they may speak TLS.
    public_hosts: Vec<String>,
}

/// How the server was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Called<'a> {
    /// The `Host` header.
    authority: &'a str,
    /// Whether something in front may speak TLS for it.
    is_public: bool,
}

impl Guard {
    pub(super) fn new(public_hosts: Vec<String>) -> Self {
        Self { public_hosts }
    }

    /// Checks by which name the server was called at `local`: its address, `localhost`, or a public name. A page of somebody else whose
    /// name was made to lead here calls it by that name.
    pub(super) fn called<'a>(&self, headers: &'a HeaderMap, local: SocketAddr) -> Result<Called<'a>, Refusal> {
        let mut hosts = headers.get_all(HOST).iter();
        let authority = match (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) {
            (Some(authority), None) => authority,
            (None | Some(_), _) => return Err(Refusal::new(StatusCode::BAD_REQUEST, "one `Host` header is needed")),
        };
        let address = match local.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let is_local = is_at(authority, &address, local.port())
            || (local.ip().is_loopback() && is_at(authority, "localhost", local.port()));
        let is_public = self.public_hosts.iter().any(|public| {
            let with_port = format!("{public}:{}", local.port());
            authority.eq_ignore_ascii_case(public) || authority.eq_ignore_ascii_case(&with_port)
        });
        if is_local || is_public {
            return Ok(Called { authority, is_public });
        }
        let why = "the control room is not known by this name: open its link as it was printed, or allow the name with \
                   `--public-host`";
        Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, why))
    }
}

/// Whether an authority is that host at that port, which browsers leave out where it is the scheme's own.
fn is_at(authority: &str, host: &str, port: u16) -> bool {
    authority.eq_ignore_ascii_case(&format!("{host}:{port}"))
        || (port == HTTP_PORT && authority.eq_ignore_ascii_case(host))
}

impl Called<'_> {
    /// Checks that a page of this server asks. Whether it came by TLS.
    pub(super) fn origin(self, headers: &HeaderMap) -> Result<bool, Refusal> {
        let foreign = || Refusal::new(StatusCode::FORBIDDEN, "only the control room's own page may ask this");
        let mut origins = headers.get_all(ORIGIN).iter();
        let (Some(origin), None) = (origins.next().and_then(|origin| origin.to_str().ok()), origins.next()) else {
            return Err(foreign());
        };
        let (scheme, authority) = origin.split_once("://").ok_or_else(foreign)?;
        let is_tls = scheme == "https" && self.is_public;
        let is_ours = authority.eq_ignore_ascii_case(self.authority) && (is_tls || scheme == "http");
        is_ours.then_some(is_tls).ok_or_else(foreign)
    }

    /// Checks that no foreign page reads: one that sends no `Origin` with a read is known by what browsers say of themselves.
    pub(super) fn reader(self, headers: &HeaderMap) -> Result<(), Refusal> {
        if headers.contains_key(ORIGIN) {
            self.origin(headers)?;
        }
        match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
            None | Some(b"same-origin" | b"none") => Ok(()),
            Some(_) => Err(Refusal::new(StatusCode::FORBIDDEN, "only the control room's own page may ask this")),
        }
    }
}

/// Checks that a body is said to be JSON: a form of a foreign page can not say that without being asked first.
pub(super) fn content_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let given = headers.get(CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is to be `application/json`"))
}

/// Puts what every answer has on it; a page brings its own content policy.
pub(super) fn harden(headers: &mut HeaderMap) {
    let fixed: [(HeaderName, &'static str); 7] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
        (X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=()"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NO_CONTENT_POLICY));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn status(guard: &Guard, host: &str, local: &str) -> Option<StatusCode> {
        guard.called(&headers(&[("host", host)]), local.parse().unwrap()).err().map(|refusal| refusal.status)
    }

    #[test]
    fn a_foreign_name_that_leads_here_is_not_served() {
        let guard = Guard::new(vec!["drill.example.com".to_owned()]);
        for host in
            ["127.0.0.1:8424", "localhost:8424", "LOCALHOST:8424", "drill.example.com", "drill.example.com:8424"]
        {
            assert_eq!(status(&guard, host, "127.0.0.1:8424"), None, "{host}");
        }
        for host in ["evil.example", "127.0.0.1", "127.0.0.1:81", "localhost", "127.0.0.1:8424.evil.example", ""] {
            assert_eq!(status(&guard, host, "127.0.0.1:8424"), Some(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
        assert_eq!(status(&guard, "localhost:8424", "10.0.0.7:8424"), Some(StatusCode::MISDIRECTED_REQUEST));
        assert_eq!(status(&guard, "[::1]:8424", "[::1]:8424"), None);
        let refusal = guard.called(&HeaderMap::new(), "127.0.0.1:8424".parse().unwrap()).unwrap_err();
        assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
        let two = headers(&[("host", "localhost:8424"), ("host", "evil.example")]);
        assert!(guard.called(&two, "127.0.0.1:8424".parse().unwrap()).is_err());
    }

    #[test]
    fn at_port_80_browsers_name_no_port() {
        let guard = Guard::default();
        for host in ["127.0.0.1", "127.0.0.1:80", "localhost", "LOCALHOST:80"] {
            assert_eq!(status(&guard, host, "127.0.0.1:80"), None, "{host}");
        }
        assert_eq!(status(&guard, "[::1]", "[::1]:80"), None);
        for host in ["evil.example", "127.0.0.1:8080", "127.0.0.2", "[127.0.0.1]"] {
            assert_eq!(status(&guard, host, "127.0.0.1:80"), Some(StatusCode::MISDIRECTED_REQUEST), "{host}");
        }
        let headers = headers(&[("host", "localhost"), ("origin", "http://localhost")]);
        let called = guard.called(&headers, "127.0.0.1:80".parse().unwrap()).unwrap();
        assert_eq!(called.origin(&headers).ok(), Some(false));
    }

    #[test]
    fn a_page_from_elsewhere_can_not_ask_for_anything() {
        let guard = Guard::new(vec!["drill.example.com".to_owned()]);
        let origin = |host: &str, origin: Option<&str>| {
            let mut pairs = vec![("host", host)];
            pairs.extend(origin.map(|origin| ("origin", origin)));
            let headers = headers(&pairs);
            let called = guard.called(&headers, "127.0.0.1:8424".parse().unwrap()).unwrap();
            called.origin(&headers).map_err(|refusal| refusal.status)
        };
        assert_eq!(origin("localhost:8424", Some("http://localhost:8424")), Ok(false));
        assert_eq!(origin("drill.example.com", Some("https://drill.example.com")), Ok(true));
        for foreign in [
            None,
            Some("null"),
            Some("http://evil.example"),
            Some("http://127.0.0.1:8424"),
            Some("https://localhost:8424"),
            Some("http://localhost:8424.evil.example"),
            Some("http://localhost"),
        ] {
            assert_eq!(origin("localhost:8424", foreign), Err(StatusCode::FORBIDDEN), "{foreign:?}");
        }
    }

    #[test]
    fn a_read_from_another_site_is_refused() {
        let read = |site: &str| {
            let headers = headers(&[("host", "localhost:8424"), ("sec-fetch-site", site)]);
            let guard = Guard::default();
            let called = guard.called(&headers, "127.0.0.1:8424".parse().unwrap()).unwrap();
            called.reader(&headers).is_ok()
        };
        assert_eq!(["same-origin", "none", "same-site", "cross-site"].map(read), [true, true, false, false]);
    }

    #[test]
    fn only_json_is_read() {
        let is_read = |kind: &str| content_type(&headers(&[("content-type", kind)])).is_ok();
        assert!(is_read("application/json") && is_read("Application/JSON; charset=utf-8"));
        assert!(!is_read("text/plain") && !is_read("application/json-seq") && !is_read(""));
    }
}
