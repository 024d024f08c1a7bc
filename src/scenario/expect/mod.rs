//! Expectations: `agg(signal) op value [during PHASE | after PHASE] [within D after PHASE] [for D] [and …]`, as a tree
//! that is checked before the run.
//!
//! Owns: the grammar, the parser, static checks. Must not know: recorded data; judging is `verdict`'s.

mod check;
mod display;
mod parse;
mod quantity;
mod text;
mod token;

use std::time::Duration;

pub(in crate::scenario) use check::{Names, cannot_gate};
pub use parse::{ParseError, Parsed, TermSpans, parse};
pub use quantity::{Quantity, Series, Unit};

use crate::unit::{AlarmName, AlarmState, PhaseId, PlaybookId, SignalId};

/// Terms joined by `and`; all must hold. Never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The terms, in the order of the text.
    pub terms: Vec<Term>,
}

impl Expectation {
    /// The signals that it speaks of.
    pub fn signals(&self) -> impl Iterator<Item = &SignalId> {
        self.terms.iter().filter_map(|term| match &term.condition {
            Condition::Compare { measure: Measure::Signal { signal, .. }, .. } => Some(signal),
            Condition::Compare { measure: Measure::Detect(_) | Measure::Ack | Measure::Steps { .. }, .. }
            | Condition::Alarm { .. }
            | Condition::Mark(_) => None,
        })
    }

    /// Whether it speaks of an alarm.
    #[must_use]
    pub fn reads_alarms(&self) -> bool {
        self.terms.iter().any(|term| match &term.condition {
            Condition::Alarm { .. } | Condition::Compare { measure: Measure::Detect(_), .. } => true,
            Condition::Compare { measure: Measure::Signal { .. } | Measure::Ack | Measure::Steps { .. }, .. }
            | Condition::Mark(_) => false,
        })
    }
}

/// One condition over one window.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// What must hold.
    pub condition: Condition,
    /// Over which stretch of the run; none means all of it from the first injection on, or a gate's own window.
    pub window: Option<PhaseWindow>,
    /// `for D`: over the trailing `D`, which must be full before the term can be true.
    pub hold: Option<Duration>,
}

/// What a term asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// A measure against a bound.
    Compare {
        /// What is measured.
        measure: Measure,
        /// How it is compared.
        operator: Operator,
        /// The bound.
        value: Value,
    },
    /// `alarm(glob) is STATE`: of the alarms whose names fit, any is in `ALARM` or in `INSUFFICIENT_DATA`, or all are `OK`.
    Alarm {
        /// A glob over alarm names: `*` stands for any text.
        pattern: String,
        /// The state.
        state: AlarmState,
    },
    /// `mark(name)`: true once a person made that mark.
    Mark(String),
}

/// What a comparison measures.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// `agg(signal)`.
    Signal {
        /// How the values of the window become one.
        aggregate: Aggregate,
        /// The signal.
        signal: SignalId,
    },
    /// `detect(alarm)`: from the first proven effect to the alarm.
    Detect(AlarmName),
    /// `ack()`: from the notice to the acknowledgement.
    Ack,
    /// `steps(playbook)` and `steps(playbook, must)`: the share of steps done in time.
    Steps {
        /// The playbook.
        playbook: PlaybookId,
        /// Only the steps marked `must`.
        must: bool,
    },
}

/// How the values of a window become one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Aggregate {
    /// The smallest value; of a ratio, its worst second.
    Min,
    /// The largest value.
    Max,
    /// The mean; of a ratio, all successes over all requests.
    Mean,
    /// A percentile, as a ratio: `p99.9` is `0.999`. Of a distribution it is exact.
    Percentile(f64),
    /// The sum.
    Sum,
    /// The last value.
    Last,
    /// How many values there are.
    Count,
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `==`
    Equal,
    /// `>=`
    AtLeast,
    /// `>`
    More,
}

/// A bound, with its unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A plain number.
    Number(f64),
    /// A percentage, as a ratio: `99%` is `0.99`.
    Ratio(f64),
    /// A duration.
    Duration(Duration),
    /// A rate in arrivals a second.
    Rate(f64),
    /// `N% of baseline`, as a ratio.
    OfBaseline(f64),
}

/// Over which stretch of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhaseWindow {
    /// `during PHASE`: from its start to its end.
    During(PhaseId),
    /// `after PHASE`: from its end to the run's.
    After(PhaseId),
    /// `within D after PHASE`: becomes true at some time in the `D` after the phase's end.
    Within {
        /// How long it may take.
        limit: Duration,
        /// The phase.
        after: PhaseId,
    },
}

impl Operator {
    /// Whether `left operator right` holds.
    #[must_use]
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => (left - right).abs() <= f64::EPSILON * right.abs().max(1.0),
            Self::AtLeast => left >= right,
            Self::More => left > right,
        }
    }
}
