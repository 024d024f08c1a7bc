//! What a team should know before a game day: could it see anything, would anybody be told, can everything be undone.
//!
//! Owns: the table of checks, what each means, waivers, what became worse since the last time, and the templates of what is missing.
//! `look/` asks the account, each thing once, and changes nothing; all else is pure: from what was asked, the plan and the workspace's files
//! to results. What is not known is never a pass. Must not know: how anything is printed.

mod alarm;
mod change;
mod check;
mod cron;
mod facts;
mod ground;
mod judge;
mod junit;
mod learning;
mod log;
mod look;
mod organise;
mod outcome;
mod past;
mod resilience;
mod runtime;
mod safety;
mod secret;
mod snippet;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod trace;
mod world;

pub use check::{Check, QUESTIONS, Severity, TABLE};
pub use facts::Facts;
pub use judge::{Asked, CheckResult, Readiness, judge};
pub use junit::{junit, sarif};
pub use look::{Depth, Look, Scope};
pub use outcome::Outcome;
pub use past::{Kept, PastError, Shift, keep, read_kept, shifts};
pub use snippet::snippets;
