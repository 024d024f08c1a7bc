//! Signals: where the numbers of a run come from. One file a source.
//!
//! Owns: the specs of signals and the probes that sample them. Must not know: hypotheses, verdicts, faults.

mod http;
mod spec;

pub use http::{HttpProbe, ProbeError, ProbeSample};
pub use spec::{
    CloudwatchSignal, CloudwatchStatistic, HttpSignal, HttpStatistic, LoadSignal, SignalLevel, SignalSource, SignalSpec,
};
