//! One direction of a connection: reads from one side, sends it through the chain of toxics, writes to the other side.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::bytes::{Bytes, BytesMut};

use super::chain::{Chain, ClosedByToxic};
use super::counters::Counter;
use super::toxic::{Content, Parcel, ToxicSet};
use super::{Direction, Protocol};

/// How many bytes one read takes at most.
const READ_BYTES_MAX: usize = 64 * 1024;

/// How many bytes the first read takes at most; an idle connection costs no more memory than this each way.
const READ_BYTES_MIN: usize = 4 * 1024;

/// A pause longer than this between two chunks of a TCP stream begins a new burst.
const BURST_PAUSE_MAX: Duration = Duration::from_millis(5);

/// Why a link ended before both sides had said all.
#[derive(Debug)]
pub(crate) enum LinkEnd {
    /// A toxic closed the connection, or the proxy went away.
    Closed,
    /// The sender broke off, and all that it had sent is delivered; the other side is to see a failure, too.
    BrokenOff,
}

impl From<ClosedByToxic> for LinkEnd {
    fn from(ClosedByToxic: ClosedByToxic) -> Self {
        Self::Closed
    }
}

/// What the two links of a connection tell each other.
#[derive(Debug, Default)]
pub(crate) struct Exchanges {
    number: AtomicU64,
    server_spoke: AtomicBool,
}

impl Exchanges {
    /// The number of the exchange that a chunk belongs to: a new one begins when the client speaks after the server.
    ///
    /// On HTTP/1 that is a request on a connection that has carried a response. Pipelined requests count as one.
    fn on_chunk(&self, direction: Direction) -> u64 {
        // Both links run in one task, so that no order between threads is needed.
        match direction {
            Direction::Upstream => {
                let is_new = self.server_spoke.swap(false, Ordering::Relaxed);
                self.number.fetch_add(u64::from(is_new), Ordering::Relaxed) + u64::from(is_new)
            }
            Direction::Downstream => {
                self.server_spoke.store(true, Ordering::Relaxed);
                self.number.load(Ordering::Relaxed)
            }
        }
    }
}

/// Everything that a link needs but its two sides.
#[derive(Debug)]
pub(crate) struct LinkContext<'a> {
    pub(crate) direction: Direction,
    pub(crate) protocol: Protocol,
    /// The connection's number, which decides its chances.
    pub(crate) connection: u64,
    pub(crate) toxics: watch::Receiver<ToxicSet>,
    pub(crate) exchanges: &'a Exchanges,
    pub(crate) bytes: &'a Counter,
    /// Told when this link's sender has ended.
    pub(crate) ended: watch::Sender<bool>,
    /// Tells that the other link's sender has ended.
    pub(crate) other_ended: watch::Receiver<bool>,
}

/// Gives each chunk the number of its unit of traffic.
#[derive(Debug, Default)]
struct Units {
    burst: u64,
    last: Option<Instant>,
}

impl Units {
    fn of_chunk(&mut self, context: &LinkContext<'_>, now: Instant) -> u64 {
        match context.protocol {
            Protocol::Http => context.exchanges.on_chunk(context.direction),
            Protocol::Tcp => {
                if self.last.is_some_and(|last| now - last > BURST_PAUSE_MAX) {
                    self.burst += 1;
                }
                self.last = Some(now);
                self.burst
            }
        }
    }
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

/// Carries one direction until its sender has ended and all was delivered, the end included, or its receiver has gone.
///
/// A change of the toxics takes effect at once, on what is held, too. It never drops bytes unless a toxic does so.
pub(crate) async fn run<R, W>(mut reader: R, mut writer: W, mut context: LinkContext<'_>) -> Result<(), LinkEnd>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut chain = Chain::new(context.direction, context.connection);
    let mut units = Units::default();
    let mut buffer = ReadBuffer::new();
    let mut is_reading = true;
    let timer = tokio::time::sleep(Duration::ZERO);
    tokio::pin!(timer);
    let set = context.toxics.borrow_and_update().clone();
    chain.refit(&set, Instant::now())?;
    loop {
        chain.advance(Instant::now())?;
        let head = match chain.ready() {
            Some(Content::End) => {
                // A receiver that has gone already needs no end.
                writer.shutdown().await.ok();
                return Ok(());
            }
            Some(Content::Abort) => return Err(LinkEnd::BrokenOff),
            Some(Content::Data(head)) => Some(head),
            None => None,
        };
        let due = chain.due();
        if let Some(due) = due
            && timer.deadline() != due
        {
            timer.as_mut().reset(due);
        }
        buffer.make_room();
        tokio::select! {
            biased;
            changed = context.toxics.changed() => {
                // The proxy drops its end when it is deleted.
                changed.map_err(|_| LinkEnd::Closed)?;
                let set = context.toxics.borrow_and_update().clone();
                chain.refit(&set, Instant::now())?;
            }
            () = &mut timer, if due.is_some() => {}
            written = writer.write(head.as_ref().map_or(&[], Bytes::as_ref)), if head.is_some() => {
                let Ok(written @ 1..) = written else {
                    drain(reader, &mut context.other_ended).await;
                    return Ok(());
                };
                context.bytes.add(u64::try_from(written).unwrap_or(u64::MAX));
                chain.consume(written);
            }
            read = reader.read_buf(&mut buffer.bytes), if is_reading && chain.has_room() => {
                let now = Instant::now();
                let unit = units.of_chunk(&context, now);
                let content = match read {
                    Ok(1..) => Content::Data(buffer.take()),
                    Ok(0) => Content::End,
                    Err(_) => Content::Abort,
                };
                if !matches!(content, Content::Data(_)) {
                    is_reading = false;
                    context.ended.send_replace(true);
                }
                chain.push(Parcel { content, unit }, now);
            }
            // When both senders have ended and a toxic keeps the end to itself, nothing can ever happen any more.
            () = seen(&mut context.other_ended), if chain.has_swallowed_end() => {
                return Err(LinkEnd::Closed);
            }
        }
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
