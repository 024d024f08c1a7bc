//! The metrics of a run, read once more when everything is undone: those of all targets, and those that are signals.
//!
//! CloudWatch drops data points of less than a minute after three hours (AWS, "Metrics retention"): what is not kept now is lost.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::evidence_task::{EvidenceTask, keep, listed};
use crate::aws::{AwsError, METRICS_MAX, MetricQuery, MetricSeries, MetricSource};
use crate::event::{EvidenceKept, EvidenceSource};
use crate::observe::{EvidenceSeries, Ingestion, MetricEvidence, MetricWatch};
use crate::plan::{METRIC_CALLS, Plan, metric_pack};
use crate::unit::elapsed_ms;

/// How long a data point of the default metrics stands for: what AWS makes has no finer one.
const PERIOD_SECONDS: u32 = 60;
/// The same behind an endpoint on this machine, of a run that lasts less than an hour.
const LOCAL_PERIOD_SECONDS: u32 = 1;
/// A run that lasts as long as this has too many seconds.
const LONG_MS: u64 = 3_600_000;

/// What is asked for, and what its answer will be kept as.
struct Asked {
    query: MetricQuery,
    series: EvidenceSeries,
    /// Whether a signal is made of it.
    is_of_signal: bool,
}

impl EvidenceTask {
    /// Reads all metrics of the run, and writes them into its folder.
    pub(super) async fn metrics(&self, to_ms: u64, deadline: Instant, directory: &Path) -> EvidenceKept {
        let about = listed(&self.plan.evidence.metrics);
        let kept = self.nothing(EvidenceSource::Metrics, about, METRIC_CALLS.join(", "), to_ms);
        let is_short = to_ms.saturating_sub(self.from_ms) < LONG_MS;
        let asked = asked(&self.plan, self.clock.origin(), is_short);
        let answer = match tokio::time::timeout_at(deadline, self.ask(&asked)).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        match answer {
            Err(why) => EvidenceKept { unknown: Some(why), ..kept },
            Ok(answer) => {
                let evidence = self.evidence(asked, answer, to_ms);
                let points = evidence.series.iter().map(|series| series.points.len() as u64).sum();
                // In an account the last data are on their way for minutes.
                let is_late = !self.plan.environment.kind.is_local();
                let is_cut = is_late || evidence.series.iter().any(|series| series.trouble.is_some());
                keep(directory, "metrics", "metrics", &evidence, EvidenceKept { row_count: points, is_cut, ..kept })
            }
        }
    }

    async fn ask(&self, asked: &[Asked]) -> Result<BTreeMap<String, MetricSeries>, AwsError> {
        let from = self.clock.origin() + TimeDelta::milliseconds(i64::try_from(self.from_ms).unwrap_or(0));
        let range = (from, self.clock.now() + TimeDelta::seconds(i64::from(PERIOD_SECONDS)));
        // Metric math and its parts must be in one call: signals have one of their own.
        let (signals, pack): (Vec<&Asked>, Vec<&Asked>) = asked.iter().partition(|asked| asked.is_of_signal);
        let mut found = BTreeMap::new();
        for asked in pack.chunks(METRICS_MAX).chain(std::iter::once(signals.as_slice())) {
            let queries: Vec<MetricQuery> = asked.iter().map(|asked| asked.query.clone()).collect();
            if !queries.is_empty() {
                found.extend(self.aws.cloudwatch.metric_data(&queries, range).await?);
            }
        }
        Ok(found)
    }

    fn evidence(&self, asked: Vec<Asked>, mut answer: BTreeMap<String, MetricSeries>, to_ms: u64) -> MetricEvidence {
        let origin = self.clock.origin();
        let series =
            asked.into_iter().filter(|asked| asked.query.is_returned).map(|Asked { query, series, .. }| {
                let MetricSeries { points, trouble } = answer.remove(&query.id).unwrap_or_default();
                // The period in which the run began stands at its start.
                let since = |at: DateTime<Utc>| u64::try_from((at - origin).num_milliseconds()).unwrap_or(0);
                let points = points.into_iter().map(|(at, value)| (since(at), value)).collect();
                EvidenceSeries { points, trouble, ..series }
            });
        let late = match self.plan.environment.kind.is_local() {
            true => Ingestion::of(&[], true),
            false => Ingestion::slowest(),
        };
        MetricEvidence {
            from_ms: self.from_ms,
            to_ms,
            known_ms: to_ms.saturating_sub(elapsed_ms(late.most())),
            series: series.collect(),
        }
    }
}

/// The default metrics, and then those of signals.
fn asked(plan: &Plan, origin: DateTime<Utc>, is_short: bool) -> Vec<Asked> {
    let is_local = plan.environment.kind.is_local();
    let period_seconds = if is_local && is_short { LOCAL_PERIOD_SECONDS } else { PERIOD_SECONDS };
    let nothing = || EvidenceSeries {
        metric: None,
        expression: None,
        statistic: String::new(),
        period_seconds,
        target: None,
        signal: None,
        points: Vec::new(),
        trouble: None,
    };
    let pack = metric_pack(plan, &plan.evidence.metrics).into_iter().enumerate().map(|(index, packed)| {
        let (metric, statistic) = (packed.metric, packed.statistic.to_owned());
        let source = MetricSource::Statistic { metric: metric.clone(), statistic: statistic.clone() };
        let series = EvidenceSeries { metric: Some(metric), statistic, target: packed.target, ..nothing() };
        Asked {
            query: MetricQuery { id: format!("p{index}"), source, period_seconds, is_returned: true },
            series,
            is_of_signal: false,
        }
    });
    // A run whose signals are too many for one call did not begin.
    let watch =
        MetricWatch::new(&plan.signals, |target| plan.function_of(target).to_owned(), origin, is_local).ok().flatten();
    let signals = watch.iter().flat_map(|watch| {
        watch.queries().iter().map(|query| {
            let signal = watch.signal_of(&query.id).cloned();
            let series = match &query.source {
                MetricSource::Statistic { metric, statistic } => {
                    EvidenceSeries { metric: Some(metric.clone()), statistic: statistic.clone(), ..nothing() }
                }
                MetricSource::Expression(expression) => {
                    EvidenceSeries { expression: Some(expression.clone()), ..nothing() }
                }
            };
            let series = EvidenceSeries { signal, period_seconds: query.period_seconds, ..series };
            Asked { query: query.clone(), series, is_of_signal: true }
        })
    });
    pack.chain(signals).collect()
}
