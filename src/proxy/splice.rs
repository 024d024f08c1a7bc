//! Bytes from socket to socket inside the kernel, by way of a pipe: what a plain link does with a lot of them.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll, ready};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio_util::bytes::Bytes;

use super::limit::Taken;

/// How many bytes a pipe is asked to hold; the system may give it less.
const PIPE_BYTES: usize = 512 * 1024;

/// A pipe that takes in less than this at a time does not pay.
const SPLICE_BYTES_MIN: usize = 16 * 1024;

/// A side of a link, which bytes may leave or enter by way of a pipe. One that is no socket lets none.
pub(crate) trait Side {
    /// How many of the next bytes may pass without a look at them.
    fn spliceable(&self) -> usize {
        0
    }

    /// Moves at most so many bytes from it into a pipe; none means that it has ended.
    fn poll_splice_in(&mut self, _: &mut Context<'_>, _: &Pipe, _most: usize) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }

    /// Moves at most so many bytes out of a pipe to it.
    fn poll_splice_out(&mut self, _: &mut Context<'_>, _: &Pipe, _most: usize) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::Unsupported.into()))
    }
}

impl Side for TcpStream {
    fn spliceable(&self) -> usize {
        usize::MAX
    }

    fn poll_splice_in(&mut self, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
        poll_splice_in(self, context, pipe, most)
    }

    fn poll_splice_out(&mut self, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
        poll_splice_out(self, context, pipe, most)
    }
}

impl Side for ReadHalf<'_> {
    fn spliceable(&self) -> usize {
        usize::MAX
    }

    fn poll_splice_in(&mut self, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
        poll_splice_in(self.as_ref(), context, pipe, most)
    }
}

impl Side for WriteHalf<'_> {
    fn spliceable(&self) -> usize {
        usize::MAX
    }

    fn poll_splice_out(&mut self, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
        poll_splice_out(self.as_ref(), context, pipe, most)
    }
}

fn poll_splice_in(socket: &TcpStream, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_read_ready(context))?;
        match socket.try_io(Interest::READABLE, || splice(socket, &pipe.inlet, most)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return Poll::Ready(outcome),
        }
    }
}

fn poll_splice_out(socket: &TcpStream, context: &mut Context<'_>, pipe: &Pipe, most: usize) -> Poll<io::Result<usize>> {
    loop {
        ready!(socket.poll_write_ready(context))?;
        match socket.try_io(Interest::WRITABLE, || splice(&pipe.outlet, socket, most)) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            outcome => return Poll::Ready(outcome),
        }
    }
}

/// Whether so much may pass between two sides unseen that a pipe pays.
pub(crate) fn pays(from: &impl Side, to: &impl Side) -> bool {
    from.spliceable().min(to.spliceable()) >= SPLICE_BYTES_MIN
}

/// What one step of a pipe has done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes came in.
    Taken(usize),
    /// So many bytes were delivered.
    Delivered(usize),
    /// It is empty, and what comes next had better go another way.
    Leave,
    /// The sender has shut its side.
    End,
    /// The sender broke off.
    Abort,
    /// The receiver takes no more.
    ReceiverGone,
}

/// A pipe between two sockets.
#[derive(Debug)]
pub(crate) struct Pipe {
    outlet: OwnedFd,
    inlet: OwnedFd,
    held: usize,
    /// It took in little the last time.
    is_idle: bool,
    _taken: Option<Taken>,
}

impl Pipe {
    /// Descriptors of one pipe.
    pub(crate) const DESCRIPTORS: u32 = 2;

