//! What the fault proxies tell each second: their traffic as events, and the first time a fault was done to a caller as its proof.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use super::Drive;
use crate::event::{EventKind, ProxyFaultSecond, ProxySecond};
use crate::proxy::{ProxyStats, Stats};
use crate::unit::ProxyName;

/// What each proxy had done when it was last heard of.
#[derive(Debug, Default)]
pub(super) struct Proxies(BTreeMap<ProxyName, ProxyStats>);

impl Drive {
    /// Records what is new of the proxies.
    pub(super) fn hear_of_proxies(&mut self, stats: &Stats) {
        for (name, present) in &stats.proxies {
            let Ok(name) = name.parse::<ProxyName>() else { continue };
            let before = self.proxies.0.insert(name.clone(), present.clone());
            if let Some(second) = second_of(name, before.as_ref(), present) {
                self.record(EventKind::ProxyRecorded(second));
            }
        }
        self.prove_by_proxies(stats);
    }

    /// A fault without `effect_if` is proven by the proxy that did it to a caller; whoever gave one knows better.
    fn prove_by_proxies(&mut self, stats: &Stats) {
        let undos = self.undos.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut proven = Vec::new();
        for fault in &self.recorder.recording().state().faults {
            let is_waiting = fault.applied_ms.is_some() && fault.effective_ms.is_none() && fault.end.is_none();
            let change = self.plan.changes.get(&fault.identity.fault);
            if !is_waiting || change.is_none_or(|change| change.effect_if.is_some()) {
                continue;
            }
            if let Some(evidence) = undos.get(&fault.identity).and_then(|undo| undo.proof(stats)) {
                proven.push(EventKind::FaultEffective { identity: fault.identity.clone(), evidence });
            }
        }
        for kind in proven {
            self.record(kind);
        }
    }
}

/// What a proxy did between two looks; none where that is nothing.
fn second_of(proxy: ProxyName, before: Option<&ProxyStats>, present: &ProxyStats) -> Option<ProxySecond> {
    let since = |of: fn(&ProxyStats) -> u64| of(present).saturating_sub(before.map_or(0, of));
    let mut faults = BTreeMap::new();
    for (name, toxic) in &present.toxics {
        let hits = before.and_then(|before| before.toxics.get(name)).map_or(0, |toxic| toxic.hits);
        let applied = toxic.hits.saturating_sub(hits);
        faults.insert(name.clone(), ProxyFaultSecond { applied, added_delay_ms: 0 });
    }
    for (name, rule) in &present.rules {
        let old = before.and_then(|before| before.rules.get(name));
        let applied = rule.applied.saturating_sub(old.map_or(0, |old| old.applied));
        let added_delay_ms = rule.added_delay_ms.saturating_sub(old.map_or(0, |old| old.added_delay_ms));
        faults.insert(name.clone(), ProxyFaultSecond { applied, added_delay_ms });
    }
    faults.retain(|_, fault| *fault != ProxyFaultSecond::default());
    let second = ProxySecond {
        proxy,
        connections_open: present.connections_open,
        connections: since(|stats| stats.connections_total),
        requests: since(|stats| stats.requests),
        bytes_upstream: since(|stats| stats.bytes_upstream),
        bytes_downstream: since(|stats| stats.bytes_downstream),
        faults,
    };
    let traffic = second.connections + second.requests + second.bytes_upstream + second.bytes_downstream;
    (traffic > 0 || !second.faults.is_empty()).then_some(second)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stats(total: u64, requests: u64, applied: u64) -> ProxyStats {
        let rule = json!({"matched": 9, "applied": applied, "first_applied_ms": 1, "added_delay_ms": applied * 100});
        let stats = json!({
            "connections_open": 1, "connections_total": total, "connections_refused": 0, "bytes_upstream": 10 * requests,
            "bytes_downstream": 20 * requests, "upstream_connect_failures": 0, "requests": requests,
            "toxics": {"old": {"hits": 3, "connections": 1}}, "rules": {"late": rule},
        });
        serde_json::from_value(stats).unwrap()
    }

    #[test]
    fn a_second_is_what_is_new_and_one_with_nothing_new_is_none() {
        let name: ProxyName = "p".parse().unwrap();
        let second = second_of(name.clone(), Some(&stats(2, 5, 1)), &stats(3, 9, 4)).unwrap();
        assert_eq!(
            (second.connections, second.requests, second.bytes_upstream, second.bytes_downstream),
            (1, 4, 40, 80)
        );
        let faults: Vec<_> = second.faults.into_iter().collect();
        assert_eq!(faults, [("late".to_owned(), ProxyFaultSecond { applied: 3, added_delay_ms: 300 })]);
        assert_eq!(second_of(name.clone(), Some(&stats(2, 5, 1)), &stats(2, 5, 1)), None);
        let first = second_of(name, None, &stats(2, 5, 1)).unwrap();
        assert_eq!((first.requests, first.faults.len()), (5, 2));
    }
}
