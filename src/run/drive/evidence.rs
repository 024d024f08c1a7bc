//! The end of a run: what is read of alarms, logs, metrics and traces, while the watchdog is told that the run is alive.

use super::super::alarm_history;
use super::super::evidence_task::EvidenceTask;
use super::signals::Signals;
use super::{Drive, beating};
use crate::event::EventKind;

impl Drive {
    /// Asks what AWS itself has kept of the alarms, while whatever answers is still there. False: somebody left meanwhile.
    pub(super) async fn read_alarm_history(&mut self, signals: &mut Signals) -> bool {
        let (names, since_ms) = {
            let recording = self.recorder.recording();
            let state = recording.state();
            let names: Vec<String> = state.alarms.keys().cloned().collect();
            (names, state.phases.first().map(|phase| phase.start_ms))
        };
        // What was before the first phase is not of this run: a sandbox makes its alarms then.
        let Some(since_ms) = since_ms.filter(|_| !names.is_empty()) else { return true };
        let cloudwatch = self.stage.faults.aws.alarm_poll();
        let reading = alarm_history::read(&cloudwatch, names, self.clock, since_ms);
        let read = async {
            tokio::select! {
                events = reading => Some(events),
                () = signals.leave() => None,
            }
        };
        let events = beating(self.heart.as_ref(), read).await;
        let is_read = events.is_some();
        for kind in events.into_iter().flatten() {
            self.record(kind);
        }
        is_read
    }

    /// Reads the evidence that the plan asks for, unless nobody waits for it.
    pub(super) async fn keep_evidence(&mut self, signals: &mut Signals, has_left: bool) {
        let first = self.recorder.recording().state().phases.first().map(|phase| phase.start_ms);
        let Some(task) = EvidenceTask::of(&self.plan, &self.stage.faults.aws, self.clock, first) else { return };
        let directory = self.recorder.log().directory().to_owned();
        let read = async {
            if has_left {
                return None;
            }
            tokio::select! {
                kept = task.read(&directory) => Some(kept),
                () = signals.leave() => None,
            }
        };
        let kept = beating(self.heart.as_ref(), read).await;
        for kept in kept.unwrap_or_else(|| task.unread("nobody waited for it")) {
            self.record(EventKind::EvidenceKept(kept));
        }
    }
}
