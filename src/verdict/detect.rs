//! `detect(ALARM) op DURATION`: from the first proven effect to the alarm.

use std::time::Duration;

use super::measure::Unit;
use super::recording::WindowMs;
use super::term::{Judge, TermResult, bound};
use crate::event::{AlarmRecord, FaultProgress};
use crate::scenario::expect::{Operator, Value};
use crate::unit::{AlarmName, AlarmState, elapsed_ms, format_duration};

/// How much later than it happens a transition may be read, in milliseconds: a poll of an account and its answer.
const READ_LATE_MS: u64 = 6_000;

impl Judge<'_> {
    /// From the first effect that was proven in the window to the first time after the injection of that fault at which the
    /// alarm went to `ALARM`. An alarm that comes before the proof took no time.
    pub(super) fn compare_detect(
        &self,
        alarm: &AlarmName,
        operator: Operator,
        value: Value,
        window: WindowMs,
    ) -> TermResult {
        let proven = |fault: &&FaultProgress| {
            let is_in = fault.effective_ms.is_some_and(|at| (window.0..=window.1).contains(&at));
            is_in && !fault.identity.is_route()
        };
        let faults = self.recording.state().faults.iter().filter(proven);
        let Some(fault) = faults.min_by_key(|fault| fault.effective_ms) else {
            return TermResult::unknown("no fault had a proven effect to detect");
        };
        let effective_ms = fault.effective_ms.unwrap_or(fault.requested_ms);
        let Some(record) = self.recording.alarms().get(alarm.as_str()) else {
            return TermResult::unknown(format!("no alarm `{alarm}` was read"));
        };
        let counts = |at: &u64| (fault.requested_ms..=self.now_ms).contains(at);
        let fired_ms = record.fired().iter().map(|fired| fired.at_ms).find(counts);
        if record.state_at(fault.requested_ms) == Some(AlarmState::Alarm) {
            let fault = &fault.identity.fault;
            return TermResult::unknown(format!("`{alarm}` was in ALARM already when `{fault}` was injected"));
        }
        let until_ms = fired_ms.unwrap_or(self.now_ms);
        if let Some(why) = self.blind(alarm, record, (fault.requested_ms, until_ms)) {
            return TermResult::unknown(why);
        }
        match fired_ms {
            Some(fired_ms) => {
                let seconds = Duration::from_millis(fired_ms.saturating_sub(effective_ms)).as_secs_f64();
                TermResult {
                    held: bound(value, None).map(|bound| operator.holds(seconds, bound)),
                    observed: Some(Unit::Duration.show(seconds)),
                    sample_count: 1,
                    held_ms: Some(fired_ms),
                    missing: None,
                    ..TermResult::unknown("")
                }
            }
            None => self.silent(alarm, operator, value, effective_ms),
        }
    }

    /// Why it is not known whether the alarm fired in a window.
    fn blind(&self, alarm: &AlarmName, record: &AlarmRecord, window: WindowMs) -> Option<String> {
        if let Some(unread) = self.recording.alarms().unread_now().filter(|unread| unread.from_ms < window.1) {
            return Some(format!("alarms could not be read: {}", unread.why));
        }
        // The stretch at the very end is the alarm's own.
        let mut stretches = record.stretches(window).filter(|stretch| stretch.from_ms < window.1);
        let is_unseen = stretches.any(|stretch| stretch.state.is_none());
        let why = if record.is_lost() { "is no longer there" } else { "may have changed unseen" };
        is_unseen.then(|| format!("`{alarm}` {why}"))
    }

    /// The alarm did not come: that is known once its time is up.
    fn silent(&self, alarm: &AlarmName, operator: Operator, value: Value, effective_ms: u64) -> TermResult {
        let waited_ms = self.now_ms.saturating_sub(effective_ms);
        let waited = format_duration(Duration::from_secs(waited_ms / 1_000));
        let observed = Some(format!("not in ALARM in {waited}"));
        let limit_ms = match value {
            Value::Duration(limit) => elapsed_ms(limit),
            Value::Number(_) | Value::Ratio(_) | Value::Rate(_) | Value::OfBaseline(_) => {
                return TermResult::unknown("the bound is no duration");
            }
        };
        if waited_ms < limit_ms.saturating_add(READ_LATE_MS.min(limit_ms)) {
            let missing = Some(format!("`{alarm}` did not come in the {waited} that it was waited for"));
            return TermResult { observed, missing, ..TermResult::unknown("") };
        }
        let held = match operator {
            Operator::Less | Operator::AtMost | Operator::Equal => false,
            Operator::More | Operator::AtLeast => true,
        };
        TermResult { held: Some(held), observed, missing: None, ..TermResult::unknown("") }
    }
}
