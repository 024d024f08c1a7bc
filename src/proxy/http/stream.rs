//! A server's connection with an [`Engine`] in front: what is written to it are the client's bytes, what is read from it are
//! the bytes for the client.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::bytes::{Buf as _, BytesMut};

use super::engine::{Ending, Engine};
use super::rule::RuleSet;
use super::signer::Signer;
use crate::proxy::change::Change;
use crate::proxy::counters::ProxyCounters;
use crate::proxy::splice::{Pipe, Side};
use crate::proxy::timer::{Clockwork, Timer};
use crate::unit::NotResigned;

/// How many bytes one read of the server takes at least, where they have to be kept.
const READ_BYTES: usize = 8 * 1024;

/// See the module's text. Its two halves are driven by one task.
pub(crate) struct HttpStream<S>(Mutex<Shared<S>>);

/// What is read from it are the bytes for the client.
pub(crate) struct HttpReader<'a, S>(&'a HttpStream<S>);

/// What is written to it are the client's bytes.
pub(crate) struct HttpWriter<'a, S>(&'a HttpStream<S>);

/// Who signs requests anew, and for which host.
#[derive(Debug, Clone)]
pub(crate) struct Resigning {
    pub(crate) by: Signer,
    pub(crate) host: Arc<str>,
}

type SigningFuture = Pin<Box<dyn Future<Output = Result<Vec<u8>, NotResigned>> + Send>>;

struct Shared<S> {
    server: S,
    engine: Engine,
    rules: Change<RuleSet>,
    /// The rules as they were last looked at.
    present: RuleSet,
    timer: Timer,
    reader: Option<Waker>,
    writer: Option<Waker>,
    resigning: Option<Resigning>,
    /// Resolves to a head that was signed anew.
    signing: Option<SigningFuture>,
    /// How the server's side failed.
    failure: Option<io::Error>,
    counters: Arc<ProxyCounters>,
    counted: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> HttpStream<S> {
    /// Stands in front of `server`, whose reads and writes fail with [`io::ErrorKind::NotConnected`] where it can not be
    /// reached: then rules still answer what they pick.
    pub(crate) fn new(
        server: S,
        rules: watch::Receiver<RuleSet>,
        resigning: Option<Resigning>,
        clockwork: Clockwork,
        counters: Arc<ProxyCounters>,
    ) -> Self {
        let mut rules = Change::of(rules);
        let present = rules.look().clone();
        Self(Mutex::new(Shared {
            server,
            engine: Engine::new(resigning.as_ref().map(|resigning| resigning.by.room.clone())),
            rules,
            present,
            timer: Timer::new(clockwork),
            reader: None,
            writer: None,
            resigning,
            signing: None,
            failure: None,
            counters,
            counted: 0,
        }))
    }

    /// Takes nothing else than HTTP/1 from the client: what begins otherwise is answered 400.
    pub(crate) fn only_http(self) -> Self {
        self.lock().engine.only_http = true;
        self
    }

    /// Its two halves.
    pub(crate) fn split(&self) -> (HttpReader<'_, S>, HttpWriter<'_, S>) {
        (HttpReader(self), HttpWriter(self))
    }

    /// The server's connection, when the halves are done.
    pub(crate) fn into_server(self) -> S {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).server
    }

    /// One task has both halves, so that nobody ever waits here.
    fn lock(&self) -> MutexGuard<'_, Shared<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Shared<S> {
    fn look_at_rules(&mut self) {
        if self.rules.has_changed() {
            self.present = self.rules.look().clone();
        }
    }

    fn count_requests(&mut self) {
        let new = self.engine.requests - self.counted;
        if new > 0 {
            self.counters.requests.add(new);
            self.counted = self.engine.requests;
        }
        for reason in self.engine.not_signed.drain(..) {
            self.counters.count_not_resigned(&reason);
        }
    }

    fn advance(&mut self) {
        self.look_at_rules();
        if !self.engine.is_quiet() {
            self.engine.advance(&self.present, Instant::now());
        }
        self.count_requests();
    }

