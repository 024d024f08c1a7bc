//! Listening on 127.0.0.1, and on nothing else; reading bodies with a limit.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::serve::ListenerExt as _;
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::SandboxError;

/// How long requests under way may take to end once their server stops.
const STOP_MAX: Duration = Duration::from_secs(5);

/// How much of a body that is too large is still read, so that its sender sees the answer and not a reset.
const DRAIN_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A port that is held but not served yet.
#[derive(Debug)]
pub(super) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Holds `port` (0: any free one) of 127.0.0.1.
    pub(super) async fn bind(port: u16) -> Result<Self, SandboxError> {
        let listen = |source| SandboxError::Listen { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self { listener, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `router` until the server is stopped or dropped.
    pub(super) fn serve(self, router: Router) -> Server {
        let stop = CancellationToken::new();
        let listener = self.listener.tap_io(|stream| {
            // Without it each small answer on a kept connection may wait 40 ms for an acknowledgement.
            stream.set_nodelay(true).ok();
        });
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            // Its error type is never made: accepting retries by itself.
            serving.await.ok();
        });
        Server { address: self.address, stop, task }
    }
}

/// A running server. Dropping it closes the port.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the port, and waits for requests under way, at most [`STOP_MAX`].
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        // On a late request the drop below ends the server.
        tokio::time::timeout(STOP_MAX, &mut self.task).await.ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.task.abort();
    }
}

/// Why a body could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyError {
    /// More than the limit.
    TooLarge,
    /// The sender went away.
    Broken,
}

/// Reads a whole body of at most `bytes_max`.
pub(super) async fn read_body(mut body: Body, bytes_max: usize) -> Result<Bytes, BodyError> {
    let mut read = Vec::new();
    let mut dropped_bytes = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if read.len() + data.len() <= bytes_max && dropped_bytes == 0 {
            read.extend_from_slice(&data);
            continue;
        }
        dropped_bytes += data.len();
        if dropped_bytes > DRAIN_BYTES_MAX {
            break;
        }
    }
    if dropped_bytes == 0 { Ok(read.into()) } else { Err(BodyError::TooLarge) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_over_the_limit_is_too_large_and_one_at_the_limit_is_not() {
        assert_eq!(read_body(Body::from("12345"), 5).await, Ok(Bytes::from("12345")));
        assert_eq!(read_body(Body::from("123456"), 5).await, Err(BodyError::TooLarge));
    }
}
