//! The server's side of a proxy that speaks `CONNECT`: it reads where a client wants to go, connects there, says so, and from
//! then on is that connection.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::bytes::{Buf as _, BytesMut};

use super::head::{HeadEnd, RequestHead, slots};
use super::message::Answer;
use crate::proxy::UpstreamAddress;
use crate::proxy::splice::{Pipe, Side};

/// How a client is told that its tunnel is open (RFC 9110, 9.3.6).
const OPEN: &[u8] = b"HTTP/1.1 200 Connection Established\r\n\r\n";

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// See the module's text.
pub(crate) struct Tunnel {
    /// Where clients may go.
    allowed: UpstreamAddress,
    connect: Box<dyn Fn(UpstreamAddress) -> Connecting + Send>,
    state: State,
    /// Whoever reads waits until there is something to say.
    reader: Option<Waker>,
}

enum State {
    /// So much of a request's head came in.
    Asked(BytesMut),
    Connecting(UpstreamAddress, Connecting),
    /// The client is told this; then the tunnel is open, if there is a connection, or all is over.
    Telling(BytesMut, Option<TcpStream>),
    Open(TcpStream),
    Over,
}

impl Tunnel {
    /// Leads clients to what `allowed` covers; `connect` gets them there.
    pub(crate) fn new<F>(allowed: UpstreamAddress, connect: impl Fn(UpstreamAddress) -> F + Send + 'static) -> Self
    where
        F: Future<Output = io::Result<TcpStream>> + Send + 'static,
    {
        let connect = Box::new(move |address| -> Connecting { Box::pin(connect(address)) });
        Self { allowed, connect, state: State::Asked(BytesMut::new()), reader: None }
    }

    /// The connection at its end, once there is one.
    pub(crate) fn stream(&self) -> Option<&TcpStream> {
        match &self.state {
            State::Open(stream) | State::Telling(_, Some(stream)) => Some(stream),
            State::Asked(_) | State::Connecting(..) | State::Telling(_, None) | State::Over => None,
        }
    }

    /// Decides what becomes of a request when its head is whole, or is none.
    fn ask(&mut self, bytes: &[u8]) {
        let State::Asked(asked) = &mut self.state else { return };
        asked.extend_from_slice(bytes);
        // Empty lines before a request are allowed (RFC 9112, 2.2).
        while asked.starts_with(b"\r\n") {
            asked.advance(2);
        }
        let destination = match HeadEnd::default().find(asked) {
            Ok(None) => return,
            Ok(Some(length)) => destination(asked.get(..length).unwrap_or_default(), &self.allowed),
            Err(error) => Err(Answer::new(error.status(), Vec::new())),
        };
        self.state = match destination {
            Ok(address) => {
                let connecting = (self.connect)(address.clone());
                State::Connecting(address, connecting)
            }
            Err(answer) => State::Telling(closing(&answer), None),
        };
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Goes on until there is something to say.
    fn poll_told(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.state {
            State::Asked(_) => {
                self.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
            State::Connecting(address, connecting) => {
                self.state = match ready!(connecting.as_mut().poll(context)) {
                    Ok(stream) => State::Telling(OPEN.into(), Some(stream)),
                    Err(error) => {
                        let why = format!("`{address}` cannot be reached: {error}\n");
                        State::Telling(closing(&plain(502, why)), None)
                    }
                };
            }
            State::Telling(..) | State::Open(_) | State::Over => {}
        }
        Poll::Ready(())
    }
}

/// Where a request wants to go, or what it is answered.
fn destination(head: &[u8], allowed: &UpstreamAddress) -> Result<UpstreamAddress, Answer> {
    let mut room = slots();
    let Ok(head) = RequestHead::parse(head, &mut room) else { return Err(Answer::new(400, Vec::new())) };
    if head.method != "CONNECT" {
        let why = "this proxy opens tunnels alone: ask it with CONNECT, as clients do for HTTPS\n";
        return Err(plain(405, why.to_owned()).with("Allow", "CONNECT"));
    }
    let address: UpstreamAddress = head.target.parse().map_err(|_| Answer::new(400, Vec::new()))?;
    if address.is_pattern() {
        return Err(Answer::new(400, Vec::new()));
    }
    if !allowed.covers(&address) {
        return Err(plain(403, format!("`{address}` is not covered by the proxy's upstream `{allowed}`\n")));
    }
    Ok(address)
}

fn plain(status: u16, text: String) -> Answer {
    Answer::new(status, text.into_bytes()).with("Content-Type", "text/plain; charset=utf-8")
}

fn closing(answer: &Answer) -> BytesMut {
    BytesMut::from(answer.bytes(false, true).as_slice())
}

impl AsyncRead for Tunnel {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_told(context));
            match &mut self.state {
                State::Telling(answer, _) if !answer.is_empty() => {
                    let length = answer.len().min(into.remaining());
                    into.put_slice(&answer.split_to(length));
                    return Poll::Ready(Ok(()));
                }
                State::Telling(_, stream) => self.state = stream.take().map_or(State::Over, State::Open),
                State::Open(stream) => return Pin::new(stream).poll_read(context, into),
                State::Over => return Poll::Ready(Ok(())),
                State::Asked(_) | State::Connecting(..) => {}
            }
        }
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.state {
            State::Open(stream) | State::Telling(_, Some(stream)) => Pin::new(stream).poll_write(context, bytes),
            State::Asked(_) => {
                self.ask(bytes);
                Poll::Ready(Ok(bytes.len()))
            }
            // Nobody is there for what follows a request that is refused, and nothing follows one that waits.
            State::Connecting(..) | State::Telling(_, None) | State::Over => Poll::Ready(Ok(bytes.len())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Open(stream) | State::Telling(_, Some(stream)) => Pin::new(stream).poll_shutdown(context),
            State::Telling(_, None) | State::Over => Poll::Ready(Ok(())),
            State::Asked(_) | State::Connecting(..) => {
                self.state = State::Over;
                if let Some(reader) = self.reader.take() {
                    reader.wake();
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl Side for Tunnel {
    fn spliceable(&self) -> usize {
        if let State::Open(stream) = &self.state { stream.spliceable() } else { 0 }
    }

    fn poll_splice_in(&mut self, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
        match &mut self.state {
            State::Open(stream) => stream.poll_splice_in(context, pipe, most),
            State::Asked(_) | State::Connecting(..) | State::Telling(..) | State::Over => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    }

    fn poll_splice_out(&mut self, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
        match &mut self.state {
            State::Open(stream) => stream.poll_splice_out(context, pipe, most),
            State::Asked(_) | State::Connecting(..) | State::Telling(..) | State::Over => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    }
}
