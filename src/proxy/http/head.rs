//! Heads of HTTP/1 messages: where they end, how long their bodies are, and what is refused because two readers could
//! understand it in two ways (RFC 9112, 6.3 and 11.2). Pure.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use super::body::Body;

/// The longest head, its empty line included; a longer one is answered 431.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;

/// How many header lines a head may have; one more is answered 431.
pub(crate) const HEADERS_MAX: usize = 128;

/// Room for the header lines of one head.
pub(crate) type Slots<'a> = [MaybeUninit<Header<'a>>; HEADERS_MAX];

/// Room that nothing was written to: there is more of it than most heads need.
pub(crate) fn slots<'a>() -> Slots<'a> {
    [const { MaybeUninit::uninit() }; HEADERS_MAX]
}

/// Why a head is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeadError {
    #[error("the head is not HTTP/1")]
    Malformed,
    #[error("the head is longer than {HEAD_BYTES_MAX} bytes, or has more than {HEADERS_MAX} header lines")]
    TooLarge,
    #[error("a line ends without a carriage return")]
    BareLineFeed,
    #[error("both `Content-Length` and `Transfer-Encoding` are given")]
    LengthAndEncoding,
    #[error("`Content-Length` is not one number")]
    Length,
    #[error("`Transfer-Encoding` is not `chunked`, or is more than HTTP/1.0 knows")]
    Encoding,
    #[error("`Host` is given twice")]
    TwoHosts,
    #[error("a chunk is not as HTTP/1 writes it")]
    Chunk,
}

impl HeadError {
    /// The status with which a request is refused.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::TooLarge => 431,
            Self::Malformed
            | Self::BareLineFeed
            | Self::LengthAndEncoding
            | Self::Length
            | Self::Encoding
            | Self::TwoHosts
            | Self::Chunk => 400,
        }
    }
}

/// Finds where heads end, and looks at each byte once however slowly they come.
#[derive(Debug, Default)]
pub(crate) struct HeadEnd {
    searched: usize,
}

impl HeadEnd {
    /// The length of the head at the start of `bytes`, or `None` while it is not all there.
    pub(crate) fn find(&mut self, bytes: &[u8]) -> Result<Option<usize>, HeadError> {
        while let Some(line_feed) = memchr::memchr(b'\n', bytes.get(self.searched..).unwrap_or_default()) {
            let length = self.searched + line_feed + 1;
            let before = bytes.get(..length).unwrap_or_default();
            // Some readers end a line at a bare line feed, and others do not.
            if !before.ends_with(b"\r\n") {
                return Err(HeadError::BareLineFeed);
            }
            if length > HEAD_BYTES_MAX {
                return Err(HeadError::TooLarge);
            }
            if before.ends_with(b"\r\n\r\n") {
                self.searched = 0;
                return Ok(Some(length));
            }
            self.searched = length;
        }
        self.searched = bytes.len();
        if bytes.len() < HEAD_BYTES_MAX { Ok(None) } else { Err(HeadError::TooLarge) }
    }
}

/// A request's head, borrowed from the bytes that it came in.
#[derive(Debug)]
pub(crate) struct RequestHead<'a> {
    pub(crate) method: &'a str,
    /// As it stands in the first line: `/path?query`, `http://host/path`, `host:port`, `*`.
    pub(crate) target: &'a str,
    pub(crate) is_http_1_0: bool,
    pub(crate) headers: &'a [Header<'a>],
}

