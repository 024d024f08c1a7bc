//! A server's connection with an [`Engine`] in front: what is written to it are the client's bytes, what is read from it are
//! the bytes for the client.

use std::future::Future as _;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep};
use tokio_util::bytes::{Buf as _, BytesMut};

use super::engine::{Ending, Engine};
use super::rule::RuleSet;
use crate::proxy::counters::ProxyCounters;
use crate::proxy::splice::Side;

/// How many bytes one read of the server takes at least.
const READ_BYTES: usize = 8 * 1024;

/// See the module's text. Both of its halves are driven by one task.
pub(crate) struct HttpStream<S> {
    server: S,
    engine: Engine,
    rules: watch::Receiver<RuleSet>,
    /// The rules as they were last looked at.
    present: RuleSet,
    /// Resolves when the rules change; made while something is held.
    change: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    timer: Option<Pin<Box<Sleep>>>,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// How the server's side failed.
    failure: Option<io::Error>,
    counters: Arc<ProxyCounters>,
    counted: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> HttpStream<S> {
    pub(crate) fn new(server: S, mut rules: watch::Receiver<RuleSet>, counters: Arc<ProxyCounters>) -> Self {
        let present = rules.borrow_and_update().clone();
        Self {
            server,
            engine: Engine::new(),
            rules,
            present,
            change: None,
            timer: None,
            reader: None,
            writer: None,
            failure: None,
            counters,
            counted: 0,
        }
    }

    fn advance(&mut self, now: Instant) {
        // An error means that the proxy is gone, and its rules stay as they were.
        if self.rules.has_changed().unwrap_or(false) {
            self.present = self.rules.borrow_and_update().clone();
        }
        self.engine.advance(&self.present, now);
        let new = self.engine.requests - self.counted;
        if new > 0 {
            self.counters.requests.add(new);
            self.counted = self.engine.requests;
        }
    }

    /// Sends what is for the server; an error means that it takes no more, and what it said still counts.
    fn poll_flush_server(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.engine.to_server.is_empty() {
            let written = ready!(Pin::new(&mut self.server).poll_write(context, &self.engine.to_server))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.engine.to_server.advance(written);
        }
        self.engine.to_server = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Whether a moment has come at which something happens by itself.
    fn poll_due(&mut self, context: &mut Context<'_>) -> bool {
        let Some(due) = self.engine.due() else { return false };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(context).is_ready()
    }

    /// Whether the rules have changed while something is held.
    fn poll_change(&mut self, context: &mut Context<'_>) -> bool {
        if !self.engine.is_holding() {
            self.change = None;
            return false;
        }
        let change = self.change.get_or_insert_with(|| {
            let mut rules = self.rules.clone();
            Box::pin(async move {
                // When the proxy goes away its links end by themselves.
                if rules.changed().await.is_err() {
                    std::future::pending().await
                }
            })
        });
        let is_changed = change.as_mut().poll(context).is_ready();
        if is_changed {
            self.change = None;
        }
        is_changed
    }

    /// Reads from the server; false where nothing is there.
    fn poll_server(&mut self, context: &mut Context<'_>) -> bool {
        if !self.engine.has_server_room() {
            return false;
        }
        let input = &mut self.engine.server_input;
        if input.capacity() - input.len() < READ_BYTES / 2 {
            input.reserve(READ_BYTES);
        }
        // The future keeps no state, so that a new one may be made for each try.
        match pin!(self.server.read_buf(input)).poll(context) {
            Poll::Pending => return false,
            Poll::Ready(Ok(1..)) => {}
            Poll::Ready(Ok(0)) => self.engine.server_ended = true,
            Poll::Ready(Err(error)) => {
                self.engine.server_ended = true;
                self.failure = Some(error);
            }
        }
        true
    }

    fn wake(waker: &mut Option<Waker>) {
        if let Some(waker) = waker.take() {
            waker.wake();
        }
    }
}

/// Its bytes are looked at, and do not go from socket to socket.
impl<S> Side for tokio::io::ReadHalf<&mut HttpStream<S>> {
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

impl<S> Side for tokio::io::WriteHalf<&mut HttpStream<S>> {
    fn socket(&self) -> Option<&TcpStream> {
        None
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HttpStream<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            this.advance(Instant::now());
            // A server that takes no more may still have an answer.
            let is_flushed = !matches!(this.poll_flush_server(context), Poll::Pending);
            if this.engine.client_room() > 0 || this.engine.is_client_done() {
                Self::wake(&mut this.writer);
            }
            let waiting = &mut this.engine.to_client;
            if !waiting.is_empty() {
                let length = waiting.len().min(buffer.remaining());
                buffer.put_slice(waiting.split_to(length).as_ref());
                if waiting.is_empty() {
                    *waiting = BytesMut::new();
                }
                return Poll::Ready(Ok(()));
            }
            match this.engine.end {
                Some(Ending::Close) => return Poll::Ready(this.failure.take().map_or(Ok(()), Err)),
                Some(Ending::Reset) if is_flushed => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Some(Ending::Reset) => return Poll::Pending,
                None => {}
            }
            if this.poll_due(context) || this.poll_change(context) || this.poll_server(context) {
                continue;
            }
            this.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HttpStream<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_flush_server(context))?;
        if this.engine.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = this.engine.client_room().min(bytes.len());
        if taken == 0 && !bytes.is_empty() {
            this.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        this.engine.take_client(bytes.get(..taken).unwrap_or_default());
        this.advance(Instant::now());
        // What the server can not take now is sent before anything else is taken, and by whoever reads.
        if let Poll::Ready(Err(error)) = this.poll_flush_server(context) {
            return Poll::Ready(Err(error));
        }
        if this.engine.wants_reader() {
            Self::wake(&mut this.reader);
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_flush_server(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.engine.end_client();
        this.advance(Instant::now());
        ready!(this.poll_flush_server(context))?;
        Self::wake(&mut this.reader);
        if !this.engine.is_client_done() && !this.engine.is_closed() {
            this.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut this.server).poll_shutdown(context)
    }
}
