//! Logs of functions: what is asked for, and what is made of it.
//!
//! The presets (cold starts, near the timeout, near the memory, timeouts, out of memory, retries, groups of errors, untraced lines) are
//! folds over lines, so that they mean the same whoever filtered the lines. Owns: the queries, the folds, the evidence. Must not know:
//! runs, reports, files. No message leaves it but as a signature.

mod evidence;
mod fold;
mod query;
mod read;
mod signature;

pub use evidence::{
    ColdStarts, Durations, ErrorGroup, Execution, LogEvidence, LogMinute, LogWay, NearLimit, Retries, Untraced,
};
pub use fold::{LogFold, LogSubject};
pub use query::{LogQuery, QUERIES};
pub use read::{LogReadError, LogReader, LogSpan, ReadSoFar};
pub use signature::signature;
