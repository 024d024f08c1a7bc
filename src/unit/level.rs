//! How much load: a rate of arrivals (`40/s`, an open model) or a number of virtual users (`40 users`, a closed one).

use std::fmt;
use std::str::FromStr;

use super::{UnitError, text_type};

const RATE_REMEDY: &str = "write a number and a unit, as in `40/s` or `90/m`";
const LEVEL_REMEDY: &str = "write a rate such as `40/s` (arrivals, an open model) or `40 users` (a closed model)";

/// The largest rate that a file may ask for, in arrivals a second.
const RATE_PER_SECOND_MAX: f64 = 1_000_000.0;
/// The largest number of virtual users that a file may ask for.
const USERS_MAX: u32 = 100_000;

/// Arrivals in a span of time, held for a second; written `40/s`, `90/m` or `1/h`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(f64);

impl Rate {
    /// Arrivals a second.
    #[must_use]
    pub fn per_second(self) -> f64 {
        self.0
    }
}

impl FromStr for Rate {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = || UnitError::new(format!("`{text}` is not a rate"), RATE_REMEDY);
        let (number, unit) = text.trim().split_once('/').ok_or_else(fail)?;
        let value: f64 = number.trim().parse().map_err(|_| fail())?;
        let seconds = match unit.trim() {
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3_600.0,
            _ => return Err(fail()),
        };
        let rate = value / seconds;
        if rate < 0.0 {
            return Err(UnitError::new(format!("`{text}` is below nothing"), "write a rate such as `40/s`"));
        }
        if !rate.is_finite() {
            return Err(fail());
        }
        if rate > RATE_PER_SECOND_MAX {
            return Err(UnitError::new(format!("`{text}` is too much"), "stay at or below 1000000/s"));
        }
        Ok(Self(rate))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // To the ten-thousandth: `5/m` is no number that ends.
        write!(formatter, "{}/s", (self.0 * 1e4).round() / 1e4)
    }
}

text_type!(Rate, "Rate", "a rate", r"^\s*[0-9.]+\s*/\s*[smh]\s*$", "40/s");

/// A number of virtual users; written `40 users` or `1 user`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Users(pub u32);

impl FromStr for Users {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = || UnitError::new(format!("`{text}` is not a number of users"), "write it as `40 users`");
        let text = text.trim();
        let number = text.strip_suffix("users").or_else(|| text.strip_suffix("user")).ok_or_else(fail)?;
        let count: u32 = number.trim().parse().map_err(|_| fail())?;
        if count > USERS_MAX {
            return Err(UnitError::new(format!("`{text}` is too much"), "stay at or below 100000 users"));
        }
        Ok(Self(count))
    }
}

impl fmt::Display for Users {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} user{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

/// A level of load. Its unit chooses the model: `/s` is open (arrivals), `users` closed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Level {
    /// Arrivals, independent of how fast the system answers.
    Rate(Rate),
    /// Virtual users, each of whom waits for its answer before going on.
    Users(Users),
}

impl FromStr for Level {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text.contains('/') {
            return text.parse().map(Self::Rate);
        }
        if text.contains("user") {
            return text.parse().map(Self::Users);
        }
        Err(UnitError::new(format!("`{text}` is not a level of load"), LEVEL_REMEDY))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rate(rate) => rate.fmt(formatter),
            Self::Users(users) => users.fmt(formatter),
        }
    }
}

text_type!(
    Level,
    "Level",
    "a level of load: a rate or a number of users",
    r"^\s*([0-9.]+\s*/\s*[smh]|[0-9]+\s*users?)\s*$",
    "40 users"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_chooses_the_model() {
        assert!(matches!("40/s".parse(), Ok(Level::Rate(rate)) if (rate.per_second() - 40.0).abs() < 1e-9));
        assert_eq!("5/m".parse::<Rate>().unwrap().to_string(), "0.0833/s");
        assert_eq!("-5/s".parse::<Rate>().unwrap_err().problem, "`-5/s` is below nothing");
        assert!(matches!("120/m".parse(), Ok(Level::Rate(rate)) if (rate.per_second() - 2.0).abs() < 1e-9));
        assert_eq!("1 user".parse(), Ok(Level::Users(Users(1))));
        for text in ["40", "40/d", "-1/s", "1.5 users", "users", "4000000/s", "999999 users"] {
            assert!(text.parse::<Level>().is_err(), "{text}");
        }
    }
}
