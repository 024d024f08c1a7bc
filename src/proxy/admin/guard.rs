//! Who may use the admin API: whoever has the token where there is one, and no web page. Any page that a browser shows
//! may send requests to loopback ports.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::routes::ApiError;
use crate::proxy::caller::{self, BrowserSign};
use crate::unit::Secret;

/// What is asked of a request.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    /// The token that it must bear.
    pub(crate) token: Option<Secret>,
    /// Whether it may come from a web page: only what a browser can not reach may leave that open.
    pub(crate) refuses_browsers: bool,
}

/// Refuses requests without the token, those that a browser sends, and those for a name that only pretends to be this
/// machine.
pub(super) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.objection(request.headers()) {
        Some((status, text)) => ApiError::new(status, text).into_response(),
        None => next.run(request).await,
    }
}

impl Guard {
    fn objection(&self, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        if self.refuses_browsers
            && let Some(text) = self.browser(headers)
        {
            return Some((StatusCode::FORBIDDEN, text));
        }
        let token = self.token.as_ref()?;
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        // Digests are compared, so that the time it takes tells nothing of the token.
        let digest = |text: &str| Sha256::digest(text);
        if given.is_some_and(|given| digest(given) == digest(token.reveal())) {
            None
        } else {
            Some((
                StatusCode::UNAUTHORIZED,
                "the request does not bear the token of this proxy (`Authorization: Bearer …`)",
            ))
        }
    }

    fn browser(&self, headers: &HeaderMap) -> Option<&'static str> {
        let sign = caller::browser_sign(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
        if let Some(sign) = sign {
            return Some(match sign {
                BrowserSign::Origin => "requests of web pages are refused (there is an `Origin` header)",
                BrowserSign::FetchSite => "requests of web pages are refused (there is a `Sec-Fetch-Site` header)",
                BrowserSign::Agent => "requests of browsers are refused (the `User-Agent` is one)",
            });
        }
        if self.token.is_some() {
            // No page knows it, whatever name it has given to this machine.
            return None;
        }
        let host = headers.get(header::HOST)?;
        // A page can give its own name a loopback address, but it can not change the name in the request.
        if host.to_str().is_ok_and(is_loopback) { None } else { Some("the `Host` header does not name this machine") }
    }
}

fn is_loopback(host: &str) -> bool {
    let name = caller::name_of(host);
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect()
    }

    #[test]
    fn only_requests_for_this_machine_that_no_page_sends_pass() {
        for host in ["localhost", "localhost:8474", "127.0.0.1:8474", "127.0.0.1", "[::1]:8474", "[::1]", "LocalHost"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8474", "10.0.0.1:8474", "localhost.evil.example", "", "127.0.0.1.x"]
        {
            assert!(!is_loopback(host), "{host}");
        }
        let guard = Guard { token: None, refuses_browsers: true };
        assert_eq!(guard.objection(&HeaderMap::new()), None);
        assert_eq!(guard.objection(&headers(&[(header::HOST, "localhost:1"), (header::USER_AGENT, "curl/8")])), None);
        for (name, value) in [
            (header::ORIGIN, "http://localhost"),
            (header::HeaderName::from_static("sec-fetch-site"), "cross-site"),
            (header::USER_AGENT, "Mozilla/5.0"),
            (header::HOST, "evil.example"),
        ] {
            let objection = guard.objection(&headers(&[(name, value)]));
            assert_eq!(objection.map(|(status, _)| status), Some(StatusCode::FORBIDDEN), "{value}");
        }
    }

    #[test]
    fn where_there_is_a_token_nobody_passes_without_it() {
        let guard = Guard { token: Some(Secret::new("open sesame")), refuses_browsers: true };
        let status = |value: Option<&str>| {
            let pairs: Vec<_> = value.map(|value| (header::AUTHORIZATION, value)).into_iter().collect();
            guard.objection(&headers(&pairs)).map(|(status, _)| status)
        };
        assert_eq!(status(Some("Bearer open sesame")), None);
        for wrong in [None, Some("Bearer open"), Some("Bearer "), Some("open sesame"), Some("Basic open sesame")] {
            assert_eq!(status(wrong), Some(StatusCode::UNAUTHORIZED), "{wrong:?}");
        }
        let remote = headers(&[(header::HOST, "proxy.internal:8474"), (header::AUTHORIZATION, "Bearer open sesame")]);
        assert_eq!(guard.objection(&remote), None, "it may be asked by any name");
    }
}
