//! What the fault proxies tell each second: their traffic as events, and the first time a fault was done to a caller as its proof.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use super::super::core::Input;
use super::super::evidence::{FrameFile, ProxyFaultFrame, ProxyFrame};
use super::super::remote_proxy::{self, RemoteTarget};
use super::super::stage::Stage;
use super::{Drive, beating};
use crate::event::{
    DelaySummary, EventKind, FaultIdentity, PROXY_FAULTS_MAX, ProxyDelay, ProxyFaultSecond, ProxySecond,
};
use crate::fault::Undo;
use crate::plan::{Plan, TargetPlan};
use crate::proxy::{DelayStats, PartKind, PartStats, ProxyStats, Stats};
use crate::unit::{Failpoints, Histogram, ProxyName, TargetId, error_chain, format_duration};

/// How long the last look at the proxies may take: what they did is evidence, and no part of the undo.
const LAST_LOOK_WAIT: Duration = Duration::from_secs(2);

/// The changes that may have put something on a proxy.
type Changes = BTreeMap<FaultIdentity, Undo>;

/// What is remembered of the proxies.
#[derive(Debug, Default)]
pub(super) struct Proxies {
    /// What each had done when it was last heard of.
    before: BTreeMap<ProxyName, ProxyStats>,
    owners: Owners,
    files: BTreeMap<ProxyName, FrameFile>,
}

impl Proxies {
    /// What is counted from now on: a proxy that somebody else runs has done much before.
    pub(super) fn since(remote: &[RemoteTarget]) -> Self {
        Self { before: remote_proxy::before(remote), ..Self::default() }
    }
}

/// The targets whose proxies tell what they do to callers: the run's own, and those of a `gameday proxy` elsewhere.
pub(super) fn telling(plan: &Plan, stage: &Stage) -> BTreeSet<TargetId> {
    let is_own = |target: &TargetPlan| stage.faults.proxy.is_some() && matches!(target, TargetPlan::Proxy(_));
    let own = plan.targets.iter().filter(|(_, target)| is_own(target)).map(|(name, _)| name);
    own.chain(remote_proxy::telling(&stage.remote)).cloned().collect()
}

/// The faults that have put something on a proxy.
#[derive(Debug, Default)]
struct Owners(BTreeMap<(ProxyName, PartKind, u64, String), FaultIdentity>);

impl Owners {
    /// Finds out whose each part of a proxy is, by its name and its token. Once it is known it stays so, also when the part is
    /// taken away.
    fn learn(&mut self, proxy: &ProxyName, present: &ProxyStats, changes: &Changes) {
        for part in present.parts() {
            let key = Self::key(proxy, &part);
            if !self.0.contains_key(&key)
                && let Some((identity, _)) = changes.iter().find(|(_, undo)| undo.has_put(proxy, &part))
            {
                self.0.insert(key, identity.clone());
            }
        }
    }

    fn of(&self, proxy: &ProxyName, part: &PartStats<'_>) -> Option<&FaultIdentity> {
        self.0.get(&Self::key(proxy, part))
    }

    fn key(proxy: &ProxyName, part: &PartStats<'_>) -> (ProxyName, PartKind, u64, String) {
        (proxy.clone(), part.kind, part.id, part.name.to_owned())
    }
}

