//! The connections to one origin, and who has them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper::{Request, Response};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::bytes::Bytes;

use super::connect::{Connector, Opened, Sender};
use super::{Failure, Origin, Timings, Version};
use crate::load::failure::FailureKind;

/// How long a connection may lie idle. What is between here and the server may forget about it in silence: load balancers do so
/// after a minute, NAT gateways after six.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(super) origin: Origin,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Connections of HTTP/1 that nobody uses, since when; the last was used last.
    idle: VecDeque<(http1::SendRequest<Full<Bytes>>, Instant)>,
    shared: Vec<Arc<Shared>>,
    /// What the server speaks, once it was asked.
    spoken: Option<Version>,
    /// There while a connection is opened that many may share.
    opening: Option<watch::Receiver<Option<Opening>>>,
}

/// What came of a connection that many wait for.
#[derive(Debug, Clone)]
enum Opening {
    Opened,
    Failed(Failure),
}

/// A connection of HTTP/2.
#[derive(Debug)]
pub(super) struct Shared {
    sender: http2::SendRequest<Full<Bytes>>,
    in_use: AtomicUsize,
    /// How many requests at once the server takes.
    streams_max: Arc<AtomicUsize>,
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
        Self { origin, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, or a new one, which may take `limit` to come about.
    pub(super) async fn lease<'a>(
        self: &'a Arc<Self>,
        connector: &Connector,
        limit: Duration,
        timings: &mut Timings,
    ) -> Result<Lease<'a>, Failure> {
        while let Some(mut sender) = self.take_idle() {
            // It is closed where the server has closed it.
            if sender.ready().await.is_ok() {
                return Ok(Lease::Http1 { pool: self, sender });
            }
        }
        // On the heap, as it is rare and large: what each request takes with it stays small.
        if connector.version() == Version::Http1 {
            return Box::pin(self.open(connector, limit, timings)).await;
        }
        loop {
            let mut opening = match self.take_shared(connector, limit) {
                Turn::Taken(lease) => return Ok(Lease::Http2(lease)),
                Turn::Alone => return Box::pin(self.open(connector, limit, timings)).await,
                Turn::Waits(opening) => opening,
            };
            // Whoever waits has as long as the connection itself, which began no later.
            match opening.wait_for(Option::is_some).await.as_deref() {
                Ok(Some(Opening::Failed(failure))) => return Err(failure.clone()),
                Ok(Some(Opening::Opened) | None) => {}
                Err(_) => return Err(Failure::new(FailureKind::Other, "the connection's task is gone")),
            }
            if let Some(sender) = self.take_idle() {
                return Ok(Lease::Http1 { pool: self, sender });
            }
        }
    }

    /// Opens a connection for one request alone.
    async fn open<'a>(
        self: &'a Arc<Self>,
        connector: &Connector,
        limit: Duration,
        timings: &mut Timings,
    ) -> Result<Lease<'a>, Failure> {
        let opened = connect(connector, &self.origin, limit).await?;
        (timings.connect, timings.tls) = (Some(opened.connect), opened.tls);
        match opened.sender {
            Sender::Http1(sender) => Ok(Lease::Http1 { pool: self, sender }),
            Sender::Http2 { sender, streams_max } => {
                let shared = Arc::new(Shared { sender, in_use: AtomicUsize::new(1), streams_max });
                self.state().shared.push(Arc::clone(&shared));
                Ok(Lease::Http2(SharedLease(shared)))
            }
        }
    }

    fn take_idle(&self) -> Option<http1::SendRequest<Full<Bytes>>> {
        let mut state = self.state();
        let (sender, since) = state.idle.pop_back()?;
        if since.elapsed() > IDLE_MAX {
            // Those below lie idle for longer still.
            state.idle.clear();
            return None;
        }
        Some(sender)
    }

    fn give_idle(&self, sender: http1::SendRequest<Full<Bytes>>, now: Instant) {
        let mut state = self.state();
        while state.idle.front().is_some_and(|(_, since)| now - *since > IDLE_MAX) {
            state.idle.pop_front();
        }
        state.idle.push_back((sender, now));
    }

    /// A turn on a connection that has one left; or else one is opened, by a task that outlives whoever asked for it.
    fn take_shared(self: &Arc<Self>, connector: &Connector, limit: Duration) -> Turn {
        let mut state = self.state();
        if state.spoken == Some(Version::Http1) {
            return Turn::Alone;
        }
        state.shared.retain(|shared| !shared.sender.is_closed());
        // Nobody else takes turns while the list is locked.
        let is_free =
            |shared: &&Arc<Shared>| shared.in_use.load(Ordering::Relaxed) < shared.streams_max.load(Ordering::Relaxed);
        if let Some(free) = state.shared.iter().find(is_free) {
            free.in_use.fetch_add(1, Ordering::Relaxed);
            return Turn::Taken(SharedLease(Arc::clone(free)));
        }
        if let Some(opening) = &state.opening {
            return Turn::Waits(opening.clone());
        }
        let (told, opening) = watch::channel(None);
        state.opening = Some(opening.clone());
        let (pool, connector) = (Arc::clone(self), connector.clone());
        tokio::spawn(async move {
            let opened = connect(&connector, &pool.origin, limit).await;
            told.send_replace(Some(pool.take_in(opened)));
        });
        Turn::Waits(opening)
    }

    /// Keeps a connection that was opened for all.
    fn take_in(&self, opened: Result<Opened, Failure>) -> Opening {
        let mut state = self.state();
        state.opening = None;
        match opened.map(|opened| opened.sender) {
            Ok(Sender::Http1(sender)) => {
                state.spoken = Some(Version::Http1);
                state.idle.push_back((sender, Instant::now()));
            }
            Ok(Sender::Http2 { sender, streams_max }) => {
                state.spoken = Some(Version::Http2);
                state.shared.push(Arc::new(Shared { sender, in_use: AtomicUsize::new(0), streams_max }));
            }
            Err(failure) => return Opening::Failed(failure),
        }
        Opening::Opened
    }
}

/// How a request comes to its connection.
enum Turn {
    Taken(SharedLease),
    /// The server shares none.
    Alone,
    Waits(watch::Receiver<Option<Opening>>),
}

async fn connect(connector: &Connector, origin: &Origin, limit: Duration) -> Result<Opened, Failure> {
    match timeout(limit, connector.connect(origin, Instant::now() + limit)).await {
        Ok(opened) => opened,
        Err(_) => Err(Failure::new(FailureKind::ConnectTimeout, "no connection in its time")),
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

    /// Gives the connection back after an answer that came in whole at `now`. One that is dropped instead is closed, or its stream is.
    pub(super) fn give_back(self, now: Instant) {
        match self {
            Self::Http1 { pool, sender } if !sender.is_closed() => pool.give_idle(sender, now),
            Self::Http1 { .. } | Self::Http2(_) => {}
        }
    }
}
