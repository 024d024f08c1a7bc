//! The toxics: what a proxy can do to a stream, one file each.
//!
//! A toxic on a link is a [`Stage`]: a state machine that takes parcels, keeps them, and releases them when they are
//! due. It does no I/O and reads no clock, so that every toxic is tested with plain calls. To add one: a file with its
//! settings and its state machine, then the variants and match arms that the compiler asks for here.

mod active;
mod bandwidth;
mod distribution;
mod latency;
mod limit_data;
mod parcel;
mod reset_peer;
mod slicer;
mod slow_close;
mod stage;
mod timeout;
mod wait;
mod wire;

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use active::{ActiveToxic, ToxicCounters, ToxicSet};
pub use bandwidth::Bandwidth;
pub use distribution::Distribution;
pub use latency::Latency;
pub use limit_data::LimitData;
pub(crate) use parcel::{Content, Cut, Parcel, Released};
pub use reset_peer::ResetPeer;
pub use slicer::Slicer;
pub use slow_close::SlowClose;
pub(crate) use stage::Stage;
pub use timeout::Timeout;
pub use wire::ToxicError;
pub(crate) use wire::{ToxicJson, ToxicPatch};

use super::Direction;
use crate::unit::ToxicName;

/// The names of the toxic types, as the admin API writes them.
pub(crate) const TOXIC_TYPES: [&str; 7] =
    [Latency::TYPE, Bandwidth::TYPE, SlowClose::TYPE, Timeout::TYPE, ResetPeer::TYPE, Slicer::TYPE, LimitData::TYPE];

/// The longest time that a toxic may be told to wait: one day, in milliseconds.
const TOXIC_WAIT_MS_MAX: u64 = 24 * 3_600 * 1_000;

/// A toxic's type with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toxic {
    /// Delays what passes.
    Latency(Latency),
    /// Limits how much passes in a second.
    Bandwidth(Bandwidth),
    /// Delays the end of the stream.
    SlowClose(SlowClose),
    /// Lets nothing pass, and closes the connection after a time.
    Timeout(Timeout),
    /// Resets the connection.
    ResetPeer(ResetPeer),
    /// Cuts what passes into small pieces.
    Slicer(Slicer),
    /// Closes the connection after a number of bytes.
    LimitData(LimitData),
}

impl Toxic {
    /// The type's name in the admin API.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Latency(_) => Latency::TYPE,
            Self::Bandwidth(_) => Bandwidth::TYPE,
            Self::SlowClose(_) => SlowClose::TYPE,
            Self::Timeout(_) => Timeout::TYPE,
            Self::ResetPeer(_) => ResetPeer::TYPE,
            Self::Slicer(_) => Slicer::TYPE,
            Self::LimitData(_) => LimitData::TYPE,
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
    /// How long after it was added it is dropped by itself, in whole milliseconds, at most 7 days; `ttl_ms` in the JSON, in
    /// which Toxiproxy has no such thing. Default never.
    pub ttl: Option<Duration>,
    /// By what the one who added it knows it: 1 to 128 printable ASCII characters, which the stats
    /// tell; Toxiproxy has no such thing. Default none.
    pub token: Option<String>,
}

#[cfg(test)]
mod testing {
    use super::{Content, Parcel};

    /// A parcel of these bytes.
    pub(super) fn data(bytes: Vec<u8>) -> Parcel {
        Parcel { content: Content::Data(bytes.into()), unit: 0 }
    }

    /// The bytes of parcels, one after another.
    pub(super) fn drain(parcels: impl IntoIterator<Item = Parcel>) -> Vec<u8> {
        let bytes = parcels.into_iter().map(|parcel| match parcel.content {
            Content::Data(data) => data.to_vec(),
            Content::End | Content::Abort | Content::Close => Vec::new(),
        });
        bytes.collect::<Vec<_>>().concat()
    }
}
