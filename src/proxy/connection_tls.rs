//! One client with its connection to the server where one of them speaks TLS, which ends here: toxics and rules work on
//! what is inside.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Protocol;
use super::connection::{self, ConnectionContext};
use super::link::LinkEnd;
use super::splice::Side;
use super::tls::{Leg, ProxyTls};
use super::upstream::Upstream;

/// How long a side may take for what was delivered to it when a toxic closes the connection.
const LAST_BYTES_WAIT: Duration = Duration::from_secs(2);

/// Serves one client as [`connection::serve`] does. The server is called when the client's handshake is done, so that it
/// never hears of a client that was refused.
///
/// Where the server can not be reached or fails, its handshake included, the client sees a reset.
pub(super) async fn serve(client: TcpStream, number: u64, context: &ConnectionContext, tls: &Arc<ProxyTls>) {
    let Ok(client) = tls.accept(client).await else {
        context.counters.tls_client_failures.add(1);
        return;
    };
    let server = match context.protocol {
        Protocol::Tcp => match connect(context, tls).await {
            Ok(server) => Upstream::Connected(server),
            Err(_) => {
                connection::reset(client.transport());
                return;
            }
        },
        Protocol::Http | Protocol::Connect => {
            let (context, tls) = (context.clone(), Arc::clone(tls));
            Upstream::new(async move { connect(&context, &tls).await })
        }
    };
    relay(&SharedLeg::new(Upstream::Connected(client)), &SharedLeg::new(server), number, context).await;
}

/// Connects to the server and takes it through its handshake, if it speaks TLS; counts where that fails.
async fn connect(context: &ConnectionContext, tls: &ProxyTls) -> io::Result<Leg<TcpStream>> {
    let server = connection::connect(context, &context.upstream).await?;
    let shaken = tls.connect(server).await;
    context.counters.tls_upstream_failures.add(u64::from(shaken.is_err()));
    shaken.map_err(io::Error::other)
}

/// Runs the two links, and sees to it that what they wrote goes out.
async fn relay(client: &SharedLeg<TcpStream>, server: &SharedLeg<TcpStream>, number: u64, context: &ConnectionContext) {
    let links = async {
        match context.protocol {
            Protocol::Tcp => {
                connection::join(client.handle(), client.handle(), server.handle(), server.handle(), number, context)
                    .await
            }
            Protocol::Http | Protocol::Connect => {
                let stream = connection::http_stream(server.handle(), context);
                let (server_reader, server_writer) = stream.split();
                connection::join(client.handle(), client.handle(), server_reader, server_writer, number, context).await
            }
        }
    };
    let outcome = tokio::select! {
        // The links come first: what they have just written is flushed in the same turn.
        biased;
        outcome = links => outcome,
        never = client.keep_flushing() => match never {},
        never = server.keep_flushing() => match never {},
    };
    match outcome {
        Ok(()) => {}
        // Whoever is left with an open direction sees what the other side did: an end that TLS does not vouch for.
        Err(LinkEnd::BrokenOff) if server.is_cut() && client.is_sealed() => flush(client, server).await,
        Err(LinkEnd::Closed) => flush(client, server).await,
        Err(LinkEnd::BrokenOff) => {
            for side in [client, server] {
                if let Some(leg) = side.lock().leg.stream() {
                    connection::reset(leg.transport());
                }
            }
        }
    }
}

/// Delivers what is still under way. A side that takes nothing any more has all that it will get.
async fn flush(client: &SharedLeg<TcpStream>, server: &SharedLeg<TcpStream>) {
    let flushed = async { tokio::join!(client.flush(), server.flush()) };
    tokio::time::timeout(LAST_BYTES_WAIT, flushed).await.ok();
}

/// A leg that is read, written and flushed by turns, all in one task, so that nobody ever waits for its lock.
///
/// A link takes what a write took as delivered, as it is with a socket. TLS may still hold it, as a record that did not
/// fit into the socket's buffer, and sends it when it is flushed.
struct SharedLeg<S>(Mutex<Flushable<S>>);

