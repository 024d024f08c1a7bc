//! What is said of a request that came to nothing.

use std::error::Error as _;
use std::fmt;
use std::io;

use rustix::io::Errno;

use crate::load::failure::FailureKind;
use crate::unit::error_chain;

/// Why a request failed: its kind, which is counted, and what was seen, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) detail: String,
}

/// The longest detail that is told.
const DETAIL_CHARS_MAX: usize = 400;

impl Failure {
    pub(crate) fn new(kind: FailureKind, detail: impl fmt::Display) -> Self {
        Self { kind, detail: detail.to_string().chars().take(DETAIL_CHARS_MAX).collect() }
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
        let kind = match error.raw_os_error().map(Errno::from_raw_os_error) {
            // These tell of this machine: no descriptor, no port, no memory left.
            Some(Errno::MFILE | Errno::NFILE | Errno::ADDRNOTAVAIL | Errno::NOBUFS | Errno::NOMEM) => {
                FailureKind::Exhausted
            }
            Some(_) | None if error.kind() == io::ErrorKind::TimedOut => FailureKind::ConnectTimeout,
            Some(_) | None => FailureKind::Connect,
        };
        Self::new(kind, error)
    }
}

/// Whether the other side broke the rules of HTTP/2, or speaks something else.
fn is_http2_protocol_error(error: &hyper::Error) -> bool {
    let reason = error.source().and_then(|source| source.downcast_ref::<h2::Error>()).and_then(h2::Error::reason);
    matches!(reason, Some(h2::Reason::PROTOCOL_ERROR | h2::Reason::FRAME_SIZE_ERROR | h2::Reason::COMPRESSION_ERROR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_not_the_servers_failure() {
        for (errno, kind) in [
            (Errno::MFILE, FailureKind::Exhausted),
            (Errno::ADDRNOTAVAIL, FailureKind::Exhausted),
            (Errno::CONNREFUSED, FailureKind::Connect),
            (Errno::TIMEDOUT, FailureKind::ConnectTimeout),
        ] {
            assert_eq!(Failure::of_connect(&io::Error::from(errno)).kind, kind, "{errno}");
        }
    }
}
