//! `limit_data`: closes the connection after so many bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Content, Parcel, ToxicCounters};

/// Lets `bytes` pass in one direction of each connection, then closes the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitData {
    /// How many bytes pass; 0, the default, closes when the first data comes.
    pub bytes: u64,
}

impl LimitData {
    /// The type's name in the admin API.
    pub const TYPE: &'static str = "limit_data";
}

/// Counts what passes; a change of the limit goes on counting.
#[derive(Debug)]
pub(crate) struct Meter {
    settings: LimitData,
    counters: Arc<ToxicCounters>,
    passed: u64,
    is_over: bool,
    held: VecDeque<Parcel>,
}

impl Meter {
    pub(super) fn new(settings: LimitData, counters: Arc<ToxicCounters>) -> Self {
        Self { settings, counters, passed: 0, is_over: false, held: VecDeque::new() }
    }

    pub(super) fn push(&mut self, mut parcel: Parcel, now: Instant) {
        if self.is_over {
            return;
        }
        let unit = parcel.unit;
        if let Content::Data(data) = &mut parcel.content {
            let left = self.settings.bytes.saturating_sub(self.passed);
            data.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            self.passed += u64::try_from(data.len()).unwrap_or(u64::MAX);
            self.is_over = self.passed >= self.settings.bytes;
            if !data.is_empty() {
                self.held.push_back(parcel);
            }
        } else {
            self.held.push_back(parcel);
        }
        if self.is_over {
            self.counters.hit(now);
            self.held.push_back(Parcel { content: Content::Close, unit });
        }
    }

    pub(super) fn pop(&mut self) -> Option<Parcel> {
        self.held.pop_front()
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.held.iter().map(Parcel::bytes).sum()
    }

    pub(super) fn adopt(&mut self, settings: LimitData) {
        self.settings = settings;
    }

    /// What it held, and whether bytes are lost.
    pub(super) fn dissolve(self) -> (VecDeque<Parcel>, bool) {
        (self.held, self.is_over)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::data;
    use super::*;

    fn contents(meter: &mut Meter) -> Vec<Content> {
        std::iter::from_fn(|| meter.pop()).map(|parcel| parcel.content).collect()
    }

    #[test]
    fn the_limit_passes_to_the_byte_then_comes_the_close() {
        let mut meter = Meter::new(LimitData { bytes: 5 }, Arc::default());
        meter.push(data(b"abc".to_vec()), Instant::now());
        assert_eq!(contents(&mut meter), [data(b"abc".to_vec()).content]);
        meter.push(data(b"defg".to_vec()), Instant::now());
        meter.push(data(b"lost".to_vec()), Instant::now());
        assert_eq!(contents(&mut meter), [data(b"de".to_vec()).content, Content::Close]);
        assert_eq!(meter.counters.hits.get(), 1);
        assert!(meter.dissolve().1);
    }

    #[test]
    fn a_raised_limit_goes_on_counting_and_none_closes_at_the_first_data() {
        let mut meter = Meter::new(LimitData { bytes: 5 }, Arc::default());
        meter.push(data(b"abc".to_vec()), Instant::now());
        meter.adopt(LimitData { bytes: 4 });
        meter.push(data(b"de".to_vec()), Instant::now());
        assert_eq!(contents(&mut meter).last(), Some(&Content::Close));

        let mut meter = Meter::new(LimitData { bytes: 0 }, Arc::default());
        meter.push(data(b"x".to_vec()), Instant::now());
        assert_eq!(contents(&mut meter), [Content::Close]);
    }
}
