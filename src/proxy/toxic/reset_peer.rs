//! `reset_peer`: answers traffic with a reset.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Parcel, ToxicCounters, ToxicError, wait};

/// Resets the connection `timeout` after its next data comes in, which goes nowhere; both sides see a RST.
///
/// An end that comes before any data is a reset, too (Toxiproxy's semantics), but not counted as an application: whoever
/// closes a connection that it kept may never see it.
///
/// It works on live connections, and only on those that its toxicity picks. Removing it before the time is over lets
/// go on what was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetPeer {
    /// How long after the first data; the admin API counts it in milliseconds, at most a day; 0, the default, is at once.
    pub timeout: Duration,
}

/// The settings as the admin API writes them, in milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Attributes {
    #[serde(with = "wait")]
    timeout: Duration,
}

impl ResetPeer {
    /// The type's name in the admin API.
    pub const TYPE: &'static str = "reset_peer";
}

impl TryFrom<Attributes> for ResetPeer {
    type Error = ToxicError;

    fn try_from(attributes: Attributes) -> Result<Self, ToxicError> {
        Ok(Self { timeout: wait::checked("timeout", attributes.timeout)? })
    }
}

impl From<ResetPeer> for Attributes {
    fn from(ResetPeer { timeout }: ResetPeer) -> Self {
        Self { timeout }
    }
}

/// How many bytes wait for the reset before the sender is held up.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// Holds everything until the reset.
#[derive(Debug)]
pub(crate) struct Fuse {
    settings: ResetPeer,
    counters: Arc<ToxicCounters>,
    /// When the first parcel came.
    lit: Option<Instant>,
    held: VecDeque<Parcel>,
    held_bytes: usize,
}

impl Fuse {
    pub(super) fn new(settings: ResetPeer, counters: Arc<ToxicCounters>) -> Self {
        Self { settings, counters, lit: None, held: VecDeque::new(), held_bytes: 0 }
    }

    pub(super) fn push(&mut self, parcel: Parcel, now: Instant) {
        self.lit.get_or_insert(now);
        if self.held_bytes == 0 && parcel.bytes() > 0 {
            self.counters.hit(now);
        }
        self.held_bytes += parcel.bytes();
        self.held.push_back(parcel);
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.lit.map(|lit| lit + self.settings.timeout)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    pub(super) fn is_full(&self) -> bool {
        self.held_bytes >= HELD_BYTES_MAX
    }

    pub(super) fn adopt(&mut self, settings: ResetPeer) {
        self.settings = settings;
    }

    pub(super) fn dissolve(self) -> VecDeque<Parcel> {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::super::Content;
    use super::super::testing::{data, drain};
    use super::*;

    #[test]
    fn the_time_begins_with_the_first_data_and_a_removal_before_it_is_over_loses_nothing() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut fuse = Fuse::new(ResetPeer { timeout: second }, Arc::default());
        assert_eq!(fuse.due(), None, "an idle connection is left alone");
        fuse.push(data(b"a".to_vec()), start);
        fuse.push(data(b"b".to_vec()), start + second / 2);
        assert!(!fuse.is_over(start + second / 2) && fuse.is_over(start + second));
        assert_eq!(fuse.counters.hits.get(), 1);
        assert_eq!(drain(fuse.dissolve()), b"ab");
    }

    #[test]
    fn an_end_without_data_is_a_reset_that_is_not_counted() {
        let start = Instant::now();
        let mut fuse = Fuse::new(ResetPeer { timeout: Duration::ZERO }, Arc::default());
        fuse.push(Parcel { content: Content::End, unit: 0 }, start);
        assert!(fuse.is_over(start));
        assert_eq!(fuse.counters.hits.get(), 0);
    }
}
