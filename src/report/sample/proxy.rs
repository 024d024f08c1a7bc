//! What the fault proxy records in the sample run.

use super::{Script, identity};
use crate::event::{DelaySummary, EventKind, ProxyDelay, ProxyFaultSecond, ProxySecond};

/// What the fault proxy did to the provider's answers, of some seconds.
pub(super) fn events(script: &mut Script) {
    let summary =
        |count| DelaySummary { count, p50_us: 2_501_300, p99_us: 2_795_100, max_us: 2_803_412, over_count: 0 };
    for (second, applied, so_far) in [(29, 84, 84), (39, 128, 212), (49, 179, 391), (58, 11, 402)] {
        let delay = ProxyDelay {
            asked_us: Some(2_500_000),
            jitter_us: Some(300_000),
            second: summary(applied),
            so_far: summary(so_far),
        };
        let fault = ProxyFaultSecond {
            name: "gameday-latency".to_owned(),
            identity: Some(identity("001", "slow-provider")),
            applied,
            added_delay_ms: applied * 2_501,
            delay: Some(delay),
        };
        let proxy = "provider".parse().unwrap();
        let (connections_open, connections, requests, bytes_upstream, bytes_downstream) = (4, 0, applied, 1_800, 3_600);
        let faults = vec![fault];
        let told =
            ProxySecond { proxy, connections_open, connections, requests, bytes_upstream, bytes_downstream, faults };
        script.at(second * 1_000 + 30, EventKind::ProxyRecorded(told));
    }
}
