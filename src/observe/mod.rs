//! Signals: where the numbers of a run come from. One file a source.
//!
//! Owns: the specs of signals and the probes that sample them. Must not know: hypotheses, verdicts, faults.

mod alarm;
mod http;
mod spec;

pub use alarm::{ALARMS_MAX, AlarmChange, AlarmPoll, AlarmWatch, alarm_interval, alarm_wait};
pub use http::{HttpProbe, ProbeError, ProbeSample};
pub use spec::{
    CloudwatchSignal, CloudwatchStatistic, HttpSignal, HttpStatistic, LoadSignal, SignalLevel, SignalSource, SignalSpec,
};
