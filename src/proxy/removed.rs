//! Toxics, rules and TLS faults that were taken away of late: what they did to the last can still be told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::counters::{RemovedRule, RemovedToxic, TlsFaultStats};
use super::http::{ActiveRule, RuleSet};
use super::toxic::{ActiveToxic, ToxicSet};
use crate::unit::elapsed_ms;

/// How many of one proxy are kept.
const REMOVED_MAX: usize = 32;

/// How long each is kept: whoever looks once a second has seen it by then.
const REMOVED_KEPT: Duration = Duration::from_secs(60);

/// Those of one proxy, the latest last.
#[derive(Debug, Default)]
pub(crate) struct Removed(Mutex<VecDeque<(Instant, Part)>>);

#[derive(Debug)]
enum Part {
    Toxic(Arc<ActiveToxic>),
    Rule(Arc<ActiveRule>),
    /// With what it had done by then.
    TlsFault(TlsFaultStats),
}

/// What they have done, the latest last.
#[derive(Debug, Default)]
pub(crate) struct RemovedStats {
    pub(crate) removed_toxics: Vec<RemovedToxic>,
    pub(crate) removed_rules: Vec<RemovedRule>,
    pub(crate) removed_tls_faults: Vec<TlsFaultStats>,
}

impl Removed {
    /// Keeps the toxics that are in one set and not in the other.
    pub(crate) fn keep_toxics(&self, before: &ToxicSet, after: &ToxicSet) {
        let is_gone = |toxic: &&Arc<ActiveToxic>| !after.iter().any(|other| other.id == toxic.id);
        self.keep(before.iter().filter(is_gone).map(|toxic| Part::Toxic(Arc::clone(toxic))));
    }

    /// Keeps the rules that are in one set and not in the other.
    pub(crate) fn keep_rules(&self, before: &RuleSet, after: &RuleSet) {
        let is_gone = |rule: &&Arc<ActiveRule>| !after.iter().any(|other| other.id == rule.id);
        self.keep(before.iter().filter(is_gone).map(|rule| Part::Rule(Arc::clone(rule))));
    }

    /// Keeps a TLS fault that is taken away now, if there is one.
    pub(crate) fn keep_tls_fault(&self, stats: Option<TlsFaultStats>) {
        self.keep(stats.into_iter().map(Part::TlsFault));
    }

    fn keep(&self, parts: impl Iterator<Item = Part>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        kept.extend(parts.map(|part| (now, part)));
        let surplus = kept.len().saturating_sub(REMOVED_MAX);
        kept.drain(..surplus);
    }

    /// What each has done; those whose time is over are let go.
    pub(crate) fn stats(&self, now: Instant) -> RemovedStats {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(removed, _)| now.saturating_duration_since(*removed) < REMOVED_KEPT);
        let mut told = RemovedStats::default();
        for (removed, part) in kept.iter() {
            match part {
                Part::Toxic(toxic) => {
                    let name = toxic.spec.name.to_string();
                    told.removed_toxics.push(RemovedToxic { name, stats: toxic.stats(now) });
                }
                Part::Rule(rule) => {
                    let name = rule.spec.name.to_string();
                    told.removed_rules.push(RemovedRule { name, stats: rule.stats(now) });
                }
                Part::TlsFault(stats) => {
                    let age_ms = stats.age_ms + elapsed_ms(now.saturating_duration_since(*removed));
                    told.removed_tls_faults.push(TlsFaultStats { age_ms, ..stats.clone() });
                }
            }
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn toxics(ids: impl Iterator<Item = u64>) -> ToxicSet {
        ids.fold(ToxicSet::default(), |set, id| {
            let spec = serde_json::from_value(json!({"name": format!("t{id}"), "type": "timeout"})).expect("a toxic");
            set.with(ActiveToxic::new(id, spec, &"p".parse().expect("a name"), 1))
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_latest_are_kept_for_a_time_and_count_on() {
        let removed = Removed::default();
        let before = toxics(0..40);
        removed.keep_toxics(&before, &toxics(38..40));
        let kept = || removed.stats(Instant::now()).removed_toxics;
        let names = || kept().into_iter().map(|toxic| toxic.name).collect::<Vec<_>>();
        assert_eq!((names().len(), names().first().cloned()), (32, Some("t6".to_owned())));
        before.get("t37").expect("it is there").counters.hit(Instant::now());
        let last = kept().pop().expect("the latest");
        assert_eq!((last.name.as_str(), last.stats.id, last.stats.hits), ("t37", 37, 1));
        tokio::time::advance(REMOVED_KEPT).await;
        assert_eq!(names(), Vec::<String>::new());
    }
}
