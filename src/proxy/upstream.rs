//! Reaching the server: its name is looked up for every connection, and each of its addresses is tried.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::UpstreamAddress;
use super::splice::{Pipe, Side};
use crate::unit::connect_to_any;

/// How long the server may take to accept a connection, its name's look-up included.
const UPSTREAM_CONNECT_WAIT: Duration = Duration::from_secs(10);

/// Connects to the first address that accepts. One that keeps silent has its share of the time, so that the next one
/// still gets its chance.
pub(super) async fn connect(upstream: &UpstreamAddress) -> io::Result<TcpStream> {
    let deadline = Instant::now() + UPSTREAM_CONNECT_WAIT;
    let addresses: Vec<_> = timeout_at(deadline, tokio::net::lookup_host(upstream.as_str())).await??.collect();
    connect_to_any(&addresses, deadline).await
}

/// A server's connection that may still be under way. Where it comes to nothing, each read and write says
/// [`io::ErrorKind::NotConnected`].
pub(super) enum Upstream<S> {
    Connecting(Pin<Box<dyn Future<Output = io::Result<S>> + Send>>),
    Connected(S),
    Missing,
}

impl<S: Unpin> Upstream<S> {
    pub(super) fn new(connecting: impl Future<Output = io::Result<S>> + Send + 'static) -> Self {
        Self::Connecting(Box::pin(connecting))
    }

    /// The connection, if there is one.
    pub(super) fn stream(&self) -> Option<&S> {
        match self {
            Self::Connected(stream) => Some(stream),
            Self::Connecting(_) | Self::Missing => None,
        }
    }

    /// The connection as soon as there is one.
    fn poll_connected(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Pin<&mut S>>> {
        if let Self::Connecting(connecting) = self {
            *self = ready!(connecting.as_mut().poll(context)).map_or(Self::Missing, Self::Connected);
        }
        Poll::Ready(match self {
            Self::Connected(stream) => Ok(Pin::new(stream)),
            Self::Connecting(_) | Self::Missing => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Upstream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_connected(context))?.poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Upstream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_connected(context))?.poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Self::Connected(stream) => Pin::new(stream).poll_flush(context),
            Self::Connecting(_) | Self::Missing => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Self::Connected(stream) = &mut *self {
            return Pin::new(stream).poll_shutdown(context);
        }
        // The client has left before the server was reached, or it has none.
        *self = Self::Missing;
        Poll::Ready(Ok(()))
    }
}

impl<S: Side + Unpin> Side for Upstream<S> {
    fn spliceable(&self) -> usize {
        self.stream().map_or(0, Side::spliceable)
    }

    fn poll_splice_in(&mut self, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
        ready!(self.poll_connected(context))?.poll_splice_in(context, pipe, most)
    }

    fn poll_splice_out(&mut self, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
        ready!(self.poll_connected(context))?.poll_splice_out(context, pipe, most)
    }
}
