//! Bytes from socket to socket inside the kernel, by way of a pipe: what a plain link does with a lot of them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio_util::bytes::Bytes;

/// How many bytes a pipe is asked to hold; the system may give it less.
const PIPE_BYTES: usize = 512 * 1024;

/// A side of a link, which may be a socket.
pub(crate) trait Side {
    /// The socket that it is; none for what only tests know.
    fn socket(&self) -> Option<&TcpStream>;
}

impl Side for ReadHalf<'_> {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self.as_ref())
    }
}

impl Side for WriteHalf<'_> {
    fn socket(&self) -> Option<&TcpStream> {
        Some(self.as_ref())
    }
}

/// What one step of a pipe has done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes came in.
    Taken(usize),
    /// So many bytes were delivered.
    Delivered(usize),
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
}

impl Pipe {
    /// Opens a pipe.
    ///
    /// # Errors
    /// There is no descriptor left.
    pub(crate) fn open() -> io::Result<Self> {
        let (outlet, inlet) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A small pipe works, too; the system bounds what all pipes of a user may hold.
        rustix::pipe::fcntl_setpipe_size(&inlet, PIPE_BYTES).ok();
        Ok(Self { outlet, inlet, held: 0 })
    }

    /// Delivers what it holds, or takes in more if it is empty. A step that is dropped has done nothing.
    pub(crate) async fn step(&mut self, from: &TcpStream, to: &TcpStream) -> Step {
        if self.held == 0 {
            let taken = from.async_io(Interest::READABLE, || splice(from, &self.inlet, PIPE_BYTES)).await;
            match taken {
                Ok(0) => Step::End,
                Ok(taken) => {
                    self.held = taken;
                    Step::Taken(taken)
                }
                Err(_) => Step::Abort,
            }
        } else {
            let delivered = to.async_io(Interest::WRITABLE, || splice(&self.outlet, to, self.held)).await;
            match delivered {
                Ok(delivered @ 1..) => {
                    self.held -= delivered.min(self.held);
                    Step::Delivered(delivered)
                }
                Ok(0) | Err(_) => Step::ReceiverGone,
            }
        }
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

    impl Side for tokio::io::ReadHalf<DuplexStream> {
        fn socket(&self) -> Option<&TcpStream> {
            None
        }
    }

    impl Side for tokio::io::WriteHalf<DuplexStream> {
        fn socket(&self) -> Option<&TcpStream> {
            None
        }
    }

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (left, right) = tokio::join!(TcpStream::connect(address), listener.accept());
        (left.expect("connected"), right.expect("accepted").0)
    }

    #[tokio::test]
    async fn a_pipe_delivers_what_it_took_and_then_the_end() {
        let (mut sender, from) = pair().await;
        let (to, mut receiver) = pair().await;
        let mut pipe = Pipe::open().expect("a pipe");
        sender.write_all(b"bytes").await.expect("written");
        sender.shutdown().await.expect("shut");
        assert_eq!(pipe.step(&from, &to).await, Step::Taken(5));
        assert!(!pipe.is_empty());
        assert_eq!(pipe.step(&from, &to).await, Step::Delivered(5));
        assert_eq!(pipe.step(&from, &to).await, Step::End);
        let mut received = [0; 5];
        receiver.read_exact(&mut received).await.expect("read");
        assert_eq!(&received, b"bytes");
    }

    #[tokio::test]
    async fn what_is_not_delivered_can_be_taken_out() {
        let (mut sender, from) = pair().await;
        let (to, _receiver) = pair().await;
        let mut pipe = Pipe::open().expect("a pipe");
        sender.write_all(&[7; 100]).await.expect("written");
        let Step::Taken(taken) = pipe.step(&from, &to).await else { panic!("nothing came in") };
        assert_eq!(pipe.into_bytes().expect("its bytes"), vec![7; taken]);
    }
}
