//! How long a step may take, and from when on: `5m`, `5m after mark(detected)`.

use std::fmt;
use std::str::FromStr;

use super::{AlarmName, DurationText, FaultId, InjectId, StepId, UnitError, mark_name, text_type};

const REMEDY: &str = "write a duration as in `5m`, or from when on it counts as in `5m after mark(detected)`; what can be counted \
                      from is `mark(NAME)`, `ack()`, `fault(NAME)`, `inject(NAME)`, `step(ID)` and `alarm(NAME)`";

/// How long a step may take: from the start of its phase on, or from something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// How long.
    pub length: DurationText,
    /// From when on; none is the start of the phase.
    pub after: Option<Anchor>,
}

/// What a step's time may be counted from: the first time that it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Anchor {
    /// A mark is made.
    Mark(String),
    /// Somebody acknowledges.
    Ack,
    /// A fault's effect is proven.
    Fault(FaultId),
    /// A message is delivered.
    Inject(InjectId),
    /// Another step is closed.
    Step(StepId),
    /// An alarm goes to `ALARM`.
    Alarm(AlarmName),
}

impl From<DurationText> for Within {
    fn from(length: DurationText) -> Self {
        Self { length, after: None }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.after {
            None => write!(formatter, "{}", self.length),
            Some(anchor) => write!(formatter, "{} after {anchor}", self.length),
        }
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mark(name) => write!(formatter, "mark({name})"),
            Self::Ack => formatter.write_str("ack()"),
            Self::Fault(name) => write!(formatter, "fault({name})"),
            Self::Inject(name) => write!(formatter, "inject({name})"),
            Self::Step(name) => write!(formatter, "step({name})"),
            Self::Alarm(name) => write!(formatter, "alarm({name})"),
        }
    }
}

impl FromStr for Within {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let Some((length, after)) = text.split_once(" after ") else {
            if text.contains('(') {
                return Err(UnitError::new(format!("`{text}` is no time that counts from something"), REMEDY));
            }
            return Ok(Self::from(text.parse::<DurationText>()?));
        };
        Ok(Self { length: length.parse()?, after: Some(anchor(after.trim())?) })
    }
}

fn anchor(text: &str) -> Result<Anchor, UnitError> {
    let fail = || UnitError::new(format!("`{text}` is nothing that a time can be counted from"), REMEDY);
    let (word, rest) = text.split_once('(').ok_or_else(fail)?;
    let name = rest.strip_suffix(')').ok_or_else(fail)?.trim();
    let invalid = |error: &dyn fmt::Display| UnitError::new(format!("`{text}`: {error}"), REMEDY);
    match word.trim() {
        // An acknowledgement is a mark to whoever writes of it.
        "mark" if name == "acknowledged" => Ok(Anchor::Ack),
        "mark" if !name.is_empty() => mark_name(name).map(Anchor::Mark).map_err(|error| invalid(&error.problem)),
        "ack" if name.is_empty() => Ok(Anchor::Ack),
        "fault" => name.parse().map(Anchor::Fault).map_err(|error| invalid(&error)),
        "inject" => name.parse().map(Anchor::Inject).map_err(|error| invalid(&error)),
        "step" => name.parse().map(Anchor::Step).map_err(|error| invalid(&error)),
        "alarm" => name.parse().map(Anchor::Alarm).map_err(|error| invalid(&error)),
        _ => Err(fail()),
    }
}

text_type!(
    Within,
    "Within",
    "a duration, or a duration after something",
    r"^\s*([0-9.]+(ms|s|m|h|d))+(\s+after\s+(mark|ack|fault|inject|step|alarm)\(.*\))?\s*$",
    "5m after mark(detected)"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        for text in [
            "5m",
            "1m30s after mark(detected)",
            "5m after ack()",
            "5m after fault(slow-provider)",
            "5m after inject(ticket)",
            "5m after step(claim)",
            "5m after alarm(payments-p99-high)",
        ] {
            let within: Within = text.parse().unwrap();
            assert_eq!(within.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_time_says_so() {
        for (text, problem) in [
            ("5", "`5` has no unit"),
            ("5m after lunch", "`lunch` is nothing that a time can be counted from"),
            ("5m after mark()", "`mark()` is nothing that a time can be counted from"),
            ("5m after ack(x)", "`ack(x)` is nothing that a time can be counted from"),
            ("soon after ack()", "`soon` is not a duration"),
            ("5m afer mark(x)", "`5m afer mark(x)` is no time that counts from something"),
            ("5m after mark(a) or ack()", "`mark(a) or ack()`: `a) or ack(` is no name of a mark"),
            ("5m after marc(x)", "`marc(x)` is nothing that a time can be counted from"),
        ] {
            assert_eq!(text.parse::<Within>().unwrap_err().problem, problem, "{text}");
        }
        assert!("5m after fault(a b)".parse::<Within>().unwrap_err().problem.starts_with("`fault(a b)`: "));
    }
}
