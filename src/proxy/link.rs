//! One direction of a connection: reads from one side, sends it through the chain of toxics, writes to the other side.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::bytes::{Bytes, BytesMut};

use super::chain::Chain;
use super::change::{Change, Gone};
use super::counters::Counter;
use super::exchanges::{Exchanges, Units};
use super::splice::{self, Pipe, Side, Step};
use super::timer::{Clockwork, Timer};
use super::toxic::{Content, Cut, Parcel, ToxicSet};
use super::{Direction, Protocol};

/// How many bytes one read takes at most.
const READ_BYTES_MAX: usize = 64 * 1024;

/// How many bytes the first read takes at most; an idle connection costs no more memory than this each way.
const READ_BYTES_MIN: usize = 4 * 1024;

/// How many bytes a link without toxics hands on at a time.
const PASS_BYTES: usize = 16 * 1024;

/// After so many reads of that much in a row, a link goes over to a pipe.
const FULL_READS_MAX: u32 = 4;

/// Why a link ended before both sides had said all.
#[derive(Debug)]
pub(crate) enum LinkEnd {
    /// A toxic closed the connection, or the proxy went away.
    Closed,
    /// The sender broke off, and all that it had sent is delivered, or a toxic breaks off: both sides are to see a reset.
    BrokenOff,
}

impl From<Cut> for LinkEnd {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::Close => Self::Closed,
            Cut::Reset => Self::BrokenOff,
        }
    }
}

/// The proxy is deleted.
impl From<Gone> for LinkEnd {
    fn from(_: Gone) -> Self {
        Self::Closed
    }
}

/// Everything that a link needs but its two sides.
#[derive(Debug)]
pub(crate) struct LinkContext<'a> {
    pub(crate) direction: Direction,
    pub(crate) protocol: Protocol,
    pub(crate) clockwork: Clockwork,
    /// The connection's number, which decides its chances.
    pub(crate) connection: u64,
    pub(crate) toxics: Change<ToxicSet>,
    pub(crate) exchanges: &'a Exchanges<'a>,
    /// Counts what came from the sender.
    pub(crate) received: &'a Counter,
    /// Counts what was delivered.
    pub(crate) bytes: &'a Counter,
    /// Told when this link's sender has ended.
    pub(crate) ended: watch::Sender<bool>,
    /// Tells that the other link's sender has ended.
    pub(crate) other_ended: watch::Receiver<bool>,
}

/// The memory that is read into. It grows only on links that fill it, since most connections carry little.
#[derive(Debug)]
struct ReadBuffer {
    bytes: BytesMut,
    size: usize,
}

impl ReadBuffer {
    fn new() -> Self {
        Self { bytes: BytesMut::new(), size: READ_BYTES_MIN }
    }

    /// Sees to it that a read is worth its call.
    fn make_room(&mut self) {
        if self.bytes.capacity() < self.size / 2 {
            self.bytes.reserve(self.size);
        }
    }

    /// Takes what was read.
    fn take(&mut self) -> Bytes {
        if self.bytes.len() == self.bytes.capacity() {
            self.size = (self.size * 2).min(READ_BYTES_MAX);
        }
        self.bytes.split().freeze()
    }
}

/// What a link goes on with.
#[derive(Debug, PartialEq, Eq)]
enum Turn {
    Next,
    /// All is delivered, the end included.
    Done,
    /// The receiver takes no more.
    ReceiverGone,
}

/// Carries one direction until its sender has ended and all was delivered, the end included, or its receiver has gone.
///
/// A change of the toxics takes effect at once, on what is held, too. It never drops bytes unless a toxic does so.
pub(crate) async fn run<R, W>(reader: R, writer: W, context: LinkContext<'_>) -> Result<(), LinkEnd>
where
    R: AsyncRead + Side + Unpin,
    W: AsyncWrite + Side + Unpin,
{
    let mut link = Link {
        chain: Chain::new(context.direction, context.connection),
        units: Units::default(),
        buffer: ReadBuffer::new(),
        timer: Timer::new(context.clockwork.clone()),
        pipe: None,
        full_reads: 0,
        is_reading: true,
        reader,
        writer,
        context,
    };
    link.refit()?;
    loop {
        if !link.chain.is_plain() {
            link.chain.advance(Instant::now())?;
        }
        let turn = match link.pipe.take() {
            Some(pipe) => link.splice(pipe).await?,
            None if link.is_reading && link.chain.is_plain() => link.pass().await?,
            None => link.copy().await?,
        };
        match turn {
            Turn::Next => {}
            Turn::Done => return Ok(()),
            Turn::ReceiverGone => {
                drain(link.reader, &mut link.context.other_ended).await;
                return Ok(());
            }
        }
    }
}

/// One direction at work.
#[derive(Debug)]
struct Link<'a, R, W> {
    reader: R,
    writer: W,
    context: LinkContext<'a>,
    chain: Chain,
    units: Units,
    buffer: ReadBuffer,
    timer: Timer,
    /// There while much is sent through a chain without toxics.
    pipe: Option<Pipe>,
    /// How many reads in a row have brought [`PASS_BYTES`] or more.
    full_reads: u32,
    is_reading: bool,
}

