//! A toxic that is on a proxy: its settings with what it has done, and the chances that it draws.

use std::sync::Arc;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{Direction, ToxicSpec};
use crate::proxy::counters::Counter;
use crate::unit::ProxyName;

/// What a toxic has done.
#[derive(Debug, Default)]
pub(crate) struct ToxicCounters {
    /// Delayed chunks, or connections that were swallowed.
    pub(crate) hits: Counter,
    /// Connections that it has worked on.
    pub(crate) connections: Counter,
}

/// A toxic that is on a proxy. It is replaced as a whole by a change, which keeps `id`, `key` and `counters`.
#[derive(Debug)]
pub(crate) struct ActiveToxic {
    /// Tells a toxic from another of the same name that was put in its place.
    pub(crate) id: u64,
    /// Grows with every change of the settings.
    pub(crate) version: u64,
    pub(crate) spec: ToxicSpec,
    pub(crate) counters: Arc<ToxicCounters>,
    /// When it is to be dropped.
    pub(crate) expires: Option<Instant>,
    key: [u8; 32],
}

impl ActiveToxic {
    pub(crate) fn new(id: u64, spec: ToxicSpec, proxy: &ProxyName, seed: u64) -> Self {
        let key = Sha256::new()
            .chain_update(seed.to_le_bytes())
            // Names hold no zero byte, so it parts them beyond doubt.
            .chain_update(proxy.as_str())
            .chain_update([0])
            .chain_update(spec.name.as_str())
            .finalize()
            .into();
        let expires = expiry(&spec);
        Self { id, version: 0, spec, counters: Arc::default(), expires, key }
    }

    /// The same toxic with changed settings; `is_renewed` begins its time to live anew.
    pub(crate) fn changed(&self, spec: ToxicSpec, is_renewed: bool) -> Self {
        Self {
            id: self.id,
            version: self.version + 1,
            expires: if is_renewed { expiry(&spec) } else { self.expires },
            spec,
            counters: Arc::clone(&self.counters),
            key: self.key,
        }
    }

    /// This toxic's generator for one connection if the connection is one that it works on.
    pub(crate) fn draw(&self, connection: u64) -> Option<ChaCha8Rng> {
        let mut generator = ChaCha8Rng::from_seed(self.key);
        generator.set_stream(connection);
        // The draw is below 1, so that a toxicity of 1 is every connection and one of 0 is none.
        let chance: f64 = generator.random();
        (chance < self.spec.toxicity.ratio()).then_some(generator)
    }
}

fn expiry(spec: &ToxicSpec) -> Option<Instant> {
    spec.ttl.map(|ttl| Instant::now() + ttl)
}

/// The toxics of a proxy in the order in which they were added; a change makes a new set.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToxicSet(Arc<[Arc<ActiveToxic>]>);

impl ToxicSet {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<ActiveToxic>> {
        self.0.iter()
    }

    pub(crate) fn on(&self, direction: Direction) -> impl Iterator<Item = &Arc<ActiveToxic>> {
        self.iter().filter(move |toxic| toxic.spec.stream == direction)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<ActiveToxic>> {
        self.iter().find(|toxic| toxic.spec.name.as_str() == name)
    }

    pub(crate) fn with(&self, toxic: ActiveToxic) -> Self {
        Self(self.iter().cloned().chain([Arc::new(toxic)]).collect())
    }

    /// The set with the toxic of the same id replaced.
    pub(crate) fn with_changed(&self, toxic: ActiveToxic) -> Self {
        let toxic = Arc::new(toxic);
        Self(self.iter().map(|old| Arc::clone(if old.id == toxic.id { &toxic } else { old })).collect())
    }

    pub(crate) fn without(&self, name: &str) -> Self {
        Self(self.iter().filter(|toxic| toxic.spec.name.as_str() != name).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::{Timeout, Toxic, Toxicity};

    fn toxic(name: &str, toxicity: f64, seed: u64) -> ActiveToxic {
        let spec = ToxicSpec {
            name: name.parse().expect("a name"),
            stream: Direction::Downstream,
            toxicity: Toxicity::try_from(toxicity).expect("a ratio"),
            toxic: Toxic::Timeout(Timeout { timeout: std::time::Duration::ZERO }),
            ttl: None,
        };
        ActiveToxic::new(0, spec, &"p".parse().expect("a name"), seed)
    }

    fn hits(toxic: &ActiveToxic) -> Vec<u64> {
        (0..10_000).filter(|connection| toxic.draw(*connection).is_some()).collect()
    }

    #[test]
    fn toxicity_is_the_share_of_connections_and_the_seed_picks_them() {
        let share = hits(&toxic("t", 0.3, 1));
        assert!((2_850..=3_150).contains(&share.len()), "{}", share.len());
        assert_eq!(share, hits(&toxic("t", 0.3, 1)));
        assert_ne!(share, hits(&toxic("t", 0.3, 2)));
        assert_ne!(share, hits(&toxic("u", 0.3, 1)));
        let more = hits(&toxic("t", 0.6, 1));
        assert!(share.iter().all(|connection| more.contains(connection)), "raising the toxicity only adds connections");
        assert_eq!(hits(&toxic("t", 0.0, 1)).len(), 0);
        assert_eq!(hits(&toxic("t", 1.0, 1)).len(), 10_000);
    }
}
