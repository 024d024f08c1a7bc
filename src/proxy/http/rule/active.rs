//! A rule that is on a proxy: what it has done, and which requests it picks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::{RuleSpec, Subject};
use crate::proxy::delay::{DelayStats, Delays};
use crate::proxy::expiry::Expiry;
use crate::unit::{ProxyName, elapsed_ms};

/// What one rule has done since it was added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleStats {
    /// Tells it from every other toxic and rule of the process.
    #[serde(default)]
    pub id: u64,
    /// How long ago it was added, in milliseconds.
    #[serde(default)]
    pub age_ms: u64,
    /// Requests that it is about.
    pub matched: u64,
    /// Requests to which its action was done.
    pub applied: u64,
    /// How long after it was added its action was done first: the proof of its effect.
    pub first_applied_ms: Option<u64>,
    /// How long it has held answers back, all together.
    #[serde(default)]
    pub added_delay_ms: u64,
    /// The delays that it has added; none of an action that adds no delay, or has not yet. `latency`: one an answer;
    /// `slow_body`: one a piece, for how long it was held while it was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added_delay: Option<DelayStats>,
}

/// What a rule counts.
#[derive(Debug, Default)]
struct RuleCounters {
    matched: AtomicU64,
    /// Requests that it has picked; never above `max_affected`.
    picked: AtomicU64,
    applied: AtomicU64,
    first_applied: OnceLock<Instant>,
    delays: Delays,
}

/// A rule that is on a proxy.
#[derive(Debug)]
pub(crate) struct ActiveRule {
    /// Tells it from another of the same name that was put in its place.
    pub(crate) id: u64,
    pub(crate) spec: RuleSpec,
    key: [u8; 32],
    added: Instant,
    counters: RuleCounters,
    is_removed: AtomicBool,
    /// When it is to be dropped.
    pub(crate) expiry: Expiry,
}

impl ActiveRule {
    pub(crate) fn new(id: u64, spec: RuleSpec, proxy: &ProxyName, seed: u64) -> Self {
        let key = Sha256::new()
            .chain_update(seed.to_le_bytes())
            // Names hold no zero byte, so it parts them beyond doubt, and rules from toxics.
            .chain_update(proxy.as_str())
            .chain_update([0, 0])
            .chain_update(spec.name.as_str())
            .finalize()
            .into();
        Self {
            id,
            key,
            added: Instant::now(),
            counters: RuleCounters::default(),
            is_removed: AtomicBool::new(false),
            expiry: Expiry::after(spec.ttl()),
            spec,
        }
    }

    /// The generator of a request's chances if the request is one that it is about and that it picks. The same seed picks
    /// the matching requests of the same numbers.
    pub(crate) fn pick(&self, subject: &Subject<'_>) -> Option<ChaCha8Rng> {
        if !self.spec.matches.holds(subject) {
            return None;
        }
        let number = self.counters.matched.fetch_add(1, Ordering::Relaxed) + 1;
        if self.spec.when.is_some_and(|when| !when.allows(number)) {
            return None;
        }
        let mut generator = ChaCha8Rng::from_seed(self.key);
        generator.set_stream(number);
        // The draw is below 1, so that 100% is every request.
        let chance: f64 = generator.random();
        if self.spec.percentage.is_some_and(|share| chance >= share.ratio()) {
            return None;
        }
        let most = self.spec.max_affected.unwrap_or(u64::MAX);
        let picked = &self.counters.picked;
        picked
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |picked| (picked < most).then_some(picked + 1))
            .ok()?;
        Some(generator)
    }

    /// Counts that its action was done to a request.
    pub(crate) fn count_applied(&self, now: Instant) {
        self.counters.applied.fetch_add(1, Ordering::Relaxed);
        self.counters.first_applied.get_or_init(|| now);
    }

    /// Counts for how long it has held an answer, or a piece of one, back.
    pub(crate) fn count_delay(&self, delay: Duration) {
        self.counters.delays.add(delay);
    }

    /// Whether it was taken away: what it still holds is let go.
    pub(crate) fn is_removed(&self) -> bool {
        self.is_removed.load(Ordering::Acquire)
    }

    /// What it has done, told at `now`.
    pub(crate) fn stats(&self, now: Instant) -> RuleStats {
        let since_added = |moment: Instant| elapsed_ms(moment.saturating_duration_since(self.added));
        RuleStats {
            id: self.id,
            age_ms: since_added(now),
            matched: self.counters.matched.load(Ordering::Relaxed),
            applied: self.counters.applied.load(Ordering::Relaxed),
            first_applied_ms: self.counters.first_applied.get().copied().map(since_added),
            added_delay_ms: elapsed_ms(self.counters.delays.sum()),
            added_delay: self.counters.delays.stats(self.spec.action.asked_delay()),
        }
    }
}

/// The rules of a proxy in the order in which they were added; a change makes a new set.
#[derive(Debug, Clone, Default)]
pub(crate) struct RuleSet(Arc<[Arc<ActiveRule>]>);

impl RuleSet {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<ActiveRule>> {
        self.0.iter()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<ActiveRule>> {
        self.iter().find(|rule| rule.spec.name.as_str() == name)
    }

    /// Whether a rule asks for an AWS operation, which may stand in a request's body.
    pub(crate) fn reads_bodies(&self) -> bool {
        self.iter().any(|rule| rule.spec.matches.aws.as_ref().is_some_and(|aws| aws.operation.is_some()))
    }

