//! Metrics of CloudWatch: what is judged of them waits until their data have arrived.

use super::{Core, Effect};
use crate::event::EventKind;
use crate::observe::{SignalSpec, metric_wait};
use crate::plan::HypothesisPlan;
use crate::unit::format_duration;
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
        let wait = metric_wait(self.plan.environment.kind.is_local());
        let is_told = judge.recording.state().metrics_unread.is_some();
        self.gives_up(judge.now_ms, (end_ms, wait), is_told, |waited| {
            let why = match waited {
                None => "the run was aborted, and did not wait for its last data".to_owned(),
                Some(waited) => {
                    format!("no poll that could have told all of it came back in {}", format_duration(waited))
                }
            };
            let kind = EventKind::MetricsUnread { known_ms: self.metrics_known_ms.unwrap_or(0), why };
            effects.push(Effect::Record(kind));
        })
    }
}
