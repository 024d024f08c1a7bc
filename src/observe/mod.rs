//! Signals: where the numbers of a run come from. One file a source.
//!
//! Owns: the specs of signals and the probes that sample them. Must not know: hypotheses, verdicts, faults.

mod alarm;
mod alarm_template;
mod detection;
mod http;
mod metric;
mod spec;

pub use alarm::{ALARMS_MAX, AlarmChange, AlarmPoll, AlarmWatch, alarm_interval, alarm_wait};
pub use alarm_template::{alarm_template, logical_id, resource_yaml};
pub use detection::{Detection, Fit, Ingestion, Unpredicted, mended, predict};
pub use http::{HttpProbe, ProbeError, ProbeSample};
pub(crate) use metric::names_of;
pub use metric::{MetricNews, MetricPlanError, MetricWatch, metric_interval, metric_wait};
pub use spec::{
    CloudwatchSignal, CloudwatchStatistic, HttpSignal, HttpStatistic, LoadSignal, MathMetric, MetricMathSignal,
    MetricUnit, SignalLevel, SignalSource, SignalSpec,
};