    /// Takes bytes of the client and sends those that pass as they are; an error means that the server takes no more.
    fn take_client(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> io::Result<()> {
        self.look_at_rules();
        let now = Instant::now();
        let verbatim = self.engine.take_client(bytes, &self.present, now);
        let mut sent = 0;
        if verbatim > 0 {
            let bytes = bytes.get(..verbatim).unwrap_or_default();
            if let Poll::Ready(written) = Pin::new(&mut self.server).poll_write(context, bytes) {
                sent = self.written(written, verbatim)?;
            }
        }
        if let Some(rest) = bytes.get(sent..verbatim).filter(|rest| !rest.is_empty()) {
            let later = self.engine.to_server.split();
            self.engine.to_server.extend_from_slice(rest);
            self.engine.to_server.extend_from_slice(&later);
        }
        if !self.engine.is_quiet() {
            self.engine.advance(&self.present, now);
        }
        self.count_requests();
        Ok(())
    }

    /// Sends what is for the server; an error means that it takes no more, and what it said still counts.
    fn poll_flush_server(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.engine.to_server.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while !self.engine.to_server.is_empty() {
            let outcome = ready!(Pin::new(&mut self.server).poll_write(context, &self.engine.to_server));
            let written = self.written(outcome, self.engine.to_server.len())?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.engine.to_server.advance(written);
        }
        self.engine.all_sent();
        Poll::Ready(Ok(()))
    }

    /// Sends what the server could not take before, as whoever reads does; false where it still does not. One that takes no
    /// more may still have an answer.
    fn flush_and_wake_writer(&mut self, context: &mut Context<'_>) -> bool {
        let is_flushed = self.poll_flush_server(context).is_ready();
        // One that has ended waits for nothing but that all is passed on: to be woken for room it would wake the reader in turn.
        let takes_more = self.engine.client_room() > 0 && !self.engine.has_client_ended();
        if takes_more || self.engine.is_client_done() || self.engine.is_closed() {
            wake(&mut self.writer);
        }
        is_flushed
    }

    /// How much of what was offered to the server is done with. One that can not be reached takes all, so that the client's
    /// next requests still find the rules.
    fn written(&mut self, outcome: io::Result<usize>, offered: usize) -> io::Result<usize> {
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                self.fail(error);
                Ok(offered)
            }
            outcome => outcome,
        }
    }

    /// Whether a moment has come at which something happens by itself.
    fn poll_due(&mut self, context: &mut Context<'_>) -> bool {
        self.engine.due().is_some_and(|due| self.timer.poll_until(context, due).is_ready())
    }

    /// Whether the rules have changed while something is held.
    fn poll_change(&mut self, context: &mut Context<'_>) -> bool {
        // When the proxy goes away its links end by themselves.
        self.engine.is_holding() && matches!(self.rules.poll_changed(context), Poll::Ready(Ok(())))
    }

    /// Whether a head was signed anew, or goes on as it is.
    fn poll_signing(&mut self, context: &mut Context<'_>) -> bool {
        if let (Some(resigning), Some(wish)) = (&self.resigning, self.engine.signing_wish.take()) {
            let Resigning { by, host } = resigning.clone();
            self.signing = Some(Box::pin(async move { by.sign(&wish, &host).await }));
        }
        let Some(signing) = &mut self.signing else { return false };
        let Poll::Ready(outcome) = signing.as_mut().poll(context) else { return false };
        self.signing = None;
        self.counters.requests_resigned.add(u64::from(outcome.is_ok()));
        self.engine.take_signed(outcome);
        true
    }

    /// Reads from the server into `buffer`, as far as what it says is for the client as it is; false where nothing is there.
    fn poll_server(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> bool {
        if !self.engine.has_server_room() {
            return false;
        }
        if !self.engine.server_input.is_empty() {
            return self.poll_server_kept(context);
        }
        let before = buffer.filled().len();
        match Pin::new(&mut self.server).poll_read(context, buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) => {
                let said = buffer.filled().get(before..).unwrap_or_default();
                if said.is_empty() {
                    self.engine.end_server();
                } else {
                    let verbatim = self.engine.take_server(said, Instant::now());
                    buffer.set_filled(before + verbatim);
                }
            }
            Poll::Ready(Err(error)) => self.fail(error),
        }
        true
    }

    /// Reads from the server to what is kept of it already; false where nothing is there.
    fn poll_server_kept(&mut self, context: &mut Context<'_>) -> bool {
        let input = &mut self.engine.server_input;
        if input.capacity() - input.len() < READ_BYTES / 2 {
            input.reserve(READ_BYTES);
        }
        // The future keeps no state, so that a new one may be made for each try.
        match pin!(self.server.read_buf(input)).poll(context) {
            Poll::Pending => return false,
            Poll::Ready(Ok(1..)) => {}
            Poll::Ready(Ok(0)) => self.engine.end_server(),
            Poll::Ready(Err(error)) => self.fail(error),
        }
        true
    }

    fn fail(&mut self, error: io::Error) {
        if error.kind() == io::ErrorKind::NotConnected {
            self.engine.miss_server(&self.present);
        } else {
            self.engine.end_server();
            self.failure = Some(error);
        }
    }

    /// Gives what is for the client to `buffer`.
    fn give(&mut self, buffer: &mut ReadBuf<'_>) {
        let waiting = &mut self.engine.to_client;
        let length = waiting.len().min(buffer.remaining());
        buffer.put_slice(waiting.split_to(length).as_ref());
        if waiting.is_empty() {
            *waiting = BytesMut::new();
        }
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for HttpReader<'_, S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.0.lock();
        let this = &mut *shared;
        let before = buffer.filled().len();
        loop {
            this.advance();
            let is_flushed = this.flush_and_wake_writer(context);
            if buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            if !this.engine.to_client.is_empty() {
                this.give(buffer);
                return Poll::Ready(Ok(()));
            }
            match this.engine.end {
                Some(Ending::Close) => {
                    let is_whole = this.engine.is_between_answers();
                    let failure = this.failure.take();
                    // Many servers end TLS without saying so, and between two answers nothing can be missing.
                    let failure = failure.filter(|error| !is_whole || error.kind() != io::ErrorKind::UnexpectedEof);
                    return Poll::Ready(failure.map_or(Ok(()), Err));
                }
                Some(Ending::Reset) if is_flushed => {
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
                Some(Ending::Reset) => return Poll::Pending,
                None => {}
            }
            if this.poll_due(context)
                || this.poll_change(context)
                || this.poll_signing(context)
                || this.poll_server(context, buffer)
            {
                continue;
            }
            this.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for HttpWriter<'_, S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = self.0.lock();
        let this = &mut *shared;
        ready!(this.poll_flush_server(context))?;
        if this.engine.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = this.engine.client_room().min(bytes.len());
        if taken == 0 && !bytes.is_empty() {
            this.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        this.take_client(context, bytes.get(..taken).unwrap_or_default())?;
        // What the server can not take now is sent before anything else is taken, and by whoever reads.
        if let Poll::Ready(Err(error)) = this.poll_flush_server(context) {
            return Poll::Ready(Err(error));
        }
        if this.engine.wants_reader() {
            wake(&mut this.reader);
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().poll_flush_server(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut shared = self.0.lock();
        let this = &mut *shared;
        this.engine.end_client();
        this.advance();
        ready!(this.poll_flush_server(context))?;
        wake(&mut this.reader);
        if !this.engine.is_client_done() && !this.engine.is_closed() {
            this.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut this.server).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Side + Unpin> Side for HttpReader<'_, S> {
    fn spliceable(&self) -> usize {
        let shared = self.0.lock();
        fitting(shared.engine.unread_from_server()).min(shared.server.spliceable())
    }

    fn poll_splice_in(&mut self, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
        let mut shared = self.0.lock();
        let this = &mut *shared;
        this.flush_and_wake_writer(context);
        let outcome = ready!(this.server.poll_splice_in(context, pipe, most));
        match &outcome {
            Ok(taken @ 1..) => this.engine.skip_server(u64::try_from(*taken).unwrap_or(u64::MAX)),
            // The link itself tells the client how the server ended.
            Ok(0) | Err(_) => this.engine.end_server(),
        }
        Poll::Ready(outcome)
    }
}

impl<S: AsyncRead + AsyncWrite + Side + Unpin> Side for HttpWriter<'_, S> {
    fn spliceable(&self) -> usize {
        let shared = self.0.lock();
        fitting(shared.engine.unread_from_client()).min(shared.server.spliceable())
    }

    fn poll_splice_out(&mut self, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
        let mut shared = self.0.lock();
        let this = &mut *shared;
        let delivered = ready!(this.server.poll_splice_out(context, pipe, most))?;
        this.engine.skip_client(u64::try_from(delivered).unwrap_or(u64::MAX));
        if this.engine.wants_reader() {
            wake(&mut this.reader);
        }
        Poll::Ready(Ok(delivered))
    }
}

fn fitting(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
