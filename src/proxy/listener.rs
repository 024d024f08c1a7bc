//! The accept loop of one proxy: takes clients in and never waits for any of them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::connection::{self, ConnectionContext};

/// How many connections of one proxy may be open; one more is closed at once and counted as refused.
const CONNECTIONS_OPEN_MAX: usize = 16_384;

/// How long the loop waits before it accepts again after the system could not give it a connection, for want of
/// descriptors for example.
const ACCEPT_RETRY_WAIT: Duration = Duration::from_millis(50);

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
        context: ConnectionContext,
    ) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(accept(socket, numbers, context, stop.clone()));
        Ok(Self { address, stop, task })
    }

    /// The address that it is bound to, with the port that the system chose if it was asked to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and closes every connection; when it returns, the port is free.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        // The task fails only by a panic, which was reported, and the socket is closed either way.
        self.task.await.ok();
    }
}

async fn accept(socket: TcpListener, numbers: Arc<AtomicU64>, context: ConnectionContext, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            // A connection that panicked ends like any other: the proxy goes on.
            Some(_) = connections.join_next() => {}
            accepted = socket.accept() => match accepted {
                Ok((client, _)) => {
                    context.counters.connections_total.add(1);
                    if connections.len() < CONNECTIONS_OPEN_MAX {
                        let number = numbers.fetch_add(1, Ordering::Relaxed);
                        connections.spawn(connection::serve(client, number, context.clone()));
                    } else {
                        context.counters.connections_refused.add(1);
                    }
                }
                Err(_) => tokio::time::sleep(ACCEPT_RETRY_WAIT).await,
            },
        }
    }
    drop(socket);
    connections.shutdown().await;
}
