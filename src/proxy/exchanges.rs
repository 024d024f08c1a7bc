//! Who of a connection's two sides spoke when: requests with their answers over HTTP, bursts over TCP.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::counters::Counter;
use super::{Direction, Protocol};

/// A pause longer than this between two chunks of a TCP stream begins a new burst.
const BURST_PAUSE_MAX: Duration = Duration::from_millis(5);

/// What the two links of a connection tell each other.
#[derive(Debug)]
pub(crate) struct Exchanges<'a> {
    number: AtomicU64,
    server_spoke: AtomicBool,
    is_asking: AtomicBool,
    /// Connections whose client spoke last, and waits.
    asking: &'a Counter,
}

impl<'a> Exchanges<'a> {
    pub(crate) fn new(asking: &'a Counter) -> Self {
        Self {
            number: AtomicU64::default(),
            server_spoke: AtomicBool::default(),
            is_asking: AtomicBool::default(),
            asking,
        }
    }

    /// Takes note of who spoke last.
    fn spoke(&self, direction: Direction) {
        let is_asking = direction == Direction::Upstream;
        match (self.is_asking.swap(is_asking, Ordering::Relaxed), is_asking) {
            (false, true) => self.asking.add(1),
            (true, false) => self.asking.subtract(1),
            (true, true) | (false, false) => {}
        }
    }

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

impl Drop for Exchanges<'_> {
    fn drop(&mut self) {
        self.spoke(Direction::Downstream);
    }
}

/// Gives each chunk the number of its unit of traffic.
#[derive(Debug, Default)]
pub(super) struct Units {
    burst: u64,
    last: Option<Instant>,
}

impl Units {
    /// The unit of the chunk that has just come in this direction.
    pub(super) fn of_chunk(&mut self, exchanges: &Exchanges<'_>, protocol: Protocol, direction: Direction) -> u64 {
        exchanges.spoke(direction);
        match protocol {
            Protocol::Http | Protocol::Connect => exchanges.on_chunk(direction),
            Protocol::Tcp => {
                let now = Instant::now();
                if self.last.is_some_and(|last| now - last > BURST_PAUSE_MAX) {
                    self.burst += 1;
                }
                self.last = Some(now);
                self.burst
            }
        }
    }
}
