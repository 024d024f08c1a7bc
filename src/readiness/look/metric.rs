//! Values of metrics: whether business signals are fresh, and how long functions take. One call serves all.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::super::outcome::Why;
use super::{Look, Subject, TARGETS_MAX};
use crate::aws::{MetricQuery, MetricSeries, MetricSource};
use crate::observe::{SignalLevel, SignalSource};
use crate::plan::Plan;
use crate::unit::{MetricName, SignalId, TargetId};

/// How far back values are asked for.
const WINDOW: TimeDelta = TimeDelta::hours(24);
/// How old the last value of a business signal may be.
pub(crate) const FRESH: TimeDelta = TimeDelta::minutes(15);
/// How many business signals are asked for.
const SIGNALS_MAX: usize = 20;
/// How long a value stands for, in seconds.
const PERIOD_SECONDS: u32 = 300;

impl Subject<'_> {
    pub(super) async fn ask_metrics(&self, look: &mut Look) {
        let signals: Vec<_> = business(self.plan).take(SIGNALS_MAX).collect();
        let functions: Vec<&str> = self.scope.targets().take(TARGETS_MAX).map(|it| it.name.as_str()).collect();
        let of_signals = signals
            .iter()
            .enumerate()
            .map(|(index, (_, metric))| query(format!("s{index}"), metric.clone(), "SampleCount"));
        let of_functions = functions.iter().enumerate().map(|(index, name)| {
            let dimensions = BTreeMap::from([("FunctionName".to_owned(), (*name).to_owned())]);
            let metric = MetricName { namespace: "AWS/Lambda".to_owned(), name: "Duration".to_owned(), dimensions };
            query(format!("f{index}"), metric, "p99")
        });
        let queries: Vec<MetricQuery> = of_signals.chain(of_functions).collect();
        if queries.is_empty() {
            return;
        }
        let window = (self.now - WINDOW, self.now);
        let told = self.asker.ask(self.survey.aws.cloudwatch.metric_data(&queries, window)).await;
        let series = |id: String| -> Result<MetricSeries, Why> {
            let series = told.as_ref().map_err(Clone::clone)?.get(&id).cloned().unwrap_or_default();
            match series.trouble {
                Some(trouble) => Err(Why::new(format!("CloudWatch says: {trouble}"))),
                None => Ok(series),
            }
        };
        for (index, (signal, _)) in signals.into_iter().enumerate() {
            let fresh = series(format!("s{index}"))
                .map(|it| it.points.last_key_value().is_some_and(|(at, _)| self.now - *at <= FRESH));
            // Metric math is as fresh as the stalest of its metrics.
            let known = look.business.entry(signal).or_insert(Ok(true));
            *known = match (known.clone(), fresh) {
                (Ok(one), Ok(other)) => Ok(one && other),
                (Err(why), _) | (_, Err(why)) => Err(why),
            };
        }
        for (index, name) in functions.into_iter().enumerate() {
            let highest = series(format!("f{index}")).map(|it| it.points.into_values().reduce(f64::max));
            look.durations.insert(name.to_owned(), highest);
        }
    }
}

fn query(id: String, metric: MetricName, statistic: &str) -> MetricQuery {
    let source = MetricSource::Statistic { metric, statistic: statistic.to_owned() };
    MetricQuery { id, source, period_seconds: PERIOD_SECONDS, is_returned: true }
}

/// The business signals of a plan that CloudWatch has; of metric math each of its metrics.
fn business(plan: &Plan) -> impl Iterator<Item = (SignalId, MetricName)> {
    let function = |target: &TargetId| plan.function_of(target).to_owned();
    let business = plan.signals.iter().filter(|(_, spec)| spec.level == Some(SignalLevel::Business));
    business.flat_map(move |(id, spec)| {
        let metrics: Vec<MetricName> = match spec.source() {
            Ok(SignalSource::Cloudwatch(signal)) => vec![signal.metric_name(&function)],
            Ok(SignalSource::MetricMath(math)) => {
                math.metrics.values().map(|metric| metric.metric_name(&function)).collect()
            }
            Ok(SignalSource::Load(_) | SignalSource::Http(_)) | Err(_) => Vec::new(),
        };
        metrics.into_iter().map(|metric| (id.clone(), metric)).collect::<Vec<_>>()
    })
}
