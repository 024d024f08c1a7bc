//! What the fault proxy has recorded of a fault: how often it was done, and what was asked beside what was added.

use super::Run;
use crate::event::{EventKind, FaultIdentity, ProxyDelay, ProxyFaultSecond};
use crate::report::model::{AddedDelay, ProxyEvidence};
use crate::report::number::{count, exact_latency, float};

pub(super) fn evidence(run: &Run<'_>, fault: &FaultIdentity) -> Option<ProxyEvidence> {
    let seconds = run.events.iter().filter_map(|event| match &event.kind {
        EventKind::ProxyRecorded(second) => Some(&second.faults),
        _ => None,
    });
    let ours: Vec<&ProxyFaultSecond> =
        seconds.flatten().filter(|second| second.identity.as_ref() == Some(fault)).collect();
    if ours.is_empty() {
        return None;
    }
    let applied_count = ours.iter().map(|second| second.applied).sum();
    let delay = ours.iter().rev().find_map(|second| second.delay).map(added);
    let text = match &delay {
        Some(delay) => format!("applied {}; {}", times(applied_count), in_words(delay)),
        None => format!("applied {}", times(applied_count)),
    };
    Some(ProxyEvidence { applied_count, delay, text })
}

fn added(delay: ProxyDelay) -> AddedDelay {
    let millis = |micros: u64| float(micros) / 1_000.0;
    AddedDelay {
        asked_ms: delay.asked_us.map(millis),
        jitter_ms: delay.jitter_us.map(millis),
        count: delay.so_far.count,
        p50_ms: millis(delay.so_far.p50_us),
        p99_ms: millis(delay.so_far.p99_us),
        max_ms: millis(delay.so_far.max_us),
        over_count: delay.so_far.over_count,
    }
}

fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{} times", count(number)) }
}

fn in_words(delay: &AddedDelay) -> String {
    let jitter = delay.jitter_ms.map(|jitter| format!(" ± {}", exact_latency(jitter))).unwrap_or_default();
    let asked = delay.asked_ms.map(|asked| format!("asked {}{jitter}, ", exact_latency(asked))).unwrap_or_default();
    let [p50, p99, max] = [delay.p50_ms, delay.p99_ms, delay.max_ms].map(exact_latency);
    let over = match delay.over_count {
        0 => String::new(),
        over => format!(", {} of them above the 120 s that percentiles reach", count(over)),
    };
    format!("{asked}added p50 {p50}, p99 {p99}, at most {max} ({} measured{over})", count(delay.count))
}
