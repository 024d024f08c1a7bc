//! Every exit code of the program, and the failures that lead to one.

use std::fmt;

use crate::unit::error_chain;

/// How a command ended. Where several hold: dirty > guardrail > person > refuted > inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// 0: all hypotheses upheld, or a known gap holds; the command did what it was asked.
    Success = 0,
    /// 1: wrong usage, or an internal error.
    Failure = 1,
    /// 2: a file is not valid.
    Invalid = 2,
    /// 3: a hypothesis was refuted, or a known gap has closed.
    Refuted = 3,
    /// 4: a guardrail aborted the run.
    AbortedByGuardrail = 4,
    /// 5: a person (or a signal) aborted the run.
    AbortedByPerson = 5,
    /// 6: a hypothesis could not be judged, was not tested, or a load worker was lost.
    Inconclusive = 6,
    /// 7: not ready, no-go, frozen, or a gate failed: nothing was injected after it.
    NotReady = 7,
    /// 8: dirty: an undo is not complete.
    Dirty = 8,
    /// 9: the environment is locked by another run.
    Locked = 9,
}

impl From<Exit> for u8 {
    fn from(exit: Exit) -> Self {
        exit as Self
    }
}

/// Why a command could not do what it was asked: shown on standard error, then the exit code.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The whole text, already laid out; it fits after `error: `.
    pub text: String,
}

impl Failure {
    /// A failure with a code of its own.
    pub(crate) fn new(exit: Exit, text: impl fmt::Display) -> Self {
        Self { exit, text: text.to_string() }
    }

    /// An error with all its sources, `outer: inner: …`, as exit code 1.
    pub(crate) fn from_error(error: &dyn std::error::Error) -> Self {
        Self::new(Exit::Failure, error_chain(error))
    }
}
