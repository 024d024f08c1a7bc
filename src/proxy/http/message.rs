//! Heads and answers of ours, and changes of heads that pass.

use httparse::Header;
use tokio_util::bytes::BytesMut;

/// An answer that the proxy gives by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub(crate) fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What goes over the wire; to a `HEAD` the length is told and no body sent.
    pub(crate) fn bytes(&self, is_head: bool, closes: bool) -> Vec<u8> {
        let mut text = first_line(self.status);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let is_bodiless = matches!(self.status, 204 | 304);
        if !is_bodiless {
            text.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        if closes {
            text.push_str("Connection: close\r\n");
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        if !is_head && !is_bodiless {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

fn first_line(status: u16) -> String {
    let reason = hyper::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    format!("HTTP/1.1 {status} {}\r\n", reason.unwrap_or("Status"))
}

/// Writes a head again, its first line as it came: without some headers, and with others at its end.
pub(crate) fn rewrite<'a>(
    original: &[u8],
    headers: &[Header<'_>],
    is_removed: impl Fn(&str) -> bool,
    added: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> BytesMut {
    let line_end = original.windows(2).position(|pair| pair == b"\r\n").map_or(original.len(), |at| at + 2);
    let mut head = BytesMut::with_capacity(original.len() + 64);
    head.extend_from_slice(original.get(..line_end).unwrap_or(original));
    for header in headers.iter().filter(|header| !is_removed(header.name)) {
        append(&mut head, header.name, header.value);
    }
    for (name, value) in added {
        append(&mut head, name, value.as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    head
}

fn append(head: &mut BytesMut, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

/// Whether a text can be the name of a header (RFC 9110, 5.1).
pub(crate) fn is_header_name(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

/// Whether a text can be the value of a header.
pub(crate) fn is_header_value(text: &str) -> bool {
    text.chars().all(|character| character == '\t' || !character.is_control())
}

/// The headers that say where a message ends; whoever changes them lets requests be smuggled.
pub(crate) fn is_framing(name: &str) -> bool {
    ["content-length", "transfer-encoding", "connection"].iter().any(|framing| name.eq_ignore_ascii_case(framing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_its_length_and_sends_a_body_only_where_there_may_be_one() {
        let answer = Answer::new(503, b"busy".to_vec()).with("X", "y");
        let expected = b"HTTP/1.1 503 Service Unavailable\r\nX: y\r\nContent-Length: 4\r\n\r\nbusy";
        assert_eq!(answer.bytes(false, false), expected);
        assert!(answer.bytes(true, true).ends_with(b"Content-Length: 4\r\nConnection: close\r\n\r\n"));
        assert_eq!(Answer::new(204, b"x".to_vec()).bytes(false, false), b"HTTP/1.1 204 No Content\r\n\r\n");
        assert!(Answer::new(799, Vec::new()).bytes(false, false).starts_with(b"HTTP/1.1 799 Status\r\n"));
    }

    #[test]
    fn a_rewritten_head_keeps_its_first_line_and_what_is_not_removed() {
        let original = b"GET / HTTP/1.1\r\nA: 1\r\nb: 2\r\n\r\n";
        let headers = [Header { name: "A", value: b"1" }, Header { name: "b", value: b"2" }];
        let head = rewrite(original, &headers, |name| name.eq_ignore_ascii_case("B"), [("C", "3")]);
        assert_eq!(head, &b"GET / HTTP/1.1\r\nA: 1\r\nC: 3\r\n\r\n"[..]);
    }
}
