//! A client's side of a connection, after its handshake and during a stalled one.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

/// How much of a client's first messages is kept while its handshake is stalled; the rest waits in the system's buffers.
const HELD_BYTES_MAX: u64 = 16 * 1024;

/// A stream whose first bytes were read already, and are read again.
pub(super) struct Held<S> {
    stream: S,
    bytes: Vec<u8>,
    given: usize,
}

impl<S: AsyncRead + Unpin> Held<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, bytes: Vec::new(), given: 0 }
    }

    /// Waits for the first byte, which is kept; false where the client leaves without one. It may be dropped at any time, and
    /// nothing is lost.
    pub(super) async fn has_begun(&mut self) -> bool {
        let read = (&mut self.stream).take(HELD_BYTES_MAX).read_buf(&mut self.bytes).await;
        matches!(read, Ok(1..))
    }

    /// Reads and keeps what comes, and ends when the client leaves. It may be dropped at any time, and nothing is lost.
    pub(super) async fn until_left(&mut self) {
        loop {
            let kept = u64::try_from(self.bytes.len()).unwrap_or(u64::MAX);
            let room = HELD_BYTES_MAX.saturating_sub(kept);
            if room == 0 {
                return std::future::pending().await;
            }
            match (&mut self.stream).take(room).read_buf(&mut self.bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Held<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = this.bytes.get(this.given..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, into);
        }
        let now = rest.get(..into.remaining()).unwrap_or(rest);
        into.put_slice(now);
        this.given += now.len();
        if this.given == this.bytes.len() {
            this.bytes = Vec::new();
            this.given = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Held<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A client whose handshake is done: what it says, in clear.
///
/// Its end reads as an end with or without a `close_notify`, which many clients leave out; what a client sends is framed by
/// its own protocol. Shutting down sends a `close_notify` and closes this direction alone.
pub struct ClientStream<S> {
    stream: TlsStream<Held<S>>,
}

impl<S> ClientStream<S> {
    pub(super) fn new(stream: TlsStream<Held<S>>) -> Self {
        Self { stream }
    }

    /// The stream below, as to make its close a reset.
    pub fn transport(&self) -> &S {
        &self.stream.get_ref().0.stream
    }
}

impl<S> std::fmt::Debug for ClientStream<S> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ClientStream")
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ClientStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match Pin::new(&mut self.stream).poll_read(context, into) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
            other => other,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ClientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    #[tokio::test]
    async fn what_was_held_is_read_again_before_the_rest() {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let mut held = Held::new(server);
        client.write_all(b"hello, ").await.unwrap();
        tokio::select! {
            biased;
            () = held.until_left() => panic!("the client is still there"),
            () = std::future::ready(()) => {}
        }
        client.write_all(b"world").await.unwrap();
        drop(client);
        let mut text = String::new();
        held.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello, world");
    }

    #[tokio::test]
    async fn no_more_is_held_than_the_limit_and_nothing_is_lost() {
        let sent = usize::try_from(HELD_BYTES_MAX).unwrap() + 1;
        let (mut client, server) = tokio::io::duplex(2 * sent);
        let mut held = Held::new(server);
        client.write_all(&vec![7; sent]).await.unwrap();
        drop(client);
        tokio::select! {
            biased;
            () = held.until_left() => panic!("it reads no further than the limit"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(held.bytes.len(), sent - 1);
        let mut all = Vec::new();
        held.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), sent);
    }
}
