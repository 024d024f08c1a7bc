//! `timeout`: a black hole that closes the connection after a time.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Content, Parcel, ToxicCounters, ToxicError, wait};

/// Lets nothing pass, not even the end of the stream, and closes the connection `timeout` after it began.
///
/// Zero never closes while the toxic is present. Removing it closes the connections that it worked on, since bytes of
/// them are lost and clients must connect again (Toxiproxy's semantics).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout {
    /// How long the connection stays open; the admin API counts it in milliseconds, at most a day.
    pub timeout: Duration,
}

/// The settings as the admin API writes them, in milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Attributes {
    #[serde(with = "wait")]
    timeout: Duration,
}

impl Timeout {
    /// The type's name in the admin API.
    pub const TYPE: &'static str = "timeout";
}

impl TryFrom<Attributes> for Timeout {
    type Error = ToxicError;

    fn try_from(attributes: Attributes) -> Result<Self, ToxicError> {
        Ok(Self { timeout: wait::checked("timeout", attributes.timeout)? })
    }
}

impl From<Timeout> for Attributes {
    fn from(Timeout { timeout }: Timeout) -> Self {
        Self { timeout }
    }
}

/// Drops everything until it is over. It counts as applied once it swallows data: nobody misses anything on a connection on
/// which nothing is said.
#[derive(Debug)]
pub(crate) struct BlackHole {
    timeout: Duration,
    counters: Arc<ToxicCounters>,
    began: Instant,
    swallowed_data: bool,
    swallowed_end: bool,
}

impl BlackHole {
    pub(super) fn new(settings: Timeout, counters: Arc<ToxicCounters>, now: Instant) -> Self {
        Self { timeout: settings.timeout, counters, began: now, swallowed_data: false, swallowed_end: false }
    }

    pub(super) fn push(&mut self, parcel: &Parcel, now: Instant) {
        match parcel.content {
            Content::Data(_) => {
                if !self.swallowed_data {
                    self.swallowed_data = true;
                    self.counters.hit(now);
                }
            }
            Content::End | Content::Abort | Content::Close => self.swallowed_end = true,
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        (!self.timeout.is_zero()).then(|| self.began + self.timeout)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    pub(super) fn has_swallowed_end(&self) -> bool {
        self.swallowed_end
    }

    /// The new time counts from the change.
    pub(super) fn adopt(&mut self, settings: Timeout, now: Instant) {
        self.timeout = settings.timeout;
        self.began = now;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::data;
    use super::*;

    #[test]
    fn a_black_hole_is_over_after_its_timeout_and_never_if_that_is_zero() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut hole = BlackHole::new(Timeout { timeout: second }, Arc::default(), start);
        assert!(!hole.is_over(start + second / 2));
        assert!(hole.is_over(start + second));
        hole.adopt(Timeout { timeout: second }, start + second);
        assert!(!hole.is_over(start + second), "a change begins anew");
        hole.adopt(Timeout { timeout: Duration::ZERO }, start);
        assert_eq!(hole.due(), None);
    }

    #[test]
    fn a_black_hole_keeps_the_end_to_itself() {
        let start = Instant::now();
        let mut hole = BlackHole::new(Timeout { timeout: Duration::ZERO }, Arc::default(), start);
        assert!(!hole.has_swallowed_end());
        hole.push(&Parcel { content: Content::End, unit: 0 }, start);
        assert!(hole.has_swallowed_end());
    }

    #[test]
    fn a_black_hole_counts_a_connection_once_when_it_swallows_data_and_no_idle_one() {
        let start = Instant::now();
        let counters = Arc::<ToxicCounters>::default();
        let mut idle = BlackHole::new(Timeout { timeout: Duration::ZERO }, Arc::clone(&counters), start);
        idle.push(&Parcel { content: Content::End, unit: 0 }, start);
        assert_eq!(counters.hits.get(), 0, "its client only closed a connection that it kept");
        let mut busy = BlackHole::new(Timeout { timeout: Duration::ZERO }, Arc::clone(&counters), start);
        for bytes in [b"a", b"b"] {
            busy.push(&data(bytes.to_vec()), start);
        }
        assert_eq!(counters.hits.get(), 1);
    }
}