impl Drive {
    /// Records what is new of the proxies.
    pub(super) fn hear_of_proxies(&mut self, stats: &Stats) {
        let changes = self.undos.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, present) in &stats.proxies {
            let Ok(name) = name.parse::<ProxyName>() else { continue };
            self.proxies.owners.learn(&name, present, &changes);
            let before = self.proxies.before.insert(name.clone(), present.clone());
            let told = second_of(&name, before.as_ref(), present, &self.proxies.owners);
            let Some((second, faults)) = told else { continue };
            if !faults.is_empty() {
                self.keep_frame(name, &ProxyFrame { at_ms: self.now_ms(), faults });
            }
            self.record(EventKind::ProxyRecorded(second));
        }
        self.prove_by_proxies(stats);
        self.feed(Input::ProxiesTold(stats.proxies.keys().filter_map(|name| name.parse().ok()).collect()), None);
    }

    /// Asks once more before the proxies end: what they did since the last look counts, too.
    pub(super) async fn hear_last_of_proxies(&mut self) {
        // No step of the undo, so that a crash test does not count it.
        let own = self.stage.faults.proxy.clone().map(|client| client.with_failpoints(Failpoints::default()));
        let mut looks = remote_proxy::last_looks(&self.stage.remote, LAST_LOOK_WAIT);
        if let Some(client) = own {
            looks.spawn(async move { tokio::time::timeout(LAST_LOOK_WAIT, client.stats()).await.ok()?.ok() });
        }
        let heart = self.heart.clone();
        // One that does not answer has told what it did a second ago, and keeps nobody else from being heard.
        for stats in beating(heart.as_ref(), looks.join_all()).await.into_iter().flatten() {
            self.hear_of_proxies(&stats);
        }
    }

    fn keep_frame(&mut self, proxy: ProxyName, frame: &ProxyFrame) {
        let directory = self.recorder.log().directory();
        let file = match self.proxies.files.remove(&proxy) {
            Some(file) => Ok(file),
            None => FrameFile::of_proxy(directory, &proxy),
        };
        match file.and_then(|mut file| file.append(frame).map(|()| file)) {
            Ok(file) => drop(self.proxies.files.insert(proxy, file)),
            Err(error) => self.abort_internally(error_chain(&error)),
        }
    }

    /// A fault without `effect_if` is proven by the proxy that did it to a caller, also where that is heard of only after its
    /// undo; whoever gave one knows better.
    fn prove_by_proxies(&mut self, stats: &Stats) {
        let now_ms = self.now_ms();
        let mut proven = Vec::new();
        for fault in &self.recorder.recording().state().faults {
            let is_waiting = fault.applied_ms.is_some() && fault.effective_ms.is_none();
            let change = self.plan.changes.get(&fault.identity.fault);
            if !is_waiting || change.is_none_or(|change| change.effect_if.is_some()) {
                continue;
            }
            if let Some((evidence, ago_ms)) = proof(stats, &fault.identity, &self.proxies.owners) {
                let first_ms = Some(now_ms.saturating_sub(ago_ms).max(fault.requested_ms));
                proven.push(EventKind::FaultEffective { identity: fault.identity.clone(), evidence, first_ms });
            }
        }
        for kind in proven {
            self.record(kind);
        }
    }
}

/// What of the proxies' counters proves that callers met a fault, and how long ago they did first, in milliseconds; none
/// where they did not, or not yet.
fn proof(stats: &Stats, fault: &FaultIdentity, owners: &Owners) -> Option<(String, u64)> {
    stats.proxies.iter().find_map(|(proxy, present)| {
        let name: ProxyName = proxy.parse().ok()?;
        let part = present.parts().find(|part| part.applied > 0 && owners.of(&name, part) == Some(fault))?;
        let times = if part.applied == 1 { "once".to_owned() } else { format!("{} times", part.applied) };
        let what = match part.kind {
            PartKind::Toxic => "toxic",
            PartKind::Rule => "rule",
            PartKind::TlsFault => "TLS fault",
        };
        let first = part.first_applied_ms.map(|first| (first, part.age_ms.saturating_sub(first)));
        let when = first.map(|(first, _)| {
            let after = format_duration(Duration::from_millis(first));
            format!(", first {after} after it was put there")
        });
        let evidence =
            format!("{what} `{}` on proxy `{name}` was applied {times}{}", part.name, when.unwrap_or_default());
        Some((evidence, first.map_or(0, |(_, ago)| ago)))
    })
}