impl<'a> RequestHead<'a> {
    /// Reads a whole head.
    pub(crate) fn parse(bytes: &'a [u8], slots: &'a mut Slots<'a>) -> Result<Self, HeadError> {
        let mut request = httparse::Request::new(&mut []);
        match request.parse_with_uninit_headers(bytes, slots) {
            Ok(Status::Complete(length)) if length == bytes.len() => {}
            Ok(Status::Complete(_) | Status::Partial) => return Err(HeadError::Malformed),
            Err(error) => return Err(error.into()),
        }
        let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
            return Err(HeadError::Malformed);
        };
        Ok(Self { method, target, is_http_1_0: minor == 0, headers: request.headers })
    }

    /// The value of a header line, as text; the name in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        values(self.headers, name).next().and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The path of the target, without its query, and the query.
    pub(crate) fn path_and_query(&self) -> (&'a str, &'a str) {
        let target = match self.target.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
            None => self.target,
        };
        target.split_once('?').unwrap_or((target, ""))
    }

    /// Whether the connection ends after the answer.
    pub(crate) fn wants_close(&self) -> bool {
        let says = |word| has_word(self.headers, "connection", word);
        says("close") || (self.is_http_1_0 && !says("keep-alive"))
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    pub(crate) fn expects_continue(&self) -> bool {
        has_word(self.headers, "expect", "100-continue")
    }

    /// Whether the client asks for another protocol on this connection.
    pub(crate) fn wants_upgrade(&self) -> bool {
        has_word(self.headers, "connection", "upgrade") || self.method == "CONNECT"
    }

    /// How the body is framed.
    pub(crate) fn body(&self) -> Result<Body, HeadError> {
        if values(self.headers, "host").nth(1).is_some() {
            return Err(HeadError::TwoHosts);
        }
        if values(self.headers, "transfer-encoding").next().is_none() {
            return Ok(Body::of_length(content_length(self.headers)?.unwrap_or(0)));
        }
        if self.is_http_1_0 || !is_chunked_only(self.headers) {
            return Err(HeadError::Encoding);
        }
        no_length(self.headers)?;
        Ok(Body::chunked())
    }
}

/// A response's head, borrowed from the bytes that it came in.
#[derive(Debug)]
pub(crate) struct ResponseHead<'a> {
    pub(crate) status: u16,
    pub(crate) headers: &'a [Header<'a>],
}

impl<'a> ResponseHead<'a> {
    /// Reads a whole head.
    pub(crate) fn parse(bytes: &'a [u8], slots: &'a mut Slots<'a>) -> Result<Self, HeadError> {
        let mut response = httparse::Response::new(&mut []);
        match httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, slots) {
            Ok(Status::Complete(length)) if length == bytes.len() => {}
            Ok(Status::Complete(_) | Status::Partial) => return Err(HeadError::Malformed),
            Err(error) => return Err(error.into()),
        }
        let status = response.code.ok_or(HeadError::Malformed)?;
        Ok(Self { status, headers: response.headers })
    }

    /// Whether another head follows for the same request.
    pub(crate) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// How the body is framed, for a request that was a `HEAD` or not.
    pub(crate) fn body(&self, is_head: bool) -> Result<Body, HeadError> {
        if is_head || self.is_interim() || matches!(self.status, 204 | 304) {
            return Ok(Body::of_length(0));
        }
        if values(self.headers, "transfer-encoding").next().is_some() {
            no_length(self.headers)?;
            // Any other coding ends with the connection (RFC 9112, 6.3, rule 4).
            return Ok(if is_chunked_only(self.headers) { Body::chunked() } else { Body::UntilClose });
        }
        Ok(content_length(self.headers)?.map_or(Body::UntilClose, Body::of_length))
    }
}

impl From<httparse::Error> for HeadError {
    fn from(error: httparse::Error) -> Self {
        match error {
            httparse::Error::TooManyHeaders => Self::TooLarge,
            httparse::Error::HeaderName
            | httparse::Error::HeaderValue
            | httparse::Error::NewLine
            | httparse::Error::Status
            | httparse::Error::Token
            | httparse::Error::Version => Self::Malformed,
        }
    }
}

/// The values of the header lines of a name, in any case.
pub(crate) fn values<'a>(headers: &'a [Header<'a>], name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value)
}

