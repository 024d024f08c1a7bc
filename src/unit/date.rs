//! Calendar days as files write them: `2026-12-15`.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use chrono::NaiveDate;

use super::{UnitError, text_type};

/// A day of the calendar; written `2026-12-15`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub NaiveDate);

impl Deref for Date {
    type Target = NaiveDate;

    fn deref(&self) -> &NaiveDate {
        &self.0
    }
}

impl FromStr for Date {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .map(Self)
            .map_err(|_| UnitError::new(format!("`{text}` is not a date"), "write it as `2026-12-15`"))
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.format("%Y-%m-%d"))
    }
}

text_type!(Date, "Date", "a date", r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "2026-12-15");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_a_day_of_the_calendar() {
        assert_eq!("2026-12-15".parse::<Date>().map(|date| date.to_string()), Ok("2026-12-15".to_owned()));
        for text in ["2027-13-01", "2027-02-29", "soon", "15.12.2026", ""] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }
}
