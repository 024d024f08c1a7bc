//! A toxic at work on one link: one state machine of its own, without I/O or clock.

use std::collections::VecDeque;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;

use super::bandwidth::PacedLine;
use super::latency::DelayLine;
use super::limit_data::Meter;
use super::parcel::{Cut, Parcel, Released, Remains};
use super::reset_peer::Fuse;
use super::slicer::Knife;
use super::slow_close::LateEnd;
use super::timeout::BlackHole;
use super::{Toxic, ToxicCounters};

/// A toxic at work on one link.
#[derive(Debug)]
pub(crate) enum Stage {
    Latency(Box<DelayLine>),
    Bandwidth(PacedLine),
    Timeout(BlackHole),
    ResetPeer(Fuse),
    SlowClose(LateEnd),
    Slicer(Box<Knife>),
    LimitData(Meter),
}

impl Stage {
    /// Puts a toxic to work; `generator` is this toxic's for this connection.
    pub(crate) fn new(toxic: Toxic, counters: Arc<ToxicCounters>, generator: ChaCha8Rng, now: Instant) -> Self {
        match toxic {
            Toxic::Latency(latency) => Self::Latency(Box::new(DelayLine::new(latency, counters, generator))),
            Toxic::Bandwidth(bandwidth) => Self::Bandwidth(PacedLine::new(bandwidth, counters, now)),
            Toxic::Timeout(timeout) => Self::Timeout(BlackHole::new(timeout, counters, now)),
            Toxic::ResetPeer(reset) => Self::ResetPeer(Fuse::new(reset, counters)),
            Toxic::SlowClose(close) => Self::SlowClose(LateEnd::new(close, counters)),
            Toxic::Slicer(slicer) => Self::Slicer(Box::new(Knife::new(slicer, counters, generator, now))),
            Toxic::LimitData(limit) => Self::LimitData(Meter::new(limit, counters)),
        }
    }

    /// Takes a parcel that arrived at `now`.
    pub(crate) fn push(&mut self, parcel: Parcel, now: Instant) {
        match self {
            Self::Latency(line) => line.push(parcel, now),
            Self::Bandwidth(line) => line.push(parcel, now),
            Self::Timeout(hole) => hole.push(&parcel, now),
            Self::ResetPeer(fuse) => fuse.push(parcel, now),
            Self::SlowClose(end) => end.push(parcel, now),
            Self::Slicer(knife) => knife.push(parcel, now),
            Self::LimitData(meter) => meter.push(parcel, now),
        }
    }

    /// Releases the next thing that is due at `now`.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Released> {
        match self {
            Self::Latency(line) => line.pop(now).map(Released::Parcel),
            Self::Bandwidth(line) => line.pop(now).map(Released::Parcel),
            Self::Timeout(hole) => hole.is_over(now).then_some(Released::Cut(Cut::Close)),
            Self::ResetPeer(fuse) => fuse.is_over(now).then_some(Released::Cut(Cut::Reset)),
            Self::SlowClose(end) => end.pop(now).map(Released::Parcel),
            Self::Slicer(knife) => knife.pop(now).map(Released::Parcel),
            Self::LimitData(meter) => meter.pop().map(Released::Parcel),
        }
    }

    /// When [`Stage::pop`] will next release something, if nothing more is pushed.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self {
            Self::Latency(line) => line.due(),
            Self::Bandwidth(line) => line.due(),
            Self::Timeout(hole) => hole.due(),
            Self::ResetPeer(fuse) => fuse.due(),
            Self::SlowClose(end) => end.due(),
            Self::Slicer(knife) => knife.due(),
            // It holds nothing back: what comes in goes out at once.
            Self::LimitData(_) => None,
        }
    }

    /// The bytes that are held back.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Latency(line) => line.held_bytes(),
            Self::Bandwidth(line) => line.held_bytes(),
            Self::Timeout(_) => 0,
            Self::ResetPeer(fuse) => fuse.held_bytes(),
            Self::SlowClose(end) => end.held_bytes(),
            Self::Slicer(knife) => knife.held_bytes(),
            Self::LimitData(meter) => meter.held_bytes(),
        }
    }

    /// Whether the link is to read no more for now, so that its sender is held up as the toxic means it.
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Bandwidth(line) => line.is_full(),
            Self::ResetPeer(fuse) => fuse.is_full(),
            Self::Slicer(knife) => knife.is_full(),
            Self::Latency(_) | Self::Timeout(_) | Self::SlowClose(_) | Self::LimitData(_) => false,
        }
    }

    /// Whether the end of the stream has come in and will never come out.
    pub(crate) fn has_swallowed_end(&self) -> bool {
        match self {
            Self::Timeout(hole) => hole.has_swallowed_end(),
            Self::Latency(_)
            | Self::Bandwidth(_)
            | Self::ResetPeer(_)
            | Self::SlowClose(_)
            | Self::Slicer(_)
            | Self::LimitData(_) => false,
        }
    }

    /// Goes on with changed settings; what is held already keeps its time. A toxic never changes its type.
    pub(crate) fn adopt(&mut self, toxic: Toxic, now: Instant) {
        match toxic {
            Toxic::Latency(latency) => {
                if let Self::Latency(line) = self {
                    line.adopt(latency);
                }
            }
            Toxic::Bandwidth(bandwidth) => {
                if let Self::Bandwidth(line) = self {
                    line.adopt(bandwidth, now);
                }
            }
            Toxic::Timeout(timeout) => {
                if let Self::Timeout(hole) = self {
                    hole.adopt(timeout, now);
                }
            }
            Toxic::ResetPeer(reset) => {
                if let Self::ResetPeer(fuse) = self {
                    fuse.adopt(reset);
                }
            }
            Toxic::SlowClose(close) => {
                if let Self::SlowClose(end) = self {
                    end.adopt(close);
                }
            }
            Toxic::Slicer(slicer) => {
                if let Self::Slicer(knife) = self {
                    knife.adopt(slicer, now);
                }
            }
            Toxic::LimitData(limit) => {
                if let Self::LimitData(meter) = self {
                    meter.adopt(limit);
                }
            }
        }
    }

    /// Ends the stage at `now`, since its toxic was removed.
    pub(crate) fn dissolve(self, now: Instant) -> Remains {
        let whole = |parcels| Remains { parcels, close: false };
        match self {
            Self::Latency(line) => whole(line.dissolve(now)),
            Self::Bandwidth(line) => whole(line.dissolve(now)),
            Self::Timeout(_) => Remains { parcels: VecDeque::new(), close: true },
            Self::ResetPeer(fuse) => whole(fuse.dissolve()),
            Self::SlowClose(end) => whole(end.dissolve(now)),
            Self::Slicer(knife) => whole(knife.dissolve(now)),
            Self::LimitData(meter) => {
                let (parcels, close) = meter.dissolve();
                Remains { parcels, close }
            }
        }
    }
}
