//! Percentages, written `5%` or `99.9%`.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, text_type};

/// A share in percent, from 0 upwards; `99.9%` is held as `99.9`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// The share as a ratio: `50%` is `0.5`.
    #[must_use]
    pub fn ratio(self) -> f64 {
        self.0 / 100.0
    }
}

impl FromStr for Percent {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let fail = || UnitError::new(format!("`{text}` is not a percentage"), "write a number and a sign, as in `5%`");
        let number = text.trim().strip_suffix('%').ok_or_else(fail)?;
        let value: f64 = number.trim_end().parse().map_err(|_| fail())?;
        if value.is_finite() && value >= 0.0 { Ok(Self(value)) } else { Err(fail()) }
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}%", self.0)
    }
}

text_type!(Percent, "Percent", "a percentage", r"^\s*[0-9.]+\s*%\s*$", "5%");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_needs_its_sign() {
        assert_eq!("99.9%".parse::<Percent>().map(|percent| percent.to_string()), Ok("99.9%".to_owned()));
        for text in ["5", "%", "-1%", "NaN%", "inf%", "five%"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
    }
}
