//! HTTP as load needs it: connections of our own on hyper, each request timed, none repeated in secret.
//!
//! Owns: connections and their reuse, time limits, what an answer's failure is called. Must not know: journeys, plans.
//!
//! - The connection that was used last is used next (LIFO), so that what is not needed falls idle; after 50 s it is closed.
//! - A request goes to another connection only where not a byte of it was sent: a server may close an idle one at any time.
//! - No proxy is taken from the environment, since a load that went through one would measure it; no compression is asked for.

mod body;
mod client;
mod connect;
mod failure;
mod origin;
mod pool;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::Method;
use hyper::header::HeaderMap;
use tokio::time::Instant;
use tokio_util::bytes::Bytes;

pub(crate) use self::client::Client;
pub(crate) use self::connect::{Connector, TlsSetupError};
pub(crate) use self::failure::Failure;
pub(crate) use self::origin::{Origin, Target};
pub(crate) use self::pool::Pool;

/// The HTTP version that connections speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.1, one request at a time on each connection.
    Http1,
    /// HTTP/2 where a server agrees to it in its TLS handshake, and always in the clear.
    Http2,
}

/// How many connections there are.
#[derive(Debug, Default)]
pub(crate) struct ConnectionCounts {
    open: AtomicU64,
    opened: AtomicU64,
}

impl ConnectionCounts {
    /// Those that are open now.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    /// All that were ever opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

/// A request that is ready to be sent; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) target: Arc<Target>,
    pub(crate) headers: Arc<HeaderMap>,
    pub(crate) body: Bytes,
}

/// How long stages of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Name look-up, TCP and TLS of a new connection.
    pub(crate) connect: Duration,
    /// From the request to the answer's head, where that has a limit of its own.
    pub(crate) first_byte: Option<Duration>,
}

/// Where the time of a request went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Timings {
    /// Name look-up and TCP, where a connection was opened for it.
    pub(crate) connect: Option<Duration>,
    /// The TLS handshake, where there was one.
    pub(crate) tls: Option<Duration>,
    /// From when the request was sent to the answer's head; none where none came.
    pub(crate) first_byte: Option<Duration>,
}

/// An answer that came in whole.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The body, as far as it was kept: at most 1 MiB, and nothing where it is not looked at.
    pub(crate) body: Bytes,
}

/// What came of a request.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answer: Result<Received, Failure>,
    /// The status of the last answer that came in whole, also where that is not what was looked for.
    pub(crate) status: Option<u16>,
    pub(crate) timings: Timings,
    /// Bytes of body received.
    pub(crate) bytes: u64,
    /// When that was known.
    pub(crate) ended: Instant,
}

impl Outcome {
    /// Of a request that was not sent.
    pub(crate) fn unsent(failure: Failure) -> Self {
        Self { answer: Err(failure), status: None, timings: Timings::default(), bytes: 0, ended: Instant::now() }
    }
}
