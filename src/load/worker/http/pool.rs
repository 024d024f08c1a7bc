//! The connections to one origin, and who has them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use tokio_util::bytes::Bytes;

use super::connect::Sender;
use super::{Client, Failure, Origin, Timings, Version};

/// How many requests at once share a connection of HTTP/2: what servers allow by default (RFC 9113, 6.5.2), so that none waits
/// unseen for its turn.
const HTTP2_STREAMS_MAX: usize = 100;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(super) origin: Origin,
    /// Connections of HTTP/1 that nobody uses; the last was used last.
    idle: Mutex<Vec<http1::SendRequest<Full<Bytes>>>>,
    shared: Mutex<Vec<Arc<Shared>>>,
    /// Held while a connection is opened that many will share.
    opening: tokio::sync::Mutex<()>,
}

/// A connection of HTTP/2.
#[derive(Debug)]
pub(super) struct Shared {
    sender: http2::SendRequest<Full<Bytes>>,
    in_use: AtomicUsize,
}

/// A connection for one request.
#[derive(Debug)]
pub(super) enum Lease<'a> {
    Http1 { pool: &'a Pool, sender: http1::SendRequest<Full<Bytes>> },
    Http2(SharedLease),
}

/// A turn on a connection of HTTP/2.
#[derive(Debug)]
pub(super) struct SharedLease(Arc<Shared>);

impl Drop for SharedLease {
    fn drop(&mut self) {
        self.0.in_use.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    pub(super) fn new(origin: Origin) -> Self {
        Self { origin, idle: Mutex::default(), shared: Mutex::default(), opening: tokio::sync::Mutex::default() }
    }

    /// The connection that was used last, or a new one.
    pub(super) async fn lease(&self, client: &Client, timings: &mut Timings) -> Result<Lease<'_>, Failure> {
        while let Some(mut sender) = self.take_idle() {
            // It is closed where the server has closed it.
            if sender.ready().await.is_ok() {
                return Ok(Lease::Http1 { pool: self, sender });
            }
        }
        if client.connector.version() == Version::Http1 {
            return self.open(client, timings).await;
        }
        if let Some(lease) = self.take_shared() {
            return Ok(lease);
        }
        let _opening = self.opening.lock().await;
        match self.take_shared() {
            Some(lease) => Ok(lease),
            None => self.open(client, timings).await,
        }
    }

    async fn open(&self, client: &Client, timings: &mut Timings) -> Result<Lease<'_>, Failure> {
        match client.connector.connect(&self.origin, &client.counts, timings).await? {
            Sender::Http1(sender) => Ok(Lease::Http1 { pool: self, sender }),
            Sender::Http2(sender) => {
                let shared = Arc::new(Shared { sender, in_use: AtomicUsize::new(1) });
                lock(&self.shared).push(Arc::clone(&shared));
                Ok(Lease::Http2(SharedLease(shared)))
            }
        }
    }

    fn take_idle(&self) -> Option<http1::SendRequest<Full<Bytes>>> {
        lock(&self.idle).pop()
    }

    /// A turn on a connection that has one left.
    fn take_shared(&self) -> Option<Lease<'_>> {
        let mut shared = lock(&self.shared);
        shared.retain(|shared| !shared.sender.is_closed());
        // Nobody else takes turns while the list is locked.
        let free = shared.iter().find(|shared| shared.in_use.load(Ordering::Relaxed) < HTTP2_STREAMS_MAX)?;
        free.in_use.fetch_add(1, Ordering::Relaxed);
        Some(Lease::Http2(SharedLease(Arc::clone(free))))
    }
}

impl Lease<'_> {
    /// Whether requests name the whole URL.
    pub(super) fn version(&self) -> Version {
        match self {
            Self::Http1 { .. } => Version::Http1,
            Self::Http2(_) => Version::Http2,
        }
    }

    /// Sends a request; an error gives it back where nothing of it was sent.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        match self {
            Self::Http1 { sender, .. } => sender.try_send_request(request).await,
            Self::Http2(lease) => lease.0.sender.clone().try_send_request(request).await,
        }
    }

    /// Gives the connection back after an answer that came in whole. One that is dropped instead is closed, or its stream is.
    pub(super) fn give_back(self) {
        match self {
            Self::Http1 { pool, sender } if !sender.is_closed() => lock(&pool.idle).push(sender),
            Self::Http1 { .. } | Self::Http2(_) => {}
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
