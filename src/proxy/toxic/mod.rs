//! The toxics: what a proxy can do to a stream, one file each.
//!
//! A toxic on a link is a [`Stage`]: a state machine that takes parcels, keeps them, and releases them when they are
//! due. It does no I/O and reads no clock, so that every toxic is tested with plain calls. To add one: a file with its
//! settings and its state machine, then the variants and match arms that the compiler asks for here.

mod active;
mod latency;
mod timeout;
mod wire;

use std::collections::VecDeque;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::bytes::Bytes;

pub(crate) use active::{ActiveToxic, ToxicCounters, ToxicSet};
pub use latency::Latency;
pub use timeout::Timeout;
pub use wire::ToxicError;
pub(crate) use wire::{ToxicJson, ToxicPatch};

use super::Direction;
use crate::unit::ToxicName;
use latency::DelayLine;
use timeout::BlackHole;

/// The names of the toxic types, as the admin API writes them.
pub(crate) const TOXIC_TYPES: [&str; 2] = [Latency::TYPE, Timeout::TYPE];

/// The longest time that a toxic may be told to wait: one day, in milliseconds.
const TOXIC_WAIT_MS_MAX: u64 = 24 * 3_600 * 1_000;

/// A toxic's type with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toxic {
    /// Delays what passes.
    Latency(Latency),
    /// Lets nothing pass, and closes the connection after a time.
    Timeout(Timeout),
}

impl Toxic {
    /// The type's name in the admin API.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Latency(_) => Latency::TYPE,
            Self::Timeout(_) => Timeout::TYPE,
        }
    }
}

/// The share of connections that a toxic works on, from 0 (none) to 1 (all, the default).
///
/// It is drawn once for a connection, as in Toxiproxy, from a generator that the proxy's seed, the names of proxy and
/// toxic, and the connection's number decide: the same seed picks the same connections.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "f64", into = "f64")]
pub struct Toxicity(#[schemars(range(min = 0.0, max = 1.0))] f64);

impl Toxicity {
    /// Every connection.
    pub const ALL: Self = Self(1.0);

    /// The share as a ratio from 0 to 1.
    #[must_use]
    pub fn ratio(self) -> f64 {
        self.0
    }
}

impl Default for Toxicity {
    fn default() -> Self {
        Self::ALL
    }
}

impl TryFrom<f64> for Toxicity {
    type Error = ToxicError;

    fn try_from(ratio: f64) -> Result<Self, ToxicError> {
        if (0.0..=1.0).contains(&ratio) { Ok(Self(ratio)) } else { Err(ToxicError::Toxicity(ratio)) }
    }
}

impl From<Toxicity> for f64 {
    fn from(toxicity: Toxicity) -> Self {
        toxicity.0
    }
}

/// A toxic as it is put on a proxy. Serde speaks Toxiproxy's JSON:
/// `{"name": "slow", "type": "latency", "stream": "downstream", "toxicity": 1.0, "attributes": {"latency": 250}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "wire::ToxicJson", into = "wire::ToxicJson")]
pub struct ToxicSpec {
    /// Its name, of which a proxy has one; `type_stream` if the JSON gives none.
    pub name: ToxicName,
    /// The direction that it works on; default downstream.
    pub stream: Direction,
    /// The share of connections that it works on; default 1.
    pub toxicity: Toxicity,
    /// What it does.
    pub toxic: Toxic,
}

/// One piece of a stream on its way through the stages of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) content: Content,
    /// The unit of traffic that it belongs to: one exchange in HTTP, one burst in TCP. Chances are drawn once a unit.
    pub(crate) unit: u64,
}

impl Parcel {
    /// How many bytes of the stream it holds.
    pub(crate) fn bytes(&self) -> usize {
        match &self.content {
            Content::Data(data) => data.len(),
            Content::End | Content::Abort => 0,
        }
    }
}

/// What a parcel holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// Bytes of the stream, never none.
    Data(Bytes),
    /// The sender has shut its side; it goes through the stages so that it can not overtake data.
    End,
    /// The sender broke off, with a reset for example; it goes through the stages for the same reason.
    Abort,
}

/// What comes out of a stage.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Released {
    /// A parcel that goes on.
    Parcel(Parcel),
    /// The whole connection is to be closed.
    Close,
}

/// What a stage leaves behind when its toxic is removed.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    /// What it held, in order; it goes on at once.
    pub(crate) parcels: VecDeque<Parcel>,
    /// Whether the connection can not go on, since bytes of it are lost.
    pub(crate) close: bool,
}

/// A toxic at work on one link.
#[derive(Debug)]
pub(crate) enum Stage {
    Latency(Box<DelayLine>),
    Timeout(BlackHole),
}

impl Stage {
    /// Puts a toxic to work; `generator` is this toxic's for this connection.
    pub(crate) fn new(toxic: Toxic, counters: Arc<ToxicCounters>, generator: ChaCha8Rng, now: Instant) -> Self {
        match toxic {
            Toxic::Latency(latency) => Self::Latency(Box::new(DelayLine::new(latency, counters, generator))),
            Toxic::Timeout(timeout) => Self::Timeout(BlackHole::new(timeout, &counters, now)),
        }
    }

    /// Takes a parcel that arrived at `now`.
    pub(crate) fn push(&mut self, parcel: Parcel, now: Instant) {
        match self {
            Self::Latency(line) => line.push(parcel, now),
            Self::Timeout(hole) => hole.push(&parcel),
        }
    }

    /// Releases the next thing that is due at `now`.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Released> {
        match self {
            Self::Latency(line) => line.pop(now).map(Released::Parcel),
            Self::Timeout(hole) => hole.is_over(now).then_some(Released::Close),
        }
    }

    /// When [`Stage::pop`] will next release something, if nothing more is pushed.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self {
            Self::Latency(line) => line.due(),
            Self::Timeout(hole) => hole.due(),
        }
    }

    /// The bytes that are held back.
    pub(crate) fn held_bytes(&self) -> usize {
        match self {
            Self::Latency(line) => line.held_bytes(),
            Self::Timeout(_) => 0,
        }
    }

    /// Whether the end of the stream has come in and will never come out.
    pub(crate) fn has_swallowed_end(&self) -> bool {
        match self {
            Self::Latency(_) => false,
            Self::Timeout(hole) => hole.has_swallowed_end(),
        }
    }

    /// Goes on with changed settings; what is held already keeps its time. A toxic never changes its type.
    pub(crate) fn adopt(&mut self, toxic: Toxic, now: Instant) {
        match (self, toxic) {
            (Self::Latency(line), Toxic::Latency(latency)) => line.adopt(latency),
            (Self::Timeout(hole), Toxic::Timeout(timeout)) => hole.adopt(timeout, now),
            (Self::Latency(_), Toxic::Timeout(_)) | (Self::Timeout(_), Toxic::Latency(_)) => {
                unreachable!("invariant: a toxic keeps its type for as long as it keeps its id")
            }
        }
    }

    /// Ends the stage, since its toxic was removed.
    pub(crate) fn dissolve(self) -> Remains {
        match self {
            Self::Latency(line) => Remains { parcels: line.dissolve(), close: false },
            Self::Timeout(_) => Remains { parcels: VecDeque::new(), close: true },
        }
    }
}
