//! Verdicts: expectations judged over what was recorded.
//!
//! Owns: [`Recording`], windows, aggregates, the baseline, what missing data means. Pure: it must not know sockets,
//! processes or the wall clock, and it prints nothing.

mod alarm;
mod detect;
mod hypothesis;
mod measure;
mod metric;
mod recording;
mod term;
#[cfg(test)]
mod tests;

pub use hypothesis::{FaultFacts, judge_gate, judge_hypothesis};
pub use recording::{Recording, SecondRecord, StepRecord};
pub use term::{Judge, TermResult};
