//! Keeps web pages away from the admin API on TCP: any page that a browser shows may send requests to loopback ports.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::routes::ApiError;

/// Refuses requests that a browser sends for a page, and those for a name that only pretends to be this machine.
pub(super) async fn refuse_browsers(request: Request, next: Next) -> Response {
    match objection(request.headers()) {
        Some(text) => ApiError::new(StatusCode::FORBIDDEN, text).into_response(),
        None => next.run(request).await,
    }
}

fn objection(headers: &HeaderMap) -> Option<&'static str> {
    if headers.contains_key(header::ORIGIN) {
        return Some("requests of web pages are refused (there is an `Origin` header)");
    }
    let host = headers.get(header::HOST)?;
    // A page can give its own name a loopback address, but it can not change the name in the request.
    if host.to_str().is_ok_and(is_loopback) { None } else { Some("the `Host` header does not name this machine") }
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_requests_for_this_machine_that_no_page_sends_pass() {
        for host in ["localhost", "localhost:8474", "127.0.0.1:8474", "127.0.0.1", "[::1]:8474", "[::1]", "LocalHost"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["evil.example", "evil.example:8474", "10.0.0.1:8474", "localhost.evil.example", "", "127.0.0.1.x"]
        {
            assert!(!is_loopback(host), "{host}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(objection(&headers), None);
        headers.insert(header::HOST, "localhost:1".parse().expect("a value"));
        assert_eq!(objection(&headers), None);
        headers.insert(header::ORIGIN, "http://localhost".parse().expect("a value"));
        assert!(objection(&headers).is_some());
    }
}
