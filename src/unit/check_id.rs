//! The ids of the checks of `gameday readiness`: `R-30`. What each asks stands in the room `readiness`.

use std::fmt;
use std::str::FromStr;

use super::{UnitError, nearest, text_type};

/// A check's id; written `R-30`. There is none that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(u8);

impl CheckId {
    /// The numbers that have a check, in order. A number never changes what it means.
    pub const NUMBERS: &[u8] = &[
        1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 16, 20, 21, 22, 23, 25, 30, 31, 32, 33, 34, 35, 37, 38, 40, 41, 42,
        43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 58, 60, 61, 65, 66, 67, 68, 70, 75, 78, 79, 80, 85, 86, 88,
        89, 90,
    ];

    /// The check of that number, which is one of [`Self::NUMBERS`].
    pub(crate) const fn of(number: u8) -> Self {
        Self(number)
    }

    /// Every id, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::NUMBERS.iter().map(|number| Self(*number))
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "R-{:02}", self.0)
    }
}

impl FromStr for CheckId {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if let Some(id) = Self::all().find(|id| id.to_string() == text) {
            return Ok(id);
        }
        let known: Vec<String> = Self::all().map(|id| id.to_string()).collect();
        let near = nearest(text, known.iter().map(String::as_str));
        let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        Err(UnitError::new(
            format!("`{text}` is not a check of readiness{near}"),
            "write an id as `R-30`; `gameday readiness --list` tells them all",
        ))
    }
}

text_type!(CheckId, "CheckId", "the id of a check of readiness", r"^R-[0-9]{2}$", "R-41");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_that_has_a_check_and_a_mistyped_one_names_the_nearest() {
        assert!(CheckId::NUMBERS.is_sorted());
        assert_eq!("R-01".parse::<CheckId>().map(|id| id.to_string()), Ok("R-01".to_owned()));
        for text in ["R-1", "R-99", "r-01", "", "R-001"] {
            assert!(text.parse::<CheckId>().is_err(), "{text}");
        }
        assert!("R-4l".parse::<CheckId>().unwrap_err().to_string().contains("did you mean `R-4"));
    }
}
