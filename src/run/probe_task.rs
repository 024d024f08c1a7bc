//! Runs a scenario's probes, each at its own interval.

use tokio::sync::mpsc;

use crate::observe::{HttpProbe, ProbeSample};
use crate::unit::SignalId;

/// What a probe saw.
pub(super) type Sample = (SignalId, ProbeSample);

/// Probes until the receiver is gone. A probe that takes longer than its interval delays the next one.
pub(super) async fn watch(signal: SignalId, probe: HttpProbe, samples: mpsc::UnboundedSender<Sample>) {
    let mut interval = tokio::time::interval(probe.interval());
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        let sample = probe.sample().await;
        if samples.send((signal.clone(), sample)).is_err() {
            return;
        }
    }
}
