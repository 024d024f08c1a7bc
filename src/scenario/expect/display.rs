//! The canonical text of an expectation: what the parser reads back to the same tree.

use std::fmt;

use super::token::quoted;
use super::{Aggregate, Condition, Expectation, Measure, Operator, PhaseWindow, Term, Value};
use crate::unit::format_duration;

impl fmt::Display for Expectation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                formatter.write_str(" and ")?;
            }
            term.fmt(formatter)?;
        }
        Ok(())
    }
}

impl fmt::Display for Term {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.condition.fmt(formatter)?;
        // It belongs to the bound: behind the window it would read as if the phase lasted so long.
        if let Some(hold) = self.hold {
            write!(formatter, " for {}", format_duration(hold))?;
        }
        if let Some(window) = &self.window {
            write!(formatter, " {window}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compare { measure, operator, value } => write!(formatter, "{measure} {operator} {value}"),
            Self::Alarm { pattern, state } => write!(formatter, "alarm({}) is {state}", quoted(pattern)),
            Self::Mark(name) => write!(formatter, "mark({name})"),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal { aggregate, signal } => write!(formatter, "{aggregate}({signal})"),
            Self::Detect(alarm) => write!(formatter, "detect({})", quoted(alarm.as_str())),
            Self::Ack => formatter.write_str("ack()"),
            Self::Steps { playbook, must: false } => write!(formatter, "steps({playbook})"),
            Self::Steps { playbook, must: true } => write!(formatter, "steps({playbook}, must)"),
        }
    }
}

impl fmt::Display for PhaseWindow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::During(phase) => write!(formatter, "during {phase}"),
            Self::After(phase) => write!(formatter, "after {phase}"),
            Self::Within { limit, after } => write!(formatter, "within {} after {after}", format_duration(*limit)),
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Min => formatter.write_str("min"),
            Self::Max => formatter.write_str("max"),
            Self::Mean => formatter.write_str("mean"),
            // 0.999 × 100 is 99.9000…01 in binary: four digits are more than any percentile has.
            Self::Percentile(ratio) => write!(formatter, "p{}", (ratio * 1_000_000.0).round() / 10_000.0),
            Self::Sum => formatter.write_str("sum"),
            Self::Last => formatter.write_str("last"),
            Self::Count => formatter.write_str("count"),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Equal => "==",
            Self::AtLeast => ">=",
            Self::More => ">",
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |ratio: f64| (ratio * 1_000_000.0).round() / 10_000.0;
        match self {
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Ratio(ratio) => write!(formatter, "{}%", percent(*ratio)),
            Self::Duration(duration) => formatter.write_str(&format_duration(*duration)),
            Self::Rate(per_second) => write!(formatter, "{per_second}/s"),
            Self::OfBaseline(ratio) => write!(formatter, "{}% of baseline", percent(*ratio)),
        }
    }
}
