//! Alarms of CloudWatch: their names, the patterns that name several, and their states.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{IdError, text_type};

/// The longest name of an alarm, in characters. Source: AWS, `PutMetricAlarm`.
const ALARM_NAME_CHARACTERS_MAX: usize = 255;

/// The name of a CloudWatch alarm, as AWS takes it: 1 to 255 characters, none of them a control character. `*` is left to
/// patterns.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AlarmName(String);

impl AlarmName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AlarmName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        if text.contains('*') || text.chars().any(char::is_control) {
            return Err(IdError::AlarmCharacter(text.to_owned()));
        }
        if text.chars().count() > ALARM_NAME_CHARACTERS_MAX {
            return Err(IdError::AlarmTooLong(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for AlarmName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl Borrow<str> for AlarmName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

text_type!(AlarmName, "AlarmName", "the name of an alarm", r"^[^*\u0000-\u001f\u007f]{1,255}$", "payments-p99-high");

/// A state of a CloudWatch alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AlarmState {
    /// Out of its bounds.
    Alarm,
    /// In its bounds.
    Ok,
    /// Not enough data to say.
    InsufficientData,
}

impl fmt::Display for AlarmState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Alarm => "ALARM",
            Self::Ok => "OK",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        })
    }
}

/// Whether an alarm's name fits a pattern in which each `*` stands for any text, also none.
#[must_use]
pub fn alarm_matches(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut rest) = name.strip_prefix(head) else { return false };
    let mut parts: Vec<&str> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_named_as_aws_lets_it_be_named() {
        for text in ["a", "Checkout / errors (prod)", "Stack-Alarm4A1B-1XYZ", &"ä".repeat(255)] {
            assert!(text.parse::<AlarmName>().is_ok(), "{text}");
        }
        for text in ["", "a\nb", "checkout-*", &"x".repeat(256)] {
            assert!(text.parse::<AlarmName>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "anything", true),
            ("pay-*", "pay-errors", true),
            ("pay-*", "shop-pay-errors", false),
            ("*-errors", "pay-errors", true),
            ("*-errors", "pay-errors-2", false),
            ("p*-e*s", "pay-errors", true),
            ("p*-e*s", "pay-error", false),
            ("a*a", "a", false),
            ("a*b*b", "ab", false),
            ("a**b", "ab", true),
        ] {
            assert_eq!(alarm_matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_state_is_written_as_aws_writes_it() {
        for (state, text) in
            [(AlarmState::Alarm, "ALARM"), (AlarmState::Ok, "OK"), (AlarmState::InsufficientData, "INSUFFICIENT_DATA")]
        {
            assert_eq!(state.to_string(), text);
            assert_eq!(serde_json::to_value(state).unwrap(), text);
        }
    }
}