    /// Opens a pipe, for which descriptors were taken where they are counted.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(crate) fn open(taken: Option<Taken>) -> io::Result<Self> {
        let (outlet, inlet) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A small pipe works, too; the system bounds what all pipes of a user may hold.
        rustix::pipe::fcntl_setpipe_size(&inlet, PIPE_BYTES).ok();
        Ok(Self { outlet, inlet, held: 0, is_idle: false, _taken: taken })
    }

    /// Delivers what it holds, or takes in more if it is empty. A step that is dropped has done nothing.
    pub(crate) async fn step(&mut self, from: &mut impl Side, to: &mut impl Side) -> Step {
        poll_fn(|context| self.poll_step(context, from, to)).await
    }

    fn poll_step(&mut self, context: &mut Context<'_>, from: &mut impl Side, to: &mut impl Side) -> Poll<Step> {
        if self.held > 0 {
            let delivered = ready!(to.poll_splice_out(context, self, self.held));
            return Poll::Ready(match delivered {
                Ok(delivered @ 1..) => {
                    self.held -= delivered.min(self.held);
                    Step::Delivered(delivered)
                }
                Ok(0) | Err(_) => Step::ReceiverGone,
            });
        }
        let most = from.spliceable().min(to.spliceable()).min(PIPE_BYTES);
        if self.is_idle || most < SPLICE_BYTES_MIN {
            return Poll::Ready(Step::Leave);
        }
        Poll::Ready(match ready!(from.poll_splice_in(context, self, most)) {
            Ok(0) => Step::End,
            Ok(taken) => {
                self.held = taken;
                self.is_idle = taken < SPLICE_BYTES_MIN;
                Step::Taken(taken)
            }
            Err(_) => Step::Abort,
        })
    }

    /// Whether all that came in is delivered.
    pub(crate) fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Takes out what is not delivered yet.
    pub(crate) fn into_bytes(self) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.held];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match rustix::io::read(&self.outlet, rest) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => filled += read,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(bytes.into())
    }
}

fn splice(from: impl AsFd, to: impl AsFd, bytes: usize) -> io::Result<usize> {
    Ok(rustix::pipe::splice(from, None, to, None, bytes, SpliceFlags::MOVE | SpliceFlags::NONBLOCK)?)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio::net::TcpListener;

    use super::*;

    impl Side for DuplexStream {}
    impl Side for tokio::io::ReadHalf<DuplexStream> {}
    impl Side for tokio::io::WriteHalf<DuplexStream> {}

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (left, right) = tokio::join!(TcpStream::connect(address), listener.accept());
        (left.expect("connected"), right.expect("accepted").0)
    }

    #[tokio::test]
    async fn a_pipe_delivers_what_it_took_and_then_the_end() {
        let (mut sender, mut from) = pair().await;
        let (mut to, mut receiver) = pair().await;
        let mut pipe = Pipe::open(None).expect("a pipe");
        let bytes = vec![7; SPLICE_BYTES_MIN];
        sender.write_all(&bytes).await.expect("written");
        sender.shutdown().await.expect("shut");
        let mut taken = 0;
        while taken < bytes.len() {
            let Step::Taken(more) = pipe.step(&mut from, &mut to).await else { panic!("{taken} bytes came in") };
            taken += more;
            assert!(!pipe.is_empty());
            assert_eq!(pipe.step(&mut from, &mut to).await, Step::Delivered(more));
            pipe.is_idle = false;
        }
        assert_eq!(pipe.step(&mut from, &mut to).await, Step::End);
        let mut received = Vec::new();
        drop(to);
        receiver.read_to_end(&mut received).await.expect("read");
        assert_eq!(received, bytes);
    }

    #[tokio::test]
    async fn a_pipe_that_took_in_little_is_left_when_that_is_delivered() {
        let (mut sender, mut from) = pair().await;
        let (mut to, _receiver) = pair().await;
        let mut pipe = Pipe::open(None).expect("a pipe");
        sender.write_all(b"bytes").await.expect("written");
        let Step::Taken(taken) = pipe.step(&mut from, &mut to).await else { panic!("nothing came in") };
        assert_eq!(pipe.step(&mut from, &mut to).await, Step::Delivered(taken));
        assert_eq!(pipe.step(&mut from, &mut to).await, Step::Leave);
    }

    #[tokio::test]
    async fn what_is_not_delivered_can_be_taken_out() {
        let (mut sender, mut from) = pair().await;
        let (mut to, _receiver) = pair().await;
        let mut pipe = Pipe::open(None).expect("a pipe");
        sender.write_all(&[7; 100]).await.expect("written");
        let Step::Taken(taken) = pipe.step(&mut from, &mut to).await else { panic!("nothing came in") };
        assert_eq!(pipe.into_bytes().expect("its bytes"), vec![7; taken]);
    }
}