impl<R, W> Link<'_, R, W>
where
    R: AsyncRead + Side + Unpin,
    W: AsyncWrite + Side + Unpin,
{
    /// Puts the present toxics to work.
    fn refit(&mut self) -> Result<(), LinkEnd> {
        let set = self.context.toxics.look().clone();
        Ok(self.chain.refit(&set, Instant::now())?)
    }

    /// Hands on what comes, in one go where the receiver takes it, as most do. An idle link holds no memory to read into.
    async fn pass(&mut self) -> Result<Turn, LinkEnd> {
        self.buffer = ReadBuffer::new();
        let passed = tokio::select! {
            biased;
            changed = self.context.toxics.changed() => {
                changed?;
                None
            }
            passed = poll_fn(|context| pass_on(context, Pin::new(&mut self.reader), Pin::new(&mut self.writer))) => {
                Some(passed)
            }
        };
        let Some(passed) = passed else {
            self.refit()?;
            return Ok(Turn::Next);
        };
        match passed {
            Ok(Passed { taken: 0, .. }) => self.take(Content::End),
            Ok(Passed { taken, rest }) => {
                self.context.received.add(u64::try_from(taken).unwrap_or(u64::MAX));
                self.context.bytes.add(u64::try_from(taken - rest.len()).unwrap_or(u64::MAX));
                if rest.is_empty() {
                    self.units.of_chunk(self.context.exchanges, self.context.protocol, self.context.direction);
                } else {
                    self.take(Content::Data(rest));
                }
                self.count_read(taken);
                if self.wants_pipe() && self.chain.is_plain() {
                    self.open_pipe();
                }
            }
            Err(Broken::Sender) => self.take(Content::Abort),
            Err(Broken::Receiver) => return Ok(Turn::ReceiverGone),
        }
        Ok(Turn::Next)
    }

    /// Waits for one thing that can be done, and does it.
    async fn copy(&mut self) -> Result<Turn, LinkEnd> {
        let head = match self.chain.ready() {
            Some(Content::End) => {
                // A receiver that has gone already needs no end.
                self.writer.shutdown().await.ok();
                return Ok(Turn::Done);
            }
            Some(Content::Abort) => return Err(LinkEnd::BrokenOff),
            Some(Content::Close) => return Err(LinkEnd::Closed),
            Some(Content::Data(head)) => Some(head),
            None => None,
        };
        let due = self.chain.due();
        // Before a pipe takes over, all that was read is written.
        let is_reading = self.is_reading && self.chain.has_room() && !(self.wants_pipe() && head.is_some());
        self.buffer.make_room();
        tokio::select! {
            biased;
            changed = self.context.toxics.changed() => {
                changed?;
                self.refit()?;
            }
            () = reached(&mut self.timer, due) => {}
            written = self.writer.write(head.as_ref().map_or(&[], Bytes::as_ref)), if head.is_some() => {
                return Ok(self.delivered(written));
            }
            read = self.reader.read_buf(&mut self.buffer.bytes), if is_reading => {
                let content = match read {
                    Ok(read @ 1..) => {
                        self.context.received.add(u64::try_from(read).unwrap_or(u64::MAX));
                        self.count_read(read);
                        Content::Data(self.buffer.take())
                    }
                    Ok(0) => Content::End,
                    Err(_) => Content::Abort,
                };
                self.take(content);
            }
            // When both senders have ended and a toxic keeps the end to itself, nothing can ever happen any more.
            () = seen(&mut self.context.other_ended), if self.chain.has_swallowed_end() => {
                return Err(LinkEnd::Closed);
            }
        }
        Ok(Turn::Next)
    }

    /// Takes note of a write.
    fn delivered(&mut self, written: io::Result<usize>) -> Turn {
        let Ok(written @ 1..) = written else { return Turn::ReceiverGone };
        self.context.bytes.add(u64::try_from(written).unwrap_or(u64::MAX));
        self.chain.consume(written);
        if self.is_reading && self.wants_pipe() && self.chain.is_plain() {
            self.open_pipe();
        }
        Turn::Next
    }

    /// Sends what came in through the chain.
    fn take(&mut self, content: Content) {
        let unit = self.units.of_chunk(self.context.exchanges, self.context.protocol, self.context.direction);
        if !matches!(content, Content::Data(_)) {
            self.is_reading = false;
            self.context.ended.send_replace(true);
        }
        self.chain.push(Parcel { content, unit }, Instant::now());
    }

    fn count_read(&mut self, bytes: usize) {
        self.full_reads = if bytes >= PASS_BYTES { self.full_reads.saturating_add(1) } else { 0 };
    }

    /// Whether the sender sends so much, and no toxic stands in its way, that a pipe pays.
    fn wants_pipe(&self) -> bool {
        self.full_reads >= FULL_READS_MAX && self.chain.has_no_toxic()
    }

    /// Goes over to a pipe where both sides are sockets and there is one to be had.
    fn open_pipe(&mut self) {
        // Either way the link is asked again only after as many full reads.
        self.full_reads = 0;
        if !splice::pays(&self.reader, &self.writer) {
            return;
        }
        let taken = self.context.clockwork.descriptors().map(|descriptors| descriptors.take(Pipe::DESCRIPTORS));
        if taken.as_ref().is_none_or(Option::is_some) {
            self.pipe = Pipe::open(taken.flatten()).ok();
        }
    }

    /// One step through the pipe, which is put back if there may be another.
    async fn splice(&mut self, mut pipe: Pipe) -> Result<Turn, LinkEnd> {
        let step = tokio::select! {
            biased;
            changed = self.context.toxics.changed() => {
                changed?;
                None
            }
            step = pipe.step(&mut self.reader, &mut self.writer) => Some(step),
        };
        match step {
            Some(Step::Taken(taken)) => {
                self.context.received.add(u64::try_from(taken).unwrap_or(u64::MAX));
                self.units.of_chunk(self.context.exchanges, self.context.protocol, self.context.direction);
                self.pipe = Some(pipe);
            }
            Some(Step::Delivered(delivered)) => {
                self.context.bytes.add(u64::try_from(delivered).unwrap_or(u64::MAX));
                self.pipe = Some(pipe);
            }
            Some(Step::Leave) => {}
            Some(Step::End) => self.take(Content::End),
            Some(Step::Abort) => self.take(Content::Abort),
            Some(Step::ReceiverGone) => return Ok(Turn::ReceiverGone),
            None => {
                // What is under way has passed where no toxic was.
                self.leave(pipe)?;
                self.refit()?;
            }
        }
        Ok(Turn::Next)
    }

    /// Goes back to copying; what the pipe holds is next to be written.
    fn leave(&mut self, pipe: Pipe) -> Result<(), LinkEnd> {
        if !pipe.is_empty() {
            let held = pipe.into_bytes().map_err(|_| LinkEnd::BrokenOff)?;
            self.take(Content::Data(held));
        }
        Ok(())
    }
}

