//! Reads the metrics of CloudWatch that are signals, all of them in one call a poll, until the run ends.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::aws::{Aws, CloudWatch};
use crate::event::EventKind;
use crate::observe::{MetricPlanError, MetricWatch, metric_interval};
use crate::plan::Plan;
use crate::unit::{Clock, TargetId};

/// What comes of reading metrics.
#[derive(Debug)]
pub(super) enum MetricNews {
    /// Something that the log is to have.
    Told(Box<EventKind>),
    /// A poll came back: all data points up to `known_ms` were told before.
    Read { known_ms: u64 },
}

/// The metrics of a run, ready to be read.
#[derive(Debug)]
pub(super) struct Metrics {
    watch: MetricWatch,
    cloudwatch: CloudWatch,
    interval: Duration,
}

impl Metrics {
    /// The metrics among a plan's signals; none where there are none. No call is made.
    pub(super) fn of(plan: &Plan, aws: &Aws, clock: Clock) -> Result<Option<Self>, MetricPlanError> {
        let is_local = plan.environment.kind.is_local();
        let function = |target: &TargetId| plan.function_of(target).to_owned();
        let watch = MetricWatch::new(&plan.signals, function, clock.origin(), is_local)?;
        let of = |watch| Self { watch, cloudwatch: aws.alarm_poll(), interval: metric_interval(is_local) };
        Ok(watch.map(of))
    }

    /// Reads until the receiver is gone. A poll that fails says so once; the next one is its retry.
    pub(super) async fn watch(mut self, clock: Clock, news: mpsc::UnboundedSender<MetricNews>) {
        let mut ticks = tokio::time::interval(self.interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut is_unread = false;
        loop {
            ticks.tick().await;
            for told in self.poll(clock, &mut is_unread).await {
                if news.send(told).is_err() {
                    return;
                }
            }
        }
    }

    async fn poll(&mut self, clock: Clock, is_unread: &mut bool) -> Vec<MetricNews> {
        let asked = clock.now();
        let answer = self.cloudwatch.metric_data(self.watch.queries(), self.watch.range(asked)).await;
        let trouble = match &answer {
            Ok(answer) => self.watch.trouble(answer),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = trouble {
            let is_news = !std::mem::replace(is_unread, true);
            let known_ms = self.watch.known_ms();
            let unread = || MetricNews::Told(Box::new(EventKind::MetricsUnread { known_ms, why }));
            return is_news.then(unread).into_iter().collect();
        }
        let news = self.watch.take(&answer.unwrap_or_default(), asked);
        let told = news.into_iter().map(|news| EventKind::MetricRead { signal: news.signal, points: news.points });
        let reread = std::mem::take(is_unread).then_some(EventKind::MetricsReread);
        let told = told.chain(reread).map(|kind| MetricNews::Told(Box::new(kind)));
        told.chain([MetricNews::Read { known_ms: self.watch.known_ms() }]).collect()
    }
}
