//! Why a request did not meet its expectations.

use serde::{Deserialize, Serialize};

/// Why a request did not meet its expectations; the first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The server's name is not known.
    Dns,
    /// No connection: refused, unreachable.
    Connect,
    /// No connection in its time, name look-up and TLS included.
    ConnectTimeout,
    /// A certificate or a handshake that is not good.
    Tls,
    /// Given up at the step's `timeout`.
    Timeout,
    /// A connection that broke off before all of the answer was there.
    Broken,
    /// An answer that is not HTTP, or breaks its rules.
    Protocol,
    /// More redirects than are followed, or one that leads nowhere.
    Redirect,
    /// A URL on a host that the load does not name.
    Elsewhere,
    /// This machine has no descriptor, no port or no memory left for a connection.
    Exhausted,
    /// There was nothing to sign it with.
    Credentials,
    /// Status 429, or a code of AWS that says the same: the server throttles.
    Throttled,
    /// A status that was not expected.
    Status,
    /// A header that was not expected, or is not there.
    Header,
    /// A body that was not expected.
    Body,
    /// The function that was invoked failed, or ran out of time or memory.
    FunctionError,
    /// The service took the request, and not the message in it.
    Rejected,
    /// A value to capture was not in the answer.
    Capture,
    /// All as expected, but later than `within`.
    Slow,
    /// A request that could not be made of the captured values, or anything else.
    Other,
}

const _: () = assert!(FailureKind::ALL.len() == FailureKind::Other as usize + 1, "`ALL` names every kind");

impl FailureKind {
    /// Every kind, in order.
    pub const ALL: [Self; 20] = [
        Self::Dns,
        Self::Connect,
        Self::ConnectTimeout,
        Self::Tls,
        Self::Timeout,
        Self::Broken,
        Self::Protocol,
        Self::Redirect,
        Self::Elsewhere,
        Self::Exhausted,
        Self::Credentials,
        Self::Throttled,
        Self::Status,
        Self::Header,
        Self::Body,
        Self::FunctionError,
        Self::Rejected,
        Self::Capture,
        Self::Slow,
        Self::Other,
    ];

    /// The kind's name in frames and events.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Broken => "broken",
            Self::Protocol => "protocol",
            Self::Redirect => "redirect",
            Self::Elsewhere => "elsewhere",
            Self::Exhausted => "exhausted",
            Self::Credentials => "credentials",
            Self::Throttled => "throttled",
            Self::Status => "status",
            Self::Header => "header",
            Self::Body => "body",
            Self::FunctionError => "function_error",
            Self::Rejected => "rejected",
            Self::Capture => "capture",
            Self::Slow => "slow",
            Self::Other => "other",
        }
    }

    /// Whether no answer came, so that the server may be down.
    #[must_use]
    pub fn is_no_answer(self) -> bool {
        match self {
            Self::Dns
            | Self::Connect
            | Self::ConnectTimeout
            | Self::Tls
            | Self::Broken
            | Self::Protocol
            | Self::Elsewhere
            | Self::Exhausted
            | Self::Credentials
            | Self::Other => true,
            Self::Timeout
            | Self::Redirect
            | Self::Throttled
            | Self::Status
            | Self::Header
            | Self::Body
            | Self::FunctionError
            | Self::Rejected
            | Self::Capture
            | Self::Slow => false,
        }
    }
}
