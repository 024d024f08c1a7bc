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
        // Whoever ends a run does not wait to learn.
        let wait = match self.is_aborted {
            true => Duration::ZERO,
            false => alarm_wait(self.plan.environment.kind.is_local()),
        };
        if judge.now_ms < end_ms.saturating_add(elapsed_ms(wait)) {
            return false;
        }
        if judge.recording.state().alarms_unread.is_some() {
            return true;
        }
        // It stands in the recording at the next tick, and is judged then.
        let why = match self.is_aborted {
            true => "the run was aborted, and did not wait for another poll".to_owned(),
            false => format!("no poll that began after the end came back in {}", format_duration(wait)),
        };
        effects.push(Effect::Record(EventKind::AlarmsUnread { since_ms: self.alarms_read_ms.unwrap_or(0), why }));
        false
    }
}
