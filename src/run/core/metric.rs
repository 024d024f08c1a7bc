//! Metrics of CloudWatch: what is judged of them waits until their data have arrived.

use std::time::Duration;

use super::{Core, Effect};
use crate::event::EventKind;
use crate::observe::{SignalSpec, metric_wait};
use crate::plan::HypothesisPlan;
use crate::unit::{elapsed_ms, format_duration};
use crate::verdict::Judge;

impl Core {
    /// A poll came back, and all data points up to `known_ms` are recorded.
    pub(super) fn metrics_read(&mut self, known_ms: u64, judge: &Judge<'_>, effects: &mut Vec<Effect>) {
        self.metrics_known_ms = self.metrics_known_ms.max(Some(known_ms));
        if judge.recording.state().metrics_unread.is_some() {
            effects.push(Effect::Record(EventKind::MetricsReread));
        }
    }

    /// Whether hypotheses can be judged over a time that ended at `end_ms`: what they read of AWS is there.
    pub(super) fn are_readings_known<'h>(
        &self,
        hypotheses: impl Iterator<Item = &'h HypothesisPlan>,
        end_ms: u64,
        judge: &Judge<'_>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let hypotheses: Vec<&HypothesisPlan> = hypotheses.collect();
        let are_alarms_known = self.are_alarms_known(hypotheses.iter().copied(), end_ms, judge, effects);
        self.are_metrics_known(hypotheses.into_iter(), end_ms, judge, effects) && are_alarms_known
    }

    /// None speaks of a metric, or all data of that time have arrived. After a while without them metrics are told as unread, and
    /// what is judged of them is not known.
    fn are_metrics_known<'h>(
        &self,
        mut hypotheses: impl Iterator<Item = &'h HypothesisPlan>,
        end_ms: u64,
        judge: &Judge<'_>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let is_metric = |spec: &SignalSpec| spec.source().is_ok_and(|source| source.metric_period().is_some());
        let reads = |hypothesis: &HypothesisPlan| {
            hypothesis.expect.signals().any(|signal| judge.signals.get(signal).is_some_and(is_metric))
        };
        let is_known = self.metrics_known_ms.is_some_and(|known_ms| known_ms >= end_ms);
        if is_known || !hypotheses.any(reads) {
            return true;
        }
        // Whoever ends a run does not wait to learn.
        let wait = match self.is_aborted {
            true => Duration::ZERO,
            false => metric_wait(self.plan.environment.kind.is_local()),
        };
        if judge.now_ms < end_ms.saturating_add(elapsed_ms(wait)) {
            return false;
        }
        if judge.recording.state().metrics_unread.is_some() {
            return true;
        }
        // It stands in the recording at the next tick, and is judged then.
        let why = match self.is_aborted {
            true => "the run was aborted, and did not wait for its last data".to_owned(),
            false => format!("no poll that could have told all of it came back in {}", format_duration(wait)),
        };
        effects.push(Effect::Record(EventKind::MetricsUnread { known_ms: self.metrics_known_ms.unwrap_or(0), why }));
        false
    }
}
