//! The accept loop of one proxy: takes clients in and never waits for any of them.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, ConnectionContext};
use super::limit::{Descriptors, Limits};

/// How long the loop waits before it accepts again after the system could not give it a connection, for want of
/// descriptors for example.
const ACCEPT_RETRY_WAIT: Duration = Duration::from_millis(50);

/// The open connections of one proxy. They may outlive the listener that took them in.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    limits: Limits,
    tasks: TaskTracker,
    /// Closes those that are open; what comes later has another one.
    closing: Arc<Mutex<CancellationToken>>,
}

impl Connections {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, tasks: TaskTracker::new(), closing: Arc::default() }
    }

    /// Serves a client; one too many is closed at once and counted as refused.
    fn take(&self, client: TcpStream, number: u64, context: ConnectionContext) {
        context.counters.connections_total.add(1);
        let Some(place) = self.limits.admit(self.tasks.len()) else {
            context.counters.connections_refused.add(1);
            return;
        };
        let closing = self.closing().clone();
        self.tasks.spawn(async move {
            closing.run_until_cancelled(connection::serve(client, number, context)).await;
            drop(place);
        });
    }

    /// The descriptors that its connections share with all others of the process.
    pub(crate) fn descriptors(&self) -> Descriptors {
        self.limits.descriptors()
    }

    fn closing(&self) -> MutexGuard<'_, CancellationToken> {
        self.closing.lock().expect("invariant: nobody panics who holds it")
    }

    /// Begins to close the connections that are open now; those that come later are served.
    pub(crate) fn close_open(&self) {
        std::mem::take(&mut *self.closing()).cancel();
    }

    /// Closes every connection; when it returns, all of them are closed. Nobody may come meanwhile.
    pub(crate) async fn close(&mut self) {
        self.close_open();
        self.tasks.close();
        self.tasks.wait().await;
        *self = Self::new(self.limits.clone());
    }
}

/// A listener at work.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Listener {
    /// Binds the address and begins to accept. `numbers` gives each connection its number, across restarts of the
    /// listener, so that no two connections of a proxy draw the same chances.
    pub(crate) async fn start(
        address: SocketAddr,
        numbers: Arc<AtomicU64>,
        connections: Connections,
        context: ConnectionContext,
    ) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(accept(socket, numbers, connections, context, stop.clone()));
        Ok(Self { address, stop, task })
    }

    /// The address that it is bound to, with the port that the system chose if it was asked to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting; when it returns, the port is free. Connections go on.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        // The task fails only by a panic, which was reported, and the socket is closed either way.
        self.task.await.ok();
    }
}

async fn accept(
    socket: TcpListener,
    numbers: Arc<AtomicU64>,
    connections: Connections,
    context: ConnectionContext,
    stop: CancellationToken,
) {
    while let Some(accepted) = stop.run_until_cancelled(socket.accept()).await {
        match accepted {
            Ok((client, _)) => connections.take(client, numbers.fetch_add(1, Ordering::Relaxed), context.clone()),
            Err(_) => tokio::time::sleep(ACCEPT_RETRY_WAIT).await,
        }
    }
}