/// What a proxy did between two looks, and the histograms of the delays that it added; none where that is nothing.
fn second_of(
    proxy: &ProxyName,
    before: Option<&ProxyStats>,
    present: &ProxyStats,
    owners: &Owners,
) -> Option<(ProxySecond, Vec<ProxyFaultFrame>)> {
    let since = |of: fn(&ProxyStats) -> u64| of(present).saturating_sub(before.map_or(0, of));
    let (mut faults, mut frames) = (Vec::new(), Vec::new());
    for part in present.parts() {
        let is_same = |old: &PartStats<'_>| (old.kind, old.id, old.name) == (part.kind, part.id, part.name);
        // What has become less was counted anew.
        let old = before.and_then(|before| before.parts().find(is_same)).filter(|old| old.applied <= part.applied);
        let name = match part.kind {
            PartKind::Toxic | PartKind::Rule => part.name.to_owned(),
            PartKind::TlsFault => format!("tls:{}", part.name),
        };
        let identity = owners.of(proxy, &part).cloned();
        let added = part.added_delay.and_then(|delay| added_since(delay, old.and_then(|old| old.added_delay)));
        let fault = ProxyFaultSecond {
            name: name.clone(),
            identity: identity.clone(),
            applied: part.applied - old.map_or(0, |old| old.applied),
            added_delay_ms: added.as_ref().map_or(0, |(_, sum_ms, _)| *sum_ms),
            delay: added.as_ref().map(|(delay, _, _)| *delay),
        };
        if fault.applied > 0 || fault.delay.is_some() {
            faults.push(fault);
        }
        if let Some((_, _, delays)) = added {
            frames.push(ProxyFaultFrame { name, identity, delays });
        }
    }
    faults.sort_by_key(|fault| fault.identity.is_none());
    faults.truncate(PROXY_FAULTS_MAX);
    let second = ProxySecond {
        proxy: proxy.clone(),
        connections_open: present.connections_open,
        connections: since(|stats| stats.connections_total),
        requests: since(|stats| stats.requests),
        bytes_upstream: since(|stats| stats.bytes_upstream),
        bytes_downstream: since(|stats| stats.bytes_downstream),
        faults,
    };
    let traffic = second.connections + second.requests + second.bytes_upstream + second.bytes_downstream;
    (traffic > 0 || !second.faults.is_empty()).then_some((second, frames))
}