fn has_word(headers: &[Header<'_>], name: &str, word: &str) -> bool {
    values(headers, name)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|part| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
}

fn is_chunked_only(headers: &[Header<'_>]) -> bool {
    let mut encodings = values(headers, "transfer-encoding");
    let first = encodings.next().unwrap_or_default();
    first.trim_ascii().eq_ignore_ascii_case(b"chunked") && encodings.next().is_none()
}

fn no_length(headers: &[Header<'_>]) -> Result<(), HeadError> {
    match values(headers, "content-length").next() {
        Some(_) => Err(HeadError::LengthAndEncoding),
        None => Ok(()),
    }
}

fn content_length(headers: &[Header<'_>]) -> Result<Option<u64>, HeadError> {
    let mut lengths = values(headers, "content-length");
    let Some(first) = lengths.next() else { return Ok(None) };
    // A sign would be taken by `parse`, and is no digit.
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    if lengths.next().is_some() || !is_number {
        return Err(HeadError::Length);
    }
    let text = std::str::from_utf8(first).map_err(|_| HeadError::Length)?;
    text.parse().map(Some).map_err(|_| HeadError::Length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_body(lines: &str) -> Result<Body, HeadError> {
        let bytes = format!("POST /a?b=1 HTTP/1.1\r\nHost: h\r\n{lines}\r\n");
        HeadEnd::default().find(bytes.as_bytes())?;
        RequestHead::parse(bytes.as_bytes(), &mut slots())?.body()
    }

    #[test]
    fn what_two_readers_could_understand_in_two_ways_is_refused() {
        for (lines, error) in [
            ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", HeadError::LengthAndEncoding),
            ("Content-Length: 3\r\nContent-Length: 3\r\n", HeadError::Length),
            ("Content-Length: 3\r\nContent-Length: 4\r\n", HeadError::Length),
            ("Content-Length: 3, 3\r\n", HeadError::Length),
            ("Content-Length: +3\r\n", HeadError::Length),
            ("Content-Length: 0x3\r\n", HeadError::Length),
            ("Content-Length:\r\n", HeadError::Length),
            ("Content-Length: 99999999999999999999\r\n", HeadError::Length),
            ("Transfer-Encoding: chunked, identity\r\n", HeadError::Encoding),
            ("Transfer-Encoding: xchunked\r\n", HeadError::Encoding),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", HeadError::Encoding),
            ("Transfer-Encoding : chunked\r\n", HeadError::Malformed),
            ("X: a\r\n folded\r\n", HeadError::Malformed),
            (" X: a\r\n", HeadError::Malformed),
            ("X: a\nContent-Length: 3\r\n", HeadError::BareLineFeed),
            ("X: a\rContent-Length: 3\r\n", HeadError::Malformed),
            ("X: a\0\r\n", HeadError::Malformed),
            ("Host: other\r\n", HeadError::TwoHosts),
        ] {
            assert_eq!(request_body(lines).expect_err(lines), error, "{lines}");
        }
        assert_eq!(request_body(""), Ok(Body::of_length(0)));
        assert_eq!(request_body("Content-Length: 3\r\n"), Ok(Body::of_length(3)));
        assert_eq!(request_body("Transfer-Encoding: Chunked\r\n"), Ok(Body::chunked()));
    }

    #[test]
    fn a_response_has_the_body_that_its_request_and_status_allow() {
        let body = |head: &str, is_head| {
            let bytes = format!("HTTP/1.1 {head}\r\n\r\n");
            ResponseHead::parse(bytes.as_bytes(), &mut slots())?.body(is_head)
        };
        assert_eq!(body("200 OK\r\nContent-Length: 5", false), Ok(Body::of_length(5)));
        assert_eq!(body("200 OK\r\nContent-Length: 5", true), Ok(Body::of_length(0)));
        assert_eq!(body("304 Not Modified\r\nContent-Length: 5", false), Ok(Body::of_length(0)));
        assert_eq!(body("204 No Content", false), Ok(Body::of_length(0)));
        assert_eq!(body("200 OK", false), Ok(Body::UntilClose));
        assert_eq!(body("200 OK\r\nTransfer-Encoding: gzip", false), Ok(Body::UntilClose));
        assert_eq!(body("200 OK\r\nTransfer-Encoding: chunked", false), Ok(Body::chunked()));
        let both = "200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1";
        assert_eq!(body(both, false), Err(HeadError::LengthAndEncoding));
    }

    #[test]
    fn the_end_of_a_head_is_found_however_it_is_cut_and_within_its_limit() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET";
        let mut end = HeadEnd::default();
        for length in 0..27 {
            assert_eq!(end.find(&bytes[..length]), Ok(None), "{length}");
        }
        assert_eq!(end.find(bytes), Ok(Some(27)));
        assert_eq!(end.find(&[b'a'; HEAD_BYTES_MAX - 1]), Ok(None));
        assert_eq!(end.find(&[b'a'; HEAD_BYTES_MAX]), Err(HeadError::TooLarge));
    }

    #[test]
    fn a_target_is_parted_into_path_and_query_in_each_of_its_forms() {
        for (target, expected) in [
            ("/a/b?c=d", ("/a/b", "c=d")),
            ("/a", ("/a", "")),
            ("http://h:1/a?b", ("/a", "b")),
            ("http://h", ("/", "")),
            ("*", ("*", "")),
        ] {
            let head = RequestHead { method: "GET", target, is_http_1_0: false, headers: &[] };
            assert_eq!(head.path_and_query(), expected, "{target}");
        }
    }
}
