//! Signals: where the numbers of a run come from, and evidence: what is read when it is over. One file a source.
//!
//! Owns: the specs of signals, the probes that sample them, what is made of logs and traces. Must not know: hypotheses, verdicts, faults.

mod alarm;
mod alarm_template;
mod detection;
mod http;
mod logs;
mod metric;
mod metric_evidence;
mod report_line;
mod spec;
mod traces;

pub use alarm::{ALARMS_MAX, AlarmChange, AlarmPoll, AlarmWatch, alarm_interval, alarm_wait};
pub use alarm_template::{alarm_template, logical_id, resource_yaml};
pub use detection::{Detection, Fit, Ingestion, Unpredicted, mended, predict};
pub use http::{HttpProbe, ProbeError, ProbeSample};
pub use logs::{
    ColdStarts, Durations, ErrorGroup, Execution, LogEvidence, LogFold, LogMinute, LogQuery, LogReadError, LogReader,
    LogSpan, LogSubject, LogWay, NearLimit, QUERIES as LOG_QUERIES, ReadSoFar, Retries, Untraced, signature,
};
pub(crate) use metric::names_of;
pub use metric::{MetricNews, MetricPlanError, MetricWatch, metric_interval, metric_wait};
pub use metric_evidence::{EvidenceSeries, MetricEvidence};
pub use report_line::{Invocation, InvocationStatus};
pub use spec::{
    CloudwatchSignal, CloudwatchStatistic, HttpSignal, HttpStatistic, LoadSignal, MathMetric, MetricMathSignal,
    MetricUnit, SignalLevel, SignalSource, SignalSpec,
};
pub(crate) use traces::filter_expression;
pub use traces::{CauseGroup, Edge, TraceEvidence, TraceExample, TraceReadError, TraceWay, read_traces};
