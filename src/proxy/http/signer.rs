//! Who signs requests anew, and whose. Whoever signs asks for no secret, so that what a web page has its browser send must not
//! be signed.

use std::sync::Arc;

use super::head::{RequestHead, slots};
use super::signing::{BodyRoom, SigningWish};
use crate::proxy::caller::{self, HostName};
use crate::unit::{NotResigned, Resign};

/// Signs requests anew for all proxies of a process. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    by: Arc<dyn Resign>,
    /// Names by which programs call the proxies, beside addresses and `localhost`.
    hosts: Arc<[HostName]>,
    pub(super) room: BodyRoom,
}

impl Signer {
    /// Signs requests for IP addresses, `localhost` and names below it, and `hosts`.
    pub(crate) fn new(by: Arc<dyn Resign>, hosts: Vec<HostName>) -> Self {
        Self { by, hosts: hosts.into(), room: BodyRoom::default() }
    }

    /// Does so with room for as many bytes of bodies at once.
    #[cfg(test)]
    pub(super) fn with_room(self, bytes: usize) -> Self {
        Self { room: BodyRoom::of(bytes), ..self }
    }

    /// The head for `host`, or why it stays as it is.
    pub(super) async fn sign(&self, wish: &SigningWish, host: &str) -> Result<Vec<u8>, NotResigned> {
        match objection(&wish.head, &self.hosts) {
            Some(reason) => Err(reason),
            None => self.by.resign(&wish.head, host, wish.body_sha256.as_deref()).await,
        }
    }
}

/// Why a page may have sent a request.
fn objection(head: &[u8], hosts: &[HostName]) -> Option<NotResigned> {
    let mut room = slots();
    let Ok(head) = RequestHead::parse(head, &mut room) else {
        return Some(NotResigned::Malformed("its head is not HTTP/1"));
    };
    if caller::browser_sign(head.headers.iter().map(|header| (header.name, header.value))).is_some() {
        return Some(NotResigned::Browser);
    }
    // A target with a host takes the place of `Host` (RFC 9112, 3.2.2); the two should be one.
    let target = head.target.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next());
    let is_ours = |host: &str| caller::is_no_pages_own(host, hosts);
    let has_host = head.header("host").is_some_and(is_ours);
    if has_host && (head.target.starts_with('/') || target.is_none_or(is_ours)) {
        None
    } else {
        Some(NotResigned::ForeignHost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_page_can_send_is_signed() {
        let hosts = ["proxy.internal".parse().expect("a name")];
        let objection = |first_line: &str, headers: &str| {
            let head = format!("{first_line}\r\n{headers}Authorization: AWS4-HMAC-SHA256 x\r\n\r\n");
            objection(head.as_bytes(), &hosts)
        };
        let get = "GET /a?b=http://evil.example/ HTTP/1.1";
        for headers in [
            "Host: 127.0.0.1:18443\r\nUser-Agent: Boto3/1.43\r\n",
            "host: localhost\r\n",
            "Host: Proxy.Internal:1\r\n",
            "Host: bucket.localhost:1\r\n",
        ] {
            assert_eq!(objection(get, headers), None, "{headers}");
        }
        for sign in ["Origin: null", "sec-fetch-site: none", "User-Agent: Mozilla/5.0 (X11)"] {
            assert_eq!(objection(get, &format!("Host: 127.0.0.1\r\n{sign}\r\n")), Some(NotResigned::Browser), "{sign}");
        }
        for headers in ["Host: evil.example:18443\r\n", "Host: sqs.eu-west-1.amazonaws.com\r\n", "Host:\r\n", ""] {
            assert_eq!(objection(get, headers), Some(NotResigned::ForeignHost), "{headers}");
        }
        let local = "Host: 127.0.0.1\r\n";
        assert_eq!(objection("GET http://127.0.0.1:1/a HTTP/1.1", local), None);
        assert_eq!(objection("GET http://evil.example/a HTTP/1.1", local), Some(NotResigned::ForeignHost));
        assert_eq!(objection("nonsense", local), Some(NotResigned::Malformed("its head is not HTTP/1")));
    }
}
