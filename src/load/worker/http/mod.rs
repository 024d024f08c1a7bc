//! HTTP as load needs it: connections of our own on hyper, each request timed, none repeated in secret.
//!
//! Owns: connections and their reuse, time limits, what an answer's failure is called. Must not know: journeys, plans.
//!
//! - The connection that was used last is used next (LIFO), so that what is not needed falls idle and is closed.
//! - A request goes to another connection only where not a byte of it was sent: a server may close an idle one at any time.
//! - No proxy is taken from the environment, since a load that went through one would measure it; no compression is asked for.

mod body;
mod connect;
mod failure;
mod origin;
mod pool;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{HOST, HeaderMap};
use hyper::{Method, Request, Response};
use tokio::time::{Instant, timeout_at};
use tokio_util::bytes::Bytes;

pub(crate) use self::connect::{Connector, TlsSetupError};
pub(crate) use self::failure::Failure;
pub(crate) use self::origin::{Origin, Target};
pub(crate) use self::pool::Pool;
use crate::load::frame::FailureKind;

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

/// What all users of a load share.
#[derive(Debug)]
pub(crate) struct Client {
    connector: Connector,
    pools: Mutex<HashMap<Origin, Arc<Pool>>>,
    counts: Arc<ConnectionCounts>,
}

/// A request that is ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How long each stage of a request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Name look-up, TCP and TLS of a new connection.
    pub(crate) connect: Duration,
    /// From the request to the answer's head, where that has a limit of its own.
    pub(crate) first_byte: Option<Duration>,
    /// All of it, to the last byte of the body.
    pub(crate) total: Duration,
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
    pub(crate) timings: Timings,
    /// Bytes of body received.
    pub(crate) bytes: u64,
}

impl Client {
    pub(crate) fn new(connector: Connector) -> Self {
        Self { connector, pools: Mutex::default(), counts: Arc::default() }
    }

    /// How many connections there are.
    pub(crate) fn counts(&self) -> &ConnectionCounts {
        &self.counts
    }

    /// Allows requests to an origin, and gives the connections to it.
    pub(crate) fn allow(&self, origin: Origin) -> Arc<Pool> {
        Arc::clone(self.pools().entry(origin.clone()).or_insert_with(|| Arc::new(Pool::new(origin))))
    }

    /// The connections to an origin; none where requests to it are not allowed.
    pub(crate) fn pool(&self, origin: &Origin) -> Option<Arc<Pool>> {
        self.pools().get(origin).map(Arc::clone)
    }

    fn pools(&self) -> MutexGuard<'_, HashMap<Origin, Arc<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request over one of the pool's connections and receives its answer to the last byte. The body is kept where
    /// `keeps_body`.
    pub(crate) async fn send(&self, pool: &Pool, outgoing: Outgoing, limits: Limits, keeps_body: bool) -> Outcome {
        let mut timings = Timings::default();
        let mut bytes = 0;
        let exchange = self.exchange(pool, outgoing, limits, keeps_body, &mut timings, &mut bytes);
        let answer = match timeout_at(Instant::now() + limits.total, exchange).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::new(FailureKind::Timeout, "its time was over before all of the answer was there")),
        };
        Outcome { answer, timings, bytes }
    }

    async fn exchange(
        &self,
        pool: &Pool,
        outgoing: Outgoing,
        limits: Limits,
        keeps_body: bool,
        timings: &mut Timings,
        bytes: &mut u64,
    ) -> Result<Received, Failure> {
        let Outgoing { method, target, mut headers, body } = outgoing;
        loop {
            let mut lease = match timeout_at(Instant::now() + limits.connect, pool.lease(self, timings)).await {
                Ok(lease) => lease?,
                Err(_) => return Err(Failure::new(FailureKind::ConnectTimeout, "no connection in its time")),
            };
            let is_new = timings.connect.is_some();
            let mut request = Request::new(Full::new(body.clone()));
            *request.method_mut() = method.clone();
            match lease.version() {
                Version::Http1 => {
                    *request.uri_mut() = target.path();
                    headers.entry(HOST).or_insert_with(|| target.host.clone());
                }
                Version::Http2 => {
                    *request.uri_mut() = target.absolute();
                    *request.version_mut() = hyper::Version::HTTP_2;
                }
            }
            *request.headers_mut() = std::mem::take(&mut headers);
            let sent = Instant::now();
            let answered = match limits.first_byte {
                None => lease.send(request).await,
                Some(limit) => match timeout_at(sent + limit, lease.send(request)).await {
                    Ok(answered) => answered,
                    Err(_) => return Err(Failure::new(FailureKind::Timeout, "no answer began in its time")),
                },
            };
            let response: Response<Incoming> = match answered {
                Ok(response) => response,
                Err(mut error) => match error.take_message() {
                    // It was idle for so long that the server closed it in that very moment.
                    Some(unsent) if !is_new => {
                        headers = unsent.into_parts().0.headers;
                        continue;
                    }
                    Some(_) | None => return Err(Failure::of_connection(error.error())),
                },
            };
            timings.first_byte = Some(sent.elapsed());
            let (head, incoming) = response.into_parts();
            let body = body::receive(incoming, keeps_body, bytes).await?;
            lease.give_back();
            return Ok(Received { status: head.status.as_u16(), headers: head.headers, body });
        }
    }
}
