//! Alarms: what is judged of them waits until they were read after its time was over.
//!
//! They are polled. At the end of a phase or of the run the newest reading is older than the end, so that what an alarm did in
//! between is not known yet.

use std::time::Duration;

use super::{Core, Effect};
use crate::event::EventKind;
use crate::observe::alarm_wait;
use crate::plan::HypothesisPlan;
use crate::unit::{elapsed_ms, format_duration};
use crate::verdict::Judge;

impl Core {
    /// A poll that began at `asked_ms` came back, and what it said is recorded.
    pub(super) fn alarms_read(&mut self, asked_ms: u64, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        self.alarms_read_ms = self.alarms_read_ms.max(Some(asked_ms));
        if judge.recording.state().alarms_unread.is_some() {
            effects.push(Effect::Record(EventKind::AlarmsReread));
        }
    }

    /// Whether hypotheses can be judged over a time that ended at `end_ms`: none speaks of an alarm, or a poll that began after
    /// it came back. After a while without one alarms are told as unread, and what is judged of them is not known.
    pub(super) fn are_alarms_known<'h>(
        &self,
        mut hypotheses: impl Iterator<Item = &'h HypothesisPlan>,
        end_ms: u64,
        judge: &Judge<'_>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let is_read = self.alarms_read_ms.is_some_and(|asked_ms| asked_ms >= end_ms);
        if is_read || !hypotheses.any(|hypothesis| hypothesis.expect.reads_alarms()) {
            return true;
        }
        let wait = alarm_wait(self.plan.environment.kind.is_local());
        let is_told = judge.recording.state().alarms_unread.is_some();
        self.gives_up(judge.now_ms, (end_ms, wait), is_told, |waited| {
            let why = match waited {
                None => "the run was aborted, and did not wait for another poll".to_owned(),
                Some(waited) => format!("no poll that began after the end came back in {}", format_duration(waited)),
            };
            let kind = EventKind::AlarmsUnread { since_ms: self.alarms_read_ms.unwrap_or(0), why };
            effects.push(Effect::Record(kind));
        })
    }

    /// Whether what has not arrived is not waited for any more: from `end_ms` on `wait` is over, which is told once, or is told
    /// already. `tell` is handed how long it was waited, none where the run was aborted.
    pub(super) fn gives_up(
        &self,
        now_ms: u64,
        (end_ms, wait): (u64, Duration),
        is_told: bool,
        tell: impl FnOnce(Option<Duration>),
    ) -> bool {
        // Whoever ends a run does not wait to learn.
        let waited = (!self.is_aborted).then_some(wait);
        if now_ms < end_ms.saturating_add(elapsed_ms(waited.unwrap_or_default())) {
            return false;
        }
        if !is_told {
            // It stands in the recording at the next tick, and is judged then.
            tell(waited);
        }
        is_told
    }
}