struct Flushable<S> {
    leg: Upstream<Leg<S>>,
    /// Whether something was written since the last flush.
    is_dirty: bool,
    /// Whether it ended without a `close_notify`.
    is_cut: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> SharedLeg<S> {
    fn new(leg: Upstream<Leg<S>>) -> Self {
        Self(Mutex::new(Flushable { leg, is_dirty: false, is_cut: false }))
    }

    fn lock(&self) -> MutexGuard<'_, Flushable<S>> {
        self.0.lock().expect("invariant: who held it has not panicked, or this task is gone")
    }

    fn is_cut(&self) -> bool {
        self.lock().is_cut
    }

    /// Whether it has TLS, by which it sees that an end is not vouched for.
    fn is_sealed(&self) -> bool {
        !matches!(self.lock().leg.stream(), Some(Leg::Plain(_)) | None)
    }

    fn handle(&self) -> LegHandle<'_, S> {
        LegHandle(self)
    }

    /// Sends what was written. A side that has gone needs no more, and its link is told by its next write or read.
    fn poll_sent(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut shared = self.lock();
        if shared.is_dirty {
            ready!(Pin::new(&mut shared.leg).poll_flush(context)).ok();
            shared.is_dirty = false;
        }
        Poll::Ready(())
    }

    async fn flush(&self) {
        poll_fn(|context| self.poll_sent(context)).await;
    }

    /// Flushes whenever this task has written.
    async fn keep_flushing(&self) -> Infallible {
        poll_fn(|context| match self.poll_sent(context) {
            Poll::Ready(()) | Poll::Pending => Poll::Pending,
        })
        .await
    }
}

/// One of those that use a leg.
struct LegHandle<'a, S>(&'a SharedLeg<S>);

/// Its bytes are sealed and opened on the way, and do not go from socket to socket.
impl<S> Side for LegHandle<'_, S> {}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for LegHandle<'_, S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.0.lock();
        let read = ready!(Pin::new(&mut shared.leg).poll_read(context, into));
        shared.is_cut |= read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::UnexpectedEof);
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LegHandle<'_, S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.0.lock();
        shared.is_dirty = true;
        Pin::new(&mut shared.leg).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().leg).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.lock().leg).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::time::timeout;

    use super::*;
    use crate::proxy::{ClientTls, TlsSpec, UpstreamTls};
    use crate::unit::Clock;

    const PIPE_BYTES: usize = 1024;
    const WRITTEN_BYTES: usize = 8 * PIPE_BYTES;

    fn tls(spec: &TlsSpec) -> ProxyTls {
        ProxyTls::new(spec, &"cards.example.test:443".parse().unwrap(), Clock::start().now()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_write_took_goes_out_without_another_write() {
        let server = tls(&TlsSpec { client: Some(ClientTls::default()), upstream: None });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        std::fs::write(&path, server.terminator().unwrap().ca_pem().unwrap()).unwrap();
        let client = tls(&TlsSpec { client: None, upstream: Some(UpstreamTls { authorities: Some(path) }) });
        let (near, far) = tokio::io::duplex(PIPE_BYTES);
        let (near, far) = tokio::join!(client.connect(near), server.accept(far));
        let (mut near, far) = (near.unwrap(), SharedLeg::new(Upstream::Connected(far.unwrap())));

        let written = far.handle().write(&[7; WRITTEN_BYTES]).await.unwrap();
        assert_eq!(written, WRITTEN_BYTES, "it counts as delivered, although the pipe holds less");
        let mut received = vec![0; WRITTEN_BYTES];
        let read = tokio::select! {
            biased;
            read = timeout(LAST_BYTES_WAIT, near.read_exact(&mut received)) => read,
            never = far.keep_flushing() => match never {},
        };
        read.expect("all comes out").unwrap();
        assert_eq!(received, [7; WRITTEN_BYTES]);
    }
}
