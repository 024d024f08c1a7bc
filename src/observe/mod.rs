//! Signals: where the numbers of a run come from, and evidence: what is read when it is over. One file a source.
//!
//! Owns: the specs of signals, the probes that sample them, what is made of logs and traces. Must not know: hypotheses, verdicts, faults.

mod alarm;
mod http;
mod logs;
mod report_line;
mod spec;
mod traces;

pub use alarm::{ALARMS_MAX, AlarmChange, AlarmPoll, AlarmWatch, alarm_interval, alarm_wait};
pub use http::{HttpProbe, ProbeError, ProbeSample};
pub use logs::{
    ColdStarts, Durations, ErrorGroup, Execution, LogEvidence, LogFold, LogMinute, LogQuery, LogReadError, LogReader,
    LogSpan, LogSubject, LogWay, NearLimit, QUERIES as LOG_QUERIES, ReadSoFar, Retries, Untraced, signature,
};
pub use report_line::{Invocation, InvocationStatus};
pub use spec::{
    CloudwatchSignal, CloudwatchStatistic, HttpSignal, HttpStatistic, LoadSignal, SignalLevel, SignalSource, SignalSpec,
};
pub use traces::{CauseGroup, Edge, TraceEvidence, TraceExample, TraceReadError, TraceWay, read_traces};
