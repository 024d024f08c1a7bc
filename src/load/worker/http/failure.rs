//! What is said of a request that came to nothing.

use std::error::Error as _;
use std::fmt;
use std::io;

use crate::load::frame::FailureKind;
use crate::unit::error_chain;

/// Why a request failed: its kind, which is counted, and what was seen, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) detail: String,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, detail: impl fmt::Display) -> Self {
        Self { kind, detail: detail.to_string() }
    }

    /// A connection on which something went wrong after it was there.
    pub(super) fn of_connection(error: &hyper::Error) -> Self {
        let kind = if error.is_parse() || is_http2_protocol_error(error) {
            FailureKind::Protocol
        } else if error.is_user() {
            FailureKind::Other
        } else {
            FailureKind::Broken
        };
        Self::new(kind, error_chain(error))
    }

    /// A connection that did not come about.
    pub(super) fn of_connect(error: &io::Error) -> Self {
        Self::new(FailureKind::Connect, error)
    }
}

/// Whether the other side broke the rules of HTTP/2, or speaks something else.
fn is_http2_protocol_error(error: &hyper::Error) -> bool {
    // hyper wraps what `h2` says, and gives its reason in words alone.
    error.source().is_some_and(|source| {
        let text = source.to_string();
        text.contains("protocol error") || text.contains("frame with invalid size")
    })
}
