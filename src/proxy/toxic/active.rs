//! A toxic that is on a proxy: its settings with what it has done, and the chances that it draws.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{Direction, Toxic, ToxicSpec};
use crate::proxy::counters::{Counter, ToxicStats};
use crate::proxy::delay::{Asked, Delays};
use crate::proxy::expiry::Expiry;
use crate::unit::{ProxyName, elapsed_ms};

/// What a toxic has done.
#[derive(Debug, Default)]
pub(crate) struct ToxicCounters {
    /// Delayed chunks, or connections that were swallowed.
    pub(crate) hits: Counter,
    /// Connections that it has worked on.
    pub(crate) connections: Counter,
    first_hit: OnceLock<Instant>,
    pub(crate) delays: Delays,
}

impl ToxicCounters {
    /// Counts that it did something at `now`.
    pub(crate) fn hit(&self, now: Instant) {
        self.hits.add(1);
        self.first_hit.get_or_init(|| now);
    }
}

/// A toxic that is on a proxy. It is replaced as a whole by a change, which keeps `id`, `key`, `counters` and `added`.
#[derive(Debug)]
pub(crate) struct ActiveToxic {
    /// Tells a toxic from another of the same name that was put in its place.
    pub(crate) id: u64,
    /// Grows with every change of the settings.
    pub(crate) version: u64,
    pub(crate) spec: ToxicSpec,
    pub(crate) counters: Arc<ToxicCounters>,
    /// When it is to be dropped.
    pub(crate) expiry: Expiry,
    added: Instant,
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
        let expiry = Expiry::after(spec.ttl);
        Self { id, version: 0, spec, counters: Arc::default(), expiry, added: Instant::now(), key }
    }

    /// The same toxic with changed settings; `is_renewed` begins its time to live anew.
    pub(crate) fn changed(&self, spec: ToxicSpec, is_renewed: bool) -> Self {
        Self {
            id: self.id,
            version: self.version + 1,
            expiry: if is_renewed { Expiry::after(spec.ttl) } else { Expiry::at_end(self.expiry.end()) },
            spec,
            counters: Arc::clone(&self.counters),
            added: self.added,
            key: self.key,
        }
    }

    /// What it has done, told at `now`.
    pub(crate) fn stats(&self, now: Instant) -> ToxicStats {
        let since_added = |moment: Instant| elapsed_ms(moment.saturating_duration_since(self.added));
        ToxicStats {
            id: self.id,
            token: self.spec.token.clone(),
            age_ms: since_added(now),
            hits: self.counters.hits.get(),
            connections: self.counters.connections.get(),
            first_hit_ms: self.counters.first_hit.get().copied().map(since_added),
            added_delay: self.counters.delays.stats(asked(self.spec.toxic)),
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

/// The one delay that a toxic is told to add, where it is one.
fn asked(toxic: Toxic) -> Option<Asked> {
    match toxic {
        Toxic::Latency(latency) => Some(Asked::new(latency.latency, latency.jitter)),
        Toxic::SlowClose(close) => Some(Asked::new(close.delay, Duration::ZERO)),
        Toxic::Bandwidth(_) | Toxic::Slicer(_) | Toxic::Timeout(_) | Toxic::ResetPeer(_) | Toxic::LimitData(_) => None,
    }
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
    use crate::proxy::{Timeout, Toxicity};

    fn toxic(name: &str, toxicity: f64, seed: u64) -> ActiveToxic {
        let spec = ToxicSpec {
            name: name.parse().expect("a name"),
            stream: Direction::Downstream,
            toxicity: Toxicity::try_from(toxicity).expect("a ratio"),
            toxic: Toxic::Timeout(Timeout { timeout: Duration::ZERO }),
            ttl: None,
            token: None,
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