/// What one read brought.
#[derive(Debug)]
struct Passed {
    /// How many bytes came from the sender; none is its end.
    taken: usize,
    /// Those of them that the receiver did not take.
    rest: Bytes,
}

/// Which side of a link has broken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broken {
    Sender,
    Receiver,
}

/// Reads once and writes what came, as far as the receiver takes it. The memory between is the stack's.
fn pass_on<R, W>(context: &mut Context<'_>, reader: Pin<&mut R>, writer: Pin<&mut W>) -> Poll<Result<Passed, Broken>>
where
    R: AsyncRead,
    W: AsyncWrite,
{
    let mut memory = [MaybeUninit::<u8>::uninit(); PASS_BYTES];
    let mut buffer = ReadBuf::uninit(&mut memory);
    if ready!(reader.poll_read(context, &mut buffer)).is_err() {
        return Poll::Ready(Err(Broken::Sender));
    }
    let data = buffer.filled();
    if data.is_empty() {
        return Poll::Ready(Ok(Passed { taken: 0, rest: Bytes::new() }));
    }
    let written = match writer.poll_write(context, data) {
        Poll::Ready(Ok(written @ 1..)) => written,
        Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Err(Broken::Receiver)),
        Poll::Pending => 0,
    };
    let rest = data.get(written..).unwrap_or_default();
    Poll::Ready(Ok(Passed { taken: data.len(), rest: Bytes::copy_from_slice(rest) }))
}

/// Returns at `due`, if it ever comes.
async fn reached(timer: &mut Timer, due: Option<Instant>) {
    match due {
        Some(due) => timer.until(due).await,
        None => std::future::pending().await,
    }
}

/// Reads on for a receiver that has gone, so that its sender is not held up, until the other link has delivered what
/// it can. An answer that came before a server broke off still reaches its client.
async fn drain(mut reader: impl AsyncRead + Unpin, other_ended: &mut watch::Receiver<bool>) {
    let mut discarded = vec![0; READ_BYTES_MIN];
    loop {
        tokio::select! {
            read = reader.read(&mut discarded) => if matches!(read, Ok(0) | Err(_)) {
                return;
            },
            // The other link drops its end of the channel when it has returned.
            changed = other_ended.changed() => if changed.is_err() {
                return;
            },
        }
    }
}

/// Returns when a sender has ended. A link that went away without telling takes the connection down with it.
async fn seen(ended: &mut watch::Receiver<bool>) {
    ended.wait_for(|ended| *ended).await.map(drop).ok();
}