/// The delays that are new: in numbers, all together in milliseconds, and their histogram; none where none is.
fn added_since(present: &DelayStats, before: Option<&DelayStats>) -> Option<(ProxyDelay, u64, Histogram)> {
    let count = present.count.saturating_sub(before.map_or(0, |before| before.count));
    if count == 0 {
        return None;
    }
    let new = before.map_or_else(|| present.histogram.clone(), |before| present.histogram.since(&before.histogram));
    let micros = |latency: Option<Duration>| u64::try_from(latency.unwrap_or_default().as_micros()).unwrap_or(u64::MAX);
    let is_longest_new = before.is_none_or(|before| before.max_us < present.max_us);
    let max_us = if is_longest_new { present.max_us } else { micros(new.max()).min(present.max_us) };
    let second = DelaySummary {
        count,
        p50_us: micros(new.quantile(0.5)).min(max_us),
        p99_us: micros(new.quantile(0.99)).min(max_us),
        max_us,
        over_count: present.over_count.saturating_sub(before.map_or(0, |before| before.over_count)),
    };
    let DelayStats { p50_us, p99_us, max_us, over_count, .. } = *present;
    let delay = ProxyDelay {
        asked_us: present.asked.map(|asked| asked.delay_us),
        jitter_us: present.asked.map(|asked| asked.jitter_us).filter(|jitter| *jitter > 0),
        second,
        so_far: DelaySummary { count: present.count, p50_us, p99_us, max_us, over_count },
    };
    // Whole milliseconds of both, so that the differences add up to the whole.
    let sum_ms = (present.sum_us / 1_000).saturating_sub(before.map_or(0, |before| before.sum_us / 1_000));
    Some((delay, sum_ms, new))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::proxy::{TlsFault, TlsFaultStats};

    /// A toxic of this id, age and token that has hit so often, and held back each time for so long.
    fn toxic(id: u64, token: &str, hits: u64, delay_ms: u64) -> Value {
        let mut histogram = Histogram::default();
        for _ in 0..hits {
            histogram.record(Duration::from_millis(delay_ms));
        }
        let us = delay_ms * 1_000;
        let delay = json!({"asked": {"delay_us": 100_000, "jitter_us": 0}, "count": hits, "sum_us": hits * us,
                           "mean_us": us, "p50_us": us, "p99_us": us, "max_us": us, "histogram": histogram});
        let first = (hits > 0).then_some(400);
        json!({"id": id, "token": token, "age_ms": 1_000, "hits": hits, "connections": 1, "first_hit_ms": first,
               "added_delay": (hits > 0).then_some(delay)})
    }

    fn proxy(requests: u64, toxics: Value, removed: Value) -> ProxyStats {
        let rule = json!({"id": 9, "matched": 9, "applied": requests, "first_applied_ms": 1, "added_delay_ms": 0});
        let stats = json!({
            "connections_open": 1, "connections_total": 3, "connections_refused": 0, "bytes_upstream": 10 * requests,
            "bytes_downstream": 20 * requests, "upstream_connect_failures": 0, "requests": requests,
            "toxics": toxics, "rules": {"late": rule}, "removed_toxics": removed,
        });
        serde_json::from_value(stats).unwrap()
    }

    /// Faults that have put toxics of these tokens on the proxy, one after another.
    fn owners(present: &[&ProxyStats], tokens: &[&str]) -> Owners {
        let identity = |token: &str| FaultIdentity { fault: "slow".parse().unwrap(), step: token.to_owned() };
        let undo = |token: &str| {
            let toxic = json!({"name": "slow", "type": "latency", "token": token, "attributes": {"latency": 100}});
            serde_json::from_value(json!({"proxy_latency": {"toxic": {"proxy": "p", "toxic": toxic}}})).unwrap()
        };
        let changes = tokens.iter().map(|token| (identity(token), undo(token))).collect();
        let mut owners = Owners::default();
        present.iter().for_each(|present| owners.learn(&name(), present, &changes));
        owners
    }

    fn name() -> ProxyName {
        "p".parse().unwrap()
    }

    #[test]
    fn a_second_is_what_is_new_and_one_with_nothing_new_is_none() {
        let (before, after) = (proxy(5, json!({}), json!([])), proxy(9, json!({}), json!([])));
        let (second, _) = second_of(&name(), Some(&before), &after, &Owners::default()).unwrap();
        assert_eq!(
            (second.connections, second.requests, second.bytes_upstream, second.bytes_downstream),
            (0, 4, 40, 80)
        );
        let late =
            ProxyFaultSecond { name: "late".to_owned(), identity: None, applied: 4, added_delay_ms: 0, delay: None };
        assert_eq!(second.faults, [late]);
        assert!(second_of(&name(), Some(&after), &after, &Owners::default()).is_none());
        let (first, _) = second_of(&name(), None, &after, &Owners::default()).unwrap();
        assert_eq!((first.requests, first.faults.len()), (9, 1));
    }

    #[test]
    fn what_a_removed_toxic_did_to_the_last_counts_for_its_own_fault_and_not_for_the_next_of_its_name() {
        let before = proxy(0, json!({"slow": toxic(1, "one", 2, 100)}), json!([]));
        let removed = json!([{"name": "slow", "stats": toxic(1, "one", 5, 100)}]);
        let after = proxy(0, json!({"slow": toxic(2, "two", 1, 300)}), removed);
        let (second, frames) = second_of(&name(), Some(&before), &after, &owners(&[&after], &["one", "two"])).unwrap();
        let told = |fault: &ProxyFaultSecond| {
            let step = fault.identity.as_ref().map(|identity| identity.step.clone());
            let delay = fault.delay.unwrap();
            (step, fault.applied, fault.added_delay_ms, delay.second.count, delay.so_far.count)
        };
        let faults: Vec<_> = second.faults.iter().map(told).collect();
        assert_eq!(faults, [(Some("two".to_owned()), 1, 300, 1, 1), (Some("one".to_owned()), 3, 300, 3, 5)]);
        assert_eq!(frames.iter().map(|frame| frame.delays.count()).collect::<Vec<_>>(), [1, 3]);
        assert_eq!(second.faults.first().and_then(|fault| fault.delay?.asked_us), Some(100_000));
    }

    #[test]
    fn a_fault_is_proven_by_its_own_first_application_and_by_nothing_else() {
        let idle = proxy(7, json!({"slow": toxic(2, "two", 0, 0)}), json!([]));
        let removed = json!([{"name": "slow", "stats": toxic(1, "one", 5, 100)}]);
        let hit = proxy(7, json!({"slow": toxic(2, "two", 0, 0)}), removed);
        let owners = owners(&[&idle, &hit], &["one", "two"]);
        let proof_of = |present: &ProxyStats, token: &str| {
            let fault = FaultIdentity { fault: "slow".parse().unwrap(), step: token.to_owned() };
            proof(&stats(present.clone()), &fault, &owners)
        };
        assert_eq!((proof_of(&idle, "one"), proof_of(&idle, "two")), (None, None));
        assert_eq!(proof_of(&hit, "two"), None, "the one before it hit");
        let (evidence, ago_ms) = proof_of(&hit, "one").unwrap();
        let text = "toxic `slow` on proxy `p` was applied 5 times, first 400ms after it was put there";
        assert_eq!((evidence.as_str(), ago_ms), (text, 600));
    }

    fn stats(present: ProxyStats) -> Stats {
        let proxies = BTreeMap::from([("p".to_owned(), present)]);
        Stats { process: 1, seed: 1, lease: crate::proxy::LeaseStats::NeverTaken, proxies }
    }

    fn tls(fault: TlsFault, id: u64, hits: u64) -> TlsFaultStats {
        TlsFaultStats { fault, id, token: None, age_ms: 10, hits, first_hit_ms: (hits > 0).then_some(3) }
    }

    #[test]
    fn handshakes_that_met_a_tls_fault_are_counted_anew_with_each_fault() {
        let none = proxy(0, json!({}), json!([]));
        let with =
            |fault: TlsFault, id: u64, hits: u64| ProxyStats { tls_fault: Some(tls(fault, id, hits)), ..none.clone() };
        let met = |before: &ProxyStats, present: &ProxyStats| {
            let (second, _) = second_of(&name(), Some(before), present, &Owners::default())?;
            second.faults.into_iter().map(|fault| (fault.name, fault.applied)).next()
        };
        let (expired, wrong_name) = (TlsFault::Expired, TlsFault::WrongName);
        let expected = |name: &str, applied| Some((name.to_owned(), applied));
        assert_eq!(met(&none, &with(expired, 1, 2)), expected("tls:expired", 2));
        assert_eq!(met(&with(expired, 1, 2), &with(expired, 1, 5)), expected("tls:expired", 3));
        assert_eq!(met(&with(expired, 1, 5), &with(expired, 1, 5)), None);
        assert_eq!(met(&with(expired, 1, 5), &with(expired, 2, 5)), expected("tls:expired", 5));
        assert_eq!(met(&with(expired, 1, 5), &with(expired, 1, 1)), expected("tls:expired", 1), "by other TLS");
        assert_eq!(met(&with(expired, 1, 2), &with(wrong_name, 2, 4)), expected("tls:wrong_name", 4));
        let removed = ProxyStats { removed_tls_faults: vec![tls(expired, 1, 3)], ..none.clone() };
        assert_eq!(met(&with(expired, 1, 2), &removed), expected("tls:expired", 1));
        assert_eq!(met(&with(expired, 1, 2), &none), None);
    }

    #[test]
    fn a_tls_fault_is_that_of_its_token_and_one_of_the_same_kind_is_not() {
        let fault = TlsFault::Expired;
        let with =
            |token: &str, id: u64, hits: u64| TlsFaultStats { token: Some(token.to_owned()), ..tls(fault, id, hits) };
        let identity = |step: &str| FaultIdentity { fault: "bad-tls".parse().unwrap(), step: step.to_owned() };
        let undo = |step: &str| -> Undo {
            let fault = json!({"fault": "expired", "token": step});
            serde_json::from_value(json!({"proxy_tls": {"proxy": "p", "fault": fault}})).unwrap()
        };
        let changes = ["001", "002", "003"].map(|step| (identity(step), undo(step))).into();
        // The first was taken away before anybody looked; then somebody else put one there.
        let removed_tls_faults = vec![with("001", 1, 3), with("theirs", 2, 7), tls(fault, 3, 9)];
        let tls_fault = Some(with("002", 4, 1));
        let stats = stats(ProxyStats { tls_fault, removed_tls_faults, ..proxy(0, json!({}), json!([])) });
        let mut owners = Owners::default();
        owners.learn(&name(), &stats.proxies["p"], &changes);
        let proof_of = |step: &str| proof(&stats, &identity(step), &owners);
        let text = |times: &str| {
            format!("TLS fault `expired` on proxy `p` was applied {times}, first 3ms after it was put there")
        };
        assert_eq!(proof_of("001"), Some((text("3 times"), 7)));
        assert_eq!(proof_of("002"), Some((text("once"), 7)));
        assert_eq!(proof_of("003"), None);
    }
}
