//! The end of a run: what is read of logs and traces, while the watchdog is told that the run is alive.

use super::super::evidence_task::EvidenceTask;
use super::signals::Signals;
use super::{Drive, beating};
use crate::event::EventKind;

impl Drive {
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