    pub(crate) fn with(&self, rule: ActiveRule) -> Self {
        Self(self.iter().cloned().chain([Arc::new(rule)]).collect())
    }

    /// The set without a rule, which from now on lets go of what it holds.
    pub(crate) fn without(&self, name: &str) -> Self {
        for rule in self.iter().filter(|rule| rule.spec.name.as_str() == name) {
            rule.is_removed.store(true, Ordering::Release);
        }
        Self(self.iter().filter(|rule| rule.spec.name.as_str() != name).cloned().collect())
    }

    /// No rule; all of this set let go of what they hold.
    pub(crate) fn cleared(&self) -> Self {
        for rule in self.iter() {
            rule.is_removed.store(true, Ordering::Release);
        }
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::proxy::http::head::RequestHead;

    fn rule(seed: u64, choice: &Value) -> ActiveRule {
        let mut spec = json!({"name": "r", "action": {"truncate": {"bytes": 0}}});
        let fields = spec.as_object_mut().expect("an object");
        fields.extend(choice.as_object().expect("an object").clone());
        let spec: RuleSpec = serde_json::from_value(spec).expect("a rule");
        assert_eq!(spec.problems(), []);
        ActiveRule::new(0, spec, &"p".parse().expect("a name"), seed)
    }

    /// The numbers, from 1, of the requests that are picked out of so many.
    fn picked(seed: u64, choice: &Value, requests: u64) -> Vec<u64> {
        let rule = rule(seed, choice);
        let head = RequestHead { method: "GET", target: "/", is_http_1_0: false, headers: &[] };
        (1..=requests).filter(|_| rule.pick(&Subject::new(&head, b"")).is_some()).collect()
    }

    #[test]
    fn a_percentage_is_exact_to_three_sigma_and_the_seed_picks_the_same_requests() {
        let requests = 20_000;
        for (percentage, share) in [("1%", 0.01), ("30%", 0.3), ("99.5%", 0.995)] {
            let hits = picked(7, &json!({"percentage": percentage}), requests);
            let sigma = (f64::from(20_000) * share * (1.0 - share)).sqrt();
            let count = f64::from(u32::try_from(hits.len()).expect("a few"));
            assert!((count - f64::from(20_000) * share).abs() <= 3.0 * sigma, "{percentage}: {count}");
            assert_eq!(hits, picked(7, &json!({"percentage": percentage}), requests));
            assert_ne!(hits, picked(8, &json!({"percentage": percentage}), requests));
        }
        assert_eq!(picked(7, &json!({"percentage": "100%"}), 100).len(), 100);
    }

    #[test]
    fn when_and_max_affected_pick_by_the_order_of_matching_requests() {
        assert_eq!(picked(1, &json!({"when": {"first": 2}}), 5), [1, 2]);
        assert_eq!(picked(1, &json!({"when": {"every": 2}}), 5), [2, 4]);
        assert_eq!(picked(1, &json!({"when": {"after": 3}}), 5), [4, 5]);
        assert_eq!(picked(1, &json!({"max_affected": 3}), 5), [1, 2, 3]);
        assert_eq!(picked(1, &json!({"when": {"every": 2}, "max_affected": 1}), 9), [2]);
        assert!(picked(1, &json!({"percentage": "50%", "max_affected": 4}), 1_000).len() == 4);
    }

    #[test]
    fn requests_that_do_not_match_are_not_counted() {
        let rule = rule(1, &json!({"match": {"path": "/a"}, "when": {"first": 1}}));
        let head = |target| RequestHead { method: "GET", target, is_http_1_0: false, headers: &[] };
        assert!(rule.pick(&Subject::new(&head("/b"), b"")).is_none());
        assert!(rule.pick(&Subject::new(&head("/a"), b"")).is_some());
        assert!(rule.pick(&Subject::new(&head("/a"), b"")).is_none());
        rule.count_applied(Instant::now());
        let stats = rule.stats(Instant::now());
        assert_eq!((stats.matched, stats.applied, stats.first_applied_ms.is_some()), (2, 1, true));
    }

    #[test]
    fn a_bad_choice_is_told_with_its_key() {
        for (choice, key) in [
            (json!({"percentage": "0%"}), "percentage"),
            (json!({"percentage": "101%"}), "percentage"),
            (json!({"when": {}}), "when"),
            (json!({"when": {"first": 1, "after": 2}}), "when"),
            (json!({"when": {"every": 0}}), "when"),
            (json!({"max_affected": 0}), "max_affected"),
            (json!({"match": {"method": "get"}}), "match"),
            (json!({"match": {"header": {"a b": "x"}}}), "match"),
            (json!({"match": {"aws": {}}}), "match"),
            (json!({"match": {"aws": {"service": "dynamdb"}}}), "match"),
        ] {
            let mut spec = json!({"name": "r", "action": {"truncate": {"bytes": 0}}});
            spec.as_object_mut().expect("an object").extend(choice.as_object().expect("an object").clone());
            let spec: RuleSpec = serde_json::from_value(spec).expect("a rule");
            let keys: Vec<_> = spec.problems().into_iter().map(|problem| problem.key).collect();
            assert_eq!(keys, [key], "{choice}");
        }
    }
}
